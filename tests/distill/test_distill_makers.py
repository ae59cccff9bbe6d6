"""The jobs of a distillation."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from jobflow import Maker, job, run_locally
from monty.json import MontyDecoder, MontyEncoder

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.data.frames import split, write_frames
from vitrion.distill.label.labelling import Teacher
from vitrion.distill.makers import DistillMaker, LabelMaker, TrainMaker
from vitrion.distill.sample.active import ActiveSettings
from vitrion.distill.sample.sampling import DynamicsSettings
from vitrion.distill.sample.supplement import SupplementSettings
from vitrion.distill.samplers import CollectMaker, SupplementMaker
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.training import TrainingSettings
from vitrion.errors import InputError
from vitrion.potentials import force_field
from vitrion.potentials.student import load_student, student_calculator

TEACHER = Teacher(name="vitrion.potentials.student:student_calculator")


@dataclass
class SortedStaticMaker(Maker):
    """A static calculation that sorts the sites, as a VASP input set does."""

    name: str = "sorted static"

    @job
    def make(self, structure):
        """Return energy and forces in the order of the sorted sites."""
        atoms = structure.get_sorted_structure().to_ase_atoms(msonable=False)
        atoms.calc = student_calculator()
        return {
            "output": {
                "energy": atoms.get_potential_energy(),
                "forces": atoms.get_forces().tolist(),
            }
        }


def test_static_calculations_label_like_the_potential_itself(tmp_path):
    from atomate2.forcefields.jobs import ForceFieldStaticMaker

    frames = [known_crystals()[name] for name in ("LiF", "Li2O")]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
        frame.set_cell(frame.cell.array * 0.97, scale_atoms=True)
    write_frames(tmp_path / "frames.xyz", frames)
    static = ForceFieldStaticMaker(**force_field("vitrion-lipof"))
    job = LabelMaker(static_maker=static).make(str(tmp_path))
    run_locally(job, root_dir=tmp_path, create_folders=True, ensure_success=True)
    again = LabelMaker(static_maker=static).make(str(tmp_path))
    responses = run_locally(again, root_dir=tmp_path, create_folders=True, ensure_success=True)
    assert responses.keys() == {again.uuid}  # no calculation a second time
    with pytest.raises(InputError, match="other teacher"):
        run_locally(LabelMaker(teacher=TEACHER).make(str(tmp_path)), raise_immediately=True)
    labelled = read(tmp_path / "labelled.xyz", index=":", format="extxyz")
    calculator = student_calculator()
    for frame, label in zip(frames, labelled, strict=True):
        frame.calc = calculator
        assert label.info["REF_energy"] == pytest.approx(frame.get_potential_energy(), abs=1e-3)
        np.testing.assert_allclose(label.arrays["REF_forces"], frame.get_forces(), atol=1e-3)
        stress = frame.get_stress(voigt=False)
        assert np.abs(stress).max() > 0.01  # the sign below is not the sign of nothing
        np.testing.assert_allclose(np.reshape(label.info["REF_stress"], (3, 3)), stress, atol=1e-4)


def test_forces_of_sorted_sites_are_the_forces_of_their_atoms(tmp_path):
    """VASP input sets sort sites by element."""
    frame = known_crystals()["LiF"][[4, 0, 5, 1, 6, 2, 7, 3]]
    frame.rattle(0.1, seed=0)
    write_frames(tmp_path / "frames.xyz", [frame])
    maker = LabelMaker(static_maker=SortedStaticMaker())
    run_locally(maker.make(str(tmp_path)), root_dir=tmp_path, ensure_success=True)
    [found] = read(tmp_path / "labelled.xyz", index=":", format="extxyz")
    np.testing.assert_array_equal(found.numbers, frame.numbers)
    own = student_calculator().get_forces(found)
    np.testing.assert_allclose(found.arrays["REF_forces"], own, atol=1e-3)


def test_flow_has_its_stages_and_survives_serialization(tmp_path):
    maker = DistillMaker(iterations=2, label_maker=LabelMaker(teacher=TEACHER))
    again = json.loads(json.dumps(maker, cls=MontyEncoder), cls=MontyDecoder)
    names = [job.name for job in again.make(str(tmp_path)).jobs]
    iterations = ["collect", "label", "train"] * 2
    start = ["seed frames", "label", "train", "train"]
    end = ["supplement", "label", *["train"] * len(maker.phases), "release"]
    assert names == [*start, *iterations, *end]
    assert again.phases == maker.phases
    assert again.label_maker.teacher == TEACHER
    with pytest.raises(InputError, match="negative"):
        DistillMaker(iterations=-1).make(str(tmp_path))


def test_errors_are_those_of_frames_that_no_phase_was_trained_on(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Atoms("LiF", rng.random((2, 3))) for _ in range(2000)]
    for index, frame in enumerate(frames):
        frame.info["index"] = index
    for phases in (DistillMaker().phases, ()):
        maker = DistillMaker(phases=phases)
        *trainings, final = (
            each for each in maker.make(str(tmp_path)).jobs if each.name in ("train", "release")
        )
        _, kept_out = split(frames, final.function_args[3])
        judged = {frame.info["index"] for frame in kept_out}
        assert len(judged) > 50
        for training in trainings:
            trained_on, _ = split(frames, training.maker.settings.validation_fraction)
            assert judged.isdisjoint(frame.info["index"] for frame in trained_on)


@pytest.mark.slow
def test_whole_distillation_can_be_run_again(tmp_path):
    settings = TrainingSettings(
        epochs=2, batch_size=4, validation_fraction=0.15, largest_force_eV_per_A=60
    )
    small = Architecture(channels=8, max_ell=1, correlation=1, radial_layers=(8,), cutoff_A=4.0)
    short = ActiveSettings(
        runs=2, frames_per_run=2, dynamics=DynamicsSettings(duration_ps=0.05, interval_fs=10)
    )
    few = SupplementSettings(
        glasses=({"Li": 2, "PO2F2": 2},),
        glass_families=1,
        crystal_families=0,
        polymorphs={"LiF": 1},
    )
    maker = DistillMaker(
        iterations=1,
        label_maker=LabelMaker(teacher=TEACHER),
        train_maker=TrainMaker(settings=settings, architecture=small),
        collect_maker=CollectMaker(settings=short),
        supplement_maker=SupplementMaker(settings=few),
        phases=(settings.model_copy(update={"learning_rate": 0.002}),),
    )
    results = []
    for _ in range(2):
        flow = maker.make(str(tmp_path / "out"))
        responses = run_locally(flow, ensure_success=True)
        results.append(responses[flow.output.uuid][1].output)
    assert results[0]["sha256"] == results[1]["sha256"]
    model = load_student(results[0]["path"], results[0]["sha256"])
    assert int(model.num_interactions) == small.interactions
    assert {entry["regime"] for entry in results[0]["errors"]}
