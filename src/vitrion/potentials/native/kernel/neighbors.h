// Neighbor list of one periodic or open system, kept while no atom can have come into range.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace vitrion {

// A cell as three row vectors. Open directions without a vector are completed by unit vectors.
struct Cell {
  double rows[9];
  double inverse[9];
  bool periodic[3];

  // Returns false if the vectors span no volume.
  bool set(const double* cell, const int32_t* pbc);
  // Distance between the two faces that vector k joins.
  double height(int k) const;
  // x (row vector) times the inverse: fractional coordinates.
  void fractional(const double* x, double* f) const;
};

// Directed pairs of a receiver and the image of a sender, for all receivers in order. The pairs of a
// receiver are sorted by sender, then by image, so that sums over them do not depend on when or how
// the list was built: a run that resumes from a checkpoint meets the same bits.
class NeighborList {
 public:
  struct Pair {
    int32_t sender;
    int32_t shift;  // index into shifts
  };

  // Make the list valid for these positions (n, 3): build it unless the last one still serves.
  //
  // Pairs closer than `cutoff` are sure to be listed; with `skin` the list holds those within
  // cutoff + skin at its building. It serves as long as cutoff |F^-1| + 2 u <= cutoff + skin, with F
  // the deformation of the cell since then and u the largest displacement apart from it.
  void update(int n, const double* positions, const Cell& cell, double cutoff, double skin);

  int size() const { return static_cast<int>(start_.size()) - 1; }
  int64_t begin(int i) const { return start_[i]; }
  int64_t end(int i) const { return start_[i + 1]; }
  const Pair* pairs() const { return pairs_.data(); }
  // Lattice translations: the vector of a pair is x_receiver - x_sender + shift.cell.
  const std::vector<std::array<int32_t, 3>>& shifts() const { return shifts_; }
  int64_t builds() const { return builds_; }
  void clear() { start_.clear(); }

 private:
  bool serves(int n, const double* positions, const Cell& cell, double cutoff, double skin) const;
  void wrap(int n, const double* positions, const Cell& cell);
  void search_all(int n, const Cell& cell, double reach);
  void search_cells(int n, const Cell& cell, double reach);
  int32_t shift_index(const std::array<int32_t, 3>& shift);

  struct Found {
    int32_t sender;
    std::array<int32_t, 3> shift;
  };
  void finish_receiver(std::vector<Found>& found, bool sorted);

  std::vector<int64_t> start_;
  std::vector<Pair> pairs_;
  std::vector<std::array<int32_t, 3>> shifts_;
  std::vector<int32_t> slots_;  // hash table of shifts_
  std::vector<double> built_at_, wrapped_, fractions_;
  std::vector<std::array<int32_t, 3>> images_;  // translations that wrapping took off
  std::vector<Found> found_;
  Cell cell_;
  double reach_ = 0;
  int64_t builds_ = 0;
};

}  // namespace vitrion
