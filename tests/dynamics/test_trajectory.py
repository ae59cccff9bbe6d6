import io
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms

from helpers.trajectory_checks import assert_same_frames
from vitrion.dynamics import journal
from vitrion.dynamics.journal import JournaledFile, journal_path
from vitrion.dynamics.trajectory import Frame, Trajectory, TrajectoryWriter
from vitrion.errors import InputError

N_ATOMS = 5


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "md.vtraj.h5"


def write(path, n_frames, first=0, flush_every=7, writer=None, **kwargs):
    """Append frames that tell their number."""
    writer = writer or TrajectoryWriter.create(
        path,
        np.full(N_ATOMS, 18),
        np.full(N_ATOMS, 39.9),
        timestep_fs=2.0,
        frame_interval_fs=50.0,
        metadata={"why": "test"},
        **kwargs,
    )
    for index in range(first, first + n_frames):
        writer.append(frame(index, kwargs.get("with_forces", False)))
        if index % flush_every == 0:
            writer.flush()
    writer.flush()
    return writer


def frame(index, with_forces=False):
    positions = np.random.default_rng(index).normal(0, 30, (N_ATOMS, 3))
    return Frame(
        25 * index,
        positions,
        np.eye(3) * (10 + index),
        -index,
        300.0,
        np.nan,
        1.0,
        positions / 7 if with_forces else None,
    )


def test_what_was_written_is_read(path):
    write(path, 100, with_forces=True)
    with Trajectory(path) as run:
        assert (run.n_frames, run.n_atoms, len(run)) == (100, N_ATOMS, 100)
        assert run.symbols == ("Ar",) * N_ATOMS
        assert (run.timestep_fs, run.frame_interval_fs) == (2.0, 50.0)
        assert run.metadata == {"why": "test"}
        expected = np.array([frame(index).positions for index in range(20, 90, 3)])
        found = run.positions(slice(20, 90, 3))
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)
        np.testing.assert_allclose(run.forces(slice(20, 90, 3)), expected / 7, rtol=1e-6)
        np.testing.assert_allclose(run.times_ps(), np.arange(100) * 0.05, rtol=1e-15)
        np.testing.assert_array_equal(run.energies(slice(-2, None)), [-98, -99])
        assert run.cells(slice(0, 1)).shape == (1, 3, 3)
        assert np.isnan(run.pressures()).all()


def test_structures_are_wrapped_and_atoms_are_not(path):
    write(path, 3)
    with Trajectory(path) as run:
        structure = run.structure(-1)
        assert structure.frac_coords.min() >= 0
        assert structure.frac_coords.max() <= 1
        assert structure.lattice.a == 12
        assert "velocities" not in structure.site_properties
        atoms = list(run.to_ase(slice(1, None)))
        assert len(atoms) == 2
        assert isinstance(atoms[0], Atoms)
        np.testing.assert_array_equal(atoms[-1].positions, run.positions()[-1])
        assert atoms[-1].get_potential_energy() == -2
        assert run.forces() is None


def test_a_slab_is_not_wrapped_along_its_normal(path):
    write(path, 3, pbc=(True, True, False))
    with Trajectory(path) as run:
        structure, atoms = run.structure(-1), next(run.to_ase(slice(-1, None)))
        np.testing.assert_allclose(structure.cart_coords[:, 2], run.positions()[-1, :, 2])
    assert structure.lattice.pbc == (True, True, False)
    assert structure.frac_coords[:, :2].min() >= 0
    assert structure.frac_coords[:, 2].min() < 0  # the frame has atoms below the cell
    np.testing.assert_array_equal(atoms.pbc, structure.lattice.pbc)


def test_many_small_appends_do_not_swell_the_file(path, tmp_path):
    write(path, 300, flush_every=2)
    at_once = tmp_path / "once.vtraj.h5"
    write(at_once, 300, flush_every=1000)
    assert path.stat().st_size < 1.5 * at_once.stat().st_size


