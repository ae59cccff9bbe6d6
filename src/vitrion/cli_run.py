"""The command that does the main job, and the tables it ends with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from vitrion.errors import InputError

if TYPE_CHECKING:
    from vitrion.amorphous.speciation import Speciation
    from vitrion.documents.conductivity import ConductivityDoc
    from vitrion.flows.request import RunRequest, RunResult
    from vitrion.transport.result import Estimate, TransportResult

console = Console()

EXAMPLE = "Example:  vitrion run LiPO2F2 --phase amorphous --preset quick"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog=EXAMPLE)(run)


def run(
    formula: Annotated[str, typer.Argument(help="Composition, such as LiPO2F2.")],
    phase: Annotated[str, typer.Option(help="State of the material: amorphous.")] = "amorphous",
    preset: Annotated[str, typer.Option(help="quick, standard or paper.")] = "standard",
    potential: Annotated[
        str | None, typer.Option(help="Name of the potential (vitrion potential list).")
    ] = None,
    temperatures: Annotated[
        str | None, typer.Option(help="Temperatures in K with commas between.")
    ] = None,
    replicas: Annotated[int | None, typer.Option(help="Independent glasses.")] = None,
    volume_per_atom: Annotated[
        float | None, typer.Option(help="Packed volume per atom in A3.")
    ] = None,
    timestep: Annotated[float | None, typer.Option(help="Time step in fs.")] = None,
    mobile: Annotated[str | None, typer.Option(help="Species that moves.")] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    store: Annotated[
        Path | None, typer.Option("--store", help="Folder for results and trajectories.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes of one thread each.")] = None,
    allow_unbalanced: Annotated[
        bool, typer.Option("--allow-unbalanced", help="Accept a formula that is not neutral.")
    ] = False,
) -> None:
    """Make the glass of a composition and measure its ionic conductivity.

    Run again after any interruption it goes on where it was; a finished run is looked up.
    """
    from vitrion.database.job_store import SQLiteJobStore
    from vitrion.flows.display import RunDisplay
    from vitrion.flows.request import RunRequest, run_request
    from vitrion.settings import get_settings

    settings = get_settings()
    count = settings.workers if workers is None else workers
    if count < 1:
        raise InputError(f"There must be at least one worker, not {count}.")
    request = RunRequest(
        formula=formula,
        phase=phase,
        preset=preset,
        potential=potential,
        temperatures_K=_numbers(temperatures),
        n_replicas=replicas,
        volume_per_atom_A3=volume_per_atom,
        timestep_fs=timestep,
        mobile=mobile,
        seed=seed,
        allow_unbalanced=allow_unbalanced,
    ).checked()
    folder = (store or settings.store).expanduser().absolute()
    job_store = SQLiteJobStore(str(folder))
    job_store.connect()
    console.print(_headline(request, folder), highlight=False, soft_wrap=True)
    try:
        with RunDisplay() as display:
            result = run_request(
                request, job_store, folder, workers=count, on_change=display.update
            )
    finally:
        job_store.close()
    _print_result(request, result)


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",")) if text else ()
    except ValueError:
        raise InputError(
            f"'{text}' is not a list of temperatures: write it like 600,750,900."
        ) from None


def _headline(request: RunRequest, folder: Path) -> str:
    return (
        f"{request.formula}, {request.phase}: {request.n_replicas} glass(es), "
        f"{', '.join(f'{t:g}' for t in request.temperatures_K)} K, potential {request.potential}, "
        f"seed {request.seed}\nResults and trajectories in {folder}, run {request.run_id}"
    )


def _print_result(request: RunRequest, result: RunResult) -> None:
    if not result.report.completed:
        console.print("This run was finished before; its results:")
    _print_glasses(result)
    console.print(_transport_table(result.conductivity))
    for line in _summary(request, result.conductivity):
        console.print(line, highlight=False, soft_wrap=True)
    console.print("How much to trust it", style="bold")
    for line in _trust(result):
        console.print(f"- {line}", highlight=False, soft_wrap=True)


def _print_glasses(result: RunResult) -> None:
    table = Table("glass", "verdict", "density (g/cm3)", "species of the formers", title="Glasses")
    for number, glass in enumerate(result.glasses):
        verdict = "amorphous" if glass.is_amorphous else "NOT amorphous"
        density = glass.density_equilibrated_g_per_cm3
        table.add_row(
            str(number),
            verdict,
            "-" if density is None else f"{density:.2f}",
            _species(glass.speciation),
        )
    console.print(table)


def _species(speciation: Speciation) -> str:
    """Write down the surroundings of all formers, then bridges and loose ligands."""
    counts = [count for kinds in speciation.centers.values() for count in kinds.items()]
    words = [f"{n} {name}" for name, n in sorted(counts, key=lambda item: -item[1])]
    words += [f"{n} {name}" for name, n in speciation.bridges.items()]
    return ", ".join(words + [f"{n} loose {name}" for name, n in speciation.loose.items()])


def _transport_table(document: ConductivityDoc) -> Table:
    table = Table("T (K)", "D* (cm2/s)", "95 %", "sigma (mS/cm)", "95 %", "Haven", "hops")
    table.title = "Transport (interval, or upper bound where nothing diffuses)"
    for result in document.results:
        diffusivity = _cells(result.self_diffusivity, result.diffusivity_bound_cm2_s)
        conductivity = _cells(result.conductivity, result.conductivity_bound_mS_cm)
        haven = "-" if result.haven_ratio is None else f"{result.haven_ratio.value:.2f}"
        table.add_row(
            f"{result.temperature_K:g}", *diffusivity, *conductivity, haven, _hops(result)
        )
    return table


def _hops(result: TransportResult) -> str:
    floor = result.hops.relative_error_floor
    return f"{result.hops.n_hops} (error >= {floor:.0%})" if result.hops.n_hops else "0"


def _cells(estimate: Estimate | None, bound: float | None) -> tuple[str, str]:
    if estimate is not None:
        low, high = estimate.interval_95
        return f"{estimate.value:.2e}", f"{low:.1e} to {high:.1e}"
    return ("-", "") if bound is None else (f"< {bound:.1e}", "95 % bound")


def _summary(request: RunRequest, document: ConductivityDoc) -> list[str]:
    lines = []
    fit = document.arrhenius
    interval = None if fit is None else fit.activation_energy_interval()
    if document.activation_energy_eV is not None and interval is not None:
        lines.append(
            f"Activation energy: {document.activation_energy_eV:.2f} eV "
            f"(95 %: {interval[0]:.2f} to {interval[1]:.2f})"
        )
    if document.conductivity_300K is not None:
        low, high = document.conductivity_300K.interval_95
        lines.append(
            f"sigma(300 K) of amorphous {request.formula}: "
            f"{document.conductivity_300K.value:.2g} mS/cm (95 %: {low:.1g} to {high:.1g})"
        )
    elif document.conductivity_bound_300K is not None:
        lines.append(f"sigma(300 K): below {document.conductivity_bound_300K:.2g} mS/cm (95 %)")
    else:
        lines.append("sigma(300 K): no value, because the fit is refused (below).")
    return lines


def _trust(result: RunResult) -> list[str]:
    """Say in sentences what limits the result."""
    document = result.conductivity
    lines = [] if document.arrhenius is None else [*document.arrhenius.refusals]
    potential = document.provenance.potential
    if potential is not None:
        lines.append(
            f"Potential {potential.name} {potential.version} ({potential.functional}); trained on "
            f"{potential.training_set}."
        )
    if document.trust is not None:
        lines.append(document.trust.statement)
    for number, glass in enumerate(result.glasses):
        lines += [f"Glass {number}: {remark}" for remark in glass.remarks]
    for at in document.results:
        lines += [f"{at.temperature_K:g} K: {warning}" for warning in at.warnings]
    lines += [f"Run {name} failed: {error}" for name, error in document.failures.items()]
    if document.plan is not None:
        lines.append(document.plan.reason)
    return lines
