"""The command that compares a potential with its teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrion.cli.completion import complete_potential
from vitrion.cli.options import SeedOption
from vitrion.cli.printing import console, error_console, new_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.distill.validate.teacher_comparison import TeacherComparison
    from vitrion.landscape.defect_errors import DefectErrors


def register(app: typer.Typer) -> None:
    """Add the command to the commands about potentials."""
    example = "vitrion potential validate vitrion-lipof --teacher chgnet"
    app.command(epilog=f"Example:  {example}")(validate)


def validate(
    name: Annotated[
        str, typer.Argument(help="Name of the potential.", autocompletion=complete_potential)
    ],
    teacher: Annotated[
        str | None,
        typer.Option(
            help="A potential, sevennet:<model> or <module>:<factory of a calculator>; not needed "
            "with --frames."
        ),
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter of the teacher's own environment.")
    ] = None,
    dispersion: Annotated[
        str | None, typer.Option(help="Functional whose D3 correction the teacher lacks: pbe.")
    ] = None,
    frames: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled frames that it was not trained on (extxyz); repeatable."),
    ] = None,
    structure: Annotated[
        list[Path] | None,
        typer.Option(
            help="Crystal to relax and run; repeatable. Default: the crystals of the data card, or "
            "known ones."
        ),
    ] = None,
    hot_runs: Annotated[
        int, typer.Option(min=0, max=100, help="Number of runs at high temperature.")
    ] = 2,
    hot_ps: Annotated[float, typer.Option(help="Duration of each of these runs in ps.")] = 5.0,
    hot_temperature: Annotated[
        float | None,
        typer.Option(
            help="Temperature of these runs in K. Default: the highest of the student's "
            "distillation, or 1500."
        ),
    ] = None,
    drift_ps: Annotated[
        float, typer.Option(help="Duration of the run at constant energy in ps.")
    ] = 2.0,
    defects: Annotated[
        bool, typer.Option(help="Also compare Frenkel energies and barriers of the crystals.")
    ] = True,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Write the errors of defects to the data card of the potential: intervals of "
            "conductivities from defects use them.",
        ),
    ] = False,
    seed: SeedOption = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON instead of tables.")
    ] = False,
) -> None:
    """Compare a potential with its teacher: errors, densities, energy drift and stable runs.

    Without --frames, frames are drawn from dynamics of crystals and labelled by the teacher.
    """
    from vitrion.distill.data.frames import read_labelled
    from vitrion.distill.label.labelling import Teacher
    from vitrion.distill.validate.teacher_comparison import ComparisonSettings, compare_with_teacher
    from vitrion.errors import InputError
    from vitrion.landscape.defect_errors import check_has_card, compare_defects, record_errors

    settings = ComparisonSettings(
        hot_runs=hot_runs,
        hot_ps=hot_ps,
        hot_temperature_K=hot_temperature,
        drift_ps=drift_ps,
        seed=seed,
    )
    if record and (teacher is None or not defects):
        raise InputError("--record needs --teacher, and --defects.")
    if record:
        check_has_card(name)
    judge = None if teacher is None else Teacher(name=teacher, python=python, dispersion=dispersion)
    crystals = _read_crystals(structure) if structure else None
    found = compare_with_teacher(
        name,
        judge,
        frames=read_labelled(frames or ()),
        crystals=crystals,
        settings=settings,
        on_stage=_print_stage,
    )
    of_defects = None
    if judge is not None and defects:
        of_defects = compare_defects(name, judge, crystals, on_stage=_print_stage)
    if as_json:
        content = {**found.model_dump(mode="json"), "defects": of_defects}
        print(json.dumps(content, indent=1, default=lambda model: model.model_dump(mode="json")))
    else:
        show_comparison(found)
        if of_defects is not None:
            show_defect_errors(of_defects)
    if record and of_defects is not None:
        say(f"Errors written to {record_errors(name, of_defects)}.", error_console)


def _print_stage(stage: str) -> None:
    say(stage, error_console)


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
    from vitrion.distill.validate.regime_errors import COLUMNS, row

    table = new_table(*COLUMNS)
    for error in found.errors:
        table.add_row(*row(error))
    console.print(table)
    if found.cells:
        table = new_table("crystal", "g/cm3", "teacher", "density", "lattice", "K GPa", "teacher")
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
    if drift is not None:
        say(
            f"Energy drift {drift.drift_meV_per_atom_ns:+.2f} +- {drift.standard_error:.2f} "
            f"meV/atom/ns over {drift.picoseconds:g} ps from {drift.temperature_K:g} K"
        )
    failures = [run.failure for run in found.hot_runs if run.failure is not None]
    for run in found.hot_runs[:1]:
        say(
            f"{len(found.hot_runs) - len(failures)} of {len(found.hot_runs)} runs at "
            f"{run.temperature_K:g} K stable" + "".join(f"; {failure}" for failure in failures)
        )
    if found.failure is not None:
        say(f"{found.potential} failed in its validation: {found.failure}")


def show_defect_errors(found: DefectErrors) -> None:
    """Print the errors of Frenkel energies and barriers of each crystal."""
    table = new_table("crystal", "quantity", "eV", "minus teacher")
    for value in found.values:
        quantity = "Frenkel pair" if value.quantity == "formation" else "barrier"
        table.add_row(value.crystal, quantity, f"{value.energy_eV:.3f}", f"{value.error_eV:+.3f}")
    console.print(table)
    errors = (
        ("Frenkel energies", found.formation_error_eV),
        ("barriers", found.barrier_error_eV),
    )
    known = [f"of {name} {error:.3f} eV" for name, error in errors if error is not None]
    say(f"Root-mean-square error {', '.join(known) or 'unknown: no defect was found'}")
