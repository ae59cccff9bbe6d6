"""What two landscapes say of a claim."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.stats import t, ttest_ind

from vitrion.comparison.landscapes import compare_landscapes
from vitrion.defects.document import BarrierNetwork
from vitrion.errors import InputError
from vitrion.landscape.document import DensityBarrier, SiteEnergyLandscapeDoc
from vitrion.report.draw import draw_figure
from vitrion.report.figures.site_energy_levels import landscape_figure
from vitrion.uncertainty import ReplicaMean


def doc(gaps, overlap=0.0, *, species="Li", density=None, path=()):
    rng = np.random.default_rng(0)
    n = len(gaps)
    return SiteEnergyLandscapeDoc.from_structure(
        Structure(Lattice.cubic(4), [species, "F"], [[0, 0, 0], [0.5] * 3]),
        phase="crystalline" if n == 1 else "amorphous",
        mobile_species=species,
        n_replicas=n,
        occupied_energies_eV=[(-rng.random(8)).tolist() for _ in gaps],
        empty_energies_eV=[(gap + rng.random(8)).tolist() for gap in gaps],
        landscape_gap_eV=ReplicaMean.of(gaps),
        landscape_median_gap_eV=ReplicaMean.of([gap + 1 for gap in gaps]),
        landscape_overlap=ReplicaMean.of([overlap] * n),
        density_barrier=density,
        networks=[
            BarrierNetwork(mechanism="vacancy", site_energies_eV=[0.0], hops=[], path=list(path))
        ],
    )


def claim(claims, figure):
    return next(c for c in claims if c.quantity == figure)


def test_a_clear_difference_is_supported_and_its_opposite_contradicted():
    crystal, glass = doc([2.0]), doc([0.3, 0.5, 0.4], 0.1)
    found = claim(compare_landscapes(crystal, glass), "landscape_gap_eV")
    assert found.verdict == "supported"
    score = (0.4 - 2.0) / (0.1 / np.sqrt(3))
    assert found.p_value == pytest.approx(t.cdf(score, 2))
    other = claim(compare_landscapes(doc([0.1]), glass), "landscape_gap_eV")
    assert other.verdict == "contradicted"


def test_scatter_and_single_replicas_leave_it_undecided():
    crystal = doc([1.0])
    assert (
        claim(compare_landscapes(crystal, doc([0.2, 1.9, 0.6])), "landscape_gap_eV").verdict
        == "undecided"
    )
    single = claim(compare_landscapes(crystal, doc([0.2])), "landscape_gap_eV")
    assert (single.verdict, single.p_value) == ("undecided", None)


def test_a_test_at_95_percent_errs_in_5_percent():
    rng = np.random.default_rng(8)
    crystal, glass = doc([1.0]), doc([1.0, 1.0, 1.0])
    verdicts = []
    for _ in range(400):
        gap = ReplicaMean.of((1 + 0.2 * rng.standard_normal(3)).tolist())
        trial = glass.model_copy(update={"landscape_gap_eV": gap})
        verdicts.append(claim(compare_landscapes(crystal, trial), "landscape_gap_eV"))
    wrong = np.mean([c.verdict == "supported" for c in verdicts])
    assert 0.02 < wrong < 0.09


def test_density_barriers_are_compared_by_their_own_errors():
    high = DensityBarrier(temperature_K=600, barrier_eV=0.6, error_eV=0.03, axes_eV=[0.6] * 3)
    low = DensityBarrier(temperature_K=600, barrier_eV=0.3, error_eV=0.04, axes_eV=[0.3] * 3)
    found = compare_landscapes(doc([1.0], density=high), doc([0.5, 0.6], density=low))
    assert claim(found, "density_barrier").error == pytest.approx(0.05)
    assert claim(found, "density_barrier").verdict == "supported"
    # Five blocks of time each, so 4 degrees of freedom: (9 + 16)^2 / (9^2 / 4 + 16^2 / 4).
    assert claim(found, "density_barrier").degrees_of_freedom == pytest.approx(2500 / 337)
    assert claim(found, "density_barrier").p_value == pytest.approx(t.sf(0.3 / 0.05, 2500 / 337))


def test_replicas_on_both_sides_are_compared_by_the_test_of_welch():
    """As scipy has it from the samples; the degrees of freedom are not those of one side."""
    first, second = [1.0, 1.3, 0.9, 1.2], [0.6, 0.9, 0.4]
    found = claim(compare_landscapes(doc(first), doc(second)), "landscape_gap_eV")
    expected = ttest_ind(second, first, equal_var=False, alternative="less")
    assert found.degrees_of_freedom == pytest.approx(expected.df)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_other_species_are_refused():
    with pytest.raises(InputError, match="different mobile"):
        compare_landscapes(doc([1.0]), doc([1.0], species="Na"))


def test_the_figure_shows_both_on_one_scale(tmp_path):
    peaks = doc([2.0], path=[(1.0, 1.9)])
    plain = doc([0.3, 0.5, 0.4], path=[(0.5, 0.7), (0.6, 0.8)])
    figure = draw_figure(landscape_figure([peaks, plain]), tmp_path / "landscape.png")
    levels, paths = figure.axes[:2], figure.axes[2:]
    assert levels[0].get_ylim() == levels[1].get_ylim()
    heights = [float(np.ptp(axis.lines[0].get_ydata())) for axis in paths]
    assert heights == pytest.approx([0.9, 0.3], abs=0.01)
    with pytest.raises(InputError, match="at least one"):
        landscape_figure([])
