import io

from rich.console import Console

from vitrion.flows.display import RunDisplay
from vitrion.runtime.progress import Progress, read_progress, write_progress
from vitrion.runtime.runner import RunReport


def test_words_of_parts_add_up_to_what_is_planned(tmp_path):
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, Progress(0, 30, "ps"), plan=True)
    assert read_progress(tmp_path) is None
    write_progress(tmp_path / "a", Progress(2, 10, "ps", "at 600 K"))
    assert read_progress(tmp_path) == Progress(2, 30, "ps", "at 600 K")
    write_progress(tmp_path / "b", Progress(1, 10, "ps", "at 750 K"))
    assert read_progress(tmp_path) == Progress(3, 30, "ps", "in 2 parts")
    write_progress(tmp_path / "a", Progress(10, 10, "ps", "at 600 K"))
    assert read_progress(tmp_path).done == 11


def test_the_display_tells_each_step_and_how_many_are_left(tmp_path):
    text = io.StringIO()
    report = RunReport(completed=["pack"], skipped=["search"], open=3)
    with RunDisplay(Console(file=text, width=200)) as display:
        display._last_lines = -1e9
        write_progress(tmp_path, Progress(2, 10, "ps", "at 600 K"))
        display.update({tmp_path: "melt"}, report)
    assert "done: pack (2 steps done, 3 left)" in text.getvalue()
    assert "melt: 20% 2 of 10 ps at 600 K" in text.getvalue()
