"""Ion transport in crystals and glasses, as jobflow workflows."""

from importlib.metadata import version

__version__ = version("vitrion")
