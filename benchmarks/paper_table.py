"""The paper's quantities from the documents of the long runs.

    python benchmarks/paper_table.py [--runs docs/results/paper] [--out docs/results]

Reads the documents that ``workflows/long_runs.py docs/results/paper.yaml`` has written: independent
glasses, which are pooled, and the crystal. Writes ``paper_table.md``, which ``paper.md`` includes
and discusses, and ``paper.json`` with the values, 95 % intervals and the route of each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.amorphous.document import AmorphousDoc
from vitrion.comparison.document import conductivity_ratios
from vitrion.comparison.published import SOURCE, URL, published_for
from vitrion.comparison.side_by_side import compare
from vitrion.comparison.tables import MISSING, Cell, Column, make_table, quantified
from vitrion.comparison.temperatures import temperature_table
from vitrion.conductivity.defect_route_settings import DefectConductivitySettings
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.from_defects import conductivity_from_defects
from vitrion.conductivity.pooling import pool
from vitrion.database.document_file import read_documents
from vitrion.defects.document import DefectDoc
from vitrion.landscape.site_energies import landscape
from vitrion.materials.material import MaterialReport
from vitrion.uncertainty import Bound, Estimate, LinearEstimate, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vitrion.comparison.side_by_side import Comparison
    from vitrion.documents.base import VitrionDoc

FORMULA = "LiPO2F2"
RESULTS = Path(__file__).parents[1] / "docs" / "results"
COMMAND = "python benchmarks/paper_table.py"
VACANCY_FRACTIONS = (0.0, 1e-6, 1e-4, 1e-3, 1e-2)


def main() -> None:
    """Read the documents, write both files, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RESULTS / "paper")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    documents = read_documents(options.runs)
    comparison = compare(of_crystal(documents), of_glass(documents))
    (options.out / "paper.json").write_text(json.dumps(values(comparison), indent=2) + "\n")
    (options.out / "paper_table.md").write_text(page(comparison))
    print((options.out / "paper_table.md").read_text())


def of_crystal(documents: Iterable[VitrionDoc]) -> MaterialReport:
    """Return the report of the crystal."""
    return MaterialReport.from_documents([d for d in documents if d.phase == "crystalline"])


def of_glass(documents: Iterable[VitrionDoc]) -> MaterialReport:
    """Return the report of the glasses of all runs, pooled."""
    own = [d for d in documents if d.phase == "amorphous"]
    glasses = [
        glass.model_copy(update={"replica": number})
        for number, glass in enumerate((d for d in own if isinstance(d, AmorphousDoc)), start=1)
    ]
    defects = [d for d in own if isinstance(d, DefectDoc)]
    pooled = pool([d for d in own if isinstance(d, ConductivityDoc)], glasses)
    landscapes = [landscape(defects)] if defects else []
    return MaterialReport.from_documents([*glasses, *defects, *landscapes, pooled])


def values(comparison: Comparison) -> dict[str, Any]:
    """Return the values as JSON: value and 95 % interval; None where there is only a bound."""
    crystal, glass = (material.conductivity for material in comparison.materials)
    assert crystal is not None
    assert glass is not None
    row = comparison.row("sigma_300K")
    fit = glass.arrhenius.fit if glass.arrhenius else None
    energy = fit and LinearEstimate(
        value=fit.activation_energy_eV,
        error=fit.activation_energy_error_eV,
        degrees_of_freedom=fit.degrees_of_freedom,
    )
    return {
        "formula": FORMULA,
        "glass": {
            "sigma_300K_mS_per_cm": _entry(glass.sigma_300K_or_bound, glass.route),
            "activation_energy_eV": _entry(energy or None, glass.route),
        },
        "crystal": {"sigma_300K_mS_per_cm": _entry(crystal.sigma_300K_or_bound, crystal.route)},
        "ratio_glass_over_crystal": _entry(
            row.change if row else None, f"{glass.route} over {crystal.route}"
        ),
    }


