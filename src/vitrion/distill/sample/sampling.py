"""Sample training frames: strained and rattled crystals, packed ions, short dynamics."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import get_distances
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from matscipy.neighbours import neighbour_list
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vitrion.chemistry.charges import default_mobile_species
from vitrion.distill.sample.langevin_run import LangevinRun
from vitrion.distill.sample.packing import fragment, pack_fragments
from vitrion.errors import InputError
from vitrion.relaxation.relax import RelaxSettings, relax_atoms

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

# Atoms closer than this (A) mean that the potential has failed.
_COLLAPSED_A = 0.75
_LABELLED_A = 0.5
_CHECK_STEPS = 5
_BEFORE_FAILURE = 4


class Mixture(BaseModel):
    """One composition of ions to pack, melt and quench."""

    model_config = ConfigDict(frozen=True)

    ions: dict[str, int] = Field(
        description="Number of each fragment or element: see distill.packing.fragment."
    )
    weight: float = Field(1.0, gt=0, description="Relative weight in random draws.")
    volume_per_atom_A3: tuple[float, float] = Field(
        (12.5, 16.5), description="Smallest and largest volume per atom, A3."
    )

    @property
    def formula(self) -> str:
        """Formula of all atoms, such as ``Li5P5O10F10``."""
        symbols = [s for name, n in self.ions.items() for s in n * [*fragment(name).symbols]]
        return "".join(f"{symbol}{symbols.count(symbol)}" for symbol in dict.fromkeys(symbols))


def _usual_mobile(data: dict[str, Any]) -> str:
    from pymatgen.core import Composition

    return default_mobile_species(Composition("".join(m.formula for m in data["mixtures"])))


class Chemistry(BaseModel):
    """Settings of the sampling of one chemical system."""

    model_config = ConfigDict(frozen=True)

    mixtures: tuple[Mixture, ...] = Field(description="Compositions to pack.")
    mobile: str = Field(
        default_factory=_usual_mobile,
        description="Element removed from or added to crystals; by default the usual mobile one.",
    )
    crystal_share: float = Field(0.2, ge=0, le=1, description="Fraction of starts from crystals.")
    melt_temperatures_K: dict[float, float] = Field(
        {300: 0.12, 600: 0.15, 800: 0.15, 1000: 0.16, 1500: 0.22, 2000: 0.12, 2500: 0.08},
        description="Temperatures of packed cells with their weights.",
    )
    crystal_temperatures_K: tuple[float, float] = Field(
        (200.0, 1100.0), description="Range of the temperatures of crystals, K."
    )

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements of all mixtures."""
        names = {name for mixture in self.mixtures for name in mixture.ions}
        return frozenset(symbol for name in names for symbol in fragment(name).symbols)

    @model_validator(mode="after")
    def _fragments_are_known(self) -> Chemistry:
        if not self.elements:
            raise InputError("A chemistry needs at least one mixture of ions to sample.")
        return self


class DynamicsSettings(BaseModel):
    """Settings of short runs that sample frames."""

    model_config = ConfigDict(frozen=True)

    duration_ps: float = Field(1.0, gt=0, description="Length of a run, ps.")
    interval_fs: float = Field(80.0, gt=0, description="Time between frames, fs.")
    timestep_fs: float = Field(2.0, gt=0, description="Time step, fs.")
    friction_per_fs: float = Field(0.02, gt=0, description="Langevin friction.")
    relax_steps: int = Field(25, ge=0, description="Steps of relaxation before the run.")


def strained_and_rattled(
    atoms: Atoms, rng: np.random.Generator, strain: float, displacement_A: float
) -> Atoms:
    """Return a copy with random symmetric strain and displacements of these standard deviations."""
    out = atoms.copy()
    tensor = rng.normal(0, strain, (3, 3))
    out.set_cell(out.cell.array @ (np.eye(3) + (tensor + tensor.T) / 2), scale_atoms=True)
    out.positions += rng.normal(0, displacement_A, out.positions.shape)
    return out


def with_vacancy(atoms: Atoms, element: str, rng: np.random.Generator) -> Atoms:
    """Return a copy without one random atom of an element.

    Raises
    ------
    InputError
        If the element is absent.
    """
    sites = [i for i, symbol in enumerate(atoms.symbols) if symbol == element]
    if not sites:
        raise InputError(f"There is no {element} to remove from {atoms.symbols}.")
    out = atoms.copy()
    del out[int(rng.choice(sites))]
    return out


def with_interstitial(atoms: Atoms, element: str, rng: np.random.Generator) -> Atoms:
    """Return a copy with one added atom, in the largest void among 300 random points."""
    points = rng.random((300, 3)) @ atoms.cell.array
    distances = get_distances(points, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1]
    out = atoms.copy()
    out.append(element)
    out.positions[-1] = points[distances.min(axis=1).argmax()]
    return out


def with_random_defect(atoms: Atoms, element: str, rng: np.random.Generator) -> tuple[Atoms, str]:
    """Return a copy with one atom of an element removed or added, and the kind of the defect."""
    if rng.random() < 0.5:
        return with_vacancy(atoms, element, rng), "vacancy"
    return with_interstitial(atoms, element, rng), "interstitial"


