"""The order of imports in pyproject.toml holds."""

from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[1]


def test_no_import_runs_back_up_and_none_runs_in_a_circle():
    config = str(ROOT / "pyproject.toml")
    assert lint_imports(config_filename=config, cache_dir=None) == EXIT_STATUS_SUCCESS
