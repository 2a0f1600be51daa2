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
int count_significant_pairs(const RunsBySeed& rows, double level) {
  std::vector<Cell> cells;
  for (std::size_t k = 0; k < rows.size(); ++k)
    for (std::size_t a = 0; a < rows[k].size(); ++a)
      cells.push_back({static_cast<std::int64_t>(a), static_cast<std::int64_t>(k), rows[k][a]->bits});
  const Variance run = residual_variance(std::move(cells));
  const auto column = [&](std::size_t copy) {
    std::vector<const Trial*> out;
    for (const auto& row : rows) out.push_back(row[copy]);
    return out;
  };
  int out = 0;
  for (std::size_t a = 0; a < rows[0].size(); ++a)
    for (std::size_t b = a + 1; b < rows[0].size(); ++b)
      out += paired_interval(pair_runs(column(a), column(b)), run, level).excludes_zero();
  return out;
}

// Returns the standard deviation of one run. Its variance is half the mean squared difference of two runs.
double seed_stddev_of(const RunsBySeed& rows) {
  double squares = 0;
  int count = 0;
  for (const std::vector<const Trial*>& row : rows)
    for (std::size_t a = 0; a < row.size(); ++a)
      for (std::size_t b = a + 1; b < row.size(); ++b, ++count)
        squares += (row[a]->bits - row[b]->bits) * (row[a]->bits - row[b]->bits) / 2;
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
  constexpr int kPermutations = 400;
  const std::vector<const Individual*> all = replicates(p);
  ReplicateReport out;
  out.copies = static_cast<int>(all.size());
  RunsBySeed rows;
  for (int k = 0; k < kReplicateSeeds; ++k) {
    std::vector<const Trial*> row;
    for (const Individual* replicate : all)
      if (const Trial* t = p.scored(replicate->created.id, 0, first_seed + static_cast<std::uint64_t>(k)))
        row.push_back(t);
    if (row.size() < all.size()) break;
    rows.push_back(std::move(row));
  }
  out.seeds = static_cast<int>(rows.size());
  if (out.seeds == 0 || out.copies < 2) return out;
  out.pairs = out.copies * (out.copies - 1) / 2;
  out.significant = count_significant_pairs(rows, level);
  out.seed_stddev = seed_stddev_of(rows);
  // A lucky copy is lucky in all its pairs, which makes the count of a single test noisy. Copies are
  // exchangeable, so every permutation of a seed's runs among them is an equally valid test.
  Random random(first_seed);
  RunsBySeed permuted = rows;
  int sum = 0, at_least_as_many = 0;
  for (int k = 0; k < kPermutations; ++k) {
    for (std::vector<const Trial*>& row : permuted)
      for (std::size_t i = row.size(); i > 1; --i)
        std::swap(row[i - 1], row[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
    const int count = count_significant_pairs(permuted, level);
    sum += count;
    at_least_as_many += count >= out.significant;
  }
  out.false_positive_rate = static_cast<double>(sum) / (kPermutations * out.pairs);
  out.p_value = static_cast<double>(at_least_as_many) / kPermutations;
  return out;
}

}  // namespace gabbro::evolve
