// Vectors of floats, written with the vector extensions of GCC and Clang.
//
// The kernel is compiled several times from the same source: VITRION_LANES is 16 for AVX-512, 8 for
// AVX2 and 4 for everything else (SSE2, NEON). All arrays are laid out in blocks of 16 floats, so
// that the same tables and the same loops serve every width: a loop over a block runs over its
// 16 / VITRION_LANES parts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifndef VITRION_LANES
#define VITRION_LANES 4
#endif

#if defined(__clang__)
#define VITRION_UNROLL _Pragma("clang loop unroll(full)")
#define VITRION_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define VITRION_UNROLL _Pragma("GCC unroll 16")
#define VITRION_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IntVec{__VA_ARGS__})
#endif

namespace vitrion {

constexpr int kLanes = VITRION_LANES;
constexpr int kBlock = 16;               // floats in a block, one cache line
constexpr int kParts = kBlock / kLanes;  // vectors in a block

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef float Quad __attribute__((vector_size(16)));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline void add_to(float* p, Vec v) { store(p, load(p) + v); }
inline Vec splat(float x) { return x - Vec{}; }

// Add the sums over the lanes of four vectors to out[0..3].
inline void add_sums(Vec a, Vec b, Vec c, Vec d, float* out) {
#if VITRION_LANES == 16
  const Vec ab =
      VITRION_SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
      VITRION_SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  const Vec cd =
      VITRION_SHUFFLE(c, d, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
      VITRION_SHUFFLE(c, d, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  const Vec sums =
      VITRION_SHUFFLE(ab, cd, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
      VITRION_SHUFFLE(ab, cd, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
#elif VITRION_LANES == 8
  const Vec ab = VITRION_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
                 VITRION_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  const Vec cd = VITRION_SHUFFLE(c, d, 0, 8, 1, 9, 4, 12, 5, 13) +
                 VITRION_SHUFFLE(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  const Vec sums = VITRION_SHUFFLE(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) +
                   VITRION_SHUFFLE(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
#else
  const Vec ab = VITRION_SHUFFLE(a, b, 0, 4, 1, 5) + VITRION_SHUFFLE(a, b, 2, 6, 3, 7);
  const Vec cd = VITRION_SHUFFLE(c, d, 0, 4, 1, 5) + VITRION_SHUFFLE(c, d, 2, 6, 3, 7);
  const Vec sums = VITRION_SHUFFLE(ab, cd, 0, 1, 4, 5) + VITRION_SHUFFLE(ab, cd, 2, 3, 6, 7);
#endif
  // Every quarter of `sums` holds partial sums of a, b, c, d.
  Quad quarters[kLanes / 4];
  std::memcpy(quarters, &sums, sizeof sums);
  Quad total = *reinterpret_cast<const Quad*>(out);
  for (int k = 0; k < kLanes / 4; k++) total += quarters[k];
  *reinterpret_cast<Quad*>(out) = total;
}

inline float sum(Vec v) {
  float total = 0;
  for (int k = 0; k < kLanes; k++) total += v[k];
  return total;
}

}  // namespace vitrion
