"""Bonding of network formers: PO2F2, PO3F, PO4, bridges, unbound fluoride, broken ions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vitrion.chemistry.bonds import Bonds, find_bonds, formula_of
from vitrion.chemistry.elements import bonds_covalently, electronegativity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure


class Speciation(BaseModel):
    """Covalent species of one structure; counts are per cell."""

    model_config = ConfigDict(frozen=True)

    centers: dict[str, dict[str, int]] = Field(
        description="For each former element, the number of its atoms by ligand shell, such as "
        "{'P': {'PO2F2': 8}}; a bridging ligand counts for each former that it is bound to."
    )
    bridges: dict[str, int] = Field(
        description="Ligands bound to two or more formers, by bridge: {'P-O-P': 2}."
    )
    bridging_per_center: dict[str, dict[str, int]] = Field(
        description="For each former element, the number of its atoms with 0, 1, 2, ... bridging "
        "ligands: {'P': {'Q0': 6, 'Q1': 2}}."
    )
    direct: dict[str, int] = Field(description="Bonds between two formers: {'P-P': 1}.")
    loose: dict[str, int] = Field(description="Unbound atoms of ligand elements: {'F': 1}.")
    molecules: dict[str, int] = Field(
        description="Molecules and ions by formula, without metal cations."
    )

    def fraction(self, formula: str) -> float:
        """Return the fraction of the atoms of a former that form the given unit (``"PO2F2"``)."""
        for species in self.centers.values():
            if formula in species:
                return species[formula] / sum(species.values())
        return 0.0

    @property
    def text(self) -> str:
        """Species of all formers, the most frequent first, then bridges and unbound ligands."""
        counts = [item for species in self.centers.values() for item in species.items()]
        words = [f"{n} {name}" for name, n in sorted(counts, key=lambda item: -item[1])]
        words += [f"{n} {name}" for name, n in self.bridges.items()]
        return ", ".join(words + [f"{n} loose {symbol}" for symbol, n in self.loose.items()])


def default_formers(symbols: Iterable[str]) -> tuple[str, ...]:
    """Return the elements at the centers of polyanions or a network: P in LiPO2F2, S in Li2SO4.

    These are the p-block elements except H, O and F, if the structure contains a more
    electronegative one (hydrogen counts for boron only).
    """
    molecular = sorted(filter(bonds_covalently, set(symbols)), key=electronegativity)
    ligands = [s for s in molecular if s != "H"]
    return tuple(
        s
        for s in molecular
        if s not in ("H", "O", "F") and (s != ligands[-1] or (s == "B" and "H" in molecular))
    )


def speciate(structure: Structure, *, formers: Sequence[str] | None = None) -> Speciation:
    """Find the ligands and bridges of every network former.

    Parameters
    ----------
    structure : Structure
    formers : sequence of str, optional
        Elements at the center of polyanions; :func:`default_formers` by default. An atom of a
        former element that is bound only to less electronegative formers is a ligand (S in PS4 of
        an oxysulfide).

    Returns
    -------
    Speciation
    """
    bonds = find_bonds(structure)
    symbols = bonds.symbols.tolist()
    formers = tuple(default_formers(symbols) if formers is None else formers)
    is_center = _centers(bonds, formers)
    on_centers = _bound_centers(bonds, is_center)

    centers: dict[str, Counter[str]] = {
        former: Counter() for former in formers if former in symbols
    }
    bridging: dict[str, Counter[int]] = {former: Counter() for former in centers}
    direct: Counter[str] = Counter()
    for site in np.flatnonzero(is_center):
        ligands = [k for k in bonds.neighbors(site) if not is_center[k]]
        name = formula_of([symbols[site]]) + _ligand_part(symbols[k] for k in ligands)
        centers[symbols[site]][name] += 1
        bridging[symbols[site]][sum(len(on_centers[k]) > 1 for k in ligands)] += 1
        direct.update(
            _joined(symbols[site], symbols[k]) for k in bonds.neighbors(site) if is_center[k]
        )
    bridges = Counter(
        f"{_joined(*(symbols[c] for c in on_centers[k]), middle=symbols[k])}"
        for k in np.flatnonzero(~is_center)
        if len(on_centers[k]) > 1
    )
    molecules, loose = _molecules(bonds, is_center)
    return Speciation(
        centers={former: _by_count(found) for former, found in centers.items()},
        bridges=_by_count(bridges),
        bridging_per_center={
            former: {f"Q{n}": found[n] for n in sorted(found)} for former, found in bridging.items()
        },
        direct={name: n // 2 for name, n in _by_count(direct).items()},
        loose=loose,
        molecules=molecules,
    )


def intact_ions(structure: Structure, ions: Sequence[Sequence[int]]) -> float | None:
    """Return the fraction of the given polyanions (site indices) that are intact molecules.

    None if all ions are monatomic.
    """
    molecules = {tuple(sites.tolist()) for sites in find_bonds(structure).molecules()}
    polyatomic = [tuple(sorted(sites)) for sites in ions if len(sites) > 1]
    if not polyatomic:
        return None
    return sum(sites in molecules for sites in polyatomic) / len(polyatomic)


def _centers(bonds: Bonds, formers: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return the mask of the atoms that act as centers, shape (n_atoms,)."""
    symbols = bonds.symbols.tolist()
    is_center = np.isin(bonds.symbols, formers)
    for site in np.flatnonzero(is_center):
        neighbors = [symbols[k] for k in bonds.neighbors(site) if symbols[k] != "H"]
        own = electronegativity(symbols[site])
        if neighbors and all(n in formers and electronegativity(n) < own for n in neighbors):
            is_center[site] = False
    return is_center


def _bound_centers(bonds: Bonds, is_center: NDArray[np.bool_]) -> list[list[int]]:
    """Return the centers that each atom is bound to."""
    bound: list[list[int]] = [[] for _ in bonds.symbols]
    for first, second in zip(bonds.first.tolist(), bonds.second.tolist(), strict=True):
        if is_center[second]:
            bound[first].append(second)
    return bound


def _ligand_part(ligands: Iterable[str]) -> str:
    found = list(ligands)
    return formula_of(found) if found else ""


def _joined(*ends: str, middle: str | None = None) -> str:
    """Name a bridge P-O-P or a bond P-P with the ends in alphabetical order."""
    if middle is None:
        return "-".join(sorted(ends))
    if len(ends) == 2:
        return f"{min(ends)}-{middle}-{max(ends)}"
    return f"{middle}({','.join(sorted(ends))})"


def _molecules(bonds: Bonds, is_center: NDArray[np.bool_]) -> tuple[dict[str, int], dict[str, int]]:
    molecules: Counter[str] = Counter()
    loose: Counter[str] = Counter()
    for sites in bonds.molecules():
        symbols = bonds.symbols[sites].tolist()
        if not bonds_covalently(symbols[0]):
            continue
        molecules[formula_of(symbols)] += 1
        if len(sites) == 1 and not is_center[sites[0]]:
            loose[symbols[0]] += 1
    return _by_count(molecules), _by_count(loose)


def _by_count(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
