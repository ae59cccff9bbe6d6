"""The map of the interphase from the documents of the long runs.

    python benchmarks/interphase_map.py [--list docs/results/interphase.yaml] [--out docs/results]

Reads the documents that ``workflows/long_runs.py docs/results/interphase.yaml`` has written; any
part of the runs may be finished. Replicas of one glass are pooled. Writes

- ``interphase_table.md``, which ``interphase.md`` includes: computed and measured conductivities;
- ``interphase_sigma.svg``, ``interphase_sigma_500K.svg`` and ``interphase_energy.svg``, the glasses
  in the ternary diagram;
- ``interphase.jsonl``, the documents without curves, for ``vitrion load``.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import yaml
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from vitrion.amorphous.document import AmorphousDoc
from vitrion.chemistry.formulas import parse_composition, subscripted
from vitrion.comparison.published import conductivity_at
from vitrion.comparison.tables import MISSING, Cell, make_table, measured, quantified
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.pooling import pool
from vitrion.database.document_file import read_documents
from vitrion.defects.document import DefectDoc
from vitrion.errors import InputError
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.landscape.site_energies import landscape
from vitrion.materials.material import MaterialReport
from vitrion.materials.quantities import activation_energy, density, sigma_300K
from vitrion.polymorphs.document import PolymorphDoc
from vitrion.report.palette import PALETTE
from vitrion.runtime.atomic import write_durably
from vitrion.transport.constants import KB_EV_PER_K, ROOM_K
from vitrion.uncertainty import Estimate, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from vitrion.documents.base import VitrionDoc

RESULTS = Path(__file__).parents[1] / "docs" / "results"
COMMAND = "python benchmarks/interphase_map.py"
SUFFIX = ".jsonl.gz"
MAX_BYTES = 5_000_000
"""Maximum size of the file of documents."""

CORNERS = {"LiF": (0.0, 0.0), "LiPO3": (1.0, 0.0), "Li3PO4": (0.5, math.sqrt(3) / 2)}
"""Corners of the diagram. LiPO2F2 = 2 LiF + 2 LiPO3 - Li3PO4 lies below its lower edge."""

JOINS = (("LiPO2F2", "LiF"), ("LiPO2F2", "Li3PO4"))
CURVES: dict[str, Any] = {"van_hove": None, "jump_network": None, "percolation": None}
"""Parts of a transport result that the example store does without."""

MIDDLE_K = 500.0
"""Between the temperatures of the dynamics, so its conductivity is better known than at 300 K."""

WIDEST, WIDEST_EV = 1e6, 1.0
"""Ratio of the ends of an interval, and its width in eV, above which a value is not drawn."""

HALO = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True)
class Run:
    """A planned run: name, formula and phase."""

    name: str
    formula: str
    phase: str


@dataclass(frozen=True)
class Material:
    """A crystal or glass of the list, with the documents of its finished runs.

    Attributes
    ----------
    formula, phase : str
    n_planned, n_finished : int
        Runs of the list, and finished ones among them.
    documents : tuple of VitrionDoc
    """

    formula: str
    phase: str
    n_planned: int
    n_finished: int
    documents: tuple[VitrionDoc, ...]

    @cached_property
    def glasses(self) -> list[AmorphousDoc]:
        """The replicas of a glass, numbered from 1."""
        found = [d for d in self.documents if isinstance(d, AmorphousDoc)]
        return [g.model_copy(update={"replica": k}) for k, g in enumerate(found, start=1)]

    @cached_property
    def conductivity(self) -> ConductivityDoc | None:
        """The conductivity: of a glass, its replicas pooled."""
        found = [d for d in self.documents if isinstance(d, ConductivityDoc)]
        if self.phase == "crystalline":  # the last one of a run includes its defects
            return found[-1] if found else None
        with_results = [d for d in found if d.results]
        if not with_results:
            return None
        amorphous = [glass for glass in self.glasses if not glass.crystallized]
        newest = max(d.last_updated for d in with_results)
        # Equal inputs give equal files: the time is that of the runs, not of the pooling.
        times = {"last_updated": newest, "builder_meta": with_results[0].builder_meta}
        return pool(with_results, amorphous).model_copy(update=times)

    @cached_property
    def landscape(self) -> SiteEnergyLandscapeDoc | None:
        """The site energies: of a glass, of all replicas that have them."""
        found = [d for d in self.documents if isinstance(d, SiteEnergyLandscapeDoc)]
        if len(found) < 2 or self.phase == "crystalline":
            return found[-1] if found else None
        times = {"last_updated": found[-1].last_updated, "builder_meta": found[-1].builder_meta}
        hosts = [d for d in self.documents if isinstance(d, DefectDoc)]
        return landscape(hosts).model_copy(update=times)

    @cached_property
    def report(self) -> MaterialReport | None:
        """The documents as a report; None before the first run is finished."""
        replaced = AmorphousDoc | ConductivityDoc | SiteEnergyLandscapeDoc
        kept = [d for d in self.documents if not isinstance(d, replaced)]
        joined = [d for d in (self.conductivity, self.landscape) if d is not None]
        found = [*self.glasses, *kept, *joined]
        return MaterialReport.from_documents(found) if found else None

    @property
    def name(self) -> str:
        """Formula and phase in words."""
        return f"{self.formula} {'crystal' if self.phase == 'crystalline' else 'glass'}"


@dataclass(frozen=True)
class Measured:
    """A published conductivity.

    Attributes
    ----------
    formula, phase : str
    temperature_K : tuple of float
        Temperatures of the measured conductivities.
    sigma_mS_cm : float or None
        Conductivity at 300 K, by the activation energy from the nearest measured temperature.
    activation_energy_eV : float or None
    source, url, note : str
    """

    formula: str
    phase: str
    temperature_K: tuple[float, ...]
    sigma_mS_cm: float | None
    activation_energy_eV: float | None
    source: str
    url: str
    note: str

    @classmethod
    def from_entry(cls, entry: dict[str, Any], content: dict[str, Any]) -> Measured:
        """Read an entry of the file of published values."""
        source = content["sources"][entry["source"]]
        text = source["text"]
        if via := source.get("via"):
            text += f", compiled by {content['compilations'][via]['text']}"
        energy = entry.get("activation_energy_eV")
        points = [(c + 273.15, s) for c, s in entry.get("points", [])]
        if "sigma_S_per_cm" in entry:
            points = [(entry["temperature_C"] + 273.15, entry["sigma_S_per_cm"])]
        if len(points) > 1:
            inverse = [1.0 / (KB_EV_PER_K * t) for t, _ in points]
            energy = -float(np.polyfit(inverse, [math.log(s * t) for t, s in points], 1)[0])
        return cls(
            formula=entry["formula"],
            phase=entry["phase"],
            temperature_K=tuple(t for t, _ in points),
            sigma_mS_cm=1000.0 * _at_room(*points[0], energy) if points else None,
            activation_energy_eV=energy,
            source=text,
            url=source.get("url") or "",
            note=entry.get("note", ""),
        )


def _at_room(temperature_K: float, sigma: float, energy_eV: float | None) -> float:
    """Return a conductivity at 300 K; the measured one without an activation energy."""
    return sigma if energy_eV is None else conductivity_at(ROOM_K, sigma, temperature_K, energy_eV)


def main() -> None:
    """Read the finished runs, write all files, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", type=Path, default=RESULTS / "interphase.yaml")
    parser.add_argument("--published", type=Path, default=RESULTS / "interphase_published.yaml")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    materials = read_materials(options.list)
    published = read_published(options.published)
    documents = [thinned(d) for material in materials for d in documents_of(material)]
    write_example_store(options.out / "interphase.jsonl", documents)
    (options.out / "interphase_table.md").write_text(page(materials, published))
    draw(materials, published, options.out)
    print((options.out / "interphase_table.md").read_text())


