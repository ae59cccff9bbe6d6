"""Values that the shell completes for options of a fixed choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Completer = Callable[[str], list[str]]


def one_of(*values: str) -> Completer:
    """Return a completion of fixed values."""
    return from_call(lambda: values)


def from_call(values: Callable[[], Iterable[str]]) -> Completer:
    """Return a completion of values that are computed when they are needed."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return complete


def _potentials() -> list[str]:
    from vitrion.potentials import list_potentials

    return [spec.name for spec in list_potentials()]


def _kinds() -> list[str]:
    from vitrion.database.kinds import document_classes

    return sorted(document_classes())


complete_potential = from_call(_potentials)
complete_kind = from_call(_kinds)
complete_phase = one_of("crystalline", "amorphous", "liquid")
