"""The score net: symmetries, training, files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from vitrion.errors import InputError, PotentialError
from vitrion.generation.diffusion.crystal_batch import make_batch, pad
from vitrion.generation.diffusion.net import NetConfig, ScoreNet, element_descriptors
from vitrion.generation.diffusion.noise import NoiseSchedule
from vitrion.generation.diffusion.sampler import SamplerSettings, Task, batches_of, sample
from vitrion.generation.diffusion.space_groups import SiteSymmetry
from vitrion.generation.diffusion.train import Trainer
from vitrion.generation.diffusion.train_settings import TrainSettings
from vitrion.generation.diffusion.training_crystals import (
    draw_formulas,
    prepare_training_set,
    split_by_formula,
)
from vitrion.generation.diffusion.weights import load_weights

SMALL = NetConfig(channels=16, layers=2, neighbors=12, radial=8)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = ScoreNet(SMALL)
    net.descriptors.copy_(element_descriptors())
    return net.eval()


def score(net, numbers, lattice, fractional, sigma):
    batch = make_batch([numbers], [lattice], net.config.cutoff_A)
    with torch.no_grad():
        out = net(batch, pad([fractional], len(numbers)), torch.full((1, len(numbers)), sigma))
    return out[0].numpy() * 100  # an untrained net whispers


@pytest.fixture(scope="module")
def crystal():
    rng = np.random.default_rng(3)
    lattice = Lattice.from_parameters(4.1, 5.0, 6.2, 80, 95, 107).matrix
    return np.array([3, 15, 8, 8, 9]), lattice, rng.random((5, 3))


def test_turns_and_mirrors_with_the_crystal(net, crystal):
    numbers, lattice, fractional = crystal
    plain = score(net, numbers, lattice, fractional, 0.4)
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix() @ np.diag([1, 1, -1])
    turned = score(net, numbers, lattice @ turn, fractional, 0.4)
    np.testing.assert_allclose(turned, plain @ turn, atol=1e-3 * np.abs(plain).max() + 1e-6)
    assert np.abs(plain).max() > 1e-3


def test_origin_order_and_cell_do_not_matter(net, crystal):
    numbers, lattice, fractional = crystal
    plain = score(net, numbers, lattice, fractional, 0.4)
    moved = np.mod(fractional + np.array([0.2, 0.7, 0.1]), 1)
    shifted = score(net, numbers, lattice, moved, 0.4)
    np.testing.assert_allclose(shifted, plain, atol=1e-3)
    order = [4, 2, 0, 1, 3]
    np.testing.assert_allclose(
        score(net, numbers[order], lattice, fractional[order], 0.4), plain[order], atol=1e-3
    )
    change = np.array([[1, 2, 0], [0, 1, -1], [0, 0, 1]])  # the same lattice, other vectors
    other = fractional @ np.linalg.inv(change)
    np.testing.assert_allclose(score(net, numbers, change @ lattice, other, 0.4), plain, atol=1e-3)
    structure = Structure(lattice, numbers, fractional).make_supercell([2, 1, 1], in_place=False)
    doubled = score(
        net, structure.atomic_numbers, structure.lattice.matrix, structure.frac_coords, 0.4
    )
    np.testing.assert_allclose(doubled[::2], plain, atol=1e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small net that has learned three salts."""
    salts = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [c, x], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for c, x, a in (("Li", "F", 4.03), ("Na", "Cl", 5.64), ("Mg", "O", 4.21))
    ]
    crystals = prepare_training_set(salts * 40)
    out = tmp_path_factory.mktemp("net") / "net.safetensors"
    settings = TrainSettings(
        passes=150, held_out=0, atoms_per_batch=80, learning_rate=3e-3, checkpoint_minutes=1e9
    )
    trainer = Trainer(crystals, out, settings, net_config=SMALL, name="salts")
    for _ in range(60):
        for chosen in trainer._epoch():
            trainer._train_step(chosen)
    trainer._save()
    return trainer, out


def test_learns_and_samples_rock_salt(trained):
    trainer, out = trained
    assert np.mean(trainer.losses[-40:]) < 0.6 * np.mean(trainer.losses[:20])
    net, card = load_weights(out)
    assert card.elements["Li"] == 40
    lattice = Lattice.cubic(4.03).matrix
    primitive = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) @ lattice
    tasks = [Task(np.array([3, 9]), primitive, seed) for seed in range(16)]
    found = sample(net, tasks, NoiseSchedule(), SamplerSettings(levels=60))
    bonds = [Structure(primitive, [3, 9], f).get_distance(0, 1) for f in found]
    at_random = 1.45  # mean over the cell of the distance to the nearest F
    assert np.median(np.abs(np.array(bonds) - 2.015)) < 0.25 < 2.015 - at_random


