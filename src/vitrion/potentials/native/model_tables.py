"""The tables of the native kernel, extracted from a MACE module in torch.

Linear maps are read off by applying them to unit vectors, radial functions by evaluating them on a
grid, polynomials from the contraction's tensors: nothing here repeats how MACE normalizes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError, PotentialError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

START = 0.3
"""Distance in A from which the radial functions are tabulated; closer atoms are refused."""

SPLINE_TOLERANCE = 3e-6
"""Largest error of the splines, relative to the largest value of the functions beyond 1 A; below,
where nuclear repulsion dominates, it grows as the inverse fourth power of the distance."""

RANK_TOLERANCE = 1e-5
"""Largest error of the first layer's singular functions, relative to the largest value."""

CLOSE = (1.0, 1.3)
"""Distances in A between which the first layer's close functions fade out."""

_NODES = (96, 128, 160, 192, 256, 384, 512, 1024, 2048, 4096)
_BY_ELEMENT = ("offset", "skip", "mix", "squares", "coefficients", "zbl")
_INTERACTIONS = ("RealAgnosticResidualInteractionBlock", "RealAgnosticInteractionBlock")


@dataclass(frozen=True)
class Tables:
    """Everything that the kernel needs to evaluate a model for some elements.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, ascending.
    sizes : dict
        ``layers``, ``channels``, ``l_max``, ``rank``, ``nodes`` (integers), ``start`` and
        ``cutoff`` (A).
    arrays : dict
        float64 arrays by the names in ``kernel/model.h``.
    hole_energy_eV, electron_energy_eV : float
        See :mod:`vitrion.potentials.imbalance`.
    """

    elements: tuple[int, ...]
    sizes: dict[str, float]
    arrays: dict[str, np.ndarray]
    hole_energy_eV: float = 0.0
    electron_energy_eV: float = 0.0

    def subset(self, elements: Sequence[int]) -> Tables:
        """Return the tables for some of the elements, ascending; the numbers stay the same."""
        if tuple(elements) == self.elements:
            return self
        kept = [self.elements.index(z) for z in elements]
        n = len(self.elements)
        pairs = [(a, b) for a in range(n) for b in range(a, n)]
        kept_pairs = [p for p, pair in enumerate(pairs) if set(pair) <= set(kept)]
        arrays = {}
        for name, array in self.arrays.items():
            kind = name.rpartition(".")[2]
            if kind == "radial":
                array = array[kept_pairs]
            elif kind == "mix" and name.startswith("0."):
                array = array[kept][:, :, kept]
            elif kind in _BY_ELEMENT and len(array) == n:
                array = array[kept]
            arrays[name] = np.ascontiguousarray(array)
        return replace(self, elements=tuple(elements), arrays=arrays)


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
        if kind == "NonLinearReadoutBlock" and _silu_factor(readout) is None:
            return "its readout is not a SiLU perceptron"
    return None


def _silu_factor(readout: Any) -> float | None:
    """Return c if the readout's nonlinearity is c SiLU(x), else None."""
    import torch

    weight = next(readout.parameters())
    width = readout.linear_1.irreps_out.dim
    x = torch.linspace(-3.0, 3.1, 8, dtype=weight.dtype)[:, None].expand(8, width)
    with torch.no_grad():
        ratio = (readout.non_linearity(x) / torch.nn.functional.silu(x)).double().numpy()
    return float(ratio[0, 0]) if np.allclose(ratio, ratio[0, 0], rtol=1e-5) else None


def extract(model: Any, elements: Sequence[int]) -> Tables:
    """Extract the tables of a MACE module for some of its elements.

    Parameters
    ----------
    model
        A module for which :func:`why_not` is None; it is copied to float64 on the CPU.
    elements
        Atomic numbers; the cost grows with their pairs.

    Raises
    ------
    PotentialError
        If the model is out of scope.
    InputError
        If the model does not know an element.
    """
    if reason := why_not(model):
        raise PotentialError(f"This model cannot be evaluated natively: {reason}.")
    known = [int(z) for z in model.atomic_numbers]
    if unknown := sorted(set(elements) - set(known)):
        raise InputError(f"This potential does not know the atomic numbers {unknown}.")
    chosen = tuple(sorted(set(elements)))
    import copy

    import torch

    copied = copy.deepcopy(model).to(device="cpu", dtype=torch.float64).eval()
    with torch.no_grad():
        return _Extraction(copied, chosen, [known.index(z) for z in chosen]).tables()


