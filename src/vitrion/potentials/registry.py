"""Registry of potentials: ``vitrion-lipof``, ``chgnet``, ``mace:<foundation name or file>``."""

from __future__ import annotations

import difflib
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.errors import InputError
from vitrion.potentials.mace_import import import_mace
from vitrion.potentials.spec import MACE_PREFIX, PotentialSpec, sha256_of
from vitrion.potentials.student import (
    SHIPPED_STUDENTS,
    STUDENT_NAME,
    is_student,
    local_students,
    student_spec,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_POTENTIAL = STUDENT_NAME
"""Potential of a run if the user names none."""

MPTRJ_ELEMENTS = tuple(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy "
    "Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Ac Th Pa U Np Pu".split()
)
"""Every element to plutonium except the five that the MPtrj training set lacks."""

_CHGNET_CITATION = "B. Deng et al., Nat. Mach. Intell. 5, 1031 (2023), 10.1038/s42256-023-00716-3"
_MACE_CITATION = "I. Batatia et al., arXiv 2401.00096 (MACE foundation models)"

_CHGNET_FILES = {
    "chgnet": (
        "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
        "d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1",
        "0.3.0",
        "PBE / PBE+U",
        "MPtrj (1.58 million frames, 89 elements)",
    ),
    "chgnet-r2scan": (
        "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
        "8eba3db0f35a2788bb3ae22885ad340591e27996f213c6643af522a633b50dad",
        "r2scan",
        "r2SCAN (transferred from PBE)",
        "MPtrj, then Materials Project r2SCAN",
    ),
}


BUILT_IN = (*SHIPPED_STUDENTS, *_CHGNET_FILES)
"""Names that no student of the user can have."""


def list_potentials() -> list[PotentialSpec]:
    """Return the potentials that need neither a download nor a user's file."""
    names = [*SHIPPED_STUDENTS, *local_students()]
    students = [PotentialSpec(**student_spec(name)) for name in names]
    return [*students, *(_chgnet_spec(name) for name in _CHGNET_FILES if find_spec("chgnet"))]


def foundation_names() -> list[str]:
    """Return the names of the MACE foundation models that mace-torch can download."""
    import_mace()
    from mace.calculators.foundations_models import mace_mp_urls

    return list(mace_mp_urls)


def get_potential(name: str | PotentialSpec | None = None) -> PotentialSpec:
    """Look up a potential by name.

    Parameters
    ----------
    name : str, PotentialSpec or None
        ``vitrion-lipof`` or ``vitrion-lipof-pbe`` (shipped), a student of ``vitrion distill``,
        ``chgnet``, ``chgnet-r2scan``,
        ``mace:<foundation name>`` such as ``mace:medium-mpa-0``, or ``mace:<path>`` with an
        optional ``#<sha256>`` that the file
        must have. None takes the user's setting, else the package's default.

    Returns
    -------
    PotentialSpec
        The description; file and elements of a foundation model are unknown until it is loaded.

    Raises
    ------
    InputError
        If the name is unknown, a named file is missing, or a stated hash is not one.
    PotentialError
        If the data card of a student cannot be read.
    """
    if isinstance(name, PotentialSpec):
        return name
    if name is None:
        from vitrion.settings import get_settings

        name = get_settings().potential or DEFAULT_POTENTIAL
    if is_student(name):
        return PotentialSpec(**student_spec(name))
    if name in _CHGNET_FILES:
        return _chgnet_spec(name)
    if name.startswith(MACE_PREFIX):
        return _mace_spec(name)
    known = [
        *SHIPPED_STUDENTS,
        *local_students(),
        *_CHGNET_FILES,
        "mace:<foundation name>",
        "mace:<path>",
    ]
    raise InputError(f"There is no potential '{name}'{_hint(name, known)}")


def _hint(name: str, known: Sequence[str]) -> str:
    """Return the end of a sentence about an unknown name: a similar known name, or all."""
    found = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean '{found[0]}'?" if found else f": known are {', '.join(known)}."


def describe_potential(potential: str | PotentialSpec | None = None) -> PotentialSpec:
    """Return the description for a document: with the hash of the file that is in use now."""
    spec = get_potential(potential)
    if spec.sha256 is None and spec.path is not None and spec.path.is_file():
        return spec.model_copy(update={"sha256": sha256_of(spec.path)})
    return spec


def _chgnet_spec(name: str) -> PotentialSpec:
    file, sha256, weights, functional, training_set = _CHGNET_FILES[name]
    package = find_spec("chgnet")
    if package is None or not package.submodule_search_locations:
        raise InputError(
            f"The potential '{name}' needs the package chgnet: pip install 'vitrion[chgnet]'."
        )
    return PotentialSpec(
        name=name,
        backend="chgnet",
        version=f"{weights} (chgnet {version('chgnet')})",
        path=Path(package.submodule_search_locations[0]) / "pretrained" / file,
        sha256=sha256,
        elements=MPTRJ_ELEMENTS,
        functional=functional,
        training_set=training_set,
        cutoff_A=6.0,
        license="BSD-3-Clause (modified, LBNL)",
        citation=_CHGNET_CITATION,
    )


def _mace_spec(name: str) -> PotentialSpec:
    target, _, sha256 = name.removeprefix(MACE_PREFIX).partition("#")
    sha256 = sha256.lower()
    if "#" in name and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise InputError(f"'{sha256}' is not a SHA-256 of 64 hexadecimal digits, as in '{name}'.")
    if target in foundation_names():
        return PotentialSpec(
            name=name,
            backend="mace",
            version=target,
            sha256=sha256 or None,
            functional="see the model's page",
            training_set=f"MACE foundation model {target}",
            license="see the model's page (MIT or ASL)",
            citation=_MACE_CITATION,
        )
    path = Path(target).expanduser().absolute()
    if not path.is_file():
        raise InputError(
            f"'{target}' is neither a file nor a MACE foundation model"
            f"{_hint(target, foundation_names())}"
        )
    return PotentialSpec(
        name=f"mace:{path}" + (f"#{sha256}" if sha256 else ""),
        backend="mace",
        version=path.name,
        path=path,
        sha256=sha256 or None,
        functional="not stated by the file",
        training_set="not stated by the file",
        license="not stated by the file",
        citation="not stated by the file",
    )
