"""The glasses of a conductivity: those that are not crystalline, and further ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker, OnMissing, job

from vitrion.amorphous.document import AmorphousDoc
from vitrion.amorphous.glass_transition import glass_transition
from vitrion.amorphous.makers import GlassReplicasMaker
from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike


@job(name="choose glasses")
def choose_glasses(glasses: Sequence[AmorphousDoc | dict[str, Any]]) -> dict[str, Any]:
    """Exclude replicas that crystallized.

    Parameters
    ----------
    glasses : sequence of AmorphousDoc or dict
        Documents of the replicas, or their stored form, in the order of the replicas.

    Returns
    -------
    dict
        ``structures``, the list of glasses; ``remarks``, the reasons for exclusions, and the cells
        that look crystalline but are too small for a reliable verdict; ``glass_transition``, the
        glass transition from all quenches of ``structures``, or None.

    Raises
    ------
    SimulationError
        If all replicas crystallized.
    """
    kept, remarks = _without_crystals(glasses, 1)
    if not kept:
        raise SimulationError(
            f"None of {len(glasses)} glass replicas is amorphous: cool faster, melt longer or "
            "hotter, or use a larger cell."
        )
    curves = [glass.quench_curve for glass in kept if glass.quench_curve is not None]
    return {
        "structures": [glass.structure for glass in kept],
        "remarks": remarks,
        "glass_transition": glass_transition(curves),
    }


@job(name="choose more glasses")
def choose_more_glasses(
    glasses: Sequence[AmorphousDoc | dict[str, Any] | None], first: int
) -> dict[str, Any]:
    """Exclude further replicas that crystallized or failed.

    Parameters
    ----------
    glasses : sequence of AmorphousDoc, dict or None
        As in `choose_glasses`; None for a replica that failed.
    first : int
        Number of the first of them.

    Returns
    -------
    dict
        ``structures``, which may be empty, and ``remarks``.
    """
    kept, remarks = _without_crystals(glasses, first)
    return {"structures": [glass.structure for glass in kept], "remarks": remarks}


def _without_crystals(
    glasses: Sequence[AmorphousDoc | dict[str, Any] | None], first: int
) -> tuple[list[AmorphousDoc], list[str]]:
    """Return the glasses that are not crystalline, and remarks about the others."""
    kept, remarks = [], []
    for number, stored in enumerate(glasses, start=first):
        if stored is None:
            remarks.append(f"Glass {number} failed and is excluded.")
            continue
        glass = AmorphousDoc.model_validate(stored)
        found = f"Glass {number} is crystalline ({glass.order_text})"
        if glass.crystallized:
            remarks.append(f"{found} and is excluded.")
            continue
        if not glass.is_amorphous:
            remarks.append(
                f"{found}, but {glass.nsites} atoms are too few for a reliable verdict; it is kept."
            )
        kept.append(glass)
    return kept, remarks


@dataclass
class MoreGlassesMaker(Maker):
    """Make further glasses of a set.

    Parameters
    ----------
    name : str
        The name of the flows.
    glass_maker : GlassReplicasMaker
        Maker of the set; the seeds of further glasses continue its seeds.
    """

    name: str = "more glasses"
    glass_maker: GlassReplicasMaker = field(default_factory=GlassReplicasMaker)

    def make(self, origin: Structure | CompositionLike, n_before: int, n: int) -> Flow:
        """Create the flow; see :class:`vitrion.conductivity.further_systems.SystemMaker`."""
        first = self.glass_maker.first + self.glass_maker.n_replicas + n_before
        glasses = replace(self.glass_maker, first=first, n_replicas=n).make(origin)
        chosen = choose_more_glasses(glasses.output, first)
        flow = Flow([glasses, chosen], output=chosen.output, name=self.name)
        # Glasses that fail are missing, and do not prevent the others. FireWorks would never start
        # a job that waits for a stage after the failed one.
        flow.update_config({"on_missing_references": OnMissing.NONE})
        return flow

    def duration_ps(self, origin: Structure | CompositionLike) -> float:
        """Return the molecular dynamics in ps that make one glass."""
        return self.glass_maker.melt_quench_maker.duration_ps(origin)
