// Sums over neighbors, forward and reverse, for one receiver and one part of a block of channels.
#pragma once
#include "edges.h"
#include "harmonics.h"

namespace vitrion {

// Radial functions of one edge from its two rows of a table: value, and value with derivative. A
// row is [2][count][16]: values, then slopes.
inline Vec spline_value(const Edge& e, const float* row, int count, int f) {
  const float* p = row + f * kBlock;
  const int s = count * kBlock;
  return e.value[0] * load(p) + e.value[1] * load(p + s) + e.value[2] * load(p + 2 * s) +
         e.value[3] * load(p + 3 * s);
}

inline Vec spline(const Edge& e, const float* row, int count, int f, Vec& slope) {
  const float* p = row + f * kBlock;
  const int s = count * kBlock;
  const Vec y0 = load(p), m0 = load(p + s), y1 = load(p + 2 * s), m1 = load(p + 3 * s);
  slope = e.slope[0] * (y0 - y1) + e.slope[1] * m0 + e.slope[2] * m1;
  return e.value[0] * y0 + e.value[1] * m0 + e.value[2] * y1 + e.value[3] * m1;
}

// The harmonics whose sums are kept in registers at once: all of them with 32 registers, else those
// of l <= 2, then those of l = 3.
constexpr int kSplit = kLanes == 16 ? 4 : 3;

// First layer: sums over [begin, end) of T_q(r) Y_lm, for the functions of block q.
template <int L>
inline void sum_first(const Edge* edges, int begin, int end, const float* table, int rank_blocks, int q,
                      int part, Vec* sums) {
  for (int k = 0; k < terms(L); k++) sums[k] = Vec{};
  const size_t stride = static_cast<size_t>(2) * rank_blocks * kBlock;
  table += part * kLanes;
  constexpr int kCut = L < kSplit ? terms(L) : terms(kSplit - 1);
  {
    Vec a[kCut];
    VITRION_UNROLL
    for (int k = 0; k < kCut; k++) a[k] = Vec{};
    for (int n = begin; n < end; n++) {
      const Edge& e = edges[n];
      const Vec f = spline_value(e, table + e.row * stride, rank_blocks, q);
      a[0] += f;
      VITRION_UNROLL
      for (int k = 1; k < kCut; k++) a[k] += e.Y[k] * f;
    }
    VITRION_UNROLL
    for (int k = 0; k < kCut; k++) sums[k] = a[k];
  }
  if constexpr (kCut < terms(L)) {
    constexpr int kRest = terms(L) - kCut;
    Vec a[kRest];
    VITRION_UNROLL
    for (int k = 0; k < kRest; k++) a[k] = Vec{};
    for (int n = begin; n < end; n++) {
      const Edge& e = edges[n];
      const Vec f = spline_value(e, table + e.row * stride, rank_blocks, q);
      VITRION_UNROLL
      for (int k = 0; k < kRest; k++) a[k] += e.Y[kCut + k] * f;
    }
    VITRION_UNROLL
    for (int k = 0; k < kRest; k++) sums[kCut + k] = a[k];
  }
}

// Other layers: sums of R_l(r) u_j Y_lm over [begin, end), for one block of channels.
template <int L, int First, int Last>
inline void sum_orders(const Edge* edges, int begin, int end, const float* table, const float* up, Vec* sums) {
  constexpr int kBase = First * First, kCount = (Last + 1) * (Last + 1) - kBase;
  Vec a[kCount];
  VITRION_UNROLL
  for (int k = 0; k < kCount; k++) a[k] = Vec{};
  for (int n = begin; n < end; n++) {
    const Edge& e = edges[n];
    const float* row = table + static_cast<size_t>(e.row) * (2 * (L + 1) * kBlock);
    const Vec u = load(up + static_cast<size_t>(e.sender) * kBlock);
    VITRION_UNROLL
    for (int l = First; l <= Last; l++) {
      const Vec f = spline_value(e, row, L + 1, l) * u;
      VITRION_UNROLL
      for (int k = l * l; k < (l + 1) * (l + 1); k++) a[k - kBase] += e.Y[k] * f;
    }
  }
  VITRION_UNROLL
  for (int k = 0; k < kCount; k++) sums[kBase + k] = a[k];
}

template <int L>
inline void sum_messages(const Edge* edges, int begin, int end, const float* table, const float* up, int part,
                         Vec* sums) {
  table += part * kLanes;
  up += part * kLanes;
  if constexpr (L < kSplit) {
    sum_orders<L, 0, L>(edges, begin, end, table, up, sums);
  } else {
    sum_orders<L, 0, kSplit - 1>(edges, begin, end, table, up, sums);
    sum_orders<L, kSplit, L>(edges, begin, end, table, up, sums);
  }
}

// Slopes of the energy with respect to what an edge contributes, given a_lm = dE/dP_lm of the
// receiver: q_l = sum_m Y_lm a_lm, and for each l the gradient of sum_m a_lm r^l Y_lm.
template <int L>
struct Contracted {
  Vec q[L + 1];
  Vec x[L + 1], y[L + 1], z[L + 1];

