"""Makers of structure generation and inpainting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Maker, job

from vitrion.chemistry.structures import takes_composition, takes_structure
from vitrion.generation.diffusion.generator import DiffusionGenerator
from vitrion.generation.inpainting import inpaint
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.generation.candidate import Candidate, StructureGenerator


@dataclass
class GenerateMaker(NotebookTable, Maker):
    """Create candidates of a composition with any generator.

    Parameters
    ----------
    name : str
        The name of the jobs.
    generator : StructureGenerator
        Diffusion, random, substitution, file or MatterGen.
    n : int
        Candidates wanted.
    seed : int
    """

    name: str = "generate"
    generator: StructureGenerator = field(default_factory=DiffusionGenerator)
    n: int = 32
    seed: int = 0

    @takes_composition
    @job
    def make(self, composition: CompositionLike) -> list[Candidate]:
        """Generate candidates of a composition."""
        return self.generator.generate(composition, self.n, self.seed)


@dataclass
class InpaintMaker(NotebookTable, Maker):
    """Insert atoms into a host.

    Parameters
    ----------
    name : str
        The name of the jobs.
    n : int
        Candidates wanted.
    seed : int
    mode : str
        ``conditioned`` or ``repaint``.
    weights : str
        Score net.
    sampler : dict
        Fields of ``SamplerSettings``.
    """

    name: str = "inpaint"
    n: int = 8
    seed: int = 0
    mode: str = "conditioned"
    weights: str = "vitrion-score"
    sampler: dict = field(default_factory=dict)

    @takes_structure
    @job
    @takes_structure
    def make(self, host: Structure, insert: CompositionLike) -> list[Candidate]:
        """Insert atoms into a host."""
        return inpaint(
            host,
            insert,
            self.n,
            self.seed,
            mode=self.mode,  # type: ignore[arg-type]
            weights=self.weights,
            sampler=self.sampler,
        )
