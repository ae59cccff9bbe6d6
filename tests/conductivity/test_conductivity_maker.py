"""The job that extends its own molecular dynamics, on ions whose diffusivity is known exactly.

Atoms that do not interact diffuse under a Langevin thermostat with D = kT / (m gamma).
"""

from functools import partial

import numpy as np
import pytest
from ase import units
from ase.calculators.lj import LennardJones
from jobflow import JobStore, run_locally
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from helpers.gases import FRICTION_TIME_FS, SETTINGS, make_maker
from helpers.walkers import hopping, in_crystal
from vitrion.comparison.cautions import cautions_of
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.further_systems import Cost
from vitrion.conductivity.pooling import pool
from vitrion.conductivity.segments import run_segments
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.workers import MDTask
from vitrion.errors import InputError, SimulationError
from vitrion.materials.material import MaterialReport
from vitrion.transport import analyze, arrhenius
from vitrion.transport.combined_estimates import combine_estimates


@pytest.fixture
def gas():
    """Light ions among heavy atoms, which hardly move."""
    rng = np.random.default_rng(1)
    return Structure(Lattice.cubic(20.0), ["Li"] * 16 + ["U"] * 8, rng.random((24, 3)))


def run(flow, folder):
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    return run_locally(
        flow, root_dir=folder, create_folders=True, store=store, ensure_success=True, log=False
    )


def einstein_diffusivity(temperature):
    """D = kT / (m gamma) of free lithium, in cm2/s."""
    speed_squared = units.kB * temperature / 6.94 * units.fs**2  # A2/fs2
    return speed_squared * FRICTION_TIME_FS * 0.1


def test_the_job_extends_its_runs_until_the_target_is_met(tmp_path, gas):
    job = make_maker(tmp_path / "runs").make(gas)
    responses = run(job, tmp_path)[job.uuid]
    documents = [ConductivityDoc.model_validate(r.output) for _, r in sorted(responses.items())]
    assert len(documents) > 1, "the first iteration cannot be precise enough"
    last = documents[-1]
    assert last.plan.reached
    assert [document.plan.reached for document in documents[:-1]] == [False] * (len(documents) - 1)
    for result in last.results:
        assert result.conductivity.relative_error <= 0.2
        low, high = result.self_diffusivity.interval(0.99)
        assert low < einstein_diffusivity(result.temperature_K) < high
        files = last.trajectories[f"s0-{result.temperature_K:g}K-r0"]
        # Parts after the equilibration overlap in one frame each.
        frames = sum(file.n_frames - 1 for file in files[1:])
        assert result.n_frames == frames + 1
        assert result.duration_ps == pytest.approx(frames * 0.025)
    assert last.activation_energy_eV == pytest.approx(0.0345, abs=0.02)  # D proportional to T


def test_the_job_run_again_changes_nothing(tmp_path, gas):
    maker = make_maker(tmp_path / "runs", target=0.3, first_ps=9.0)
    first, finished = maker.advance([gas], tmp_path / "runs")
    again, finished_again = maker.advance([gas], tmp_path / "runs")
    assert finished
    assert finished_again
    assert again.results == first.results


