// The stages of one pass over joined systems: layer by layer forward, then in reverse.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "evaluate.h"
#include "messages.h"

#ifdef VITRION_PROFILE
#define VITRION_STAGE(k)                                                                       \
  {                                                                                            \
    const double now =                                                                         \
        std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); \
    w.seconds[k] += now - clock;                                                               \
    clock = now;                                                                               \
  }
#else
#define VITRION_STAGE(k)
#endif

namespace vitrion {

// The stages of one pass, for a model with harmonics up to L.
template <int L>
class Pass {
 public:
  Pass(Workspace& workspace, const Model& model, bool gradients)
      : w(workspace), m(model), gradients_(gradients), n(workspace.atoms_), blocks(model.size.blocks()),
        stride(static_cast<size_t>(workspace.atoms_) * kBlock), width(stride * model.size.blocks()) {
#ifdef VITRION_PROFILE
    w.seconds.resize(16);
    clock = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
  }

  void run() {
    const int layers = m.size.layers;
    const size_t per_atom = static_cast<size_t>(K) * kBlock;
    w.features_.reserve(layers * width);
    w.ups_.reserve(layers * width);
    w.feature_slopes_.reserve(layers * width);
    w.up_slopes_.reserve(layers * width);
    w.sums_.reserve((layers - 1) * static_cast<size_t>(blocks) * n * per_atom);
    int wide = blocks;
    for (const FirstSet& set : m.layers[0].first) wide = std::max(wide, m.size.elements * set.blocks);
    int hidden = 1;
    for (const Layer& layer : m.layers) hidden = std::max(hidden, layer.hidden_blocks);
    w.raw_.reserve(static_cast<size_t>(wide) * kChunk * per_atom);
    w.mixed_.reserve(static_cast<size_t>(blocks) * kChunk * per_atom);
    w.basis_.reserve(static_cast<size_t>(blocks) * kChunk * kBlock);
    w.hidden_.reserve(static_cast<size_t>(hidden) * kChunk * kBlock);
    if (gradients_) std::memset(w.up_slopes_.data(), 0, layers * width * sizeof(float));

    for (int t = 0; t < layers; t++)
      for (const auto& chunk : w.chunks_) {
        forward(t, chunk);
        if (t == layers - 1 && gradients_) backward(t, chunk);
      }
    if (gradients_)
      for (int t = layers - 2; t >= 0; t--)
        for (const auto& chunk : w.chunks_) backward(t, chunk);
  }

 private:
  static constexpr int K = terms(L);
  using Chunk = Workspace::Chunk;

  float* features(int t) { return w.features_.data() + t * width; }  // h_(t+1)
  float* feature_slopes(int t) { return w.feature_slopes_.data() + t * width; }
  float* ups(int t) { return w.ups_.data() + t * width; }
  float* up_slopes(int t) { return w.up_slopes_.data() + t * width; }

  // A of a chunk, [block][lm][atom][16]: kept for the reverse pass unless that follows at once.
  float* mixed(int t, const Chunk& c) {
    if (t == m.size.layers - 1) return w.mixed_.data();
    return w.sums_.data() + (static_cast<size_t>(t) * n + c.begin) * blocks * K * kBlock;
  }

  void forward(int t, const Chunk& c) {
    const Layer& layer = m.layers[t];
    const int count = c.end - c.begin;
    const size_t inner = static_cast<size_t>(count) * kBlock;  // from lm to lm + 1 of a chunk's sums
    float* a = mixed(t, c);
    if (t == 0)
      for (const FirstSet& set : layer.first) {
        if (c.closest >= set.end && &set != &layer.first.front()) continue;
        gather_first(set, c, inner);
        VITRION_STAGE(1)
        multiply(set.mix, c, w.raw_.data(), a, &set != &layer.first.front());
        VITRION_STAGE(2)
      }
    else {
      gather(t, layer, c, inner);
      VITRION_STAGE(4)
      multiply(layer.mix, c, w.raw_.data(), a, false);
      VITRION_STAGE(5)
    }
    float* basis = w.basis_.data();
    for (int b = 0; b < blocks; b++)
      for (int i = 0; i < count; i++)
        for (int p = 0; p < kParts; p++) {
          Vec values[K];
          const float* from = a + b * K * inner + i * kBlock + p * kLanes;
          for (int k = 0; k < K; k++) values[k] = load(from + k * inner);
          store(basis + b * inner + i * kBlock + p * kLanes, layer.product.template value<L>(values, c.element, b, p));
        }
    float* h = features(t) + c.begin * kBlock;
    skip_forward(t, layer, c, h);
    layer.linear.multiply(basis, inner, h, stride, count, true);
    readout(t, layer, c, h);
    if (t + 1 < m.size.layers) m.layers[t + 1].up.multiply(h, stride, ups(t + 1) + c.begin * kBlock, stride, count);
    VITRION_STAGE(t == 0 ? 3 : 6)
  }

