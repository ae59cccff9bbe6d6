"""Independent seeds spawned from one seed."""

from __future__ import annotations

import numpy as np


def spawn_seeds(seed: int, n: int) -> list[int]:
    """Return ``n`` independent seeds; the first ones do not depend on ``n``."""
    children = np.random.SeedSequence(seed).spawn(n)
    return [int(child.generate_state(1)[0]) for child in children]
