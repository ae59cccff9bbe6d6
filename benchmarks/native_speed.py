"""Speed of the native kernel beside torch, CHGNet and symmetrix-xl, each within this run, one core.

    python benchmarks/native_speed.py [--calls 24] [--only calls step work]

Prints

- calls: process time of a force call of the shipped student at 72, 216 and 1008 atoms of LiPO2F2
  glass, by every variant of the kernel that this CPU has, by torch, by CHGNet and, where the
  packages are installed, by symmetrix-xl (which takes the model only when it is padded to
  correlation 3); the minimum of calls a few in turn, the atoms moving between them, and the share
  of the limit that the speed of sgemm sets;
- step: a whole step of molecular dynamics, NVT and NPT, and the rate of two workers over one;
- work: batched relaxation, vacancies, a nudged elastic band and a search of LiPO2F2, natively and
  in torch.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from vitrion.potentials import load_calculator
from vitrion.potentials.native import kernel_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

REPEATS = {72: (1, 1, 1), 216: (3, 1, 1), 1008: (7, 2, 1)}
IN_TURN = 4
FLOP_PER_ATOM = 1.45e6
"""Of the shipped student's architecture at 38 neighbors: matrix products and sums over neighbors,
forward and reverse."""


@contextmanager
def switched(switch: str) -> Iterator[None]:
    """Set the switch of native evaluation temporarily."""
    before = os.environ.get(kernel_library.SWITCH, "")
    os.environ[kernel_library.SWITCH] = switch
    try:
        yield
    finally:
        os.environ[kernel_library.SWITCH] = before


def evaluated_by(switch: str) -> Calculator:
    """Return the default potential, evaluated natively or in torch according to the switch."""
    with switched(switch):
        return load_calculator("vitrion-lipof")


def glass(n_atoms: int) -> Atoms:
    """Return a supercell of LiPO2F2 packed from ions and partly relaxed."""
    from ase.optimize import FIRE

    from vitrion.distill.sample.packing import pack_fragments

    atoms = pack_fragments({"Li": 12, "PO2F2": 12}, 13.8, seed=1)
    atoms.calc = evaluated_by("")
    FIRE(atoms, logfile=None).run(fmax=0.5, steps=100)
    atoms.calc = None
    return atoms.repeat(REPEATS[n_atoms])


def symmetrix() -> Calculator | None:
    """Return symmetrix-xl's calculator of the student, None if the package is not installed."""
    try:
        from symmetrix import Symmetrix
    except ImportError:
        return None
    import torch

    from vitrion.potentials.student import build_model, describe_model, load_student, student_path

    student = load_student(student_path("vitrion-lipof"))
    padded = build_model(describe_model(student) | {"correlation": 3})
    weights = student.state_dict()
    for layer in range(2):
        prefix = f"products.{layer}.symmetric_contractions.contractions.0."
        weights[f"{prefix}weights.1"] = weights[f"{prefix}weights.0"]
        weights[f"{prefix}weights.0"] = weights.pop(f"{prefix}weights_max")
        weights[f"{prefix}weights_max"] = torch.zeros_like(
            padded.get_parameter(f"{prefix}weights_max")
        )
    own = padded.state_dict()
    kept = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    padded.load_state_dict(own | kept)
    padded._forward_hooks.clear()  # the constant energy of electron holes
    path = Path(tempfile.mkdtemp()) / "student.model"
    torch.save(padded, path)
    return Symmetrix(str(path))


def sgemm_gflops() -> float:
    """Return the speed of single-precision matrix products of numpy, one thread, in GFLOP/s."""
    a, b = (np.random.default_rng(k).random((1024, 1024)).astype(np.float32) for k in range(2))
    times = []
    for _ in range(12):
        begin = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - begin)
    return 2 * 1024**3 / min(times) / 1e9


