"""Run ``mace_run_train`` with the fused message sum; takes the same arguments.

    python -m vitrion.distill.train_program --name=student --model=ScaleShiftMACE ...

The trained model has the same parameters as without the fused sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Replace the message sum of scalar models, then run mace."""
    from mace.cli.run_train import main as run_train
    from mace.modules import blocks

    from vitrion.potentials.fused import fuse_block

    for name in ("RealAgnosticInteractionBlock", "RealAgnosticResidualInteractionBlock"):
        block = getattr(blocks, name)
        block._setup = _then_fuse(block._setup, fuse_block)
    run_train()


def _then_fuse(
    setup: Callable[[Any], None], fuse_block: Callable[[Any], bool]
) -> Callable[[Any], None]:
    def wrapped(self: Any) -> None:
        setup(self)
        fuse_block(self)

    return wrapped


if __name__ == "__main__":
    main()
