#include "evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "pass.h"

namespace vitrion {

namespace {

constexpr int kPassAtoms = 512;    // systems are joined up to this number of atoms
constexpr double kClosest = 0.3;   // A
constexpr double kFarthest = 1e6;  // cells that an atom may be away from the origin

std::string format(const char* text, double a, double b = 0, double c = 0) {
  char out[300];
  std::snprintf(out, sizeof out, text, a, b, c);
  return out;
}

}  // namespace

int64_t Workspace::list_builds() const {
  int64_t total = 0;
  for (const NeighborList& list : lists_) total += list.builds();
  return total;
}

void Workspace::fail(int system, int count, const std::string& text) {
  if (!message.empty()) return;
  message = count == 1 ? text : "Structure " + std::to_string(system) + ": " + text;
}

void Workspace::evaluate(const Model& model, const Systems& systems, const Results& results, double skin) {
  message.clear();
  if (lists_.size() < static_cast<size_t>(systems.count)) lists_.resize(systems.count);
  offsets_.assign(1, 0);
  for (int s = 0; s < systems.count; s++) offsets_.push_back(offsets_.back() + systems.sizes[s]);
  std::vector<int> members;
  for (int s = 0; s < systems.count;) {
    members.clear();
    int atoms = 0;
    for (; s < systems.count && (members.empty() || atoms + systems.sizes[s] <= kPassAtoms); s++) {
      if (near_.size() < members.size() + 1) near_.resize(members.size() + 1);
      results.status[s] = find_pairs(model, systems, s, near_[members.size()], skin);
      if (results.status[s] != kFine) continue;
      members.push_back(s);
      atoms += systems.sizes[s];
    }
    if (members.empty()) continue;
    join(model, members);
    make_edges(model, members);
    const bool gradients = results.forces || results.virials;
    switch (model.size.l_max) {
      case 0: Pass<0>(*this, model, gradients).run(); break;
      case 1: Pass<1>(*this, model, gradients).run(); break;
      case 2: Pass<2>(*this, model, gradients).run(); break;
      default: Pass<3>(*this, model, gradients).run(); break;
    }
    hand_over(model, members, results);
  }
}

// Check one system and list its pairs within the cutoff, its atoms sorted by element.
Status Workspace::find_pairs(const Model& model, const Systems& systems, int s, Near& near, double skin) {
  const int n = systems.sizes[s], first = offsets_[s];
  const int32_t* elements = systems.elements + first;
  const double* positions = systems.positions + 3 * static_cast<size_t>(first);
  for (int i = 0; i < n; i++)
    if (elements[i] < 0 || elements[i] >= model.size.elements) {
      fail(s, systems.count, format("The element of atom %.0f is not known to the potential.", i));
      return kUnknown;
    }
  for (int k = 0; k < 3 * n; k++)
    if (!std::isfinite(positions[k])) {
      fail(s, systems.count, format("The position of atom %.0f is not finite.", k / 3));
      return kNotFinite;
    }
  Cell cell;
  for (int k = 0; k < 9; k++)
    if (!std::isfinite(systems.cells[9 * static_cast<size_t>(s) + k])) {
      fail(s, systems.count, "The cell is not finite.");
      return kNotFinite;
    }
  if (!cell.set(systems.cells + 9 * static_cast<size_t>(s), systems.periodic + 3 * static_cast<size_t>(s))) {
    fail(s, systems.count, "The cell spans no volume: give three independent vectors, or none in open directions.");
    return kNoVolume;
  }

  near.order.clear();  // stable counting sort by element
  for (int e = 0; e < model.size.elements; e++)
    for (int i = 0; i < n; i++)
      if (elements[i] == e) near.order.push_back(i);
  near.elements.resize(n);
  sorted_.resize(3 * static_cast<size_t>(n));
  for (int i = 0; i < n; i++) {
    near.elements[i] = elements[near.order[i]];
    std::copy(positions + 3 * near.order[i], positions + 3 * near.order[i] + 3, &sorted_[3 * static_cast<size_t>(i)]);
    double f[3];
    cell.fractional(&sorted_[3 * static_cast<size_t>(i)], f);
    if (std::max({std::abs(f[0]), std::abs(f[1]), std::abs(f[2])}) > kFarthest) {
      fail(s, systems.count, format("Atom %.0f is more than 1e6 cells away from the origin.", near.order[i]));
      return kTooFar;
    }
  }
  NeighborList& list = lists_[s];
  list.update(n, sorted_.data(), cell, model.size.cutoff, skin);

  shifts_.clear();
  for (const auto& shift : list.shifts())
    for (int c = 0; c < 3; c++)
      shifts_.push_back(shift[0] * cell.rows[c] + shift[1] * cell.rows[3 + c] + shift[2] * cell.rows[6 + c]);
  near.start.assign(1, 0);
  near.sender.resize(list.end(n - 1));
  near.vectors.resize(3 * near.sender.size());
  const double cutoff2 = model.size.cutoff * model.size.cutoff;
  int32_t count = 0;
  for (int i = 0; i < n; i++) {
    const double* xi = &sorted_[3 * static_cast<size_t>(i)];
    for (int64_t k = list.begin(i); k < list.end(i); k++) {
      const NeighborList::Pair pair = list.pairs()[k];
      const double* xj = &sorted_[3 * static_cast<size_t>(pair.sender)];
      const double* shift = &shifts_[3 * static_cast<size_t>(pair.shift)];
      const double x = xi[0] - xj[0] + shift[0], y = xi[1] - xj[1] + shift[1], z = xi[2] - xj[2] + shift[2];
      const double r2 = x * x + y * y + z * z;
      if (r2 >= cutoff2) continue;
      if (r2 < kClosest * kClosest) {
        fail(s, systems.count,
             format("Atoms %.0f and %.0f are %.3f A apart, closer than the 0.3 A that the potential is defined from: "
                    "separate them.", near.order[i], near.order[pair.sender], std::sqrt(r2)));
        return kTooClose;
      }
      near.sender[count] = pair.sender;
      float* to = &near.vectors[3 * static_cast<size_t>(count++)];
      to[0] = static_cast<float>(x), to[1] = static_cast<float>(y), to[2] = static_cast<float>(z);
    }
    near.start.push_back(count);
  }
  return kFine;
}

// Sort the atoms of all systems of a pass by element, then by system, and cut them into chunks.
void Workspace::join(const Model& model, const std::vector<int>& members) {
  source_.clear();
  member_.clear();
  local_.clear();
  chunks_.clear();
  for (size_t k = 0; k < members.size(); k++) near_[k].place.resize(near_[k].order.size());
  for (int e = 0; e < model.size.elements; e++) {
    const int begin = static_cast<int>(source_.size());
    for (size_t k = 0; k < members.size(); k++) {
      Near& near = near_[k];
      for (size_t i = 0; i < near.order.size(); i++) {
        if (near.elements[i] != e) continue;
        near.place[i] = static_cast<int32_t>(source_.size());
        source_.push_back(offsets_[members[k]] + near.order[i]);
        member_.push_back(static_cast<int32_t>(k));
        local_.push_back(static_cast<int32_t>(i));
      }
    }
    const int count = static_cast<int>(source_.size()) - begin, pieces = (count + kChunk - 1) / kChunk;
    for (int c = 0; c < pieces; c++)
      chunks_.push_back({begin + count * c / pieces, begin + count * (c + 1) / pieces, e, 0});
  }
  atoms_ = static_cast<int>(source_.size());
  energies_.assign(atoms_, 0);
}

// Harmonics, splines and nuclear repulsion of all pairs, receiver by receiver.
void Workspace::make_edges(const Model& model, const std::vector<int>& members) {
  size_t total = 0;
  for (size_t k = 0; k < members.size(); k++) total += near_[k].start.back();
  Edge* edges = edges_.reserve(total);
  float* slopes = slopes_.reserve(4 * total);
  const int kinds = model.size.elements;
  first_edge_.resize(atoms_ + 1);
  group_.resize(static_cast<size_t>(atoms_) * (kinds + 1));
  const double per_h = (model.size.nodes - 1) / (model.size.cutoff - model.size.start);
  int32_t count = 0;
  for (int i = 0; i < atoms_; i++) {
    const Near& near = near_[member_[i]];
    const int own = near.elements[local_[i]];
    int32_t* group = &group_[static_cast<size_t>(i) * (kinds + 1)];
    first_edge_[i] = count;
    int kind = 0;
    for (int32_t k = near.start[local_[i]]; k < near.start[local_[i] + 1]; k++, count++) {
      const int other = near.elements[near.sender[k]];
      while (kind <= other) group[kind++] = count;
      Edge& edge = edges[count];
      const float* d = &near.vectors[3 * static_cast<size_t>(k)];
      const float r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]), per_r = 1 / r;
      for (int c = 0; c < 3; c++) edge.unit[c] = d[c] * per_r;
      edge.r = r;
      edge.sender = near.place[near.sender[k]];
      harmonics(edge.unit[0], edge.unit[1], edge.unit[2], edge.Y);
      edge.set_spline(r, model.size.start, per_h, model.size.nodes, model.size.pair(own, other));
      float* slope = slopes + 4 * static_cast<size_t>(count);
      slope[0] = slope[1] = slope[2] = slope[3] = 0;
      if (r < model.zbl_end) {
        const ZblPair& pair = model.zbl[static_cast<size_t>(own) * kinds + other];
        if (r < pair.end) {
          double derivative;
          energies_[i] += pair.energy(r, derivative);
          slope[3] = static_cast<float>(derivative);
        }
      }
    }
    while (kind <= kinds) group[kind++] = count;
    energies_[i] += model.offset[own];
  }
  first_edge_[atoms_] = count;
  for (Chunk& chunk : chunks_) {
    chunk.closest = static_cast<float>(model.size.cutoff);
    for (int32_t k = first_edge_[chunk.begin]; k < first_edge_[chunk.end]; k++)
      chunk.closest = std::min(chunk.closest, edges[k].r);
  }
}

