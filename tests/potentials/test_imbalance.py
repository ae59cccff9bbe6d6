"""The energy of holes and electrons: from the composition, without a trace in the forces."""

import numpy as np
import pytest
import torch

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.label.label_program import label_frame
from vitrion.distill.sample.sampling import with_interstitial, with_vacancy
from vitrion.distill.train.fit_batches import frame_batches
from vitrion.distill.train.fit_loss import HUBER, batch_loss
from vitrion.distill.train.fit_settings import FitSettings
from vitrion.errors import InputError
from vitrion.potentials.evaluation import calculator_of
from vitrion.potentials.imbalance import FADING, ImbalanceEnergy, imbalance_energy
from vitrion.potentials.student import build_model, describe_model, load_student, save_student

DESCRIPTION = {
    "r_max": 4.0,
    "num_bessel": 6,
    "num_polynomial_cutoff": 5,
    "max_ell": 1,
    "num_interactions": 2,
    "correlation": 1,
    "avg_num_neighbors": 20.0,
    "atomic_numbers": [3, 6, 8, 9, 15],
    "distance_transform": "Agnesi",
    "pair_repulsion": True,
    "radial_MLP": [8],
    "hidden_irreps": "8x0e",
    "MLP_irreps": "8x0e",
    "interaction_cls": "RealAgnosticResidualInteractionBlock",
    "interaction_cls_first": "RealAgnosticResidualInteractionBlock",
}


TERMS = {"hole_energy_eV": 0.8, "electron_energy_eV": 15.0}


def energy(atoms):
    return imbalance_energy(atoms.numbers, 0.8, 15.0)


def calculator(terms):
    torch.manual_seed(0)
    return calculator_of(build_model(DESCRIPTION | terms), dtype="float64")


@pytest.fixture(scope="module")
def cells():
    host = known_crystals()["LiF"].repeat((2, 2, 2))
    host.rattle(0.05, seed=1)
    rng = np.random.default_rng(0)
    return host, with_vacancy(host, "Li", rng), with_interstitial(host, "Li", rng)


def test_only_imbalance_costs(cells):
    host, poor, rich = cells
    assert energy(host) == 0
    assert energy(poor) == pytest.approx(0.8 * np.exp(-((1 / (FADING * 63)) ** 2)))
    assert energy(rich) == pytest.approx(15.0 / 65 * np.exp(-((1 / (FADING * 65)) ** 2)))
    for name in ("Li3PO4", "Li2CO3", "LiPF6", "CO2"):
        assert energy(known_crystals()[name]) == 0
    for name in ("Li2O2", "Li", "Li3P"):  # no defective salts
        atoms = known_crystals()[name]
        assert abs(energy(atoms)) < 1e-3 * len(atoms)
    with pytest.raises(InputError, match="no formal charge"):
        imbalance_energy(np.array([11, 17]), 0.8, 15.0)


def test_twice_the_cell_has_twice_the_energy(cells):
    for atoms in cells[1:]:
        assert energy(atoms.repeat((2, 1, 1))) == pytest.approx(2 * energy(atoms))


def test_the_model_adds_it_and_forces_do_not_change(cells):
    without, with_term = calculator({}), calculator(TERMS)
    for atoms in cells:
        difference = with_term.get_potential_energy(atoms) - without.get_potential_energy(atoms)
        assert difference == pytest.approx(energy(atoms), abs=1e-9)
        np.testing.assert_allclose(
            with_term.get_forces(atoms), without.get_forces(atoms), atol=1e-12
        )
        np.testing.assert_allclose(
            with_term.get_stress(atoms), without.get_stress(atoms), atol=1e-12
        )


def test_each_graph_of_a_batch_has_its_own(cells):
    numbers = [atoms.numbers for atoms in cells]
    elements = np.array(DESCRIPTION["atomic_numbers"])
    sizes = [len(part) for part in numbers]
    kinds = np.concatenate(numbers)[:, None] == elements
    data = {
        "node_attrs": torch.tensor(kinds, dtype=torch.float64),
        "batch": torch.repeat_interleave(torch.arange(3), torch.tensor(sizes)),
        "ptr": torch.tensor(np.concatenate([[0], np.cumsum(sizes)])),
    }
    hook = ImbalanceEnergy(DESCRIPTION["atomic_numbers"], 0.8, 15.0)
    out = hook(None, (data,), {"energy": torch.zeros(3, dtype=torch.float64)})
    np.testing.assert_allclose(out["energy"].numpy(), [energy(a) for a in cells], atol=1e-9)


def test_it_is_kept_in_the_file_and_taken_from_the_labels(cells, tmp_path):
    _, poor, _ = cells
    save_student(build_model(DESCRIPTION | TERMS), tmp_path / "student.safetensors")
    again = describe_model(load_student(tmp_path / "student.safetensors"))
    assert {key: again[key] for key in TERMS} == TERMS
    labelled = label_frame(poor, calculator(TERMS))
    losses = []
    for terms in ({}, TERMS):  # the network learns the rest of the label
        torch.manual_seed(0)
        model = build_model(DESCRIPTION | terms)
        (batch,) = frame_batches(model, [labelled])
        loss = batch_loss(model, batch, FitSettings(), 1, len(poor))
        losses.append(float(loss.detach()))
    missing = energy(poor) / len(poor)
    assert losses[0] == pytest.approx(HUBER * (missing - HUBER / 2), rel=0.02)
    assert losses[1] < 1e-3 * losses[0]
