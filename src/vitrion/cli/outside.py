"""Messages for errors of databases, of disks, and of other programs' configurations."""

from __future__ import annotations

import errno
import os
import traceback

_BARRED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP, errno.EIO)
_CONFIGS = {
    "fw_config.py": ("FireWorks", "FW_CONFIG_FILE", "~/.fireworks/FW_config.yaml"),
    "jobflow/settings.py": ("jobflow", "JOBFLOW_CONFIG_FILE", "~/.jobflow.yaml"),
}
"""Program, environment variable and default path of each configuration that is read at import, by
the end of the path of the module that reads it."""


def outside_message(error: Exception) -> str | None:
    """Return a message for an error of a database, a disk, a file name, or a configuration.

    Parameters
    ----------
    error
        Error that ended a command.

    Returns
    -------
    str | None
        None for any other error.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" of {error.filename}" if error.filename else ""
        return f"The disk{where} is full: free space, then rerun the command to resume."
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"The file name '{str(error.filename)[:50]}...' is too long."
    if isinstance(error, OSError) and error.errno in _BARRED and error.filename:
        return f"{error.filename} cannot be read or written: {error.strerror}."
    if type(error).__module__.startswith("pymongo."):
        from vitrion.database.servers import silence

        return silence("The database", error)
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if getattr(error, "title", None) == "JobflowSettings":  # pydantic's, of a wrong value
        frames.append("jobflow/settings.py")
    for end, (program, variable, usual) in _CONFIGS.items():
        if any(name.endswith(end) for name in frames):
            file = os.environ.get(variable, usual)
            return (
                f"The configuration of {program}, {file}, cannot be read "
                f"({type(error).__name__}): compare it with the file of 'vitrion config init'."
            )
    return None
