#include "evolve/twins.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace gabbro::evolve {

namespace {

std::vector<const Individual*> twins(const Population& p) {
  std::vector<const Individual*> out;
  for (const Individual& i : p.individuals())
    if (i.born.arm == "twin") out.push_back(&i);
  return out;
}

}  // namespace

std::optional<Wanted> next_twin_run(const Population& p, std::uint64_t first_seed) {
  for (int k = 0; k < kTwinSeeds; ++k) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(k);
    for (const Individual* twin : twins(p)) {
      const bool begun = std::any_of(twin->trials.begin(), twin->trials.end(),
                                     [&](std::int64_t id) { return p.trial(id).begun.seed == seed; });
      if (!begun) return Wanted{twin->born.id, 0, seed, "aa", {}};
    }
  }
  return std::nullopt;
}

TwinReport twin_report(const Population& p, std::uint64_t first_seed, double alpha) {
  const std::vector<const Individual*> all = twins(p);
  TwinReport out;
  out.copies = static_cast<int>(all.size());
  std::vector<std::vector<double>> bits(all.size());
  for (int k = 0; k < kTwinSeeds; ++k) {
    std::vector<double> row;
    for (const Individual* twin : all)
      if (const Trial* t = p.scored(twin->born.id, 0, first_seed + static_cast<std::uint64_t>(k)))
        row.push_back(t->bits);
    if (row.size() < all.size()) break;
    for (std::size_t i = 0; i < all.size(); ++i) bits[i].push_back(row[i]);
    ++out.seeds;
  }
  if (out.seeds == 0) return out;
  double squares = 0;
  int count = 0;
  for (std::size_t a = 0; a < all.size(); ++a)
    for (std::size_t b = a + 1; b < all.size(); ++b) {
      std::vector<double> differences;
      bool apart = false;
      for (int k = 0; k < out.seeds; ++k) {
        differences.push_back(bits[a][static_cast<std::size_t>(k)] - bits[b][static_cast<std::size_t>(k)]);
        squares += differences.back() * differences.back() / 2;
        ++count;
        apart = apart || anytime_interval(differences, alpha).excludes_zero();
      }
      ++out.pairs;
      out.told_apart += apart;
    }
  out.noise = count > 0 ? std::sqrt(squares / count) : 0;
  return out;
}

}  // namespace gabbro::evolve
