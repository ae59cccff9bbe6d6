#include "model.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace vitrion {

namespace {

Buffer<float> padded(const std::vector<double>& values, int rows, int columns) {
  const int width = (columns + kBlock - 1) / kBlock * kBlock;
  Buffer<float> out;
  float* to = out.reserve(static_cast<size_t>(rows) * width);
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < width; c++)
      *to++ = c < columns ? static_cast<float>(values[static_cast<size_t>(r) * columns + c]) : 0;
  return out;
}

}  // namespace

Model::Model(const Size& s) : size(s) {
  const auto require = [](bool good, const char* what) {
    if (!good) throw std::invalid_argument(std::string("The size of the model is not valid: ") + what + ".");
  };
  require(s.elements >= 1 && s.elements <= 120, "1 to 120 elements");
  require(s.layers >= 1 && s.layers <= 8, "1 to 8 layers");
  require(s.channels >= 1 && s.channels <= 1024, "1 to 1024 channels");
  require(s.l_max >= 0 && s.l_max <= 3, "l_max of 0 to 3");
  require(s.rank >= 1 && s.rank <= 1024, "1 to 1024 radial functions");
  require(s.nodes >= 4 && s.nodes <= 100000, "4 to 100000 nodes");
  require(s.start > 0 && s.cutoff > s.start && s.cutoff < 100, "distances between 0 and 100 A");
  layers.resize(s.layers);
}

void Model::set(const std::string& name, const double* values, size_t count) {
  if (finished) throw std::invalid_argument("The model is finished and takes no more arrays.");
  arrays_[name].assign(values, values + count);
}

const std::vector<double>& Model::get(const std::string& name, size_t count) {
  const auto found = arrays_.find(name);
  if (found == arrays_.end())
    throw std::invalid_argument("The table '" + name + "' of the potential is missing.");
  const std::vector<double>& values = found->second;
  if (values.size() != count)
    throw std::invalid_argument("The table '" + name + "' of the potential has " +
                                std::to_string(values.size()) + " values, not " +
                                std::to_string(count) + ".");
  for (const double value : values)
    if (!(std::abs(value) <= 1e30))
      throw std::invalid_argument("The table '" + name + "' of the potential is damaged: it holds " +
                                  (std::isnan(value) ? "NaN." : "a value above 1e30."));
  return values;
}

void Model::finish() {
  offset = get("offset", size.elements);
  for (int t = 0; t < size.layers; t++) {
    const std::string prefix = std::to_string(t) + ".";
    if (t == 0) {
      finish_first(prefix, size.rank, size.cutoff);
      if (has("0.close")) {
        const std::vector<double> close = get("0.close", 2);  // end, rank
        if (close[1] < 1 || close[1] > 1024) throw std::invalid_argument("The table '0.close' of the potential is damaged.");
        finish_first("0.close.", static_cast<int>(close[1]), close[0]);
      }
    } else {
      finish_radial(t, prefix);
      finish_mix(t, prefix);
    }
    finish_product(t, prefix);
    finish_skip(t, prefix);
    finish_readout(t, prefix);
  }
  finish_zbl();
  arrays_.clear();
  finished = true;
}

// A set of functions of the first layer: "radial", "mix".
void Model::finish_first(const std::string& prefix, int rank, double end) {
  const int c = size.channels, counts = size.l_max + 1, kinds = size.elements;
  const int rows = size.pairs() * size.nodes;
  FirstSet set;
  set.blocks = (rank + kBlock - 1) / kBlock;
  set.end = end;
  set.radial = padded(get(prefix + "radial", static_cast<size_t>(rows) * 2 * rank), rows * 2, rank);
  const std::vector<double>& mix = get(prefix + "mix", static_cast<size_t>(kinds) * counts * kinds * rank * c);
  set.mix.resize(static_cast<size_t>(kinds) * counts);
  set.mix_t.resize(set.mix.size());
  const int width = set.blocks * kBlock;  // the functions of each sender's element fill whole blocks
  std::vector<double> spread(static_cast<size_t>(kinds) * width * c);
  for (size_t m = 0; m < set.mix.size(); m++) {
    const double* from = mix.data() + m * kinds * rank * c;
    for (int e = 0; e < kinds; e++)
      std::copy(from + static_cast<size_t>(e) * rank * c, from + static_cast<size_t>(e + 1) * rank * c,
                spread.begin() + static_cast<size_t>(e) * width * c);
    set.mix[m].pack(spread.data(), kinds * width, c);
    set.mix_t[m].pack_transposed(spread.data(), kinds * width, c);
  }
  layers[0].first.push_back(std::move(set));
}

void Model::finish_radial(int t, const std::string& prefix) {
  Layer& layer = layers[t];
  const int c = size.channels, counts = size.l_max + 1;
  const size_t rows = static_cast<size_t>(size.pairs()) * size.nodes;
  const std::vector<double>& values = get(prefix + "radial", rows * 2 * counts * c);
  float* out = layer.radial.reserve(rows * 2 * counts * size.blocks() * kBlock);
  for (int b = 0; b < size.blocks(); b++)
    for (size_t row = 0; row < rows * 2 * counts; row++)
      for (int k = b * kBlock; k < (b + 1) * kBlock; k++)
        *out++ = k < c ? static_cast<float>(values[row * c + k]) : 0;
  const std::vector<double>& up = get(prefix + "up", static_cast<size_t>(c) * c);
  layer.up.pack(up.data(), c, c);
  layer.up_t.pack_transposed(up.data(), c, c);
}

