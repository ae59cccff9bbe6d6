"""From a composition to the ionic conductivity of its glass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import Flow, Maker, job

from vitrion.amorphous.document import AmorphousDoc
from vitrion.amorphous.makers import GlassReplicasMaker, MeltQuenchMaker
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.chemistry.geometry import face_distances
from vitrion.chemistry.structures import without_site_properties
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.errors import SimulationError
from vitrion.flows.presets import get_preset
from vitrion.potentials import get_potential

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from pymatgen.core import Composition, Structure

    from vitrion.documents.base import Phase
    from vitrion.flows.presets import Preset


@dataclass
class GlassConductivityMaker(Maker):
    """Make several glasses of one composition and measure their conductivity together.

    Parameters
    ----------
    name : str
        The name of the flows.
    glass_maker : GlassReplicasMaker
        Makes the glasses.
    conductivity_maker : ConductivityMaker
        Measures them; their spread is part of the error.

    Examples
    --------
    >>> flow = GlassConductivityMaker.from_preset("quick").make("LiPO2F2")
    >>> flow.jobs[-1].name
    'conductivity'
    """

    name: str = "glass conductivity"
    glass_maker: GlassReplicasMaker = field(default_factory=GlassReplicasMaker)
    conductivity_maker: ConductivityMaker = field(
        default_factory=lambda: ConductivityMaker(phase="amorphous")
    )

    @classmethod
    def from_preset(
        cls,
        preset: str = "standard",
        *,
        potential: str | None = None,
        temperatures_K: Sequence[float] = (),
        n_replicas: int | None = None,
        mobile: str | None = None,
        seed: int = 0,
        glass: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Make the Maker of a preset.

        Parameters
        ----------
        preset : str
            ``quick``, ``standard`` or ``paper``.
        potential : str, optional
            Name in the registry; the user's default otherwise.
        temperatures_K : sequence of float
            Temperatures of the dynamics in K; empty takes those of the preset.
        n_replicas : int, optional
            Independent glasses; None takes the number of the preset.
        mobile : str, optional
            Mobile species; None takes the usual mobile cation.
        seed : int
            Everything random in the flow follows from it.
        glass : dict, optional
            Fields of :class:`~vitrion.amorphous.melt_quench_settings.MeltQuenchSettings` to change.
        **kwargs
            Fields of the :class:`~vitrion.conductivity.makers.ConductivityMaker` to set otherwise,
            such as ``first_ps`` or ``target``, or the preset's ``extension``.

        Raises
        ------
        InputError
            If there is no such preset or potential, or a value is not valid.
        """
        chosen = get_preset(preset)
        replicas = chosen.n_replicas if n_replicas is None else n_replicas
        settings = MeltQuenchSettings.preset(preset, seed=seed, **(glass or {}))
        return cls(
            glass_maker=GlassReplicasMaker(
                melt_quench_maker=MeltQuenchMaker.from_potential(potential, settings),
                n_replicas=replicas,
            ),
            conductivity_maker=conductivity_maker(
                chosen,
                "amorphous",
                n_structures=replicas,
                potential=potential,
                temperatures_K=temperatures_K,
                mobile=mobile,
                seed=seed,
                **kwargs,
            ),
        )

    def make(
        self, structure: Structure | Composition | str, prev_dir: str | Path | None = None
    ) -> Flow:
        """Make the flow.

        Parameters
        ----------
        structure : Structure, Composition or str
            A composition to pack, or a crystal to melt.
        prev_dir : str or Path, optional
            Handed to the first job of each glass.

        Returns
        -------
        Flow
            Its output holds the :class:`~vitrion.conductivity.document.ConductivityDoc` under
            ``conductivity``, the documents of all glasses under ``glasses``, and the structures of
            those that were measured under ``structures``: one that crystallized is left out.
        """
        glasses = self.glass_maker.make(structure, prev_dir=prev_dir)
        chosen = choose_glasses(glasses.output)
        measured = self.conductivity_maker.make(
            chosen.output["structures"], remarks=chosen.output["remarks"]
        )
        output = {
            "glasses": glasses.output,
            "structures": chosen.output["structures"],
            "conductivity": measured.output,
        }
        return Flow([glasses, chosen, measured], output=output, name=self.name)


