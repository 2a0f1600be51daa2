#include "evolve/outcome.h"

#include <algorithm>

namespace gabbro::evolve {

namespace {

constexpr int kRung = 0;  // Parents and their offspring have runs on the same seeds at the first rung.

// Returns true for runs of the search at the first rung that tell how good the design is.
bool judges(const Population& p, const Trial& t) {
  return t.begun.rung == kRung && t.ended && guides_search(t) && p.counts(t);
}

// Returns the design's first run on this seed that reached a hurdle; null if there is none.
const Trial* run_to_hurdle(const Population& p, const Individual& design, std::uint64_t seed) {
  for (const std::int64_t id : design.trials)
    if (const Trial& t = p.trial(id); judges(p, t) && t.begun.seed == seed && !t.at_hurdles.empty())
      return &t;
  return nullptr;
}

// Compares training losses where a hurdle stopped one of two runs on the same seed. Returns false if there is
// no such pair.
bool compare_losses(const Population& p, const Individual& design, const Individual& other, Outcome& out) {
  for (const std::int64_t id : design.trials) {
    const Trial& own = p.trial(id);
    if (!judges(p, own) || own.at_hurdles.empty()) continue;
    const Trial* opposite = run_to_hurdle(p, other, own.begun.seed);
    if (!opposite) continue;
    if (own.status != record::Status::kHurdle && opposite->status != record::Status::kHurdle) continue;
    const std::size_t last = std::min(own.at_hurdles.size(), opposite->at_hurdles.size()) - 1;
    out.loss = own.at_hurdles[last] - opposite->at_hurdles[last];
    out.share = p.settings().hurdles[last];
    out.better = out.loss < 0;
    return true;
  }
  return false;
}

bool has_run(const Population& p, const Individual& design, bool (*is_wanted)(const Trial&)) {
  return std::any_of(design.trials.begin(), design.trials.end(), [&](std::int64_t id) {
    const Trial& t = p.trial(id);
    return judges(p, t) && is_wanted(t);
  });
}

}  // namespace

std::optional<Outcome> outcome_of(const Population& p, const Individual& design) {
  const std::int64_t against = design.created.parent != 0 ? design.created.parent : p.best_baseline(kRung);
  if (against == 0 || against == design.created.id) return std::nullopt;
  const Individual& other = p.individual(against);
  Outcome out{.against = against};
  out.bits = p.differences(design.created.id, against, kRung, RunKind::kSearch);
  if (!out.bits.empty()) {
    out.better = out.bits.front() < 0;
    return out;
  }
  if (compare_losses(p, design, other, out)) return out;
  const auto is_lost = [](const Trial& t) { return t.lost_for_numbers; };
  const auto is_sound = [](const Trial& t) {
    return t.status == record::Status::kDone || t.status == record::Status::kHurdle;
  };
  const bool lost = has_run(p, design, is_lost), other_lost = has_run(p, other, is_lost);
  out.lost = (lost && has_run(p, other, is_sound)) || (other_lost && has_run(p, design, is_sound));
  out.better = !lost;
  if (!out.lost || (lost && other_lost)) return std::nullopt;
  return out;
}

}  // namespace gabbro::evolve
