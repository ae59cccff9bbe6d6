// A MACE model with scalar node features, as tables and packed matrices.
//
// Layer t maps features h_t to h_(t+1) (Batatia et al., MACE, NeurIPS 2022):
//   u_j     = U h_j                                            "up"
//   P_i,lmc = sum_j R_lc(r_ij) u_j,c Y_lm(r_ij)                "radial"
//   A_i,lm  = W_l P_i,lm                                       "mix"
//   B_i     = product of A_i                                   "squares" or "terms", "coefficients"
//   h_i     = L B_i + S_z h_i                                  "linear", "skip"
//   E_i    += readout(h_i)                                     "readout" or "hidden", "last"
// In the first layer h_j depends on the element of j alone, and R on the two elements. There
// R_lc h_c is replaced by its leading singular functions: P_i,lm,bq = sum over j of element b of
// T_q(r_ij) Y_lm, and the rest of the singular value decomposition is part of the mixing matrix. Few
// functions serve at the distances of condensed matter. What they miss at shorter ones is left to a
// second set that ends at a distance where hardly an atom has a neighbor, and is skipped otherwise.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "buffer.h"
#include "matrix.h"
#include "products.h"
#include "zbl.h"

namespace vitrion {

struct Size {
  int elements, layers, channels, l_max;
  int rank;     // radial functions per pair of elements in the first layer
  int nodes;    // of the radial tables
  double start; // distance at the first node, A
  double cutoff;

  int pairs() const { return elements * (elements + 1) / 2; }
  int blocks() const { return (channels + kBlock - 1) / kBlock; }
  int pair(int a, int b) const {
    if (a > b) std::swap(a, b);
    return a * elements - a * (a - 1) / 2 + b - a;
  }
};

// One set of radial functions of the first layer.
struct FirstSet {
  int blocks = 0;                  // of 16 functions
  double end = 0;                  // distance where they end, A
  Buffer<float> radial;            // value and slope times the spacing, [pair][node][2][rank]
  std::vector<Matrix> mix, mix_t;  // [element][l], from (element of the sender, rank)
};

struct Layer {
  std::vector<FirstSet> first;     // of the first layer only: one or two sets
  Buffer<float> radial;            // of the others: [block][pair][node][2][l][16]
  Matrix up, up_t;
  std::vector<Matrix> mix, mix_t;  // [element or 1][l]
  Product product;
  Matrix linear, linear_t;
  Buffer<float> skip_first;        // [element][channel], first layer
  std::vector<Matrix> skip, skip_t;  // [element]; empty without a skip connection

  enum class Readout { none, linear, perceptron } readout = Readout::none;
  Buffer<float> weights;  // linear: [channel]; perceptron: the last layer's
  Matrix hidden, hidden_t;
  int hidden_blocks = 0;
  float activation = 1;  // the hidden layer's function is activation * silu(x)
};

class Model {
 public:
  // Throws std::invalid_argument, with a sentence, if the size is out of range.
  explicit Model(const Size& size);

  // Hand over an array by name; see the list in finish.
  void set(const std::string& name, const double* values, size_t count);

  // Check that all arrays are there, have their sizes and are finite, and pack them.
  // Throws std::invalid_argument, with a sentence.
  void finish();

  const Size size;
  std::vector<Layer> layers;
  std::vector<double> offset;  // energy of each element, eV
  std::vector<ZblPair> zbl;    // [element][element]; empty without
  double zbl_end = 0;          // largest range
  bool finished = false;

 private:
  const std::vector<double>& get(const std::string& name, size_t count);
  bool has(const std::string& name) const { return arrays_.count(name) > 0; }
  void finish_first(const std::string& prefix, int rank, double end);
  void finish_radial(int t, const std::string& prefix);
  void finish_mix(int t, const std::string& prefix);
  void finish_product(int t, const std::string& prefix);
  void finish_skip(int t, const std::string& prefix);
  void finish_readout(int t, const std::string& prefix);
  void finish_zbl();

  std::map<std::string, std::vector<double>> arrays_;
};

}  // namespace vitrion
