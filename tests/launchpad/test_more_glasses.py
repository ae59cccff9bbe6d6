"""Further glasses of a set are made by workers of a launchpad."""

from ase.calculators.calculator import Calculator

from vitrion.amorphous.makers import GlassReplicasMaker, MeltQuenchMaker
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.dynamics.makers import MDMaker
from vitrion.flows.glass_set import MoreGlassesMaker
from vitrion.launchpad.status import failures
from vitrion.launchpad.submission import Submission, submit
from vitrion.relaxation.makers import RelaxMaker


class Unable(Calculator):
    """A calculator without any property."""


def test_a_glass_that_fails_does_not_keep_others_waiting(campaign):
    """All stages of a glass end, whichever of them fails; it alone is reported."""
    unable = {"@module": Unable.__module__, "@callable": Unable.__name__}
    maker = MeltQuenchMaker(
        settings=MeltQuenchSettings(n_atoms=24),
        md_maker=MDMaker(force_field_name=unable),
        relax_maker=RelaxMaker(force_field_name=unable),
    )
    flow = MoreGlassesMaker(glass_maker=GlassReplicasMaker(melt_quench_maker=maker)).make(
        "LiF", 0, 1
    )
    store = campaign.job_store()
    submit([Submission(flow, "glasses")], campaign.launchpad, store=store)
    campaign.work()
    (found,) = store.query({"uuid": flow.output.uuid}, load=True)
    store.close()
    assert found["output"]["structures"] == []
    assert found["output"]["remarks"] == ["Glass 4 failed and is excluded."]
    assert [found.job for found in failures(campaign.launchpad)] == ["relax contacts 4"]
