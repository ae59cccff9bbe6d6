"""One call, one figure: MSD, Arrhenius, van Hove, jump network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vitrion.transport.arrhenius import ArrheniusResult
    from vitrion.transport.result import TransportResult


def plot_msd(result: TransportResult, ax: Axes | None = None) -> Axes:
    """Draw the MSD with its error, the diffusive regime, and the slope with its 95 % interval."""
    ax = _axes(ax)
    lag, msd = np.array(result.msd.lag_ps), np.array(result.msd.msd_A2)
    error = np.nan_to_num(np.array(result.msd.msd_error_A2))
    (line,) = ax.loglog(lag, msd, label="self")
    low = np.maximum(msd - error, 0.1 * msd)
    ax.fill_between(lag, low, msd + error, color=line.get_color(), alpha=0.2, linewidth=0)
    ax.loglog(lag, result.msd.collective_A2, "--", label="collective")
    if result.self_diffusivity is not None and result.regime.start_ps is not None:
        inside = lag >= result.regime.start_ps
        # Vibration adds a constant, which the slope does not know.
        per_ps = 6.0 * 1000.0 * 10.0  # cm2/s to A2 of MSD a ps
        growth = (lag - lag[inside][0]) * per_ps
        first = msd[inside][0]
        low_d, high_d = result.self_diffusivity.interval_95
        ax.loglog(
            lag[inside],
            first + growth[inside] * result.self_diffusivity.value,
            "k:",
            label=f"D* = {result.self_diffusivity.value:.2g} cm2/s",
        )
        ax.fill_between(
            lag[inside],
            first + growth[inside] * low_d,
            first + growth[inside] * high_d,
            color="k",
            alpha=0.2,
            linewidth=0,
        )
        ax.axvspan(result.regime.start_ps, lag[-1], color="tab:green", alpha=0.08, lw=0)
    ax.set(xlabel="lag (ps)", ylabel="MSD (A2)", title=f"{result.temperature_K:.0f} K")
    ax.legend()
    return ax


def plot_arrhenius(result: ArrheniusResult, ax: Axes | None = None) -> Axes:
    """Draw ln D against 1000/T: values, bounds, and the line with its 95 % predictive band."""
    ax = _axes(ax)
    for point in result.points:
        x, faded = 1000.0 / point.temperature_K, 0.3 if point.excluded else 1.0
        if point.diffusivity is not None:
            low, high = point.diffusivity.interval_95
            value = point.diffusivity.value
            ax.errorbar(x, value, [[value - low], [high - value]], fmt="o", c="C0", alpha=faded)
        elif point.bound_cm2_s is not None:
            ax.errorbar(x, point.bound_cm2_s, 0.3 * point.bound_cm2_s, uplims=True, fmt="_", c="C1")
    if result.fit is not None:
        hottest = max(point.temperature_K for point in result.points)
        temperatures = 1.0 / np.linspace(1.0 / 290.0, 1.0 / hottest, 60)
        predicted = [result.diffusivity(t) for t in temperatures]
        values = [estimate for estimate in predicted if estimate is not None]
        bands = np.array([estimate.interval_95 for estimate in values])
        label = (
            f"Ea = {result.fit.activation_energy_eV:.3f} "
            f"+- {result.fit.activation_energy_error_eV:.3f} eV"
        )
        x = 1000.0 / temperatures
        ax.plot(x, [estimate.value for estimate in values], "C0", label=label)
        ax.fill_between(x, bands[:, 0], bands[:, 1], color="C0", alpha=0.2, linewidth=0)
        ax.legend()
    ax.set_yscale("log")
    ax.set(xlabel="1000 / T (1/K)", ylabel=f"D ({result.quantity}) (cm2/s)")
    return ax


def plot_van_hove(result: TransportResult, ax: Axes | None = None) -> Axes:
    """Draw the self (full) and distinct (dashed) van Hove functions at their lags.

    Raises
    ------
    InputError
        If the result was made without the motion in space.
    """
    ax = _axes(ax)
    if result.van_hove is None:
        raise InputError("There is no van Hove function in this result: analyze with spatial=True.")
    found = result.van_hove
    for k, lag in enumerate(found.lag_ps):
        (line,) = ax.plot(found.r_A, found.self_per_A[k], label=f"{lag:.3g} ps")
        ax.plot(found.r_A, found.distinct[k], "--", color=line.get_color())
    ax.set(xlabel="r (A)", ylabel="4 pi r2 Gs (1/A);  Gd (dashed)")
    ax.legend()
    return ax


def plot_jump_network(result: TransportResult, ax: Axes | None = None) -> Axes:
    """Draw sites in the x-y plane, sized by occupancy, and hops as lines, widest the most frequent.

    Raises
    ------
    InputError
        If the result was made without the motion in space.
    """
    ax = _axes(ax)
    if result.jump_network is None:
        raise InputError("There is no jump network in this result: analyze with spatial=True.")
    network = result.jump_network
    sites = np.array(network.sites_A).reshape(-1, 3)
    most = max((edge.forward + edge.backward for edge in network.edges), default=1)
    for edge in network.edges:
        if any(edge.image):  # a line across the cell would mislead
            continue
        pair = sites[[edge.site_1, edge.site_2]]
        width = 3.0 * (edge.forward + edge.backward) / most
        ax.plot(pair[:, 0], pair[:, 1], "k-", lw=max(width, 0.2), alpha=0.5)
    points = ax.scatter(
        sites[:, 0],
        sites[:, 1],
        s=15.0 + 80.0 * np.array(network.occupancy),
        c=sites[:, 2],
        zorder=3,
    )
    ax.figure.colorbar(points, ax=ax, label="z (A)")
    ax.set(xlabel="x (A)", ylabel="y (A)", aspect="equal")
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]