def read_runs(path: Path) -> list[Run]:
    """Return the planned runs of a list."""
    return _runs_of(yaml.safe_load(path.read_text()))


def _runs_of(content: dict[str, Any]) -> list[Run]:
    values = {name: {**content["common"], **own} for name, own in content["runs"].items()}
    return [Run(name, own["formula"], own["phase"]) for name, own in values.items()]


def read_materials(path: Path) -> list[Material]:
    """Return the materials of a list in its order, with the documents of the finished runs."""
    content = yaml.safe_load(path.read_text())
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in _runs_of(content):
        groups.setdefault((run.formula, run.phase), []).append(run)
    folder = path.with_suffix("")
    files = {key: [folder / f"{run.name}{SUFFIX}" for run in runs] for key, runs in groups.items()}
    for entry in content.get("elsewhere", []):
        files[entry["formula"], entry["phase"]] = sorted(path.parent.glob(entry["files"]))
    return [_read_material(*key, paths) for key, paths in files.items()]


def _read_material(formula: str, phase: str, files: Sequence[Path]) -> Material:
    finished = [file for file in files if file.exists()]
    documents = tuple(d for file in finished for d in read_documents(file) if d.phase == phase)
    return Material(formula, phase, len(files), len(finished), documents)


def read_published(path: Path) -> list[Measured]:
    """Return the published values."""
    content = yaml.safe_load(path.read_text())
    return [Measured.from_entry(entry, content) for entry in content["values"]]