def _entry(found: Estimate | LinearEstimate | Bound | None, route: str) -> dict[str, Any]:
    if isinstance(found, Bound):
        ends = {"lower": None, "upper": None} | {found.side: found.limit}
        return {"value": None, **ends, "route": route}
    if found is None:
        return {"value": None, "lower": None, "upper": None, "route": route}
    low, high = found.interval()
    return {"value": found.value, "lower": low, "upper": high, "route": route}


def page(comparison: Comparison) -> str:
    """Return the values as a page of the documentation."""
    crystal, glass = comparison.materials
    lines = [
        f"Made by `{COMMAND}`; intervals are of 95 %.",
        f"Published values: {SOURCE} ({URL}).",
        "",
        comparison.table.markdown(),
        "",
        "## At the temperatures of the dynamics",
        "",
        "Nothing is extrapolated here: D* is the self-diffusivity.",
        "",
        *temperatures(crystal, glass),
        *vacancies(crystal, glass),
        "## Is the landscape of the glass flatter?",
        "",
        comparison.claim_table.markdown(),
        "",
        "## Cautions",
        "",
        *(f"- {caution.sentence}" for caution in comparison.cautions),
        *(f"- {sentence}" for sentence in comparison.potentials),
        "",
    ]
    return "\n".join(lines)


def temperatures(crystal: MaterialReport, glass: MaterialReport) -> list[str]:
    """Return the tables of both phases, with the paper's line and the ratio for the glass."""
    paper = published_for(FORMULA)
    assert paper is not None
    assert glass.conductivity is not None
    measured = conductivity_ratios(crystal.conductivity, glass.conductivity)
    ratios = {at.temperature_K: at for at in measured if not at.extrapolated}
    line, over = [], []
    for result in glass.conductivity.results:
        at = ratios.get(result.temperature_K)
        bound = None if at is None or at.lower_bound is None else at.lower_bound
        found = at and (at.ratio or (bound and Bound(limit=bound, side="lower")))
        line.append(Cell(f"{paper.glass_conductivity_mS_cm(result.temperature_K):.2g}"))
        over.append(Cell(found.text if found else MISSING))
    shown = [temperature_table([m]).without("material", "replicas") for m in (crystal, glass)]
    beside = shown[1].with_column(Column("the paper's line (mS/cm)", numeric=True), line)
    return [
        *("### Crystal", "", shown[0].markdown(), ""),
        *("### Glass", ""),
        f"The paper's line is drawn from its {paper.glass_conductivity_300K_mS_cm:g} mS/cm at "
        f"300 K and {paper.glass_activation_energy_eV:.2f} eV.",
        "",
        beside.with_column(Column("over crystal", numeric=True), over).markdown(),
        "",
    ]


def vacancies(crystal: MaterialReport, glass: MaterialReport) -> list[str]:
    """Return the table of the crystal at 300 K with vacancies that dopants cause."""
    defects = [d for d in crystal.defects if d.networks]
    assert glass.conductivity is not None
    if not defects:
        return []
    rows = []
    for fraction in VACANCY_FRACTIONS:
        settings = DefectConductivitySettings(defect_fraction=fraction)
        found = conductivity_from_defects(defects[0], 1.0, settings)
        over = ratio(glass.conductivity.sigma_300K_or_bound, found.sigma_300K)
        values = (found.sigma_300K, found.activation_energy, over)
        name = f"{fraction:g}" if fraction else "intrinsic"
        rows.append([name, *(quantified(value) for value in values)])
    heads = ("vacant Li sites #", "sigma(300 K) (mS/cm) #", "Ea (eV) #", "glass over crystal #")
    return [
        "## The crystal with vacancies",
        "",
        "Intrinsic, and with a fraction of the Li sites vacant, as dopants or synthesis cause it.",
        "",
        make_table("The crystal with vacancies", heads, rows).markdown(),
        "",
    ]


if __name__ == "__main__":
    main()
