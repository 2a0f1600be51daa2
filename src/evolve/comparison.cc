#include "evolve/comparison.h"
#include "base/build_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "base/hash.h"
#include "base/keyed_hash.h"
#include "base/student.h"
#include "evolve/rates.h"
#include "evolve/strategy.h"

namespace gabbro::evolve {

namespace {

// A lead is held back if it exceeds this multiple of the usual difference between known designs.
constexpr double kImplausible = 5;

// The largest difference among baselines that counts as usual, as a multiple of the preset's effect.
constexpr double kMostSpread = 5;
// The number of best baselines whose scores show which differences are usual.
constexpr std::size_t kBestBaselines = 3;

// Returns the sample variance; unknown for fewer than two values.
Variance variance_of(const std::vector<double>& x) {
  if (x.size() < 2) return {};
  double mean = 0, squares = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) squares += (v - mean) * (v - mean);
  const double freedom = static_cast<double>(x.size() - 1);
  return {squares / freedom, freedom};
}

// Returns the variance of the mean difference of two designs with respect to the choice of documents.
// Differences are averaged over seeds first. Since documents have different lengths, this is the variance of
// a mean weighted by bytes.
Variance variance_by_document(const std::vector<const Trial*>& runs,
                              const std::vector<const Trial*>& other_runs) {
  if (runs.empty()) return {};
  const std::size_t count = runs.front()->documents.size();
  for (const std::vector<const Trial*>* side : {&runs, &other_runs})
    for (const Trial* t : *side)
      if (t->documents.size() != count) return {};
  if (count < 2) return {};
  double bytes = 0, mean = 0, squares = 0;
  std::vector<double> difference(count), share(count);
  for (const record::DocumentScore& d : runs.front()->documents) bytes += static_cast<double>(d.bytes);
  for (std::size_t j = 0; j < count; ++j) {
    for (std::size_t k = 0; k < runs.size(); ++k)
      difference[j] += runs[k]->documents[j].bits_per_byte - other_runs[k]->documents[j].bits_per_byte;
    difference[j] /= static_cast<double>(runs.size());
    share[j] = static_cast<double>(runs.front()->documents[j].bytes) / bytes;
    mean += share[j] * difference[j];
  }
  for (std::size_t j = 0; j < count; ++j)
    squares += share[j] * share[j] * (difference[j] - mean) * (difference[j] - mean);
  // These documents are worth this many documents of equal length.
  const double worth = effective_count(share);
  return {squares * worth / (worth - 1), worth - 1};
}

// Returns true if the comparison uses `seed`. The subtraction cannot overflow, unlike a test against c.seed +
// c.seeds.
bool has_seed(const record::ComparisonBegun& c, std::uint64_t seed) {
  return seed >= c.seed && seed - c.seed < static_cast<std::uint64_t>(c.seeds);
}

// Returns true if the run is one of the comparison itself, and not of its ablations or repeated checks.
bool belongs_to(const record::ComparisonBegun& c, const Trial& t) {
  return t.begun.purpose == record::Purpose::kFinal && t.begun.rung == c.rung && has_seed(c, t.begun.seed);
}

// The runs that a comparison rests on: its own, and those that started before the first of them. Later runs
// cannot change its verdict.
class Basis {
 public:
  // A null comparison selects all runs.
  Basis(const Population& p, const record::ComparisonBegun* c) : population_(p), comparison_(c) {
    if (c) first_ = first_run_of(p, *c);
  }
  // Returns true if the comparison rests on the run. A run of the search must have the rate that its design
  // had when the comparison began.
  [[nodiscard]] bool holds(const Trial& t) const {
    return is_own(t) || (t.begun.id < first_ && population_.counts(t, first_));
  }

