#include "lang/size_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "ir/facts.h"

namespace gabbro::lang {

namespace {

constexpr std::int64_t kWidest = 1 << 16;  // the largest width tried
constexpr double kFarthest = 64;           // the largest factor by which a hyperparameter moves

// Returns the other values that `hyper` may take, the nearest first. Large values are 1 % apart, because
// finer steps change the size by less than the tolerance.
std::vector<double> values_of(const IntHyper& hyper) {
  const double from = hyper.value, low = std::max(1.0, from / kFarthest), high = from * kFarthest;
  const auto step = [](double v) { return std::max(1.0, std::floor(v * kSizeTolerance)); };
  std::set<double> all;
  for (const auto& [first, last] : hyper.range) {
    const double least = std::max(first, low), most = std::min(last, high);
    for (const double end : {first, last})
      if (end >= low && end <= high) all.insert(end);
    for (double v = from + step(from); v <= most; v += step(v))
      if (v >= least) all.insert(v);
    for (double v = from - step(from); v >= least; v -= step(v))
      if (v <= most) all.insert(v);
  }
  all.erase(from);
  std::vector<double> out(all.begin(), all.end());
  std::stable_sort(out.begin(), out.end(), [&](double a, double b) {
    return std::abs(std::log(a / from)) < std::abs(std::log(b / from));
  });
  return out;
}

}  // namespace

double size_error(double got, std::int64_t want) { return std::abs(got / static_cast<double>(want) - 1); }

bool is_size(const ir::Sym& size, ir::SymEnv env, std::int64_t width) {
  env.width = static_cast<double>(width);
  const double value = size.eval(env);
  return value >= 1 && std::abs(value - std::round(value)) <= 1e-9;
}

Shape::Shape(const Elaboration& e)
    : env_(e.graph.env),
      params_(ir::params_formula(e.graph)),
      units_(e.instances.size()),
      tensors_(e.graph.params.size()) {
  for (std::size_t a = ir::kFirstAxis; a < e.graph.axes.size(); ++a) {
    const ir::Sym& size = e.graph.axes[a].sym;
    const auto known = std::find(sizes_.begin(), sizes_.end(), size);
    axes_.push_back(static_cast<std::size_t>(known - sizes_.begin()));
    if (known == sizes_.end()) sizes_.push_back(size);
  }
}

double Shape::params(std::int64_t width) const {
  ir::SymEnv env = env_;
  env.width = static_cast<double>(width);
  return params_.eval(env);
}

bool Shape::same_structure(const Shape& other) const {
  return units_ == other.units_ && tensors_ == other.tensors_;
}

// Bisects, because the formula is monotone in D.
std::int64_t Shape::budget_width(std::int64_t want) const {
  std::int64_t low = 1, high = kWidest;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (params(middle) < static_cast<double>(want))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

std::vector<std::int64_t> Shape::widths(std::int64_t want, std::size_t count) const {
  const std::int64_t middle = budget_width(want);
  const auto divides = [&](std::int64_t width) {
    return std::all_of(sizes_.begin(), sizes_.end(),
                       [&](const ir::Sym& size) { return size.is_constant() || is_size(size, env_, width); });
  };
  // Limits of the distance from the budget's width, and of the sizes evaluated on each side of it.
  constexpr std::int64_t kFar = 4096, kMostSizes = 1 << 20;
  const std::int64_t far = std::min(kFar, kMostSizes / (1 + static_cast<std::int64_t>(sizes_.size())));
  std::vector<std::int64_t> out;
  for (std::int64_t distance = 0; distance < far && out.size() < count; ++distance)
    for (std::int64_t width : {middle + distance, middle - distance})
      if (width >= 1 && width <= kWidest && (distance > 0 || out.empty()) && divides(width))
        out.push_back(width);
  return out;
}

SizeModel::SizeModel(const Shape& written, const std::vector<IntHyper>& hypers, bool has_free,
                     std::int64_t want, const Elaborate& elaborate)
    : shape_(written), env_(written.env()), want_(want) {
  constexpr std::int64_t kHalf = kSpan / 2;
  first_ = std::clamp<std::int64_t>(written.budget_width(want) - kHalf, 1, kWidest - 2 * kHalf);
  for (std::size_t w = 0; w < kSpan; ++w)
    written_.push_back(written.params(first_ + static_cast<std::int64_t>(w)));
  axes_ = sets_of(written);
  if (has_free) {
    const auto least = elaborate(kLeastScale, {}), most = elaborate(kMostScale, {});
    for (std::size_t w = 0; w < kSpan && least && most; ++w) {
      least_.push_back(least->params(first_ + static_cast<std::int64_t>(w)) - written_[w]);
      most_.push_back(most->params(first_ + static_cast<std::int64_t>(w)) - written_[w]);
    }
  }
  for (std::size_t h = 0; h < hypers.size(); ++h) add(h, hypers[h], elaborate);
  std::stable_sort(choices_.begin(), choices_.end(),
                   [](const Choice& a, const Choice& b) { return a.distance < b.distance; });
}

std::vector<std::size_t> SizeModel::sets_of(const Shape& shape) {
  std::vector<std::size_t> set_of_size, out;
  for (const ir::Sym& sym : shape.sizes()) {
    const ir::Sym size = sym.is_constant() ? ir::Sym(1) : sym;  // constants allow every width
    const auto known =
        std::find_if(sets_.begin(), sets_.end(), [&](const auto& s) { return s.first == size; });
    set_of_size.push_back(static_cast<std::size_t>(known - sets_.begin()));
    if (known != sets_.end()) continue;
    Widths widths;
    for (std::size_t w = 0; w < kSpan; ++w)
      widths[w] = is_size(size, env_, first_ + static_cast<std::int64_t>(w));
    sets_.emplace_back(size, widths);
  }
  for (const std::size_t a : shape.axes()) out.push_back(set_of_size[a]);
  return out;
}

void SizeModel::add(std::size_t index, const IntHyper& hyper, const Elaborate& elaborate) {
  constexpr std::size_t kMostElaborated = 8, kCoarse = 8;  // values that are elaborated; coarse values
  const std::vector<double> values = values_of(hyper);
  const auto move_to = [&](double value) { return Move{hyper.unit, hyper.hyper, hyper.value, value}; };
  // The elaborated value from which other effects follow in proportion.
  std::optional<double> reference;
  for (std::size_t v = 0; v < values.size(); ++v) {
    const double distance = std::abs(std::log(values[v] / hyper.value));
    if (reference) {
      choices_.push_back({.hyper = index,
                          .move = move_to(values[v]),
                          .distance = distance,
                          .effect = effects_.size() - 1,
                          .share = (values[v] - hyper.value) / (*reference - hyper.value),
                          .coarse = v % (1 + values.size() / kCoarse) == 0});
      continue;
    }
    if (v >= kMostElaborated) return;
    const auto shape = elaborate(1, {move_to(values[v])});
    if (!shape || !shape->same_structure(shape_)) continue;
    Effect effect{{}, sets_of(*shape)};
    // With axes declared in loops, it is not known which axis corresponds to which.
    if (effect.axes.size() != axes_.size()) {
      if (std::set(effect.axes.begin(), effect.axes.end()) != std::set(axes_.begin(), axes_.end())) continue;
      effect.axes = axes_;
    }
    bool changes = effect.axes != axes_;
    if (!changes) reference = values[v];
    for (std::size_t w = 0; w < kSpan; ++w) {
      effect.params.push_back(shape->params(first_ + static_cast<std::int64_t>(w)) - written_[w]);
      changes = changes || effect.params.back() != 0;
    }
    if (!changes) return;  // no size depends on it
    effects_.push_back(std::move(effect));
    choices_.push_back({.hyper = index,
                        .move = move_to(values[v]),
                        .distance = distance,
                        .effect = effects_.size() - 1,
                        .coarse = true});
  }
}

// Returns the width at which these moves together come nearest to the budget, if it is within the tolerance
// or can be reached by the scale.
std::optional<SizeModel::Guess> SizeModel::guess(std::span<const Choice* const> choices) const {
  Widths allowed;
  allowed.set();
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    std::size_t set = axes_[a];
    for (const Choice* c : choices)
      if (const std::size_t moved = effects_[c->effect].axes[a]; moved != axes_[a]) set = moved;
    allowed &= sets_[set].second;
  }
  const auto want = static_cast<double>(want_);
  std::optional<Guess> out;
  double nearest = std::numeric_limits<double>::infinity();
  for (std::size_t w = 0; w < kSpan; ++w) {
    if (!allowed[w]) continue;
    double params = written_[w];
    for (const Choice* c : choices) params += c->share * effects_[c->effect].params[w];
    const double error = size_error(params, want_);
    const bool scaled = error > kSizeTolerance;
    if (error > nearest) continue;
    if (scaled && (least_.empty() || params + least_[w] > want || params + most_[w] < want)) continue;
    nearest = error;
    out = Guess{first_ + static_cast<std::int64_t>(w), scaled, {}};
  }
  if (out)
    for (const Choice* c : choices) out->moves.push_back(c->move);
  return out;
}

bool SizeModel::offer(std::vector<std::vector<const Choice*>>& groups,
                      const std::function<bool(const Guess&)>& accept) const {
  constexpr int kMostGuesses = 8;
  const auto distance = [](const std::vector<const Choice*>& group) {
    double sum = 0;
    for (const Choice* c : group) sum += c->distance;
    return sum;
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  int guesses = 0;
  for (const auto& group : groups) {
    const auto fitting = guess(group);
    if (!fitting) continue;
    if (accept(*fitting)) return true;
    if (++guesses == kMostGuesses) break;
  }
  return false;
}

void SizeModel::search(const std::function<bool(const Guess&)>& accept) const {
  std::vector<std::vector<const Choice*>> one, two, three;
  for (const Choice& c : choices_) one.push_back({&c});
  if (offer(one, accept)) return;
  constexpr std::size_t kMostTogether = 40;
  std::vector<const Choice*> coarse;
  for (const Choice& c : choices_)
    if (c.coarse && coarse.size() < kMostTogether) coarse.push_back(&c);
  for (std::size_t i = 0; i < coarse.size(); ++i)
    for (std::size_t j = i + 1; j < coarse.size(); ++j)
      if (coarse[i]->hyper != coarse[j]->hyper) two.push_back({coarse[i], coarse[j]});
  if (offer(two, accept)) return;
  for (const auto& pair : two)
    for (const Choice* c : coarse)
      if (c > pair[1] && c->hyper != pair[0]->hyper && c->hyper != pair[1]->hyper)
        three.push_back({pair[0], pair[1], c});
  offer(three, accept);
}

std::vector<std::vector<Move>> SizeModel::within_units() const {
  constexpr std::size_t kMost = 32;
  std::vector<std::pair<double, std::vector<Move>>> pairs;
  for (std::size_t i = 0; i < choices_.size(); ++i)
    for (std::size_t j = i + 1; j < choices_.size(); ++j) {
      const Choice &a = choices_[i], &b = choices_[j];
      if (a.coarse && b.coarse && a.hyper != b.hyper && a.move.unit == b.move.unit)
        pairs.push_back({a.distance + b.distance, {a.move, b.move}});
    }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::vector<Move>> out;
  for (std::size_t k = 0; k < std::min(kMost, pairs.size()); ++k) out.push_back(std::move(pairs[k].second));
  return out;
}

}  // namespace gabbro::lang
