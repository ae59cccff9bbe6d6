"""Results of the transport analysis: estimates with intervals, bounds, curves."""

from __future__ import annotations

from pydantic import Field

from vitrion.runtime.counts import counted
from vitrion.runtime.notebook_display import NotebookFigure
from vitrion.transport.constants import A2_PER_FS_TO_CM2_PER_S, NOMINAL_HOP_A
from vitrion.transport.density import PercolationBarriers
from vitrion.transport.jumps import JumpNetwork
from vitrion.transport.schema import Matrix, Model, Series
from vitrion.transport.vanhove import VanHove
from vitrion.uncertainty import Bound, Estimate, upper_bound

HEADLINE_ERROR = 0.3
"""Relative error above which D_sigma is too uncertain to be the headline."""


class Regime(Model):
    """Diffusive regime: verdict and lags."""

    diffusive: bool = Field(description="Whether a diffusive regime was found in the data.")
    reason: str = Field(description="Result of the test in one sentence.")
    start_ps: float | None = Field(
        None, description="Shortest lag of the diffusive regime in ps; None if not diffusive."
    )
    end_ps: float | None = Field(None, description="Longest lag of the test in ps.")
    exponent: float = Field(description="d ln MSD / d ln t at the longest lags of the test.")
    exponent_error: float = Field(description="Standard error of the exponent.")
    lags_ps: Series = Field(default_factory=list, description="Centres of the lag windows in ps.")
    exponents: Series = Field(default_factory=list, description="Exponent in each window.")
    exponent_errors: Series = Field(
        default_factory=list, description="Standard error of each exponent."
    )


class FiniteTime(Model):
    """Correction of D for motion that still slows down at the end of the runs."""

    log_factor: float = Field(
        description="Logarithm of the factor by which D still decreases after the lags that the "
        "values were taken from; the values contain it."
    )
    error: float = Field(description="Standard error of this logarithm, common to all systems.")
    amplitude: float = Field(
        description="Amplitude A of the decrease of D with the hops h of an ion, (1 + h0/h)^A."
    )
    fading_hops: float = Field(description="Hops h0 of an ion after which the decrease fades.")


class Hops(Model):
    """Displacements of more than half a hop length that persist; see `find_stays`."""

    n_hops: int = Field(description="Number of hops of all mobile ions.")
    n_lasting: int | None = Field(
        None,
        description="Hops that were not reversed; None for runs of 10 or more hops.",
    )
    hops_per_ion: float = Field(description="Mean number of hops of a mobile ion.")
    hop_length_A: float = Field(
        description="Root mean square hop length in A; the nominal length without hops."
    )
    mean_residence_time_ps: float | None = Field(
        description="Total observation time of all ions over the number of hops, in ps."
    )
    relative_error_floor: float = Field(
        description="1/sqrt(hops), the lower limit of the relative error; infinite without hops."
    )


class Framework(Model):
    """Motion of the least mobile species, without the drift of all immobile atoms."""

    diffuses: bool = Field(description="Whether the framework itself diffuses.")
    diffusivity_cm2_s: float = Field(
        description="Slope of the framework's MSD over its longest lags, cm2/s."
    )
    msd_A2: float = Field(description="Mean square displacement over half the run, A2.")
    exponent: float = Field(description="d ln MSD / d ln t over the longest lags.")
    moved_fraction: float = Field(
        description="Fraction of the atoms whose mean square displacement over half the run "
        "exceeds 3 A2: they leave their sites."
    )


class MSDCurve(Model):
    """Mean square displacements on a subset of lags."""

    lag_ps: Series = Field(description="Lags in ps.")
    msd_A2: Series = Field(description="Mean square displacement of the mobile ions, A2.")
    msd_error_A2: Series = Field(description="Standard error of the MSD over the ions, A2.")
    msd_axis_A2: Matrix = Field(description="MSD along x, y and z in A2, one row per lag.")
    collective_A2: Series = Field(
        description="Square of the summed, charge-weighted displacement over the ions, A2."
    )