 private:
  [[nodiscard]] bool is_own(const Trial& t) const { return comparison_ && belongs_to(*comparison_, t); }
  const Population& population_;
  const record::ComparisonBegun* comparison_;
  std::int64_t first_ = Population::kNoTrial;
};

// Returns a block of seeds that no run has used; block 0 belongs to the search. The block follows from the
// campaign's seed and from the whole text of the leader's program. A second campaign whose leader was
// selected by the outcome of this comparison, or one with another seed, is therefore not judged on the same
// runs again. The secret keeps an author from choosing the block: without it, programs could be tried until
// the block is one whose texts they hold. The hash is one-way, so that whoever learns the seeds of some
// comparisons does not know those of the next.
std::uint64_t fresh_block(const Population& p, std::uint64_t first_seed, const Leader& leader,
                          std::int64_t number, const std::string& secret) {
  constexpr int kBits = 40;  // of the number of a block
  const auto is_used = [&](std::uint64_t block) {
    const auto in_block = [&](std::uint64_t seed) {
      return seed >= first_seed && (seed - first_seed) / kSeedBlock == block;
    };
    return std::any_of(p.trials().begin(), p.trials().end(),
                       [&](const Trial& t) { return in_block(t.begun.seed); }) ||
           std::any_of(p.comparisons().begin(), p.comparisons().end(),
                       [&](const record::ComparisonBegun& c) { return in_block(c.seed); });
  };
  const std::uint64_t drawn = keyed_hash64(
      secret, fmt::format("{} {} {}", first_seed, number, p.individual(leader.design).created.program));
  std::uint64_t block = 1 + (drawn >> (64 - kBits));
  while (is_used(block)) ++block;
  return block;
}

// Returns the run of a design at a rung with a seed; null if none has begun.
const Trial* run_of(const Population& p, std::int64_t design, int rung, std::uint64_t seed) {
  for (const std::int64_t id : p.individual(design).trials)
    if (const Trial& t = p.trial(id); t.begun.rung == rung && t.begun.seed == seed) return &t;
  return nullptr;
}

ComparisonRow row_of(const Population& p, const record::ComparisonBegun& c, std::int64_t design) {
  ComparisonRow out;
  out.design = design;
  out.failed_runs = failed_runs(p, design, c.rung, &c);
  const bool trainable = is_trainable(p, design, c);
  int may_pair = 0;
  for (int k = 0; k < c.seeds; ++k) {
    const std::uint64_t seed = c.seed + static_cast<std::uint64_t>(k);
    const Trial *own = run_of(p, design, c.rung, seed), *leader = run_of(p, c.design, c.rung, seed);
    // A design that the search could not train gets no runs, so that none is waited for.
    const bool own_ended = own ? own->ended : !trainable;
    out.ended += own_ended && leader && leader->ended;
    // A run that was continued by another build has a list of both.
    const auto mixed = [](const Trial& t) { return t.build.find(kBuildSeparator) != std::string::npos; };
    if (own && leader && !own->build.empty() && !leader->build.empty())
      out.mixes_builds = out.mixes_builds || own->build != leader->build || mixed(*own) || mixed(*leader);
    may_pair += own ? !own->ended || own->status == record::Status::kDone : trainable;
  }
  out.trained = may_pair >= std::min(kLeastSeeds, c.seeds);
  return out;
}

// Returns the scored runs of the comparison's design whose text differs from that of a known design on the
// same seed. Nothing can be concluded from such a pair.
std::vector<FailedRun> mismatched_runs(const Population& p, const record::ComparisonBegun& c) {
  std::vector<FailedRun> out;
  for (int k = 0; k < c.seeds; ++k) {
    const std::uint64_t seed = c.seed + static_cast<std::uint64_t>(k);
    const Trial* own = p.scored(c.design, c.rung, seed);
    if (!own) continue;
    for (const std::int64_t design : compared_with(p))
      if (const Trial* other = p.scored(design, c.rung, seed); other && !have_same_texts(*own, *other)) {
        out.push_back({c.design, seed, record::Status::kRefused,
                       fmt::format("another text than {}'s run", p.individual(design).created.name)});
        break;
      }
  }
  return out;
}

// Returns true if agents write designs of the campaign. They are told the outcomes of comparisons.
bool uses_agents(const Population& p) {
  const auto& strategies = p.settings().strategies;
  return std::any_of(strategies.begin(), strategies.end(),
                     [](const std::string& strategy) { return asks_agents(strategy); });
}

// Pairs the runs of the search by seed and text.
Paired search_pairs(const Population& p, std::int64_t design, std::int64_t against, int rung,
                    const Basis& basis) {
  std::vector<const Trial*> runs, other_runs;
  for (const std::int64_t id : p.individual(design).trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || !guides_search(t) || t.status != record::Status::kDone || !basis.holds(t))
      continue;
    for (const std::int64_t other_id : p.individual(against).trials) {
      const Trial& o = p.trial(other_id);
      if (o.begun.rung != rung || !guides_search(o) || o.begun.seed != t.begun.seed ||
          o.status != record::Status::kDone || !basis.holds(o) || !have_same_texts(t, o))
        continue;
      runs.push_back(&t), other_runs.push_back(&o);
      break;
    }
  }
  return pair_runs(runs, other_runs);
}

