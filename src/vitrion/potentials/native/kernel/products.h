// The product basis: an atom's invariants from its sums over neighbors (Batatia et al., MACE,
// NeurIPS 2022, equations 10 and 11), for scalar node features.
//
// B_c = sum over nu = 1 .. correlation of symmetric polynomials of degree nu in A_lm,c that do not
// change under rotation. Of degree 1 there is A_00 alone, of degree 2 sum_m A_lm^2 for each l: these
// need one weight each (Squares). Degree 3 is a general polynomial (Terms).
#pragma once
#include <array>
#include <vector>

#include "buffer.h"
#include "harmonics.h"
#include "simd.h"

namespace vitrion {

class Product {
 public:
  // Weights (elements, 2 + l_max, channels): of A_00, then of the squares for each l.
  void set_squares(const double* weights, int elements, int l_max, int channels) {
    width_ = l_max + 2;
    pack(weights, elements, channels);
  }

  // Weights (elements, count, channels) of the terms A_i A_j A_k with i <= j <= k, -1 for a factor
  // of 1 in the leading places. Terms are sorted by (k, j, i) so that factors come together.
  void set_terms(const double* indices, int count, const double* weights, int elements,
                 int channels) {
    width_ = count;
    terms_.resize(count);
    for (int t = 0; t < count; t++)
      for (int f = 0; f < 3; f++) terms_[t][f] = static_cast<int>(indices[3 * t + f]);
    pack(weights, elements, channels);
  }

  // B of one part of a block of channels from its A (terms(L)).
  template <int L>
  Vec value(const Vec* a, int element, int block, int part) const {
    const float* w = weights(element, block) + part * kLanes;
    if (terms_.empty()) {
      Vec out = load(w) * a[0];
      VITRION_UNROLL
      for (int l = 0; l <= L; l++) {
        Vec square = a[l * l] * a[l * l];
        VITRION_UNROLL
        for (int k = l * l + 1; k < (l + 1) * (l + 1); k++) square += a[k] * a[k];
        out += load(w + (l + 1) * kBlock) * square;
      }
      return out;
    }
    Vec out = Vec{};
    for (size_t t = 0; t < terms_.size(); t++) {
      Vec term = load(w + t * kBlock);
      for (int f = 0; f < 3; f++)
        if (terms_[t][f] >= 0) term *= a[terms_[t][f]];
      out += term;
    }
    return out;
  }

  // Replace A by g dB/dA.
  template <int L>
  void gradient(Vec* a, Vec g, int element, int block, int part) const {
    const float* w = weights(element, block) + part * kLanes;
    if (terms_.empty()) {
      const Vec linear = g * load(w);
      VITRION_UNROLL
      for (int l = 0; l <= L; l++) {
        const Vec twice = 2 * g * load(w + (l + 1) * kBlock);
        VITRION_UNROLL
        for (int k = l * l; k < (l + 1) * (l + 1); k++) a[k] *= twice;
      }
      a[0] += linear;
      return;
    }
    Vec slopes[terms(L)];
    for (int k = 0; k < terms(L); k++) slopes[k] = Vec{};
    for (size_t t = 0; t < terms_.size(); t++) {
      const auto [i, j, k] = terms_[t];
      const Vec weight = g * load(w + t * kBlock);
      if (i >= 0) slopes[i] += weight * a[j] * a[k];
      if (j >= 0) slopes[j] += i >= 0 ? weight * a[i] * a[k] : weight * a[k];
      slopes[k] += i >= 0 ? weight * a[i] * a[j] : j >= 0 ? weight * a[j] : weight;
    }
    for (int k = 0; k < terms(L); k++) a[k] = slopes[k];
  }

 private:
  void pack(const double* weights, int elements, int channels) {
    blocks_ = (channels + kBlock - 1) / kBlock;
    float* out = packed_.reserve(static_cast<size_t>(elements) * blocks_ * width_ * kBlock);
    for (int e = 0; e < elements; e++)
      for (int b = 0; b < blocks_; b++)
        for (int t = 0; t < width_; t++)
          for (int c = b * kBlock; c < (b + 1) * kBlock; c++)
            *out++ = c < channels ? static_cast<float>(weights[(static_cast<size_t>(e) * width_ + t) * channels + c]) : 0;
  }
  const float* weights(int element, int block) const {
    return packed_.data() + (static_cast<size_t>(element) * blocks_ + block) * width_ * kBlock;
  }

  int width_ = 0, blocks_ = 0;
  std::vector<std::array<int, 3>> terms_;
  Buffer<float> packed_;
};

}  // namespace vitrion
