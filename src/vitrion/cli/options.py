"""The options that several commands take, each described once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vitrion.flows.request import RunRequest

DEFAULT_STORE = "by default vitrion_data, or what VITRION_STORE names"

FolderOption = Annotated[
    Path | None,
    typer.Option("--store", "-s", help=f"Folder for results and trajectories ({DEFAULT_STORE})."),
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", "-s", help=f"Folder of the results, or a jobflow.yaml ({DEFAULT_STORE})."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(help="Processes of one thread each; by default one for each core.")
]
PotentialOption = Annotated[
    str | None, typer.Option(help="Name of the potential (vitrion potential list).")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Everything random follows from it.")]
LaunchpadOption = Annotated[
    Path | None,
    typer.Option("--launchpad", "-l", help="my_launchpad.yaml; else the one FireWorks knows."),
]


@dataclass(frozen=True)
class RequestOptions:
    """What is asked of a composition, the same whether it is run, screened or submitted."""

    phase: Annotated[str, typer.Option(help="both, crystalline or amorphous.")] = "both"
    preset: Annotated[str, typer.Option(help="quick, standard or paper.")] = "standard"
    potential: PotentialOption = None
    structure: Annotated[
        Path | None,
        typer.Option(
            help="File of the crystal, where it is known and need not be searched for; the word "
            "'known' takes one that ships."
        ),
    ] = None
    landscape: Annotated[
        bool, typer.Option(help="Compute defects and the site-energy landscape.")
    ] = True
    temperatures: Annotated[
        str | None,
        typer.Option(help="Temperatures in K, such as 600,750; by default the preset's."),
    ] = None
    duration: Annotated[
        float | None,
        typer.Option(
            help="Analyzed dynamics of each run in ps, no more; by default the preset's, extended "
            "where its precision is missed."
        ),
    ] = None
    replicas: Annotated[
        int | None,
        typer.Option(min=1, help="Independent glasses; by default as many as the preset has."),
    ] = None
    glass_atoms: Annotated[
        int | None, typer.Option(min=1, help="Least number of atoms of a glass.")
    ] = None
    max_relaxations: Annotated[
        int | None, typer.Option(min=1, help="Budget of the search for the crystal.")
    ] = None
    volume_per_atom: Annotated[
        float | None, typer.Option(help="Packed volume of the glass per atom in A3.")
    ] = None
    timestep: Annotated[float | None, typer.Option(help="Time step in fs.")] = None
    mobile: Annotated[str | None, typer.Option(help="Species that moves, such as Li.")] = None
    seed: SeedOption = 0
    allow_unbalanced: Annotated[
        bool, typer.Option("--allow-unbalanced", help="Accept a formula that is not neutral.")
    ] = False

    def settings(self) -> dict[str, Any]:
        """Return all that does not belong to one composition, as fields of a RunRequest."""
        return {
            "preset": self.preset,
            "potential": self.potential,
            "landscape": self.landscape,
            "temperatures_K": _numbers(self.temperatures),
            "duration_ps": self.duration,
            "n_replicas": self.replicas,
            "glass_atoms": self.glass_atoms,
            "max_relaxations": self.max_relaxations,
            "volume_per_atom_A3": self.volume_per_atom,
            "timestep_fs": self.timestep,
            "mobile": self.mobile,
            "seed": self.seed,
            "allow_unbalanced": self.allow_unbalanced,
        }

    def requests(self, formulas: Sequence[str]) -> list[RunRequest]:
        """Return a checked request for each composition.

        Raises
        ------
        InputError
            If one of them cannot be had, or the structure is that of none or of several.
        """
        from vitrion.flows.request import RunRequest, read_crystal

        source = None if self.structure is None else str(self.structure)
        if source not in (None, "known") and len(formulas) > 1:
            raise InputError(
                f"{source} cannot be the crystal of {len(formulas)} compositions: name one."
            )
        if source is not None and self.phase == "amorphous":
            raise InputError(
                "A glass is not made from a crystal: leave out --structure, or take --phase both."
            )
        settings = self.settings()
        return [
            RunRequest(
                formula=formula,
                phase=self.phase,
                crystal=None if source is None else read_crystal(source, formula),
                **settings,
            ).checked()
            for formula in formulas
        ]


def takes_request(**defaults: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command all RequestOptions in the place of its parameter ``options``.

    Parameters
    ----------
    **defaults
        Where they differ from those of :class:`RequestOptions`.
    """
    hints = get_type_hints(RequestOptions, include_extras=True)
    shared = [
        Parameter(
            part.name,
            Parameter.KEYWORD_ONLY,
            default=defaults.get(part.name, part.default),
            annotation=hints[part.name],
        )
        for part in fields(RequestOptions)
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**values: Any) -> None:
            chosen = {parameter.name: values.pop(parameter.name) for parameter in shared}
            command(**values, options=RequestOptions(**chosen))

        parameters: list[Parameter] = []
        for own in signature(command, eval_str=True).parameters.values():
            replaced = own.name == "options"
            parameters += shared if replaced else [own.replace(kind=Parameter.KEYWORD_ONLY)]
        called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",")) if text else ()
    except ValueError:
        raise InputError(
            f"'{text}' is not a list of temperatures: write it like 600,750,900."
        ) from None