class _Extraction:
    """The steps of :func:`extract`."""

    def __init__(self, model: Any, elements: tuple[int, ...], columns: list[int]) -> None:
        import torch

        self.model, self.elements = model, elements
        self.one_hot = torch.eye(len(model.atomic_numbers), dtype=torch.float64)[columns]
        self.channels = model.products[0].linear.irreps_out.dim
        self.l_max = len(model.spherical_harmonics.irreps_out) - 1
        self.cutoff = float(model.r_max)
        self.scale = float(np.ravel(model.scale_shift.scale.numpy())[0])
        count = len(elements)
        self.pairs = [(a, b) for a in range(count) for b in range(a, count)]
        self.arrays: dict[str, np.ndarray] = {}

    def tables(self) -> Tables:
        model, arrays = self.model, self.arrays
        energies = np.atleast_2d(model.atomic_energies_fn.atomic_energies.numpy())[0]
        shift = float(np.ravel(model.scale_shift.shift.numpy())[0])
        arrays["offset"] = self.one_hot.numpy() @ energies + shift
        nodes = self._count_nodes()
        grid = np.linspace(START, self.cutoff, nodes)
        rank = self._first_layer(grid)
        for t in range(1, len(model.interactions)):
            self._later_layer(t, grid)
        for t in range(len(model.interactions)):
            self._product(t)
            self._readout(t)
        if hasattr(model, "pair_repulsion"):
            self._repulsion()
        return Tables(
            elements=self.elements,
            sizes={
                "layers": len(model.interactions),
                "channels": self.channels,
                "l_max": self.l_max,
                "rank": rank,
                "nodes": nodes,
                "start": START,
                "cutoff": self.cutoff,
            },
            arrays={name: np.ascontiguousarray(a, dtype=np.float64) for name, a in arrays.items()},
            hole_energy_eV=float(getattr(model, "hole_energy_eV", 0.0)),
            electron_energy_eV=float(getattr(model, "electron_energy_eV", 0.0)),
        )

    def _radial(self, t: int, pair: tuple[int, int], r: np.ndarray) -> np.ndarray:
        """Radial functions of layer t at distances r: ``(len(r), (l_max + 1) channels)``."""
        import torch

        kinds = self.one_hot[list(pair)]
        edges = torch.tensor([[0], [1]]).expand(2, len(r))
        distances = torch.as_tensor(r, dtype=torch.float64)[:, None]
        features, cutoff = self.model.radial_embedding(
            distances, kinds, edges, self.model.atomic_numbers
        )
        values = self.model.interactions[t].conv_tp_weights(features)
        return (values if cutoff is None else values * cutoff).numpy()

    def _nodes(
        self, t: int, pair: tuple[int, int], grid: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values and slopes (per A) on the grid; the slopes by differences of fourth order."""
        eps = 1e-4
        at = grid.copy()
        at[-1] -= 3 * eps  # the functions end there; set to zero below
        points = np.concatenate([at - 2 * eps, at - eps, at, at + eps, at + 2 * eps])
        low, lower, values, higher, high = np.split(self._radial(t, pair, points), 5)
        slopes = (low - 8 * lower + 8 * higher - high) / (12 * eps)
        values[-1] = slopes[-1] = 0.0
        return values, slopes

    def _count_nodes(self) -> int:
        """Return the smallest number of nodes whose splines meet the tolerance."""
        for nodes in _NODES:
            if self._spline_error(nodes) <= SPLINE_TOLERANCE:
                return nodes
        raise PotentialError(
            "This model cannot be evaluated natively: its radial functions vary too fast for "
            f"{_NODES[-1]} nodes."
        )

    def _spline_error(self, nodes: int) -> float:
        grid = np.linspace(START, self.cutoff, nodes)
        h = grid[1] - grid[0]
        middle = 0.5 * (grid[1:] + grid[:-1])
        weight = np.minimum(1.0, middle)[:, None] ** 4
        worst = 0.0
        for t in range(len(self.model.interactions)):
            for pair in self.pairs:
                y, d = self._nodes(t, pair, grid)
                spline = 0.5 * (y[1:] + y[:-1]) + 0.125 * h * (d[:-1] - d[1:])
                error = weight * np.abs(spline - self._radial(t, pair, middle))
                worst = max(worst, error.max() / np.abs(y[grid > 1.0]).max())
        return worst

    def _first_layer(self, grid: np.ndarray) -> int:
        """Tables of the first layer, whose features depend on the element alone."""
        interaction, count, c = self.model.interactions[0], len(self.elements), self.channels
        counts = self.l_max + 1
        embedded = self.model.node_embedding(self.one_hot)
        up = interaction.linear_up(embedded).numpy()
        residual = type(interaction).__name__ == "RealAgnosticResidualInteractionBlock"
        self.arrays["0.skip"] = (
            interaction.skip_tp(embedded, self.one_hot).numpy()
            if residual
            else np.zeros((count, c))
        )
        h = grid[1] - grid[0]
        linear = self._mixing(interaction)
        sampled = []
        for pair in self.pairs:
            values, slopes = (
                sampled_part.reshape(len(grid), counts, c)
                for sampled_part in self._nodes(0, pair, grid)
            )
            # What a neighbor adds to A: as b to an atom a, and as a to an atom b.
            maps = [
                np.einsum("k,lkj->lkj", up[b], np.array(linear[a if len(linear) > 1 else 0]))
                for a, b in (pair, pair[::-1])
            ]
            sampled.append(
                tuple(
                    np.stack([np.einsum("rlk,lkj->rlj", part, one) for one in maps], axis=1)
                    for part in (values, slopes)
                )
            )
        far, close = _singular_functions(sampled, grid)
        self._first_set("0.", sampled, far, h)
        if close is not None:
            switch = _switch(grid)
            damped = [
                tuple(
                    sum(factor[:, None, None, None] * part for factor, part in terms)
                    for terms in (
                        [(switch[0], values)],
                        [(switch[0], slopes), (switch[1], values)],
                    )
                )
                for values, slopes in sampled
            ]
            self._first_set("0.close.", damped, close, h)
            self.arrays["0.close"] = np.array([CLOSE[1], close[0].shape[1]])
        return far[0].shape[1]

    def _first_set(
        self, prefix: str, sampled: list[tuple], bases: list[np.ndarray], h: float
    ) -> None:
        """Tables of one set of singular functions and the maps from them to A."""
        count, counts, c = len(self.elements), self.l_max + 1, self.channels
        nodes, rank = len(sampled[0][0]), bases[0].shape[1]
        radial = np.zeros((len(self.pairs), nodes, 2, rank))
        mix = np.zeros((count, counts, count, rank, c))
        for p, (pair, basis) in enumerate(zip(self.pairs, bases, strict=True)):
            for k, unit in enumerate((1.0, h)):
                radial[p, :, k] = unit * sampled[p][k].reshape(nodes, -1) @ basis
            back = basis.reshape(2, counts, c, rank)
            for direction, (a, b) in enumerate((pair, pair[::-1])):
                mix[a, :, b] = back[direction].transpose(0, 2, 1)
        self.arrays[f"{prefix}radial"], self.arrays[f"{prefix}mix"] = radial, mix

    def _later_layer(self, t: int, grid: np.ndarray) -> None:
        interaction, c = self.model.interactions[t], self.channels
        h = grid[1] - grid[0]
        radial = np.zeros((len(self.pairs), len(grid), 2, self.l_max + 1, c))
        for p, pair in enumerate(self.pairs):
            values, slopes = self._nodes(t, pair, grid)
            radial[p, :, 0] = values.reshape(len(grid), -1, c)
            radial[p, :, 1] = slopes.reshape(len(grid), -1, c) * h
        self.arrays[f"{t}.radial"] = radial
        self.arrays[f"{t}.up"] = _matrix(interaction.linear_up, c)
        self.arrays[f"{t}.mix"] = np.array(self._mixing(interaction))
        if type(interaction).__name__ == "RealAgnosticResidualInteractionBlock":
            self.arrays[f"{t}.skip"] = np.array(
                [_matrix(_with_kind(interaction.skip_tp, kind), c) for kind in self.one_hot]
            )

    def _mixing(self, interaction: Any) -> list[list[np.ndarray]]:
        """Linear maps of the sums over neighbors by order: for all elements, or for each one."""
        c, norm = self.channels, float(interaction.avg_num_neighbors)
        if type(interaction).__name__ == "RealAgnosticResidualInteractionBlock":
            maps: list[Callable] = [interaction.linear]
        else:
            maps = [
                lambda x, kind=kind: interaction.skip_tp(
                    interaction.linear(x), kind.expand(len(x), -1)
                )
                for kind in self.one_hot
            ]
        out = []
        for function in maps:
            full = _matrix(function, c * (self.l_max + 1) ** 2) / norm
            blocks, at = [], 0
            for order in range(self.l_max + 1):
                width = 2 * order + 1
                block = full[at : at + c * width, at : at + c * width]
                blocks.append(block.reshape(c, width, c, width)[:, 0, :, 0])
                at += c * width
            out.append(blocks)
        return out

    def _product(self, t: int) -> None:
        product, c = self.model.products[t], self.channels
        self.arrays[f"{t}.linear"] = _matrix(product.linear, c)
        contraction = product.symmetric_contractions.contractions[0]
        shared = bool(getattr(product, "use_agnostic_product", False))
        polynomials = _polynomials(contraction)
        if shared:
            polynomials = [np.repeat(p, len(self.elements), axis=0) for p in polynomials]
        else:
            chosen = self.one_hot.numpy().argmax(axis=1)
            polynomials = [p[chosen] for p in polynomials]
        if len(polynomials) < 3 and (squares := _squares(polynomials, self.l_max)) is not None:
            self.arrays[f"{t}.squares"] = squares
            return
        terms, coefficients = _terms(polynomials)
        self.arrays[f"{t}.terms"], self.arrays[f"{t}.coefficients"] = terms, coefficients

    def _readout(self, t: int) -> None:
        readouts, last = self.model.readouts, len(self.model.interactions) - 1
        if len(readouts) == 1 and t < last:
            return
        readout = readouts[0] if len(readouts) == 1 else readouts[t]
        if type(readout).__name__ == "LinearReadoutBlock":
            self.arrays[f"{t}.readout"] = self.scale * _matrix(readout.linear, self.channels)[:, 0]
            return
        hidden = _matrix(readout.linear_1, self.channels)
        self.arrays[f"{t}.hidden"] = hidden
        last_weights = _matrix(readout.linear_2, hidden.shape[1])[:, 0]
        self.arrays[f"{t}.last"] = self.scale * last_weights
        self.arrays["activation"] = np.array([_silu_factor(readout)])

    def _repulsion(self) -> None:
        zbl = self.model.pair_repulsion_fn
        radii = zbl.covalent_radii.numpy()[list(self.elements)]
        self.arrays["zbl"] = np.stack([np.array(self.elements, dtype=float), radii], axis=1)
        self.arrays["zbl.shape"] = np.array(
            [float(zbl.a_exp), float(zbl.a_prefactor), int(zbl.p), *zbl.c.tolist(), self.scale]
        )


def _matrix(function: Callable, n: int) -> np.ndarray:
    """Return the matrix of a linear map of row vectors of length n."""
    import torch

    return function(torch.eye(n, dtype=torch.float64)).numpy()


def _with_kind(function: Callable, kind: torch.Tensor) -> Callable:
    return lambda x: function(x, kind.expand(len(x), -1))


def _switch(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a function that falls from 1 to 0 between the distances CLOSE, and its slope."""
    width = CLOSE[1] - CLOSE[0]
    x = np.clip((r - CLOSE[0]) / width, 0.0, 1.0)
    return 1 - x**3 * (10 - 15 * x + 6 * x**2), -30 * x**2 * (1 - x) ** 2 / width


def _singular_functions(
    sampled: list[tuple[np.ndarray, ...]], grid: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray] | None]:
    """Return for each pair bases ``(functions, rank)`` of its radial functions: far, and close.

    The far ones serve beyond the distances CLOSE; they are the smallest multiple of 16 that meets
    the tolerance. Neighbors grow in number as r^2, and what is wrong with them adds up, so errors
    weigh more at larger distances. The close ones hold what the far ones miss; None if nothing.
    """
    weight = (np.minimum(1.0, grid / CLOSE[1]) ** 16 * grid**1.5)[:, None]
    near = (grid < CLOSE[1])[:, None] * np.minimum(1.0, 2 * grid)[:, None] ** 4
    values = [v.reshape(len(grid), -1) for v, _ in sampled]
    slopes = [d.reshape(len(grid), -1) for _, d in sampled]
    bases = [_right_vectors(weight * v, weight * d) for v, d in zip(values, slopes, strict=True)]
    rank = next(
        rank
        for rank in range(16, bases[0].shape[1] + 16, 16)
        if max(_lost(weight * v, u[:, :rank]) for v, u in zip(values, bases, strict=True))
        <= RANK_TOLERANCE
    )
    far = [basis[:, :rank] for basis in bases]
    if max(_lost(near * v, u) for v, u in zip(values, far, strict=True)) <= RANK_TOLERANCE:
        return far, None
    rest = []
    for v, d, u in zip(values, slopes, far, strict=True):
        outside = np.eye(len(u)) - u @ u.T
        rest.append(_right_vectors(near * v @ outside, near * d @ outside)[:, :16])
    return far, rest


