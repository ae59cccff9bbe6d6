"""Trust in a potential: extrapolation of a run beyond the training set, and force errors.

The extrapolation score of a frame compares the invariant features of each atom with the features
of the training set by a Mahalanobis distance per element. The force check compares the forces with
a second potential on a few frames of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, Field

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class NoveltyReport(BaseModel):
    """Extrapolation of the frames of a run beyond the training set of its potential."""

    n_frames: int = Field(description="Number of frames.")
    scores: list[float] = Field(
        description="Score of each frame: the largest per-atom distance, in units of the distance "
        "that contains 99.9 % of the training atoms of the element."
    )
    threshold: float = Field(description="Score below which 99 % of the held-out frames are.")
    fraction_outside: float = Field(description="Fraction of the frames above the threshold.")
    worst_frame: int = Field(description="Index of the frame with the largest score.")
    worst_element: str = Field(description="Element of the atom with the largest score.")


class ForceCheck(BaseModel):
    """Forces of the potential compared with a second potential, on frames of the run."""

    reference: str = Field(description="The second potential.")
    n_frames: int = Field(description="Number of compared frames.")
    force_rmse_meV_per_A: float = Field(description="Root mean square difference, meV/A.")
    force_mae_meV_per_A: float = Field(description="Mean absolute difference, meV/A.")
    reference_force_rms_meV_per_A: float = Field(
        description="Root mean square force component of the second potential, meV/A."
    )
    force_slope: float = Field(
        description="Least-squares slope of the potential's force components against the second "
        "one's; below 1 it is the softer of the two."
    )


class LearnedFrames(BaseModel):
    """Frames of a run that left the trained range, on which a student was retrained."""

    run: str = Field(description="Name of the run.")
    frames: int = Field(description="Number of frames.")
    predecessor: str = Field(description="Student before the retraining.")


class TrustReport(BaseModel):
    """Trust report of the potential of a run."""

    potential: str = Field(description="Potential of the run.")
    novelty: NoveltyReport | None = Field(
        None,
        description="Extrapolation beyond the training set; None if its statistics are unknown.",
    )
    force_check: ForceCheck | None = Field(
        None, description="Comparison with a second potential; None if not requested."
    )
    left_trained_range: bool | None = Field(
        None, description="Whether any frame is above the threshold; None if unknown."
    )
    learned: list[LearnedFrames] = Field(
        default_factory=list,
        description="Runs on whose frames the potential was retrained, before this run.",
    )
    statement: str = Field(description="Summary in one sentence.")


class FeatureStatistics:
    """Mean and spread of the invariant features of each element over a training set.

    Parameters
    ----------
    means
        ``(n_elements, d)``.
    whitening
        ``(n_elements, d, d)``: maps a centered feature to coordinates of unit spread.
    limits
        ``(n_elements,)``: distance that 99.9 % of the training atoms stay within.
    elements
        Atomic numbers, in the order of the arrays.
    threshold
        Score of a frame above which it counts as outside.
    """

    def __init__(
        self,
        means: np.ndarray,
        whitening: np.ndarray,
        limits: np.ndarray,
        elements: Sequence[int],
        threshold: float,
    ) -> None:
        self.means, self.whitening, self.limits = means, whitening, limits
        self.elements = list(elements)
        self.threshold = threshold

    @classmethod
    def fit(
        cls,
        training: Iterable[tuple[np.ndarray, np.ndarray]],
        kept_out: Iterable[tuple[np.ndarray, np.ndarray]],
        elements: Sequence[int],
    ) -> FeatureStatistics:
        """Fit to ``(atomic numbers, features)`` of training frames; set the threshold by others.

        Raises
        ------
        InputError
            If an element has fewer training atoms than would fix its spread.
        """
        numbers, features = (np.concatenate(part) for part in zip(*training, strict=True))
        means, whitening, limits = [], [], []
        for z in elements:
            own = features[numbers == z]
            if len(own) < 10:
                raise InputError(f"Only {len(own)} atoms of atomic number {z} in the training set.")
            mean, matrix = _whiten(own)
            means.append(mean)
            whitening.append(matrix)
            limits.append(np.quantile(np.linalg.norm((own - mean) @ matrix, axis=1), 0.999))
        out = cls(np.array(means), np.array(whitening), np.array(limits), elements, np.inf)
        out.threshold = float(np.quantile([out.score(*frame)[0] for frame in kept_out], 0.99))
        return out

    def score(self, numbers: np.ndarray, features: np.ndarray) -> tuple[float, int]:
        """Return the score of a frame and the index of its atom with the largest score."""
        index = np.searchsorted(self.elements, numbers)
        centered = features - self.means[index]
        distance = np.linalg.norm(np.einsum("ni,nij->nj", centered, self.whitening[index]), axis=1)
        relative = distance / self.limits[index]
        worst = int(relative.argmax())
        return float(relative[worst]), worst

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the arrays as float32 tensors named ``trust.*``."""
        import torch

        arrays = {
            "means": self.means,
            "whitening": self.whitening,
            "limits": self.limits,
            "elements": np.array(self.elements),
            "threshold": np.array([self.threshold]),
        }
        return {
            f"trust.{name}": torch.tensor(array, dtype=torch.float32)
            for name, array in arrays.items()
        }

    @classmethod
    def from_arrays(cls, stored: Mapping[str, np.ndarray]) -> FeatureStatistics:
        """Read what :meth:`tensors` returned, as arrays."""
        arrays = {
            key.removeprefix("trust."): np.asarray(value, dtype=float)
            for key, value in stored.items()
            if key.startswith("trust.")
        }
        return cls(
            arrays["means"],
            arrays["whitening"],
            arrays["limits"],
            [int(z) for z in arrays["elements"]],
            float(arrays["threshold"][0]),
        )


