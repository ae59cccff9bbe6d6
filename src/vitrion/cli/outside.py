"""Sentences for errors of other programs that no command can foresee."""

from __future__ import annotations

import os
import traceback

_CONFIGS = {
    "fw_config.py": ("FireWorks", "FW_CONFIG_FILE", "~/.fireworks/FW_config.yaml"),
    "jobflow/settings.py": ("jobflow", "JOBFLOW_CONFIG_FILE", "~/.jobflow.yaml"),
}
"""What reads a configuration when it is imported: by the end of its path, the program, the
variable that names the file, and where the file is otherwise."""


def explain(error: Exception) -> str | None:
    """Return a sentence about a database that is away or another program's broken configuration.

    Parameters
    ----------
    error
        Whatever has ended a command.

    Returns
    -------
    str | None
        None for any other error.
    """
    if type(error).__module__.startswith("pymongo."):
        from vitrion.database.servers import silence

        return silence("The database", error)
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    for end, (program, variable, usual) in _CONFIGS.items():
        if any(name.endswith(end) for name in frames):
            file = os.environ.get(variable, usual)
            return (
                f"The configuration of {program}, {file}, cannot be read "
                f"({type(error).__name__}): compare it with the one that 'vitrion config init' "
                "writes."
            )
    return None
