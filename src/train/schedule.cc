#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gabbro::train {

double Schedule::at(std::int64_t step, std::int64_t steps) const {
  const double total = static_cast<double>(std::max<std::int64_t>(steps, 1));
  const double done = static_cast<double>(step + 1), rise = std::max(1.0, std::round(warmup * total));
  if (done <= rise) return done / rise;
  if (kind == Kind::kCosine) {
    const double share = (done - rise) / std::max(1.0, total - rise);
    return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * share));
  }
  const double fall = std::max(1.0, decay * total);
  return done <= total - fall ? 1 : floor + (1 - floor) * std::max(0.0, total - done) / fall;
}

}  // namespace gabbro::train
