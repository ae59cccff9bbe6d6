"""Unit conversions and constants of the transport analysis."""

import scipy.constants as sc

A2_PER_FS_TO_CM2_PER_S = 0.1
"""1 A2/fs = 1e-16 cm2 / 1e-15 s."""

MSD_A2_PER_PS = 6.0 * 1000.0 / A2_PER_FS_TO_CM2_PER_S
"""Slope of the MSD in A2/ps per cm2/s of diffusivity."""

ROOM_K = 300.0
"""Reference temperature in K."""

KB_EV_PER_K = sc.Boltzmann / sc.elementary_charge

NERNST_EINSTEIN = (
    sc.elementary_charge**2
    / sc.Boltzmann  # e^2 / k in C2 K / J
    * 1e-4  # cm2/s to m2/s
    / 1e-30  # per A3 to per m3
    * 10.0  # S/m to mS/cm
)
"""sigma [mS/cm] = NERNST_EINSTEIN * z^2 * n [1/A3] * D [cm2/s] / T [K]."""

NOMINAL_HOP_A = 3.0
"""Hop length assumed without hops: a typical Li-Li distance in oxides and halides."""