// Scored runs of two designs on the seeds of a comparison; the k-th of each have the same seed.
struct Pairs {
  std::vector<const Trial*> runs, other_runs;
};
Pairs pairs_of(const Population& p, std::int64_t design, std::int64_t against,
               const record::ComparisonBegun& c) {
  Pairs out;
  for (int k = 0; k < c.seeds; ++k) {
    const std::uint64_t seed = c.seed + static_cast<std::uint64_t>(k);
    const Trial *a = p.scored(design, c.rung, seed), *b = p.scored(against, c.rung, seed);
    if (a && b && have_same_texts(*a, *b)) out.runs.push_back(a), out.other_runs.push_back(b);
  }
  return out;
}

// Returns the differences on the seeds of a comparison. Pairs of the search contribute to their variance
// only, about a mean of their own.
Paired comparison_pairs(const Population& p, std::int64_t design, std::int64_t against,
                        const record::ComparisonBegun& c) {
  const Pairs pairs = pairs_of(p, design, against, c);
  Paired out = pair_runs(pairs.runs, pairs.other_runs);
  out.own = pooled(out.own, search_pairs(p, design, against, c.rung, Basis(p, &c)).own);
  return out;
}

// Returns the mean score of a design in the search; infinite if there is none.
double search_score(const Population& p, std::int64_t design, int rung, const Basis& basis) {
  double sum = 0;
  int count = 0;
  for (const std::int64_t id : p.individual(design).trials)
    if (const Trial& t = p.trial(id);
        t.begun.rung == rung && guides_search(t) && t.status == record::Status::kDone && basis.holds(t))
      sum += t.bits, ++count;
  return count > 0 ? sum / count : std::numeric_limits<double>::infinity();
}

// Returns the mean score on the comparison's seeds; infinite if there is none, or if too few runs could be
// trained.
double mean_score(const Population& p, const record::ComparisonBegun& c, const ComparisonRow& row) {
  if (!row.trained) return std::numeric_limits<double>::infinity();
  double sum = 0;
  int count = 0;
  for (int k = 0; k < c.seeds; ++k)
    if (const Trial* t = run_of(p, row.design, c.rung, c.seed + static_cast<std::uint64_t>(k));
        t && t->status == record::Status::kDone)
      sum += t->bits, ++count;
  return count > 0 ? sum / count : std::numeric_limits<double>::infinity();
}

// Returns the interval of the difference between the comparison's design and another on training text that
// neither run has read, in held-out bits per byte. Its count is 0 if no pair of runs has such a score.
Interval on_unread_text(const Population& p, const record::ComparisonBegun& c, std::int64_t against,
                        const Variance& run) {
  Paired pair;
  const Pairs pairs = pairs_of(p, c.design, against, c);
  for (std::size_t k = 0; k < pairs.runs.size(); ++k)
    if (pairs.runs[k]->unread_bits > 0 && pairs.other_runs[k]->unread_bits > 0)
      pair.differences.push_back(pairs.runs[k]->unread_bits - pairs.other_runs[k]->unread_bits);
  if (pair.differences.empty()) return {};
  pair.own = variance_of(pair.differences);
  return paired_interval(pair, run, c.level);
}

// Sets the difference of a row. Until the comparison is complete, the interval is unbounded.
void add_interval(const Population& p, const record::ComparisonBegun& c, const Variance& run, bool complete,
                  ComparisonRow& row) {
  const Paired pair = comparison_pairs(p, c.design, row.design, c);
  row.difference = paired_interval(pair, run, c.level);
  // A single document tells nothing about other documents.
  if (complete && row.trained && pair.documents.freedom > 0) return;
  row.difference.low = -std::numeric_limits<double>::infinity();
  row.difference.high = std::numeric_limits<double>::infinity();
}

