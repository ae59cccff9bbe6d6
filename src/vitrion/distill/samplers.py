"""Makers of the stages that sample frames: seeds, active learning, supplement.

Each writes ``frames.xyz`` and a record of its inputs in a folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Maker, job

from vitrion.chemistry.structures import check_ordered
from vitrion.distill.data.frames import write_frames
from vitrion.distill.data.origin import claim, digest_of_cells, digest_of_files
from vitrion.distill.sample.active import ActiveSettings, collect
from vitrion.distill.sample.sampling import Chemistry
from vitrion.distill.sample.supplement import SupplementSettings, supplement
from vitrion.distill.training_plan import (
    CHEMISTRY,
    crystal_cells,
    defect_crystals,
    seed_frames,
    supplement_settings,
)
from vitrion.potentials.student import file_calculator
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def ase_cells(crystals: dict[str, Structure]) -> dict[str, Atoms]:
    """Return crystals as ASE Atoms.

    Raises
    ------
    InputError
        If a site is not occupied by one atom.
    """
    for name, structure in crystals.items():
        check_ordered(structure, f"The crystal {name}")
    return {name: structure.to_ase_atoms(msonable=False) for name, structure in crystals.items()}


def cells_of(chemistry: Chemistry, crystals: dict[str, Structure] | None) -> dict[str, Atoms]:
    """Return the given crystals, or the known crystals of the elements of the chemistry."""
    return crystal_cells(chemistry) if crystals is None else ase_cells(crystals)


@dataclass
class SeedMaker(NotebookTable, Maker):
    """Generate the first frames: strained, rattled crystals and packed ions.

    Parameters
    ----------
    name : str
        Name of the job.
    chemistry : Chemistry or None
        Mixtures to pack. None: chemistry of the shipped student, in a flow of `CollectMaker`.
    crystals : dict of Structure or None
        Cells by name. None: known crystals of the elements of the chemistry, in a flow the
        crystals of `CollectMaker`.
    per_crystal, packed : int
        Number of frames per crystal, and of packed ions.
    """

    name: str = "seed frames"
    chemistry: Chemistry | None = None
    crystals: dict[str, Structure] | None = None
    per_crystal: int = 8
    packed: int = 110

    def __post_init__(self) -> None:
        """Accept the chemistry as a dictionary, as in a serialized Maker."""
        if self.chemistry is not None:
            self.chemistry = Chemistry.model_validate(self.chemistry)

    @job
    def make(self, directory: str, seed: int) -> dict[str, Any]:
        """Write the frames to ``directory/frames.xyz``."""
        folder = Path(directory)
        chemistry = self.chemistry or CHEMISTRY
        crystals = cells_of(chemistry, self.crystals)
        origin = {
            "chemistry": chemistry.model_dump(mode="json"),
            "crystals": digest_of_cells(crystals),
            "settings": {"per_crystal": self.per_crystal, "packed": self.packed, "seed": seed},
        }
        claim(folder / "seeds.json", origin, [folder / "frames.xyz"])
        frames = seed_frames(
            seed,
            per_crystal=self.per_crystal,
            packed=self.packed,
            chemistry=chemistry,
            crystals=crystals,
        )
        write_frames(folder / "frames.xyz", frames)
        return {"directory": directory, "frames": len(frames)}


@dataclass
class CollectMaker(NotebookTable, Maker):
    """Run dynamics with the last two students and select frames on which they disagree.

    Parameters
    ----------
    name : str
        Name of the job.
    chemistry : Chemistry
        Source of the initial structures.
    crystals : dict of Structure or None
        Cells by name. None: known crystals of the elements of the chemistry.
    settings : ActiveSettings
        Size of the iteration.
    """

    name: str = "collect"
    chemistry: Chemistry = field(default_factory=lambda: CHEMISTRY)
    settings: ActiveSettings = field(default_factory=ActiveSettings)
    crystals: dict[str, Structure] | None = None

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as in a serialized Maker."""
        self.chemistry = Chemistry.model_validate(self.chemistry)
        self.settings = ActiveSettings.model_validate(self.settings)

    @job
    def make(self, directory: str, students: list[str], seed: int) -> dict[str, Any]:
        """Write the selected frames to ``directory/frames.xyz``."""
        members = [Path(student) for student in students]
        folder = Path(directory)
        crystals = cells_of(self.chemistry, self.crystals)
        origin = {
            "students": digest_of_files(*members),
            "chemistry": self.chemistry.model_dump(mode="json"),
            "crystals": digest_of_cells(crystals),
            "settings": {**self.settings.model_dump(mode="json"), "seed": seed},
        }
        claim(folder / "collect.json", origin, folder.glob("run-*.xyz"))
        committee = [file_calculator(path) for path in members]
        frames = collect(committee, self.chemistry, crystals, self.settings, folder, seed)
        write_frames(folder / "frames.xyz", frames)
        return {"directory": directory, "frames": len(frames)}


@dataclass
class SupplementMaker(NotebookTable, Maker):
    """Sample defects and other packings with a student: see `vitrion.distill.sample.supplement`.

    Parameters
    ----------
    name : str
        Name of the job.
    settings : SupplementSettings or None
        Families to sample; None derives them from the chemistry.
    chemistry : Chemistry or None
        None: chemistry of the shipped student, in a flow of `CollectMaker`.
    crystals : dict of Structure or None
        Cells by name, with defects if they contain the mobile element. None: known crystals of the
        elements of the chemistry, in a flow the crystals of `CollectMaker`.
    """

    name: str = "supplement"
    settings: SupplementSettings | None = None
    chemistry: Chemistry | None = None
    crystals: dict[str, Structure] | None = None

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as in a serialized Maker."""
        if self.settings is not None:
            self.settings = SupplementSettings.model_validate(self.settings)
        if self.chemistry is not None:
            self.chemistry = Chemistry.model_validate(self.chemistry)

    @job
    def make(self, directory: str, student: str, seed: int) -> dict[str, Any]:
        """Write the frames to ``directory/frames.xyz``."""
        calculator = file_calculator(Path(student))
        folder = Path(directory)
        chemistry = self.chemistry or CHEMISTRY
        settings = self.settings or supplement_settings(chemistry)
        crystals = self._crystals(chemistry, settings.mobile)
        origin = {
            "students": digest_of_files(Path(student)),
            "crystals": digest_of_cells(crystals),
            "settings": {**settings.model_dump(mode="json"), "seed": seed},
        }
        claim(folder / "supplement.json", origin, folder.glob("families/*.xyz"))
        frames = supplement(calculator, crystals, settings, folder / "families", seed)
        write_frames(folder / "frames.xyz", frames)
        return {"directory": directory, "frames": len(frames)}

    def _crystals(self, chemistry: Chemistry, mobile: str) -> dict[str, Atoms]:
        given = self.crystals
        crystals = defect_crystals(chemistry) if given is None else ase_cells(given)
        return {name: atoms for name, atoms in crystals.items() if mobile in atoms.symbols}
