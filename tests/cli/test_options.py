"""Every command that makes runs takes the same options, described in one place."""

from dataclasses import fields

import pytest
from typer.main import get_command

from vitrion.cli import app
from vitrion.cli.options import RequestOptions
from vitrion.errors import InputError
from vitrion.flows.request import RunRequest

MAKE_RUNS = ("run", "screen", "submit")


@pytest.fixture(scope="module")
def commands():
    return get_command(app).commands


@pytest.mark.parametrize("name", MAKE_RUNS)
def test_all_options_of_a_request_are_taken(commands, name):
    parameters = {each.name: each for each in commands[name].params}
    for option in fields(RequestOptions):
        assert parameters[option.name].help, f"{name} --{option.name}"
    assert "options" not in parameters


def test_options_of_one_name_say_the_same_everywhere(commands):
    for option in fields(RequestOptions):
        said = {
            (each.help, tuple(each.opts))
            for name in MAKE_RUNS
            for each in commands[name].params
            if each.name == option.name
        }
        assert len(said) == 1, option.name


def test_a_screen_is_of_quick_glasses_where_nothing_else_is_said(commands):
    def defaults(name):
        return {each.name: each.default for each in commands[name].params}

    assert (defaults("screen")["phase"], defaults("screen")["preset"]) == ("amorphous", "quick")
    for name in ("run", "submit"):
        assert defaults(name)["phase"] == RunRequest(formula="LiF").phase
        assert defaults(name)["preset"] == RunRequest(formula="LiF").preset


def test_a_port_that_cannot_be_is_refused(commands):
    for port in ("0", "99999"):
        with pytest.raises(Exception, match="or equal to"):
            commands["serve"].make_context("serve", ["--port", port])


def test_no_field_of_a_request_is_out_of_reach():
    own = {"formula", "phase", "crystal", "potential_sha256"}
    assert set(RequestOptions().settings()) == set(RunRequest.model_fields) - own


def test_options_arrive_in_the_request():
    options = RequestOptions(
        phase="crystalline",
        preset="quick",
        structure="known",
        landscape=False,
        temperatures="900,600",
        max_relaxations=7,
        timestep=0.5,
        seed=3,
    )
    lithium_fluoride, oxide = options.requests(["LiF", "Li2O"])
    assert lithium_fluoride.temperatures_K == (600, 900)
    assert (lithium_fluoride.seed, lithium_fluoride.timestep_fs) == (3, 0.5)
    assert lithium_fluoride.crystal is not None
    assert lithium_fluoride.crystal != oxide.crystal
    names = {job.name for job, _ in oxide.make_flow().iterflow()}
    assert names == {"relax crystal", "supercell", "crystal conductivity"}, "no search, no defects"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"structure": "a.cif"}, "the crystal of 2 compositions"),
        ({"structure": "known", "phase": "amorphous"}, "not made from a crystal"),
        ({"temperatures": "600;700"}, "not a list of temperatures"),
        ({"mobile": "Na"}, "not in LiF"),
        ({"preset": "swift"}, "no preset"),
        ({"timestep": -1.0}, "timestep_fs is -1"),
    ],
)
def test_what_cannot_be_is_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        RequestOptions(**options).requests(["LiF", "Li2O"])
