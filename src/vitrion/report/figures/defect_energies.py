"""Figures of defects: energy distributions, formation energies against voltage, barriers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.report.palette import numbered_dash, phase_dash, phase_symbol, report_colors
from vitrion.report.panels import Axis, Curve, Figure, Line, Mark, Panel, Points

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.defects.document import BarrierNetwork, DefectDoc, DefectKind, DefectRecord
    from vitrion.materials.material import MaterialReport

EXCHANGED: tuple[DefectKind, ...] = ("interstitial", "vacancy")
VOLTAGES_V = (0.0, 5.0)
KINDS: tuple[tuple[DefectKind, str], ...] = (
    ("frenkel", "Frenkel pair"),
    ("interstitial", "interstitial at 0 V"),
    ("vacancy", "vacancy at 0 V"),
)


def defect_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe cumulative distributions of defect energies by kind; None without defects."""
    panels = [panel for kind, name in KINDS if (panel := _cumulative(reports, kind, name))]
    if not panels:
        return None
    return Figure(
        "defect_energies",
        "Defect energies",
        "Cumulative fraction of the defects of each kind by energy, weighted by the multiplicity "
        "of the site, over all replicas. A crystal has a few steps, a glass a continuous range.",
        (tuple(panels),),
    )


def _cumulative(reports: Sequence[MaterialReport], kind: DefectKind, title: str) -> Panel | None:
    marks: list[Mark] = []
    for report, color in zip(reports, report_colors(reports), strict=True):
        records = [r for document in report.defects for r in _comparable(document, kind)]
        if not records:
            continue
        records.sort(key=lambda record: _energy(record, kind))
        energies = np.array([_energy(record, kind) for record in records])
        shares = np.cumsum([record.weight for record in records])
        shares = 100.0 * shares / shares[-1]
        x, y = _steps(energies, shares)
        dash, symbol = phase_dash(report.phase), phase_symbol(report.phase)
        marks.append(Curve(x, y, report.label, color, dash, group=report.label))
        notes = [f"{record.label}: {e:.2f} eV" for record, e in zip(records, energies, strict=True)]
        marks.append(
            Points(
                energies,
                shares,
                color=color,
                symbol=symbol,
                group=report.label,
                notes=notes,
            )
        )
    if not marks:
        return None
    share = Axis("fraction of the defects (%)", limits=(0.0, 105.0))
    return Panel(Axis("energy (eV)", limits=_padded(marks)), share, tuple(marks), title)


def _padded(marks: Sequence[Mark]) -> tuple[float, float]:
    """Return limits of an energy axis, with a margin around the steps."""
    energies = np.concatenate([mark.x for mark in marks if isinstance(mark, Curve)])
    margin = 0.05 * max(float(np.ptp(energies)), 0.2)
    return float(energies.min()) - margin, float(energies.max()) + margin


def _comparable(document: DefectDoc, kind: DefectKind) -> list[DefectRecord]:
    """Return the records with energies that are comparable between hosts."""
    found = document.of_kind(kind)
    if kind == "frenkel":
        far = [record for record in found if record.separation == "far"]
        return far or found
    return [record for record in found if record.formation_energy_eV is not None]


def _energy(record: DefectRecord, kind: DefectKind) -> float:
    if kind == "frenkel" or record.formation_energy_eV is None:
        return record.energy_eV
    return record.formation_energy_eV


def _steps(energies: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of a staircase that starts at zero."""
    x = np.repeat(energies, 2)
    y = np.repeat(np.concatenate([[0.0], shares]), 2)[1:-1]
    return x, y


def voltage_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe formation energies against voltage; None without a reservoir."""
    marks: list[Mark] = []
    for report, color in zip(reports, report_colors(reports), strict=True):
        for index, kind in enumerate(EXCHANGED):
            lowest = _lowest(report.defects, kind)
            if lowest is None:
                continue
            document, record = lowest
            x = np.linspace(*VOLTAGES_V, 11)
            y = document.formation_line(record.label, x.tolist())
            name = f"{report.label}, {kind}"
            marks.append(Curve(x, y, name, color, numbered_dash(index)))
    if not marks:
        return None
    panel = Panel(
        Axis("voltage against the metal (V)", limits=VOLTAGES_V),
        Axis("lowest formation energy (eV)"),
        (Line(0.0, vertical=False, dash="dot"), *marks),
    )
    return Figure(
        "formation_energies",
        "Formation energies against voltage",
        "Lowest interstitial and vacancy energies of each material against the voltage that sets "
        "the chemical potential of the ion; 0 V is the metal.",
        ((panel,),),
    )


def _lowest(
    documents: Iterable[DefectDoc], kind: DefectKind
) -> tuple[DefectDoc, DefectRecord] | None:
    found = [
        (document, record)
        for document in documents
        if document.reservoir is not None
        for record in document.of_kind(kind)
        if record.formation_energy_eV is not None
    ]
    return min(found, key=lambda pair: pair[1].formation_energy_eV or 0.0, default=None)


def barrier_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the cumulative distribution of barriers; None without barriers."""
    marks: list[Mark] = []
    for report, color in zip(reports, report_colors(reports), strict=True):
        for index, (mechanism, networks) in enumerate(_by_mechanism(report).items()):
            marks += _barrier_steps(f"{report.label}, {mechanism}", networks, color, index)
    if not marks:
        return None
    share = Axis("fraction of the hops (%)", limits=(0.0, 108.0))
    return Figure(
        "barriers",
        "Barriers of hops",
        "Cumulative fraction of the hops, forward and backward, by barrier; vertical lines mark "
        "the percolating barrier.",
        ((Panel(Axis("barrier (eV)", limits=_padded(marks)), share, tuple(marks)),),),
    )


def _by_mechanism(report: MaterialReport) -> dict[str, list[BarrierNetwork]]:
    networks = [network for document in report.defects for network in document.networks]
    if not networks and report.landscape is not None:
        networks = list(report.landscape.networks)
    found: dict[str, list[BarrierNetwork]] = {}
    for network in networks:
        if any(hop.counts for hop in network.hops):
            found.setdefault(network.mechanism, []).append(network)
    return found


def _barrier_steps(
    name: str, networks: Sequence[BarrierNetwork], color: str, index: int
) -> list[Mark]:
    pairs = sorted(
        (barrier, hop.multiplicity)
        for network in networks
        for hop in network.hops
        if hop.counts
        for barrier in (hop.forward_barrier_eV, hop.backward_barrier_eV)
    )
    energies, weights = np.array(pairs, dtype=float).T
    shares = 100.0 * np.cumsum(weights) / weights.sum()
    dash = numbered_dash(index)
    marks: list[Mark] = [Curve(*_steps(energies, shares), name, color, dash, group=name)]
    crossing = [network.percolation[0].barrier_eV for network in networks if network.percolation]
    if crossing:
        marks.append(Line(float(np.mean(crossing)), color=color, dash="dot"))
    return marks
