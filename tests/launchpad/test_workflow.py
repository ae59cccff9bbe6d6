"""The example of a submission, with a real worker on the launchpad of a test."""

import subprocess
import sys
from pathlib import Path

from helpers.scripts import load_script
from vitrion.amorphous.document import AmorphousDoc

WORKFLOW = Path(__file__).parents[2] / "workflows" / "fireworks_submission.py"


def test_a_glass_is_handed_in_once_made_by_a_worker_and_kept(campaign, monkeypatch, capsys):
    """First as a user does, then in this process, whose configuration names no launchpad."""
    arguments = [str(WORKFLOW), "--toy", "--root", str(campaign.folder / "runs")]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=campaign.folder,
        env=campaign.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "1 submitted, 0 already on the launchpad",
        "LiF amorphous: 0 of 7 jobs completed, 0 failed",
    ]
    campaign.work()
    file = str(campaign.folder / "my_launchpad.yaml")
    monkeypatch.setattr(sys, "argv", [*arguments, "--launchpad", file])
    capsys.readouterr()
    load_script(WORKFLOW).main()
    assert capsys.readouterr().out.splitlines() == [
        "0 submitted, 1 already on the launchpad",
        "LiF amorphous: 7 of 7 jobs completed, 0 failed",
    ]
    store = campaign.job_store()
    (output,) = [d["output"] for d in store.query({"name": "characterize"}, load=True)]
    store.close()
    glass = AmorphousDoc.model_validate(output)
    assert glass.formula_pretty == "LiF"
    assert glass.nsites == 24
    runs = [Path(reference.path) for reference in glass.trajectories.values()]
    assert len(runs) == 3
    assert all(path.is_relative_to(campaign.folder / "runs") and path.is_file() for path in runs)
