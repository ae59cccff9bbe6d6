"""Ion transport from trajectories: plain arrays in, results with intervals out."""

from vitrion.transport.analysis import analyze, analyze_file
from vitrion.transport.arrhenius_fit import ArrheniusResult, arrhenius
from vitrion.transport.arrhenius_points import ArrheniusPoint
from vitrion.transport.replicas import combine, combine_temperatures
from vitrion.transport.result import Estimate, TransportResult
from vitrion.transport.rows import table

__all__ = [
    "ArrheniusPoint",
    "ArrheniusResult",
    "Estimate",
    "TransportResult",
    "analyze",
    "analyze_file",
    "arrhenius",
    "combine",
    "combine_temperatures",
    "table",
]