  void backward(int t, const Chunk& c) {
    const Layer& layer = m.layers[t];
    const int count = c.end - c.begin;
    const size_t inner = static_cast<size_t>(count) * kBlock;
    float* dh = feature_slopes(t) + c.begin * kBlock;
    if (t + 1 < m.size.layers)
      m.layers[t + 1].up_t.multiply(up_slopes(t + 1) + c.begin * kBlock, stride, dh, stride, count, true);
    if (t > 0 && !layer.skip_t.empty())
      layer.skip_t[c.element].multiply(dh, stride, feature_slopes(t - 1) + c.begin * kBlock, stride, count, true);
    float* basis = w.basis_.data();
    layer.linear_t.multiply(dh, stride, basis, inner, count);
    float* a = mixed(t, c);
    for (int b = 0; b < blocks; b++)
      for (int i = 0; i < count; i++)
        for (int p = 0; p < kParts; p++) {
          Vec values[K];
          float* from = a + b * K * inner + i * kBlock + p * kLanes;
          for (int k = 0; k < K; k++) values[k] = load(from + k * inner);
          layer.product.template gradient<L>(values, load(basis + b * inner + i * kBlock + p * kLanes), c.element, b, p);
          for (int k = 0; k < K; k++) store(from + k * inner, values[k]);
        }
    VITRION_STAGE(t == 0 ? 10 : 7)
    if (t == 0)
      for (const FirstSet& set : layer.first) {
        if (c.closest >= set.end && &set != &layer.first.front()) continue;
        multiply(set.mix_t, c, a, w.raw_.data(), false);
        VITRION_STAGE(11)
        scatter_first(set, c, inner);
        VITRION_STAGE(12)
      }
    else {
      multiply(layer.mix_t, c, a, w.raw_.data(), false);
      VITRION_STAGE(8)
      scatter(t, layer, c, inner);
      VITRION_STAGE(9)
    }
  }

  // Mix the channels of each order of a chunk's sums, [block][lm][atom][16], with the matrices of the
  // chunk's element or those of all elements.
  void multiply(const std::vector<Matrix>& mix, const Chunk& c, const float* from, float* to, bool add) const {
    const int count = c.end - c.begin;
    const size_t inner = static_cast<size_t>(count) * kBlock;
    const Matrix* own = mix.data() + (mix.size() == L + 1 ? 0 : c.element * (L + 1));
    for (int l = 0; l <= L; l++)
      own[l].multiply(from + first_of(l) * inner, K * inner, to + first_of(l) * inner, K * inner,
                      (2 * l + 1) * count, add);
  }

  const int32_t* group(int i) const { return w.group_.data() + static_cast<size_t>(i) * (m.size.elements + 1); }

  // Sums over the neighbors of each element: P of the first layer.
  void gather_first(const FirstSet& set, const Chunk& c, size_t inner) {
    for (int i = c.begin; i < c.end; i++)
      for (int e = 0; e < m.size.elements; e++)
        for (int q = 0; q < set.blocks; q++) {
          float* to = w.raw_.data() + (e * set.blocks + q) * K * inner + (i - c.begin) * kBlock;
          for (int p = 0; p < kParts; p++) {
            Vec sums[K];
            sum_first<L>(w.edges_.data(), group(i)[e], group(i)[e + 1], set.radial.data(), set.blocks, q, p, sums);
            VITRION_UNROLL
            for (int k = 0; k < K; k++) store(to + k * inner + p * kLanes, sums[k]);
          }
        }
  }

  void scatter_first(const FirstSet& set, const Chunk& c, size_t inner) {
    for (int i = c.begin; i < c.end; i++)
      for (int e = 0; e < m.size.elements; e++) {
        if (group(i)[e] == group(i)[e + 1]) continue;
        for (int q = 0; q < set.blocks; q++) {
          const float* from = w.raw_.data() + (e * set.blocks + q) * K * inner + (i - c.begin) * kBlock;
          for (int p = 0; p < kParts; p++) {
            Vec a[K];
            for (int k = 0; k < K; k++) a[k] = load(from + k * inner + p * kLanes);
            pull_first<L>(w.edges_.data(), group(i)[e], group(i)[e + 1], set.radial.data(), set.blocks, q, p, a,
                          w.slopes_.data());
          }
        }
      }
  }

