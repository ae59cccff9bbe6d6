"""Stability of a crystal: phonons, and a short run at room temperature."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.geometry import face_distances
from vitrion.dynamics.md_settings import HYDROGEN_TIMESTEP_FS
from vitrion.polymorphs.describe import coordination
from vitrion.polymorphs.document import Stability

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from vitrion.potentials.spec import PotentialSpec

SHORTEST_SIDE_A = 7.5
"""Minimum length of the sides of the supercell in A."""
TIMESTEP_FS = 2.0
FRICTION_PER_FS = 0.01
LOOKS = 8
SINGLE_PRECISION = frozenset({"chgnet"})
"""Backends that always compute in float32."""


def stability(
    structure: Structure,
    potential: str | PotentialSpec | None = None,
    *,
    device: str | None = None,
    temperature_K: float = 300.0,
    duration_ps: float = 4.0,
    seed: int = 0,
) -> Stability:
    """Compute the phonons of a relaxed crystal, and its coordination in a short run.

    Phonons by finite displacements at the wave vectors that fit into the supercell, and Langevin
    dynamics of that supercell at constant volume, in steps of 2 fs, or 1 fs with hydrogen.
    Residual forces of the relaxation cause imaginary modes: relax to 0.002 eV/A first. Phonons are
    computed in double precision if the potential supports it.

    Parameters
    ----------
    structure : Structure
        Relaxed with the potential.
    potential : str or PotentialSpec, optional
    device : str, optional
        Torch device.
    temperature_K, duration_ps : float
        Temperature in K and duration in ps of the run.
    seed : int
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    from vitrion.potentials import get_potential, load_calculator

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    sides = face_distances(atoms.cell.array)
    repeat = [max(1, int(np.ceil(SHORTEST_SIDE_A / side))) for side in sides]
    spec = get_potential(potential)
    precise = "float32" if spec.backend in SINGLE_PRECISION else "float64"
    calculator = load_calculator(spec, device=device, dtype=precise)
    frequencies = _phonons_per_cm(atoms, calculator, repeat)
    hot = atoms.repeat(repeat)
    hot.calc = load_calculator(spec, device=device)
    return Stability(
        supercell=repeat,
        n_atoms=len(hot),
        lowest_phonon_per_cm=float(frequencies.min()),
        highest_phonon_per_cm=float(frequencies.max()),
        temperature_K=temperature_K,
        duration_ps=duration_ps,
        coordination_before=coordination(structure),
        coordination_during=_run(hot, temperature_K, duration_ps, seed),
    )


def _phonons_per_cm(atoms: Atoms, calculator: Any, repeat: list[int]) -> np.ndarray:
    """Return frequencies ``(q, 3n)``; imaginary ones are negative."""
    from ase import units
    from ase.phonons import Phonons

    with tempfile.TemporaryDirectory() as folder:
        phonons = Phonons(atoms, calculator, supercell=repeat, delta=0.01, name=f"{folder}/moved")
        phonons.run()
        phonons.read(acoustic=True)
    grid = np.stack(np.meshgrid(*[np.arange(n) / n for n in repeat], indexing="ij"), -1)
    return np.array(phonons.band_structure(grid.reshape(-1, 3), verbose=False)) / units.invcm


def _run(
    atoms: Atoms, temperature_K: float, duration_ps: float, seed: int
) -> list[dict[str, dict[str, float]]]:
    """Return the coordination at several times of a run; light atoms shorten its time step."""
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from pymatgen.io.ase import AseAtomsAdaptor

    rng = np.random.default_rng(seed)
    # Half of this goes into the potential energy at once.
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature_K, rng=rng)
    step_fs = HYDROGEN_TIMESTEP_FS if "H" in atoms.symbols else TIMESTEP_FS
    friction = FRICTION_PER_FS / units.fs
    dynamics = Langevin(
        atoms, step_fs * units.fs, temperature_K=temperature_K, friction=friction, rng=rng
    )
    seen = []
    for _ in range(LOOKS):
        dynamics.run(max(1, round(duration_ps * 1000 / step_fs / LOOKS)))
        seen.append(coordination(AseAtomsAdaptor.get_structure(atoms)))
    return seen
