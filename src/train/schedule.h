// The learning rate schedule of a run.
#pragma once

#include <cstdint>

namespace gabbro::train {

/// Warms up linearly over the first `warmup` share of the steps. Then the learning rate falls along a cosine
/// to `floor` times its peak (kCosine), or stays constant and falls linearly to that value over the last
/// `decay` share of the steps (kStable, "WSD": Hu et al. 2024, arXiv 2404.06395).
struct Schedule {
  enum class Kind : std::uint8_t { kCosine, kStable } kind = Kind::kCosine;
  double warmup = 0.02;
  double decay = 0.2;
  double floor = 0.1;

  /// Returns the factor on the peak learning rate at step `step` of `steps`, counted from 0. The factor is in
  /// (0, 1].
  [[nodiscard]] double at(std::int64_t step, std::int64_t steps) const;
};

}  // namespace gabbro::train
