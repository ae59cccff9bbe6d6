"""Novelty of frames and the force check."""

import numpy as np
import pytest

from vitrion.chemistry.crystals import known_crystals
from vitrion.errors import InputError
from vitrion.potentials import trust
from vitrion.potentials.student import student_calculator


def test_mahalanobis_score_of_gaussian_features():
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(6, 6))

    def frame(n_atoms, shift=0.0):
        numbers = rng.choice([3, 8], size=n_atoms)
        return numbers, rng.normal(size=(n_atoms, 6)) @ mixing + numbers[:, None] + shift

    statistics = trust.FeatureStatistics.fit(
        [frame(50) for _ in range(60)], [frame(50) for _ in range(200)], [3, 8]
    )
    inside = np.array([statistics.score(*frame(50))[0] for _ in range(200)])
    assert np.mean(inside > statistics.threshold) < 0.06
    assert statistics.score(*frame(50, shift=20.0))[0] > 2 * statistics.threshold
    stored = {name: tensor.numpy() for name, tensor in statistics.tensors().items()}
    again = trust.FeatureStatistics.from_arrays(stored)
    probe = frame(20)
    assert again.score(*probe)[0] == pytest.approx(statistics.score(*probe)[0], rel=1e-4)


def test_known_crystal_is_inside_and_squeezed_one_is_not():
    crystal = known_crystals()["Li2CO3"]
    rng = np.random.default_rng(0)
    shaken = crystal.copy()
    shaken.positions += rng.normal(0, 0.05, shaken.positions.shape)
    squeezed = crystal.copy()
    squeezed.set_cell(crystal.cell.array * 0.75, scale_atoms=True)
    report = trust.novelty([shaken, squeezed])
    assert report.scores[0] < report.threshold < report.scores[1]
    assert report.worst_frame == 1
    assert report.fraction_outside == 0.5
    statement = trust.assess([shaken, squeezed], "vitrion-lipof").statement
    assert "1 of 2 frames left" in statement


def test_force_check_sees_a_known_difference():
    crystal = known_crystals()["LiF"].repeat(2)
    crystal.rattle(0.1, seed=2)
    calculator = student_calculator()
    same = trust.force_check([crystal], calculator, student_calculator(), "itself")
    assert same.force_rmse_meV_per_A < 0.1
    assert same.force_slope == pytest.approx(1.0, abs=1e-4)


def test_no_frames_are_refused():
    with pytest.raises(InputError):
        trust.assess([], "chgnet")
    with pytest.raises(InputError, match="must differ"):
        trust.assess([known_crystals()["LiF"]], "chgnet", "chgnet")