// Returns the precision that is known for a comparison of two designs, from the runs that `begun` rests on;
// from all runs if `begun` is null.
Precision precision_of(const Population& p, const Leader& leader, std::int64_t against,
                       const record::ComparisonBegun* begun) {
  Precision out;
  out.run = run_variance(p, leader.rung, begun);
  if (out.run.freedom < kLeastSeeds) out.run = {kUnknownDeviation * kUnknownDeviation, 0};
  if (against == 0) return out;
  const Paired search = search_pairs(p, leader.design, against, leader.rung, Basis(p, begun));
  out.documents = (begun ? comparison_pairs(p, leader.design, against, *begun) : search).documents.value;
  out.own = search.own.freedom;
  return out;
}

}  // namespace

double level_of(int k) {
  const double pi_k = k * std::numbers::pi;
  return kFamilywiseErrorRate * 6 / (pi_k * pi_k);
}

std::vector<std::int64_t> compared_with(const Population& p) {
  std::vector<std::int64_t> out;
  for (const Individual& i : p.individuals())
    if (is_known(i)) out.push_back(i.created.id);
  return out;
}

bool is_trainable(const Population& p, std::int64_t design, const record::ComparisonBegun& c) {
  const Basis basis(p, &c);
  bool has_failed = false;
  for (const std::int64_t id : p.individual(design).trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != c.rung || !guides_search(t) || !t.ended || !basis.holds(t)) continue;
    if (t.status == record::Status::kDone) return true;
    has_failed = true;
  }
  return !has_failed;
}

Variance run_variance(const Population& p, int rung, const record::ComparisonBegun* begun) {
  const Basis basis(p, begun);
  // The search selected designs by their means over its seeds; a comparison did not. The two are therefore
  // different blocks.
  std::map<std::uint64_t, std::vector<Cell>> blocks;  // by the first seed of the comparison; 0: the search
  for (const Individual& i : p.individuals())
    for (const std::int64_t id : i.trials) {
      const Trial& t = p.trial(id);
      if (t.begun.rung != rung || t.status != record::Status::kDone || !std::isfinite(t.bits)) continue;
      if (!basis.holds(t)) continue;
      std::uint64_t block = 0;
      if (is_verdict_run(t))
        for (const record::ComparisonBegun& c : p.comparisons())
          if (has_seed(c, t.begun.seed)) block = c.seed;
      if (is_verdict_run(t) && block == 0) continue;
      // Only runs on the same text are compared.
      const std::uint64_t column = mix(mix(t.begun.seed, hash64(t.text_hash)), hash64(t.held_out_hash));
      blocks[block].push_back({i.created.id, static_cast<std::int64_t>(column), t.bits});
    }
  Variance out;
  for (auto& [block, cells] : blocks) out = pooled(out, residual_variance(std::move(cells)));
  return out;
}

Paired pair_runs(const std::vector<const Trial*>& runs, const std::vector<const Trial*>& other_runs) {
  Paired out;
  for (std::size_t k = 0; k < runs.size(); ++k)
    out.differences.push_back(runs[k]->bits - other_runs[k]->bits);
  out.own = variance_of(out.differences);
  out.documents = variance_by_document(runs, other_runs);
  return out;
}

Interval search_interval(const Population& p, std::int64_t design, std::int64_t against, int rung,
                         double level) {
  return paired_interval(search_pairs(p, design, against, rung, Basis(p, nullptr)), run_variance(p, rung),
                         level);
}

const record::ComparisonBegun* comparison_of(const Population& p, const Leader& leader) {
  const auto& all = p.comparisons();
  const auto at = std::find_if(all.rbegin(), all.rend(), [&](const record::ComparisonBegun& c) {
    return c.design == leader.design && c.rung == leader.rung;
  });
  return leader.rung < 0 || at == all.rend() ? nullptr : &*at;
}

std::int64_t first_run_of(const Population& p, const record::ComparisonBegun& c) {
  std::int64_t first = Population::kNoTrial;
  for (const std::int64_t id : p.individual(c.design).trials)
    if (belongs_to(c, p.trial(id))) first = std::min(first, id);
  return first;
}

