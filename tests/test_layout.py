"""The order of imports in pyproject.toml holds, and a file's name says which file it is."""

from collections import Counter
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

import vitrion

ROOT = Path(__file__).parents[1]
PACKAGE = Path(vitrion.__file__).parent
IN_MANY_FOLDERS = {"__init__", "document", "makers"}


def test_no_import_runs_back_up_and_none_runs_in_a_circle():
    config = str(ROOT / "pyproject.toml")
    assert lint_imports(config_filename=config, cache_dir=None) == EXIT_STATUS_SUCCESS


def test_a_file_name_occurs_once():
    names = Counter(path.stem for path in PACKAGE.rglob("*.py"))
    assert {name for name, n in names.items() if n > 1} <= IN_MANY_FOLDERS
