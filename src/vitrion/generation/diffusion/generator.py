"""Diffusion generator: sample crystals of a composition with the score net."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.elements import NONMETALS
from vitrion.chemistry.formulas import parse_composition
from vitrion.errors import InputError
from vitrion.generation.candidate import (
    Candidate,
    Origin,
    StructureGenerator,
    check_formula_units,
    check_request,
    volume_per_atom,
)
from vitrion.generation.diffusion.weights import SHIPPED, ScoreNetCard, load_weights
from vitrion.generation.lattices import enumerate_lattices
from vitrion.generation.seeds import spawn_seeds
from vitrion.potentials.single_precision import single_precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymatgen.core import Composition, Lattice, Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.generation.diffusion.net import ScoreNet
    from vitrion.generation.diffusion.sampler import Task


@dataclass
class DiffusionGenerator(StructureGenerator):
    """Sample positions with the score net in fixed cells.

    Some candidates use enumerated lattices without symmetry (as in CHGGen), the others the cell of
    a random PyXtal crystal, whose space group and Wyckoff positions are kept.

    Attributes
    ----------
    weights : str
        ``vitrion-score`` (shipped) or a safetensors file.
    formula_units : tuple of int
        Formula units in the cells, used in turn.
    volume_per_atom_A3 : float or None
        Volume per atom; None estimates it from the composition.
    volume_spread : (float, float)
        Range of factors on the volume, drawn for each candidate.
    symmetric_share : float
        Fraction of the candidates with a space group.
    largest_site_order : int
        Space groups are excluded if they place atoms of the rarest element on sites with more
        operations than this. Groups of high symmetry do not allow intact molecular ions.
    sampler : dict
        Fields of ``SamplerSettings``.
    device : str
        Torch device.
    """

    weights: str = SHIPPED
    formula_units: tuple[int, ...] = (1, 2, 3, 4)
    volume_per_atom_A3: float | None = None
    volume_spread: tuple[float, float] = (0.95, 1.2)
    symmetric_share: float = 0.5
    largest_site_order: int = 2
    sampler: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    name = "diffusion"

    def generate(self, composition: CompositionLike, n: int, seed: int) -> list[Candidate]:
        """Sample ``n`` candidates; see ``StructureGenerator``."""
        check_request(n, seed)
        formula = parse_composition(composition)
        model = ScoreModel.load(self.weights, self.device)
        model.check(el.symbol for el in formula)
        plan = self._plan(formula, n, seed)
        structures = model.sample([model.task_of(place, formula) for place in plan], self.sampler)
        return [
            Candidate(
                structure=structure,
                origin=Origin(
                    generator=self.name,
                    seed=place.seed,
                    formula_units=place.units,
                    model=model.label,
                    details={"cell": place.kind, "sampler": self.sampler},
                ),
            )
            for structure, place in zip(structures, plan, strict=True)
        ]

    def _plan(self, formula: Composition, n: int, seed: int) -> list[Place]:
        """Select formula units, cell and seed of each candidate."""
        units = check_formula_units(self.formula_units)
        low, high = self.volume_spread
        if not 0 < low <= high:
            raise InputError(f"volume_spread {self.volume_spread} must be positive and ascending.")
        if not 0 <= self.symmetric_share <= 1:
            raise InputError(f"symmetric_share {self.symmetric_share} must be between 0 and 1.")
        if self.largest_site_order < 1:
            raise InputError(f"largest_site_order {self.largest_site_order} must be at least 1.")
        volume = volume_per_atom(self.volume_per_atom_A3, formula)
        rng = np.random.default_rng(seed)
        streams = {
            u: enumerate_lattices(u * formula.num_atoms * volume, int(rng.integers(2**31)))
            for u in units
        }
        plan = []
        for index, task_seed in enumerate(spawn_seeds(seed, n)):
            # Each kind cycles through all numbers of formula units.
            count = units[(index // 2 if 0 < self.symmetric_share < 1 else index) % len(units)]
            size = count * formula.num_atoms * volume * rng.uniform(low, high)
            kind, lattice = next(streams[count])
            place = Place(count, kind, lattice.scale(size), task_seed)
            if int((index + 1) * self.symmetric_share) > int(index * self.symmetric_share):
                order = self.largest_site_order * count * round(min(formula.values()))
                place = symmetric_place(formula, count, size, task_seed, order) or place
            plan.append(place)
        return plan


@dataclass(frozen=True)
class Place:
    """Cell of one candidate, and its initial structure if symmetric."""

    units: int
    kind: str
    lattice: Lattice
    seed: int
    start: Structure | None = None


def symmetric_place(
    formula: Composition, units: int, volume: float, seed: int, largest_order: int
) -> Place | None:
    """Return the cell of a random crystal at a volume (A3), or None if PyXtal finds none."""
    from vitrion.generation.diffusion.training_crystals import niggli
    from vitrion.generation.random import random_crystal

    try:
        number, start = random_crystal(formula * units, seed, largest_order)
    except InputError:
        return None
    start = niggli(start)
    start.scale_lattice(volume)
    return Place(units, f"space group {number}", start.lattice, seed, start)


@dataclass(frozen=True)
class ScoreModel:
    """A score net with its card; checks requests and samples structures."""

    net: ScoreNet
    card: ScoreNetCard

    @classmethod
    def load(cls, weights: str = SHIPPED, device: str = "cpu") -> ScoreModel:
        """Load weights by name or file; use one thread on the CPU."""
        import torch

        if device == "cpu":
            torch.set_num_threads(1)
        with single_precision():
            return cls(*load_weights(weights, device=device))

    @property
    def label(self) -> str:
        """Name and hash of the weights, for the provenance."""
        return f"{self.card.name} sha256:{(self.card.sha256 or 'unknown')[:16]}"

    def check(self, symbols: Iterable[str]) -> None:
        """Check the elements against the training set; warn about new combinations of anions.

        Raises
        ------
        InputError
            If an element is not in the training set.
        """
        wanted = set(symbols)
        unknown = sorted(wanted - set(self.card.elements))
        if unknown:
            raise InputError(
                f"The score net '{self.card.name}' was not trained on {', '.join(unknown)}: train "
                "it on crystals with these elements, or use another generator."
            )
        bonded = wanted & NONMETALS
        if len(bonded) > 1 and not any(
            bonded <= set(system.split("-")) for system in self.card.systems
        ):
            warnings.warn(
                f"The score net '{self.card.name}' was not trained on crystals with "
                f"{', '.join(sorted(bonded))} together. More candidates than usual may fail.",
                stacklevel=3,
            )

    def task(self, composition: Composition, lattice: Lattice, seed: int, host: Any = None) -> Task:
        """Return the task of one crystal: a composition in a lattice, optionally with a host."""
        from vitrion.generation.diffusion.sampler import Task

        given = [] if host is None else list(host.atomic_numbers)
        new = [el.Z for el, amount in sorted(composition.items()) for _ in range(round(amount))]
        return Task(
            np.array(given + new),
            lattice.matrix.copy(),
            seed,
            None if host is None else host.frac_coords,
        )

    def task_of(self, place: Place, formula: Composition) -> Task:
        """Return the task of a candidate."""
        from vitrion.generation.diffusion.sampler import Task
        from vitrion.generation.diffusion.space_groups import SiteSymmetry

        if place.start is None:
            return self.task(formula * place.units, place.lattice, place.seed)
        return Task(
            np.array(place.start.atomic_numbers),
            place.lattice.matrix.copy(),
            place.seed,
            start=place.start.frac_coords,
            symmetry=SiteSymmetry.of(place.start),
        )

    def sample(self, tasks: Sequence[Task], settings: dict[str, Any]) -> list[Any]:
        """Return one pymatgen Structure for each task."""
        from pymatgen.core import Structure

        from vitrion.generation.diffusion.noise import NoiseSchedule
        from vitrion.generation.diffusion.sampler import SamplerSettings, batches_of, sample

        schedule = NoiseSchedule(self.card.largest_noise_A, self.card.smallest_noise_A)
        chosen = SamplerSettings(**settings)
        structures: list[Any] = [None] * len(tasks)
        for batch in batches_of(tasks):
            with single_precision():
                positions = sample(self.net, [tasks[i] for i in batch], schedule, chosen)
            for i, fractional in zip(batch, positions, strict=True):
                structures[i] = Structure(tasks[i].lattice, tasks[i].numbers.tolist(), fractional)
        return structures
