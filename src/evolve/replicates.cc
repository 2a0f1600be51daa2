#include "evolve/replicates.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/random.h"
#include "evolve/comparison.h"

namespace gabbro::evolve {

namespace {

std::vector<const Individual*> replicates(const Population& p) {
  std::vector<const Individual*> out;
  for (const Individual& i : p.individuals())
    if (is_replicate(i)) out.push_back(&i);
  return out;
}

// The runs of each seed, in the order of copies.
using RunsBySeed = std::vector<std::vector<const Trial*>>;

// Counts pairs of copies that differ significantly by the interval of the final comparison.
int count_significant_pairs(const RunsBySeed& runs, double level) {
  std::vector<Cell> cells;
  for (std::size_t k = 0; k < runs.size(); ++k)
    for (std::size_t a = 0; a < runs[k].size(); ++a)
      cells.push_back({static_cast<std::int64_t>(a), static_cast<std::int64_t>(k), runs[k][a]->bits});
  const Variance variance = residual_variance(std::move(cells));
  const auto runs_of_copy = [&](std::size_t copy) {
    std::vector<const Trial*> out;
    for (const auto& of_seed : runs) out.push_back(of_seed[copy]);
    return out;
  };
  int out = 0;
  for (std::size_t a = 0; a < runs[0].size(); ++a)
    for (std::size_t b = a + 1; b < runs[0].size(); ++b)
      out += paired_interval(pair_runs(runs_of_copy(a), runs_of_copy(b)), variance, level).excludes_zero();
  return out;
}

// Returns the standard deviation of one run. Its variance is half the mean squared difference of two runs.
double seed_stddev_of(const RunsBySeed& runs) {
  double squares = 0;
  int count = 0;
  for (const std::vector<const Trial*>& of_seed : runs)
    for (std::size_t a = 0; a < of_seed.size(); ++a)
      for (std::size_t b = a + 1; b < of_seed.size(); ++b, ++count)
        squares += std::pow(of_seed[a]->bits - of_seed[b]->bits, 2) / 2;
  return count > 0 ? std::sqrt(squares / count) : 0;
}

}  // namespace

std::optional<RunRequest> next_replicate_run(const Population& p, std::uint64_t first_seed) {
  for (int k = 0; k < kReplicateSeeds; ++k) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(k);
    for (const Individual* replicate : replicates(p)) {
      const bool begun = std::any_of(replicate->trials.begin(), replicate->trials.end(),
                                     [&](std::int64_t id) { return p.trial(id).begun.seed == seed; });
      if (!begun) return RunRequest{replicate->created.id, 0, seed, record::Purpose::kAaReplicate, {}};
    }
  }
  return std::nullopt;
}

ReplicateReport replicate_report(const Population& p, std::uint64_t first_seed, double level) {
  constexpr int kPermutations = 400;  // the standard error of the p-value is at most 0.025
  const std::vector<const Individual*> all = replicates(p);
  ReplicateReport out;
  out.copies = static_cast<int>(all.size());
  RunsBySeed runs;
  for (int k = 0; k < kReplicateSeeds; ++k) {
    std::vector<const Trial*> of_seed;
    for (const Individual* replicate : all)
      if (const Trial* t = p.scored(replicate->created.id, 0, first_seed + static_cast<std::uint64_t>(k)))
        of_seed.push_back(t);
    if (of_seed.size() == all.size()) runs.push_back(std::move(of_seed));
  }
  out.seeds = static_cast<int>(runs.size());
  if (out.seeds == 0 || out.copies < 2) return out;
  out.pairs = out.copies * (out.copies - 1) / 2;
  out.significant = count_significant_pairs(runs, level);
  out.seed_stddev = seed_stddev_of(runs);
  // A lucky copy is lucky in all its pairs, which makes the count of a single test noisy. Copies are
  // exchangeable, so every permutation of a seed's runs among them is an equally valid test.
  Random random(first_seed);
  RunsBySeed permuted = runs;
  int sum = 0, at_least_as_many = 0;
  for (int k = 0; k < kPermutations; ++k) {
    for (std::vector<const Trial*>& of_seed : permuted)
      for (std::size_t i = of_seed.size(); i > 1; --i)
        std::swap(of_seed[i - 1],
                  of_seed[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
    const int count = count_significant_pairs(permuted, level);
    sum += count;
    at_least_as_many += count >= out.significant;
  }
  out.false_positive_rate = static_cast<double>(sum) / (kPermutations * out.pairs);
  out.p_value = (at_least_as_many + 1.0) / (kPermutations + 1);  // the runs as they are count as one
  return out;
}

}  // namespace gabbro::evolve
