"""Regular expressions of a filter: MongoDB's dialect (PCRE2) translated to Python's.

The two share most of their syntax. Constructs that differ are rewritten if an exact equivalent
exists; others raise an error, because a wrong pattern would silently match wrong documents.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vitrion.errors import StoreError

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": 0}
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\v\\f\\r",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_SETS = {"d": _CLASSES["digit"], "w": _CLASSES["word"], "s": _CLASSES["space"]}
_ESCAPES = {
    **{name: f"[{members}]" for name, members in _SETS.items()},
    **{name.upper(): f"[^{members}]" for name, members in _SETS.items()},
    "b": r"(?a:\b)",
    "B": r"(?a:\B)",
    "A": r"\A",
    "Z": r"(?=\n?\Z)",
    "z": r"\Z",
    "e": r"\x1b",
    **{letter: "\\" + letter for letter in "tnrfa"},
}
_GROUPS = re.compile(r"\(\?(?:[:=!>]|<[=!]|#[^)]*\)|P?<[A-Za-z_]\w*>|P=\w+\)|[imsx]+:)", re.ASCII)
_REPEATED = re.compile(r"\{\d+(,\d*)?\}")
_HEX = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))")
_POSIX = re.compile(r"\[:(\^?)(\w+):\]")


@lru_cache(maxsize=256)
def compile_regex(pattern: str, options: str = "") -> re.Pattern[str]:
    """Compile a pattern with the meaning it has in MongoDB.

    Parameters
    ----------
    pattern
        The pattern in PCRE2's syntax.
    options
        Letters among ``i``, ``m``, ``s``, ``x`` and ``u``.

    Raises
    ------
    StoreError
        If an option does not exist, the pattern is wrong, or Python has no equal of it.
    """
    flags = 0
    for letter in options:
        if letter not in _FLAGS:
            raise StoreError(f"The option '{letter}' of a $regex does not exist: use i, m, s, x.")
        flags |= _FLAGS[letter]
    if "\0" in pattern:
        raise StoreError("A $regex must not hold a null character.")
    try:
        return re.compile(_translate(pattern, "x" in options), flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise StoreError(f"The $regex {pattern!r} cannot be read ({error}).") from error


def _translate(pattern: str, is_verbose: bool) -> str:
    done: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            text, at = _escape(pattern, at, in_class=False)
        elif char == "[":
            text, at = _class(pattern, at)
        elif char == "(" and pattern[at + 1 : at + 2] in ("?", "*"):
            text, at = _group(pattern, at)
        elif char == "{":
            repeated = _REPEATED.match(pattern, at)
            if repeated is None:
                _refuse(pattern, "a '{' that opens no number of repetitions; write '\\{'")
            text, at = repeated[0], repeated.end()  # type: ignore[index, union-attr]
        elif char == "#" and is_verbose:
            end = pattern.find("\n", at)
            text, at = "", len(pattern) if end < 0 else end
        else:
            text, at = char, at + 1
        done.append(text)
    return "".join(done)


def _escape(pattern: str, at: int, *, in_class: bool) -> tuple[str, int]:
    letter = pattern[at + 1 : at + 2]
    if letter == "x" and (found := _HEX.match(pattern, at)):
        number = int(found[1] or found[2], 16)
        if number > 0x10FFFF:
            _refuse(pattern, f"the character {found[0]}")
        return f"\\U{number:08x}", found.end()
    if in_class and letter in _SETS:
        return _SETS[letter], at + 2
    if in_class and letter == "b":
        return r"\x08", at + 2
    if letter in _ESCAPES and not (in_class and letter in "DWSBAZz"):
        return _ESCAPES[letter], at + 2
    if letter in "123456789" and letter and not in_class:
        if pattern[at + 2 : at + 3].isdigit():
            _refuse(pattern, "a number after '\\' with two digits")
        return f"(?:\\{letter})", at + 2
    if letter and not (letter.isascii() and letter.isalnum()):
        return re.escape(letter), at + 2
    return _refuse(pattern, f"'\\{letter}'")


def _class(pattern: str, at: int) -> tuple[str, int]:
    done, at = ["["], at + 1
    if pattern[at : at + 1] == "^":
        done, at = ["[^"], at + 1
    is_first = True
    while at < len(pattern):
        char = pattern[at]
        if char == "]" and not is_first:
            return "".join([*done, "]"]), at + 1
        if char == "[" and pattern[at + 1 : at + 2] in (":", ".", "="):
            found = _POSIX.match(pattern, at)
            if found is None or found[1] or found[2] not in _CLASSES:
                _refuse(pattern, f"the class '{pattern[at : at + 10]}'")
            done.append(_CLASSES[found[2]])  # type: ignore[index]
            at = found.end()  # type: ignore[union-attr]
        elif char == "\\":
            text, at = _escape(pattern, at, in_class=True)
            done.append(text)
        else:
            done.append("\\" + char if char in "[]&|~" else char)
            at += 1
        is_first = False
    return _refuse(pattern, "a '[' that is not closed")


def _group(pattern: str, at: int) -> tuple[str, int]:
    found = _GROUPS.match(pattern, at)
    if found is None and at == 0 and (found := re.match(r"\(\?[imsx]+\)", pattern)):
        return found[0], found.end()
    if found is None:
        _refuse(pattern, f"'{pattern[at : at + 3]}'")
    text = found[0]  # type: ignore[index]
    if text.startswith("(?#"):
        text = ""
    elif text.startswith("(?<") and text[3] not in "=!":
        text = "(?P<" + text[3:]
    return text, found.end()  # type: ignore[union-attr]


def _refuse(pattern: str, construct: str) -> tuple[str, int]:
    raise StoreError(
        f"The embedded store does not read {construct} in the $regex {pattern!r}: write it another "
        "way."
    )
