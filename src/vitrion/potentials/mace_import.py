"""The first import of mace in a process."""

from __future__ import annotations

from vitrion.runtime.discarded_output import discard_output


def import_mace() -> None:
    """Import mace, without the line it prints about optional packages that are not there.

    It must come before anything that imports e3nn, because it sets how e3nn loads its constants.
    """
    with discard_output():
        import mace.modules  # noqa: F401
