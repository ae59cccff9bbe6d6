"""Checks of a machine on which something is damaged."""

from vitrion import doctor
from vitrion.errors import StoreError


def _damaged():
    raise OSError("libcudart.so.12: cannot open shared object file")


def _known():
    raise StoreError("The disk is full.")


def test_a_check_that_fails_is_a_fault_and_the_others_are_made(monkeypatch):
    checks = {"torch": _damaged, "store": _known, "Python": doctor._python}
    monkeypatch.setattr(doctor, "_CHECKS", checks)
    torch, store, python = doctor.examine()
    assert torch == doctor.Finding(
        "torch", "fault", "OSError: libcudart.so.12: cannot open shared object file"
    )
    assert store == doctor.Finding("store", "fault", "The disk is full.")
    assert python.status == "ok"
