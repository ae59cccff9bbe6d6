"""The potential that ships with the package: a small MACE model for Li-C-O-F-P.

A student is one safetensors file: the weights, the statistics by which
:mod:`vitrion.potentials.trust` detects new environments, and, in the file's
metadata, the JSON description from which the MACE module is built. Nothing is unpickled, and the
file's hash is checked against its data card before it is read.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vitrion.errors import PotentialError
from vitrion.potentials.devices import torch_device
from vitrion.potentials.imbalance import ImbalanceEnergy
from vitrion.potentials.mace_import import import_mace
from vitrion.potentials.single_precision import single_precision
from vitrion.potentials.spec import sha256_of
from vitrion.runtime.atomic import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch
    from ase.calculators.calculator import Calculator

    from vitrion.potentials.mace_model import MACEModel
    from vitrion.potentials.native import TableSource

STUDENT_NAME = "vitrion-lipof"
SHIPPED_STUDENTS = (STUDENT_NAME, "vitrion-lipof-pbe")
"""Names of the students in the package: the default, and the one without dispersion."""
SUFFIX = ".safetensors"

# Entries of the description that MACE's constructor takes as they are.
_PLAIN = (
    "r_max",
    "num_bessel",
    "num_polynomial_cutoff",
    "max_ell",
    "num_interactions",
    "correlation",
    "avg_num_neighbors",
    "atomic_numbers",
    "distance_transform",
    "pair_repulsion",
    "radial_MLP",
)
# Buffers that MACE builds from the description; storing them would only add size.
DERIVED = ("conv_tp.", "U_matrix", "spherical_harmonics.", "output_mask")


def student_path(name: str = STUDENT_NAME) -> Path:
    """Return the path of the weights of a shipped student, or of one in the user's folder."""
    if name in SHIPPED_STUDENTS:
        return Path(str(files("vitrion.potentials") / "data" / f"{name}{SUFFIX}"))
    return students_folder() / f"{name}{SUFFIX}"


def students_folder() -> Path:
    """Return the folder of the user's students."""
    from vitrion.settings import get_settings

    return get_settings().students.expanduser()


def local_students() -> list[str]:
    """Return the names of the students in the user's folder."""
    found = students_folder().glob(f"*{SUFFIX}")
    return sorted(path.stem for path in found if card_path(path.stem).is_file())


def card_path(name: str) -> Path:
    """Return the path of the data card of a student."""
    return student_path(name).with_name(f"{name}.json")


def is_student(name: str) -> bool:
    """Whether a name is the name of a shipped student, or of one in the user's folder."""
    if name in SHIPPED_STUDENTS:
        return True
    is_plain = "/" not in name and ":" not in name and not name.startswith(".")
    return is_plain and card_path(name).is_file()


