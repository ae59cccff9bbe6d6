"""Errors of Frenkel energies and barriers of the shipped potentials relative to each other."""

from __future__ import annotations

import json

import pytest

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.label.labelling import Teacher
from vitrion.errors import InputError
from vitrion.landscape.defect_errors import (
    DefectError,
    DefectErrors,
    check_has_card,
    compare_defects,
    defect_errors,
    defect_frames,
    record_errors,
)
from vitrion.potentials import load_calculator
from vitrion.potentials.student import card_path, student_card, student_path


@pytest.fixture(scope="module")
def calculator():
    return load_calculator("vitrion-lipof")


@pytest.fixture(scope="module")
def frames(calculator):
    crystals = known_crystals()
    return defect_frames({name: crystals[name] for name in ("Li", "LiF")}, calculator)


def test_frames_are_the_minima_and_saddle_points_of_a_crystal(frames, calculator):
    energies = {
        atoms.info["defect"].split(" ion")[0]: calculator.get_potential_energy(atoms)
        for atoms in frames
    }
    assert {atoms.info["crystal"] for atoms in frames} == {"LiF"}
    assert 1.0 < energies["pair"] - energies["host"] < 4.0
    assert 0.3 < energies["saddle 0"] - energies["start 0"] < 1.0


def test_errors_are_differences_of_energies_to_the_reference(frames, calculator):
    other = load_calculator("vitrion-lipof-pbe")
    labelled = []
    for atoms in frames:
        copy = atoms.copy()
        copy.info["REF_energy"] = other.get_potential_energy(atoms)
        labelled.append(copy)
    found = defect_errors(labelled, calculator)
    by_name = {atoms.info["defect"]: atoms for atoms in labelled}
    pair = next(value for value in found.values if value.quantity == "formation")
    ends = (by_name[f"pair {pair.label}"], by_name["host"])
    own = calculator.get_potential_energy(ends[0]) - calculator.get_potential_energy(ends[1])
    its = other.get_potential_energy(ends[0]) - other.get_potential_energy(ends[1])
    assert pair.energy_eV == pytest.approx(own, abs=1e-4)
    assert pair.error_eV == pytest.approx(own - its, abs=1e-4)
    assert found.formation_error_eV == pytest.approx(abs(own - its), abs=1e-4)
    assert found.barrier_error_eV == pytest.approx(
        (sum(v.error_eV**2 for v in found.values if v.quantity == "barrier") / 2) ** 0.5, rel=1e-6
    )


@pytest.mark.slow
def test_a_potential_has_no_error_relative_to_itself():
    stages = []
    found = compare_defects(
        "vitrion-lipof",
        Teacher(name="vitrion-lipof"),
        {"LiF": known_crystals()["LiF"]},
        on_stage=stages.append,
    )
    assert found.formation_error_eV == pytest.approx(0.0, abs=1e-4)
    assert found.barrier_error_eV == pytest.approx(0.0, abs=1e-4)
    assert stages == ["defects of LiF", "labels of 6 defects"]


def test_errors_are_kept_on_the_data_card(tmp_path, monkeypatch):
    monkeypatch.setenv("VITRION_STUDENTS", str(tmp_path))
    card = student_card("vitrion-lipof")
    student_path("mine").write_bytes(student_path("vitrion-lipof").read_bytes())
    card_path("mine").write_text(json.dumps(card))
    value = DefectError(
        crystal="LiF", quantity="barrier", label="0", energy_eV=0.7, error_eV=-0.0401
    )
    errors = DefectErrors(formation_error_eV=0.12, barrier_error_eV=0.0401, values=[value])
    assert record_errors("mine", errors) == card_path("mine")
    assert student_card("mine") == card | {
        "defect_errors": {
            "formation_error_eV": 0.12,
            "barrier_error_eV": 0.04,
            "crystals": ["LiF"],
            "n_values": 1,
        }
    }
    with pytest.raises(InputError, match="no data card"):
        check_has_card("chgnet")
    with pytest.raises(InputError, match="no errors to keep"):
        record_errors("mine", errors.model_copy(update={"barrier_error_eV": None}))