class NonGaussian(Model):
    """Non-Gaussian parameter alpha2 = 3 <r^4> / (5 <r^2>^2) - 1."""

    lag_ps: Series = Field(description="Lags in ps.")
    alpha2: Series = Field(description="Non-Gaussian parameter, dimensionless.")


ESTIMATES = (
    "self_diffusivity",
    "collective_diffusivity",
    "haven_ratio",
    "conductivity_nernst_einstein",
    "conductivity_einstein",
)
"""Fields of a result with diffusive motion."""


class Provisional(Model):
    """Values of a run under the assumption of diffusive motion, which was not established."""

    self_diffusivity: Estimate = Field(description="Self-diffusivity D* in cm2/s.")
    collective_diffusivity: Estimate | None = Field(description="D_sigma in cm2/s.")
    haven_ratio: Estimate | None = Field(description="D*/D_sigma, dimensionless.")
    conductivity_nernst_einstein: Estimate = Field(description="n q^2 D* / kT in mS/cm.")
    conductivity_einstein: Estimate | None = Field(description="n q^2 D_sigma / kT in mS/cm.")
    species_diffusivity: dict[str, Estimate] = Field(
        description="Self-diffusivity of each mobile species in cm2/s."
    )
    tensor_cm2_s: Matrix = Field(description="Self-diffusivity tensor, Cartesian, cm2/s.")


