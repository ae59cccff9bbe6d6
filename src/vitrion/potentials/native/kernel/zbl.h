// Screened nuclear repulsion at short range, as mace.modules.radial.ZBLBasis has it.
//
// J. F. Ziegler, J. P. Biersack and U. Littmark, The Stopping and Range of Ions in Solids (1985):
// V(r) = 14.3996 Z_i Z_j / r phi(r / a), a = 0.529 a_0' / (Z_i^p + Z_j^p), here times a polynomial
// envelope that ends at the sum of the covalent radii. Each direction of a pair has half of it.
#pragma once
#include <cmath>

namespace vitrion {

struct ZblPair {
  double end = 0;  // sum of covalent radii, A; 0 switches the pair off
  double strength, length, weights[4];
  int power;

  // Energy of one direction of the pair in eV, and its derivative in eV/A.
  double energy(double r, double& slope) const {
    static constexpr double kRates[4] = {3.2, 0.9423, 0.4028, 0.2016};
    double screening = 0, d_screening = 0;
    for (int k = 0; k < 4; k++) {
      const double term = weights[k] * std::exp(-kRates[k] * r / length);
      screening += term;
      d_screening -= kRates[k] / length * term;
    }
    const double bare = 0.5 * strength * screening / r;
    const double d_bare = 0.5 * strength * (d_screening - screening / r) / r;
    double x_p = 1;  // (r / end)^(power - 1)
    const double x = r / end, p = power;
    for (int k = 1; k < power; k++) x_p *= x;
    const double envelope = 1 - x_p * x * ((p + 1) * (p + 2) / 2 - x * p * ((p + 2) - x * (p + 1) / 2));
    const double d_envelope = -p * (p + 1) * (p + 2) / 2 * x_p * (1 - x) * (1 - x) / end;
    slope = d_bare * envelope + bare * d_envelope;
    return bare * envelope;
  }
};

}  // namespace vitrion
