"""The commands of the main job, as a user types them."""

import math

import pytest
from monty.json import jsanitize
from pymatgen.core import Lattice, Structure
from rich.console import Console
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.conductivity.document import ConductivityDoc
from vitrion.errors import InputError
from vitrion.store.job_store import SQLiteJobStore
from vitrion.transport.result import Estimate


def invoke(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a store with a crystal that has but a bound, and a glass that conducts."""
    folder = tmp_path_factory.mktemp("results")
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    crystal = ConductivityDoc.from_results(salt, {}, phase="crystalline")
    crystal.sigma_300K_bound = 0.001
    glass = ConductivityDoc.from_results(salt, {}, phase="amorphous")
    glass.sigma_300K = Estimate(value=2.0, relative_error=0.1, degrees_of_freedom=math.inf)
    store = SQLiteJobStore(str(folder))
    store.connect()
    for uuid, document in (("a", crystal), ("b", glass)):
        content = jsanitize(document, strict=True)
        store.update({"uuid": uuid, "index": 1, "output": content, "completed_at": "2026-01-01"})
    store.close()
    return folder


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "Nonsense"), "not a chemical formula"),
        (("run", "LiF", "--phase", "plasma"), "phase"),
        (("run", "LiF", "--workers", "0"), "number of workers must be 1 to 1024"),
        (
            ("run", "LiF", "--temperatures", "hot"),
            "temperatures_K is 'hot', but must be a valid number",
        ),
        (("run", "LiF", "--structure", "missing.cif"), "neither a structure file"),
        (("run", "Li7P3O11", "--structure", "known"), "vitrion has no structure of"),
        (("screen",), "Name a file"),
        (("run", "LiF", "--store", "jobflow.yaml"), "is not a folder"),
        (("run", "LiF", "--store", "store.json"), "is not a folder"),
        (("search", "LiF", "--store", __file__), "is not a folder"),
        (("screen", "--grid", "LiF"), "at least two end members"),
        (("screen", "missing.csv"), "missing.csv does not exist"),
    ],
)
def test_bad_input_stops_before_anything_starts(words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence):
        invoke(words[0], "--store", tmp_path / "data", *words[1:])
    assert not (tmp_path / "data").exists()


def test_crystal_and_glass_are_compared_with_a_bound_of_the_ratio(folder, monkeypatch):
    monkeypatch.setattr("vitrion.cli.run.console", Console(width=140, markup=False))
    text = invoke("compare", "LiF", "--store", folder).output
    row = next(line for line in text.splitlines() if "conductivity at 300 K" in line)
    assert "below 0.0010" in row
    assert "at least x 1" in row
    with pytest.raises(InputError, match="Both materials are LiF glass: name two, such as"):
        invoke("compare", "LiF:amorphous", "LiF:glass", "--store", folder)
    with pytest.raises(InputError, match="nothing of 'NaF'"):
        invoke("compare", "NaF", "--store", folder)
    with pytest.raises(InputError, match="no amorphous LiF:crystalline"):
        invoke("compare", "LiF:crystalline", "--store", folder)


def test_a_crystal_is_never_compared_with_another_by_chance(folder, tmp_path):
    with SQLiteJobStore(str(folder)) as store:
        known = store.query_one({"uuid": "a"})
        output = {**known["output"], "material_id": "mp-1138"}
        with SQLiteJobStore(str(tmp_path)) as both:
            both.update(
                [known, store.query_one({"uuid": "b"}), {**known, "uuid": "c", "output": output}]
            )
    with pytest.raises(
        InputError, match=r"several materials LiF .*mp-1138, without identifier.*name one"
    ):
        invoke("compare", "LiF", "--store", tmp_path)


def test_a_composition_that_is_named_twice_is_computed_once(tmp_path):
    """A run that fails was tried once per line."""
    (tmp_path / "list.txt").write_text("LiF\nLi2O\nLiF\n")
    shown = invoke("screen", tmp_path / "list.txt", "--dry-run").stdout.splitlines()
    runs = [line for line in shown if line.startswith("# run ")]
    assert [line.split("-")[0] for line in runs] == ["# run LiF", "# run Li2O"]