class TransportResult(NotebookFigure, Model):
    """Ion transport at one temperature, from one run or from several replicas."""

    temperature_K: float = Field(description="Temperature of the ions in K.")
    mobile: dict[str, float] = Field(description="Mobile species and their charges in e.")
    n_mobile: int = Field(
        description="Number of mobile ions in the cell, of several runs in that of the first."
    )
    n_framework: int = Field(description="Number of the other atoms in the cell.")
    atoms: dict[str, int] | None = Field(
        None, description="Number of atoms of each element in the cell; None in older results."
    )
    volume_A3: float = Field(
        description="Mean volume in A3 of a cell of `n_mobile` and `n_framework` atoms."
    )
    duration_ps: float = Field(description="Length of the run in ps; the sum over replicas.")
    frame_interval_fs: float = Field(description="Time between the frames used, in fs.")
    n_frames: int = Field(description="Number of frames read.")
    n_replicas: int = Field(1, description="Number of independent runs.")
    regime: Regime = Field(description="Test for diffusive motion and its lags.")
    apparent_diffusivity_cm2_s: float = Field(
        description="Long-time slope of the MSD over 6 in cm2/s, also if not diffusive."
    )
    self_diffusivity: Estimate | None = Field(
        description="Self-diffusivity D* in cm2/s; None if not diffusive."
    )
    collective_diffusivity: Estimate | None = Field(
        description="Collective, charge-weighted diffusivity D_sigma in cm2/s."
    )
    haven_ratio: Estimate | None = Field(description="D*/D_sigma, dimensionless.")
    conductivity_nernst_einstein: Estimate | None = Field(
        description="n q^2 D* / kT in mS/cm, for independent ions."
    )
    conductivity_einstein: Estimate | None = Field(
        description="n q^2 D_sigma / kT in mS/cm, with correlations between ions."
    )
    diffusivity_bound_cm2_s: float | None = Field(
        description="One-sided 95 % upper bound of D* in cm2/s if not diffusive."
    )
    conductivity_bound_mS_cm: float | None = Field(
        description="Nernst-Einstein conductivity of the upper bound of D* in mS/cm."
    )
    species_diffusivity: dict[str, Estimate] = Field(
        default_factory=dict, description="Self-diffusivity of each mobile species in cm2/s."
    )
    self_of_systems: dict[str, Estimate] = Field(
        default_factory=dict,
        description="D* in cm2/s of each system, such as a glass, if the systems differ.",
    )
    collective_of_systems: dict[str, Estimate] = Field(
        default_factory=dict, description="D_sigma in cm2/s of each system, if the systems differ."
    )
    tensor_cm2_s: Matrix | None = Field(
        None, description="Self-diffusivity tensor, Cartesian, cm2/s."
    )
    provisional: Provisional | None = Field(
        None,
        description="Estimates of a run that has enough hops but is not diffusive by itself. They "
        "are not a result, for the reason in `regime`, but are used to combine replicas.",
    )
    finite_time: FiniteTime | None = Field(
        None,
        description="Correction that the values contain if the material is a glass.",
    )
    hops: Hops = Field(description="Hops of the mobile ions.")
    framework: Framework | None = Field(description="Motion of the framework.")
    msd: MSDCurve = Field(description="Mean square displacements.")
    non_gaussian: NonGaussian = Field(description="Non-Gaussian parameter.")
    van_hove: VanHove | None = Field(None, description="Van Hove functions; None if not requested.")
    jump_network: JumpNetwork | None = Field(
        None, description="Sites and the hops between them; None if not requested."
    )
    percolation: PercolationBarriers | None = Field(
        None,
        description="Bottleneck of -kT ln(density) by axis; None if not requested, or for cells of "
        "more than 10,000,000 grid points.",
    )
    warnings: list[str] = Field(
        default_factory=list, description="Warnings about the reliability of the result."
    )

    @property
    def diffusive(self) -> bool:
        """Whether a diffusive regime was found."""
        return self.regime.diffusive

    @property
    def melted(self) -> bool:
        """Whether the framework diffuses too."""
        return self.framework is not None and self.framework.diffuses

    @property
    def conductivity_per_diffusivity(self) -> float:
        """Nernst-Einstein conductivity over D*, in mS/cm over cm2/s: n q^2 / kT."""
        if self.conductivity_nernst_einstein is not None and self.self_diffusivity is not None:
            return self.conductivity_nernst_einstein.value / self.self_diffusivity.value
        assert self.conductivity_bound_mS_cm is not None
        assert self.diffusivity_bound_cm2_s is not None
        return self.conductivity_bound_mS_cm / self.diffusivity_bound_cm2_s

    @property
    def diffusivity_per_hop_cm2_s(self) -> float:
        """D* in cm2/s that corresponds to one hop in the run: a^2 / 6 N t."""
        hops, ion_time_ps = self.hops, self.n_mobile * self.duration_ps
        if hops.mean_residence_time_ps is not None:  # also of cells of different sizes
            ion_time_ps = hops.n_hops * hops.mean_residence_time_ps
        length = max(hops.hop_length_A, NOMINAL_HOP_A / 2)
        return length**2 / (6000.0 * ion_time_ps) * A2_PER_FS_TO_CM2_PER_S

    @property
    def headline(self) -> str:
        """Conductivity to quote: Einstein if its error is at most 30 %, else Nernst-Einstein.

        The error of the finite time is that of both.
        """
        einstein = self.conductivity_einstein
        if einstein is None:
            return "Nernst-Einstein"
        common = self.finite_time.error if self.finite_time else 0.0
        own_variance = einstein.relative_error**2 - common**2
        return "Einstein" if own_variance <= HEADLINE_ERROR**2 else "Nernst-Einstein"

    @property
    def self_diffusivity_or_bound(self) -> Estimate | Bound | None:
        """D* in cm2/s, or its upper bound."""
        return self.self_diffusivity or upper_bound(self.diffusivity_bound_cm2_s)

    @property
    def conductivity_or_bound(self) -> Estimate | Bound | None:
        """Headline conductivity in mS/cm, or its upper bound."""
        return self.conductivity or upper_bound(self.conductivity_bound_mS_cm)

    @property
    def conductivity(self) -> Estimate | None:
        """Headline conductivity in mS/cm; `headline` names its kind."""
        if self.headline == "Einstein":
            return self.conductivity_einstein
        return self.conductivity_nernst_einstein


def warnings_of(framework_diffuses: bool, hops: Hops, n_mobile: int) -> list[str]:
    """Return the warnings about a result, each a sentence."""
    found = []
    if framework_diffuses:
        found.append("The framework diffuses: this is a liquid or a decomposing solid.")
    if 0 < hops.n_hops < 30:
        found.append(
            f"Only {counted(hops.n_hops, 'hop')}: the relative error is at least "
            f"{hops.relative_error_floor:.0%}."
        )
    if n_mobile < 8:
        found.append("Fewer than 8 mobile ions: the error over ions is itself uncertain.")
    return found
