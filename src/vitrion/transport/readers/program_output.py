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

_TASK = re.compile(r"IBRION\s*=\s*(-?\d+)\s+ionic relax")
"""What an OUTCAR is of; 0 is molecular dynamics."""


def stated_time_step_fs(path: Path) -> float | None:
    """Return the MD time step in fs that the output of a run states; each step is a frame.

    Output of pw.x of Quantum ESPRESSO and OUTCAR of VASP; None for other files and relaxations.
    """
    with open_text(path) as file:
        for line in islice(file, HEADER_LINES):
            if (task := _TASK.search(line)) and task[1] != "0":
                return None
            for pattern in _TIME_STEPS:
                if found := pattern.search(line):
                    return float(found[1]) or None
    return None
