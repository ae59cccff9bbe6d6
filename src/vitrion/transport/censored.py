"""Update a fitted line by points with few hops or an upper limit (censored data)."""

from __future__ import annotations

import math

import numpy as np


def with_hops(
    mean: np.ndarray, covariance: np.ndarray, x: np.ndarray, n_hops: int, per_hop_cm2_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Update a normal distribution of a line's parameters by the Poisson likelihood of few hops.

    The likelihood ``mu^n exp(-mu)`` with ``mu = D / D_per_hop`` depends only on the predicted ln D
    at the temperature of the hops. Its first two moments are integrated along ln D and transferred
    to both parameters by linear regression.

    Parameters
    ----------
    mean : ndarray, shape (2,)
        Parameters, such as (ln D0, Ea).
    covariance : ndarray, shape (2, 2)
    x : ndarray, shape (2,)
        Row of the design matrix: ``x @ mean`` is ln D, D in cm2/s.
    n_hops : int
        Hops that were not reversed.
    per_hop_cm2_s : float
        Diffusivity in cm2/s at which one hop is expected.

    Returns
    -------
    mean, covariance : ndarray
    """
    center, variance = x @ mean, x @ covariance @ x
    u = np.linspace(-8.0, 8.0, 1601)
    log_events = center + u * math.sqrt(variance) - math.log(per_hop_cm2_s)
    log_weight = -0.5 * u**2 + n_hops * log_events - np.exp(np.minimum(log_events, 50.0))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    shift = float(weight @ u)
    shrink = float(weight @ (u - shift) ** 2)
    gain = covariance @ x / math.sqrt(variance)
    return mean + gain * shift, covariance - np.outer(gain, gain) * (1.0 - shrink)


def capped(
    mean: np.ndarray, covariance: np.ndarray, x: np.ndarray, bound_cm2_s: float
) -> np.ndarray:
    """Return the parameters of the most likely line below an upper bound.

    The distribution of values below the bound is unknown, so the bound does not change a line that
    is already below it and does not reduce its error. Parameters as for :func:`with_hops`.
    """
    excess = max(float(x @ mean) - math.log(bound_cm2_s), 0.0)
    return mean - covariance @ x / (x @ covariance @ x) * excess
