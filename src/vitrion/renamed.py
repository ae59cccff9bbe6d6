"""Fields that had another name, under which older documents and settings are still read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMER = {
    "fmax_eV_per_A": "fmax_eV_A",
    "force_bound_eV_per_A": "force_bound_eV_A",
    "max_force_eV_per_A": "max_force_eV_A",
    "host_max_force_eV_per_A": "host_max_force_eV_A",
    "density_g_per_cm3": "density_g_cm3",
}
"""Former name of each field."""


def or_former(name: str) -> AliasChoices:
    """Return what a field of this name is read from: its name, or the one it had."""
    return AliasChoices(name, FORMER[name])


def read_field(values: Mapping[str, Any], name: str) -> Any:
    """Return a stored value by the name of its field, or by the one it had."""
    return values[name] if name in values else values[FORMER[name]]
