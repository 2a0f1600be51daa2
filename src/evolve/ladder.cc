#include "evolve/ladder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "evolve/comparison.h"
#include "evolve/rates.h"

namespace gabbro::evolve {

using record::Purpose;

namespace {

class Ladder {
 public:
  Ladder(const Population& p, std::uint64_t first_seed, int top)
      : p_(p), first_seed_(first_seed), top_(top) {}

  // Returns the next run of a baseline or control, or of the searches for rates at the first rung.
  std::optional<RunRequest> next_known_run() const {
    int highest = 0;
    for (const Individual& i : p_.individuals())
      if (is_candidate(i)) highest = std::max(highest, i.entered);
    for (int rung = 0; rung <= highest; ++rung) {
      for (const Individual& i : p_.individuals())
        if (is_known(i))
          if (auto run = missing_run(i, rung, this->rung(rung).seeds, Purpose::kBaseline)) return run;
      // Offspring inherit learning rates, so the searches at the first rung come before any offspring.
      for (const Individual& i : p_.individuals())
        if (rung == 0 && (is_known(i) || (is_user_design(i) && is_candidate(i))) &&
            p_.standing(i, 0).open == 0 && !i.trials.empty())
          if (auto run = next_rate_run(p_, i.created.id, 0, first_seed_)) return run;
    }
    return std::nullopt;
  }

  // Returns the next run that the user asked for, at a rung that its design has not entered.
  std::optional<RunRequest> next_run_by_hand(const std::function<bool(int)>& may_run) const {
    for (const Individual& i : p_.individuals())
      for (int rung = i.entered + 1; is_candidate(i) && rung <= i.by_hand && may_run(rung); ++rung) {
        const bool begun = std::any_of(i.trials.begin(), i.trials.end(), [&](std::int64_t id) {
          return p_.trial(id).begun.rung == rung && is_by_hand(p_.trial(id));
        });
        if (!begun)
          return RunRequest{i.created.id, rung, first_seed_, Purpose::kByHand, {}, p_.rate_of(i, rung)};
      }
    return std::nullopt;
  }

  // Returns the next run of a candidate, with a further seed or at a higher rung.
  std::optional<RunRequest> next_candidate_run() const {
    for (int rung = static_cast<int>(p_.settings().rungs.size()) - 1; rung >= 0; --rung) {
      for (const Individual& i : p_.individuals())
        if (is_candidate(i) && i.entered >= rung && has_lost_no_run(i, rung))
          if (auto run = missing_run(i, rung, this->rung(rung).seeds,
                                     p_.standing(i, rung).done > 0 ? Purpose::kReplicate : Purpose::kRung))
            return run;
      if (rung > 0 && rung <= top_)
        if (auto run = best_promotion(rung)) return run;
    }
    return std::nullopt;
  }

  // Returns the next run of the leader's comparison, of its repeated checks or of its ablations.
  std::optional<RunRequest> next_final_run() const {
    const record::ComparisonBegun* c = comparison_of(p_, leader(p_));
    if (!c) return std::nullopt;
    for (int count = 1; count <= c->seeds; ++count) {
      if (auto run = first_unbegun_run(p_.individual(c->design), c->rung, count, Purpose::kFinal, c->seed))
        return run;
      for (const std::int64_t design : compared_with(p_))
        if (is_trainable(p_, design, *c))
          if (auto run = first_unbegun_run(p_.individual(design), c->rung, count, Purpose::kFinal, c->seed))
            return run;
    }
    const ComparisonOutcome outcome = outcome_of(p_, *c);
    if (!outcome.ahead) return std::nullopt;
    if (outcome.implausible)
      if (auto run = first_unbegun_run(p_.individual(c->design), c->rung, kRechecks, Purpose::kRecheck,
                                       recheck_seed(*c)))
        return run;
    // A lead that may be caused by a fault is not ablated.
    if (outcome.held_back()) return std::nullopt;
    for (int count = 1; count <= c->seeds; ++count)
      for (const Individual& i : p_.individuals())
        if (is_ablation(i) && i.created.parent == c->design)
          if (auto run = first_unbegun_run(i, c->rung, count, Purpose::kAblation, c->seed)) {
            run->rate = compared_rate(p_, {c->rung, c->design}, c->design);
            return run;
          }
    return std::nullopt;
  }