def documents_of(material: Material) -> list[VitrionDoc]:
    """Return the documents of a material for the example store: replicas pooled."""
    if material.report is None:
        return []
    report = material.report
    return [*report.documents, *(d for d in report.older if isinstance(d, PolymorphDoc))]


def thinned(document: VitrionDoc) -> VitrionDoc:
    """Return a document without the curves that make it large."""
    if isinstance(document, ConductivityDoc):
        results = [result.model_copy(update=CURVES) for result in document.results]
        return document.model_copy(update={"results": results, "replicas": [], "systems": []})
    if isinstance(document, DefectDoc):
        return document.model_copy(update={"relaxed_structures": None})
    if isinstance(document, PolymorphDoc):
        return document.model_copy(update={"polymorphs": document.polymorphs[:3]})
    return document


def write_example_store(path: Path, documents: Sequence[VitrionDoc]) -> None:
    """Write documents with six significant digits, one per line, and read them back.

    Raises
    ------
    InputError
        If the file exceeds 5 MB.
    """
    lines = [
        json.dumps(_rounded(json.loads(document.model_dump_json())), separators=(",", ":")) + "\n"
        for document in documents
    ]
    text = "".join(lines)
    if len(text.encode()) > MAX_BYTES:
        raise InputError(f"The documents have {len(text.encode())} bytes, more than {MAX_BYTES}.")
    write_durably(path, text)
    if documents:
        read_documents(path)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return value


def page(materials: Sequence[Material], published: Sequence[Measured]) -> str:
    """Return the tables as a part of a page of the documentation."""
    n_planned = sum(material.n_planned for material in materials)
    n_finished = sum(material.n_finished for material in materials)
    done = [material for material in materials if material.report is not None]
    lines = [
        f"Made by `{COMMAND}` from {n_finished} of {n_planned} planned runs; intervals are of "
        "95 %.",
        "",
        *_missing_lines(materials),
    ]
    for phase, title in (("crystalline", "Crystals"), ("amorphous", "Glasses")):
        own = [material for material in done if material.phase == phase]
        if own:
            table = make_table(title, HEADS, [_row(m, published) for m in own]).markdown()
            lines += [f"### {title}", "", *_sortable(table)]
    lines += ["### Published values", "", *_sortable(_published_table(published)), *_notes(done)]
    return "\n".join(lines) + "\n"


HEADS = ("material", "LiF (%) #", "Li3PO4 (%) #", "LiPO3 (%) #", "sigma(300 K) (mS/cm) #",
         "measured (mS/cm) #", "sigma(500 K) (mS/cm) #", "Ea (eV) #", "measured Ea (eV) #",
         "density (g/cm3) #", "Tg of the quench (K) #", "T of the fit (K)", "runs")  # fmt: skip


