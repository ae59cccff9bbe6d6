"""Training plan of a Li-C-O-F-P student: chemistry, seeds and phases.

Other chemistries use the same phases and the crystals of their elements; the rest follows from
their mixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Composition

from vitrion.chemistry.crystals import known_crystals
from vitrion.chemistry.formulas import plain_formula
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.repackings import MOST_ATOMS
from vitrion.distill.sample.sampling import Chemistry, Mixture, strained_and_rattled
from vitrion.distill.sample.supplement import SupplementSettings
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.training import TrainingSettings

if TYPE_CHECKING:
    from ase import Atoms

_OXIDE = (8.5, 12.0)

# Li2PO3F is absent: it was added later, with the glasses of tools/phosphate_glasses.py.
CHEMISTRY = Chemistry(
    mixtures=(
        Mixture(ions={"Li": 5, "PO2F2": 5}, weight=10),
        Mixture(ions={"Li": 8, "PO2F2": 8}, weight=5),
        Mixture(ions={"Li": 6, "PO2F2": 5}, weight=1.5),
        Mixture(ions={"Li": 4, "PO2F2": 5}, weight=1.5),
        Mixture(ions={"Li": 8, "PO2F2": 5, "F": 3}),
        Mixture(ions={"Li": 7, "PO2F2": 5, "O": 1}),
        Mixture(ions={"Li": 5, "PO2F2": 4, "PO3": 1}),
        Mixture(ions={"Li": 4, "PO2F2": 4, "POF3": 2}),
        Mixture(ions={"Li": 12, "PO2F2": 3}, weight=0.5),
        Mixture(ions={"Li": 6, "PO2F2": 3, "CO3": 2}, weight=0.5),
        Mixture(ions={"Li": 6, "PO3": 6}),
        Mixture(ions={"Li": 8, "P2O7": 2}, weight=0.7),
        Mixture(ions={"Li": 9, "PO4": 3}),
        Mixture(ions={"Li": 12, "PO4": 2, "F": 4}, weight=0.7),
        Mixture(ions={"Li": 6, "O": 8, "F": 8, "P": 5}),
        Mixture(ions={"Li": 10, "CO3": 5}, volume_per_atom_A3=_OXIDE),
        Mixture(ions={"Li": 12, "F": 12}, volume_per_atom_A3=_OXIDE),
        Mixture(ions={"Li": 14, "O": 7}, volume_per_atom_A3=_OXIDE),
        Mixture(ions={"Li": 16, "O": 6, "F": 4}, weight=0.5, volume_per_atom_A3=_OXIDE),
    )
)

_REPEATS = {
    "LiF": (2, 2, 1),
    "Li2O": (2, 1, 1),
    "Li": (3, 2, 2),
    "Li2CO3": (1, 1, 1),
    "Li3PO4": (2, 1, 1),
    "Li3P": (2, 2, 1),
    "Li2O2": (2, 2, 1),
    "LiPF6": (2, 2, 1),
    "CO2": (1, 1, 1),
    "graphite": (3, 2, 1),
}


def crystal_cells(chemistry: Chemistry = CHEMISTRY) -> dict[str, Atoms]:
    """Return the known crystals of a chemistry's elements as supercells of 8 to 32 atoms."""
    return {
        name: atoms.repeat(_REPEATS[name])
        for name, atoms in known_crystals().items()
        if chemistry.elements.issuperset(atoms.symbols)
    }


def seed_frames(
    seed: int,
    *,
    per_crystal: int = 8,
    packed: int = 110,
    chemistry: Chemistry = CHEMISTRY,
    crystals: dict[str, Atoms] | None = None,
) -> list[Atoms]:
    """Return the first frames: strained and rattled crystals, packed ions.

    Parameters
    ----------
    seed
        Random seed.
    per_crystal
        Number of frames per crystal.
    packed
        Number of frames of packed ions, drawn from the mixtures of the chemistry.
    chemistry
        Mixtures to pack.
    crystals
        Crystals by name; by default :func:`crystal_cells`.
    """
    crystals = crystal_cells(chemistry) if crystals is None else crystals
    rng = np.random.default_rng(seed)
    frames = []
    for name, atoms in crystals.items():
        for _ in range(per_crystal):
            strain, displacement = (
                rng.choice([0.01, 0.03, 0.05]),
                rng.choice([0.03, 0.08, 0.15, 0.22]),
            )
            frame = strained_and_rattled(atoms, rng, strain, displacement)
            frame.info = {"config_type": f"crystal:{name}"}
            frames.append(frame)
    weights = np.array([mixture.weight for mixture in chemistry.mixtures])
    for index in rng.choice(len(weights), size=packed, p=weights / weights.sum()):
        mixture = chemistry.mixtures[index]
        volume = rng.uniform(*mixture.volume_per_atom_A3)
        scale = rng.choice([0.9, 1.0, 1.05])
        frame = pack_fragments(mixture.ions, volume, seed=int(rng.integers(2**31)), scale=scale)
        del frame.arrays["fragment"]
        frame.positions += rng.normal(0, rng.choice([0.0, 0.05, 0.1]), frame.positions.shape)
        frame.info = {"config_type": "packed"}
        frames.append(frame)
    return [frames[i] for i in rng.permutation(len(frames))]


_GLASS_FAMILIES, _POLYMORPHS = 24, 8