 private:
  [[nodiscard]] const Rung& rung(int r) const { return p_.settings().rungs[static_cast<std::size_t>(r)]; }
  // A run without a score ends its design at this rung: divergence on one seed is a verdict.
  [[nodiscard]] bool has_lost_no_run(const Individual& i, int rung) const {
    return p_.standing(i, rung).unscored == 0;
  }

  // Returns a run on the first of `seeds` seeds of the search on which the design has no run, unless it has
  // lost one at this rung.
  [[nodiscard]] std::optional<RunRequest> missing_run(const Individual& i, int rung, int seeds,
                                                      Purpose purpose) const {
    return has_lost_no_run(i, rung) ? first_unbegun_run(i, rung, seeds, purpose, first_seed_) : std::nullopt;
  }
  // Returns a run on the first of the seeds `first` ... `first` + `seeds` - 1 on which the design has no run.
  [[nodiscard]] std::optional<RunRequest> first_unbegun_run(const Individual& i, int rung, int seeds,
                                                            Purpose purpose, std::uint64_t first) const {
    for (int k = 0; k < seeds; ++k) {
      const std::uint64_t seed = first + static_cast<std::uint64_t>(k);
      const bool begun = std::any_of(i.trials.begin(), i.trials.end(), [&](std::int64_t id) {
        const Trial& t = p_.trial(id);
        return t.begun.rung == rung && t.begun.seed == seed && p_.counts(t);
      });
      if (begun) continue;
      const bool is_final = purpose == Purpose::kFinal || purpose == Purpose::kRecheck;
      const double rate = is_final ? compared_rate(p_, leader(p_), i.created.id) : p_.rate_of(i, rung);
      return RunRequest{i.created.id, rung, seed, purpose, {}, rate};
    }
    return std::nullopt;
  }

  // Returns the first run at rung `to` of the best design of the rung below that has not been promoted, if
  // the rung has room for it. Designs of users need no room and come first.
  [[nodiscard]] std::optional<RunRequest> best_promotion(int to) const {
    const Rung& below = rung(to - 1);
    for (const Individual& i : p_.individuals())
      if (is_user_design(i) && is_candidate(i) && i.entered < to && has_lost_no_run(i, to - 1) &&
          p_.standing(i, to - 1).done >= below.seeds)
        return RunRequest{i.created.id,     to, first_seed_, Purpose::kRung, "it is a user design",
                          p_.rate_of(i, to)};
    struct Ranked {
      double bits;
      const Individual* design;
    };
    std::vector<Ranked> finished;
    std::int64_t entered = 0;
    for (const Individual& i : p_.individuals()) {
      if (!is_candidate(i)) continue;
      if (i.entered >= to && !is_user_design(i)) ++entered;
      const Standing s = p_.standing(i, to - 1);
      if (s.unscored > 0)
        finished.push_back({std::numeric_limits<double>::infinity(), &i});
      else if (s.done >= below.seeds)
        finished.push_back({s.bits, &i});
    }
    if (rung(to).designs > 0 && entered >= rung(to).designs) return std::nullopt;
    const auto promoted =
        static_cast<std::size_t>(below.promote_fraction * static_cast<double>(finished.size()));
    std::stable_sort(finished.begin(), finished.end(),
                     [](const Ranked& a, const Ranked& b) { return a.bits < b.bits; });
    for (std::size_t k = 0; k < std::min(promoted, finished.size()); ++k) {
      const Individual& i = *finished[k].design;
      if (i.entered >= to || !std::isfinite(finished[k].bits)) continue;
      std::string reason = fmt::format("{:.4f} bits per byte, rank {} of {} at {}", finished[k].bits, k + 1,
                                       finished.size(), below.name);
      if (below.evidence > 0) {
        const std::int64_t baseline = p_.best_baseline(to - 1);
        if (baseline == 0) return std::nullopt;
        const Interval d = search_interval(p_, i.created.id, baseline, to - 1, below.evidence);
        if (!d.below_zero()) continue;
        reason += fmt::format("; against {}: {:+.4f} [{:+.4f}, {:+.4f}]",
                              p_.individual(baseline).created.name, d.mean, d.low, d.high);
      }
      return RunRequest{i.created.id, to, first_seed_, Purpose::kRung, std::move(reason), p_.rate_of(i, to)};
    }
    return std::nullopt;
  }

