"""Settings of a melt-quench run, validated before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from vitrion.errors import InputError
from vitrion.runtime.settings_model import Option, SettingsModel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

SALT_MELT_K, NETWORK_MELT_K = 1500.0, 3000.0
"""Default melts. A salt of whole ions flows at 1500 K and keeps them; atoms at random must first
make a network (SiO2, P2O5), whose bonds open often enough only near 3000 K."""


class MeltQuenchSettings(SettingsModel):
    """Settings of one melt-quench run.

    Examples
    --------
    >>> MeltQuenchSettings(quench_rate_K_per_ps=300).quench_ps(1500.0)
    4.0
    """

    n_atoms: Annotated[int, Option("--glass-atoms")] = Field(
        144, ge=4, le=100_000, description="Minimum number of atoms of a glass."
    )
    unit: Literal["ions", "atoms"] | None = Field(
        None,
        description="Unit of packing; None packs whole ions if the composition has known ones.",
    )
    ions: dict[str, PositiveInt] | None = Field(
        None,
        description="Ions of one formula unit and their numbers, such as {Li: 1, TFSI: 1}, by "
        "formula, name or SMILES; None for the known ions of the composition.",
    )
    volume_per_atom_A3: Annotated[float | None, Option("--volume-per-atom")] = Field(
        None,
        gt=0,
        description="Volume per atom of the packed cell in A3; None for the built-in estimate.",
    )
    melt_temperature_K: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="Temperature of the melt in K; None for 1500, or 3000 for a network that is "
        "packed from atoms.",
    )
    melt_ps: float = Field(
        20.0, gt=0, le=1e7, description="Time in the melt in ps, at the packed volume."
    )
    quench_rate_K_per_ps: float = Field(
        50.0,
        gt=0,
        description="Cooling rate in K/ps; the temperature lags the thermostat by about 0.2 ps.",
    )
    quench_ensemble: Literal["nvt", "npt"] = Field(
        "npt",
        description="Whether the cell keeps its volume or follows the pressure while cooling.",
    )
    target_temperature_K: float = Field(300.0, gt=0, description="End of the quench in K.")
    equilibrate_ps: float = Field(
        10.0, gt=0, le=1e7, description="Equilibration time in ps at the target pressure."
    )
    pressure_GPa: float = Field(0.0, description="Target pressure in GPa.")
    timestep_fs: float | None = Field(
        None, gt=0, description="Time step in fs; None for 2, or 0.5 with hydrogen."
    )
    relax_fmax_eV_per_A: float = Field(
        0.05, gt=0, description="Largest force after the relaxation in eV/A."
    )
    seed: int = Field(0, ge=0, description="Seed of the packing and of the dynamics.")

    @model_validator(mode="after")
    def _hot_melt(self) -> Self:
        melt = self.melt_temperature_K
        if melt is not None and melt <= self.target_temperature_K:
            raise InputError(
                f"Melt temperature {melt:g} K must be above the target temperature "
                f"{self.target_temperature_K:g} K."
            )
        return self

    def melt_temperature(self, symbols: Iterable[str], unit: str) -> float:
        """Return the temperature of the melt in K for these elements and unit of packing."""
        from vitrion.amorphous.speciation import default_formers

        if self.melt_temperature_K is not None:
            return self.melt_temperature_K
        is_network = unit == "atoms" and bool(default_formers(symbols))
        default = NETWORK_MELT_K if is_network else SALT_MELT_K
        return max(default, self.target_temperature_K + 100.0)

    def timestep(self, symbols: Iterable[str]) -> float:
        """Return the time step in fs for these elements."""
        if self.timestep_fs is not None:
            return self.timestep_fs
        return 0.5 if "H" in set(symbols) else 2.0

    def quench_ps(self, melt_temperature_K: float) -> float:
        """Return the duration of the quench in ps."""
        return (melt_temperature_K - self.target_temperature_K) / self.quench_rate_K_per_ps