def student_card(name: str = STUDENT_NAME) -> dict[str, Any]:
    """Return the data card of the weights.

    Raises
    ------
    PotentialError
        If the card is missing or cannot be read.
    """
    path = card_path(name)
    if not path.is_file():
        raise PotentialError(f"The potential '{name}' has no data card {path}.")
    return _read_card(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read_card(path: Path, modified_ns: int) -> dict[str, Any]:
    """Return a data card; ``modified_ns`` distinguishes versions of the file."""
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as exc:
        raise PotentialError(f"The data card {path} cannot be read: {exc}.") from exc


def student_spec(name: str = STUDENT_NAME) -> dict[str, Any]:
    """Return the fields of the ``PotentialSpec`` of a student."""
    card = student_card(name)
    return {
        "name": name,
        "backend": "mace",
        "path": student_path(name),
        "sha256": card["sha256"],
        **{key: card[key] for key in ("version", "functional", "training_set", "cutoff_A")},
        **{key: card[key] for key in ("license", "citation")},
        "elements": tuple(card["elements"]),
    }


def student_calculator(
    device: str = "cpu", dtype: str = "float32", name: str = STUDENT_NAME
) -> Calculator:
    """Return a student as an ASE calculator, its file's hash checked.

    Raises
    ------
    PotentialError
        If the file is missing or its hash differs from the data card.
    """
    path, sha256 = student_path(name), student_card(name)["sha256"]
    return file_calculator(path, sha256, device=device, dtype=dtype)


def file_calculator(
    path: str | Path, sha256: str | None = None, *, device: str = "cpu", dtype: str = "float32"
) -> Calculator:
    """Return a student file as an ASE calculator: native where possible, else torch.

    Parameters
    ----------
    path
        A file that :func:`save_student` wrote.
    sha256
        Hash the file must have; None skips the check.
    device, dtype
        The native kernel computes in float32 on the CPU; torch does everything else.

    Raises
    ------
    PotentialError
        If the file is missing, has another hash, or does not hold a student.
    """
    path = Path(path)
    found = _checked_hash(path, sha256)
    if why_torch_file(path, device, dtype) is not None:
        from vitrion.potentials.torch_mace import TorchMACECalculator

        return TorchMACECalculator(load_student(path), device=torch_device(device), dtype=dtype)
    from vitrion.potentials.native import NativeCalculator

    source = student_tables(path, found)
    source.tables(source.elements[:1])  # made or read now, to raise errors early
    return NativeCalculator(source)


def why_torch_file(path: Path, device: str = "cpu", dtype: str = "float32") -> str | None:
    """Return why torch evaluates a student file, None if the native kernel does; needs no torch.

    Raises
    ------
    PotentialError
        If the file is missing or does not hold a student.
    """
    from vitrion.potentials.evaluation import why_torch
    from vitrion.potentials.native import why_not_described

    return why_not_described(read_description(path)) or why_torch(device, dtype)


@cache
def student_tables(path: Path, sha256: str) -> TableSource:
    """Return the native tables of a student file of that hash; once made they need no torch."""
    from vitrion.potentials.native import TableSource

    elements = read_description(path)["atomic_numbers"]
    return TableSource(lambda: load_student(path), elements, sha256)


def load_student(path: str | Path, sha256: str | None = None) -> MACEModel:
    """Build the MACE module of a student file, in float32 on the CPU.

    Parameters
    ----------
    path
        A file that :func:`save_student` wrote.
    sha256
        Hash the file must have; None skips the check.

    Raises
    ------
    PotentialError
        If the file is missing, has another hash, or does not hold a student.
    """
    path = Path(path)
    _checked_hash(path, sha256)
    description, tensors = read_student(path)
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    return fill_model(build_model(description), weights, str(path))


def fill_model(model: MACEModel, weights: dict[str, torch.Tensor], origin: str) -> MACEModel:
    """Load weights into a model; a mismatch raises ``PotentialError``."""
    missing, unexpected = model.load_state_dict(weights, strict=False)
    wrong = [key for key in (*missing, *unexpected) if not any(part in key for part in DERIVED)]
    if wrong:
        raise PotentialError(f"{origin} does not fit its own description ({wrong[0]}).")
    return model


def _checked_hash(path: Path, sha256: str | None) -> str:
    """Return the hash of a student file after checking it."""
    if not path.is_file():
        raise PotentialError(f"The potential file {path} does not exist.")
    found = sha256_of(path)
    if sha256 is not None and found != sha256:
        raise PotentialError(f"{path} is not the released file: reinstall vitrion.")
    return found


def read_description(path: str | Path) -> dict[str, Any]:
    """Return the description in a student file, without torch.

    Raises
    ------
    PotentialError
        If the file is missing or does not hold a student.
    """
    with _opened(path, "numpy") as (description, _):
        return description


def read_statistics(path: str | Path) -> dict[str, np.ndarray]:
    """Return the statistics of the training set in a student file, if any, without torch.

    Raises
    ------
    PotentialError
        If the file is missing or does not hold a student.
    """
    with _opened(path, "numpy") as (_, handle):
        names = [name for name in handle.keys() if name.startswith("trust.")]  # noqa: SIM118
        return {name: handle.get_tensor(name) for name in names}


@contextmanager
def _opened(path: str | Path, framework: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Open a student file; yield its description and the handle of its tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework=framework) as handle:
            yield json.loads((handle.metadata() or {})["description"]), handle
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as exc:
        raise PotentialError(f"{path} does not hold a vitrion student: {exc}") from exc


def read_student(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the description and all tensors of a student file."""
    with _opened(path, "pt") as (description, handle):
        return description, {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118


def save_student(
    model: MACEModel, path: str | Path, extra: dict[str, torch.Tensor] | None = None
) -> str:
    """Write a MACE model as a student file and return the file's SHA-256.

    Parameters
    ----------
    model
        A ``ScaleShiftMACE`` with one head.
    path
        Output file; replaced atomically.
    extra
        Additional tensors to store, such as the trust statistics.
    """
    from safetensors.torch import save

    tensors = {
        f"model.{key}": value.detach().cpu().contiguous().clone()
        for key, value in model.state_dict().items()
        if not any(part in key for part in DERIVED)
    }
    tensors |= {key: value.contiguous() for key, value in (extra or {}).items()}
    content = save(tensors, metadata={"description": json.dumps(describe_model(model))})
    write_durably(Path(path), content)
    return sha256_of(Path(path))


def describe_model(model: MACEModel) -> dict[str, Any]:
    """Return the JSON description from which :func:`build_model` makes the same module."""
    products = model.products[0]
    radial = model.radial_embedding
    transform = type(getattr(radial, "distance_transform", None)).__name__
    contraction = products.symmetric_contractions.contractions[0]
    return {
        "r_max": float(model.r_max),
        "num_bessel": len(radial.bessel_fn.bessel_weights),
        "num_polynomial_cutoff": int(radial.cutoff_fn.p),
        "max_ell": int(model.spherical_harmonics._lmax),
        "num_interactions": int(model.num_interactions),
        "correlation": len(contraction.weights) + 1,
        "avg_num_neighbors": float(model.interactions[0].avg_num_neighbors),
        "atomic_numbers": [int(z) for z in model.atomic_numbers],
        "distance_transform": {"AgnesiTransform": "Agnesi", "SoftTransform": "Soft"}.get(
            transform, "None"
        ),
        "pair_repulsion": hasattr(model, "pair_repulsion"),
        "hole_energy_eV": getattr(model, "hole_energy_eV", 0.0),
        "electron_energy_eV": getattr(model, "electron_energy_eV", 0.0),
        "radial_MLP": [int(width) for width in model.interactions[0].radial_MLP],
        "hidden_irreps": str(products.linear.irreps_out),
        "MLP_irreps": str(model.readouts[-1].hidden_irreps),
        "interaction_cls": type(model.interactions[-1]).__name__,
        "interaction_cls_first": type(model.interactions[0]).__name__,
    }


def build_model(description: dict[str, Any]) -> MACEModel:
    """Return a float32 MACE module of an architecture, without its weights."""
    import_mace()
    import e3nn
    import numpy as np
    import torch
    from e3nn import o3
    from mace.modules import ScaleShiftMACE, interaction_classes

    n_elements = len(description["atomic_numbers"])
    options = e3nn.get_optimization_defaults()
    # Compiled to TorchScript, a model takes a second longer to build and is not faster.
    e3nn.set_optimization_defaults(jit_script_fx=False)
    try:
        with single_precision():
            made = ScaleShiftMACE(
                **{key: description[key] for key in _PLAIN},
                hidden_irreps=o3.Irreps(description["hidden_irreps"]),
                MLP_irreps=o3.Irreps(description["MLP_irreps"]),
                interaction_cls=interaction_classes[description["interaction_cls"]],
                interaction_cls_first=interaction_classes[description["interaction_cls_first"]],
                num_elements=n_elements,
                atomic_energies=np.zeros((1, n_elements)),
                gate=torch.nn.functional.silu,
                atomic_inter_scale=1.0,
                atomic_inter_shift=0.0,
                heads=["Default"],
            )
    finally:
        e3nn.set_optimization_defaults(**options)
    model = cast("MACEModel", made)
    model.hole_energy_eV = float(description.get("hole_energy_eV", 0.0))
    model.electron_energy_eV = float(description.get("electron_energy_eV", 0.0))
    if model.hole_energy_eV or model.electron_energy_eV:
        numbers = [int(z) for z in description["atomic_numbers"]]
        term = ImbalanceEnergy(numbers, model.hole_energy_eV, model.electron_energy_eV)
        model.register_forward_hook(term)
    return model
