// Random streams. Each individual has its own stream rather than each thread, so that results do not depend
// on scheduling.
#pragma once

#include <cmath>
#include <cstdint>
#include <iterator>
#include <numbers>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace gabbro {

/// A SplitMix64 stream (Steele et al. 2014) with 64-bit state and period 2^64; it gives the same numbers on
/// every platform. `split` derives an independent stream from a label without advancing this one.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mix(seed, 0x6761626272ull)) {}  // "gabbr" in ASCII

  std::uint64_t next() {
    state_ += kStep;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// Skips the next `count` results of `next` in constant time. A uniform number uses one of them, a normal
  /// number two.
  void skip(std::uint64_t count) { state_ += count * kStep; }
  Random split(std::string_view label) const { return Random(mix(state_, hash64(label))); }
  Random split(std::uint64_t index) const { return Random(mix(state_, index)); }

  /// Returns a uniform integer in [0, n), for n > 0. Its bias is at most 2^-32 for n below 2^32.
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(
        (static_cast<unsigned __int128>(next()) * static_cast<std::uint64_t>(n)) >> 64);
  }
  /// Returns a uniform number in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Returns true with probability `p`.
  bool chance(double p) { return uniform() < p; }
  /// Returns a standard normal number (Box-Muller, one of the pair).
  double normal() {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Returns a random element of a list that is not empty.
  template <class Container>
  decltype(auto) pick(Container&& items) {
    return items[static_cast<std::size_t>(below(static_cast<std::int64_t>(std::size(items))))];
  }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ull;
  std::uint64_t state_;
};

}  // namespace gabbro
