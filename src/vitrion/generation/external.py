"""MatterGen and XtalPaint, run as programs in separate environments.

Their requirements conflict with this package (MatterGen 1.0 needs numpy below 2 and an old torch),
so data are exchanged through files: MatterGen runs by its command, XtalPaint by
``programs/run_xtalpaint.py``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.errors import InputError, SimulationError
from vitrion.generation.candidate import (
    Candidate,
    Origin,
    StructureGenerator,
    check_formula_units,
    check_request,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Composition, Structure

    from vitrion.chemistry.formulas import CompositionLike

MATTERGEN_VERSION = (1, 0)
MATTERGEN_OUTPUT = "generated_crystals.extxyz"
XTALPAINT_PROGRAM = Path(__file__).with_name("programs") / "run_xtalpaint.py"


@dataclass
class MatterGenGenerator(StructureGenerator):
    """Crystal structure prediction by MatterGen.

    Attributes
    ----------
    model_path : str
        A checkpoint trained for structure prediction; none is published.
    command : str
        ``mattergen-generate``, or its full path in another environment.
    formula_units : tuple of int
    sampling_config_path : str or None
        Folder of ``csp.yaml``, which the wheel of 1.0.3 does not include.
    timeout_s : float
        Time in s after which the run is stopped with an error.
    """

    model_path: str = ""
    command: str = "mattergen-generate"
    formula_units: tuple[int, ...] = (1, 2, 3, 4)
    sampling_config_path: str | None = None
    timeout_s: float = 24 * 3600.0
    name = "external"

    def generate(self, composition: CompositionLike, n: int, seed: int) -> list[Candidate]:
        """Sample ``n`` candidates; see ``StructureGenerator``.

        Raises
        ------
        InputError
            If the program or the checkpoint is missing, or the version is not supported.
        SimulationError
            If the program fails, or writes no structure of this composition.
        """
        check_request(n, seed)
        units = check_formula_units(self.formula_units)
        formula = parse_composition(composition)
        program = find_program(self.command, "MatterGen")
        if not self.model_path or not Path(self.model_path).exists():
            raise InputError(
                f"MatterGen needs model_path, a checkpoint for structure prediction; "
                f"'{self.model_path}' does not exist."
            )
        version = _mattergen_version(program)
        targets = [{el.symbol: round(amount) * u for el, amount in formula.items()} for u in units]
        with tempfile.TemporaryDirectory(prefix="vitrion-mattergen-") as folder:
            arguments = self._arguments(program, folder, targets, n, seed)
            run_program(arguments, self.timeout_s)
            structures = read_output(Path(folder) / MATTERGEN_OUTPUT)
        wanted = [s for s in structures if parse_composition(s.composition) == formula]
        if not wanted:
            raise SimulationError(
                f"MatterGen wrote {len(structures)} structures, none of composition "
                f"{usual_formula(formula)}: use a checkpoint for structure prediction."
            )
        origin = {"generator": self.name, "seed": seed, "model": f"MatterGen {version}"}
        return [_candidate(s, formula, origin) for s in wanted[:n]]

    def _arguments(
        self, program: str, folder: str, targets: list[dict[str, int]], n: int, seed: int
    ) -> list[str]:
        size = -(-n // len(targets))
        arguments = [
            program,
            folder,
            f"--model_path={self.model_path}",
            "--sampling-config-name=csp",
            f"--target_compositions={json.dumps(targets, separators=(',', ':'))}",
            f"--batch_size={size}",
            "--num_batches=1",
            f"--seed={seed}",
            "--record_trajectories=False",
        ]
        if self.sampling_config_path:
            arguments.append(f"--sampling_config_path={self.sampling_config_path}")
        return arguments


def xtalpaint_inpaint(
    host: Structure,
    insert: Mapping[str, int],
    n: int = 1,
    seed: int = 0,
    *,
    python: str,
    config: Mapping[str, Any],
    timeout_s: float = 24 * 3600.0,
) -> list[Candidate]:
    """Insert atoms of one element into a host with XtalPaint.

    Parameters
    ----------
    host : Structure
    insert : mapping of str to int
        One element and its number of atoms; XtalPaint inserts one element at a time.
    n : int
        Number of candidates.
    seed : int
    python : str
        Python executable of the environment in which xtalpaint is installed.
    config : mapping
        XtalPaint's pipeline settings (``pretrained_name`` or ``model_path``,
        ``predictor_corrector``, ``inpainting_model_params``, ...).
    timeout_s : float

    Raises
    ------
    InputError
        If the environment or the request is invalid.
    SimulationError
        If the program fails.
    """
    check_request(n, seed)
    if len(insert) != 1:
        raise InputError("XtalPaint inserts one element at a time.")
    program = find_program(python, "The Python of XtalPaint")
    element, count = next(iter(insert.items()))
    request = {
        "host": host.as_dict(),
        "element": element,
        "count": count,
        "n": n,
        "seed": seed,
        "config": dict(config),
    }
    with tempfile.TemporaryDirectory(prefix="vitrion-xtalpaint-") as folder:
        asked, answer = Path(folder) / "request.json", Path(folder) / "answer.extxyz"
        asked.write_text(json.dumps(request))
        run_program([program, str(XTALPAINT_PROGRAM), str(asked), str(answer)], timeout_s)
        structures = read_output(answer)
    origin = {
        "generator": "external",
        "seed": seed,
        "model": "XtalPaint",
        "parent": f"host {host.composition.formula}",
        "details": {"insert": dict(insert)},
    }
    return [Candidate(structure=s, origin=Origin(**origin)) for s in structures]


def find_program(command: str, what: str) -> str:
    """Return the full path of a program, or raise InputError."""
    program = shutil.which(command)
    if program is None:
        raise InputError(
            f"{what} was not found at '{command}': install it in a separate environment and set "
            "the full path of the program."
        )
    return program


def run_program(arguments: Sequence[str], timeout_s: float) -> None:
    """Run a program, or raise SimulationError with the last line of its output."""
    # Paths of this environment would make the other Python import packages of this one.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "VIRTUAL_ENV")}
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=timeout_s, env=environment
        )
    except subprocess.TimeoutExpired as exc:
        raise SimulationError(
            f"{Path(arguments[0]).name} was stopped after {timeout_s:.0f} s: request fewer "
            "structures or increase timeout_s."
        ) from exc
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise SimulationError(
            f"{Path(arguments[0]).name} failed with code {done.returncode}: {last[0]}"
        )


def read_output(path: Path) -> list[Structure]:
    """Read the structures written by a program, or raise SimulationError."""
    from vitrion.generation.diffusion.training_crystals import read_structures

    if not path.is_file():
        raise SimulationError(f"The program ended without an error but wrote no {path.name}.")
    try:
        structures = list(read_structures([path]))
    except InputError as exc:
        raise SimulationError(f"The program wrote a {path.name} that cannot be read.") from exc
    if not structures:
        raise SimulationError(f"The program wrote an empty {path.name}.")
    return structures


def _mattergen_version(program: str) -> str:
    """Return the MatterGen version of the program, or raise InputError if it is unsupported."""
    python = Path(program).with_name("python")
    code = "from importlib.metadata import version; print(version('mattergen'))"
    found = (
        subprocess.run([str(python), "-c", code], capture_output=True, text=True)
        if (python.is_file())
        else None
    )
    text = found.stdout.strip() if found and found.returncode == 0 else ""
    numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if numbers != MATTERGEN_VERSION:
        raise InputError(
            f"MatterGen {'.'.join(map(str, MATTERGEN_VERSION))} is needed and "
            f"'{text or 'no version'}' was found beside {program}."
        )
    return text


def _candidate(structure: Structure, formula: Composition, origin: dict[str, Any]) -> Candidate:
    units = round(len(structure) / formula.num_atoms)
    return Candidate(structure=structure, origin=Origin(**origin, formula_units=units))