@job(name="choose glasses")
def choose_glasses(glasses: Sequence[AmorphousDoc | dict[str, Any]]) -> dict[str, Any]:
    """Leave out the replicas of a glass that crystallized.

    Parameters
    ----------
    glasses : sequence of AmorphousDoc or dict
        The replicas, as documents or as stored, in the order of their jobs' numbers, from 1 on.

    Returns
    -------
    dict
        ``structures``, the list of cells to go on with, and ``remarks``: why others are left out,
        and which cells look crystalline but are too small for that verdict to be sure.

    Raises
    ------
    SimulationError
        If none is left.
    """
    structures, remarks = [], []
    for number, stored in enumerate(glasses, start=1):
        glass = AmorphousDoc.model_validate(stored)
        found = f"Glass {number} is crystalline (self-overlap {glass.order_overlap:.2f})"
        if glass.crystallized:
            remarks.append(f"{found} and is left out.")
            continue
        if not glass.is_amorphous:
            remarks.append(f"{found} as far as a cell of {glass.nsites} atoms can tell; it counts.")
        structures.append(glass.structure)
    if not structures:
        raise SimulationError(
            f"No replica of the glass is amorphous, of {len(glasses)}: cool faster, melt longer or "
            "hotter, or take a larger cell."
        )
    return {"structures": structures, "remarks": remarks}


@dataclass
class CrystalConductivityMaker(Maker):
    """Measure the conductivity of a crystal in a supercell.

    Parameters
    ----------
    name : str
        The name of the flows.
    min_side_A : float
        Least distance in A between opposite faces of the supercell.
    conductivity_maker : ConductivityMaker
        Measures it.
    """

    name: str = "crystal conductivity"
    min_side_A: float = 11.0
    conductivity_maker: ConductivityMaker = field(
        default_factory=lambda: ConductivityMaker(phase="crystalline")
    )

    @classmethod
    def from_preset(
        cls,
        preset: str = "standard",
        *,
        potential: str | None = None,
        temperatures_K: Sequence[float] = (),
        mobile: str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> Self:
        """Make the Maker of a preset; see :meth:`GlassConductivityMaker.from_preset`."""
        chosen = get_preset(preset)
        maker = conductivity_maker(
            chosen,
            "crystalline",
            potential=potential,
            temperatures_K=temperatures_K,
            mobile=mobile,
            seed=seed,
            **kwargs,
        )
        return cls(min_side_A=chosen.crystal_side_A, conductivity_maker=maker)

    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Flow:
        """Make the flow.

        Parameters
        ----------
        structure : Structure
            A cell of the crystal, relaxed with the potential.
        prev_dir : str or Path, optional
            Directory of an earlier measurement, to continue it there.

        Returns
        -------
        Flow
            Its output is the :class:`~vitrion.conductivity.document.ConductivityDoc`.
        """
        cell = repeat_cell(structure, self.min_side_A)
        measured = self.conductivity_maker.make(cell.output, prev_dir=prev_dir)
        measured.append_name("crystal ", prepend=True)
        return Flow([cell, measured], output=measured.output, name=self.name)


@job(name="supercell")
def repeat_cell(structure: Structure, min_side_A: float) -> Structure:
    """Repeat a cell until opposite faces are ``min_side_A`` apart."""
    repeated = without_site_properties(structure)
    counts = np.ceil(min_side_A / face_distances(structure.lattice.matrix) - 1e-6)
    repeated.make_supercell(np.diag(np.maximum(counts, 1).astype(int)))
    return repeated


def conductivity_maker(
    preset: Preset,
    phase: Phase,
    *,
    n_structures: int = 1,
    potential: str | None = None,
    temperatures_K: Sequence[float] = (),
    mobile: str | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> ConductivityMaker:
    """Return the Maker of a preset for some structures of one phase."""
    temperatures = tuple(float(t) for t in temperatures_K or preset.temperatures_K)
    first_ps = kwargs.pop("first_ps", preset.first_ps)
    extension = kwargs.pop("extension", preset.extension)
    first_round = first_ps * len(temperatures) * max(n_structures, 1)
    values: dict[str, Any] = {
        "potential": potential,
        "temperatures_K": temperatures,
        "mobile": mobile,
        "equilibration_ps": preset.equilibration_ps,
        "first_ps": first_ps,
        "budget_ps": first_round * (1 + extension),
        "target": preset.target,
        "phase": phase,
        "reference_potential": _second_opinion(potential),
        **kwargs,
    }
    maker = ConductivityMaker(**values)
    maker.settings = type(maker.settings)(**{**maker.settings.model_dump(), "seed": seed})
    return maker


def _second_opinion(potential: str | None) -> str | None:
    """Return a potential of another make that needs no download, if there is one."""
    return None if get_potential(potential).backend == "chgnet" else "chgnet"