// Forces and virials from the slopes of the edges; everything in the order of the call.
void Workspace::hand_over(const Model& model, const std::vector<int>& members, const Results& results) {
  if (results.energies)
    for (int i = 0; i < atoms_; i++) results.energies[source_[i]] = energies_[i];
  if (results.features) {
    const int c = model.size.channels, layers = model.size.layers, blocks = model.size.blocks();
    for (int i = 0; i < atoms_; i++)
      for (int t = 0; t < layers; t++)
        for (int k = 0; k < c; k++)
          results.features[(static_cast<size_t>(source_[i]) * layers + t) * c + k] =
              features_.data()[((static_cast<size_t>(t) * blocks + k / kBlock) * atoms_ + i) * kBlock + k % kBlock];
  }
  if (!results.forces && !results.virials) return;
  forces_.assign(3 * static_cast<size_t>(atoms_), 0);
  virials_.assign(9 * members.size(), 0);
  for (int i = 0; i < atoms_; i++) {
    double own[3] = {0, 0, 0};
    double* virial = &virials_[9 * static_cast<size_t>(member_[i])];
    for (int32_t k = first_edge_[i]; k < first_edge_[i + 1]; k++) {
      const Edge& e = edges_.data()[k];
      const float* g = slopes_.data() + 4 * static_cast<size_t>(k);
      // dE/d(vector): the tangential part of the gradient over r, and the radial derivative.
      const float along = g[0] * e.unit[0] + g[1] * e.unit[1] + g[2] * e.unit[2];
      const float per_r = 1 / e.r, radial = g[3] - along * per_r;
      double f[3];
      for (int c = 0; c < 3; c++) {
        f[c] = g[c] * per_r + radial * e.unit[c];
        own[c] -= f[c];
        forces_[3 * static_cast<size_t>(e.sender) + c] += f[c];
      }
      if (results.virials)
        for (int r = 0; r < 3; r++)
          for (int c = 0; c < 3; c++) virial[3 * r + c] += static_cast<double>(e.unit[r]) * e.r * f[c];
    }
    for (int c = 0; c < 3; c++) forces_[3 * static_cast<size_t>(i) + c] += own[c];
  }
  if (results.forces)
    for (int i = 0; i < atoms_; i++)
      std::copy(&forces_[3 * static_cast<size_t>(i)], &forces_[3 * static_cast<size_t>(i)] + 3,
                results.forces + 3 * static_cast<size_t>(source_[i]));
  if (results.virials)
    for (size_t k = 0; k < members.size(); k++)
      std::copy(&virials_[9 * k], &virials_[9 * k] + 9, results.virials + 9 * static_cast<size_t>(members[k]));
}

}  // namespace vitrion