  const float* table(const Layer& layer, int b) const {
    return layer.radial.data() + static_cast<size_t>(b) * m.size.pairs() * m.size.nodes * 2 * (L + 1) * kBlock;
  }

  // P of the other layers, one block of channels at a time: its part of the radial table then stays
  // in the cache.
  void gather(int t, const Layer& layer, const Chunk& c, size_t inner) {
    for (int b = 0; b < blocks; b++)
      for (int p = 0; p < kParts; p++)
        for (int i = c.begin; i < c.end; i++) {
          Vec sums[K];
          sum_messages<L>(w.edges_.data(), w.first_edge_[i], w.first_edge_[i + 1], table(layer, b), ups(t) + b * stride,
                          p, sums);
          float* to = w.raw_.data() + b * K * inner + (i - c.begin) * kBlock + p * kLanes;
          VITRION_UNROLL
          for (int k = 0; k < K; k++) store(to + k * inner, sums[k]);
        }
  }

  void scatter(int t, const Layer& layer, const Chunk& c, size_t inner) {
    for (int b = 0; b < blocks; b++)
      for (int p = 0; p < kParts; p++)
        for (int i = c.begin; i < c.end; i++) {
          const float* from = w.raw_.data() + b * K * inner + (i - c.begin) * kBlock + p * kLanes;
          Vec a[K];
          for (int k = 0; k < K; k++) a[k] = load(from + k * inner);
          pull_messages<L>(w.edges_.data(), w.first_edge_[i], w.first_edge_[i + 1], table(layer, b),
                           ups(t) + b * stride, p, a, up_slopes(t) + b * stride, w.slopes_.data());
        }
  }

  void skip_forward(int t, const Layer& layer, const Chunk& c, float* h) {
    const int count = c.end - c.begin;
    if (t > 0 && !layer.skip.empty()) {
      layer.skip[c.element].multiply(features(t - 1) + c.begin * kBlock, stride, h, stride, count);
      return;
    }
    for (int b = 0; b < blocks; b++)
      for (int i = 0; i < count; i++) {
        float* to = h + b * stride + i * kBlock;
        if (t == 0)
          std::memcpy(to, layer.skip_first.data() + (static_cast<size_t>(c.element) * blocks + b) * kBlock, 4 * kBlock);
        else
          std::memset(to, 0, 4 * kBlock);
      }
  }

  // Energies of a layer's features, and their gradient, which starts feature_slopes.
  void readout(int t, const Layer& layer, const Chunk& c, const float* h) {
    const int count = c.end - c.begin;
    float* dh = feature_slopes(t) + c.begin * kBlock;
    if (layer.readout == Layer::Readout::perceptron) {
      const size_t inner = static_cast<size_t>(count) * kBlock;
      float* hidden = w.hidden_.data();
      layer.hidden.multiply(h, stride, hidden, inner, count);
      for (int i = 0; i < count; i++) {
        double energy = 0;
        for (int b = 0; b < layer.hidden_blocks; b++)
          for (int k = 0; k < kBlock; k++) {
            float& x = hidden[b * inner + i * kBlock + k];
            const float weight = layer.activation * layer.weights.data()[b * kBlock + k];
            const float sigmoid = 1 / (1 + std::exp(-x));
            energy += weight * x * sigmoid;
            x = weight * sigmoid * (1 + x * (1 - sigmoid));
          }
        w.energies_[c.begin + i] += energy;
      }
      if (gradients_) layer.hidden_t.multiply(hidden, inner, dh, stride, count);
      return;
    }
    const bool linear = layer.readout == Layer::Readout::linear;
    for (int i = 0; i < count; i++) {
      Vec energy = Vec{};
      for (int b = 0; b < blocks; b++)
        for (int p = 0; p < kParts; p++) {
          const size_t at = b * stride + i * kBlock + p * kLanes;
          const Vec weight = linear ? load(layer.weights.data() + b * kBlock + p * kLanes) : Vec{};
          energy += weight * load(h + at);
          if (gradients_) store(dh + at, weight);
        }
      w.energies_[c.begin + i] += sum(energy);
    }
  }

  Workspace& w;
  const Model& m;
  const bool gradients_;
  const int n, blocks;
  const size_t stride, width;  // from block to block, from layer to layer
  [[maybe_unused]] double clock = 0;
};

#undef VITRION_STAGE

}  // namespace vitrion
