#include "evolve/adaptive.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gabbro::evolve {

namespace {

constexpr int kTournament = 3;
constexpr int kPatience = 40;
constexpr std::size_t kNearest = 5;
constexpr std::size_t kCompared = 200;  // novelty considers this many of the latest designs
constexpr double kExplore = 0.3, kFresh = 0.1, kFreshWhenStuck = 0.5;

// Draws from Beta(a, b) for integers a, b >= 1, as the a-th smallest of a + b - 1 uniform numbers.
double beta(int a, int b, Random& random) {
  std::vector<double> u(static_cast<std::size_t>(a + b - 1));
  for (double& x : u) x = random.uniform();
  std::nth_element(u.begin(), u.begin() + (a - 1), u.end());
  return u[static_cast<std::size_t>(a - 1)];
}

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
    if (const double x = beta(1 + c.better, 1 + c.offspring - c.better, random); x > most)
      most = x, best = op;
  }
  return best;
}

// Returns the number of designs since the strategy's best one improved.
int since_progress(const std::vector<Known>& all) {
  double best = std::numeric_limits<double>::infinity();
  int since = 0;
  for (const Known& k : all) {
    ++since;
    if (k.advantage < best) best = k.advantage, since = 0;
  }
  return since;
}

// The distribution of advantages within a species: the prior of a design before it is measured.
struct Prior {
  double mean = 0, variance = 0.01;
};
Prior prior_of(const std::vector<const Known*>& members) {
  double sum = 0, squares = 0, count = 0;
  for (const Known* k : members)
    if (std::isfinite(k->advantage)) sum += k->advantage, squares += k->advantage * k->advantage, ++count;
  if (count < 3) return {count > 0 ? sum / count : 0, 0.01};
  const double mean = sum / count;
  return {mean, std::max(1e-6, squares / count - mean * mean)};
}

// Draws from the posterior of a design's advantage, under normal advantages and normal noise. The measured
// advantage shrinks towards the mean of the species, the more so the noisier its runs are. A design measured
// once, far from its species, is therefore trusted less than one measured often.
double draw(const Known& k, const Prior& prior, const Population& population, Random& random) {
  if (!std::isfinite(k.advantage)) return k.advantage;
  const double deviation = noise(population, k.rung);
  const double noise = deviation * deviation / std::max(1, population.standing(*k.design, k.rung).done);
  const double variance = 1 / (1 / noise + 1 / prior.variance);
  const double mean = variance * (k.advantage / noise + prior.mean / prior.variance);
  return mean + std::sqrt(variance) * random.normal();
}

const Individual& parent_of(const std::vector<Known>& all, const Population& population, Random& random) {
  std::map<std::string, std::vector<const Known*>> species;
  for (const Known& k : all) species[k.design->created.species].push_back(&k);
  std::vector<std::pair<double, const std::vector<const Known*>*>> order;
  for (const auto& [name, members] : species) {
    double best = std::numeric_limits<double>::infinity();
    for (const Known* k : members) best = std::min(best, k->advantage);
    order.emplace_back(best, &members);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // The probability is geometric in the rank: each species is drawn 0.7 times as often as the one before it.
  constexpr double kNext = 0.7;
  double weight = 1, left = random.uniform() * (1 - std::pow(kNext, order.size())) / (1 - kNext);
  std::size_t rank = 0;
  for (; rank + 1 < order.size() && left > weight; ++rank) left -= weight, weight *= kNext;
  const std::vector<const Known*>& members = *order[rank].second;
  const bool explores = random.chance(kExplore);
  const Prior prior = prior_of(members);
  const Known* best = nullptr;
  double most = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTournament; ++i) {
    const Known* k = random.pick(members);
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
    const std::vector<Known> all = known(population, strategy_);
    const int since = since_progress(all);
    // While the search stalls, the first quarter of every kPatience designs is drawn with more fresh designs.
    const bool stuck = since >= kPatience && since % kPatience < kPatience / 4;
    if (all.empty() || random.chance(stuck ? kFreshWhenStuck : kFresh)) return fresh(catalogue, random);
    const Individual& parent = parent_of(all, population, random);
    const Individual& second_parent = parent_of(all, population, random);
    return bred(choose_operator(credit(population, strategy_).operators, random), parent, &second_parent,
                catalogue, random);
  }

 private:
  std::string strategy_;
};

}  // namespace

