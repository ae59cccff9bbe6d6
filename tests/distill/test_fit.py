"""A fit follows labels, shares its steps between processes, and resumes."""

import json

import numpy as np
import pytest
import torch

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.label.label_program import label_frame
from vitrion.distill.sample.sampling import strained_and_rattled
from vitrion.distill.train.fit import STATE, fit, fitted_file, write_input
from vitrion.distill.train.fit_batches import epoch_order, frame_batches, join, widest
from vitrion.distill.train.fit_loss import batch_loss
from vitrion.distill.train.fit_program import Fit
from vitrion.distill.train.fit_settings import FitSettings
from vitrion.distill.train.initial_weights import (
    initial_student,
    most_similar,
    write_initial_student,
)
from vitrion.errors import InputError, SimulationError
from vitrion.potentials.evaluation import calculator_of
from vitrion.potentials.fused import fuse
from vitrion.potentials.student import (
    file_calculator,
    load_student,
    student_calculator,
    student_path,
)

FEW = FitSettings(epochs=3, batch_size=4, learning_rate=0.005, warmup_steps=2)


@pytest.fixture(scope="module")
def frames():
    """Small shaken cells of LiF with labels of the shipped student."""
    rng = np.random.default_rng(0)
    teacher = student_calculator()
    cells = [strained_and_rattled(known_crystals()["LiF"], rng, 0.02, 0.08) for _ in range(16)]
    return [label_frame(atoms, teacher) for atoms in cells]


@pytest.fixture(scope="module")
def begin(frames, tmp_path_factory):
    """A student of Li and F with the weights of O for F."""
    path = tmp_path_factory.mktemp("begin") / "begin.safetensors"
    model = initial_student(load_student(student_path()), [3, 8], 0)
    from vitrion.potentials.student import save_student

    save_student(model, path.with_name("lio.safetensors"))
    return write_initial_student(path.with_name("lio.safetensors"), frames, [3, 9], path, 0)


def force_error(path, frames):
    calculator = file_calculator(path)
    found = [calculator.get_forces(a) - a.arrays["REF_forces"] for a in frames]
    return float(np.sqrt(np.mean(np.square(found))))


def test_known_elements_keep_their_energies_and_forces():
    atoms = known_crystals()["Li3PO4"].copy()
    atoms.rattle(0.05, seed=1)
    whole = load_student(student_path())
    part = calculator_of(initial_student(whole, [3, 8, 15], 0))
    own = student_calculator()
    assert part.get_potential_energy(atoms) == pytest.approx(
        own.get_potential_energy(atoms), abs=1e-4
    )
    np.testing.assert_allclose(part.get_forces(atoms), own.get_forces(atoms), atol=1e-4)


def test_a_new_element_begins_as_its_neighbor_in_the_periodic_table():
    known = [3, 6, 8, 9, 15]
    pairs = {"Na": 3, "S": 8, "Cl": 9, "Si": 6, "K": 3, "As": 15}
    from ase.data import atomic_numbers

    assert {el: most_similar(atomic_numbers[el], known) for el in pairs} == pairs
    model = initial_student(load_student(student_path()), [11, 15, 16, 17], 0)
    assert model.atomic_numbers.tolist() == [11, 15, 16, 17]
    assert model.hole_energy_eV == 0.0  # electrons cannot be counted


def test_padding_changes_neither_loss_nor_gradients(frames, begin):
    model = fuse(load_student(begin)).train()
    batches = frame_batches(model, frames[:3])
    settings, found = FitSettings(), []
    for cutoff in (None, float(model.r_max)):
        model.zero_grad()
        batch = join(batches, cutoff)
        batch_loss(model, batch, settings, 3, len(batch["positions"])).backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        counts = torch.bincount(batch["edge_index"][1])
    assert (counts == max(widest(each) for each in batches)).all()
    for plain, padded in zip(*found, strict=True):
        torch.testing.assert_close(padded, plain, rtol=1e-3, atol=1e-5)