def test_a_host_stays_and_the_seed_decides(trained):
    net, _ = load_weights(trained[1])
    lattice = Lattice.cubic(4.03).matrix
    host = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], dtype=float)
    numbers = np.array([9] * 4 + [3] * 4)
    tasks = [Task(numbers, lattice, seed, host) for seed in (5, 6)]
    settings = {
        "conditioned": SamplerSettings(levels=20),
        "repaint": SamplerSettings(levels=20, mode="repaint", jump_length=5, resamples=2),
    }
    for mode, chosen in settings.items():
        first, second = sample(net, tasks, NoiseSchedule(), chosen)
        np.testing.assert_allclose(first[:4], host, atol=1e-6, err_msg=mode)
        assert np.abs(first[4:] - second[4:]).max() > 1e-2
        alone = sample(net, tasks[:1], NoiseSchedule(), chosen)[0]
        np.testing.assert_allclose(alone, first, atol=2e-3)


def wurtzite():
    return Structure.from_spacegroup(
        "P6_3mc",
        Lattice.hexagonal(3.1, 5.0),
        ["Li", "F"],
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]],
    )


def test_symmetric_noise_moves_sites_only_where_they_may_and_as_far_as_others():
    symmetry = SiteSymmetry.of(wurtzite())
    noise = np.random.default_rng(0).normal(size=(4000, 12)) @ symmetry.projection.T
    noise = noise.reshape(4000, 4, 3) * symmetry.spread[:, None]
    np.testing.assert_allclose(noise[..., :2], 0, atol=1e-6)  # on a threefold axis
    np.testing.assert_allclose(noise[..., 2].std(0), 1.0, atol=0.05)
    np.testing.assert_allclose(noise[:, 0], noise[:, 1], atol=1e-6)  # the two Li are one site


def test_a_sample_keeps_the_space_group_of_its_start(trained):
    net, _ = load_weights(trained[1])
    start = wurtzite()
    symmetry = SiteSymmetry.of(start)
    numbers, cell = np.array(start.atomic_numbers), start.lattice.matrix
    tasks = [Task(numbers, cell, s, start=start.frac_coords, symmetry=symmetry) for s in (1, 2)]
    tasks.append(Task(numbers, cell, 3))
    found = sample(net, tasks, NoiseSchedule(), SamplerSettings(levels=20))
    groups = [Structure(cell, numbers, f).get_space_group_info(0.02)[1] for f in found]
    assert set(groups[:2]) <= {186, 194}  # or that of the special case halfway
    assert groups[2] < 186
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_repaint_jumps_by_the_square_root_of_the_step(trained, monkeypatch):
    """After a jump back the noise has the variance of the upper level, not another."""
    from vitrion.generation.diffusion import sampler

    net, _ = load_weights(trained[1])
    task = Task(np.array([9, 3]), np.eye(3) * 40.0, 0, np.array([[0.5, 0.5, 0.5]]))
    run = sampler._Run(
        net, [task], NoiseSchedule(), SamplerSettings(levels=4, mode="repaint", jump_length=4)
    )
    shifts = []
    monkeypatch.setattr(run, "descend", lambda *a, **k: None)
    monkeypatch.setattr(run, "_shift", lambda move: shifts.append(move))
    monkeypatch.setattr(run, "_noise", lambda: torch.ones((1, 2, 3)))
    run.repaint()
    upper, lower = run.sigmas[0], run.sigmas[4]
    assert lower == 0.0
    torch.testing.assert_close(shifts[0], torch.full((1, 2, 3), (upper**2 - lower**2) ** 0.5))