  inline Contracted(const Edge& e, const Vec* a, const Gradient<L>& g) {
    const float* Y = e.Y;
    q[0] = a[0];
    VITRION_UNROLL
    for (int l = 1; l <= L; l++) {
      q[l] = Y[l * l] * a[l * l];
      VITRION_UNROLL
      for (int k = l * l + 1; k < (l + 1) * (l + 1); k++) q[l] += Y[k] * a[k];
    }
    if constexpr (L >= 1) {
      x[1] = a[1];  // times sqrt(3), left to the caller
      y[1] = a[2];
      z[1] = a[3];
    }
    if constexpr (L >= 2) {
      x[2] = Y[1] * g.second[0] + Y[2] * g.second[1] + Y[3] * g.second[2];
      y[2] = Y[1] * g.second[1] + Y[2] * g.second[3] + Y[3] * g.second[4];
      z[2] = Y[1] * g.second[2] + Y[2] * g.second[4] + Y[3] * g.second[5];
    }
    if constexpr (L >= 3) {
      x[3] = Y[4] * g.third[0] + Y[5] * g.third[1] + Y[6] * g.third[2] + Y[7] * g.third[3] + Y[8] * g.third[4];
      y[3] = Y[4] * g.third[5] + Y[5] * g.third[6] + Y[6] * g.third[7] + Y[7] * g.third[8] + Y[8] * g.third[9];
      z[3] = Y[4] * g.third[10] + Y[5] * g.third[11] + Y[6] * g.third[12] + Y[7] * g.third[13] + Y[8] * g.third[14];
    }
  }
};

// First layer, reverse. Adds to slopes[4 n]: the gradient with respect to the direction (see
// Gradient) and the derivative with respect to the distance.
template <int L>
inline void pull_first(const Edge* edges, int begin, int end, const float* table, int rank_blocks, int q,
                       int part, const Vec* a, float* slopes) {
  Gradient<L> g;
  g.prepare(a);
  const size_t stride = static_cast<size_t>(2) * rank_blocks * kBlock;
  table += part * kLanes;
  for (int n = begin; n < end; n++) {
    const Edge& e = edges[n];
    Vec d;
    const Vec f = spline(e, table + e.row * stride, rank_blocks, q, d);
    const Contracted<L> c(e, a, g);
    Vec total = c.q[0], x = Vec{}, y = Vec{}, z = Vec{};
    VITRION_UNROLL
    for (int l = 1; l <= L; l++) total += c.q[l];
    if constexpr (L >= 1) {
      x = kRoot3 * c.x[1], y = kRoot3 * c.y[1], z = kRoot3 * c.z[1];
      VITRION_UNROLL
      for (int l = 2; l <= L; l++) x += c.x[l], y += c.y[l], z += c.z[l];
    }
    add_sums(f * x, f * y, f * z, d * total, slopes + 4 * static_cast<size_t>(n));
  }
}

// Other layers, reverse. Also adds dE/du_j to the senders' rows of up_slopes.
template <int L>
inline void pull_messages(const Edge* edges, int begin, int end, const float* table, const float* up, int part,
                          const Vec* a, float* up_slopes, float* slopes) {
  Gradient<L> g;
  g.prepare(a);
  table += part * kLanes;
  for (int n = begin; n < end; n++) {
    const Edge& e = edges[n];
    const size_t sender = static_cast<size_t>(e.sender) * kBlock + part * kLanes;
    const float* row = table + static_cast<size_t>(e.row) * (2 * (L + 1) * kBlock);
    const Vec u = load(up + sender);
    const Contracted<L> c(e, a, g);
    Vec f[L + 1], d[L + 1];
    VITRION_UNROLL
    for (int l = 0; l <= L; l++) f[l] = spline(e, row, L + 1, l, d[l]);
    Vec pull = f[0] * c.q[0], radial = d[0] * c.q[0], x = Vec{}, y = Vec{}, z = Vec{};
    VITRION_UNROLL
    for (int l = 1; l <= L; l++) {
      pull += f[l] * c.q[l];
      radial += d[l] * c.q[l];
    }
    if constexpr (L >= 1) {
      const Vec f1 = kRoot3 * f[1];
      x = f1 * c.x[1], y = f1 * c.y[1], z = f1 * c.z[1];
      VITRION_UNROLL
      for (int l = 2; l <= L; l++) x += f[l] * c.x[l], y += f[l] * c.y[l], z += f[l] * c.z[l];
    }
    add_to(up_slopes + sender, pull);
    add_sums(u * x, u * y, u * z, u * radial, slopes + 4 * static_cast<size_t>(n));
  }
}

}  // namespace vitrion
