"""Objects in a notebook: small tables with intervals and cautions, and plots."""

import json
import subprocess
import sys

import numpy as np
import pytest

from vitrion.amorphous.makers import MeltQuenchMaker
from vitrion.database.client import VitrionClient
from vitrion.dynamics.trajectory import Frame, Trajectory, TrajectoryWriter
from vitrion.errors import InputError
from vitrion.flows.glass_conductivity import GlassConductivityMaker
from vitrion.flows.run_recipe import RunResult
from vitrion.store.job_store import open_job_store

SMALL = 6000
"""Characters of a table in a notebook."""


@pytest.fixture
def trajectory(tmp_path):
    path = tmp_path / "md.vtraj.h5"
    writer = TrajectoryWriter.create(
        path, np.array([3, 9]), np.array([6.9, 19.0]), timestep_fs=1.0, frame_interval_fs=10.0
    )
    for step in range(4):
        place, cell = np.zeros((2, 3)), 4.0 * np.eye(3)
        writer.append(Frame(10 * step, place, cell, -8.0 - step, 300.0 + step, 0.0, 0.0))
    writer.flush()
    with Trajectory(path) as opened:
        yield opened


def test_a_result_shows_its_intervals_and_cautions(reports):
    glass = reports[1].conductivity.results[-1]
    shown = glass._repr_html_()
    assert len(shown) < SMALL
    low, high = glass.self_diffusivity.interval_95
    assert f"{glass.self_diffusivity.value:.1e}".split("e")[0] in shown
    assert "cm\u00b2/s" in shown
    assert "800 K, diffusive; 95 % intervals" in shown
    assert low < glass.self_diffusivity.value < high
    crystal = reports[0].conductivity.results[0]
    assert "not diffusive" in crystal._repr_html_()
    assert "below" in crystal._repr_html_()


def test_a_fit_shows_its_energy_or_why_not(reports):
    crystal, glass = (report.conductivity.arrhenius for report in reports)
    assert glass.fit.activation_energy.text in glass._repr_html_()
    assert crystal.refusals[0][:40] in crystal._repr_html_()


def test_every_document_is_a_small_table(reports):
    for report in reports:
        for document in report.documents:
            shown = document._repr_html_()
            assert shown.count("<table>") == 1
            assert len(shown) < SMALL
            assert "LiPO2F2" in shown
    bounds = reports[0].conductivity._repr_html_()
    assert "not determined" in bounds
    assert "0 of 3 temperatures diffusive" in bounds
    answer = reports[1].conductivity._repr_html_()
    assert reports[1].conductivity.sigma_300K.text.split(" ")[0] in answer


def test_documents_and_results_are_plotted(reports, tmp_path):
    for report in reports:
        for document in report.documents:
            assert document.plot().axes
    glass = reports[1].conductivity
    assert glass.plot(str(tmp_path / "fit.svg")).axes[0].get_yscale() == "log"
    assert (tmp_path / "fit.svg").read_text().startswith("<?xml")
    assert len(glass.plot(kind="msd").axes) == 1
    result = glass.results[-1]
    assert result.plot().axes[0].get_xlabel().startswith("lag")
    assert result.plot(kind="van_hove").axes[0].lines
    assert glass.arrhenius.plot().axes[0].get_yscale() == "log"
    with pytest.raises(InputError, match="must be one of msd, van_hove, jumps, not 'x'"):
        result.plot(kind="x")
    with pytest.raises(InputError, match="must be one of arrhenius, msd"):
        glass.plot(kind="x")


def test_a_trajectory_shows_its_frames_and_is_plotted(trajectory):
    shown = trajectory._repr_html_()
    assert "Trajectory of LiF" in shown
    assert ">302<" in shown
    assert ">64.0<" in shown or ">64<" in shown
    temperature, energy = trajectory.plot().axes
    assert temperature.lines[0].get_ydata().tolist() == [300.0, 301.0, 302.0, 303.0]
    assert energy.lines[0].get_ydata().tolist() == [-4.0, -4.5, -5.0, -5.5]


def test_a_maker_shows_its_settings():
    shown = GlassConductivityMaker.from_preset("quick", glass={"n_atoms": 48})._repr_html_()
    assert "n_atoms=48" in shown
    assert "GlassConductivityMaker" in shown
    assert "glass_maker.melt_quench_maker" in shown
    assert "melt quench" in MeltQuenchMaker()._repr_html_()


def test_a_run_shows_its_materials(reports):
    documents = {}
    for report in reports:
        for document in report.documents:
            documents.setdefault(document.property_name, []).append(document)
    shown = RunResult(documents)._repr_html_()
    assert "LiPO2F2 crystal" in shown
    assert reports[1].conductivity.arrhenius.fit.activation_energy.text in shown
    assert "no documents" in RunResult()._repr_html_()


def test_a_client_shows_its_kinds(tmp_path):
    with open_job_store(tmp_path) as store, VitrionClient(store) as client:
        assert "no documents" in client._repr_html_()
        assert "sigma_300K" in client.conductivity._repr_html_()
        assert "search(...) returns ConductivityDoc" in client.conductivity._repr_html_()


def test_a_plot_appears_in_a_notebook(reports):
    """The figure is a picture for any backend of matplotlib."""
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(reports[1].conductivity.plot())
    assert shown["image/png"].startswith(b"\x89PNG")
    table, _ = formatters.DisplayFormatter().format(reports[1].conductivity)
    assert "<table>" in table["text/html"]


def test_the_display_of_results_loads_no_notebook_packages():
    """The analysis of arrays stays light: tables are loaded at the first display."""
    code = "import sys, vitrion.transport; print('vitrion.report' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.strip().lower()) is False
