"""Dynamics with a teacher, as a program of its environment."""

import sys

from ase.build import bulk
from ase.io import read, write

import teacher_dynamics


def test_a_run_writes_frames_of_the_requested_length(tmp_path, monkeypatch):
    start, frames = tmp_path / "start.xyz", tmp_path / "frames.xyz"
    write(start, bulk("LiF", "rocksalt", a=4.03, cubic=True), format="extxyz")
    options = "--teacher vitrion:vitrion-lipof --wait 0.01 --length 0.02".split()
    monkeypatch.setattr(sys, "argv", ["teacher_dynamics.py", str(start), str(frames), *options])
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert teacher_dynamics.main() == 0
    found = read(frames, index=":")
    assert [len(atoms) for atoms in found] == [8, 8]
    assert abs(found[1].positions - found[0].positions).max() > 0.001
