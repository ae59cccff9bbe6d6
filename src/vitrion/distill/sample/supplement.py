"""Sample frames that dynamics does not reach: other compositions, defects and packings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vitrion.distill.data.frames import made_each
from vitrion.distill.sample.off_stoichiometry import crystal_family, glass_family
from vitrion.distill.sample.repackings import candidates, polymorph_family

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from ase.calculators.calculator import Calculator

Family = Callable[["Calculator", np.random.Generator], "list[Atoms]"]

_TEMPERATURES_K = (300.0, 500.0, 800.0, 1200.0)


class SupplementSettings(BaseModel):
    """Settings of the supplement."""

    model_config = ConfigDict(frozen=True)

    glasses: tuple[dict[str, int], ...] = Field(description="Ions of the glasses, used in turn.")
    glass_families: int = Field(
        24, ge=0, description="Number of glasses with added or removed mobile atoms."
    )
    glass_volume_A3: tuple[float, float] = Field(
        (13.2, 15.8), description="Smallest and largest volume per atom of a glass, A3."
    )
    crystal_families: int = Field(2, ge=0, description="Number of defects per crystal.")
    polymorphs: dict[str, int] = Field(description="Number of candidates per formula.")
    mobile: str = Field("Li", description="Element that is added and removed.")


def supplement(
    calculator: Calculator,
    crystals: dict[str, Atoms],
    settings: SupplementSettings,
    directory: Path,
    seed: int,
    progress: Callable[[str], None] = print,
) -> list[Atoms]:
    """Sample all families and return their frames; each is saved when complete.

    Parameters
    ----------
    calculator
        The student, for relaxations and dynamics.
    crystals
        Crystals that contain the mobile element.
    settings
        Settings of the families.
    directory
        Folder of the families; a repeated call samples only the missing ones.
    seed
        Random seed.
    progress
        Called with one line after each family.
    """

    def sampled(name: str, family: Family, rng: np.random.Generator) -> list[Atoms]:
        found = family(calculator, rng)
        for frame in found:
            frame.info["family"] = name
        progress(f"{name}: {len(found)} frames")
        return found

    named = [(name, partial(sampled, name, f)) for name, f in families(crystals, settings, seed)]
    return made_each(directory, named, seed)


def families(
    crystals: dict[str, Atoms], settings: SupplementSettings, seed: int
) -> Iterator[tuple[str, Family]]:
    """Yield the name and the sampling function of each family."""
    for number in range(settings.glass_families):
        ions = settings.glasses[number % len(settings.glasses)]
        yield f"glass-{number:03d}", _glass(ions, settings)
    for name, atoms in crystals.items():
        for number in range(settings.crystal_families):
            yield f"crystal-{name}-{number:03d}", _crystal(atoms, name, settings.mobile)
    for formula, count in settings.polymorphs.items():
        for number, atoms in enumerate(candidates(formula, count, seed)):
            yield f"polymorph-{formula}-{number:03d}", _polymorph(atoms)


def _glass(ions: dict[str, int], settings: SupplementSettings) -> Family:
    def family(calculator: Calculator, rng: np.random.Generator) -> list[Atoms]:
        volume = rng.uniform(*settings.glass_volume_A3)
        temperature = float(rng.choice(_TEMPERATURES_K))
        found = glass_family(calculator, ions, volume, temperature, rng, settings.mobile)
        return _labelled(found, "glass")

    return family


def _crystal(atoms: Atoms, name: str, mobile: str) -> Family:
    def family(calculator: Calculator, rng: np.random.Generator) -> list[Atoms]:
        temperature = float(rng.choice(_TEMPERATURES_K))
        found = crystal_family(calculator, atoms, temperature, rng, mobile)
        return _labelled(found, f"crystal:{name}")

    return family


def _polymorph(atoms: Atoms) -> Family:
    def family(calculator: Calculator, rng: np.random.Generator) -> list[Atoms]:
        return polymorph_family(calculator, atoms, rng)

    return family


def _labelled(frames: list[Atoms], origin: str) -> list[Atoms]:
    for frame in frames:
        frame.info["config_type"] = f"{origin}:{frame.info['config_type']}"
    return frames
