"""The command ``vitrion``: a thin face on the steps of the package."""

from vitrion.cli.entry import app, main

__all__ = ["app", "main"]