record::ComparisonBegun plan_comparison(const Population& p, std::uint64_t first_seed, const Leader& leader,
                                        double affordable, const std::string& secret) {
  const SearchSettings& s = p.settings();
  record::ComparisonBegun out;
  out.id = static_cast<std::int64_t>(p.comparisons().size()) + 1;
  out.design = leader.design;
  out.rung = leader.rung;
  out.seed = first_seed + fresh_block(p, first_seed, leader, out.id, secret) * kSeedBlock;
  out.level = level_of(static_cast<int>(out.id));
  const Precision precision = precision_of(p, leader, p.best_baseline(leader.rung), nullptr);
  // When the intervals are computed, the comparison's own runs will have measured the variance, too.
  constexpr double kWellKnown = 1e3;  // degrees of freedom
  Precision known = precision;
  known.run.freedom = std::max(known.run.freedom, kWellKnown);
  const int most = std::max(kLeastSeeds, s.final_seeds);
  const int wanted = seeds_for(s.effect, precision.run.freedom > 0 ? precision : known, out.level, kPower,
                               kLeastSeeds, most);
  out.seeds = static_cast<int>(std::clamp<double>(std::floor(affordable), kLeastSeeds, wanted));
  const double visible = visible_effect(out.seeds, known, out.level, kPower);
  out.reason = fmt::format(
      "{} seeds{} detect a difference of {:.4f} bits per byte in {:.0f} % of cases ({} asked for); runs have "
      "a standard deviation of {:.4f}{}",
      out.seeds,
      out.seeds < wanted                     ? ", all that the budget allows,"
      : visible > s.effect && wanted == most ? ", the most that the preset allows (final_seeds),"
                                             : "",
      visible, 100 * kPower, s.effect, std::sqrt(precision.run.value),
      precision.run.freedom > 0 ? fmt::format(" ({:.0f} degrees of freedom)", precision.run.freedom)
                                : ", assumed until it is measured");
  return out;
}

std::vector<FailedRun> failed_runs(const Population& p, std::int64_t design, int rung,
                                   const record::ComparisonBegun* c) {
  std::vector<FailedRun> out;
  const Basis basis(p, c);
  for (const std::int64_t id : p.individual(design).trials) {
    const Trial& t = p.trial(id);
    // A run that a veto has stopped has not failed.
    if (t.begun.rung != rung || !t.ended || t.status == record::Status::kDone ||
        t.status == record::Status::kStopped)
      continue;
    if (is_verdict_run(t) ? c && has_seed(*c, t.begun.seed) : basis.holds(t))
      out.push_back({design, t.begun.seed, t.status, t.cause});
  }
  return out;
}

std::uint64_t recheck_seed(const record::ComparisonBegun& c) {
  return c.seed + static_cast<std::uint64_t>(c.seeds);
}