SUPPLEMENT = SupplementSettings(
    glasses=(
        {"Li": 4, "PO2F2": 4},
        {"Li": 5, "PO2F2": 5},
        {"Li": 3, "PO2F2": 3},
        {"Li": 6, "PO2F2": 6},
        {"Li": 5, "PO2F2": 5},
        {"Li": 6, "PO4": 2},
        {"Li": 4, "PO2F2": 4},
        {"Li": 5, "PO3": 5},
    ),
    glass_families=_GLASS_FAMILIES,
    polymorphs={
        "LiF": 14,
        "Li2O": 10,
        "Li3PO4": 8,
        "Li2CO3": 7,
        "LiPO3": 8,
        "LiPO2F2": 10,
        "LiPF6": 4,
        "P2O5": 5,
        "POF3": 3,
        "Li2O2": 4,
        "Li3P": 3,
        "Li4P2O7": 2,
        "CO2": 2,
        "Li": 3,
    },
)


def supplement_settings(chemistry: Chemistry) -> SupplementSettings:
    """Return the settings of the supplement of a chemistry.

    Chemistries other than the default get glasses of the mixtures that contain the
    mobile element, at the density of the mixture with the largest weight, and other packings of all
    compositions that fit into a small cell.
    """
    if chemistry == CHEMISTRY:
        return SUPPLEMENT
    volume = max(chemistry.mixtures, key=lambda mixture: mixture.weight).volume_per_atom_A3
    glasses = []
    polymorphs = {}
    for mixture in chemistry.mixtures:
        composition = Composition(mixture.formula).reduced_composition
        if chemistry.mobile in composition and mixture.volume_per_atom_A3 == volume:
            glasses.append(mixture.ions)
        if composition.num_atoms <= MOST_ATOMS:
            polymorphs[plain_formula(composition)] = _POLYMORPHS
    return SupplementSettings(
        glasses=tuple(glasses),
        glass_families=_GLASS_FAMILIES if glasses else 0,
        glass_volume_A3=volume,
        polymorphs=polymorphs,
        mobile=chemistry.mobile,
    )


def defect_crystals(chemistry: Chemistry = CHEMISTRY) -> dict[str, Atoms]:
    """Return supercells of the known crystals of a chemistry for Li vacancies and interstitials."""
    repeats = {
        "LiF": (2, 1, 1),
        "LiF (32)": (2, 2, 1),
        "Li2O": (1, 1, 1),
        "Li2O (24)": (2, 1, 1),
        "Li2CO3": (1, 1, 1),
        "Li3PO4": (1, 1, 1),
        "Li3PO4 (32)": (1, 2, 1),
        "Li3P": (2, 1, 1),
        "Li2O2": (2, 1, 1),
        "LiPF6": (2, 1, 1),
    }
    crystals = known_crystals()
    cells = {name: crystals[name.split()[0]].repeat(r) for name, r in repeats.items()}
    return {n: atoms for n, atoms in cells.items() if chemistry.elements.issuperset(atoms.symbols)}


ARCHITECTURE = Architecture(hole_energy_eV=0.8, electron_energy_eV=16.0)
"""The shipped student."""

_EMPHASIS = {"vacancy": 2.0, "inserted": 2.0, "host": 2.0}

# All frames, with small weights of the energies; then without the frames of the highest energies
# and with large weights, until hosts and defects agree, at the cost of the forces; then with
# smaller weights, which restores the forces.
_FIRST = TrainingSettings(
    learning_rate=0.005,
    last_learning_rate=0.001,
    epochs=34,
    energy_weight=3.0,
    averaging=0.995,
)
_COOLING = TrainingSettings(
    learning_rate=0.001,
    last_learning_rate=0.0003,
    epochs=12,
    energy_weight=100.0,
    stress_weight=100.0,
    emphasis=_EMPHASIS | {"crystal": 2.0, "host": 4.0},
    averaging=0.995,
    largest_force_eV_per_A=15.0,
    highest_energy_eV_per_atom=1.5,
)
_SETTLING = _COOLING.model_copy(
    update={
        "last_learning_rate": 0.0001,
        "energy_weight": 20.0,
        "stress_weight": 30.0,
        "largest_force_eV_per_A": 12.0,
        "highest_energy_eV_per_atom": 1.0,
    }
)
PHASES = (
    _FIRST,
    _FIRST.model_copy(
        update={
            "learning_rate": 0.0015,
            "last_learning_rate": 0.0004,
            "epochs": 20,
            "energy_weight": 30.0,
            "stress_weight": 50.0,
        }
    ),
    _COOLING,
    _SETTLING,
)
"""Phases on all frames, after active learning."""

# From a student without dispersion to one with it.
_DISPERSION = _SETTLING.model_copy(
    update={
        "learning_rate": 0.002,
        "last_learning_rate": 0.001,
        "epochs": 10,
        "stress_weight": 50.0,
        "emphasis": _EMPHASIS,
    }
)
_DISPERSION_COOLING = _SETTLING.model_copy(
    update={
        "learning_rate": 0.0008,
        "last_learning_rate": 0.0002,
        "epochs": 6,
        "energy_weight": 100.0,
        "stress_weight": 100.0,
    }
)
CONTINUED_PHASES = (
    _DISPERSION,
    _DISPERSION_COOLING,
    _DISPERSION_COOLING.model_copy(
        update={
            "learning_rate": 0.0005,
            "last_learning_rate": 0.0001,
            "epochs": 4,
            "energy_weight": 30.0,
            "stress_weight": 50.0,
        }
    ),
)
"""Phases that continue ``vitrion-lipof-pbe`` on labels with dispersion."""
