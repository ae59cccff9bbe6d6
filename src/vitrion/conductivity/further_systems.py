"""Further systems of a set, such as glasses: who makes them, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from jobflow import Flow
    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.conductivity.conductivity_settings import ConductivitySettings
    from vitrion.conductivity.segments import Schedule


class Cost(NamedTuple):
    """Budget of molecular dynamics in ps, and what one more system takes; None if none is made."""

    budget_ps: float
    system_ps: float | None


class SystemMaker(Protocol):
    """Maker of further systems of a set, such as glasses made in the same way."""

    def make(self, origin: Structure | CompositionLike, n_before: int, n: int) -> Flow:
        """Create a flow.

        Parameters
        ----------
        origin : Structure, Composition or str
            What the systems are made from.
        n_before, n : int
            Number of further systems made before, and now.

        Returns
        -------
        Flow
            Its output is a dictionary: ``structures``, which may be fewer than asked for, and
            ``remarks``.
        """
        ...

    def duration_ps(self, origin: Structure | CompositionLike) -> float:
        """Return the molecular dynamics in ps that make one system."""
        ...


def cost_of_systems(
    settings: ConductivitySettings, schedule: Schedule, n_systems: int, made_ps: float | None
) -> Cost:
    """Return the cost of one more system, and the budget left by those asked for before.

    Parameters
    ----------
    settings : ConductivitySettings
        With the temperatures.
    schedule : Schedule
    n_systems : int
        Number of systems now.
    made_ps : float or None
        Molecular dynamics in ps that make one system; None if none can be made.
    """
    budget_ps = settings.budget_ps(schedule.n_systems)
    if made_ps is None:
        return Cost(budget_ps, None)
    runs = settings.n_temperatures * settings.replicas
    before_ps = made_ps + runs * (settings.density_ps + settings.equilibration_ps)
    left_ps = budget_ps - schedule.n_requested(n_systems) * before_ps
    system_ps = before_ps + settings.replicas * schedule.length_ps
    return Cost(left_ps, None if schedule.closed else system_ps)
