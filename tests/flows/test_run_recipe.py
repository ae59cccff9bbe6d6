import pytest
from jobflow import Flow, job, run_locally
from pymatgen.core import Lattice, Structure

from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.errors import InputError, PotentialError
from vitrion.flows.given_crystal import read_crystal
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_cost import CALLS_PER_DEFECT, _defects, atoms_of_glass
from vitrion.flows.run_documents import find_documents, label_run
from vitrion.flows.run_recipe import RunResult, complete_recipe, make_flow
from vitrion.store.job_store import SQLiteJobStore

HALF = {"Li": 0.5}
DISORDERED = Structure(
    Lattice.cubic(4), [HALF, HALF, "F"], [[0, 0, 0], [0.2, 0, 0], [0.5] * 3]
).as_dict()


def make(preset="quick", **options):
    return complete_recipe(Recipe.from_preset(preset, **{"formula": "LiPO2F2", **options}))


@job(output_schema=ConductivityDoc)
def conductivity(structure, bound):
    document = ConductivityDoc.from_results(structure, {}, phase="crystalline")
    document.sigma_300K_bound = bound
    return document


def test_structure_files_of_a_search_are_read_from_the_folder_of_the_recipe(tmp_path):
    """A run is named by the structures, and its jobs need no file."""
    recipes = []
    for side in (3.0, 3.1):
        cell = Structure(Lattice.cubic(side), ["Li", "F"], [[0, 0, 0], [0.5] * 3])
        cell.to(filename=str(tmp_path / "mine.cif"))
        path = tmp_path / "recipe.yaml"
        path.write_text("preset: quick\nformula: LiF\nsearch: {files: [mine.cif]}\n")
        recipes.append(complete_recipe(Recipe.from_file(path)))
    one, other = recipes
    (content,) = one.search.files
    assert Structure.from_dict(content).lattice.a == pytest.approx(3.0)
    assert one.run_id != other.run_id
    assert Recipe(**one.values()).run_id == one.run_id


def test_a_potential_is_not_its_own_second_opinion():
    """The trust report refuses it, after all dynamics."""
    assert make(reference_potential="vitrion-lipof").reference_potential is None
    assert make(reference_potential="vitrion-lipof-pbe").reference_potential == "vitrion-lipof-pbe"


def test_the_expected_time_counts_the_vacancies_of_all_mobile_ions():
    defects = {"kinds": ["vacancy", "far"], "max_sites": 1, "convergence_sides_A": []}
    recipe = make(formula="Li2O", phase="amorphous", defects=defects)
    glass = recipe.defects.model_copy(update={"phase": "amorphous"})
    atoms = atoms_of_glass(recipe)
    twice = 2  # with the host after each defect
    relaxations = recipe.n_replicas * (round(atoms * 2 / 3) + 1) * twice
    assert _defects(recipe, glass).atom_calls == atoms * relaxations * CALLS_PER_DEFECT


def test_defaults_are_written_out_and_name_the_run():
    recipe = make()
    assert recipe.formula == "LiPO2F2"
    assert recipe.mobile == "Li"
    assert recipe.conductivity.temperatures_K
    assert recipe.potential == "vitrion-lipof"
    assert recipe.potential_sha256
    assert recipe.run_id == make(mobile="Li").run_id
    assert recipe.run_id != make(seed=1).run_id
    assert recipe.run_id.startswith("LiPO2F2-both-")


