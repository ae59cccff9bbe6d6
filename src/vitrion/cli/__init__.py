"""The command line interface ``vitrion``."""

from vitrion.cli.entry import app, main

__all__ = ["app", "main"]
