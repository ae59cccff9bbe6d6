// Products of tall arrays with small constant matrices.
//
// An array of `rows` vectors of `16 k` floats is stored block by block: block b holds 16 consecutive
// components of every row, 64 bytes a row. A Matrix is packed for the tile in which it is used.
#pragma once
#include <vector>

#include "buffer.h"
#include "simd.h"

namespace vitrion {

#if VITRION_LANES == 16
constexpr int kTileVecs = 4;  // vectors of columns in a tile at most
#else
constexpr int kTileVecs = 2;
#endif

class Matrix {
 public:
  // Pack `values` (n_in, n_out) in row-major order, padded with zeros to whole blocks.
  void pack(const double* values, int n_in, int n_out) {
    in_blocks_ = (n_in + kBlock - 1) / kBlock;
    out_blocks_ = (n_out + kBlock - 1) / kBlock;
    const int vecs = out_blocks_ * kParts;
    tiles_.clear();
    const int count = (vecs + kTileVecs - 1) / kTileVecs;
    for (int t = 0, first = 0; t < count; t++) {  // tiles of nearly equal width
      const int width = (vecs - first + count - t - 1) / (count - t);
      tiles_.push_back({first, width});
      first += width;
    }
    const int n_rows = in_blocks_ * kBlock;
    float* out = packed_.reserve(static_cast<size_t>(n_rows) * vecs * kLanes);
    for (const Tile& tile : tiles_)
      for (int k = 0; k < n_rows; k++)
        for (int c = 0; c < tile.width * kLanes; c++) {
          const int column = tile.first * kLanes + c;
          const bool inside = k < n_in && column < n_out;
          *out++ = inside ? static_cast<float>(values[static_cast<size_t>(k) * n_out + column]) : 0;
        }
  }

  void pack_transposed(const double* values, int n_in, int n_out) {
    std::vector<double> turned(static_cast<size_t>(n_in) * n_out);
    for (int k = 0; k < n_in; k++)
      for (int c = 0; c < n_out; c++)
        turned[static_cast<size_t>(c) * n_in + k] = values[static_cast<size_t>(k) * n_out + c];
    pack(turned.data(), n_out, n_in);
  }

  // C (rows, n_out) = A (rows, n_in) M, or C += A M if `add`. Blocks of A and C are `a_stride` and
  // `c_stride` floats apart.
  void multiply(const float* a, size_t a_stride, float* c, size_t c_stride, int rows,
                bool add = false) const {
    const float* w = packed_.data();
    for (const Tile& tile : tiles_) {
      float* out = c + tile.first / kParts * c_stride + tile.first % kParts * kLanes;
      switch (tile.width) {
        case 1: strip<1>(a, a_stride, w, out, c_stride, rows, add); break;
        case 2: strip<2>(a, a_stride, w, out, c_stride, rows, add); break;
#if VITRION_LANES == 16
        case 3: strip<3>(a, a_stride, w, out, c_stride, rows, add); break;
        case 4: strip<4>(a, a_stride, w, out, c_stride, rows, add); break;
#endif
      }
      w += static_cast<size_t>(in_blocks_) * kBlock * tile.width * kLanes;
    }
  }

 private:
  struct Tile {
    int first, width;  // in vectors
  };

  // All rows of one tile of columns, as many rows at a time as the registers hold.
  template <int N>
  void strip(const float* a, size_t a_stride, const float* w, float* c, size_t c_stride, int rows,
             bool add) const {
#if VITRION_LANES == 16
    constexpr int kRows = N == 4 ? 6 : N == 3 ? 8 : N == 2 ? 12 : 14;
#else
    constexpr int kRows = N == 2 ? 6 : 8;
#endif
    int r = 0;
    for (; r + kRows <= rows; r += kRows)
      tile<kRows, N>(a + r * kBlock, a_stride, w, c + r * kBlock, c_stride, add);
    for (; r + 4 <= rows; r += 4)
      tile<4, N>(a + r * kBlock, a_stride, w, c + r * kBlock, c_stride, add);
    for (; r + 2 <= rows; r += 2)
      tile<2, N>(a + r * kBlock, a_stride, w, c + r * kBlock, c_stride, add);
    for (; r < rows; r++) tile<1, N>(a + r * kBlock, a_stride, w, c + r * kBlock, c_stride, add);
  }

  template <int R, int N>
  void tile(const float* a, size_t a_stride, const float* w, float* c, size_t c_stride,
            bool add) const {
    Vec sums[R][N];
    VITRION_UNROLL
    for (int r = 0; r < R; r++)
      VITRION_UNROLL
      for (int n = 0; n < N; n++)
        sums[r][n] = add ? load(place(c, c_stride, n) + r * kBlock) : Vec{};
    for (int b = 0; b < in_blocks_; b++, a += a_stride)
      for (int k = 0; k < kBlock; k++, w += N * kLanes) {
        Vec weights[N];
        VITRION_UNROLL
        for (int n = 0; n < N; n++) weights[n] = load(w + n * kLanes);
        VITRION_UNROLL
        for (int r = 0; r < R; r++) {
          const Vec x = splat(a[r * kBlock + k]);
          VITRION_UNROLL
          for (int n = 0; n < N; n++) sums[r][n] += x * weights[n];
        }
      }
    VITRION_UNROLL
    for (int r = 0; r < R; r++)
      VITRION_UNROLL
      for (int n = 0; n < N; n++) store(place(c, c_stride, n) + r * kBlock, sums[r][n]);
  }

  // Tiles of parts of a block start at the block's first part, because kTileVecs divides kParts or
  // kParts is 1.
  static float* place(float* c, size_t c_stride, int n) {
    return c + n / kParts * c_stride + n % kParts * kLanes;
  }

  int in_blocks_ = 0, out_blocks_ = 0;
  std::vector<Tile> tiles_;
  Buffer<float> packed_;
};

}  // namespace vitrion
