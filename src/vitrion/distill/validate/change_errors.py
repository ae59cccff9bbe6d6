"""Errors of the energy of removing or adding mobile atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.distill.data.frames import ENERGY
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator


def change_errors(frames: Sequence[Atoms], calculator: Calculator) -> list[dict[str, float | str]]:
    """Errors of the energy of removing or adding mobile atoms, in eV per atom.

    For each family of labelled frames of :mod:`vitrion.distill.sample.off_stoichiometry`, the
    energy of each defective cell minus the energy of its host is compared with the teacher. The
    reference energy of the element is included in both.

    Raises
    ------
    InputError
        If a family has no host.
    """
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        if "change" in atoms.info:
            groups.setdefault(str(atoms.info["family"]), []).append(atoms)
    found: list[dict[str, float | str]] = []
    for name, group in groups.items():
        hosts = [a for a in group if str(a.info["config_type"]).endswith(":host")]
        if len(hosts) != 1:
            raise InputError(f"The family {name} needs one host, it has {len(hosts)}.")
        host = energy_error(hosts[0], calculator)
        for atoms in group:
            if atoms is not hosts[0]:
                change = int(atoms.info["change"])
                error = (energy_error(atoms, calculator) - host) / abs(change)
                kind = str(atoms.info["config_type"])
                found.append({"family": name, "kind": kind, "change": change, "error_eV": error})
    return found


def energy_error(atoms: Atoms, calculator: Calculator) -> float:
    """Return the potential's energy minus the label, eV."""
    return float(calculator.get_potential_energy(atoms) - atoms.info[ENERGY])
