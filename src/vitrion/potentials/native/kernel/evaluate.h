// Evaluation of a model for a list of systems.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "buffer.h"
#include "edges.h"
#include "model.h"
#include "neighbors.h"

namespace vitrion {

// Systems one after the other; arrays of their atoms are joined.
struct Systems {
  int count;
  const int32_t* sizes;      // (count)
  const int32_t* elements;   // (atoms) indices into the model's elements
  const double* positions;   // (atoms, 3) A
  const double* cells;       // (count, 3, 3) A, rows are vectors; zero rows in open directions
  const int32_t* periodic;   // (count, 3)
};

// Null pointers leave out what is not wanted; without forces and virials the reverse pass is left out.
struct Results {
  double* energies;       // (atoms) eV
  double* forces;         // (atoms, 3) eV/A
  double* virials;        // (count, 3, 3) dE/d(strain), eV
  double* features;       // (atoms, layers * channels)
  int32_t* status;        // (count) see Status; never null
};

enum Status : int32_t { kFine, kUnknown, kNotFinite, kNoVolume, kTooFar, kTooClose };

constexpr int kChunk = 48;  // receivers whose sums are formed together

// All that changes between calls; one for each thread that evaluates.
class Workspace {
 public:
  // Evaluate all systems. A system that cannot be evaluated gets its status, and no results;
  // `message` then says in words what is wrong with the first such system.
  void evaluate(const Model& model, const Systems& systems, const Results& results, double skin);

  std::string message;
  int64_t list_builds() const;
  std::vector<double> seconds;  // spent in each stage, if compiled with VITRION_PROFILE

 private:
  template <int L>
  friend class Pass;

  struct Chunk {
    int begin, end, element;  // receivers of one element, in the order of the pass
    float closest;            // shortest distance to a neighbor, A
  };
  // One system of a pass: its atoms sorted by element, and the pairs within the cutoff by receiver.
  struct Near {
    std::vector<int32_t> order, elements;  // (atoms) place in the call; element
    std::vector<int32_t> place;            // (atoms) place in the pass
    std::vector<int32_t> start, sender;    // (atoms + 1), (pairs)
    std::vector<float> vectors;            // (pairs, 3) from sender to receiver, A
  };

  Status find_pairs(const Model& model, const Systems& systems, int s, Near& near, double skin);
  void join(const Model& model, const std::vector<int>& members);
  void make_edges(const Model& model, const std::vector<int>& members);
  void hand_over(const Model& model, const std::vector<int>& members, const Results& results);
  void fail(int system, int count, const std::string& text);

  std::vector<NeighborList> lists_;  // one for each system of a call
  std::vector<int32_t> offsets_;     // first atom of each system of a call
  std::vector<Near> near_;           // of the systems of a pass
  std::vector<double> sorted_, shifts_;

  // Of a pass: the atoms of its systems, sorted by element, then by system.
  int atoms_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<int32_t> source_, member_, local_;  // (atoms) place in the call, system, place there
  std::vector<int32_t> first_edge_;               // (atoms + 1)
  std::vector<int32_t> group_;                    // (atoms, elements + 1) first edge from each element
  std::vector<double> energies_, forces_, virials_;
  Buffer<Edge> edges_;
  Buffer<float> slopes_;                      // (edges, 4) see pull_first
  Buffer<float> features_, feature_slopes_;   // h and dE/dh, [layer][block][atom][16]
  Buffer<float> ups_, up_slopes_;             // u and dE/du, likewise
  Buffer<float> sums_;                        // A of all layers but the last, [layer][chunk][block][lm][atom][16]
  Buffer<float> raw_, mixed_, basis_, hidden_;  // of a chunk
};

}  // namespace vitrion
