"""Run packmol (Martinez et al., J. Comput. Chem. 30, 2157 (2009)) in a periodic cube."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.elements import bonds_covalently
from vitrion.errors import InputError, SimulationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.chemistry.ions import Ion

TIMEOUT_S = 120
MAX_LOOPS = 20
"""Packmol's default is 50 per kind of molecule; a cell that can be packed needs a few loops."""

NO_PACKING_FOUND = 173
"""Packmol's exit status if it finished without a packing that satisfies all contacts."""


def find_packmol() -> str:
    """Return the packmol executable of this Python environment, otherwise from PATH.

    Raises
    ------
    InputError
        If packmol is not installed.
    """
    beside_python = shutil.which("packmol", path=str(Path(sys.executable).parent))
    program = beside_python or shutil.which("packmol")
    if program is None:
        raise InputError("Packmol is not installed: run 'pip install packmol'.")
    return program


def contact_radius(symbol: str) -> float:
    """Return the packing radius of an atom in A; atoms of two ions stay the sum of radii apart.

    Three quarters of the van der Waals radius for elements that form molecules (O-O 2.3 A, P-O
    2.5 A: beyond any covalent bond), 0.45 of it for the cations of metals (Li-O 2.0 A).
    """
    from pymatgen.core import Element

    van_der_waals = float(Element(symbol).van_der_waals_radius or 2.0)
    return (0.75 if bonds_covalently(symbol) else 0.45) * van_der_waals


def run_packmol(
    ions: Sequence[tuple[Ion, int]],
    side_A: float,
    *,
    scale: float,
    seed: int,
) -> NDArray[np.float64] | None:
    """Pack ions at random into a periodic cube.

    Parameters
    ----------
    ions : sequence of (Ion, int)
        Ions and their numbers.
    side_A : float
        Edge of the cube.
    scale : float
        Factor on the contact radii.
    seed : int

    Returns
    -------
    ndarray, shape (n_atoms, 3), or None
        Cartesian positions in A, ion by ion in the order given; None if packmol finds no packing.

    Raises
    ------
    SimulationError
        If packmol itself fails.
    """
    program = find_packmol()
    with tempfile.TemporaryDirectory(prefix="packmol-") as folder:
        request = Path(folder, "packmol.inp")
        request.write_text(_input_text(ions, side_A, scale, seed, Path(folder)))
        try:
            with request.open() as stdin:  # packmol rewinds its input: a pipe does not work
                run = subprocess.run(
                    [program],
                    stdin=stdin,
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT_S,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            return None
        if run.returncode == NO_PACKING_FOUND:
            return None
        if run.returncode != 0:
            raise SimulationError(f"Packmol failed: {(run.stderr or run.stdout).strip()[-300:]}")
        return np.loadtxt(Path(folder, "packed.xyz"), skiprows=2, usecols=(1, 2, 3), ndmin=2)


def _input_text(
    ions: Sequence[tuple[Ion, int]], side: float, scale: float, seed: int, folder: Path
) -> str:
    lines = [
        f"tolerance {2 * scale:.4f}",
        "filetype xyz",
        f"nloop {MAX_LOOPS}",
        "output packed.xyz",
        f"seed {1 + seed % (2**31 - 2)}",
        f"pbc {side:.8f} {side:.8f} {side:.8f}",
    ]
    for k, (ion, number) in enumerate(ions):
        rows = (
            f"{s} {x:.10f} {y:.10f} {z:.10f}"
            for s, (x, y, z) in zip(ion.symbols, ion.positions, strict=True)
        )
        (folder / f"ion{k}.xyz").write_text("\n".join([str(len(ion)), ion.formula, *rows, ""]))
        lines += [f"structure ion{k}.xyz", f"number {number}"]
        for i, symbol in enumerate(ion.symbols, start=1):
            lines += [f"atoms {i}", f"radius {scale * contact_radius(symbol):.4f}", "end atoms"]
        lines.append("end structure")
    return "\n".join([*lines, ""])
