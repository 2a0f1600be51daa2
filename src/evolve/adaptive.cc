#include "evolve/adaptive.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "evolve/outcome.h"

namespace gabbro::evolve {

namespace {

constexpr int kTournament = 3;  // members of a species from which a parent is chosen
constexpr int kPatience = 40;   // designs without a new best after which the search counts as stuck
// Novelty is the distance to this many nearest designs, among this many of the latest ones.
constexpr std::size_t kNearest = 5, kLatest = 200;
// Probabilities of choosing a parent by novelty, and of a fresh design.
constexpr double kExplore = 0.3, kFresh = 0.1, kFreshWhenStuck = 0.5;

record::Operator choose_operator(const std::map<record::Operator, Credit>& credits, Random& random) {
  record::Operator best = edit::all_operators().front();
  double most = -1;
  for (const record::Operator op : edit::all_operators()) {
    const auto at = credits.find(op);
    Credit c = at == credits.end() ? Credit{} : at->second;
    // A long record counts only by its proportions, since an operator that succeeded early may stop
    // succeeding.
    constexpr int kMost = 40;
    if (c.offspring > kMost) c = {kMost, c.better * kMost / c.offspring};
    if (const double x = draw_beta(1 + c.better, 1 + c.offspring - c.better, random); x > most)
      most = x, best = op;
  }
  return best;
}

// Returns the number of designs since the strategy's best one improved.
int since_progress(const std::vector<ParentCandidate>& all) {
  double best = std::numeric_limits<double>::infinity();
  int since = 0;
  for (const ParentCandidate& k : all) {
    ++since;
    if (k.excess_bits < best) best = k.excess_bits, since = 0;
  }
  return since;
}

// The distribution of advantages within a species: the prior of a design before it is measured.
constexpr double kUnknownVariance = 0.01;  // until three advantages are known
struct Prior {
  double mean = 0, variance = kUnknownVariance;
};
Prior prior_of(const std::vector<const ParentCandidate*>& members) {
  double sum = 0, squares = 0, count = 0;
  for (const ParentCandidate* k : members)
    if (std::isfinite(k->excess_bits))
      sum += k->excess_bits, squares += k->excess_bits * k->excess_bits, ++count;
  if (count < 3) return {count > 0 ? sum / count : 0, kUnknownVariance};
  const double mean = sum / count;
  return {mean, std::max(1e-6, squares / count - mean * mean)};
}

// Draws from the posterior of a design's advantage, under normal advantages and normal noise. The measured
// advantage shrinks towards the mean of the species, the more so the noisier its runs are. A design measured
// once, far from its species, is therefore trusted less than one measured often.
double draw(const ParentCandidate& k, const Prior& prior, const Population& population, Random& random) {
  if (!std::isfinite(k.excess_bits)) return k.excess_bits;
  const double stddev = seed_stddev(population, k.rung);
  const double of_mean = stddev * stddev / std::max(1, population.standing(*k.design, k.rung).done);
  const double variance = 1 / (1 / of_mean + 1 / prior.variance);
  const double mean = variance * (k.excess_bits / of_mean + prior.mean / prior.variance);
  return mean + std::sqrt(variance) * random.normal();
}

// Draws a parent by the three steps of make_adaptive.
const Individual& draw_parent(const std::vector<ParentCandidate>& all, const Population& population,
                              Random& random) {
  std::map<std::string, std::vector<const ParentCandidate*>> species;
  for (const ParentCandidate& k : all) species[k.design->created.species].push_back(&k);
  std::vector<std::pair<double, const std::vector<const ParentCandidate*>*>> order;
  for (const auto& [name, members] : species) {
    double best = std::numeric_limits<double>::infinity();
    for (const ParentCandidate* k : members) best = std::min(best, k->excess_bits);
    order.emplace_back(best, &members);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // The probability is geometric in the rank: each species is drawn 0.7 times as often as the one before it.
  constexpr double kNext = 0.7;
  double weight = 1, drawn = random.uniform() * (1 - std::pow(kNext, order.size())) / (1 - kNext);
  std::size_t rank = 0;
  for (; rank + 1 < order.size() && drawn > weight; ++rank) drawn -= weight, weight *= kNext;
  const std::vector<const ParentCandidate*>& members = *order[rank].second;
  const bool explores = random.chance(kExplore);
  const Prior prior = prior_of(members);
  const ParentCandidate* best = nullptr;
  double most = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTournament; ++i) {
    const ParentCandidate* k = random.pick(members);
    const double worth = explores ? novelty(*k, all, population) : -draw(*k, prior, population, random);
    if (!best || worth > most) best = k, most = worth;
  }
  return *best->design;
}

class Adaptive : public Strategy {
 public:
  explicit Adaptive(std::string strategy) : strategy_(std::move(strategy)) {}