  const Population& p_;
  std::uint64_t first_seed_;
  int top_;
};

// Returns true if the run's losses may set hurdles. Losses of a run without a verdict are not a measure of
// its design.
bool may_set_hurdles(const Trial& t) {
  return t.ended && (t.status == record::Status::kDone || t.status == record::Status::kHurdle);
}

// The score of a design in the choice of a leader: the best mean of its rates, among those with the most
// seeds. A search for a better rate can therefore only improve it, and no leader loses its place by its own
// search.
struct BestMean {
  int seeds = 0;    // number of seeds; 0: it has no rate with a score and without a lost run
  double bits = 0;  // mean score
};
BestMean best_mean(const Population& p, const Individual& i, int rung) {
  std::map<double, Standing> rates;
  for (const std::int64_t id : i.trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || !guides_search(t) || !t.ended || p.only_fits_rate(t)) continue;
    Standing& s = rates[t.begun.rate];
    if (t.status == record::Status::kDone)
      ++s.done, s.bits += t.bits;
    else
      ++s.unscored;
  }
  BestMean out;
  for (const auto& [rate, s] : rates) {
    if (s.done == 0 || s.unscored > 0 || s.done < out.seeds) continue;
    const double bits = s.bits / s.done;
    if (s.done > out.seeds || bits < out.bits) out = {s.done, bits};
  }
  return out;
}

}  // namespace

std::optional<RunRequest> next_run(const Population& population, std::uint64_t first_seed, Phase phase,
                                   int top, const std::function<bool(int)>& may_run_by_hand) {
  const Ladder ladder(population, first_seed, top);
  if (auto run = ladder.next_known_run()) return run;
  if (phase == Phase::kFinal) return ladder.next_final_run();
  if (may_run_by_hand)
    if (auto run = ladder.next_run_by_hand(may_run_by_hand)) return run;
  return ladder.next_candidate_run();
}

std::vector<double> hurdles(const Population& p, int rung, std::uint64_t seed) {
  const SearchSettings& s = p.settings();
  const Rung& r = s.rungs.at(static_cast<std::size_t>(rung));
  std::vector<double> out(s.hurdles.size(), std::numeric_limits<double>::infinity());
  if (r.stop_fraction <= 0) return out;
  for (std::size_t h = 0; h < out.size(); ++h) {
    std::vector<double> losses;
    for (const Trial& t : p.trials())
      if (may_set_hurdles(t) && t.begun.rung == rung && t.begun.seed == seed && t.at_hurdles.size() > h &&
          p.counts(t))
        losses.push_back(t.at_hurdles[h]);
    if (static_cast<int>(losses.size()) < s.hurdle_runs) continue;
    std::sort(losses.begin(), losses.end());
    const auto place =
        static_cast<std::size_t>((1 - r.stop_fraction) * static_cast<double>(losses.size() - 1));
    out[h] = losses[place];
  }
  return out;
}

Leader leader(const Population& p) {
  for (int rung = static_cast<int>(p.settings().rungs.size()) - 1; rung >= 0; --rung) {
    Leader out;
    double bits = 0;
    int most = 0;
    const int seeds = p.settings().rungs[static_cast<std::size_t>(rung)].seeds;
    for (const Individual& i : p.individuals()) {
      if (!is_candidate(i)) continue;
      const BestMean best = best_mean(p, i, rung);
      // A design with all its seeds comes before one with fewer, so that one lucky seed does not win.
      const int full = std::min(best.seeds, seeds);
      if (full == 0 || full < most) continue;
      if (out.design == 0 || full > most || best.bits < bits)
        out = {rung, i.created.id}, bits = best.bits, most = full;
    }
    if (out.design != 0) return out;
  }
  return {};
}

}  // namespace gabbro::evolve
