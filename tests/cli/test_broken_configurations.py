"""A broken configuration of FireWorks or jobflow, or settings that are a list: one sentence."""

import subprocess
import sys
import warnings

import pytest
from typer.testing import CliRunner

from vitrion.cli import app, main
from vitrion.cli.outside import outside_message
from vitrion.errors import VitrionError
from vitrion.settings import get_settings

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 12)
)
COMMAND = "import sys; from vitrion.cli import main; sys.argv = ['vitrion', *sys.argv[1:]]; main()"


def assert_one_sentence(code, output, errors, sentence, path):
    assert code in (1, 2)
    assert output == ""
    assert errors.count("\n") == 1, errors
    assert sentence in errors
    assert str(path) in errors or "[1]" in errors


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("FW_CONFIG_FILE", "a: [", "The configuration of FireWorks"),
        ("FW_CONFIG_FILE", "- 1", "The configuration of FireWorks"),
        ("FW_CONFIG_FILE", "LAUNCHPAD_LOC: [1]", "The file [1] does not exist"),
        ("JOBFLOW_CONFIG_FILE", "JOB_STORE: 5", "The configuration of jobflow"),
    ],
)
def test_a_broken_configuration_is_one_sentence(tmp_path, monkeypatch, variable, text, sentence):
    """FireWorks and jobflow read theirs when they are imported."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    monkeypatch.setenv(variable, str(path))
    command = [sys.executable, "-c", COMMAND, "status"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert_one_sentence(done.returncode, done.stdout, done.stderr, sentence, path)


@pytest.mark.parametrize("text", ["- a\n- b", "[1, 2]", "[" * 5000, BOMB])
def test_broken_settings_are_one_sentence(tmp_path, monkeypatch, capsys, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    monkeypatch.setenv("VITRION_CONFIG_FILE", str(path))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # set by the command, restored after it
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vitrion", "query"])
    get_settings.cache_clear()
    with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
        main()
    get_settings.cache_clear()
    sentence = "cannot be read: write 'name: value' lines"
    said = capsys.readouterr()
    assert_one_sentence(ended.value.code, said.out, said.err, sentence, path)


@pytest.mark.parametrize(
    "words",
    [
        ("screen", "zero.csv"),
        ("distill", "zero.csv"),
        ("run", "LiF", "--dry-run", "--recipe", "zero.csv"),
        ("run", "LiF", "--dry-run", "--recipe", "bomb.yaml"),
        ("query", "--store", "bomb.yaml"),
    ],
    ids=" ".join,
)
def test_files_without_end_are_refused(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vitrion.runtime.text_files.MOST_CHARACTERS", 100_000)
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "bomb.yaml").write_text(BOMB)
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, VitrionError), result.exception
    assert "too many to be read" in str(result.exception) or "aliases" in str(result.exception)


def test_a_file_name_that_is_too_long_is_one_sentence(tmp_path):
    with pytest.raises(OSError, match="too long") as refusal:
        (tmp_path / ("x" * 300)).exists()
    assert outside_message(refusal.value).endswith("...' is too long.")
