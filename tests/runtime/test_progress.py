import io

import pytest
from rich.console import Console

from vitrion.flows.display import RunDisplay
from vitrion.flows.run_cost import RunCost, StepCost
from vitrion.runtime.progress import Progress, read_progress, write_progress
from vitrion.runtime.runner import RunReport


def test_progress_of_parts_adds_up_to_the_plan(tmp_path):
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, Progress(0, 30, "ps"), plan=True)
    assert read_progress(tmp_path) is None
    write_progress(tmp_path / "a", Progress(2, 10, "ps", "at 600 K"))
    assert read_progress(tmp_path) == Progress(2, 30, "ps", "at 600 K")
    write_progress(tmp_path / "b", Progress(1, 10, "ps", "at 750 K"))
    assert read_progress(tmp_path) == Progress(3, 30, "ps", "in 2 parts")
    write_progress(tmp_path / "a", Progress(10, 10, "ps", "at 600 K"))
    assert read_progress(tmp_path).done == 11


def test_a_file_that_a_loss_of_power_has_emptied_is_left_out(tmp_path):
    write_progress(tmp_path / "a", Progress(2, 10, "ps"))
    (tmp_path / "progress.json").touch()
    assert read_progress(tmp_path) == Progress(2, 10, "ps")


def test_the_display_shows_each_step_and_how_many_are_left(tmp_path):
    text = io.StringIO()
    report = RunReport(completed=["pack"], skipped=["search"], open=3)
    with RunDisplay(Console(file=text, width=200)) as display:
        display._last_lines = -1e9
        write_progress(tmp_path, Progress(2, 10, "ps", "at 600 K"))
        display.update({tmp_path: "melt"}, report)
    assert "resuming: 1 of 5 steps done" in text.getvalue()
    assert "done: pack (2 of 5 steps)" in text.getvalue()
    assert "44 %, 2 of 5 steps" in text.getvalue(), "the melt is done by a fifth"
    assert "  melt: 2 of 10 ps at 600 K" in text.getvalue()


def test_a_finished_run_does_not_resume():
    text = io.StringIO()
    with RunDisplay(Console(file=text)) as display:
        display.update({}, RunReport(skipped=["pack", "melt"]))
    assert text.getvalue() == ""


def test_the_bar_moves_back_only_if_a_step_is_continued_and_shows_the_time_left(
    monkeypatch, tmp_path
):
    now = [0.0]
    monkeypatch.setattr("vitrion.flows.display.time.monotonic", lambda: now[0])
    cost = RunCost(
        (
            StepCost("melt \\d", "amorphous", 2, 1000.0),
            StepCost("conductivity", "amorphous", 1, 3000.0, width=2),
        ),
        per_atom_call_s=1.0,
    )
    assert cost.wall_s(1) == pytest.approx(4000, rel=1e-3)
    assert cost.wall_s(2) == pytest.approx(1000 + 1500, rel=1e-3), "the melts run one by one"
    assert cost.fraction(["melt 1"]) == pytest.approx(500 / 4000, rel=1e-2)
    assert cost.fraction(["melt 1", "melt 2"], [("conductivity", 0.5)]) == pytest.approx(
        2500 / 4000, rel=1e-2
    )
    display = RunDisplay(Console(file=io.StringIO(), force_terminal=True, width=100))
    display.start_run("LiF", cost, expected_s=4000.0)
    display.update({}, RunReport(open=3))
    now[0] = 1000.0
    display.update({}, RunReport(completed=["melt 1", "melt 2"], open=1))
    (bar,) = display._overall.tasks
    assert bar.completed == pytest.approx(0.25, rel=1e-2)
    assert bar.fields["note"] == "2 of 3 steps, 50 min left"
    display.update({}, RunReport(completed=["melt 1", "melt 2"], open=5))
    assert bar.completed == pytest.approx(0.25, rel=1e-2), "later steps do not set it back"
    # A step that is continued, such as by longer runs, is not yet done.
    first = tmp_path / "conductivity-28cea6db161d-1"
    write_progress(first / "md", Progress(3, 10, "ps"))
    finished = ["melt 1", "melt 2", "conductivity"]
    display.update({}, RunReport(completed=finished, open=1))
    assert bar.completed == pytest.approx(1.0)
    report = RunReport(completed=finished, open=1)
    display.update({first.with_name("conductivity-28cea6db161d-2"): "conductivity"}, report)
    assert bar.completed == pytest.approx((1000 + 0.3 * 3000) / 4000, rel=1e-2)
    assert bar.fields["note"].endswith(" min left")


def test_what_a_resumed_job_has_done_earlier_took_no_time(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setattr("vitrion.flows.display.time.monotonic", lambda: now[0])
    display = RunDisplay(Console(file=io.StringIO(), force_terminal=True, width=100))
    report = RunReport(skipped=["quench"], open=1)
    display.update({}, report)
    for done in (40, 50):
        write_progress(tmp_path, Progress(done, 100, "ps"))
        display.update({tmp_path: "conductivity"}, report)
        now[0] += 600.0
    (bar,) = display._overall.tasks
    display.update({tmp_path: "conductivity"}, report)
    assert bar.fields["note"] == "1 of 2 steps, 1.7 h left", "50 of 100 ps, at 30 ps per hour"
