"""Which MACE models the native kernel can evaluate."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_INTERACTIONS = ("RealAgnosticResidualInteractionBlock", "RealAgnosticInteractionBlock")


def why_not(model: Any) -> str | None:
    """Return the reason why a MACE module cannot be evaluated natively, None if it can.

    Parameters
    ----------
    model
        A module of mace-torch.
    """
    if type(model).__name__ != "ScaleShiftMACE":
        return f"a {type(model).__name__} is not a ScaleShiftMACE"
    if len(getattr(model, "heads", None) or ["Default"]) != 1:
        return f"it has {len(model.heads)} heads"
    if hasattr(model, "joint_embedding"):
        return "its atoms carry more than their element"
    harmonics = model.spherical_harmonics.irreps_out
    orders = [ir.l for _, ir in harmonics]
    if orders != list(range(len(orders))) or any(ir.p != (-1) ** ir.l for _, ir in harmonics):
        return f"its harmonics are {harmonics}"
    if len(orders) > 4:
        return f"its harmonics go up to l = {len(orders) - 1}, beyond 3"
    return _odd_layer(model) or _odd_readout(model)


def why_not_described(description: dict[str, Any]) -> str | None:
    """Return what :func:`why_not` would, from the description in a student file, without torch."""
    for key in ("interaction_cls", "interaction_cls_first"):
        if description[key] not in _INTERACTIONS:
            return f"its interaction is a {description[key]}"
    if not re.fullmatch(r"\d+x0e", description["hidden_irreps"]):
        return f"its node features are {description['hidden_irreps']}, not scalars"
    if description["max_ell"] > 3:
        return f"its harmonics go up to l = {description['max_ell']}, beyond 3"
    if description["correlation"] > 3:
        return f"its correlation is {description['correlation']}, beyond 3"
    return None


def _odd_layer(model: Any) -> str | None:
    for interaction, product in zip(model.interactions, model.products, strict=True):
        kind = type(interaction).__name__
        if kind not in _INTERACTIONS:
            return f"its interaction is a {kind}"
        features = product.linear.irreps_out
        for irreps in (interaction.node_feats_irreps, interaction.edge_irreps, features):
            if any(ir.l != 0 or ir.p != 1 for _, ir in irreps):
                return f"its node features are {irreps}, not scalars"
        if interaction.edge_irreps.dim != model.products[0].linear.irreps_out.dim:
            return f"its layers differ in width ({interaction.edge_irreps.dim} channels)"
        contractions = product.symmetric_contractions.contractions
        if len(contractions) != 1:
            return "its products are not scalars"
        if contractions[0].correlation > 3:
            return f"its correlation is {contractions[0].correlation}, beyond 3"
    return None


def _odd_readout(model: Any) -> str | None:
    if len(model.readouts) not in (1, len(model.interactions)):
        return f"it has {len(model.readouts)} readouts"
    for readout in model.readouts:
        kind = type(readout).__name__
        if kind not in ("LinearReadoutBlock", "NonLinearReadoutBlock"):
            return f"its readout is a {kind}"
        if kind == "NonLinearReadoutBlock" and silu_factor(readout) is None:
            return "its readout is not a SiLU perceptron"
    return None


def silu_factor(readout: Any) -> float | None:
    """Return c if the readout's nonlinearity is c SiLU(x), else None."""
    import torch

    weight = next(readout.parameters())
    width = readout.linear_1.irreps_out.dim
    x = torch.linspace(-3.0, 3.1, 8, dtype=weight.dtype)[:, None].expand(8, width)
    with torch.no_grad():
        ratio = (readout.non_linearity(x) / torch.nn.functional.silu(x)).double().numpy()
    return float(ratio[0, 0]) if np.allclose(ratio, ratio[0, 0], rtol=1e-5) else None