def _sortable(table: str) -> list[str]:
    return [":::{table}", ":class: sortable", "", table, ":::", ""]


def _missing_lines(materials: Sequence[Material]) -> list[str]:
    missing = [material for material in materials if material.n_finished < material.n_planned]
    if not missing:
        return []
    if not any(material.n_finished for material in materials):
        return ["No run is finished yet: the tables contain published values only.", ""]
    names = ", ".join(f"{m.name} ({m.n_finished} of {m.n_planned})" for m in missing)
    return [f"Not finished: {names}.", ""]


def _row(material: Material, published: Sequence[Measured]) -> list[Cell | str]:
    report = material.report
    assert report is not None
    mixture = fractions(material.formula)
    shares = [100 * mixture[name] for name in ("LiF", "Li3PO4", "LiPO3")] if mixture else [None] * 3
    same = [m for m in published if (m.formula, m.phase) == (material.formula, material.phase)]
    glass_transition = material.conductivity and material.conductivity.glass_transition
    return [
        Cell(material.formula),
        *(measured(share, ".0f") for share in shares),
        quantified(sigma_300K(report)),
        _cell_of([m.sigma_mS_cm for m in same]),
        quantified(sigma_at_middle(material)),
        quantified(activation_energy(report)),
        _cell_of([m.activation_energy_eV for m in same]),
        quantified(density(report)),
        quantified(glass_transition),
        _fitted(material),
        f"{material.n_finished} of {material.n_planned}",
    ]


def sigma_at_middle(material: Material) -> Estimate | None:
    """Return the conductivity in mS/cm at 500 K, near the temperatures of the dynamics."""
    document = material.conductivity
    if document is None:
        return None
    if document.route == "defects" and document.by_defects is not None:
        points = document.by_defects.points
        return next((p.conductivity for p in points if p.temperature_K == MIDDLE_K), None)
    return document.arrhenius.conductivity(MIDDLE_K) if document.arrhenius else None


def _cell_of(values: Sequence[float | None]) -> Cell:
    known = sorted(value for value in values if value is not None)
    if not known:
        return Cell(MISSING)
    ends = dict.fromkeys(number(value) for value in (known[0], known[-1]))
    return Cell(" to ".join(ends), known[0])


def _fitted(material: Material) -> str:
    """Return the temperatures of the fit, or the other route to the value."""
    document = material.conductivity
    if document is None:
        return "crystallized" if material.glasses else MISSING
    if document.route == "defects":
        return "defects"
    points = document.arrhenius.points if document.arrhenius else []
    used = [f"{point.temperature_K:.0f}" for point in points if not point.excluded]
    return ", ".join(used) or MISSING


def _published_table(published: Sequence[Measured]) -> str:
    heads = ("material", "phase", "sigma(300 K) (mS/cm) #", "Ea (eV) #", "measured at (K)",
             "source", "note")  # fmt: skip
    rows = [
        [
            one.formula,
            "crystal" if one.phase == "crystalline" else "glass",
            measured(one.sigma_mS_cm, ""),
            measured(one.activation_energy_eV),
            ", ".join(f"{t:.0f}" for t in one.temperature_K) or MISSING,
            f"[{one.source}]({one.url})" if one.url else one.source,
            one.note or MISSING,
        ]
        for one in published
    ]
    return make_table("Published values", heads, rows).markdown()


def _notes(done: Sequence[Material]) -> list[str]:
    """Return why values are missing, and the remarks on the glasses."""
    lines = []
    for material in done:
        document = material.conductivity
        found = list(document.arrhenius.refusals) if document and document.arrhenius else []
        if document is not None and document.route == "defects":
            found = []
        found += [] if document is None else [*document.remarks, *document.failures.values()]
        found += [f"Glass {g.replica}: {remark}" for g in material.glasses for remark in g.remarks]
        lines += [f"- {material.name}: {sentence}" for sentence in found]
    return ["### Cautions", "", *lines, ""] if lines else []


