// The learning rate over a run.
#pragma once

#include <cstdint>

namespace gabbro::train {

/// Rises linearly over the first `warmup` share of the steps; then falls along a cosine to `floor` times the
/// peak (kCosine), or stays and falls linearly to it over the last `decay` share (kStable, "WSD": Hu et al.
/// 2024, arXiv 2404.06395).
struct Schedule {
  enum class Kind : std::uint8_t { kCosine, kStable } kind = Kind::kCosine;
  double warmup = 0.02;
  double decay = 0.2;
  double floor = 0.1;

  /// The factor on the peak rate at step `step` of `steps`, counted from 0; in (0, 1].
  [[nodiscard]] double at(std::int64_t step, std::int64_t steps) const;
};

}  // namespace gabbro::train
