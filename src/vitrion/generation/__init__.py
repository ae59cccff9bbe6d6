"""Candidate structures for a composition, from several generators behind one interface."""

from vitrion.generation.candidate import Candidate, Origin, StructureGenerator
from vitrion.generation.diffusion.generator import DiffusionGenerator
from vitrion.generation.external import MatterGenGenerator, xtalpaint_inpaint
from vitrion.generation.given import FileGenerator
from vitrion.generation.hosts import InpaintingHost, make_hosts, ordered_host
from vitrion.generation.inpainting import inpaint
from vitrion.generation.random import RandomGenerator
from vitrion.generation.substitution import SubstitutionGenerator

__all__ = [
    "Candidate",
    "DiffusionGenerator",
    "FileGenerator",
    "InpaintingHost",
    "MatterGenGenerator",
    "Origin",
    "RandomGenerator",
    "StructureGenerator",
    "SubstitutionGenerator",
    "inpaint",
    "make_hosts",
    "ordered_host",
    "xtalpaint_inpaint",
]
