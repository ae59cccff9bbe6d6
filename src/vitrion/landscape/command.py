"""What the command ``vitrion defects`` does once it has its structure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.chemistry.formulas import display_formula
from vitrion.chemistry.structure_files import read_structure_file
from vitrion.chemistry.structures import check_apart, check_ordered
from vitrion.errors import InputError
from vitrion.landscape.study_settings import DefectSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Structure

    from vitrion.defects.document import DefectDoc

DOCUMENT_FILE = "defects.json"


@dataclass(frozen=True)
class DefectReport:
    """A document, and rows that say the most of it.

    Attributes
    ----------
    document : DefectDoc
    path : Path
        Where the document was written.
    rows : list of (what, value)
    """

    document: DefectDoc
    path: Path
    rows: list[tuple[str, str]]


def read_structure(target: str, find: Callable[[str], Structure | None] | None = None) -> Structure:
    """Return the structure that a user names by a file or by an identifier.

    Parameters
    ----------
    target : str
        A file that pymatgen or ASE reads (CIF, POSCAR, JSON, extxyz, traj, ...), or an
        identifier.
    find : callable, optional
        Looks up an identifier in a store; returns None if it is absent.

    Raises
    ------
    InputError
        If there is neither such a file nor such an identifier, the file cannot be read, or the
        structure is disordered or has overlapping atoms.
    """
    if os.path.isfile(target):
        return check_apart(check_ordered(read_structure_file(target), target), target)
    found = find(target) if find is not None else None
    if found is None:
        raise InputError(
            f"'{target}' is neither a structure file nor the identifier of a stored structure."
        )
    return check_apart(check_ordered(found, target), target)


def run_defects(
    structure: Structure,
    settings: DefectSettings | None = None,
    *,
    directory: str | Path = "defects",
    potential: str | None = None,
    trajectory: str | None = None,
    material_id: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DefectReport:
    """Compute the defects of a structure and write the document.

    Parameters
    ----------
    structure : Structure
        Relaxed with the potential.
    settings : DefectSettings, optional
    directory : path
        Contains finished defects and the document; the same call resumes from it.
    potential : str, optional
        Name in the registry.
    trajectory : str, optional
        Dynamics of the structure, whose density peaks are additional candidate sites.
    material_id : str, optional
    on_progress : callable, optional
        Called with the number of defects done and the number of all.

    Returns
    -------
    DefectReport

    Raises
    ------
    InputError
        If the settings do not suit the structure.
    """
    from vitrion.landscape.makers import DefectMaker

    maker = DefectMaker(potential=potential, settings=settings or DefectSettings())
    document = maker.run(
        structure,
        directory,
        trajectory=trajectory,
        material_id=material_id,
        on_progress=on_progress,
    )
    path = Path(directory) / DOCUMENT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document.model_dump_json(indent=1))
    return DefectReport(document, path, summary_rows(document))


def summary_rows(document: DefectDoc) -> list[tuple[str, str]]:
    """Return what a user wants to see first."""
    formula = display_formula(document.formula_pretty or "")
    rows = [
        ("host", f"{formula}, {document.phase}, {document.nsites} atoms"),
        ("empty sites tried", str(len(document.sites))),
    ]
    named = (
        ("interstitial at 0 V", document.interstitial_energy_eV),
        ("vacancy at 0 V", document.vacancy_energy_eV),
        ("Frenkel pair, near", document.near_frenkel_energy_eV),
        ("Frenkel pair, far", document.frenkel_energy_eV),
    )
    for name, found in named:
        if found is not None:
            text = f"lowest {found.minimum_eV:.2f} eV, mean {found.mean_eV:.2f} eV"
            rows.append((name, f"{text}, spread {found.std_eV:.2f} eV, {found.n} distinct"))
    if document.equilibrium:
        first = document.equilibrium[0]
        rows.append(
            (f"Frenkel pairs at {first.temperature_K:.0f} K", f"{first.fraction:.1e} per ion")
        )
    for network in document.networks:
        lost, skipped = network.n_unconverged, network.n_skipped
        for found_path in network.percolation:
            label = f"{network.mechanism} barrier, {found_path.dimension}-dimensional"
            bound = "at most " if lost or skipped else ""
            rows.append((label, f"{bound}{found_path.barrier_eV:.2f} eV"))
        total = len(network.hops) + skipped
        if lost:
            label = f"{network.mechanism} hops left out, not converged"
            rows.append((label, f"{lost} of {total} distinct"))
        if skipped:
            label = f"{network.mechanism} hops not computed"
            rows.append((label, f"{skipped} of {total} distinct"))
    moved = sum(r.displaced_ions > 0 for r in document.records)
    recombined = sum(r.recombined for r in document.records)
    lost = sum(not r.converged for r in document.records)
    rows.append(
        ("host ion displaced / recombined / not converged", f"{moved} / {recombined} / {lost}")
    )
    return rows