def _whiten(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the regularized inverse square root of the covariance."""
    mean = features.mean(axis=0)
    covariance = np.cov(features.T)
    values, vectors = np.linalg.eigh(covariance)
    floor = 1e-3 * values.mean()
    return mean, vectors / np.sqrt(np.maximum(values, 0) + floor)


def novelty(frames: Sequence[Atoms], potential: str | None = None) -> NoveltyReport:
    """Compare frames with the training set of a student.

    Parameters
    ----------
    frames
        Frames of a run.
    potential
        Name of a student or path of a student file; None takes the default.

    Raises
    ------
    InputError
        If there are no frames, or the file holds no statistics.
    """
    from vitrion.potentials import student

    if not frames:
        raise InputError("There are no frames to compare with the training set.")
    name = potential or student.STUDENT_NAME
    registered = student.is_student(name)
    path = student.student_path(name) if registered else Path(name)
    sha256 = student.student_card(name)["sha256"] if registered else None
    calculator: Any = student.file_calculator(path, sha256)
    arrays = student.read_statistics(path)
    if not arrays:
        raise InputError(f"{path} holds no statistics of its training set.")
    statistics = FeatureStatistics.from_arrays(arrays)
    results = [statistics.score(a.numbers, calculator.node_features(a)) for a in frames]
    scores = [score for score, _ in results]
    worst = int(np.argmax(scores))
    return NoveltyReport(
        n_frames=len(frames),
        scores=scores,
        threshold=statistics.threshold,
        fraction_outside=float(np.mean(np.array(scores) > statistics.threshold)),
        worst_frame=worst,
        worst_element=frames[worst].get_chemical_symbols()[results[worst][1]],
    )


def force_slope(own: np.ndarray, other: np.ndarray) -> float:
    """Return the least-squares slope of force components against another potential's."""
    return float(own @ other / max(other @ other, 1e-12))


def force_check(
    frames: Sequence[Atoms], calculator: Calculator, reference: Calculator, reference_name: str
) -> ForceCheck:
    """Compare the forces of two calculators on the same frames.

    Raises
    ------
    InputError
        If there are no frames.
    """
    if not frames:
        raise InputError("There are no frames to compare forces on.")
    own = np.concatenate([calculator.get_forces(frame) for frame in frames]).ravel()
    other = np.concatenate([reference.get_forces(frame) for frame in frames]).ravel()
    difference = 1000 * (own - other)
    return ForceCheck(
        reference=reference_name,
        n_frames=len(frames),
        force_rmse_meV_per_A=float(np.sqrt(np.mean(difference**2))),
        force_mae_meV_per_A=float(np.mean(np.abs(difference))),
        reference_force_rms_meV_per_A=float(1000 * np.sqrt(np.mean(other**2))),
        force_slope=force_slope(own, other),
    )


def assess(
    frames: Sequence[Atoms],
    potential_name: str,
    reference_potential: str | None = None,
    *,
    n_reference_frames: int = 3,
) -> TrustReport:
    """Create the trust report of a run.

    Parameters
    ----------
    frames
        Subsampled frames of the run; each costs about one force evaluation.
    potential_name
        Registered name of the potential of the run.
    reference_potential
        Registered name of a second potential for the force check; None skips it.
    n_reference_frames
        Frames, evenly spaced, on which the forces are compared.

    Raises
    ------
    InputError
        If there are no frames, or both potentials are the same.
    """
    from vitrion.potentials import load_calculator
    from vitrion.potentials.student import is_student, student_card

    if not frames:
        raise InputError("There are no frames to assess.")
    if reference_potential == potential_name:
        raise InputError("The reference potential must differ from the potential of the run.")
    known = novelty(frames, potential_name) if is_student(potential_name) else None
    check = None
    if reference_potential is not None:
        chosen = np.unique(np.linspace(0, len(frames) - 1, n_reference_frames).astype(int))
        check = force_check(
            [frames[i] for i in chosen],
            load_calculator(potential_name),
            load_calculator(reference_potential),
            reference_potential,
        )
    card = student_card(potential_name) if is_student(potential_name) else {}
    learned = [LearnedFrames.model_validate(entry) for entry in card.get("learned", [])]
    return TrustReport(
        potential=potential_name,
        learned=learned,
        novelty=known,
        force_check=check,
        left_trained_range=None if known is None else known.fraction_outside > 0,
        statement=_statement(potential_name, known, check, learned),
    )


def joined(reports: Sequence[TrustReport]) -> TrustReport:
    """Return the report of several runs with one potential.

    The range is unknown if it is for one of them. Frames are numbered through all runs. Forces that
    were compared with different potentials are left out.
    """
    first = reports[0]
    novelties = [report.novelty for report in reports if report.novelty is not None]
    known = _joined_novelty(novelties) if len(novelties) == len(reports) else None
    checks = [report.force_check for report in reports if report.force_check is not None]
    check = _joined_check(checks) if len({each.reference for each in checks}) == 1 else None
    return TrustReport(
        potential=first.potential,
        learned=first.learned,
        novelty=known,
        force_check=check,
        left_trained_range=None if known is None else known.fraction_outside > 0,
        statement=_statement(first.potential, known, check, first.learned),
    )


def _joined_novelty(reports: Sequence[NoveltyReport]) -> NoveltyReport:
    scores = [score for report in reports for score in report.scores]
    worst = max(reports, key=lambda report: max(report.scores))
    counts = [report.n_frames for report in reports]
    return worst.model_copy(
        update={
            "n_frames": sum(counts),
            "scores": scores,
            "fraction_outside": float(
                np.average([report.fraction_outside for report in reports], weights=counts)
            ),
            "worst_frame": int(np.argmax(scores)),
        }
    )


def _joined_check(reports: Sequence[ForceCheck]) -> ForceCheck:
    counts = np.array([report.n_frames for report in reports])
    squares = np.array([report.reference_force_rms_meV_per_A**2 for report in reports])
    errors = np.array([report.force_rmse_meV_per_A**2 for report in reports])
    slopes = [report.force_slope for report in reports]
    return ForceCheck(
        reference=reports[0].reference,
        n_frames=int(counts.sum()),
        force_rmse_meV_per_A=float(np.sqrt(np.average(errors, weights=counts))),
        force_mae_meV_per_A=float(
            np.average([report.force_mae_meV_per_A for report in reports], weights=counts)
        ),
        reference_force_rms_meV_per_A=float(np.sqrt(np.average(squares, weights=counts))),
        force_slope=float(np.average(slopes, weights=counts * squares)),
    )


def _statement(
    name: str,
    known: NoveltyReport | None,
    check: ForceCheck | None,
    learned: Sequence[LearnedFrames] = (),
) -> str:
    if known is None:
        text = f"The training range of '{name}' is unknown"
    elif known.fraction_outside > 0:
        outside = round(known.fraction_outside * known.n_frames)
        text = (
            f"{outside} of {known.n_frames} frames left the trained range of '{name}' "
            f"(worst at {known.worst_element}, score {max(known.scores):.2f} "
            f"against {known.threshold:.2f})"
        )
    else:
        text = f"All {known.n_frames} frames lie within the trained range of '{name}'"
    if check is not None:
        text += (
            f"; its forces differ from {check.reference} by {check.force_rmse_meV_per_A:.0f} meV/A "
            f"RMS (of {check.reference_force_rms_meV_per_A:.0f}) on {check.n_frames} frames"
        )
    if learned:
        runs = ", ".join(f"{each.frames} frames of {each.run}" for each in learned)
        text += f"; it was retrained on {runs}, which had left the trained range"
    return text + "."