def test_the_jobs_know_the_run_they_belong_to():
    recipe = make()
    jobs = [job for job, _ in make_flow(recipe).iterflow()]
    assert {job.metadata["vitrion_request"] for job in jobs} == {recipe.run_id}
    assert len({job.name for job in jobs}) == len(jobs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"formula": "Nonsense"}, "not a chemical formula"),
        ({"formula": "LiPO2F3"}, "balance"),
        ({"formula": "P2O5"}, "mobile"),
        ({"formula": "NaPO2F2"}, "does not know Na"),
        ({"mobile": "K"}, "is not in LiPO2F2"),
        ({"mobile": "lithium"}, "is not a species"),
        ({"conductivity": {"temperatures_K": (-300,)}}, "-300 K is outside 50 to 3000 K"),
        ({"conductivity": {"temperatures_K": (1e6,)}}, r"1e\+06 K is outside 50 to 3000 K"),
        ({"timestep_fs": 50}, "timestep_fs is 50, but must be 0.01 to 20"),
        ({"timestep_fs": -1}, "timestep_fs is -1, but must be 0.01 to 20"),
        ({"glass": {"volume_per_atom_A3": 1.0}}, "is outside"),
        ({"preset": "fast"}, "Unknown preset"),
        ({"potential": "magic"}, "There is no potential"),
        ({"phase": "plasma"}, "phase"),
        ({"n_replicas": 0}, "n_replicas"),
        ({"conductivity": {"first_ps": 0}}, "first_ps"),
        ({"formula": "LiF", "crystal": DISORDERED}, "partial occupancies: order it first"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_starts(options, words):
    with pytest.raises(InputError, match=words) as caught:
        make(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("mace:medium-mpa-0", PotentialError, "'medium-mpa-0' could not be downloaded"),
        ("mace:medium-mpa-1", InputError, "neither a file nor a MACE foundation model"),
        ("mace:{folder}/text.model", InputError, "is a pickle"),
        ("mace:{folder}/text.safetensors", InputError, "does not hold a vitrion student"),
    ],
)
@pytest.mark.parametrize("field", ["potential", "reference_potential"])
def test_a_foundation_model_is_checked_before_anything_starts(
    field, name, error, words, tmp_path, monkeypatch
):
    """Without a network and with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for variable in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for kind in ("model", "safetensors"):
        (tmp_path / f"text.{kind}").write_text("text")
    with pytest.raises(error, match=words) as caught:
        make(**{field: name.format(folder=tmp_path)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("phase", ["crystalline", "amorphous"])
def test_hydrogen_gets_short_steps_everywhere(phase):
    options = {"formula": "LiBH4", "potential": "chgnet", "phase": phase, "landscape": False}
    recipe = make(**options)
    assert recipe.timestep_fs == 0.5
    assert recipe.glass.timestep_fs == 0.5
    md = recipe.conductivity.md
    assert (md.timestep_fs, md.save_interval_fs) == (0.5, 12.5), "a frame every 25 steps"
    with pytest.raises(InputError, match="Time step 2 fs is too long for hydrogen"):
        make(timestep_fs=2.0, **options)
    assert make().timestep_fs is None


def test_a_duration_is_kept_to():
    recipe = make("standard", conductivity={"first_ps": 20, "extension": 0}, phase="both")
    makers = [job.maker for job, _ in make_flow(recipe).iterflow()]
    cells = {"crystalline": 1, "amorphous": recipe.n_replicas}
    budgets = {
        maker.phase: (maker.settings.first_ps, maker.settings.budget_ps(cells[maker.phase]))
        for maker in makers
        if isinstance(maker, ConductivityMaker)
    }
    each = 20 * recipe.conductivity.n_temperatures
    assert budgets == {"crystalline": (20, each), "amorphous": (20, each * recipe.n_replicas)}


def test_a_crystal_from_a_file_is_free_to_move(tmp_path):
    """Flags of a file would hold its atoms fixed in the relaxation, and name another run."""
    plain = "LiF\n1.0\n4 0 0\n0 4 0\n0 0 4\nLi F\n4 4\n{}Direct\n{}"
    places = ["0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0", ".5 0 0", "0 .5 0", "0 0 .5", ".5 .5 .5"]
    names = set()
    for flags, ends in (("", ""), ("Selective dynamics\n", " F F F")):
        file = tmp_path / "POSCAR"
        file.write_text(plain.format(flags, "".join(f"{place}{ends}\n" for place in places)))
        names.add(make(formula="LiF", crystal=str(file), phase="crystalline").run_id)
    assert len(names) == 1


def test_a_file_named_known_comes_before_the_crystal_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = Structure.from_dict(read_crystal("known", "LiF"))
    assert shipped.composition.reduced_formula == "LiF"
    (tmp_path / "known").write_text("mine")
    with pytest.raises(InputError, match=r"^known could not be read as a structure"):
        read_crystal("known", "LiF")


def test_the_newest_document_is_the_latest():
    salt = Structure(Lattice.cubic(4), ["Li", "F"], [[0, 0, 0], [0.5] * 3])
    phases = ("crystalline", "amorphous", "amorphous")
    made = [ConductivityDoc.from_results(salt, {}, phase=phase) for phase in phases]
    result = RunResult({"conductivity": made})
    assert result.latest("conductivity") is made[2]
    assert result.latest("conductivity", "crystalline") is made[0]
    assert result.latest("polymorphs") is None


def test_a_preset_that_says_something_else_is_another_run():
    """The name of a run follows from all settings, wherever they come from."""
    names = {make(conductivity={"first_ps": length}).run_id for length in (1.0, 2.0)}
    assert len(names | {make().run_id}) == 3
    stated = make().values()
    assert Recipe(**stated).run_id == make().run_id, "the preset itself plays no part"


def test_a_run_from_scratch_is_reported_once(tmp_path):
    salt = Structure(Lattice.cubic(4), ["Li", "F"], [[0, 0, 0], [0.5] * 3])
    with SQLiteJobStore(str(tmp_path)) as store:
        for bound in (1.0, 2.0):
            jobs = [conductivity(salt, bound), conductivity(salt, bound)]
            flow = Flow(jobs)
            label_run(flow, "LiF-both-0123456789")
            run_locally(flow, store=store, ensure_success=True)
        found = find_documents(store, "LiF-both-0123456789")["conductivity"]
        assert [document.sigma_300K_bound for document in found] == [2.0, 2.0]
        assert not find_documents(store, "LiF-both-other")
        assert "metadata.vitrion_request" in store.outputs._fields(), "others are not read for it"
