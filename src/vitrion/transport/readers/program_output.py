"""Time steps stated in the output files of programs whose frames ASE reads."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from vitrion.transport.readers.text import open_text

if TYPE_CHECKING:
    from pathlib import Path

HEADER_LINES = 20_000
"""Lines in which the settings of a run are stated."""

_TIME_STEPS = (
    re.compile(r"Time step\s*=.*?([\d.]+) femto-seconds"),  # Quantum ESPRESSO, pw.x
    re.compile(r"POTIM\s*=\s*([\d.]+)\s+time-step for ionic-motion"),  # OUTCAR
)

_OTHER = (
    re.compile(r"IBRION\s*=\s*(?!0\s)-?\d+\s+ionic relax"),  # not molecular dynamics
    re.compile(r"NBLOCK\s*=\s*(?!1;)\d+;\s*KBLOCK"),  # forces of some steps only
    re.compile(r"ML_LMLFF\s*=\s*\.?T", re.IGNORECASE),
)
"""Settings of an OUTCAR whose frames are not all steps of a run."""


def stated_time_step_fs(path: Path) -> float | None:
    """Return the MD time step in fs that the output of a run states; each step is a frame.

    Output of pw.x of Quantum ESPRESSO and OUTCAR of VASP; None for other files, relaxations, and
    runs that write some of the steps only.
    """
    with open_text(path) as file:
        for line in islice(file, HEADER_LINES):
            if any(pattern.search(line) for pattern in _OTHER):
                return None
            for pattern in _TIME_STEPS:
                if found := pattern.search(line):
                    return float(found[1]) or None
    return None
