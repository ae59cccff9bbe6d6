"""The tables of the native kernel, extracted from a MACE module in torch.

Linear maps are read off by applying them to unit vectors, radial functions by evaluating them on a
grid, polynomials from the contraction's tensors: nothing here repeats how MACE normalizes them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError, PotentialError
from vitrion.potentials.native.native_scope import silu_factor, why_not
from vitrion.potentials.native.table_reduction import (
    CLOSE,
    polynomial_coefficients,
    polynomial_terms,
    singular_functions,
    switch_function,
    weights_of_squares,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

START = 0.3
"""Distance in A from which the radial functions are tabulated; closer atoms are refused."""

SPLINE_TOLERANCE = 3e-6
"""Largest error of the splines, relative to the largest value of the functions beyond 1 A; below,
where nuclear repulsion dominates, it grows as the inverse fourth power of the distance."""

_NODES = (96, 128, 160, 192, 256, 384, 512, 1024, 2048, 4096)
_BY_ELEMENT = ("offset", "skip", "mix", "squares", "coefficients", "zbl")


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
    import torch

    copied = _copy(model).to(device="cpu", dtype=torch.float64).eval()
    with torch.no_grad():
        return _Extraction(copied, chosen, [known.index(z) for z in chosen]).tables()


def _copy(model: Any) -> Any:
    """Return a copy of a module; e3nn's own compiles its code to TorchScript, which takes long."""
    from e3nn.util.codegen import CodeGenMixin
    from torch.fx import GraphModule

    memo: dict[int, Any] = {}
    for part in reversed(list(model.modules())):  # children before their parents
        if isinstance(part, GraphModule):
            memo[id(part)] = copy.copy(part)
        elif isinstance(part, CodeGenMixin):
            copied = memo[id(part)] = object.__new__(type(part))
            copied.__dict__.update(copy.deepcopy(part.__dict__, memo))
    return copy.deepcopy(model, memo)


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
        far, close = singular_functions(sampled, grid)
        self._first_set("0.", sampled, far, h)
        if close is not None:
            switch = switch_function(grid)
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
        polynomials = polynomial_coefficients(contraction)
        if shared:
            polynomials = [np.repeat(p, len(self.elements), axis=0) for p in polynomials]
        else:
            chosen = self.one_hot.numpy().argmax(axis=1)
            polynomials = [p[chosen] for p in polynomials]
        if (
            len(polynomials) < 3
            and (squares := weights_of_squares(polynomials, self.l_max)) is not None
        ):
            self.arrays[f"{t}.squares"] = squares
            return
        terms, coefficients = polynomial_terms(polynomials)
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
        self.arrays["activation"] = np.array([silu_factor(readout)])

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
