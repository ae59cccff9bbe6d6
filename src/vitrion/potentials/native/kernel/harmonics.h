// Real spherical harmonics up to l = 3, and the gradient of sums of them.
//
// Normalization and order are e3nn's ("component", m from -l to l with y as the polar axis):
// sum_m Y_lm^2 = 2 l + 1. See e3nn.o3.SphericalHarmonics (M. Geiger and T. Smidt, arXiv 2207.09453).
#pragma once
#include "simd.h"

namespace vitrion {

constexpr float kRoot3 = 1.7320508075688772f, kRoot5 = 2.2360679774997896f;
constexpr float kRoot7 = 2.6457513110645906f, kRoot15 = 3.8729833462074170f;

// Number of harmonics up to l_max, and of those below l.
constexpr int terms(int l_max) { return (l_max + 1) * (l_max + 1); }
constexpr int first_of(int l) { return l * l; }

// Y_lm of a unit vector, 16 values whatever the model's l_max.
inline void harmonics(float x, float y, float z, float* Y) {
  const float x2 = x * x, y2 = y * y, z2 = z * z, xz2 = x2 + z2;
  Y[0] = 1;
  Y[1] = kRoot3 * x;
  Y[2] = kRoot3 * y;
  Y[3] = kRoot3 * z;
  Y[4] = kRoot15 * x * z;
  Y[5] = kRoot15 * x * y;
  Y[6] = kRoot5 * (y2 - 0.5f * xz2);
  Y[7] = kRoot15 * y * z;
  Y[8] = 0.5f * kRoot15 * (z2 - x2);
  constexpr float k33 = 2.0916500663351889f;  // sqrt(35/8)
  constexpr float k31 = 1.6201851746019650f;  // sqrt(21/8)
  constexpr float k32 = 10.246950765959598f;  // sqrt(105)
  Y[9] = k33 * x * (3 * z2 - x2);
  Y[10] = k32 * x * y * z;
  Y[11] = k31 * x * (4 * y2 - xz2);
  Y[12] = 0.5f * kRoot7 * y * (2 * y2 - 3 * xz2);
  Y[13] = k31 * z * (4 * y2 - xz2);
  Y[14] = 0.5f * k32 * y * (z2 - x2);
  Y[15] = k33 * z * (z2 - 3 * x2);
}

// The gradient of sum_lm a_lm r^l Y_lm(r) on the unit sphere, for vectors of coefficients.
//
// The solid harmonics r^l Y_lm are homogeneous polynomials, and their derivatives are solid
// harmonics of order l - 1: d(r^l Y_lm)/dx_c = sum_m' C^c_mm' r^(l-1) Y_(l-1)m'. The coefficients
// sum_m C^c_mm' a_lm are formed once for all edges of an atom. What a reader wants is the gradient
// of Y_lm(r / |r|): the tangential part of the one here, divided by r.
template <int L>
struct Gradient {
  Vec second[L >= 2 ? 6 : 1];   // xx, xy, xz, yy, yz, zz of the symmetric matrix for l = 2
  Vec third[L >= 3 ? 15 : 1];  // (x, y, z) by the five harmonics of l = 2, for l = 3

  inline void prepare(const Vec* a) {
    if constexpr (L >= 2) {
      constexpr float k = 1.2909944487358056f;  // sqrt(5/3)
      const Vec a6 = k * a[6], a8 = kRoot5 * a[8];
      second[0] = -a6 - a8;
      second[1] = kRoot5 * a[5];
      second[2] = kRoot5 * a[4];
      second[3] = 2 * a6;
      second[4] = kRoot5 * a[7];
      second[5] = a8 - a6;
    }
    if constexpr (L >= 3) {
      constexpr float k07 = 0.83666002653407556f, k42 = 2.0493901531919199f;
      constexpr float k84 = 2.8982753492378879f, k105 = 3.2403703492039302f;
      constexpr float k112 = 3.3466401061363023f, k126 = 3.5496478698597698f;
      third[0] = -k105 * a[15] - k07 * a[13];
      third[1] = -k42 * a[12] - kRoot7 * a[14];
      third[2] = k84 * a[11];
      third[3] = kRoot7 * a[10];
      third[4] = k105 * a[9] + k07 * a[11];
      third[5] = third[3];
      third[6] = k112 * a[11];
      third[7] = k126 * a[12];
      third[8] = k112 * a[13];
      third[9] = kRoot7 * a[14];
      third[10] = k105 * a[9] - k07 * a[11];
      third[11] = third[3];
      third[12] = k84 * a[13];
      third[13] = kRoot7 * a[14] - k42 * a[12];
      third[14] = k105 * a[15] - k07 * a[13];
    }
  }
};

}  // namespace vitrion
