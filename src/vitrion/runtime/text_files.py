"""Text files of users, read to a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_CHARACTERS = 300_000_000
"""Maximum size of a file that is read as a whole."""

MOST_SETTINGS = 1_000_000
"""Maximum number of characters, and of values, of a file of settings: YAML takes much memory."""

MOST_VALUES = 30_000_000
"""Maximum number of values of other YAML files, in which aliases repeat values."""


def reading_fault(error: Exception) -> str:
    """Return why a file could not be read, as the end of a sentence."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split())


def read_text(
    path: Path,
    encoding: str = "utf-8",
    *,
    most: int | None = None,
    opener: Callable[..., Any] = open,
    errors: str = "strict",
    remedy: str = "too many to be read as a whole",
) -> str:
    """Return the content of a text file of a limited size.

    Parameters
    ----------
    path : Path
    encoding, errors : str
        As in `open`.
    most : int or None
        Maximum number of characters; `MOST_CHARACTERS` by default.
    opener : callable
        With the parameters of `open`, such as `gzip.open`.
    remedy : str
        End of the message about a file that is too large.

    Raises
    ------
    InputError
        If it is too large, which a device or a wrong file may be.
    OSError, UnicodeDecodeError
        If it cannot be read.
    """
    most = MOST_CHARACTERS if most is None else most
    with opener(path, "rt", encoding=encoding, errors=errors) as file:
        text: str = file.read(most + 1)
    if len(text) > most:
        raise InputError(
            f"The file {path} has more than {most / 1e6:.0f} million characters: {remedy}."
        )
    return text


def read_settings(path: Path) -> Any:
    """Return the content of a YAML file of settings; JSON is YAML, too.

    Raises
    ------
    InputError
        If it is too large.
    OSError, UnicodeDecodeError, YAMLError, RecursionError
        If it cannot be read.
    """
    return parse_yaml(read_text(path, most=MOST_SETTINGS), MOST_SETTINGS)


def parse_yaml(text: str, most_values: int = MOST_VALUES) -> Any:
    """Return the content of YAML text.

    Raises
    ------
    InputError
        If it contains itself, or its aliases repeat values beyond a number.
    YAMLError, RecursionError
        If it is not YAML, or nested in too many levels.
    """
    content = yaml.safe_load(text)
    _count(content, {}, most_values)
    return content


def _count(content: Any, counts: dict[int, int], most: int) -> int:
    """Return the number of values of content, with repetitions by aliases."""
    if not isinstance(content, (dict, list)):
        return 1
    if id(content) not in counts:
        counts[id(content)] = most  # until all values are counted: it may contain itself
        values = content.values() if isinstance(content, dict) else content
        counts[id(content)] = 1 + sum(_count(value, counts, most) for value in values)
    if counts[id(content)] >= most:
        raise InputError(
            f"The content repeats itself by aliases to more than {most / 1e6:.0f} million values: "
            "write it without aliases."
        )
    return counts[id(content)]
