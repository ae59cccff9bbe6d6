import io

from rich.console import Console

from vitrion.flows.display import RunDisplay
from vitrion.runtime.progress import Word, leave_word, read_progress
from vitrion.runtime.runner import RunReport


def test_words_of_parts_add_up_to_what_is_planned(tmp_path):
    assert read_progress(tmp_path) is None
    leave_word(tmp_path, Word(0, 30, "ps"), plan=True)
    assert read_progress(tmp_path) is None
    leave_word(tmp_path / "a", Word(2, 10, "ps", "at 600 K"))
    assert read_progress(tmp_path) == Word(2, 30, "ps", "at 600 K")
    leave_word(tmp_path / "b", Word(1, 10, "ps", "at 750 K"))
    assert read_progress(tmp_path) == Word(3, 30, "ps", "in 2 parts")
    leave_word(tmp_path / "a", Word(10, 10, "ps", "at 600 K"))
    assert read_progress(tmp_path).done == 11


def test_the_display_tells_each_step_and_how_many_are_left(tmp_path):
    text = io.StringIO()
    report = RunReport(completed=["pack"], skipped=["search"], open=3)
    with RunDisplay(Console(file=text, width=200)) as display:
        display._last_lines = -1e9
        leave_word(tmp_path, Word(2, 10, "ps", "at 600 K"))
        display.update({tmp_path: "melt"}, report)
    assert "done: pack (2 steps done, 3 to do)" in text.getvalue()
    assert "melt: 20% 2 of 10 ps at 600 K" in text.getvalue()
