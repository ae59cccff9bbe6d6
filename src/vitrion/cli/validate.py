"""The command that compares a potential with its teacher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from vitrion.cli.completion import complete_potential
from vitrion.cli.options import SeedOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.distill.validate.teacher_comparison import TeacherComparison

console = Console(markup=False)
error_console = Console(stderr=True, markup=False)


def register(app: typer.Typer) -> None:
    """Add the command to the commands about potentials."""
    example = "vitrion potential validate vitrion-lipof --teacher chgnet"
    app.command(epilog=f"Example:  {example}")(validate)


def validate(
    name: Annotated[
        str, typer.Argument(help="Potential to judge.", autocompletion=complete_potential)
    ],
    teacher: Annotated[
        str | None,
        typer.Option(help="A potential, sevennet:<model> or <module>:<factory of a calculator>."),
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter of the teacher's own environment.")
    ] = None,
    dispersion: Annotated[
        str | None, typer.Option(help="Functional whose D3 correction the teacher lacks: pbe.")
    ] = None,
    frames: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled extxyz of frames never trained on; again for several."),
    ] = None,
    structure: Annotated[
        list[Path] | None,
        typer.Option(help="Crystal to relax and run; again for several. [known crystals]"),
    ] = None,
    hot_runs: Annotated[int, typer.Option(min=0, max=100, help="Runs at high temperature.")] = 2,
    hot_ps: Annotated[float, typer.Option(help="Length of each, ps.")] = 5.0,
    hot_temperature: Annotated[float, typer.Option(help="Their temperature, K.")] = 1500.0,
    drift_ps: Annotated[
        float, typer.Option(help="Length of the run at constant energy, ps.")
    ] = 2.0,
    seed: SeedOption = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON in place of tables.")
    ] = False,
) -> None:
    """Compare a potential with its teacher: errors, densities, energy drift and endurance.

    Without --frames, frames are drawn from dynamics of crystals and labelled by the teacher.
    """
    from vitrion.distill.data.frames import read_labelled
    from vitrion.distill.label.labelling import Teacher
    from vitrion.distill.validate.teacher_comparison import ComparisonSettings, compare_with_teacher

    settings = ComparisonSettings(
        hot_runs=hot_runs,
        hot_ps=hot_ps,
        hot_temperature_K=hot_temperature,
        drift_ps=drift_ps,
        seed=seed,
    )
    found = compare_with_teacher(
        name,
        None if teacher is None else Teacher(name=teacher, python=python, dispersion=dispersion),
        frames=read_labelled(frames or ()),
        crystals=_read_crystals(structure) if structure else None,
        settings=settings,
        on_stage=lambda stage: error_console.print(stage, highlight=False),
    )
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        show_comparison(found)


def _read_crystals(paths: Sequence[Path]) -> dict[str, Atoms]:
    """Return the crystals of structure files by their file names."""
    from pymatgen.io.ase import AseAtomsAdaptor

    from vitrion.chemistry.structure_files import read_structure_file

    return {
        path.stem: AseAtomsAdaptor.get_atoms(read_structure_file(path), msonable=False)
        for path in paths
    }


def show_comparison(found: TeacherComparison) -> None:
    """Print the tables of a comparison."""
    columns = (
        "frames",
        "E meV/atom",
        "E spread",
        "F RMSE meV/A",
        "F MAE",
        "teacher F rms",
        "p GPa",
    )
    table = Table("regime", *columns)
    for error in found.errors:
        pressure = "" if error.pressure_rmse_GPa is None else f"{error.pressure_rmse_GPa:.2f}"
        table.add_row(
            error.regime,
            str(error.n_frames),
            f"{error.energy_rmse_meV_per_atom:.1f}",
            f"{error.energy_spread_meV_per_atom:.1f}",
            f"{error.force_rmse_meV_per_A:.0f}",
            f"{error.force_mae_meV_per_A:.0f}",
            f"{error.force_rms_meV_per_A:.0f}",
            pressure,
        )
    console.print(table)
    if found.cells:
        table = Table("crystal", "g/cm3", "teacher", "density", "lattice", "K GPa", "teacher")
        for cell in found.cells:
            table.add_row(
                cell.name if cell.converged else f"{cell.name} (not converged)",
                f"{cell.density_g_per_cm3:.3f}",
                f"{cell.teacher_density_g_per_cm3:.3f}",
                f"{100 * cell.density_difference:+.2f} %",
                f"{100 * cell.lattice_difference:.2f} %",
                f"{cell.bulk_modulus_GPa:.1f}",
                f"{cell.teacher_bulk_modulus_GPa:.1f}",
            )
        console.print(table)
    drift = found.drift
    console.print(
        f"Energy drift {drift.drift_meV_per_atom_ns:+.2f} +- {drift.standard_error:.2f} "
        f"meV/atom/ns over {drift.picoseconds:g} ps from {drift.temperature_K:g} K",
        highlight=False,
        soft_wrap=True,
    )
    failures = [run.failure for run in found.hot_runs if run.failure is not None]
    for run in found.hot_runs[:1]:
        console.print(
            f"{len(found.hot_runs) - len(failures)} of {len(found.hot_runs)} runs at "
            f"{run.temperature_K:g} K stable" + "".join(f"; {failure}" for failure in failures),
            highlight=False,
            soft_wrap=True,
        )
