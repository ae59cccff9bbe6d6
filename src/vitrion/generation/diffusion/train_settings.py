"""Settings of the training of a score net."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    passes : float
        Passes over the training set of this run.
    wall_minutes : float
        The run stops early, with its weights written, after this time.
    atoms_per_batch : int
        Cells are batched with others of their size up to this many atoms.
    learning_rate : float
        After a warm-up of 100 steps; falls in proportion to the passes that are left.
    intermetallic_fraction : float
        Share of the compounds without a nonmetal that an epoch sees; they teach packing, not
        bonds.
    one_nonmetal_fraction : float
        Likewise, of those with one nonmetal; less than 1 where complex anions are to be learned.
    held_out : float
        Share of the formulas kept for validation, where there is no start that has chosen them.
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
