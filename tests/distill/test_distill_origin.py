"""A directory of a distillation that is used again: nothing stale is returned, nothing is lost."""

import json

import numpy as np
import pytest
from ase.build import bulk
from jobflow import run_locally

from helpers.programs_here import label_here
from vitrion.distill.data.frames import ENERGY, read_frames, read_labelled, write_frames
from vitrion.distill.data.origin import claim, digest_of_cells, digest_of_labels
from vitrion.distill.label import labelling
from vitrion.distill.label.labelling import Teacher, label
from vitrion.distill.makers import LabelMaker, TrainMaker
from vitrion.distill.samplers import SeedMaker
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.training import TrainingSettings, train
from vitrion.errors import InputError, SimulationError
from vitrion.potentials.student import file_calculator

LENNARD_JONES = Teacher(name="ase.calculators.lj:LennardJones")
MORSE = Teacher(name="ase.calculators.morse:MorsePotential")
SMALL = Architecture(channels=8, max_ell=1, correlation=1, radial_layers=(8,), cutoff_A=3.0)
SETTINGS = TrainingSettings(
    epochs=1, batch_size=2, validation_fraction=0.3, largest_force_eV_per_A=1e4
)


def run(job):
    return run_locally(job, ensure_success=True, raise_immediately=True)[job.uuid][1].output


@pytest.fixture(scope="module")
def frames():
    found = [bulk("LiF", "rocksalt", a=3.0 + 0.1 * number) for number in range(10)]
    for seed, atoms in enumerate(found):
        atoms.rattle(0.05, seed=seed)
    return found


@pytest.fixture(scope="module")
def trained(frames, tmp_path_factory):
    """A folder with labels and a student."""
    base = tmp_path_factory.mktemp("distilled")
    label(frames, LENNARD_JONES, base / "iteration-000")
    maker = TrainMaker(settings=SETTINGS, architecture=SMALL)
    labels = [{"directory": str(base / "iteration-000")}]
    return base, maker, labels, run(maker.make(str(base / "student-000"), labels))


@pytest.fixture
def labels_here(monkeypatch):
    """Label in this process: test_distill_stages starts the program."""
    monkeypatch.setattr(labelling, "run_checked", label_here)


@pytest.mark.usefixtures("labels_here")
def test_labels_of_another_teacher_are_neither_returned_nor_lost(frames, tmp_path):
    first = label(frames, LENNARD_JONES, tmp_path / "a")
    before = (tmp_path / "a" / "labelled.xyz").read_bytes()
    for teacher in (MORSE, LENNARD_JONES.model_copy(update={"device": "cuda"})):
        with pytest.raises(InputError, match=r"labelled\.xyz was made with other teacher"):
            label(frames, teacher, tmp_path / "a")
    assert (tmp_path / "a" / "labelled.xyz").read_bytes() == before
    again = label(frames, LENNARD_JONES, tmp_path / "a")
    other = label(frames, MORSE, tmp_path / "b")
    assert again[0].info[ENERGY] == first[0].info[ENERGY]
    assert abs(other[0].info[ENERGY] - first[0].info[ENERGY]) > 0.1
    assert not list(tmp_path.glob("*/frames.new.xyz"))


@pytest.mark.usefixtures("labels_here")
def test_labels_whose_teacher_is_unknown_are_refused(frames, tmp_path):
    label(frames[:1], LENNARD_JONES, tmp_path)
    (tmp_path / "labels.json").unlink()
    with pytest.raises(InputError, match=r"has no labels\.json"):
        label(frames[:1], LENNARD_JONES, tmp_path)


def test_a_teacher_that_never_labelled_claims_nothing(frames, tmp_path):
    with pytest.raises(SimulationError):
        label(frames[:1], Teacher(name="no_such_package:factory"), tmp_path)
    assert len(label(frames[:1], MORSE, tmp_path)) == 1