def fractions(formula: str) -> dict[str, float] | None:
    """Return the molar fractions of LiF, Li3PO4 and LiPO3, which add up to 1.

    A fraction is negative outside of the triangle. None for other elements, or without P and F.
    """
    amounts = parse_composition(formula).get_el_amt_dict()
    lithium, oxygen, phosphorus, fluorine = (amounts.pop(s, 0.0) for s in ("Li", "O", "P", "F"))
    if amounts or not (phosphorus or fluorine):
        return None
    orthophosphate = (lithium - fluorine - phosphorus) / 2
    found = {"LiF": fluorine, "Li3PO4": orthophosphate, "LiPO3": phosphorus - orthophosphate}
    if not math.isclose(4 * found["Li3PO4"] + 3 * found["LiPO3"], oxygen, abs_tol=1e-6):
        return None
    total = sum(found.values())
    return {name: amount / total for name, amount in found.items()}


def place(formula: str) -> tuple[float, float] | None:
    """Return the place of a composition in the diagram."""
    mixture = fractions(formula)
    if mixture is None:
        return None
    x, y = (sum(part * CORNERS[name][k] for name, part in mixture.items()) for k in (0, 1))
    return x, y


@dataclass(frozen=True)
class Mark:
    """A value, or an upper bound, at a place of the diagram."""

    x: float
    y: float
    value: float
    text: str
    is_bound: bool = False


def draw(materials: Sequence[Material], published: Sequence[Measured], folder: Path) -> None:
    """Draw the conductivities and the activation energies of the glasses."""
    glasses = [m for m in materials if m.phase == "amorphous"]
    shown = [m for m in published if m.phase == "amorphous"]
    sigmas = [mark for m in glasses if (mark := _sigma_mark(m))]
    energies = [mark for m in glasses if (mark := _energy_mark(m))]
    measured_sigmas = [_mark(m.formula, m.sigma_mS_cm) for m in _preferred(shown, "sigma_mS_cm")]
    measured_energies = [
        _mark(m.formula, m.activation_energy_eV) for m in _preferred(shown, "activation_energy_eV")
    ]
    planned = [spot for m in glasses if (spot := place(m.formula))]
    middle = [(m.formula, value) for m in glasses if (value := sigma_at_middle(m))]
    middles = [_mark(formula, value.value) for formula, value in middle]
    labels = ("conductivity at 300 K (mS/cm)", f"conductivity at {MIDDLE_K:.0f} K (mS/cm)",
              "activation energy (eV)")  # fmt: skip
    for name, label, marks, beside, log in (
        ("sigma", labels[0], sigmas, measured_sigmas, True),
        (f"sigma_{MIDDLE_K:.0f}K", labels[1], middles, [], True),
        ("energy", labels[2], energies, measured_energies, False),
    ):
        draw_ternary(folder / f"interphase_{name}.svg", label, marks, beside, planned, log=log)


def _sigma_mark(material: Material) -> Mark | None:
    found = material.report and sigma_300K(material.report)
    if not found:
        return None
    if not isinstance(found, Estimate):
        return _mark(material.formula, found.limit, is_bound=True)
    low, high = found.interval_95
    return _mark(material.formula, found.value) if high < WIDEST * low else None


def _energy_mark(material: Material) -> Mark | None:
    found = material.report and activation_energy(material.report)
    if not found or not found.interval_95:
        return None
    low, high = found.interval_95
    return _mark(material.formula, found.value) if high - low < WIDEST_EV else None


def _mark(formula: str, value: float, *, is_bound: bool = False) -> Mark:
    spot = place(formula)
    assert spot is not None
    return Mark(*spot, value, f"{'< ' if is_bound else ''}{number(value)}", is_bound)


