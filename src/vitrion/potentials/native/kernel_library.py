"""Which compiled variant of the kernel this machine runs, or why none."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from vitrion.errors import InputError

VARIANTS = {"avx512": 16, "avx2": 8, "portable": 4}
"""Names of the variants, widest first, and the floats in their vectors."""

VERSION = 1
"""Raised whenever the kernel returns other bits for the same tables."""

SWITCH = "VITRION_NATIVE"
"""Environment variable: 0 leaves evaluation to torch; a variant's name asks for that one."""

_POINTER, _INT, _LONG, _REAL = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_double


def library_path(variant: str) -> Path:
    """Return where the shared library of a variant is, if it was built."""
    return Path(__file__).with_name(f"_kernel_{variant}.so")


def usable_variants() -> list[str]:
    """Return the variants that were compiled and that this CPU can run, widest first."""
    built = [name for name in VARIANTS if library_path(name).is_file()]
    if "portable" not in built:
        return []
    best = load_library("portable").vitrion_best_lanes()
    return [name for name in built if VARIANTS[name] <= best]


def choose_variant() -> tuple[str | None, str]:
    """Return the variant to use, or None with the reason.

    Raises
    ------
    InputError
        If ``VITRION_NATIVE`` names a variant that does not exist or cannot run here.
    """
    wanted = os.environ.get(SWITCH, "").strip().lower()
    if wanted in ("0", "off", "no", "false"):
        return None, f"{SWITCH}={wanted} asks for torch"
    usable = usable_variants()
    if wanted in ("", "1", "on", "yes", "true"):
        if usable:
            return usable[0], ""
        return None, "the kernel was not compiled (no C++ compiler when vitrion was installed)"
    if wanted not in usable:
        raise InputError(
            f"{SWITCH}={wanted} is not available here: choose 0 or one of "
            f"{', '.join(usable) or 'none, because no variant was compiled'}."
        )
    return wanted, ""


def evaluation_name(variant: str) -> str:
    """Return the name of a variant in documents, such as ``native avx512 1``."""
    return f"native {variant} {VERSION}"


@cache
def load_library(variant: str) -> ctypes.CDLL:
    """Load a variant and declare its functions (see ``kernel/api.h``)."""
    library = ctypes.CDLL(str(library_path(variant)))
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "vitrion_lanes": (_INT, []),
        "vitrion_best_lanes": (_INT, []),
        "vitrion_model_new": (_POINTER, [_INT] * 6 + [_REAL] * 2),
        "vitrion_model_set": (ctypes.c_char_p, [_POINTER, ctypes.c_char_p, _POINTER, _LONG]),
        "vitrion_model_finish": (ctypes.c_char_p, [_POINTER]),
        "vitrion_model_free": (None, [_POINTER]),
        "vitrion_workspace_new": (_POINTER, []),
        "vitrion_workspace_builds": (_LONG, [_POINTER]),
        "vitrion_workspace_seconds": (None, [_POINTER, _POINTER]),
        "vitrion_workspace_free": (None, [_POINTER]),
        "vitrion_evaluate": (
            ctypes.c_char_p,
            [_POINTER, _POINTER, _INT, *[_POINTER] * 5, _REAL, *[_POINTER] * 5],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
