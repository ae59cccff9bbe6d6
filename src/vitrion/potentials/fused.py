"""A faster message sum for MACE models whose node features are scalars (``max_L = 0``).

MACE forms ``w_l(r_ij) h_j Y_lm(r_ij)`` for every edge, channel, l and m, and then adds the edges of
each atom: an array ``(2 l + 1)`` times larger than its factors. Here the edges of an atom are laid
side by side and the sum over neighbors is one batched matrix product for each l, which never forms
that array. Where all atoms have the same number of edges, as padded batches do, the edges are taken
as they lie. The result is the same to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from e3nn import o3

    from vitrion.potentials.mace_model import MACEBlock, MACEModel


class ScalarConvolution(torch.nn.Module):
    """Sum over neighbors of radial weight times sender scalar times spherical harmonic.

    Stands in for MACE's ``conv_tp`` with ``conv_fusion`` set. Input: node scalars ``(n, c)``, edge
    harmonics ``(e, (l_max + 1)^2)``, edge weights ``(e, (l_max + 1) c)`` with l slowest, and the
    edge index ``(2, e)`` of senders and receivers. Output: ``(n, (l_max + 1)^2 c)`` in e3nn's
    layout, for each l a block of c rows of 2 l + 1.
    """

    def __init__(self, l_max: int, channels: int) -> None:
        super().__init__()
        self.l_max = l_max
        self.channels = channels

    def forward(
        self,
        node_feats: torch.Tensor,
        edge_attrs: torch.Tensor,
        weights: torch.Tensor,
        edge_index: torch.Tensor,
    ) -> torch.Tensor:
        """Return the messages of all nodes."""
        n_nodes, channels = node_feats.shape[0], self.channels
        width = equal_widths(edge_index, n_nodes)
        if width:
            harmonics = edge_attrs.view(n_nodes, width, -1)
            radial = weights.view(n_nodes, width, self.l_max + 1, channels)
            features = node_feats[edge_index[0]].view(n_nodes, width, channels)
        else:
            slots, senders = neighbor_slots(edge_index, n_nodes)
            # Slot e is empty: it points at an extra edge of zero harmonics.
            harmonics = torch.nn.functional.pad(edge_attrs, (0, 0, 0, 1))[slots]
            radial = torch.nn.functional.pad(weights, (0, 0, 0, 1))[slots]
            radial = radial.view(n_nodes, -1, self.l_max + 1, channels)
            features = node_feats[senders]
        # split and unbind, not slices: the gradient of a slice is an array of zeros of full size.
        angular = harmonics.transpose(1, 2).split([2 * k + 1 for k in range(self.l_max + 1)], dim=1)
        blocks = [
            torch.bmm(part, weight * features).transpose(1, 2).reshape(n_nodes, -1)
            for part, weight in zip(angular, radial.unbind(2), strict=True)
        ]
        return torch.cat(blocks, dim=1)


def equal_widths(edge_index: torch.Tensor, n_nodes: int) -> int:
    """Return the number of edges of each receiver if all have the same, in their order, else 0."""
    receiver = edge_index[1]
    width, rest = divmod(receiver.shape[0], max(1, n_nodes))
    if rest or not width:
        return 0
    expected = torch.arange(n_nodes, device=receiver.device).repeat_interleave(width)
    return width if torch.equal(receiver, expected) else 0


def neighbor_slots(edge_index: torch.Tensor, n_nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay the edges of each receiver side by side.

    Returns
    -------
    slots, senders
        ``(n_nodes, most neighbors)`` each: the edge in each slot (the number of edges
        where the slot is empty) and its sender (0 where empty).
    """
    sender, receiver = edge_index[0], edge_index[1]
    n_edges = receiver.shape[0]
    order = torch.argsort(receiver, stable=True)
    counts = torch.bincount(receiver, minlength=n_nodes)
    starts = torch.cumsum(counts, 0) - counts
    rank = torch.arange(n_edges, device=receiver.device) - starts[receiver[order]]
    width = int(counts.max()) if n_edges else 1
    slots = torch.full((n_nodes, width), n_edges, dtype=torch.long, device=receiver.device)
    slots[receiver[order], rank] = order
    senders = torch.nn.functional.pad(sender, (0, 1))[slots]
    return slots, senders


def fuse_block(block: MACEBlock) -> bool:
    """Give one interaction block the fused message sum; False where its features forbid it."""
    features: o3.Irreps = block.edge_irreps
    harmonics: o3.Irreps = block.edge_attrs_irreps
    if features.lmax != 0 or len(features) != 1 or any(mul != 1 for mul, _ in harmonics):
        return False
    if [ir.l for _, ir in harmonics] != list(range(harmonics.lmax + 1)):
        return False
    channels = features.dim
    if block.conv_tp.weight_numel != channels * (harmonics.lmax + 1):
        return False
    block.conv_tp = ScalarConvolution(harmonics.lmax, channels)
    block.conv_fusion = True
    return True


def fuse(model: MACEModel) -> MACEModel:
    """Replace the message sums of a MACE model in place where that is possible."""
    for block in model.interactions:
        if not hasattr(block, "conv_fusion"):
            fuse_block(block)
    return model
