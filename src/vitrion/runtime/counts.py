"""Numbers of things in messages."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    Parameters
    ----------
    count : int
    noun : str
        Singular.
    plural : str, optional
        Default: the singular with an s.

    Returns
    -------
    str
        Such as ``1 frame`` or ``2 frames``.
    """
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
