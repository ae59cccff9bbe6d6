#include "neighbors.h"

#include <algorithm>
#include <cmath>

namespace vitrion {

namespace {

double dot(const double* a, const double* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

void cross(const double* a, const double* b, double* c) {
  c[0] = a[1] * b[2] - a[2] * b[1];
  c[1] = a[2] * b[0] - a[0] * b[2];
  c[2] = a[0] * b[1] - a[1] * b[0];
}

// Fill the zero rows of a cell with unit vectors perpendicular to the others.
void complete(double* rows) {
  for (int k = 0; k < 3; k++) {
    double* v = rows + 3 * k;
    if (dot(v, v) > 0) continue;
    const double* a = rows + 3 * ((k + 1) % 3);
    const double* b = rows + 3 * ((k + 2) % 3);
    if (dot(a, a) == 0) std::swap(a, b);
    cross(a, b, v);
    if (dot(v, v) == 0) {  // at most one vector is given: cross it with the axis it is furthest from
      double axis[3] = {0, 0, 0};
      int furthest = k;
      for (int c = 0; c < 3; c++)
        if (std::abs(a[c]) < std::abs(a[furthest])) furthest = c;
      axis[furthest] = 1;
      if (dot(a, a) > 0)
        cross(a, axis, v);
      else
        std::copy(axis, axis + 3, v);
    }
    const double norm = std::sqrt(dot(v, v));
    for (int c = 0; c < 3; c++) v[c] /= norm;
  }
}

}  // namespace

bool Cell::set(const double* cell, const int32_t* pbc) {
  std::copy(cell, cell + 9, rows);
  for (int k = 0; k < 3; k++) periodic[k] = pbc[k] != 0;
  for (int k = 0; k < 3; k++)
    if (periodic[k] && dot(rows + 3 * k, rows + 3 * k) == 0) return false;
  complete(rows);
  double faces[9];  // cross products: columns of the inverse times the volume
  for (int k = 0; k < 3; k++)
    cross(rows + 3 * ((k + 1) % 3), rows + 3 * ((k + 2) % 3), faces + 3 * k);
  const double volume = dot(rows, faces);
  double size = 1;
  for (int k = 0; k < 3; k++) size *= std::sqrt(dot(rows + 3 * k, rows + 3 * k));
  if (!(std::abs(volume) > 1e-9 * size)) return false;
  for (int k = 0; k < 3; k++)
    for (int c = 0; c < 3; c++) inverse[3 * c + k] = faces[3 * k + c] / volume;
  return true;
}

double Cell::height(int k) const {
  const double column[3] = {inverse[k], inverse[3 + k], inverse[6 + k]};
  return 1 / std::sqrt(dot(column, column));
}

void Cell::fractional(const double* x, double* f) const {
  for (int k = 0; k < 3; k++) f[k] = x[0] * inverse[k] + x[1] * inverse[3 + k] + x[2] * inverse[6 + k];
}

bool NeighborList::serves(int n, const double* positions, const Cell& cell, double cutoff,
                          double skin) const {
  if (size() != n || skin <= 0 || reach_ < cutoff + skin) return false;
  for (int k = 0; k < 3; k++)
    if (cell.periodic[k] != cell_.periodic[k]) return false;
  double back[9], strain = 0;  // maps today's vectors to the cell of the list: cell^-1 cell_
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++) {
      back[3 * r + c] = 0;
      for (int k = 0; k < 3; k++) back[3 * r + c] += cell.inverse[3 * r + k] * cell_.rows[3 * k + c];
      const double off = back[3 * r + c] - (r == c);
      strain += off * off;
    }
  const bool same = std::equal(cell.rows, cell.rows + 9, cell_.rows);
  const double room = reach_ - cutoff * (same ? 1 : 1 + std::sqrt(strain));
  if (room <= 0) return false;
  const double limit = 0.25 * room * room;
  for (int i = 0; i < n; i++) {
    const double* x = positions + 3 * i;
    double moved = 0;
    for (int c = 0; c < 3; c++) {
      const double y = same ? x[c] : x[0] * back[c] + x[1] * back[3 + c] + x[2] * back[6 + c];
      moved += (y - built_at_[3 * i + c]) * (y - built_at_[3 * i + c]);
    }
    if (!(moved <= limit)) return false;
  }
  return true;
}

void NeighborList::update(int n, const double* positions, const Cell& cell, double cutoff,
                          double skin) {
  if (serves(n, positions, cell, cutoff, skin)) return;
  reach_ = cutoff + skin;
  cell_ = cell;
  built_at_.assign(positions, positions + 3 * static_cast<size_t>(n));
  start_.assign(1, 0);
  pairs_.clear();
  shifts_.clear();
  slots_.assign(1024, -1);
  wrap(n, positions, cell);
  if (n <= 150)
    search_all(n, cell, reach_);
  else
    search_cells(n, cell, reach_);
  builds_++;
}

// Bring the atoms into the cell along its periodic vectors.
void NeighborList::wrap(int n, const double* positions, const Cell& cell) {
  wrapped_.resize(3 * static_cast<size_t>(n));
  fractions_.resize(3 * static_cast<size_t>(n));
  images_.resize(n);
  for (int i = 0; i < n; i++) {
    double* f = &fractions_[3 * static_cast<size_t>(i)];
    cell.fractional(positions + 3 * i, f);
    for (int k = 0; k < 3; k++) {
      const double image = cell.periodic[k] ? std::floor(f[k]) : 0;
      images_[i][k] = static_cast<int32_t>(image);
      f[k] -= image;
    }
    for (int c = 0; c < 3; c++)
      wrapped_[3 * static_cast<size_t>(i) + c] = positions[3 * i + c] - images_[i][0] * cell.rows[c] -
                                                 images_[i][1] * cell.rows[3 + c] -
                                                 images_[i][2] * cell.rows[6 + c];
  }
}

// Every pair of atoms, and every image that the distance between lattice planes does not rule out.
void NeighborList::search_all(int n, const Cell& cell, double reach) {
  double per_height[3];
  for (int k = 0; k < 3; k++) per_height[k] = reach / cell.height(k);
  for (int i = 0; i < n; i++) {
    found_.clear();
    for (int j = 0; j < n; j++) {
      const double* xi = &wrapped_[3 * static_cast<size_t>(i)];
      const double* xj = &wrapped_[3 * static_cast<size_t>(j)];
      const double d[3] = {xi[0] - xj[0], xi[1] - xj[1], xi[2] - xj[2]};
      int low[3], high[3];
      for (int k = 0; k < 3; k++) {
        const double f = fractions_[3 * static_cast<size_t>(i) + k] - fractions_[3 * static_cast<size_t>(j) + k];
        low[k] = cell.periodic[k] ? static_cast<int>(std::ceil(-per_height[k] - f)) : 0;
        high[k] = cell.periodic[k] ? static_cast<int>(std::floor(per_height[k] - f)) : 0;
      }
      for (int p = low[0]; p <= high[0]; p++)
        for (int q = low[1]; q <= high[1]; q++)
          for (int r = low[2]; r <= high[2]; r++) {
            if (i == j && !p && !q && !r) continue;
            double r2 = 0;
            for (int c = 0; c < 3; c++) {
              const double t = d[c] + p * cell.rows[c] + q * cell.rows[3 + c] + r * cell.rows[6 + c];
              r2 += t * t;
            }
            if (r2 < reach * reach)
              found_.push_back({j, {p - images_[i][0] + images_[j][0],
                                    q - images_[i][1] + images_[j][1],
                                    r - images_[i][2] + images_[j][2]}});
          }
    }
    finish_receiver(found_, true);
  }
}

// Linked cells of about half the reach (M. P. Allen and D. J. Tildesley, Computer Simulation of
// Liquids, chapter 5), for any shape of the cell and with images of images.
void NeighborList::search_cells(int n, const Cell& cell, double reach) {
  int bins[3], around[3];
  double origin[3], scale[3];  // bin = (fraction - origin) * scale
  for (int k = 0; k < 3; k++) {
    double low = 0, high = 1;
    if (!cell.periodic[k]) {
      low = high = fractions_[k];
      for (int i = 0; i < n; i++) {
        low = std::min(low, fractions_[3 * static_cast<size_t>(i) + k]);
        high = std::max(high, fractions_[3 * static_cast<size_t>(i) + k]);
      }
      high += 1e-9 * (1 + std::abs(high));
    }
    const double extent = (high - low) * cell.height(k);
    bins[k] = std::max(1, std::min(200, static_cast<int>(2 * extent / reach)));
    around[k] = std::max(1, static_cast<int>(std::ceil(reach * bins[k] / std::max(extent, 1e-9))));
    if (!cell.periodic[k]) around[k] = std::min(around[k], bins[k]);
    origin[k] = low;
    scale[k] = bins[k] / (high - low);
  }
  std::vector<int> head(static_cast<size_t>(bins[0]) * bins[1] * bins[2], -1), next(n);
  std::vector<std::array<int, 3>> bin_of(n);
  for (int i = n - 1; i >= 0; i--) {
    for (int k = 0; k < 3; k++)
      bin_of[i][k] = std::min(bins[k] - 1, std::max(0, static_cast<int>((fractions_[3 * static_cast<size_t>(i) + k] - origin[k]) * scale[k])));
    const size_t b = (static_cast<size_t>(bin_of[i][0]) * bins[1] + bin_of[i][1]) * bins[2] + bin_of[i][2];
    next[i] = head[b];
    head[b] = i;
  }
  const auto floor_div = [](int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); };
  for (int i = 0; i < n; i++) {
    found_.clear();
    const double* xi = &wrapped_[3 * static_cast<size_t>(i)];
    int offset[3];
    for (offset[0] = -around[0]; offset[0] <= around[0]; offset[0]++)
      for (offset[1] = -around[1]; offset[1] <= around[1]; offset[1]++)
        for (offset[2] = -around[2]; offset[2] <= around[2]; offset[2]++) {
          int image[3], bin[3];
          bool open_end = false;
          for (int k = 0; k < 3; k++) {
            const int b = bin_of[i][k] + offset[k];
            image[k] = floor_div(b, bins[k]);
            bin[k] = b - image[k] * bins[k];
            open_end |= image[k] != 0 && !cell.periodic[k];
          }
          if (open_end) continue;
          double origin_of_image[3];  // sender's image lies at x_j + image.cell
          for (int c = 0; c < 3; c++)
            origin_of_image[c] = image[0] * cell.rows[c] + image[1] * cell.rows[3 + c] + image[2] * cell.rows[6 + c];
          const bool home = !image[0] && !image[1] && !image[2];
          for (int j = head[(static_cast<size_t>(bin[0]) * bins[1] + bin[1]) * bins[2] + bin[2]]; j >= 0; j = next[j]) {
            if (home && i == j) continue;
            const double* xj = &wrapped_[3 * static_cast<size_t>(j)];
            double r2 = 0;
            for (int c = 0; c < 3; c++) {
              const double t = xi[c] - xj[c] - origin_of_image[c];
              r2 += t * t;
            }
            if (r2 < reach * reach)
              found_.push_back({j, {images_[j][0] - images_[i][0] - image[0],
                                    images_[j][1] - images_[i][1] - image[1],
                                    images_[j][2] - images_[i][2] - image[2]}});
          }
        }
    finish_receiver(found_, false);
  }
}

