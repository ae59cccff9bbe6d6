"""The commands about launchpads, as a user types them."""

import pytest
from campaign import Campaign
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.database.launchpad import status
from vitrion.errors import InputError


@pytest.fixture
def campaign(mongo_uri, mongo_database, tmp_path):
    return Campaign(tmp_path, mongo_uri, mongo_database)


def run(*words):
    result = CliRunner().invoke(app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_compositions_are_handed_in_once_and_followed(campaign, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    assert "no flows" in run("status", *pad)
    screen = tmp_path / "screen.txt"
    screen.write_text("# a screen\nLiPO2F2\nLi3PO4\n")
    words = ("--file", str(screen), "--preset", "quick", "--potential", "chgnet", *pad)
    assert "2 submitted, 0 there before" in run("submit", *words)
    assert "0 submitted, 2 there before" in run("submit", *words)
    assert "1 submitted" in run("submit", "LiF", "--preset", "quick", "--potential", "chgnet", *pad)
    assert len(status(campaign.launchpad)) == 3
    text = run("status", "LiPO2F2 amorphous", *pad)
    assert "LiPO2F2" in text
    assert "Li3PO4" not in text
    assert "nothing to mend" in run("repair", *pad)


def test_one_bad_composition_hands_nothing_in(campaign):
    pad = ("--launchpad", str(campaign.folder / "my_launchpad.yaml"))
    with pytest.raises(InputError):
        run("submit", "LiPO2F2", "Xx2", "--potential", "chgnet", *pad)
    with pytest.raises(InputError, match="at least one composition"):
        run("submit", *pad)
    with pytest.raises(InputError, match="cannot be read"):
        run("submit", "--file", str(campaign.folder / "none.txt"), *pad)
    assert status(campaign.launchpad) == []
