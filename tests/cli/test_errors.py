"""An error is one sentence on stderr and an exit code, whatever stands in it."""

import sys

import pytest

from vitrion.cli import main
from vitrion.errors import InputError, SimulationError


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (SimulationError, 1)])
def test_square_brackets_of_a_message_are_printed(kind, code, monkeypatch, capsys):
    def fail():
        raise kind("This needs more: pip install 'vitrion[serve]'.")

    monkeypatch.setattr(sys, "argv", ["vitrion", "doctor"])
    monkeypatch.setattr("vitrion.doctor.examine", fail)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    assert capsys.readouterr().err == "Error: This needs more: pip install 'vitrion[serve]'.\n"