ComparisonOutcome outcome_of(const Population& p, const record::ComparisonBegun& c) {
  ComparisonOutcome out;
  out.begun = &c;
  out.run = run_variance(p, c.rung, &c);
  out.failed_runs = failed_runs(p, c.design, c.rung, &c);
  for (FailedRun& run : mismatched_runs(p, c)) out.failed_runs.push_back(std::move(run));
  out.ended = c.seeds;
  std::vector<std::pair<double, ComparisonRow>> rows;
  for (const std::int64_t design : compared_with(p)) {
    ComparisonRow row = row_of(p, c, design);
    const double score = mean_score(p, c, row);
    rows.emplace_back(score, std::move(row));
    out.ended = std::min(out.ended, rows.back().second.ended);
  }
  if (rows.empty()) out.ended = 0;
  out.complete = out.ended == c.seeds;
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const Basis basis(p, &c);
  const auto search_score_of = [&](std::int64_t design) { return search_score(p, design, c.rung, basis); };
  std::vector<double> scores;
  std::int64_t trained = 0, behind = 0;
  for (auto& [score, row] : rows) {
    add_interval(p, c, out.run, out.complete, row);
    row.difference.high += rate_loss(p, {c.rung, c.design}, row.design);
    trained += row.trained, behind += row.difference.below_zero();
    const Individual& known = p.individual(row.design);
    if (is_control(known)) {
      ++out.controls, out.untrained_controls += !row.trained;
      if (row.trained && out.control == 0) out.control = row.design;
    } else {
      if (std::isfinite(score)) scores.push_back(score);
      // The mixer is selected on the seeds of the search, since the seeds that judge must not select.
      if (row.trained &&
          (out.best_baseline == 0 || search_score_of(row.design) < search_score_of(out.best_baseline)))
        out.best_baseline = row.design;
    }
    out.rows.push_back(std::move(row));
  }
  if (out.best_baseline != 0 && out.control != 0 && out.complete) {
    const Paired pair = comparison_pairs(p, out.best_baseline, out.control, c);
    if (pair.documents.freedom > 0) out.over_control = paired_interval(pair, out.run, c.level);
  }
  // A weak baseline says nothing about the differences of good ones, and must not raise the bar for a
  // plausible lead.
  if (scores.size() > kBestBaselines) scores.resize(kBestBaselines);
  out.spread = std::min(std::sqrt(variance_of(scores).value), kMostSpread * p.settings().effect);
  // Nothing is claimed about a design with too many failed runs. If it was better on the remaining ones, or
  // in the search, nothing is claimed at all.
  out.contradicted = std::any_of(out.rows.begin(), out.rows.end(), [&](const ComparisonRow& row) {
    return !row.trained && ((row.difference.count > 0 && row.difference.mean >= 0) ||
                            search_score_of(row.design) < search_score_of(c.design));
  });
  out.ahead =
      out.complete && out.failed_runs.empty() && trained > 0 && behind == trained && !out.contradicted;
  const auto is_at_edge = [&, first = first_run_of(p, c)](std::int64_t design) {
    return is_rate_at_edge(p, p.individual(design), c.rung, first);
  };
  for (const ComparisonRow& row : out.rows)
    if (row.trained && is_at_edge(row.design)) out.at_edge = row.design;
  if (is_at_edge(c.design)) out.at_edge = c.design;
  if (out.rows.empty()) return out;
  const ComparisonRow& best = out.rows.front();
  const double lead = -best.difference.mean;
  out.implausible = out.ahead && lead > kImplausible * std::max(out.spread, p.settings().effect);
  out.unread = on_unread_text(p, c, best.design, out.run);
  out.unconfirmed = out.ahead && out.unread.count > 0 &&
                    (!out.unread.below_zero() || -out.unread.mean < kLeastUnread * lead);
  for (int k = 0; k < kRechecks; ++k) {
    const Trial* t = run_of(p, c.design, c.rung, recheck_seed(c) + static_cast<std::uint64_t>(k));
    if (!t || !t->ended) continue;
    // A repetition must lead by at least half as much to confirm the lead.
    const double most_bits = mean_score(p, c, best) - lead / 2;
    if (t->status == record::Status::kDone && t->bits <= most_bits)
      ++out.rechecked;
    else if (t->status == record::Status::kDone)
      out.failed_rechecks.push_back(
          {c.design, t->begun.seed, record::Status::kRefused,
           fmt::format("{:.4f} bits per byte, but at most {:.4f} would confirm the lead", t->bits,
                       most_bits)});
    else
      out.failed_rechecks.push_back({c.design, t->begun.seed, t->status, t->cause});
  }
  if (const Trial* t = p.scored(c.design, c.rung, c.seed)) {
    out.documents = static_cast<int>(t->documents.size());
    // Agents are told the outcomes of earlier comparisons, so these documents are not fresh to them.
    out.fresh_documents = t->fresh_documents && !(c.id > 1 && uses_agents(p));
  }
  return out;
}

double visible_effect_of(const Population& p, const ComparisonOutcome& o) {
  if (!o.begun || o.rows.empty() || o.rows.front().difference.count == 0) return 0;
  const record::ComparisonBegun& c = *o.begun;
  return visible_effect(c.seeds, precision_of(p, {c.rung, c.design}, o.rows.front().design, &c), c.level,
                        kPower);
}

std::vector<ComparisonRow> ablation_rows(const Population& p, const record::ComparisonBegun& c) {
  const Variance run = run_variance(p, c.rung, &c);
  std::vector<ComparisonRow> out;
  for (const Individual& i : p.individuals()) {
    if (!is_ablation(i) || i.created.parent != c.design) continue;
    ComparisonRow row = row_of(p, c, i.created.id);
    add_interval(p, c, run, row.ended == c.seeds, row);
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace gabbro::evolve
