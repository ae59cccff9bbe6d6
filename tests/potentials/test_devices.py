"""The CPU or a GPU: what is chosen, and what is refused. No test here needs a GPU."""

import pytest
import torch
from typer.testing import CliRunner

from helpers.native_models import DESCRIPTION
from vitrion.cli import app
from vitrion.cli.places import use_device
from vitrion.doctor import examine
from vitrion.errors import InputError
from vitrion.potentials import load_calculator
from vitrion.potentials.calculators import runs_on_gpu
from vitrion.potentials.devices import torch_device
from vitrion.potentials.native import usable_variants
from vitrion.potentials.student import build_model
from vitrion.settings import get_settings

needs_kernel = pytest.mark.skipif(not usable_variants(), reason="the kernel was not compiled")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch):
    monkeypatch.delenv("VITRION_DEVICE", raising=False)
    monkeypatch.setenv("VITRION_ALLOW_PICKLE", "1")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def gpus(monkeypatch):
    """Torch reports two GPUs, as it would elsewhere."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@without_gpu
def test_a_machine_without_a_gpu_uses_its_cpu():
    assert torch_device("auto") == torch_device("cpu") == "cpu"
    assert not runs_on_gpu("chgnet")
    with pytest.raises(InputError, match="torch finds no GPU; use --device auto or cpu"):
        torch_device("cuda")
    with pytest.raises(InputError, match="torch finds no GPU"):
        load_calculator("chgnet", device="cuda")


@pytest.mark.usefixtures("gpus")
def test_a_gpu_is_detected():
    assert torch_device("auto") == "cuda"
    assert torch_device("cuda:1") == "cuda:1"
    with pytest.raises(InputError, match="finds 2 GPU"):
        torch_device("cuda:2")


@needs_kernel
@pytest.mark.usefixtures("gpus")
def test_auto_prefers_the_kernel_and_then_the_gpu(monkeypatch):
    assert not runs_on_gpu("vitrion-lipof")
    assert runs_on_gpu("vitrion-lipof", "cuda")
    assert not runs_on_gpu("chgnet", "cpu")
    assert runs_on_gpu("chgnet")
    assert load_calculator("vitrion-lipof", device="auto").evaluation.startswith("native")
    monkeypatch.setenv("VITRION_NATIVE", "0")
    assert runs_on_gpu("vitrion-lipof")


@without_gpu
def test_auto_evaluates_models_of_mace_torch_as_the_cpu_does(tmp_path):
    path = tmp_path / "vectors.model"
    torch.save(build_model(DESCRIPTION | {"hidden_irreps": "4x0e + 4x1o"}), path)
    assert load_calculator(f"mace:{path}", device="auto").evaluation == "torch"
    assert not runs_on_gpu(f"mace:{path}")


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "CPU", "cuda:-1", ""])
def test_another_device_is_refused_in_one_sentence(name, monkeypatch):
    with pytest.raises(InputError, match="must be auto, cpu, cuda or cuda:1"):
        torch_device(name)
    if name:
        monkeypatch.setenv("VITRION_DEVICE", name)
        with pytest.raises(InputError, match="device"):
            get_settings()


@without_gpu
def test_the_option_is_checked_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, said in (("tpu", "must be auto"), ("cuda", "torch finds no GPU")):
        result = CliRunner().invoke(app, ["run", "LiF", "--device", name])
        assert isinstance(result.exception, InputError)
        assert said in str(result.exception)
        assert get_settings().device == "auto", "a wrong device is not kept"
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("VITRION_DEVICE", "auto")  # restored at the end
    use_device("cpu")
    assert get_settings().device == "cpu"


@without_gpu
def test_doctor_reports_the_device(monkeypatch):
    def found():
        get_settings.cache_clear()
        (finding,) = (each for each in examine() if each.subject == "device")
        return finding

    assert found().status == "ok"
    assert found().detail == "auto: no GPU, everything runs on the CPU"
    monkeypatch.setenv("VITRION_DEVICE", "cuda")
    assert found().status == "fault"
    assert "finds no GPU" in found().detail
