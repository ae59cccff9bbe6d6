"""Temperatures chosen from a scan of ions and a framework with known activation energies."""

import numpy as np
import pytest
from ase.units import kB

from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.scan_settings import TemperatureScanSettings
from vitrion.conductivity.temperature_choice import ScanPoint, choose_temperatures
from vitrion.errors import InputError, SimulationError
from vitrion.uncertainty import Estimate

SCANNED_K = TemperatureScanSettings().scanned_K
N_MOBILE, N_FRAMEWORK = 24, 24
PRODUCTION_PS = 400.0
FRAMEWORK_EV, FRAMEWORK_PER_PS = 1.8, 1e15
IONS_EV, IONS_CM2_S = 0.40, 1.5e-2
MEASURABLE_CM2_S = 5e-7
"""Diffusivity below which a run of 20 ps has too few hops."""


def scan(framework_per_ps=FRAMEWORK_PER_PS, ions_cm2_s=IONS_CM2_S, seed=0):
    rng = np.random.default_rng(seed)
    points = []
    for temperature in SCANNED_K:
        rate = framework_per_ps * np.exp(-FRAMEWORK_EV / kB / temperature)
        moved = rng.binomial(N_FRAMEWORK, -np.expm1(-rate * 10.0)) / N_FRAMEWORK
        exact = ions_cm2_s * np.exp(-IONS_EV / kB / temperature)
        found = Estimate(
            value=exact * np.exp(0.3 * rng.normal()), relative_error=0.3, degrees_of_freedom=10.0
        )
        points.append(
            ScanPoint(
                temperature_K=temperature,
                duration_ps=20.0,
                moved_fraction=moved,
                diffusivity=found if exact > MEASURABLE_CM2_S else None,
            )
        )
    return points


def choose(points, number=5):
    return choose_temperatures(points, number, PRODUCTION_PS, N_MOBILE, N_FRAMEWORK)


def exact_softening_K():
    wanted = -np.log(0.75) / (PRODUCTION_PS / 2)
    return FRAMEWORK_EV / kB / np.log(FRAMEWORK_PER_PS / wanted)


@pytest.mark.parametrize("seed", range(5))
def test_the_ladder_lies_between_onset_and_softening(seed):
    choice = choose(scan(seed=seed))
    assert choice.softening_K == pytest.approx(exact_softening_K(), rel=0.1)
    # 30 hops of 3 A by 24 ions in 400 ps.
    needed = 30 * 9.0 / (6 * N_MOBILE * 400e3) * 0.1
    assert choice.mobile_K == pytest.approx(IONS_EV / kB / np.log(IONS_CM2_S / needed), rel=0.2)
    assert len(choice.temperatures_K) == 5
    assert choice.temperatures_K == sorted(choice.temperatures_K)
    assert choice.temperatures_K[-1] <= choice.softening_K
    assert choice.temperatures_K[0] >= SCANNED_K[0]
    assert "softens at about" in choice.sentence


def test_a_framework_that_rests_leaves_the_whole_range():
    choice = choose(scan(framework_per_ps=0.0))
    assert choice.softening_K is None
    assert choice.temperatures_K[-1] == SCANNED_K[-1]
    assert "The framework rests from 300 to 1200 K" in choice.sentence


def test_a_failed_run_of_the_scan_is_reported():
    points = scan(framework_per_ps=0.0)
    failed = {"moved_fraction": 1.0, "diffusivity": None, "failure": "two atoms collapsed"}
    choice = choose([*points[:-1], points[-1].model_copy(update=failed)])
    assert choice.softening_K < 1200.0
    assert "failed count as softened: 1200 K (two atoms collapsed)" in choice.sentence


def test_without_diffusion_the_ladder_lies_below_the_softening():
    choice = choose(scan(ions_cm2_s=1e-12))
    assert choice.mobile_K is None
    low, high = choice.temperatures_K[0], choice.temperatures_K[-1]
    assert low / high == pytest.approx(0.8, abs=0.02)


def test_a_framework_that_softens_just_above_the_coldest_run_leaves_a_ladder():
    """The ladder ended at the coldest run, and could be as narrow as 5 K."""
    choice = choose([point for point in scan() if point.temperature_K > 400.0])
    low, high = choice.temperatures_K[0], choice.temperatures_K[-1]
    assert len(choice.temperatures_K) == 5
    assert high <= choice.softening_K
    assert low / high == pytest.approx(0.8, abs=0.02)


def test_fast_ions_are_measured_down_to_the_lowest_temperature():
    choice = choose(scan(framework_per_ps=0.0, ions_cm2_s=10.0))
    assert choice.temperatures_K[0] == SCANNED_K[0]


def test_a_liquid_is_refused():
    points = [point.model_copy(update={"moved_fraction": 1.0}) for point in scan()]
    with pytest.raises(SimulationError, match="diffuses at all scanned temperatures, from 300"):
        choose(points)


def test_a_range_must_ascend():
    with pytest.raises(InputError, match="lowest_K must be below highest_K"):
        TemperatureScanSettings(lowest_K=900.0, highest_K=600.0)


def test_a_scan_of_too_few_frames_is_refused_before_it_starts():
    """With a frame every ps, 20 ps less their first quarter have 16 of the 20 frames needed."""
    md = {"save_interval_fs": 1000.0}
    settings = ConductivitySettings(temperatures_K="auto", first_ps=1000.0, md=md)
    with pytest.raises(InputError, match=r"at least 25.33 ps \(scan.scan_ps\)"):
        settings.check_frames()
    ConductivitySettings(temperatures_K=(600.0,), first_ps=1000.0, md=md).check_frames()
