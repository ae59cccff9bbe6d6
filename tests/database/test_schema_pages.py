"""The pages in the documentation say what the documents are now."""

import json
from pathlib import Path

import pytest

from vitrion.database.kinds import document_classes
from vitrion.database.schema_pages import COMMAND, schema_files, versions, write_schemas

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture(scope="module")
def files():
    return schema_files()


def test_the_pages_are_up_to_date(files):
    if versions() not in (FOLDER / "index.md").read_text():
        pytest.skip("they were made with other versions of emmet-core and pydantic")
    stale = {name for name, text in files.items() if not (FOLDER / name).is_file()}
    stale |= {
        name for name in files if name not in stale and (FOLDER / name).read_text() != files[name]
    }
    stale |= {path.name for path in FOLDER.iterdir()} - set(files)
    assert not stale, f"run '{COMMAND}'"


def test_every_field_of_every_kind_has_its_row(files):
    for kind, cls in document_classes().items():
        if not cls.__module__.startswith("vitrion."):
            continue
        page = files[f"{kind}.md"]
        for name in cls.model_fields:
            assert f"| `{name}` |" in page
        assert "$ref" not in page
        assert json.loads(files[f"{kind}.json"])["properties"].keys() == cls.model_fields.keys()
        assert f"[{kind}]({kind}.md)" in files["index.md"]


def test_units_and_types_are_stated(files):
    assert (
        "| `activation_energy_eV` | number or null | Activation energy in eV. |"
        in files["conductivity.md"]
    )
    assert "list of TransportResult" in files["conductivity.md"]
    assert "## TransportResult" in files["conductivity.md"]


def test_they_are_written_where_one_says(tmp_path, files):
    assert {path.name for path in write_schemas(tmp_path / "new")} == set(files)