@pytest.mark.usefixtures("labels_here")
def test_frames_that_changed_under_their_labels_are_noticed(frames, tmp_path):
    write_frames(tmp_path / "frames.xyz", frames[:2])
    maker = LabelMaker(teacher=LENNARD_JONES)
    for _ in range(2):
        assert run(maker.make(str(tmp_path)))["frames"] == 2
    write_frames(tmp_path / "frames.xyz", frames[2:4])
    with pytest.raises(InputError, match="other frames"):
        run(maker.make(str(tmp_path)))


@pytest.mark.slow
def test_a_student_of_other_settings_or_labels_is_not_returned(frames, trained, tmp_path):
    base, maker, labels, first = trained
    folder, kept = str(base / "student-000"), base / "student-000" / "student.safetensors"
    before = kept.read_bytes()
    assert run(maker.make(folder, labels)) == first == {"student": str(kept)}
    longer = SETTINGS.model_copy(update={"epochs": 2})
    for other, what in (
        (TrainMaker(settings=longer, architecture=SMALL), "settings"),
        (TrainMaker(settings=SETTINGS), "architecture"),
    ):
        with pytest.raises(InputError, match=rf"student\.safetensors was made with other {what}:"):
            run(other.make(folder, labels))
    with pytest.raises(InputError, match="other initial weights:"):
        run(maker.make(folder, labels, str(kept)))
    label(frames, MORSE, tmp_path)
    with pytest.raises(InputError, match=r"student\.safetensors was made with other labels:"):
        run(maker.make(folder, [{"directory": str(tmp_path)}]))
    assert kept.read_bytes() == before


@pytest.mark.slow
def test_as_many_frames_with_other_labels_are_a_new_phase(trained, tmp_path):
    base, _, _, first = trained
    frames = read_labelled([base / "iteration-000" / "labelled.xyz"])
    finished = train(frames, base / "student-000", SETTINGS, SMALL)
    assert str(finished) == first["student"]
    for atoms in frames:
        atoms.info[ENERGY] += 0.5
    with pytest.raises(InputError, match="other labels:"):
        train(frames, base / "student-000", SETTINGS, SMALL)
    shifted = train(frames, tmp_path, SETTINGS, finished)
    before, after = (
        file_calculator(p).get_potential_energy(frames[0]) for p in (finished, shifted)
    )
    assert after - before == pytest.approx(0.5, abs=0.2)


def test_seeds_of_another_seed_are_kept(tmp_path):
    maker = SeedMaker(per_crystal=0, packed=2)
    run(maker.make(str(tmp_path), 1))
    before = read_frames(tmp_path / "frames.xyz")
    run(maker.make(str(tmp_path), 1))
    for job in (maker.make(str(tmp_path), 2), SeedMaker(packed=2).make(str(tmp_path), 1)):
        with pytest.raises(InputError, match=r"frames\.xyz was made with other settings"):
            run(job)
    after = read_frames(tmp_path / "frames.xyz")
    np.testing.assert_array_equal(after[0].positions, before[0].positions)


def test_record_names_what_differs_and_gives_way_where_nothing_was_made(tmp_path):
    record, result = tmp_path / "new" / "r.json", tmp_path / "result"
    claim(record, {"a": 1, "b": (2, 3)}, [result])
    claim(record, {"a": 1, "b": (2, 4)}, [result])
    result.touch()
    assert claim(record, {"a": 1, "b": (2, 4)}, [result]) == {"a": 1, "b": [2, 4]}
    with pytest.raises(InputError, match="other a and b: use another directory"):
        claim(record, {"a": 0, "b": (2, 3)}, [result])
    assert json.loads(record.read_text()) == {"a": 1, "b": [2, 4]}


def test_digests_see_every_change(frames):
    atoms = frames[0]
    names, moved, labelled = {"x": atoms}, atoms.copy(), atoms.copy()
    moved.positions[0, 0] += 1e-3
    labelled.info[ENERGY] = 1.0
    assert digest_of_cells(names) == digest_of_cells({"x": atoms.copy()})
    digests = {digest_of_cells(cells) for cells in (names, {"x": moved}, {"y": atoms}, {})}
    assert len(digests) == 4
    assert len({digest_of_labels([a]) for a in (atoms, moved, labelled)}) == 3
