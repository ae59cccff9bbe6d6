"""Compact forms of the functions of a MACE model: singular functions and polynomial terms."""

from __future__ import annotations

from typing import Any

import numpy as np

RANK_TOLERANCE = 1e-5
"""Largest error of the first layer's singular functions, relative to the largest value."""

CLOSE = (1.0, 1.3)
"""Distances in A between which the first layer's close functions fade out."""


def switch_function(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a function that falls from 1 to 0 between the distances CLOSE, and its slope."""
    width = CLOSE[1] - CLOSE[0]
    x = np.clip((r - CLOSE[0]) / width, 0.0, 1.0)
    return 1 - x**3 * (10 - 15 * x + 6 * x**2), -30 * x**2 * (1 - x) ** 2 / width


def singular_functions(
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


def polynomial_coefficients(contraction: Any) -> list[np.ndarray]:
    """Return the coefficients of degree 1, 2, ...: ``(elements, K, ..., K, channels)``."""
    out = []
    for degree in range(1, contraction.correlation + 1):
        tensor = contraction.U_tensors(degree).numpy()
        at = contraction.correlation - 1 - degree
        weights = contraction.weights_max if at < 0 else contraction.weights[at]
        out.append(np.einsum("...p,epc->e...c", tensor, weights.numpy()))
    return out


def weights_of_squares(polynomials: list[np.ndarray], l_max: int) -> np.ndarray | None:
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


def polynomial_terms(polynomials: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
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
