"""Single precision of new tensors, whatever other potentials in the process have set."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def single_precision() -> Iterator[None]:
    """Make new tensors float32 in the block; MACE may have set float64 for the whole process."""
    import torch

    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)