def test_walltime_makes_the_job_continue_itself(tmp_path, gas):
    maker = make_maker(tmp_path / "runs", target=0.5, temperatures_K=(400.0,))
    job = maker.update_kwargs({"walltime_s": 0.0}).make(gas)
    responses = run(job, tmp_path)[job.uuid]
    outputs = [response.output for _, response in sorted(responses.items())]
    assert outputs[0].results == []
    assert outputs[-1].plan.reached


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mobile": "Na"}, "Na is not in Li2U"),
        ({"mobile": "Li,U4+"}, "All elements"),
        ({"charge": 0.0}, "other than zero"),
    ],
)
def test_a_wrong_mobile_species_is_refused_before_the_dynamics(tmp_path, gas, changes, message):
    maker = make_maker(tmp_path, temperatures_K=(400.0,), **changes)
    with pytest.raises(InputError, match=message):
        maker.advance([gas], tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_ambiguous_mobile_species_is_refused_before_the_dynamics(tmp_path, gas):
    gas.replace_species({"Li": "Mg"})
    with pytest.raises(InputError, match="ambiguous"):
        make_maker(tmp_path, temperatures_K=(400.0,)).advance([gas], tmp_path)
    assert not list(tmp_path.iterdir())


SCAN = {"lowest_K": 100.0, "highest_K": 900.0, "n_scanned": 4, "scan_ps": 6.0, "n_temperatures": 3}


def test_temperatures_are_chosen_by_a_scan(tmp_path, gas):
    maker = make_maker(tmp_path, target=0.9, temperatures_K="auto", scan=SCAN)
    gas.replace_species({"U": "Nb"})  # light enough to move at 900 K
    document, _ = maker.advance([gas], tmp_path)
    choice = document.temperature_choice
    scanned_K = [point.temperature_K for point in choice.points]
    assert scanned_K == pytest.approx([100.0, 1 / 0.0070370, 1 / 0.0040741, 900.0], rel=1e-4)
    assert document.temperatures_K == choice.temperatures_K
    assert choice.temperatures_K[-1] <= choice.softening_K < 900.0
    assert choice.points[0].moved_fraction < choice.points[-1].moved_fraction
    again, _ = maker.advance([gas], tmp_path)
    assert again.temperature_choice == choice
    assert again.temperatures_K == document.temperatures_K


def test_a_budget_that_is_used_up_ends_the_job(tmp_path, gas):
    """The sum of 2 x 5 runs of 0.6 ps differs from 6 ps in the last digit."""
    rng = np.random.default_rng(0)
    runs = {300.0: [], 600.0: []}
    for kelvin in np.repeat([300.0, 600.0], 5).tolist():
        positions, symbols = in_crystal(hopping(100, 20, 20.0).draw(rng), 12 * np.eye(3), rng)
        run = analyze(positions, 12 * np.eye(3), symbols, 100.0, kelvin, wrapped=False)
        runs[kelvin].append(run.model_copy(update={"duration_ps": 0.6}))
    assert sum([0.6] * 10) < 6.0
    maker = make_maker(tmp_path, budget_ps=6.0, replicas=5, first_ps=0.6, target=0.01)
    cost = Cost(maker.settings.budget_ps(1), None)
    plan = maker._plan(runs, [gas], maker._runs([gas]), {}, None, cost)
    assert not plan.extensions_ps
    assert "the time budget is used up" in plan.reason


def test_all_parts_of_a_job_share_its_walltime(tmp_path, gas, monkeypatch):
    """Else a job of several parts runs longer than the walltime."""
    given = []

    def record(tasks, load, *, walltime_s, **kwargs):
        given.append(walltime_s)
        return run_segments(tasks, load, walltime_s=walltime_s, **kwargs)

    monkeypatch.setattr("vitrion.conductivity.makers.run_segments", record)
    maker = make_maker(tmp_path, temperatures_K=(400.0,)).update_kwargs({"walltime_s": 1000.0})
    maker.advance([gas], tmp_path)
    assert len(given) == 3
    assert 1000.0 >= given[0] > given[1] > given[2] > 0.0


def test_a_scan_cut_off_by_the_walltime_resumes(tmp_path, gas):
    md = SETTINGS.model_copy(update={"checkpoint_interval_steps": 600})  # two to a run of the scan
    maker = make_maker(
        tmp_path / "runs", target=0.5, extension=0.0, temperatures_K=None, scan=SCAN, md=md
    )
    job = maker.update_kwargs({"walltime_s": 0.0}).make(gas)
    responses = run(job, tmp_path)[job.uuid]
    outputs = [response.output for _, response in sorted(responses.items())]
    assert outputs[0].results == []
    assert outputs[-1].temperatures_K == outputs[-1].temperature_choice.temperatures_K


def test_runs_of_one_structure_are_not_separate_structures(tmp_path, gas):
    """Two runs of each of two structures: first the runs, then the structures, in both places."""
    other = gas.copy()
    other.translate_sites(range(16), [0.1, 0.2, 0.3], to_unit_cell=True)
    maker = make_maker(
        tmp_path, n_structures=2, replicas=2, target=0.9, temperatures_K=(400.0,), first_ps=6.0
    )
    document, _ = maker.advance([gas, other], tmp_path)
    assert document.systems == [[0, 0, 1, 1]]
    (runs,) = document.replicas
    single = [run.self_diffusivity or run.provisional.self_diffusivity for run in runs]
    pairs = [combine_estimates(pair, hierarchical=False) for pair in (single[:2], single[2:])]
    expected = combine_estimates(pairs, hierarchical=True)
    assert document.results[0].self_diffusivity == expected
    assert document.plan.relative_error == document.results[0].conductivity.relative_error
    # The spread between systems is part of the error, and two of them say little about it.
    assert expected.relative_error > min(pair.relative_error for pair in pairs) / np.sqrt(2.0)
    flat = combine_estimates(single, hierarchical=True)
    assert expected.interval_95[1] / expected.value > flat.interval_95[1] / flat.value


def test_one_glass_is_corrected_for_its_finite_time_and_one_crystal_is_not(tmp_path, gas):
    for phase in ("amorphous", "crystalline"):
        folder = tmp_path / phase
        maker = make_maker(folder, target=0.9, temperatures_K=(400.0,), first_ps=6.0)
        maker.phase = phase
        document, _ = maker.advance([gas], folder)
        (result,) = document.results
        assert result.diffusive
        assert (result.finite_time is not None) == (phase == "amorphous")
        assert len(document.replicas) == (phase == "amorphous")
        # The correction is made once, however often the document is combined.
        assert pool([pool([document])]).results == document.results


def test_the_plan_leaves_out_what_the_document_leaves_out(tmp_path, gas):
    """A temperature above the melting point does not affect sigma(300 K) and gets no time."""
    results = {}
    for temperature, hops in ((500.0, 10.0), (600.0, 20.0), (800.0, 40.0)):
        rng = np.random.default_rng(int(temperature))
        positions, symbols = in_crystal(hopping(400, 20, hops).draw(rng), 12 * np.eye(3), rng)
        run = analyze(positions, 12 * np.eye(3), symbols, 100.0, temperature, wrapped=False)
        results[temperature] = [run]
    maker = make_maker(tmp_path, goal="300K", target=0.01, budget_ps=1e6, melting_K=700.0)
    cost = Cost(maker.settings.budget_ps(1), None)
    plan = maker._plan(results, [gas], maker._runs([gas]), {}, None, cost)
    assert set(plan.extensions_ps) <= {500.0, 600.0}
    assert plan.extensions_ps
    line = arrhenius([run for (run,) in results.values()], melting_K=700.0)
    assert plan.relative_error == line.sigma_300K.relative_error


def fail_in(monkeypatch, *folders):
    """Make the named segments fail, such as ``s0-600K-r0/segment-002``; return their attempts."""
    attempts = []

    def run(structure, calculator, settings, directory, **kwargs):
        name = f"{directory.parent.name}/{directory.name}"
        if name in folders:
            attempts.append(name)
            raise SimulationError("two atoms collapsed")
        return run_md(structure, calculator, settings, directory, **kwargs)

    monkeypatch.setattr("vitrion.conductivity.segments.run_md", run)
    return attempts


def test_a_run_that_fails_in_its_extension_keeps_its_finished_segments(tmp_path, gas, monkeypatch):
    attempts = fail_in(monkeypatch, "s0-600K-r0/segment-002")
    maker = make_maker(tmp_path, budget_ps=12.0, target=0.1)
    document = maker.advance([gas], tmp_path)[0]
    before = dict(zip(document.temperatures_K, document.results, strict=True))
    finished = False
    while not finished:
        document, finished = maker.advance([gas], tmp_path)
    after = dict(zip(document.temperatures_K, document.results, strict=True))
    assert after[600.0] == before[600.0]
    assert after[300.0].duration_ps > before[300.0].duration_ps
    assert len(document.trajectories["s0-600K-r0"]) == 2  # equilibration and the first segment
    assert not document.failures
    assert list(document.failed_extensions) == ["s0-600K-r0"]
    assert 600.0 not in document.plan.extensions_ps
    assert attempts
    found = cautions_of([MaterialReport.from_documents([document])])
    (caution,) = [each for each in found if each.kind == "failed_extension"]
    assert "two atoms collapsed" in caution.text


def test_a_run_that_fails_before_its_first_segment_is_left_out(tmp_path, gas, monkeypatch):
    fail_in(monkeypatch, "s0-600K-r0/segment-001")
    maker = make_maker(tmp_path, replicas=2, extension=0.0)
    document, _ = maker.advance([gas], tmp_path)
    assert list(document.failures) == ["s0-600K-r0"]
    assert not document.failed_extensions
    assert "s0-600K-r0" not in document.trajectories
    assert [result.n_replicas for result in document.results] == [2, 1]


def test_a_run_without_any_finished_segment_at_its_temperature_is_an_error(
    tmp_path, gas, monkeypatch
):
    fail_in(monkeypatch, "s0-600K-r0/segment-001")
    with pytest.raises(SimulationError, match=r"All runs at 600 K failed: .*two atoms collapsed"):
        make_maker(tmp_path).advance([gas], tmp_path)


def test_maker_goes_through_fireworks(tmp_path, gas):
    flow = make_maker(tmp_path).make(gas)
    assert len(flow_to_workflow(flow).fws) == 1
    settings = ConductivitySettings(target=0.4)
    updated = make_maker(tmp_path).update_kwargs({"settings": settings.as_dict()})
    assert updated.settings == settings
    again = MontyDecoder().process_decoded(updated.as_dict())
    assert again.settings == settings


@pytest.mark.parametrize(
    "kwargs",
    [{"temperatures_K": ()}, {"target": 2.0}, {"first_ps": 0.0}, {"replicas": 0}],
)
def test_bad_input_is_refused(tmp_path, kwargs):
    with pytest.raises(InputError):
        make_maker(tmp_path, **kwargs)


@pytest.mark.parametrize(("workers", "batched"), [(1, False), (2, False), (1, True)])
def test_a_fault_of_a_calculator_is_recorded_however_it_runs(tmp_path, gas, workers, batched):
    settings = SETTINGS.model_copy(update={"duration_ps": 0.1})
    tasks = [MDTask(name, gas, settings, tmp_path / name) for name in ("a", "b")]
    outcomes = run_segments(
        tasks,
        partial(LennardJones, epsilon="broken", sigma=1.0, rc=2.5),
        workers=workers,
        batched=batched,
        potential={},
        cutoff_A=None,
        walltime_s=None,
    )
    assert [outcome.name for outcome in outcomes] == ["a", "b"]
    assert all(str(outcome.error).startswith("TypeError") for outcome in outcomes)


def test_a_batch_gives_the_result_of_single_runs(tmp_path, gas):
    documents = []
    for batched in (False, True):
        folder = tmp_path / str(batched)
        maker = make_maker(folder, budget_ps=6.0).update_kwargs({"batched": batched})
        documents.append(maker.advance([gas], folder)[0])
    single, batch = documents
    assert len(single.results) == 2
    assert batch.results == single.results