  Result<Offspring> propose(const Population& population, edit::UnitCatalogue& catalogue,
                            Random random) const override {
    const std::vector<ParentCandidate> all = parent_candidates(population, strategy_);
    const int since = since_progress(all);
    // While the search stalls, the first quarter of every kPatience designs is drawn with more fresh designs.
    const bool stuck = since >= kPatience && since % kPatience < kPatience / 4;
    if (all.empty() || random.chance(stuck ? kFreshWhenStuck : kFresh))
      return fresh_offspring(catalogue, random);
    const Individual& parent = draw_parent(all, population, random);
    const Individual& second_parent = draw_parent(all, population, random);
    return breed(choose_operator(credit(population, strategy_).operators, random), parent, &second_parent,
                 catalogue, random);
  }

 private:
  std::string strategy_;
};

}  // namespace

std::unique_ptr<Strategy> make_adaptive(std::string strategy) {
  return std::make_unique<Adaptive>(std::move(strategy));
}

double draw_beta(int a, int b, Random& random) {
  std::vector<double> u(static_cast<std::size_t>(a + b - 1));
  for (double& x : u) x = random.uniform();
  // The a-th smallest of a + b - 1 uniform numbers has this distribution.
  std::nth_element(u.begin(), u.begin() + (a - 1), u.end());
  return u[static_cast<std::size_t>(a - 1)];
}

double seed_stddev(const Population& p, int rung) {
  constexpr double kUnknown = 0.02;
  double squares = 0;
  int freedom = 0;
  for (const Individual& i : p.individuals()) {
    const Standing s = p.standing(i, rung);
    if (s.done < 2) continue;
    for (const std::int64_t id : i.trials)
      if (const Trial& t = p.trial(id);
          t.begun.rung == rung && t.status == record::Status::kDone && guides_search(t) && p.counts(t))
        squares += (t.bits - s.bits) * (t.bits - s.bits);
    freedom += s.done - 1;
  }
  return freedom >= 3 ? std::sqrt(squares / freedom) : kUnknown;
}

Credits credit(const Population& p, std::string_view strategy) {
  Credits out;
  for (const Individual& i : p.individuals()) {
    if (i.created.strategy != strategy || i.created.parent == 0) continue;
    const record::Provenance& made = i.created.provenance;
    if (!made.op && !made.mode) continue;
    const auto outcome = outcome_of(p, i);
    if (!outcome) continue;
    Credit& c = made.op ? out.operators[*made.op] : out.modes[*made.mode];
    ++c.offspring;
    c.better += outcome->better ? 1 : 0;
  }
  return out;
}

namespace {

double cost_distance(const record::DesignCreated& a, const record::DesignCreated& b) {
  constexpr double kFarthest = 4;  // octaves; costs that are further apart have a distance of 1
  const auto distance_of = [](double x, double y) {
    return std::min(1.0, std::abs(std::log2((x + 1) / (y + 1))) / kFarthest);
  };
  return (distance_of(a.train_flops, b.train_flops) + distance_of(a.decode_flops, b.decode_flops) +
          distance_of(a.state_bytes, b.state_bytes)) /
         3;
}

// Returns the learning curve of an individual's first run in the search; null if there is none.
const std::vector<double>* curve_of(const Individual& i, const Population& p) {
  const auto first = std::find_if(i.trials.begin(), i.trials.end(),
                                  [&](std::int64_t id) { return !is_by_hand(p.trial(id)); });
  if (first == i.trials.end()) return nullptr;
  const std::vector<double>& curve = p.trial(*first).curve;
  return curve.empty() ? nullptr : &curve;
}

double curve_distance(const std::vector<double>* a, const std::vector<double>* b) {
  if (!a || !b) return 1;
  const std::size_t n = std::min(a->size(), b->size());
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::abs((*a)[i] - (*b)[i]);
  return std::min(1.0, sum / static_cast<double>(n));
}

}  // namespace

double novelty(const ParentCandidate& design, const std::vector<ParentCandidate>& all, const Population& p) {
  const Individual& own = *design.design;
  std::vector<double> distances;
  const std::size_t from = all.size() > kLatest ? all.size() - kLatest : 0;
  for (std::size_t i = from; i < all.size(); ++i) {
    const Individual& other = *all[i].design;
    if (&other == &own) continue;
    distances.push_back((distance(own.shape, other.shape) + cost_distance(own.created, other.created) +
                         curve_distance(curve_of(own, p), curve_of(other, p))) /
                        3);
  }
  if (distances.empty()) return 1;
  const std::size_t count = std::min(kNearest, distances.size());
  std::partial_sort(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(count),
                    distances.end());
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += distances[i];
  return sum / static_cast<double>(count);
}

}  // namespace gabbro::evolve
