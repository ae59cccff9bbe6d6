"""The commands about launchpads, as a user types them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from helpers.fireworks_jobs import chain_flow
from vitrion.cli import app
from vitrion.errors import InputError
from vitrion.launchpad.placement import place
from vitrion.launchpad.status import status
from vitrion.settings import get_settings

QUICK = ("--preset", "quick", "--phase", "amorphous", "--potential", "chgnet")


def run(*words):
    result = CliRunner().invoke(app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def long_makers(launchpad, nodes):
    """Yield the Makers of the jobs that keep files."""
    for fw in launchpad.fireworks.find({"fw_id": {"$in": nodes}}):
        (task,) = fw["spec"]["_tasks"]
        maker = task["job"]["function"].get("@bound") or {}
        for made in (maker, maker.get("defect_maker") or {}):  # a landscape makes its jobs later
            if "root_dir" in made:
                yield made


def test_compositions_are_handed_in_once_and_followed(campaign, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    assert "No flows" in run("status", *pad)
    screen = tmp_path / "screen.txt"
    screen.write_text("# a screen\nLiPO2F2\nLi3PO4\n")
    words = (str(screen), *QUICK, *pad)
    assert "2 submitted, 0 already on the launchpad" in run("submit", *words)
    assert "0 submitted, 2 already on the launchpad" in run("submit", *words)
    assert "1 submitted" in run("submit", "LiF", *QUICK, *pad)
    assert len(status(campaign.launchpad)) == 3
    options = ("--root-dir", str(tmp_path / "shared"), "--walltime-s", "600")
    words = ("submit", "Li2O", *QUICK, *options, *pad)
    assert str(tmp_path / "shared") in run(*words).replace("\n", "")
    for workflow in campaign.launchpad.workflows.find({}):
        makers = list(long_makers(campaign.launchpad, workflow["nodes"]))
        label = workflow["metadata"]["vitrion"]["label"]
        given = label.startswith("Li2O-")
        parent = tmp_path / "shared" if given else get_settings().store.absolute() / "runs"
        assert {maker["root_dir"] for maker in makers} == {str(parent / label)}
        walltimes = [maker["walltime_s"] for maker in makers if "walltime_s" in maker]
        assert set(walltimes) == {600.0 if given else None}
        assert len(walltimes) == 8, "three stages of two glasses, the conductivity, the defects"
    for name in ("LiPO2F2", "LiPO2F2 amorphous"):
        text = run("status", name, *pad)
        assert "LiPO2F2 amorphous" in text
        assert "Li3PO4" not in text
    for name in ("Li", "LiPO2F2 crystalline", ".*"):
        assert "No flows" in run("status", name, *pad)
    assert "Nothing to repair" in run("repair", *pad)


def test_known_crystals_are_handed_in_without_a_search(campaign):
    words = ("--preset", "quick", "--phase", "crystalline", "--potential", "chgnet")
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    shorter = ("--structure", "known", "--no-landscape", "--temperatures", "700,800")
    assert "2 submitted" in run("submit", "LiF", "Li2O", *words, *shorter, *pad)
    assert [row.material for row in status(campaign.launchpad)] == [
        "Li2O crystalline",
        "LiF crystalline",
    ]
    names = [fw["name"] for fw in campaign.launchpad.fireworks.find({})]
    assert set(names) == {"relax crystal", "supercell", "crystal conductivity"}, "nothing else"
    assert len(names) == 6
    temperatures = {
        tuple(maker["settings"]["temperatures_K"])
        for maker in long_makers(campaign.launchpad, campaign.launchpad.get_fw_ids())
        if maker["@class"] == "ConductivityMaker"
    }
    assert temperatures == {(700.0, 800.0)}
    campaign.launchpad.archive_wf(1)
    assert [row.material for row in status(campaign.launchpad)] == ["Li2O crystalline"]
    again = run("submit", "LiF", "Li2O", *words, *shorter, *pad)
    assert "1 submitted, 1 already on the launchpad" in again, "an archived flow never runs again"
    assert len(status(campaign.launchpad)) == 2
    assert "Nothing to repair" in run("repair", *pad)


def test_the_files_of_runs_are_beside_a_store_that_is_a_file(campaign, monkeypatch):
    """They were below the file, where no job can write."""
    monkeypatch.setenv("VITRION_STORE", str(campaign.folder / "jobflow.yaml"))
    get_settings.cache_clear()
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    run("submit", "LiF", *QUICK, *pad)
    makers = long_makers(campaign.launchpad, campaign.launchpad.get_fw_ids())
    parents = {str(Path(maker["root_dir"]).parent) for maker in makers}
    assert parents == {str(campaign.folder / "runs")}
    assert "No flows of Li3PO4 on" in run("status", "Li3PO4", *pad)
    get_settings.cache_clear()


def test_one_bad_composition_hands_nothing_in(campaign):
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    with pytest.raises(InputError):
        run("submit", "LiPO2F2", "Xx2", *pad)
    with pytest.raises(InputError, match="does not exist"):
        run("submit", "LiF", str(campaign.folder / "none.txt"), *pad)
    assert status(campaign.launchpad) == []


@pytest.mark.parametrize("content", ["host: [", "junk", "{}"])
def test_a_file_that_is_not_a_launchpad_is_refused(tmp_path, content):
    file = tmp_path / "my_launchpad.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match="does not describe a launchpad"):
        run("status", "--launchpad", str(file))


def test_a_folder_or_a_walltime_that_cannot_be_hands_nothing_in(campaign):
    with pytest.raises(InputError, match="absolute path"):
        place(chain_flow(1), root_dir="runs")
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    with pytest.raises(InputError, match="walltime must be positive"):
        run("submit", "LiF", *QUICK, "--walltime-s", "0", *pad)
    assert status(campaign.launchpad) == []
