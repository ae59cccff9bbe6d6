"""The example of a submission, with a real worker on the launchpad of a test."""

import subprocess
import sys
from pathlib import Path

from vitrion.amorphous.document import AmorphousDoc

WORKFLOW = Path(__file__).parents[2] / "workflows" / "fireworks_submission.py"


def submit(campaign):
    command = [sys.executable, str(WORKFLOW), "--toy", "--root", str(campaign.folder / "runs")]
    done = subprocess.run(
        command, cwd=campaign.folder, env=campaign.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_a_glass_is_handed_in_once_made_by_a_worker_and_kept(campaign):
    assert submit(campaign) == [
        "1 submitted, 0 already on the launchpad",
        "LiF amorphous: 0 of 7 jobs completed, 0 failed",
    ]
    assert campaign.worker().wait(900) == 0, campaign.log()[-3000:]
    assert submit(campaign) == [
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