void NeighborList::finish_receiver(std::vector<Found>& found, bool sorted) {
  if (!sorted)
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
      return a.sender != b.sender ? a.sender < b.sender : a.shift < b.shift;
    });
  for (const Found& one : found) pairs_.push_back({one.sender, shift_index(one.shift)});
  start_.push_back(static_cast<int64_t>(pairs_.size()));
}

// Index of a translation in shifts_, where it is put if it is new: an open-addressing hash table.
int32_t NeighborList::shift_index(const std::array<int32_t, 3>& shift) {
  if (2 * shifts_.size() >= slots_.size()) {
    slots_.assign(2 * slots_.size(), -1);
    const std::vector<std::array<int32_t, 3>> all = std::move(shifts_);
    shifts_.clear();
    for (const auto& one : all) shift_index(one);
  }
  const uint32_t hash = static_cast<uint32_t>(shift[0]) * 73856093u ^
                        static_cast<uint32_t>(shift[1]) * 19349663u ^
                        static_cast<uint32_t>(shift[2]) * 83492791u;
  size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot] >= 0 && shifts_[slots_[slot]] != shift) slot = (slot + 1) & (slots_.size() - 1);
  if (slots_[slot] < 0) {
    slots_[slot] = static_cast<int32_t>(shifts_.size());
    shifts_.push_back(shift);
  }
  return slots_[slot];
}

}  // namespace vitrion