def fastest(calculators: dict[str, Calculator], atoms: Atoms, calls: int) -> dict[str, float]:
    """Return the least process time of a force call in ms; a few calls in turn, as in dynamics."""
    rng = np.random.default_rng(0)
    found = dict.fromkeys(calculators, np.inf)
    for _ in range(calls // IN_TURN):
        moves = rng.normal(0, 0.01, (IN_TURN, *atoms.positions.shape))
        start = atoms.positions.copy()
        for name, calculator in calculators.items():
            atoms.positions[:] = start
            for move in moves:
                atoms.positions += move
                begin = time.process_time()
                calculator.calculate(atoms, ["energy", "forces"])
                found[name] = min(found[name], 1e3 * (time.process_time() - begin))
    return found


def report_calls(calls: int) -> None:
    """Print the table of force calls."""
    calculators = {name: evaluated_by(name) for name in kernel_library.usable_variants()}
    calculators["torch"] = evaluated_by("0")
    calculators["chgnet"] = load_calculator("chgnet")
    if (peer := symmetrix()) is not None:
        calculators["symmetrix-xl"] = peer
    gflops = sgemm_gflops()
    print(f"force call, ms (sgemm {gflops:.0f} GFLOP/s)")
    for n_atoms in REPEATS:
        atoms = glass(n_atoms)
        some = {k: c for k, c in calculators.items() if k != "chgnet" or n_atoms <= 216}
        times = fastest(some, atoms, calls if n_atoms < 1000 else calls // 3)
        own = min(times[name] for name in kernel_library.usable_variants())
        limit = 1e3 * FLOP_PER_ATOM * n_atoms / (gflops * 1e9)
        print(f"  {n_atoms} atoms: {limit / own:.0%} of the sgemm limit; least process time:")
        for name, value in times.items():
            print(f"    {name:14s}{value:10.2f} ms   1/{times['torch'] / value:.1f} of torch")
        if "chgnet" in times:
            print(f"    CHGNet takes {times['chgnet'] / own:.0f} times as long")


def step_ms(calculator: Calculator, n_steps: int, **changes: Any) -> float:
    """Return the wall time of a whole step of dynamics of 72 atoms in ms."""
    from vitrion.dynamics.engine import run_md
    from vitrion.dynamics.md_settings import MDSettings

    settings = MDSettings(
        temperature_K=600.0, timestep_fs=1.0, duration_ps=n_steps * 0.001, seed=1, **changes
    )
    with tempfile.TemporaryDirectory() as folder:
        result = run_md(glass(72), calculator, settings, folder)
    return 1e3 * result.elapsed_s / result.n_steps


def report_step() -> None:
    """Print the time of a step natively and in torch, and what a second worker gains."""
    from md_overhead import rate

    for label, changes in {"NVT": {}, "NPT": {"ensemble": "npt"}}.items():
        native = min(step_ms(evaluated_by(""), 1500, **changes) for _ in range(3))
        in_torch = min(step_ms(evaluated_by("0"), 60, **changes) for _ in range(2))
        print(
            f"step, 72 atoms, {label}: {native:.2f} ms, torch {in_torch:.1f} ms: "
            f"1/{in_torch / native:.1f}"
        )
    gains = [rate(4000, 2) / rate(4000, 1) for _ in range(3)]
    print(f"two workers over one: {np.median(gains):.2f} ({', '.join(f'{g:.2f}' for g in gains)})")


def relaxation() -> Callable[[Calculator], object]:
    """Relax 12 random crystals of LiPO2F2 together, cells free."""
    from vitrion.generation.random import RandomGenerator
    from vitrion.polymorphs.filters import overlap
    from vitrion.potentials.batch import batched
    from vitrion.relaxation.relax import RelaxSettings, relax_many

    found = RandomGenerator(formula_units=(1, 2)).generate("LiPO2F2", 30, seed=1)
    crystals = [c.structure for c in found if overlap(c.structure) is None][:12]
    return lambda calculator: relax_many(
        crystals, batched(calculator), RelaxSettings(max_steps=120)
    )


def _host() -> Structure:
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = bulk("LiF", "rocksalt", a=4.05, cubic=True).repeat((2, 2, 2))
    return AseAtomsAdaptor.get_structure(atoms)


def vacancies() -> Callable[[Calculator], object]:
    """Relax four vacancies of Li in LiF at fixed cell, together."""
    from vitrion.potentials.batch import batched
    from vitrion.relaxation.relax import RelaxSettings, relax_many

    host, cells = _host(), []
    for index in host.indices_from_symbol("Li")[:4]:
        cell = host.copy()
        cell.remove_sites([index])
        cell.perturb(0.05, seed=index)
        cells.append(cell)
    settings = RelaxSettings(max_steps=80, relax_cell=False)
    return lambda calculator: relax_many(cells, batched(calculator), settings)


def band() -> Callable[[Calculator], object]:
    """Relax five images of a vacancy's hop in LiF, 40 steps of ASE's elastic band."""
    from ase.mep import NEB
    from ase.optimize import FIRE
    from pymatgen.io.ase import AseAtomsAdaptor

    from vitrion.migration.bands import interpolate

    host = _host()
    first, second = host.indices_from_symbol("Li")[:2]
    start, end = host.copy(), host.copy()
    start.remove_sites([first])
    end[second] = ("Li", host[first].frac_coords)
    end.remove_sites([first])
    straight = interpolate(start, end, 5)

    def relax(calculator: Calculator) -> None:
        images = [AseAtomsAdaptor.get_atoms(s, msonable=False) for s in straight]
        for image in images:
            image.calc = calculator
        band = NEB(images, allow_shared_calculator=True)
        FIRE(band, logfile=None).run(fmax=0.001, steps=40)

    return relax


def search() -> Callable[[Calculator], object]:
    """Search crystals of LiPO2F2 in one small iteration; generators included."""
    from vitrion.polymorphs.search import search as find
    from vitrion.polymorphs.search_settings import SearchSettings

    def run(calculator: Calculator) -> None:
        with switched("0" if calculator.evaluation == "torch" else ""):  # type: ignore[attr-defined]
            find("LiPO2F2", SearchSettings(max_relaxations=16, stability=False), seed=3)

    return run


WORK: dict[str, Callable[[], Callable[[Calculator], object]]] = {
    "relaxation of 12 random crystals": relaxation,
    "four vacancies of LiF": vacancies,
    "elastic band of a vacancy of LiF": band,
    "search of LiPO2F2, 16 relaxations": search,
}


def report_work() -> None:
    """Print wall times of whole tasks, natively and in torch."""
    for label, prepare in WORK.items():
        work, seconds = prepare(), []
        for switch in ("", "0"):
            calculator = evaluated_by(switch)
            begin = time.perf_counter()
            work(calculator)
            seconds.append(time.perf_counter() - begin)
        print(
            f"{label}: {seconds[0]:.2f} s, torch {seconds[1]:.1f} s: "
            f"1/{seconds[1] / seconds[0]:.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=24)
    parser.add_argument("--only", nargs="+", choices=("calls", "step", "work"))
    options = parser.parse_args()
    chosen = options.only or ("calls", "step", "work")
    if "calls" in chosen:
        report_calls(options.calls)
    if "step" in chosen:
        report_step()
    if "work" in chosen:
        report_work()


if __name__ == "__main__":
    main()