def test_a_killed_run_resumes(trained, tmp_path):
    trainer, _ = trained
    settings = TrainSettings(wall_minutes=0.0, held_out=0, atoms_per_batch=80)
    first = Trainer(trainer.train_set, tmp_path / "n.safetensors", settings, net_config=SMALL)
    first._train_step(trainer.train_set[:20])
    first._save()
    second = Trainer(trainer.train_set, tmp_path / "n.safetensors", settings, net_config=SMALL)
    second.run()
    assert second.step == 1
    for key, value in first.net.state_dict().items():
        torch.testing.assert_close(second.net.state_dict()[key], value)
    assert load_weights(tmp_path / "n.safetensors")[1].epochs == first.epochs


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("training set", {"crystals": slice(1, None)}),
        ("settings", {"learning_rate": 1e-4}),
        ("held-out formulas", {"hold_out": ["MgO"]}),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(trained, tmp_path, what, change):
    crystals = trained[0].train_set[:4]
    out = tmp_path / "n.safetensors"
    Trainer(crystals, out, TrainSettings(wall_minutes=0.0, held_out=0), net_config=SMALL).run()
    written = out.read_bytes()
    rate = change.get("learning_rate", 1e-3)
    other = Trainer(
        crystals[change.get("crystals", slice(None))],
        out,
        TrainSettings(wall_minutes=1.0, held_out=0, learning_rate=rate),
        net_config=SMALL,
        hold_out=change.get("hold_out", ()),
    )
    with pytest.raises(InputError, match=rf"belongs to a run with a different {what}: remove it"):
        other.run()
    assert out.read_bytes() == written


def test_alloys_alone_are_trained_on_or_refused(tmp_path):
    alloy = Structure(Lattice.cubic(2.9), ["Ni", "Al"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    crystals, out = prepare_training_set([alloy]), tmp_path / "n.safetensors"
    trainer = Trainer(crystals, out, TrainSettings(passes=3, seed=2), net_config=SMALL)
    trainer.run()
    assert trainer.epochs == pytest.approx(3)
    assert trainer.step == 3  # a pass that draws nothing does not count
    for refused in (TrainSettings(intermetallic_fraction=0.0), TrainSettings(held_out=1.0)):
        with pytest.raises(InputError, match="training set is empty"):
            Trainer(crystals, out, refused, net_config=SMALL)


def test_what_a_start_held_out_stays_held_out(trained, tmp_path):
    trainer, out = trained
    net, card = load_weights(out)
    start = net, card.model_copy(update={"held_out": ["NaCl"]})
    settings = TrainSettings(passes=1, held_out=0.9, atoms_per_batch=80)
    second = Trainer(
        trainer.train_set, tmp_path / "n.safetensors", settings, start=start, hold_out=["MgO"]
    )
    assert {c.formula for c in second.train_set} == {"LiF"}
    second.run()
    card = load_weights(tmp_path / "n.safetensors")[1]
    assert card.held_out == ["MgO", "NaCl"]
    assert card.epochs == pytest.approx(trainer.epochs + 1, abs=0.1)


def test_held_out_formulas_and_excluded_ones_are_not_seen():
    salts = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [c, x], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for c, x, a in (("Li", "F", 4.03), ("Na", "Cl", 5.64), ("Mg", "O", 4.21), ("K", "Br", 6.6))
    ]
    crystals = prepare_training_set(salts * 2, exclude=["NaCl"])
    assert {c.formula for c in crystals} == {"LiF", "MgO", "KBr"}
    assert {len(c.numbers) for c in crystals} == {2}
    hidden = draw_formulas(crystals, 0.34, seed=0)
    train, test = split_by_formula(crystals, hidden)
    assert len(hidden) == 1
    assert {c.formula for c in test} == hidden
    assert {c.formula for c in train} == {"LiF", "MgO", "KBr"} - hidden
    with pytest.raises(InputError, match="training set is empty"):
        prepare_training_set(salts, most_atoms=1)


def test_files_that_are_not_the_ones_expected(trained, tmp_path):
    with pytest.raises(PotentialError, match="SHA-256"):
        load_weights(trained[1], sha256="0" * 64)
    with pytest.raises(InputError, match="no score net"):
        load_weights(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(InputError, match="not a score net"):
        load_weights(tmp_path / "bad.safetensors")


def test_batches_hold_every_task_once_and_stay_small():
    tasks = [Task(np.ones(n, dtype=int), np.eye(3), 0) for n in (30, 4, 6, 30, 12)]
    batches = batches_of(tasks, most_atoms=40)
    assert sorted(i for batch in batches for i in batch) == [0, 1, 2, 3, 4]
    assert all(len(b) * max(len(tasks[i].numbers) for i in b) <= 40 for b in batches)


def test_sampler_settings_are_checked():
    with pytest.raises(InputError):
        SamplerSettings(levels=1)
    with pytest.raises(InputError):
        SamplerSettings(signal_to_noise=0)
