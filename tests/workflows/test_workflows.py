"""Every example of ``workflows/`` runs at toy size and leaves what it promises."""

import pytest

from vitrion.conductivity.pooling import pool
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import read_documents
from vitrion.potentials import load_calculator


def test_own_trajectory_finds_the_barrier_of_the_walkers(run_workflow):
    said = run_workflow("own_trajectory", "--toy")
    with VitrionClient("vitrion_data") as client:
        (document,) = client.conductivity.search()
    assert document.temperatures_K == [500, 600, 750]
    assert [result.n_replicas for result in document.results] == [2, 2, 2]
    low, high = document.arrhenius.activation_energy_interval()
    assert low < 0.3 < high, "the walkers hop over 0.3 eV"
    assert high - low < 0.2
    # D = 9 A2 * rate / 2 along each axis of a frame of 50 fs, at 600 K.
    truth = 0.1 * 9.0 * 5.0 * 3.0254e-3 / (2 * 50.0)
    assert truth == pytest.approx(document.arrhenius.diffusivity(600).value, rel=0.25)
    assert "Activation energy" in said


def test_own_potential_is_checked_and_used(run_workflow):
    said = run_workflow("own_potential", "--toy")
    assert "differ from chgnet" in said
    with VitrionClient("vitrion_data") as client:
        (run,) = client.molecular_dynamics.search()
        (document,) = client.conductivity.search()
    name = run.provenance.potential.name
    assert name.startswith("mace:")
    assert name.endswith(run.provenance.potential.sha256)
    assert 0.5 < run.trust.force_check.force_slope < 1.5
    # The file holds the shipped student, so both must give the same forces.
    atoms = run.structure.to_ase_atoms()
    own, shipped = (load_calculator(p).get_forces(atoms) for p in (name, "vitrion-lipof"))
    assert own == pytest.approx(shipped, abs=1e-3)
    assert document.temperatures_K == [1000]
    assert document.provenance.potential.name == name


def test_custom_flow_compares_cooling_rates(run_workflow):
    run_workflow("custom_flow", "--toy")
    with VitrionClient("vitrion_data") as client:
        glasses = client.amorphous.search()
        measured = client.conductivity.search()
    assert sorted(glass.quench_rate_K_per_ps for glass in glasses) == [20000, 60000]
    densities = {glass.density_relaxed_g_per_cm3 for glass in glasses}
    assert len(densities) == 2, "the rate is what differs"
    assert all(1.5 < density < 3.5 for density in densities), "LiF has 2.6 g/cm3"
    assert len(measured) == 2


@pytest.mark.slow
def test_screen_runs_once_and_looks_up_afterwards(run_workflow):
    first = run_workflow("screen", "--toy")
    with VitrionClient("vitrion_data/toy") as client:
        assert {d.formula_pretty for d in client.conductivity.search()} == {"LiF", "Li3OF"}
        assert {d.phase for d in client.conductivity.search()} == {"amorphous"}
    again = run_workflow("screen", "--toy")
    assert " 0 already done" in first
    assert again.startswith("0 jobs run")
    assert first.splitlines()[1:] == again.splitlines()[1:], "the same ranking"


@pytest.mark.slow
def test_paper_puts_crystal_and_glass_side_by_side(run_workflow, tmp_path):
    said = run_workflow("paper", "--toy")
    with VitrionClient("vitrion_data/toy") as client:
        (comparison,) = client.comparison.search()
        phases = {d.phase for d in client.conductivity.search()}
    assert phases == {"crystalline", "amorphous"}
    assert {claim.quantity for claim in comparison.claims} >= {
        "landscape_gap_eV",
        "landscape_overlap",
    }
    page = (tmp_path / "vitrion_data/toy/LiF.html").read_text()
    assert "amorphous" in page
    assert list((tmp_path / "vitrion_data/toy/figures").glob("*.svg"))
    assert "jobs run, 0 already done" in said


LIST = """
preset: quick
common:
  formula: LiF
  phase: amorphous
  n_replicas: 1
  landscape: false
  reference_potential: null
  glass: {n_atoms: 24, melt_ps: 0.04, quench_rate_K_per_ps: 60000, equilibrate_ps: 0.02,
          relax_fmax_eV_per_A: 1.0}
  conductivity: {temperatures_K: [1500.0], density_ps: 0.1, equilibration_ps: 0.0, first_ps: 0.4,
                 md: {save_interval_fs: 20}}
runs:
  glass-1: {seed: 1}
  glass-2: {seed: 2}
"""


def test_long_runs_leave_one_file_each_that_a_store_loads(run_workflow, tmp_path):
    (tmp_path / "toy.yaml").write_text(LIST)
    with pytest.raises(SystemExit, match="2"):
        run_workflow("long_runs", "toy.yaml", "--only", "glass-3")
    run_workflow("long_runs", "toy.yaml", "--only", "glass-1")
    assert [path.name for path in (tmp_path / "toy").iterdir()] == ["glass-1.jsonl.gz"]
    content = (tmp_path / "toy/glass-1.jsonl.gz").read_bytes()
    said = run_workflow("long_runs", "toy.yaml")
    assert "glass-1:" not in said
    assert (tmp_path / "toy/glass-1.jsonl.gz").read_bytes() == content
    documents = read_documents(tmp_path / "toy")
    kinds = sorted(document.property_name for document in documents)
    assert kinds == ["amorphous", "amorphous", "conductivity", "conductivity"]
    first, second = (d for d in documents if d.property_name == "conductivity")
    assert first.structure != second.structure, "the seeds differ"
    assert pool([first, second]).systems == [[0, 1]]
    assert not any(str(tmp_path) in document.model_dump_json() for document in documents)
