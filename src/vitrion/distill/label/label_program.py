"""Label frames with a teacher potential; a program for the environment of the teacher.

It needs only ASE and the teacher's package, not vitrion, because SevenNet and MACE, for example,
cannot share an environment. Frames are extended XYZ. Every labelled frame is appended and flushed;
rerun with the same arguments to resume an interrupted run.

    python label_program.py frames.xyz labelled.xyz --teacher sevennet:7net-l3i5
    python label_program.py frames.xyz labelled.xyz --teacher chgnet
    python label_program.py frames.xyz labelled.xyz --teacher mymodule:make_calculator
"""

import argparse
import fcntl
import importlib
import os
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase.io import iread, write


def load_teacher(name: str, device: str):
    """Return an ASE calculator for a name such as ``sevennet:7net-l3i5`` or ``module:factory``.

    ``vitrion:<name>`` is a potential of vitrion's registry, in an environment that has vitrion.
    """
    family, _, model = name.partition(":")
    if family == "sevennet":
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator(model, device=device)
    if family == "vitrion":
        from vitrion.potentials import load_calculator

        return load_calculator(model, device=device)
    if family == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device=device)
    if family == "mace":
        from mace.calculators import MACECalculator

        return MACECalculator(model_paths=model, device=device, default_dtype="float32")
    return getattr(importlib.import_module(family), model)()


def finished(path: Path) -> int:
    """Count the complete frames in ``path`` and remove an incomplete one."""
    if not path.exists():
        return 0
    lines = path.read_text().splitlines(keepends=True)
    position = count = 0
    while position < len(lines):
        end = position + int(lines[position]) + 2
        if end > len(lines) or not lines[end - 1].endswith("\n"):
            break
        position, count = end, count + 1
    path.write_text("".join(lines[:position]))
    return count


def label_frame(frame, calculator):
    """Return a copy with REF_energy (eV), REF_forces (eV/A) and REF_stress (eV/A3)."""
    work = frame.copy()
    work.calc = calculator
    # The stress first: one evaluation gives all three.
    stress = work.get_stress(voigt=False) if frame.cell.rank == 3 else None
    consistent = "free_energy" in calculator.implemented_properties  # CHGNet has the energy only
    energy = float(work.get_potential_energy(force_consistent=consistent))
    forces = np.array(work.get_forces())
    out = frame.copy()
    out.info["REF_energy"] = energy
    out.arrays["REF_forces"] = forces
    if stress is not None:
        out.info["REF_stress"] = np.array(stress).reshape(9)
    return out


def end_with(parent):
    """End this process soon after the process with this id, which started it."""

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Read the arguments and label."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--every", type=int, default=20, help="frames between lines of progress")
    parser.add_argument("--parent", type=int, help="process id: end soon after this process")
    options = parser.parse_args()
    if options.parent is not None:
        end_with(options.parent)
    with options.labelled.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one program at a time; a kill releases the lock
        label_missing(options)
    return 0


def label_missing(options):
    """Label the frames of the input that are missing in the output."""
    total = sum(1 for _ in iread(options.frames, index=":"))
    done = finished(options.labelled)
    if done >= total:
        print(f"{done} of {total} frames labelled", flush=True)
        return
    calculator = load_teacher(options.teacher, options.device)
    torch = sys.modules.get("torch")  # not every teacher needs it
    if torch is not None and options.device == "cpu":
        torch.set_num_threads(1)
    started, done_before = time.time(), done
    for frame in iread(options.frames, index=f"{done}:"):
        write(options.labelled, label_frame(frame, calculator), format="extxyz", append=True)
        done += 1
        if done % options.every == 0 or done == total:
            pace = (time.time() - started) / (done - done_before)
            print(f"{done} of {total} frames labelled, {pace:.2f} s per frame", flush=True)


if __name__ == "__main__":
    sys.exit(main())
