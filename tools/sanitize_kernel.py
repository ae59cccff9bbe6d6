"""Run the native kernel under the address and undefined-behavior sanitizers.

    python tools/sanitize_kernel.py [g++|clang++]

Tables of small random models are extracted with torch; a second process, in which the sanitizers'
runtime is loaded first, evaluates them in cells of many shapes with every variant this CPU has. The
exit status is not 0 if a sanitizer reports anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "src" / "vitrion" / "potentials" / "native"
FLAGS = "-std=c++17 -O1 -g -fPIC -shared -fno-omit-frame-pointer -fsanitize=address,undefined"
VARIANTS = {
    "portable": "-DVITRION_LANES=4",
    "avx2": "-DVITRION_LANES=8 -mavx2 -mfma",
    "avx512": "-DVITRION_LANES=16 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl",
}
MODELS = [
    {"channels": 20, "max_ell": 1, "num_interactions": 3},
    {"channels": 16, "max_ell": 2, "correlation": 3, "num_interactions": 1},
    {"channels": 33, "max_ell": 3, "correlation": 2},
    {"channels": 8, "max_ell": 3, "correlation": 3, "pair_repulsion": False},
]


def main() -> int:
    """Build, extract, evaluate; return the exit status of the evaluation."""
    compiler = sys.argv[1] if len(sys.argv) > 1 else "g++"
    with tempfile.TemporaryDirectory() as folder:
        sources = [str(path) for path in sorted((NATIVE / "kernel").glob("*.cpp"))]
        for variant, flags in VARIANTS.items():
            target = str(Path(folder, f"_kernel_{variant}.so"))
            command = [compiler, *FLAGS.split(), *flags.split(), *sources, "-o", target]
            if compiler.startswith("clang"):
                command.append("-shared-libasan")
            subprocess.run(command, check=True)
        _extract(Path(folder))
        runtime = "libclang_rt.asan-x86_64.so" if compiler.startswith("clang") else "libasan.so"
        found = subprocess.run(
            [compiler, f"-print-file-name={runtime}"], check=True, capture_output=True, text=True
        )
        environment = os.environ | {
            "LD_PRELOAD": found.stdout.strip(),
            # Python and numpy keep memory until they end.
            "ASAN_OPTIONS": "detect_leaks=0",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        }
        command = [sys.executable, __file__, "--evaluate", folder]
        return subprocess.run(command, env=environment, check=False).returncode


def _extract(folder: Path) -> None:
    from vitrion.potentials.native import extract
    from vitrion.potentials.native.table_source import write_tables

    sys.path.insert(0, str(ROOT / "tests"))
    from helpers.native_models import random_model

    for k, changes in enumerate(MODELS):
        model = random_model(**changes)
        tables = extract(model, [int(z) for z in model.atomic_numbers])
        write_tables(tables, folder / f"model-{k}.npz")


def _evaluate(folder: Path) -> None:
    """Evaluate all models in all kinds of cells, those that are refused included."""
    import numpy as np
    from ase import Atoms

    from vitrion.potentials.native import NativeModel, Workspace, kernel_library
    from vitrion.potentials.native.table_source import read_tables

    kernel_library.library_path = lambda variant: folder / f"_kernel_{variant}.so"
    rng = np.random.default_rng(0)
    systems = []
    for n, pbc in ((1, True), (2, True), (7, (1, 1, 0)), (20, True), (30, False), (400, True)):
        cell = (np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3))) * (14.0 * n) ** (1 / 3)
        atoms = Atoms(rng.choice([3, 8, 15], n), cell=cell, pbc=pbc)
        atoms.set_scaled_positions(rng.random((n, 3)))
        systems.append(atoms)
    # Points on a lattice: far enough apart, more than the brute-force search takes.
    lattice = Atoms("LiO", [[0, 0, 0], [2, 0, 0]], cell=[4, 2, 2], pbc=True).repeat((3, 6, 6))
    lattice.positions += 13.0 * rng.integers(-2, 3, (len(lattice), 1))
    opened = Atoms(lattice.numbers, lattice.positions)
    broken = Atoms("LiO", [[0, 0, 0], [np.nan, 0, 2]], cell=[3, 3, 3], pbc=True)
    systems += [lattice, opened, broken, Atoms("O"), Atoms("LiO", [[0, 0, 0], [0, 0, 2]])]
    for variant in kernel_library.usable_variants():
        for path in sorted(folder.glob("*.npz")):
            model = NativeModel(read_tables(path), variant)
            workspace = Workspace(model.library)
            for _ in range(2):
                found = workspace.evaluate(model, systems, virials=True, features=True)
                assert found.status[-1] == 0
                assert np.isfinite(found.forces[-2:]).all()
                for atoms in systems:
                    atoms.positions += 0.05
            workspace.evaluate(model, systems, forces=False, skin=0.0)
        print(f"{variant}: nothing reported", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--evaluate"]:
        _evaluate(Path(sys.argv[2]))
    else:
        sys.exit(main())
