"""Settings of the training of a score net."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainSettings:
    """Settings of the training.

    Attributes
    ----------
    passes : float
        Number of passes over the training set.
    wall_minutes : float
        Walltime in minutes, after which the run writes its weights and stops.
    atoms_per_batch : int
        Maximum number of atoms in a batch of cells of similar size.
    learning_rate : float
        Learning rate after a warm-up of 100 steps; decreases linearly with the passes.
    intermetallic_fraction : float
        Fraction of the compounds without nonmetals used in an epoch; they contain packing, not
        covalent bonds.
    one_nonmetal_fraction : float
        Fraction of the compounds with one nonmetal used in an epoch; less than 1 gives more weight
        to complex anions.
    held_out : float
        Fraction of the formulas held out for validation; ignored with initial weights.
    checkpoint_minutes : float
        Time between checkpoints.
    seed : int
    device : str
        Torch device.
    """

    passes: float = 60.0
    wall_minutes: float = 1e6
    atoms_per_batch: int = 384
    learning_rate: float = 1e-3
    intermetallic_fraction: float = 0.3
    one_nonmetal_fraction: float = 1.0
    held_out: float = 0.08
    checkpoint_minutes: float = 3.0
    seed: int = 0
    device: str = "cpu"