def draw_start(
    chemistry: Chemistry, crystals: dict[str, Atoms], rng: np.random.Generator
) -> tuple[Atoms, float]:
    """Draw a start for a run of dynamics and its temperature in K.

    Crystals lose or gain one mobile atom in a third of the cases; all cells get a small strain.
    """
    if crystals and rng.random() < chemistry.crystal_share:
        name = str(rng.choice(sorted(crystals)))
        atoms = crystals[name].copy()
        temperature = rng.uniform(*chemistry.crystal_temperatures_K)
        label = f"crystal:{name}"
        if rng.random() < 0.35 and chemistry.mobile in atoms.symbols:
            atoms, defect = with_random_defect(atoms, chemistry.mobile, rng)
            label += f":{defect}"
    else:
        weights = np.array([mixture.weight for mixture in chemistry.mixtures])
        mixture = chemistry.mixtures[rng.choice(len(weights), p=weights / weights.sum())]
        volume = rng.uniform(*mixture.volume_per_atom_A3)
        atoms = pack_fragments(mixture.ions, volume, seed=int(rng.integers(2**31)))
        del atoms.arrays["fragment"]
        odds = np.array(list(chemistry.melt_temperatures_K.values()))
        temperature = rng.choice(list(chemistry.melt_temperatures_K), p=odds / odds.sum())
        label = "packed"
    atoms = strained_and_rattled(atoms, rng, 0.015, 0.0)
    atoms.info = {"config_type": label, "temperature_K": float(temperature)}
    return atoms, float(temperature)


def explore(
    atoms: Atoms,
    calculator: Calculator,
    temperature_K: float,
    settings: DynamicsSettings,
    rng: np.random.Generator,
) -> list[Atoms]:
    """Relax partly, run dynamics and return the frames; ends early if the potential fails.

    The frames before a failure (overlapping atoms) and of the failure are the most informative:
    they have ``info["before_failure"]``.
    """
    relax = RelaxSettings(fmax_eV_per_A=0.3, max_steps=settings.relax_steps, relax_cell=False)
    work = thermalized(atoms, calculator, temperature_K, relax, rng)
    frames = [_bare(work)]
    dynamics = LangevinRun(
        work,
        temperature_K,
        timestep_fs=settings.timestep_fs,
        friction_per_fs=settings.friction_per_fs,
        rng=rng,
    )
    stride = max(1, round(settings.interval_fs / settings.timestep_fs))
    recent: deque[Atoms] = deque(maxlen=_BEFORE_FAILURE)
    for _ in range(max(1, round(1000 * settings.duration_ps / settings.interval_fs))):
        for steps in _pieces(stride):
            recent.append(_bare(work))
            if not _ran(dynamics, steps) or _failed(work, temperature_K):
                last = [*list(recent)[:-1], *_usable(work)]
                for frame in last:
                    frame.info["before_failure"] = True
                return [*frames, *last]
        frames.append(_bare(work))
    return frames


def thermalized(
    atoms: Atoms,
    calculator: Calculator,
    temperature_K: float,
    relax: RelaxSettings,
    rng: np.random.Generator,
) -> Atoms:
    """Return a partly relaxed copy with velocities of a temperature, for dynamics.

    Any geometry is a valid training frame, so convergence is not required.
    """
    work, _ = relax_atoms(atoms, calculator, relax)
    work.calc = calculator
    MaxwellBoltzmannDistribution(work, temperature_K=temperature_K, rng=rng)
    return work


def _pieces(stride: int) -> list[int]:
    """Return the numbers of steps between two checks, with ``stride`` steps in total."""
    whole, rest = divmod(stride, _CHECK_STEPS)
    return [_CHECK_STEPS] * whole + [rest] * bool(rest)


def _ran(dynamics: LangevinRun, steps: int) -> bool:
    """Run some steps; return False if the potential refuses atoms that are too close."""
    try:
        dynamics.run(steps)
    except InputError:
        return False
    return True


def _failed(work: Atoms, temperature_K: float) -> bool:
    return (
        not np.isfinite(work.positions).all()
        or work.get_temperature() > 4 * temperature_K + 2000
        or collapsed(work)
    )


def _usable(work: Atoms) -> list[Atoms]:
    """Return the frame of a failure if a teacher can label it: it teaches the most."""
    if not np.isfinite(work.positions).all() or collapsed(work, _LABELLED_A):
        return []
    return [_bare(work)]


def collapsed(atoms: Atoms, limit_A: float = _COLLAPSED_A) -> bool:
    """Whether any two atoms are closer than ``limit_A``."""
    cell = atoms.cell.complete().array  # of a free fragment: unit vectors
    distances = neighbour_list(
        "d", pbc=atoms.pbc, cell=cell, positions=atoms.positions, cutoff=limit_A
    )
    return len(distances) > 0


def _bare(atoms: Atoms) -> Atoms:
    frame = atoms.copy()
    frame.arrays.pop("momenta", None)
    return frame
