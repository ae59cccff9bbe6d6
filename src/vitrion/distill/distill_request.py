"""Read and check the request of a distillation before anything expensive starts."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.amorphous.contents import plan_composition
from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.composition_lists import LIST_SUFFIXES, read_compositions
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.chemistry.structure_files import read_structure_file
from vitrion.distill.data.labelled_files import labelled_frames
from vitrion.distill.label.dispersion import damping_of
from vitrion.distill.sample.packed_cells import NARROWEST_A, packed_atoms
from vitrion.distill.student_card import check_name
from vitrion.errors import InputError
from vitrion.potentials import get_potential, usable_potential
from vitrion.potentials.known_elements import GENERAL_POTENTIAL, knowing, lacking
from vitrion.potentials.registry import MPTRJ_ELEMENTS
from vitrion.potentials.student import is_student

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.distill.distill_settings import DistillSettings

SEVENNET = "sevennet"
DEFAULT_SEVENNET = "sevennet:7net-l3i5"
MOST_FORMULAS = 12


def read_request(items: Iterable[str]) -> dict[str, Any]:
    """Return formulas and structures of arguments: formulas, lists of them, structure files.

    Raises
    ------
    InputError
        If a formula or a file cannot be read.
    """
    formulas: list[str] = []
    structures: list[dict[str, Any]] = []
    for item in items:
        path = Path(item).expanduser()
        if path.suffix in LIST_SUFFIXES:
            formulas += read_compositions(path)
        elif path.is_file():
            structure = read_structure_file(path)
            formulas.append(structure.composition.reduced_formula)
            structures.append(structure.as_dict())
        else:
            formulas.append(item)
    plain = [plain_formula(parse_composition(formula)) for formula in formulas]
    return {"formulas": tuple(dict.fromkeys(plain)), "structures": tuple(structures)}


def checked(settings: DistillSettings) -> DistillSettings:
    """Return complete settings of a distillation that can start.

    Raises
    ------
    InputError
        If the teacher does not know an element or is not installed, a composition is not neutral or
        cannot be packed, there are too few labelled frames, or another student has the name.
    """
    if settings.teacher == SEVENNET:
        settings = settings.model_copy(update={"teacher": DEFAULT_SEVENNET})
    if settings.labeller is None:
        frames = labelled_frames(Path(settings.teacher))
        formulas = settings.formulas or _formulas_of([str(a.symbols) for a in frames])
        settings = settings.model_copy(update={"formulas": formulas})
    if not settings.formulas:
        raise InputError("Name a composition, such as Na3PS4, or a structure file.")
    if len(settings.formulas) > MOST_FORMULAS:
        raise InputError(
            f"One student learns at most {MOST_FORMULAS} compositions, not "
            f"{len(settings.formulas)}: divide the list."
        )
    if not is_student(settings.begin):
        raise InputError(f"There is no student '{settings.begin}' to begin from.")
    if settings.labeller is not None:
        check_teacher(settings)
        for formula in settings.formulas:
            check_charge_balance(
                parse_composition(formula), allow_unbalanced=settings.allow_unbalanced
            )
            n_atoms = packed_atoms(formula, settings.sampling.n_atoms)
            plan_composition(formula, n_atoms=n_atoms, min_side_A=NARROWEST_A)
    check_name(settings.student_name, run_id=settings.run_id)
    return settings


def check_teacher(settings: DistillSettings) -> None:
    """Refuse a teacher that is not available or does not know an element, and a wrong dispersion.

    Raises
    ------
    InputError
        As described.
    PotentialError
        If the teacher cannot be downloaded or loaded.
    """
    teacher = settings.labeller
    assert teacher is not None
    if teacher.dispersion is not None:
        damping_of(teacher.dispersion)
    symbols = {el.symbol for formula in settings.formulas for el in parse_composition(formula)}
    if teacher.python is not None and not teacher.python.is_file():
        raise InputError(f"The teacher's interpreter {teacher.python} does not exist.")
    if settings.is_registered:
        spec = get_potential(settings.teacher)
        if unknown := lacking(spec, symbols):
            raise InputError(_unknown(spec.name, unknown, symbols))
        usable_potential(spec, symbols)
        return
    family = teacher.name.partition(":")[0]
    if teacher.python is None and find_spec(_package(family)) is None:
        raise InputError(
            f"The teacher '{teacher.name}' is not installed here: name the interpreter of its "
            "environment with --python."
        )
    if teacher.python is None and family not in (SEVENNET, "vitrion", "chgnet", "mace"):
        _check_factory(*teacher.name.split(":", 1))
    if family in (SEVENNET, "chgnet") and not symbols <= set(MPTRJ_ELEMENTS):
        unknown = sorted(symbols - set(MPTRJ_ELEMENTS))
        raise InputError(_unknown(teacher.name, unknown, symbols))


def _check_factory(module: str, factory: str) -> None:
    try:
        found = getattr(import_module(module), factory, None)
    except Exception as exc:  # of the user's module
        raise InputError(f"The teacher's module {module} cannot be imported: {exc}.") from exc
    if not callable(found):
        raise InputError(f"The teacher's module {module} has no function '{factory}'.")


def _unknown(teacher: str, unknown: Sequence[str], symbols: Iterable[str]) -> str:
    names = [spec.name for spec in knowing(symbols)]
    names.sort(key=lambda name: name != GENERAL_POTENTIAL)
    advice = f"--teacher {names[0]} does" if names else "name one that does with --teacher"
    return f"The teacher '{teacher}' does not know {', '.join(unknown)}: {advice}."


def _package(family: str) -> str:
    return {SEVENNET: "sevenn"}.get(family, family).partition(".")[0]


def _formulas_of(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return the compositions of frames, the most frequent first."""
    counts: dict[str, int] = {}
    for text in symbols:
        formula = plain_formula(parse_composition(text))
        counts[formula] = counts.get(formula, 0) + 1
    return tuple(sorted(counts, key=lambda formula: -counts[formula])[:MOST_FORMULAS])