def _preferred(published: Sequence[Measured], field: str) -> list[Measured]:
    """Return the first published value of each composition."""
    found: dict[str, Measured] = {}
    for one in published:
        if getattr(one, field) is not None:
            found.setdefault(one.formula, one)
    return list(found.values())


def draw_ternary(
    path: Path,
    label: str,
    marks: Sequence[Mark],
    beside: Sequence[Mark],
    planned: Sequence[tuple[float, float]],
    *,
    log: bool,
) -> None:
    """Draw values (circles), upper bounds (triangles) and measured values (diamonds)."""
    ink, muted, grid = (PALETTE[name][0] for name in ("ink", "muted", "grid"))
    with matplotlib.rc_context({"svg.hashsalt": "vitrion", "text.color": ink}):
        figure = Figure(figsize=(7.2, 6.4), layout="constrained", facecolor="white")
        ax = figure.subplots()
        ax.set_aspect("equal")
        ax.set_axis_off()
        _draw_frame(ax, grid, muted)
        empty = [spot for spot in planned if spot not in {(mark.x, mark.y) for mark in marks}]
        if empty:
            ax.scatter(*zip(*empty, strict=True), marker="x", s=30, color=muted, linewidth=1,
                       label="no value")  # fmt: skip
        values = [mark.value for mark in (*marks, *beside)]
        norm = (LogNorm if log else Normalize)(min(values), max(values)) if values else None
        style: dict[str, Any] = {"norm": norm, "cmap": "viridis", "zorder": 3, "edgecolors": ink}
        drawn = None
        for own, marker, size, name in (
            ([m for m in marks if not m.is_bound], "o", 110, "computed"),
            ([m for m in marks if m.is_bound], "v", 90, "computed, upper bound"),
            ([_shifted(m) for m in beside], "D", 42, "measured"),
        ):
            if own:
                x, y, c = zip(*((m.x, m.y, m.value) for m in own), strict=True)
                drawn = ax.scatter(x, y, c=c, marker=marker, s=size, label=name, **style)
        for mark in marks:
            ax.annotate(mark.text, (mark.x, mark.y), (0, -15), textcoords="offset points",
                        ha="center", fontsize=7, bbox=HALO)  # fmt: skip
        for mark in map(_shifted, beside):
            ax.annotate(mark.text, (mark.x, mark.y), (6, 0), textcoords="offset points",
                        va="center", fontsize=7, color=muted, bbox=HALO)  # fmt: skip
        if drawn is not None:
            figure.colorbar(drawn, ax=ax, label=label, shrink=0.6)
        ax.legend(loc="upper left", frameon=False, fontsize="small")
        figure.savefig(path, metadata={"Date": None})


def _shifted(mark: Mark) -> Mark:
    """Return a mark beside the place of its composition, away from the triangle."""
    return Mark(mark.x + 0.05, mark.y + 0.02, mark.value, mark.text, mark.is_bound)


def _draw_frame(ax: Axes, grid: str, muted: str) -> None:
    """Draw the triangle with its grid, the joins of LiPO2F2 and the names of the corners."""
    names = list(CORNERS)
    corners = [np.array(CORNERS[name]) for name in names]
    for k in range(3):
        a, b, c = corners[k], corners[k - 1], corners[k - 2]
        for step in (0.0, 0.25, 0.5, 0.75):
            ends = np.array([a + step * (b - a), c + step * (b - c)])
            ax.plot(*ends.T, color=muted if step == 0 else grid, linewidth=1, zorder=1)
    for ends in JOINS:
        spots = np.array([place(formula) for formula in ends])
        ax.plot(*spots.T, color=muted, linewidth=1, linestyle="--", zorder=1)
    outward = {"LiF": (-8, -4, "right"), "LiPO3": (0, -32, "center"), "Li3PO4": (-8, 8, "right"),
               "LiPO2F2": (0, -34, "center")}  # fmt: skip
    for name, (x, y, side) in outward.items():
        ax.annotate(subscripted(name), place(name), (x, y), textcoords="offset points", ha=side)


if __name__ == "__main__":
    main()