std::unique_ptr<Strategy> make_adaptive(std::string strategy) {
  return std::make_unique<Adaptive>(std::move(strategy));
}

const Individual* choose_parent(const Population& population, std::string_view strategy, Random& random) {
  const std::vector<Known> all = known(population, strategy);
  return all.empty() ? nullptr : &parent_of(all, population, random);
}

double noise(const Population& p, int rung) {
  constexpr double kUnknown = 0.02;
  double squares = 0;
  int freedom = 0;
  for (const Individual& i : p.individuals()) {
    const Standing s = p.standing(i, rung);
    if (s.done < 2) continue;
    for (const std::int64_t id : i.trials)
      if (const Trial& t = p.trial(id);
          t.begun.rung == rung && t.status == record::Status::kDone && !is_verdict_run(t) && p.counts(t))
        squares += (t.bits - s.bits) * (t.bits - s.bits);
    freedom += s.done - 1;
  }
  return freedom >= 3 ? std::sqrt(squares / freedom) : kUnknown;
}

Credits credit(const Population& p, std::string_view strategy) {
  Credits out;
  for (const Individual& i : p.individuals()) {
    if (i.created.strategy != strategy || i.created.parent == 0) continue;
    const Standing s = p.standing(i, 0);
    if (s.done == 0 && s.unscored == 0) continue;
    const record::Provenance& made = i.created.provenance;
    if (!made.op && !made.mode) continue;
    Credit& c = made.op ? out.operators[*made.op] : out.modes[*made.mode];
    ++c.offspring;
    const std::vector<double> d = p.differences(i.created.id, i.created.parent, 0, false);
    const bool parent_is_unscored = p.standing(p.individual(i.created.parent), 0).unscored > 0;
    if (s.unscored == 0 && (parent_is_unscored || (!d.empty() && d.front() < 0))) ++c.better;
  }
  return out;
}

namespace {

double cost_distance(const record::DesignCreated& a, const record::DesignCreated& b) {
  const auto apart = [](double x, double y) {
    return std::min(1.0, std::abs(std::log2((x + 1) / (y + 1))) / 4);
  };
  return (apart(a.train_flops, b.train_flops) + apart(a.decode_flops, b.decode_flops) +
          apart(a.state_bytes, b.state_bytes)) /
         3;
}

// Returns the learning curve of an individual's first run; null if there is none.
const std::vector<double>* curve_of(const Individual& i, const Population& p) {
  if (i.trials.empty()) return nullptr;
  const Trial& t = p.trial(i.trials.front());
  return t.curve.empty() ? nullptr : &t.curve;
}

double curve_distance(const std::vector<double>* a, const std::vector<double>* b) {
  if (!a || !b) return 1;
  const std::size_t n = std::min(a->size(), b->size());
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::abs((*a)[i] - (*b)[i]);
  return std::min(1.0, sum / static_cast<double>(n));
}

}  // namespace

double novelty(const Known& of, const std::vector<Known>& among, const Population& p) {
  std::vector<double> near;
  const std::size_t from = among.size() > kCompared ? among.size() - kCompared : 0;
  for (std::size_t i = from; i < among.size(); ++i) {
    const Known& k = among[i];
    if (k.design == of.design) continue;
    near.push_back((distance(of.design->shape, k.design->shape) +
                    cost_distance(of.design->created, k.design->created) +
                    curve_distance(curve_of(*of.design, p), curve_of(*k.design, p))) /
                   3);
  }
  if (near.empty()) return 1;
  const std::size_t count = std::min(kNearest, near.size());
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(count), near.end());
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += near[i];
  return sum / static_cast<double>(count);
}

}  // namespace gabbro::evolve
