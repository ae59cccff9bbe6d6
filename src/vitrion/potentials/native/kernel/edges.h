// What the layers need to know of a pair within the cutoff.
#pragma once
#include <cmath>
#include <cstdint>

#include "harmonics.h"

namespace vitrion {

struct alignas(64) Edge {
  float Y[16];      // harmonics of the direction
  float value[4];   // weights of (y_0, h y'_0, y_1, h y'_1) in the cubic Hermite spline ...
  float slope[3];   // ... and in its derivative, where y_1 has the negative weight of y_0
  int32_t row;      // first of the two rows of the radial table
  float unit[3];    // direction, from sender to receiver
  float r;          // distance in A
  int32_t sender;

  // Cubic Hermite interpolation between nodes at spacing h; see for instance W. H. Press et al.,
  // Numerical Recipes, chapter 3.
  void set_spline(float distance, double start, double per_h, int nodes, int table) {
    const float x = static_cast<float>((distance - start) * per_h);
    int node = static_cast<int>(x);
    node = node < 0 ? 0 : node > nodes - 2 ? nodes - 2 : node;
    const float t = x - static_cast<float>(node), t2 = t * t, t3 = t2 * t;
    const float per = static_cast<float>(per_h);
    value[0] = 2 * t3 - 3 * t2 + 1;
    value[1] = t3 - 2 * t2 + t;
    value[2] = 3 * t2 - 2 * t3;
    value[3] = t3 - t2;
    slope[0] = 6 * (t2 - t) * per;
    slope[1] = (3 * t2 - 4 * t + 1) * per;
    slope[2] = (3 * t2 - 2 * t) * per;
    row = table * nodes + node;
  }
};

}  // namespace vitrion
