"""Further systems of a set, such as glasses: who makes them, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from jobflow import Flow
    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike


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
