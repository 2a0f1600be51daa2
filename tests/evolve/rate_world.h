// Simulated designs that are equally good, and pay for the distance of their learning rate from the best.
#pragma once

#include <cmath>
#include <optional>

namespace gabbro::evolve {

// Parameters of the simulation: how much runs deviate, and what a wrong learning rate costs.
struct RateWorld {
  double off = 0;           // octaves from the preset's rate to the best rate
  double deviation = 0.02;  // standard deviation of a run, in bits per byte
  double curve = 1;         // what an octave costs, in deviations of a run
  // Above the best rate, losses rise six times as fast; beyond one octave they jump by 0.3 bits per byte, and
  // beyond two there is no score.
  bool steep = false;
  double apart = 0;  // standard deviation between the best rates of designs, in octaves
  double shift = 0;  // octaves from the best rate of known designs to that of the others
  double gain = 0;   // lead of all designs of the search over the baseline, in bits per byte
};

// Returns the loss at a rate that is `above` octaves from the best; nothing if it diverges.
inline std::optional<double> cost_of_rate(const RateWorld& world, double above) {
  const double out = world.curve * world.deviation * above * above;
  if (!world.steep || above <= 0) return out;
  if (above > 2) return std::nullopt;
  return 6 * out + (above > 1 ? 0.3 : 0);
}

}  // namespace gabbro::evolve