void Model::finish_mix(int t, const std::string& prefix) {
  Layer& layer = layers[t];
  const int c = size.channels, counts = size.l_max + 1;
  const size_t one = static_cast<size_t>(counts) * c * c;
  const int copies = arrays_[prefix + "mix"].size() == one ? 1 : size.elements;
  const std::vector<double>& values = get(prefix + "mix", copies * one);
  layer.mix.resize(static_cast<size_t>(copies) * counts);
  layer.mix_t.resize(layer.mix.size());
  for (size_t m = 0; m < layer.mix.size(); m++) {
    layer.mix[m].pack(values.data() + m * c * c, c, c);
    layer.mix_t[m].pack_transposed(values.data() + m * c * c, c, c);
  }
}

void Model::finish_product(int t, const std::string& prefix) {
  Layer& layer = layers[t];
  const int c = size.channels, e = size.elements;
  if (has(prefix + "terms")) {
    const int count = static_cast<int>(arrays_[prefix + "terms"].size() / 3);
    const std::vector<double>& terms = get(prefix + "terms", static_cast<size_t>(3) * count);
    for (int k = 0; k < 3 * count; k++)
      if (terms[k] < (k % 3 == 2 ? 0 : -1) || terms[k] >= (size.l_max + 1) * (size.l_max + 1))
        throw std::invalid_argument("The table '" + prefix + "terms' of the potential is damaged: " +
                                    std::to_string(terms[k]) + " is not an index of a harmonic.");
    layer.product.set_terms(terms.data(), count,
                            get(prefix + "coefficients", static_cast<size_t>(e) * count * c).data(), e, c);
  } else {
    const size_t count = static_cast<size_t>(e) * (size.l_max + 2) * c;
    layer.product.set_squares(get(prefix + "squares", count).data(), e, size.l_max, c);
  }
  const std::vector<double>& linear = get(prefix + "linear", static_cast<size_t>(c) * c);
  layer.linear.pack(linear.data(), c, c);
  layer.linear_t.pack_transposed(linear.data(), c, c);
}

void Model::finish_skip(int t, const std::string& prefix) {
  Layer& layer = layers[t];
  const int c = size.channels, e = size.elements;
  if (t == 0) {
    layer.skip_first = padded(get(prefix + "skip", static_cast<size_t>(e) * c), e, c);
    return;
  }
  if (!has(prefix + "skip")) return;
  const std::vector<double>& values = get(prefix + "skip", static_cast<size_t>(e) * c * c);
  layer.skip.resize(e);
  layer.skip_t.resize(e);
  for (int z = 0; z < e; z++) {
    layer.skip[z].pack(values.data() + static_cast<size_t>(z) * c * c, c, c);
    layer.skip_t[z].pack_transposed(values.data() + static_cast<size_t>(z) * c * c, c, c);
  }
}

void Model::finish_readout(int t, const std::string& prefix) {
  Layer& layer = layers[t];
  const int c = size.channels;
  if (has(prefix + "hidden")) {
    const int width = static_cast<int>(arrays_[prefix + "last"].size());
    const std::vector<double>& hidden = get(prefix + "hidden", static_cast<size_t>(c) * width);
    layer.hidden.pack(hidden.data(), c, width);
    layer.hidden_t.pack_transposed(hidden.data(), c, width);
    layer.hidden_blocks = (width + kBlock - 1) / kBlock;
    layer.weights = padded(get(prefix + "last", width), 1, width);
    layer.activation = static_cast<float>(get("activation", 1)[0]);
    layer.readout = Layer::Readout::perceptron;
  } else if (has(prefix + "readout")) {
    layer.weights = padded(get(prefix + "readout", c), 1, c);
    layer.readout = Layer::Readout::linear;
  }
}

// "zbl": atomic number and covalent radius of each element; "zbl.shape": exponent and prefactor of
// the screening length, power of the envelope, four weights, factor on the energy.
void Model::finish_zbl() {
  if (!has("zbl")) return;
  const int e = size.elements;
  const std::vector<double>& atoms = get("zbl", static_cast<size_t>(2) * e);
  const std::vector<double>& shape = get("zbl.shape", 8);
  zbl.resize(static_cast<size_t>(e) * e);
  for (int a = 0; a < e; a++)
    for (int b = 0; b < e; b++) {
      ZblPair& pair = zbl[static_cast<size_t>(a) * e + b];
      pair.end = atoms[2 * a + 1] + atoms[2 * b + 1];
      pair.length = shape[1] * 0.529 / (std::pow(atoms[2 * a], shape[0]) + std::pow(atoms[2 * b], shape[0]));
      pair.power = static_cast<int>(shape[2]);
      std::copy(shape.begin() + 3, shape.begin() + 7, pair.weights);
      pair.strength = shape[7] * 14.3996 * atoms[2 * a] * atoms[2 * b];
      zbl_end = std::max(zbl_end, pair.end);
    }
}

}  // namespace vitrion
