"""The paper's quantities: the file of numbers holds what the stored documents give."""

import json

import pytest

from helpers.pages import DOCS, ROOT
from helpers.scripts import load_script
from vitrion.comparison.side_by_side import compare
from vitrion.database.document_file import read_documents

TABLE = load_script(ROOT / "benchmarks" / "paper_table.py")
STORED = json.loads((DOCS / "results" / "paper.json").read_text())
ENTRIES = {
    "sigma of the glass": STORED["glass"]["sigma_300K_mS_per_cm"],
    "activation energy of the glass": STORED["glass"]["activation_energy_eV"],
    "sigma of the crystal": STORED["crystal"]["sigma_300K_mS_per_cm"],
    "ratio": STORED["ratio_glass_over_crystal"],
}


@pytest.fixture(scope="module")
def comparison():
    documents = read_documents(DOCS / "results" / "paper")
    return compare(TABLE.of_crystal(documents), TABLE.of_glass(documents))


@pytest.mark.parametrize("name", ENTRIES)
def test_every_number_has_its_interval_and_route(name):
    entry = ENTRIES[name]
    assert entry["lower"] < entry["value"] < entry["upper"]
    assert entry["route"]


def test_the_numbers_follow_from_the_documents(comparison):
    def flat(content, path=()):
        for key, value in content.items():
            if isinstance(value, dict):
                yield from flat(value, (*path, key))
            else:
                yield (*path, key), value

    computed = dict(flat(TABLE.values(comparison)))
    for path, value in flat(STORED):
        assert computed[path] == (pytest.approx(value) if isinstance(value, float) else value), path


def test_the_table_is_that_of_the_documents(comparison):
    assert TABLE.page(comparison) == (DOCS / "results" / "paper_table.md").read_text()


def test_the_glass_agrees_with_the_published_values_within_the_intervals():
    """About 0.18 mS/cm and 0.40 eV."""
    sigma, energy = ENTRIES["sigma of the glass"], ENTRIES["activation energy of the glass"]
    assert sigma["lower"] < 0.18 < sigma["upper"]
    assert energy["lower"] < 0.40 < energy["upper"]