def test_the_weight_of_an_energy_multiplies_its_loss(frames, begin):
    model, settings = load_student(begin).train(), FitSettings(forces_weight=0, stress_weight=0)
    losses = []
    for weight in (1.0, 3.0):
        frame = frames[0].copy()
        frame.info |= {"REF_energy": frame.info["REF_energy"] + 5.0, "energy_weight": weight}
        (batch,) = frame_batches(model, [frame])
        losses.append(float(batch_loss(model, batch, settings, 1, len(frame)).detach()))
    assert losses[1] == pytest.approx(3 * losses[0])
    assert losses[0] > 0.001


def test_every_frame_is_dealt_once_and_atoms_are_balanced():
    sizes = [10, 40, 20, 30, 40, 10, 30, 20]
    steps = list(epoch_order(sizes, 4, epoch=3, seed=1, ranks=2))
    assert sorted(i for shares in steps for share in shares for i in share) == list(range(8))
    for shares in steps:
        atoms = [sum(sizes[i] for i in share) for share in shares]
        assert abs(atoms[0] - atoms[1]) <= 20
    assert steps != list(epoch_order(sizes, 4, epoch=4, seed=1, ranks=2))
    assert steps == list(epoch_order(sizes, 4, epoch=3, seed=1, ranks=2))


@pytest.mark.slow
def test_a_fit_lowers_the_error_and_two_processes_take_the_same_steps(frames, begin, tmp_path):
    one = fit(frames, begin, tmp_path / "one", FEW)
    two = fit(frames, begin, tmp_path / "two", FEW, workers=2)
    assert force_error(one, frames) < 0.6 * force_error(begin, frames)
    assert force_error(two, frames) == pytest.approx(force_error(one, frames), rel=0.02)
    assert fit(frames, begin, tmp_path / "one", FEW) == one  # finished: nothing is repeated


class Interrupted(Fit):
    """Ends in its second epoch."""

    def _step(self, shares, step):
        if step > self.steps_per_epoch:
            raise InterruptedError
        return super()._step(shares, step)


def test_an_interrupted_fit_resumes_with_the_same_weights(frames, begin, tmp_path):
    settings = FitSettings(epochs=3, batch_size=4, learning_rate=0.003)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    own = write_input(frames, begin, whole, settings)
    Fit(own, rank=0, ranks=1, device="cpu").run()
    with pytest.raises(InterruptedError):
        Interrupted(write_input(frames, begin, stopped, settings), 0, 1, "cpu").run()
    fitted = fitted_file(own)
    assert (stopped / STATE).exists()
    assert not (stopped / fitted.name).exists()
    again = fit(frames, begin, stopped, settings)
    assert "epoch 1:" not in (stopped / "fit-0.log").read_text(), "finished epochs are kept"
    expected = force_error(fitted, frames)
    # Sums in two processes differ in the last digits, which training amplifies.
    assert force_error(again, frames) == pytest.approx(expected, rel=1e-3)


def test_a_failed_process_is_reported_with_its_last_words(frames, begin, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no student")
    with pytest.raises(SimulationError, match="does not hold a vitrion student"):
        fit(frames, broken, tmp_path / "fit", FEW)
    with pytest.raises(InputError, match="no labelled frames"):
        fit([], begin, tmp_path / "none", FEW)


def test_weights_that_are_not_finite_end_a_fit(frames, begin, tmp_path):
    wrong = frames[0].copy()
    wrong.arrays["REF_forces"] = np.full((len(wrong), 3), np.nan)
    own = write_input([wrong], begin, tmp_path, FEW)
    with pytest.raises(SystemExit, match="not finite after epoch 1"):
        Fit(own, 0, 1, "cpu").run()
    assert not (tmp_path / STATE).exists()


def test_step_sizes_rise_and_fall():
    settings = FitSettings(learning_rate=0.01, last_learning_rate=0.001, warmup_steps=4)
    rates = [settings.rate(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.002)
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert rates[100] == pytest.approx(0.001)
    assert json.loads(settings.model_dump_json())["epochs"] == 20