def test_truncated_and_continued_equals_unbroken(path, tmp_path):
    writer = write(path, 60)
    writer.truncate(31)
    write(path, 29, first=31, writer=TrajectoryWriter(path))
    unbroken = tmp_path / "unbroken.vtraj.h5"
    write(unbroken, 60)
    assert_same_frames(path, unbroken)
    with pytest.raises(InputError, match="fewer than the 61 frames"):
        writer.truncate(61)


def test_files_that_are_not_trajectories_are_refused(path):
    with pytest.raises(InputError, match="does not exist"):
        Trajectory(path)
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="not a readable trajectory"):
        Trajectory(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="not a trajectory"):
        Trajectory(path)


def test_random_edits_of_a_journaled_file_match_a_file_in_memory(tmp_path):
    rng = np.random.default_rng(3)
    path, mirror = tmp_path / "file", io.BytesIO()
    for _ in range(20):
        with JournaledFile(path, writable=True) as file:
            for _ in range(10):
                position = int(rng.integers(0, 30_000))
                data = rng.bytes(int(rng.integers(1, 9000)))
                for target in (file, mirror):
                    target.seek(min(position, len(mirror.getvalue())))
                    target.write(data)
            file.seek(100)
            assert file.read(5000) == mirror.getvalue()[100:5100]
            file.commit()
        assert path.read_bytes() == mirror.getvalue()
    with JournaledFile(path, writable=True) as file:
        file.write(b"not committed")
    assert path.read_bytes() == mirror.getvalue()


def test_a_kill_at_any_system_call_leaves_all_or_nothing(path, monkeypatch):
    """Die before each step of a commit in turn; the file opens before and after its repair."""
    calls_of_a_commit = 0
    for fatal in range(100):
        write(path, 10)
        with monkeypatch.context() as patch:
            counter = dying_after(fatal, patch)
            writer = TrajectoryWriter(path)
            for index in range(10, 40):
                writer.append(frame(index))
            try:
                writer.flush()
            except Killed:
                pass
            else:
                calls_of_a_commit = counter["calls"]
                break
        with Trajectory(path) as run:
            assert run.n_frames in (10, 40)
            seen = run.n_frames
            expected = [frame(index).positions for index in range(seen)]
            np.testing.assert_allclose(run.positions(), expected, rtol=0, atol=5e-7)
        assert TrajectoryWriter(path).n_frames == seen
        assert not journal_path(path).exists()
    assert calls_of_a_commit > 10


def test_a_journal_that_outlives_its_commit_changes_nothing(path, tmp_path):
    """After a power failure the removal of a journal may be undone: it is applied once more."""
    writer, journal = write(path, 10), journal_path(path)
    kept = tmp_path / "kept"
    with pytest.MonkeyPatch.context() as patch:
        unlink = Path.unlink
        patch.setattr(
            Path,
            "unlink",
            lambda one, **kwargs: one.replace(kept) if one == journal else unlink(one, **kwargs),
        )
        write(path, 30, first=10, flush_every=1000, writer=writer)
    before = path.read_bytes()
    kept.replace(journal)
    assert TrajectoryWriter(path).n_frames == 40
    assert path.read_bytes() == before
    assert not journal.exists()
    write(path, 20, first=40, writer=writer)
    unbroken = tmp_path / "unbroken.vtraj.h5"
    write(unbroken, 60)
    assert_same_frames(path, unbroken)


def dying_after(fatal, patch):
    """Let the process end just before its system call number ``fatal`` that changes a disk."""
    counter = {"calls": 0}

    def guarded(function):
        def call(*args, **kwargs):
            if counter["calls"] >= fatal:
                raise Killed
            counter["calls"] += 1
            return function(*args, **kwargs)

        return call

    class GuardedFile(io.FileIO):
        write = guarded(io.FileIO.write)
        truncate = guarded(io.FileIO.truncate)

    original_open = Path.open

    def open_file(self, mode="r", *args, **kwargs):
        if mode in ("wb", "rb+"):
            return GuardedFile(self, mode)
        return original_open(self, mode, *args, **kwargs)

    patch.setattr(Path, "open", open_file)
    patch.setattr(Path, "replace", guarded(Path.replace))
    patch.setattr(Path, "unlink", guarded(Path.unlink))
    patch.setattr(journal.os, "fsync", guarded(os.fsync))
    return counter
