import json

import numpy as np
import pytest

from helpers.glass_crystals import crystal
from helpers.melt_frames import moved, write
from vitrion.amorphous.document import AmorphousDoc, glass_document
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.amorphous.pack import pack
from vitrion.amorphous.start_cell import melt_start


def reference(path, n_frames, n_atoms):
    return {
        "path": str(path),
        "host": "here",
        "size_bytes": path.stat().st_size if path.exists() else 0,
        "sha256": "0",
        "n_frames": n_frames,
        "n_atoms": n_atoms,
        "frame_interval_fs": 100.0,
    }


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glass")
    packed = pack("LiPO2F2", n_atoms=72, seed=1)
    rng = np.random.default_rng(1)
    n_atoms = len(packed.structure)
    hot = moved(packed.structure, 12.0, rng)
    still = rng.normal(0, 0.05, (30, n_atoms, 3))
    trajectories = {
        "melt": reference(write(folder / "a.vtraj.h5", packed.structure, hot), 11, n_atoms),
        "equilibrate": reference(
            write(folder / "b.vtraj.h5", packed.structure, still), 30, n_atoms
        ),
        "quench": reference(folder / "gone.vtraj.h5", 1, n_atoms),
    }
    return glass_document(
        packed.structure,
        packed=packed,
        stages={"melt": packed.structure},
        trajectories=trajectories,
        settings=MeltQuenchSettings(n_atoms=72, quench_rate_K_per_ps=300.0, seed=1),
        quench_rate_K_per_ps=300.0,
        energy_eV_per_atom=-6.3,
    )


def test_a_packed_cell_is_described_as_it_is(document):
    assert document.phase == "amorphous"
    assert document.is_amorphous
    assert document.composition_reduced.reduced_formula == "LiP(OF)2"
    assert document.packing.ions == {"Li": 12, "PO2F2": 12}
    assert document.ions_intact == {"melt": 1.0, "relaxation": 1.0}
    assert document.speciation.centers == {"P": {"PO2F2": 12}}
    assert document.density_relaxed_g_per_cm3 == pytest.approx(1.98, abs=0.02)
    assert document.density_equilibrated_g_per_cm3 == pytest.approx(1.98, abs=0.02)
    assert document.melt.equilibrated
    assert document.remarks == ["The trajectory of the quench stage could not be read."]


def test_coordination_of_phosphorus_is_four(document):
    by_pair = {tuple(p.pair): p for p in document.pair_distributions}
    assert len(by_pair) == 10
    oxygen, fluorine = by_pair["P", "O"], by_pair["P", "F"]
    assert oxygen.first_peak_A == pytest.approx(1.48, abs=0.06)
    assert fluorine.first_peak_A == pytest.approx(1.57, abs=0.06)
    assert oxygen.coordination[0] == pytest.approx(2, abs=0.02)
    assert fluorine.coordination == pytest.approx((2, 1), abs=0.02)
    assert all(len(p.g) == len(document.r_A) for p in document.pair_distributions)


def test_the_document_survives_json(document):
    text = document.model_dump_json()
    again = AmorphousDoc.model_validate_json(text)
    assert again.speciation == document.speciation
    assert again.structure == document.structure
    assert again.settings == document.settings
    assert again.melt == document.melt
    assert len(text) < 200_000


def test_the_document_can_be_kept_in_mongodb(document):
    def assert_keys_are_plain(node):
        if isinstance(node, dict):
            for key, value in node.items():
                assert isinstance(key, str)
                assert "." not in key
                assert not key.startswith("$")
                assert_keys_are_plain(value)
        elif isinstance(node, list):
            for value in node:
                assert_keys_are_plain(value)

    assert_keys_are_plain(json.loads(document.model_dump_json()))
    assert set(AmorphousDoc.key_fields.values()) <= set(AmorphousDoc.model_fields)


def test_what_went_wrong_is_said():
    packed = melt_start(crystal("calcite"), n_atoms=60)
    solid = glass_document(packed.structure, packed=packed, relaxed=False)
    assert solid.phase == "amorphous"  # what it was to be, and is not:
    assert not solid.is_amorphous
    assert solid.crystallized
    assert solid.packing.unit == "crystal"
    assert solid.ions_intact == {"relaxation": 1.0}
    assert any("crystalline" in remark for remark in solid.remarks)
    assert any("did not reach" in remark for remark in solid.remarks)


def test_broken_ions_and_loose_fluoride_are_said():
    packed = pack("LiPO2F2", n_atoms=60, seed=1)
    broken = packed.structure.copy()
    fluorine = packed.ions[-1][3]
    phosphorus = packed.ions[-1][0]
    away = broken[fluorine].frac_coords - broken[phosphorus].frac_coords
    away = (away - np.round(away)) @ broken.lattice.matrix
    broken.translate_sites([fluorine], 0.6 * away, frac_coords=False)
    document = glass_document(broken, packed=packed)
    assert document.ions_intact["relaxation"] == pytest.approx(0.9)
    assert document.speciation.loose.get("F", 0) + document.speciation.fraction("PO2F2") > 0
    assert any("broke" in remark for remark in document.remarks)
