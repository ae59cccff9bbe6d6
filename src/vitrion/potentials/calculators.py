"""From a named potential to an ASE calculator on one thread, checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import InputError, PotentialError
from vitrion.potentials.devices import AUTO, evaluation_in_torch, torch_device
from vitrion.potentials.evaluation import native_evaluation, why_torch
from vitrion.potentials.known_elements import check_elements
from vitrion.potentials.mace_import import import_mace
from vitrion.potentials.native import NativeCalculator, TableSource, why_not
from vitrion.potentials.registry import describe_potential, get_potential
from vitrion.potentials.spec import PotentialSpec, naming, sha256_of, verify_file
from vitrion.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ase.calculators.calculator import Calculator

_REASONS: dict[str, str | None] = {}
"""Why torch evaluates models of mace-torch that were loaded, by name; None if the kernel does."""


def load_calculator(
    potential: str | PotentialSpec | None = None,
    *,
    device: str | None = None,
    dtype: str = "float32",
    symbols: Iterable[str] | None = None,
) -> Calculator:
    """Load a potential as an ASE calculator that runs on one thread.

    The native kernel evaluates MACE models with scalar node features in float32 on the CPU; torch
    evaluates all others. The attribute ``evaluation`` of the calculator names what evaluates.

    Parameters
    ----------
    potential : str, PotentialSpec or None
        See :func:`vitrion.potentials.registry.get_potential`.
    device : str or None
        ``cpu``, ``cuda``, ``cuda:1`` or ``auto``, see :mod:`vitrion.potentials.devices`; None takes
        the user's setting.
    dtype : str
        ``float32`` or ``float64``; refused for CHGNet, which always runs in float32, if it is
        ``float64``.
    symbols : iterable of str, optional
        Elements of its structures; refused if the potential does not know one.

    Returns
    -------
    Calculator
        Energies in eV, forces in eV/A, stress in eV/A3; the stress is computed only when
        requested, if the backend can omit it.

    Raises
    ------
    InputError
        If the name, an element or the dtype is not known to the potential, or a file that the user
        named is not a trusted model.
    PotentialError
        If other weights cannot be found, verified, downloaded or loaded.
    """
    spec = get_potential(potential)
    if dtype not in ("float32", "float64"):
        raise InputError(f"The dtype must be float32 or float64, not '{dtype}'.")
    if symbols is not None:
        symbols = set(symbols)
        check_elements(spec, symbols)
    device = device or get_settings().device
    if spec.backend == "chgnet":
        _use_one_thread()
        return _load_chgnet(spec, torch_device(device), dtype)
    with naming(spec):
        calculator = _load_mace(spec, device, dtype)
    if symbols is not None:
        check_elements(spec.model_copy(update={"elements": _elements(calculator)}), symbols)
    return calculator


def usable_potential(
    potential: str | PotentialSpec | None, symbols: Iterable[str], formula: str | None = None
) -> PotentialSpec:
    """Return the description of a potential, refusing one that a run could not use.

    A model of mace-torch, or a file, is loaded once: its elements are known only then, and a named
    model may have to be downloaded.

    Parameters
    ----------
    potential
        See :func:`load_calculator`.
    symbols
        Elements of the run.
    formula
        Composition for the advice in the error; None for the elements.

    Raises
    ------
    InputError
        If the name or an element is unknown, or a named file is not a trusted model.
    PotentialError
        If the weights cannot be downloaded or loaded.
    """
    spec = get_potential(potential)
    check_trusted(spec)
    spec = describe_potential(spec)
    check_elements(spec, symbols, formula)
    if spec.is_user_file or (spec.backend == "mace" and spec.path is None):
        load_calculator(spec, device="cpu", symbols=symbols)
    return spec


def evaluation_of_potential(
    potential: str | PotentialSpec | None = None,
) -> tuple[str | None, str | None]:
    """Return what evaluates a potential here in float32, and why torch does if it does.

    Returns
    -------
    tuple
        Such as ``("native avx512 1", None)`` or ``("torch", "...")``; ``(None, None)`` for a MACE
        model of mace-torch before it is loaded.
    """
    spec = get_potential(potential)
    if spec.backend == "chgnet":
        return "torch", "the kernel evaluates MACE models only"
    if spec.path is not None and spec.path.suffix == ".safetensors":
        from vitrion.potentials.student import why_torch_file

        with naming(spec):
            reason = why_torch_file(spec.path, get_settings().device)
    elif spec.name in _REASONS:
        reason = _REASONS[spec.name]
    else:
        return None, None
    return (native_evaluation(), None) if reason is None else ("torch", reason)


def runs_on_gpu(potential: str | PotentialSpec | None = None, device: str | None = None) -> bool:
    """Whether torch evaluates a potential on a GPU here.

    Parameters
    ----------
    potential, device
        See :func:`load_calculator`. A MACE model of mace-torch is loaded if needed.
    """
    device = device or get_settings().device
    if device == AUTO:
        spec = get_potential(potential)
        name = evaluation_of_potential(spec)[0]
        if name is None and torch_device(device) != "cpu":
            load_calculator(spec, device=device)
            name = evaluation_of_potential(spec)[0]
        if name != "torch":
            return False
    return torch_device(device) != "cpu"


def force_field(potential: str | None = None, **kwargs: Any) -> dict[str, Any]:
    """Return the arguments that make an atomate2 force-field Maker use a registered potential.

    Examples
    --------
    >>> from atomate2.forcefields.jobs import ForceFieldRelaxMaker
    >>> ForceFieldRelaxMaker(**force_field("chgnet")).task_document_kwargs["forcefield_name"]
    'chgnet'
    """
    name = get_potential(potential).name
    return {
        "force_field_name": {
            "@module": "vitrion.potentials.calculators",
            "@callable": "load_calculator",
        },
        "calculator_kwargs": {"potential": name, **kwargs},
        # The key the document reads; without it the name would read "load_calculator".
        "task_document_kwargs": {"forcefield_name": name},
    }


def _use_one_thread() -> None:
    """Keep torch on one thread: two processes of two threads ran 17 times slower than of one."""
    import torch

    torch.set_num_threads(1)


def _load_chgnet(spec: PotentialSpec, device: str, dtype: str) -> Calculator:
    if dtype != "float32":
        raise InputError(f"CHGNet computes in float32 only: dtype {dtype} is not supported.")
    verify_file(spec)
    from vitrion.potentials.chgnet import LeanCHGNetCalculator

    return LeanCHGNetCalculator.from_name(
        "r2scan" if spec.name == "chgnet-r2scan" else "0.3.0", device
    )


def _load_mace(spec: PotentialSpec, device: str, dtype: str) -> Calculator:
    if spec.path is not None and spec.path.suffix == ".safetensors":
        from vitrion.potentials.student import file_calculator

        return file_calculator(verify_file(spec), device=device, dtype=dtype)
    _use_one_thread()
    import_mace()
    from mace.calculators import MACECalculator

    path = model_file(spec)
    try:
        calculator: Any = MACECalculator(
            model_paths=str(path), device=torch_device(device), default_dtype=dtype
        )
    except Exception as exc:  # torch reports a broken file by a dozen different classes
        raise PotentialError(f"{path} could not be loaded as a MACE model: {exc}") from exc
    (model,) = calculator.models
    reason = why_torch(device, dtype) or why_not(model)
    _REASONS[spec.name] = reason
    if reason is None:
        return NativeCalculator(TableSource(lambda: model, model.atomic_numbers, sha256_of(path)))
    calculator.evaluation = evaluation_in_torch(calculator.device.type)
    return calculator


def model_file(potential: str | PotentialSpec) -> Path:
    """Return the verified file of a MACE model, downloaded first if it has a name only.

    Raises
    ------
    InputError
        If the name is unknown, or the potential is not a trusted file of one MACE model.
    PotentialError
        If the file cannot be downloaded.
    """
    spec = get_potential(potential)
    path = verify_file(_downloaded(spec)) if spec.path is None else check_trusted(spec)
    if spec.backend != "mace" or path is None:
        raise InputError(f"'{spec.name}' is not a MACE model.")
    return path


def _downloaded(spec: PotentialSpec) -> PotentialSpec:
    from pathlib import Path

    from mace.calculators.foundations_models import download_mace_mp_checkpoint

    try:
        path = Path(download_mace_mp_checkpoint(spec.version))
    except Exception as exc:  # urllib, ssl and OS errors alike: the user needs one sentence
        raise PotentialError(
            f"The MACE model '{spec.version}' could not be downloaded ({exc}): check the network, "
            "or fetch the file elsewhere and name it as mace:<path>."
        ) from exc
    return spec.model_copy(update={"path": path})


def check_trusted(spec: PotentialSpec) -> Path | None:
    """Return the file of a potential, if its hash is stated or pickles are allowed.

    Parameters
    ----------
    spec : PotentialSpec
        As :func:`vitrion.potentials.registry.get_potential` returns it.

    Returns
    -------
    Path or None
        None for a model that is downloaded.

    Raises
    ------
    InputError
        If the file is a pickle that the user does not trust, or has another hash.
    PotentialError
        If a file of the package is missing or has another hash.
    """
    if spec.path is None:
        return None
    path = verify_file(spec)
    is_pickle = spec.backend == "mace" and path.suffix != ".safetensors"
    if is_pickle and spec.sha256 is None and not get_settings().allow_pickle:
        raise InputError(
            f"{path} is a pickle, which can run any code when it is loaded: if you trust it, set "
            f"VITRION_ALLOW_PICKLE=1 or name it as {spec.name}#<sha256>."
        )
    return path


def _elements(calculator: Any) -> tuple[str, ...]:
    """Return the elements of a loaded MACE model, ours or mace-torch's calculator around it."""
    from ase.data import chemical_symbols

    own = getattr(calculator, "elements", None)
    return tuple(chemical_symbols[z] for z in (own or calculator.z_table.zs))