def _right_vectors(values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Return the singular vectors of functions (columns), most important first."""
    return np.linalg.svd(np.concatenate([values, 0.3 * slopes]).T, full_matrices=False)[0]


def _lost(values: np.ndarray, basis: np.ndarray) -> float:
    """Return the largest error of functions projected on a basis, relative to the largest value."""
    return float(np.abs(values @ basis @ basis.T - values).max() / np.abs(values).max())


def _polynomials(contraction: Any) -> list[np.ndarray]:
    """Return the coefficients of degree 1, 2, ...: ``(elements, K, ..., K, channels)``."""
    out = []
    for degree in range(1, contraction.correlation + 1):
        tensor = contraction.U_tensors(degree).numpy()
        at = contraction.correlation - 1 - degree
        weights = contraction.weights_max if at < 0 else contraction.weights[at]
        out.append(np.einsum("...p,epc->e...c", tensor, weights.numpy()))
    return out


def _squares(polynomials: list[np.ndarray], l_max: int) -> np.ndarray | None:
    """Return weights of A_00 and of the squares by order, None if that is not all there is."""
    linear = polynomials[0]
    n_elements, n_terms, channels = linear.shape
    out = np.zeros((n_elements, l_max + 2, channels))
    out[:, 0] = linear[:, 0]
    full = np.zeros((n_elements, n_terms, n_terms, channels))
    if len(polynomials) == 2:
        for order in range(l_max + 1):
            out[:, order + 1] = polynomials[1][:, order**2, order**2]
            for k in range(order**2, (order + 1) ** 2):
                full[:, k, k] = out[:, order + 1]
        if not np.allclose(full, polynomials[1], atol=1e-6 * np.abs(polynomials[1]).max()):
            return None
    return out if np.abs(linear[:, 1:]).max(initial=0.0) == 0 else None


def _terms(polynomials: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the terms ``(count, 3)`` of symmetric polynomials and their coefficients."""
    terms, coefficients = [], []
    for degree, tensor in enumerate(polynomials, start=1):
        n = tensor.shape[1]
        found: dict[tuple[int, ...], np.ndarray] = {}
        for index in np.ndindex(*(n,) * degree):
            value = tensor[(slice(None), *index)]
            if value.any():
                key = tuple(sorted(index))
                found[key] = found.get(key, 0.0) + value
        for key in sorted(found):
            terms.append((-1,) * (3 - degree) + key)
            coefficients.append(found[key])
    return np.array(terms, dtype=float), np.stack(coefficients, axis=1)
