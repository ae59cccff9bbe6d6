"""Size and rate of the glass: the table is that of the stored documents."""

from helpers.pages import DOCS, ROOT
from helpers.scripts import load_script

BENCHMARK = load_script(ROOT / "benchmarks" / "glass_convergence.py")


def test_the_table_is_that_of_the_documents():
    groups = BENCHMARK.read_groups(BENCHMARK.FOLDERS)
    stored = (DOCS / "results" / "glass_convergence_table.md").read_text()
    assert BENCHMARK.page(groups) == stored
    assert {(72, 5.0), (144, 5.0), (216, 5.0), (72, 50.0)} <= groups.keys()
