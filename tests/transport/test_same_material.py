"""Runs that are combined or fitted together are of one material, and each is counted once."""

import numpy as np
import pytest

from helpers.walkers import hopping, in_crystal
from vitrion.errors import InputError
from vitrion.transport import analyze, arrhenius, combine


def analyzed(
    seed=0, kelvin=600.0, hops=20.0, length=12.0, *, names=None, n=20, n_framework=20, **options
):
    """Return the result of a run of ``n`` ions; ``names`` replaces elements."""
    rng = np.random.default_rng(seed)
    cell = length * np.eye(3)
    positions, symbols = in_crystal(hopping(300, n, hops).draw(rng), cell, rng, n_framework)
    symbols = [(names or {}).get(symbol, symbol) for symbol in symbols]
    return analyze(positions, cell, symbols, 100.0, kelvin, wrapped=False, **options)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"n": 24}, "55% Li, 45% O and run 1 of 50% Li, 50% O"),
        ({"names": {"O": "S"}}, "50% Li, 50% S"),
        ({"names": {"Li": "Na"}, "mobile": "Na"}, r"mobile species Na \(\+1 e\)"),
        ({"charge": 2}, r"mobile species Li \(\+2 e\) and run 1 has Li \(\+1 e\)"),
        ({"length": 14.0}, "43.2 to 68.6 A3 per atom"),
    ],
    ids=["composition", "framework", "ion", "charge", "density"],
)
def test_runs_of_other_materials_are_refused(other, message):
    first = analyzed()
    with pytest.raises(InputError, match=message):
        combine([first, analyzed(1, **other)])
    with pytest.raises(InputError, match=message):
        arrhenius([first, analyzed(1, 700.0, **other)])


def test_runs_at_different_temperatures_are_not_combined():
    runs = [analyzed(), analyzed(1, 600.8), analyzed(2, 602.5)]
    assert combine(runs[:2]).n_replicas == 2
    with pytest.raises(InputError, match=r"at 600\.0 to 602\.5 K: combine runs .* at most 1 K"):
        combine(runs)


def test_a_run_is_counted_once():
    run = analyzed()
    rounded = run.msd.model_copy(
        update={"msd_A2": [value * (1 + 1e-8) for value in run.msd.msd_A2]}
    )
    with pytest.raises(InputError, match="Results 1 and 2 are of the same run"):
        combine([run, run.model_copy(update={"msd": rounded})])
    with pytest.raises(InputError, match="Results 1 and 3 are of the same run"):
        combine([run, analyzed(1), run])
    with pytest.raises(InputError, match="Results 1 and 2 are of the same run"):
        arrhenius([run, run.model_copy(update={"temperature_K": 700.0})])


def test_results_without_elements_are_combined():
    runs = [analyzed(), analyzed(1)]
    older = [run.model_copy(update={"atoms": None}) for run in runs]
    assert runs[0].atoms == {"Li": 20, "O": 20}
    for mixed in (older, [runs[0], older[1]], [older[0], runs[1]]):
        assert combine(mixed).conductivity == combine(runs).conductivity


def test_cells_of_different_sizes_are_one_material():
    """The atoms of the first run and the mean volume of all were not of one cell."""
    small = analyzed(hops=1.0)
    large = analyzed(1, hops=1.0, n=60, n_framework=60, length=12.0 * 3 ** (1 / 3))
    for runs in ([small, large], [large, small]):
        found = combine(runs)
        volume = 12.0**3 * found.n_mobile / 20
        assert found.volume_A3 == pytest.approx(volume)
        ion_time_fs = (20 + 60) * 1000.0 * small.duration_ps
        per_hop = found.hops.hop_length_A**2 / (6 * ion_time_fs) * 0.1
        assert found.diffusivity_per_hop_cm2_s == pytest.approx(per_hop)
        assert len(arrhenius([found, analyzed(2, 700.0)]).points) == 2
