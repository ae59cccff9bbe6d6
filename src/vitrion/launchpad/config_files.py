"""Write configuration files of FireWorks, jobflow and vitrion."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.errors import InputError, StoreError

if TYPE_CHECKING:
    import os

STORES = {
    "embedded": "jobflow_embedded.yaml",
    "gridfs": "jobflow_mongodb_gridfs.yaml",
    "s3": "jobflow_mongodb_s3.yaml",
}
QUEUES = {
    "slurm": "my_qadapter_slurm.yaml",
    "pbs": "my_qadapter_pbs.yaml",
    "sge": "my_qadapter_sge.yaml",
}
_ALWAYS = (
    "FW_config.yaml",
    "my_launchpad.yaml",
    "my_fworker.yaml",
    "gpu_fworker.yaml",
    "vitrion.yaml",
    "docker-compose.yaml",
)
_FOLDER = "@FOLDER@"


@dataclass
class ConfigReport:
    """Result of :func:`write_config`.

    Attributes
    ----------
    folder : Path
        Folder of the files.
    written, kept : list[str]
        Names of new files, and of existing files, which are unchanged.
    """

    folder: Path
    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def shell_lines(self) -> list[str]:
        """Lines for the shell start-up file of every machine."""
        names = {
            "FW_CONFIG_FILE": "FW_config.yaml",
            "JOBFLOW_CONFIG_FILE": "jobflow.yaml",
            "VITRION_CONFIG_FILE": "vitrion.yaml",
        }
        return [f"export {name}={self.folder / file}" for name, file in names.items()]


def render(template: str, folder: str | os.PathLike[str]) -> str:
    """Return one of the files as text, with the absolute paths of a folder."""
    text = (files("vitrion.launchpad") / "templates" / template).read_text()
    return text.replace(_FOLDER, str(folder))


def write_config(
    folder: str | os.PathLike[str], *, store: str = "gridfs", queue: str = "slurm"
) -> ConfigReport:
    """Write all files for a launchpad into a folder; existing files are kept.

    Parameters
    ----------
    folder
        Folder of the files; created if needed.
    store
        Store of the outputs: ``embedded``, ``gridfs`` or ``s3``.
    queue
        The queueing system: ``slurm``, ``pbs`` or ``sge``.

    Returns
    -------
    ConfigReport
        Names of the files. They are readable by their owner only, because two contain passwords.

    Raises
    ------
    InputError
        If the store or the queue is not supported.
    StoreError
        If the folder cannot be written.
    """
    for choice, known in ((store, STORES), (queue, QUEUES)):
        if choice not in known:
            raise InputError(f"'{choice}' is not supported: use one of {', '.join(known)}.")
    path = Path(folder).expanduser().absolute()
    wanted = {name: name for name in _ALWAYS} | {
        STORES[store]: "jobflow.yaml",
        QUEUES[queue]: "my_qadapter.yaml",
    }
    if queue == "sge":
        wanted["sge_template.txt"] = "sge_template.txt"
    report = ConfigReport(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
        for template, name in wanted.items():
            _write_new(path / name, render(template, path), report)
    except OSError as error:
        raise StoreError(f"The folder {path} cannot be written ({error.strerror}).") from error
    return report


def _write_new(file: Path, text: str, report: ConfigReport) -> None:
    if file.exists():
        report.kept.append(file.name)
        return
    file.touch(mode=0o600)
    file.write_text(text)
    report.written.append(file.name)
