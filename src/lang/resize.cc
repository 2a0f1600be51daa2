#include "lang/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "ir/facts.h"
#include "lang/size_model.h"

namespace gabbro::lang {

namespace {

constexpr std::size_t kMostWork = 1 << 22;  // total operations of all elaborations

// Searches for a size of one design.
class Search {
 public:
  Search(const Library& library, const Design& design, std::int64_t want, std::int64_t vocab)
      : library_(library), design_(design), want_(want), vocab_(vocab) {}

  Result<Resized> run() {
    const auto written = shape(1, {});
    if (!written) return tl::unexpected(last_.errors.front());
    vocab_ =
        static_cast<std::int64_t>(last_.graph.env.vocab);  // the design's, or the default, if none is given
    hypers_ = last_.int_hypers;
    open_hypers_ = last_.open_hypers;
    free_hypers_ = last_.free_hypers;
    has_free_ = !last_.free_hypers.empty();
    for (const FreeHyper& free : last_.free_hypers)
      if (free.value > 0 && std::find(free_.begin(), free_.end(), free.value) == free_.end())
        free_.push_back(free.value);
    if (const auto found = by_width(*written)) return *found;
    if (has_free_)
      if (const auto found = by_scale()) return *found;
    if (const auto found = by_moves(*written)) return *found;
    if (const auto found = by_multiples(*written)) return *found;
    return tl::unexpected(error(*written));
  }

 private:
  using Moves = std::vector<Move>;
  std::optional<std::int64_t> params(std::int64_t width, double scale, const Moves& moves);
  std::optional<Shape> shape(double scale, const Moves& moves);
  std::optional<Resized> by_width(const Shape& written);
  std::optional<Resized> by_scale();
  std::optional<Resized> by_scale(std::int64_t width, const Moves& moves, std::optional<std::int64_t> at_one,
                                  double nearest);
  std::optional<Resized> by_moves(const Shape& written);
  struct Multiples {
    bool divide = false;          // all sizes are integers at the multiples that were tried
    std::optional<Resized> size;  // the multiple that fits, if one does
  };
  std::optional<Resized> by_multiples(const Shape& written);
  Multiples by_multiples(std::int64_t width, const Moves& moves, double step);
  [[nodiscard]] std::vector<double> steps() const;
  std::vector<Moves> halvings(const Shape& written);
  bool may_halve(const IntHyper& hyper, double to, const Shape& written);
  [[nodiscard]] bool fits(double params) const { return size_error(params, want_) <= kSizeTolerance; }
  Error error(const Shape& written);
  std::string hint(const Shape& written);
  [[nodiscard]] std::string free_text() const;
  std::vector<IntHyper> sizes(const Shape& written);

  const Library& library_;
  const Design& design_;
  std::int64_t want_, vocab_;
  Elaboration last_;      // the latest
  std::size_t work_ = 0;  // operations of all elaborations so far
  bool has_free_ = false;
  std::vector<double> free_;  // distinct values of the free hyperparameters as written
  std::vector<IntHyper> hypers_;
  std::vector<IntHyper> open_hypers_;                // those without a range
  std::vector<FreeHyper> free_hypers_;               // as written
  std::vector<std::int64_t> widths_;                 // near the budget, for the design as written
  std::vector<std::optional<std::int64_t>> params_;  // at each of these widths
};

// Returns the number of parameters at one size, or nullopt if sizes do not divide or too much work was done.
std::optional<std::int64_t> Search::params(std::int64_t width, double scale, const Moves& moves) {
  if (work_ >= kMostWork) return {};
  ElaborateOptions options = options_at({.width = width, .free_scale = scale, .moves = moves}, vocab_);
  options.max_nodes = std::min(options.max_nodes, kMostWork - work_);
  last_ = elaborate(library_, design_, options);
  for (const ir::Body& body : last_.graph.bodies) work_ += body.nodes.size();
  work_ += last_.steps / ElaborateOptions::kStepsPerNode;
  if (!last_.ok()) return {};
  return ir::count_params(last_.graph);
}

// Elaborates the design at some width that it allows, so that its sizes are known as formulas in D.
std::optional<Shape> Search::shape(double scale, const Moves& moves) {
  // 0 is the width in the design; the others have many divisors.
  std::vector<std::int64_t> widths{0, 256, 384, 768, 960, 1920, 5040, 13440};
  if (!widths_.empty()) widths.insert(widths.begin(), widths_.front());
  for (const std::int64_t width : widths)
    if (params(width, scale, moves)) return Shape(last_);
  return {};
}

std::optional<Resized> Search::by_width(const Shape& written) {
  constexpr std::size_t kMostWidths = 6;
  widths_ = written.widths(want_, kMostWidths);
  for (const std::int64_t width : widths_) {
    params_.push_back(params(width, 1, {}));
    if (const auto got = params_.back(); got && fits(static_cast<double>(*got)))
      return Resized{.width = width, .params = *got};
  }
  return {};
}

std::optional<Resized> Search::by_scale() {
  std::optional<Resized> best;
  for (std::size_t w = 0; w < widths_.size(); ++w) {
    const double nearest = best ? std::abs(std::log(best->free_scale)) : INFINITY;
    const auto found = by_scale(widths_[w], {}, params_[w], nearest);
    if (found && fits(static_cast<double>(found->params)) && std::abs(std::log(found->free_scale)) < nearest)
      best = found;
  }
  return best;
}

// Bisects on the logarithm of the scale, with which the number of parameters grows. `at_one` is that number
// at scale 1. Stops when no scale nearer to 1 than `nearest` (the absolute value of a logarithm) can result.
// If the first steps all go in one direction, the extreme scale in that direction is tried, because even that
// may not suffice.
std::optional<Resized> Search::by_scale(std::int64_t width, const Moves& moves,
                                        std::optional<std::int64_t> at_one, double nearest) {
  double low = std::log(kLeastScale), high = std::log(kMostScale);
  std::optional<Resized> best;
  constexpr int kOneWay = 4, kMostSteps = 24;
  // Returns false if not even the scale `end` gives a number beyond the budget.
  const auto reaches = [&](double end) {
    const auto got = params(width, end, moves);
    return !got || fits(static_cast<double>(*got)) || (*got > want_) == (end > 1);
  };
  for (int step = 0; step < kMostSteps; ++step) {
    if (step == kOneWay && high == std::log(kMostScale) && !reaches(kMostScale)) break;
    if (step == kOneWay && low == std::log(kLeastScale) && !reaches(kLeastScale)) break;
    const double scale = std::exp((low + high) / 2);
    const auto got = scale == 1 ? at_one : params(width, scale, moves);
    if (!got) break;
    const double error = size_error(static_cast<double>(*got), want_);
    if (!best || error < size_error(static_cast<double>(best->params), want_))
      best = Resized{.width = width, .free_scale = scale, .moves = moves, .params = *got};
    if (error < kSizeTolerance / 10) break;  // near enough
    (*got < want_ ? low : high) = std::log(scale);
    const double later = low * high > 0 ? std::min(std::abs(low), std::abs(high)) : 0;
    if (std::min(later, std::abs(std::log(best->free_scale))) >= nearest) return {};
  }
  return best;
}

// Returns step sizes of the scale, times the width, that keep the products of free hyperparameters and width
// integers: one step for all of them if their ratios are simple, and one for each alone.
std::vector<double> Search::steps() const {
  constexpr int kSimple = 24;
  std::vector<double> out;
  if (free_.empty()) return out;
  for (int n = 1; n <= kSimple && out.empty(); ++n) {
    const double step = n / free_.front();
    if (std::all_of(free_.begin(), free_.end(),
                    [&](double f) { return std::abs(f * step - std::round(f * step)) <= 1e-9; }))
      out.push_back(step);
  }
  for (const double f : free_)
    if (free_.size() > 1 || out.empty()) out.push_back(1 / f);
  return out;
}

// Returns moves that make sizes divisible by smaller numbers: hyperparameters of one name (heads) are halved
// together, as often as their ranges allow. The first entry has no moves.
std::vector<std::vector<Move>> Search::halvings(const Shape& written) {
  constexpr std::size_t kMost = 8;
  std::vector<Moves> out{{}};
  std::vector<std::string> names;
  for (const IntHyper& hyper : hypers_)
    if (std::find(names.begin(), names.end(), hyper.hyper) == names.end()) names.push_back(hyper.hyper);
  for (const std::string& name : names) {
    double most = 1;
    for (const IntHyper& hyper : hypers_)
      if (hyper.hyper == name) most = std::max(most, hyper.value);
    for (double to = std::floor(most / 2); to >= 1 && out.size() < kMost; to = std::floor(to / 2)) {
      Moves moves;
      for (const IntHyper& hyper : hypers_)
        if (hyper.hyper == name && may_halve(hyper, to, written))
          moves.push_back({hyper.unit, hyper.hyper, hyper.value, to});
      if (!moves.empty()) out.push_back(std::move(moves));
    }
  }
  return out;
}

// Returns true if the move keeps the structure, such as depth, and changes a size.
bool Search::may_halve(const IntHyper& hyper, double to, const Shape& written) {
  if (hyper.value <= to || std::none_of(hyper.range.begin(), hyper.range.end(), [&](const auto& range) {
        return to >= range.first && to <= range.second;
      }))
    return false;
  const auto moved = shape(1, {{hyper.unit, hyper.hyper, hyper.value, to}});
  return moved && moved->same_structure(written) && moved->sizes() != written.sizes();
}

// Handles a mixer inside an MLP, whose heads share the inner width, by scales that make the inner width a
// multiple of 2, 4 ... 64. Returns the scale nearest to 1 without moves, or else that of the first moves that
// succeed.
std::optional<Resized> Search::by_multiples(const Shape& written) {
  constexpr int kMostMultiple = 64;
  constexpr std::size_t kMostWidths = 6;
  const std::vector<double> each = steps();
  if (each.empty()) return {};
  for (const Moves& moves : halvings(written)) {
    const auto moved = moves.empty() ? std::nullopt : shape(1, moves);
    if (!moves.empty() && (!moved || !moved->same_structure(written))) continue;
    std::optional<Resized> best;
    for (const std::int64_t width : moved ? moved->widths(want_, kMostWidths) : widths_)
      for (const double step : each)
        for (int multiple = 2; multiple <= kMostMultiple; multiple *= 2) {
          const Multiples found = by_multiples(width, moves, multiple * step / static_cast<double>(width));
          if (found.size &&
              (!best || std::abs(std::log(found.size->free_scale)) < std::abs(std::log(best->free_scale))))
            best = found.size;
          if (found.divide) break;  // larger multiples are included in this one
        }
    if (best) return best;
  }
  return {};
}

// Finds the multiple of `step` that fits. Tries one multiple near 1 first; `divide` is set if all sizes
// divide at the multiples tried.
Search::Multiples Search::by_multiples(std::int64_t width, const Moves& moves, double step) {
  // Keeps floor from falling below the integer that a product stands for.
  constexpr double kAbove = 1 + 1e-12;
  const auto scale_of = [&](std::int64_t count) { return static_cast<double>(count) * step * kAbove; };
  auto low = static_cast<std::int64_t>(std::ceil(kLeastScale / step)),
       high = static_cast<std::int64_t>(std::floor(kMostScale / step));
  if (low > high) return {};
  if (!params(width, scale_of(std::clamp<std::int64_t>(std::llround(1 / step) + 1, low, high)), moves))
    return {};
  while (low <= high) {
    const std::int64_t middle = (low + high) / 2;
    const auto got = params(width, scale_of(middle), moves);
    if (!got) return {};
    if (fits(static_cast<double>(*got)))
      return {true, Resized{.width = width, .free_scale = scale_of(middle), .moves = moves, .params = *got}};
    if (*got < want_)
      low = middle + 1;
    else
      high = middle - 1;
  }
  return {true, {}};
}

std::optional<Resized> Search::by_moves(const Shape& written) {
  const SizeModel model(written, hypers_, has_free_, want_,
                        [&](double scale, const Moves& moves) { return shape(scale, moves); });
  std::optional<Resized> found;
  const auto accept = [&](std::optional<Resized> size) {
    if (size && fits(static_cast<double>(size->params))) found = std::move(size);
    return found.has_value();
  };
  model.search([&](const SizeModel::Guess& g) {
    const auto got = params(g.width, 1, g.moves);
    if (!got) return false;
    return accept(g.scaled ? by_scale(g.width, g.moves, got, INFINITY)
                           : Resized{.width = g.width, .moves = g.moves, .params = *got});
  });
  if (found) return found;
  for (const Moves& moves : model.within_units())
    if (const auto both = shape(1, moves); both && both->same_structure(written))
      for (const std::int64_t width : both->widths(want_, 2))
        if (fits(both->params(width)))
          if (const auto got = params(width, 1, moves);
              got && accept(Resized{.width = width, .moves = moves, .params = *got}))
            return found;
  return {};
}

// Returns the integer hyperparameters of the program's own units on which sizes depend, at most kMost, by
// elaborating with another value of each.
std::vector<IntHyper> Search::sizes(const Shape& written) {
  constexpr std::size_t kMost = 4, kMostTries = 12;
  std::vector<IntHyper> out, tried = hypers_;
  tried.insert(tried.end(), open_hypers_.begin(), open_hypers_.end());
  std::erase_if(tried, [](const IntHyper& hyper) { return !hyper.own; });
  if (tried.size() > kMostTries) tried.resize(kMostTries);
  for (const IntHyper& hyper : tried) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const IntHyper& other) {
      return other.unit == hyper.unit && other.hyper == hyper.hyper;
    });
    if (known || out.size() == kMost || work_ >= kMostWork) continue;
    for (const double to : {2 * hyper.value, std::floor(hyper.value / 2)}) {
      if (to < 1) continue;
      const auto moved = shape(1, {{hyper.unit, hyper.hyper, hyper.value, to}});
      if (!moved || !moved->same_structure(written)) continue;
      constexpr std::int64_t kSomeWidth = 5040;
      if (moved->params(kSomeWidth) != written.params(kSomeWidth)) out.push_back(hyper);
      break;
    }
  }
  return out;
}

// Lists the free hyperparameters with their ranges, at most kMost.
std::string Search::free_text() const {
  constexpr std::size_t kMost = 4;
  std::vector<std::string> out;
  for (const FreeHyper& free : free_hypers_) {
    std::string text = fmt::format("{} = {:.4g}", free.path.substr(free.path.rfind('.') + 1), free.value);
    if (free.high > free.low) text += fmt::format(" in {{{:.4g} .. {:.4g}}}", free.low, free.high);
    if (out.size() < kMost && std::find(out.begin(), out.end(), text) == out.end())
      out.push_back(std::move(text));
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string Search::hint(const Shape& written) {
  if (has_free_)
    return fmt::format(
        "the free hyperparameters do not reach far enough ({}): widen their ranges, or change the number of "
        "blocks or "
        "the vocabulary",
        free_text());
  const std::vector<IntHyper> candidates = sizes(written);
  const std::string blocks = "or change the number of blocks, heads or the vocabulary";
  if (candidates.empty())
    return "a size that may change with the budget is declared `free` in the signature of a unit, as in "
           "`rank: free int "
           "in {8 .. 128} = 32` with `axis r = rank`; add one, " +
           blocks;
  const IntHyper& first = candidates.front();
  std::string others;
  for (std::size_t i = 1; i < candidates.size(); ++i)
    others +=
        fmt::format("{}{} of {}", others.empty() ? "; also " : ", ", candidates[i].hyper, candidates[i].unit);
  return fmt::format(
      "mark a size `free`, so that it may change with the budget: in the signature of {}, `{}: free int in "
      "{{{:g} .. {:g}}} = {:g}`{}; {}",
      first.unit, first.hyper, std::max(1.0, std::floor(first.value / 4)), 4 * first.value, first.value,
      others, blocks);
}

Error Search::error(const Shape& written) {
  constexpr std::size_t kLongEnough = 120;
  std::string tried;
  for (std::size_t w = 0; w < params_.size() && tried.size() < kLongEnough; ++w)
    if (params_[w])
      tried +=
          fmt::format("{}D = {} gives {} ({:+.1f} %)", tried.empty() ? "" : ", ", widths_[w], *params_[w],
                      100 * (static_cast<double>(*params_[w]) / static_cast<double>(want_) - 1));
  if (tried.empty()) tried = "no width is divisible as its hyperparameters require";
  if (work_ >= kMostWork) tried += fmt::format("; after {} operations no more sizes were tried", work_);
  return {"budget",
          fmt::format("{} cannot have {} parameters to within 1 % at a vocabulary of {}: {}", design_.name,
                      want_, vocab_, tried),
          hint(written), design_.stack.at};
}

}  // namespace

Result<Resized> resize(const Library& library, const Design& design, std::int64_t want, std::int64_t vocab) {
  return Search(library, design, want, vocab).run();
}

ElaborateOptions options_at(const Resized& size, std::int64_t vocab) {
  ElaborateOptions options;
  options.width = size.width;
  options.vocab = vocab;
  options.free_scale = size.free_scale;
  options.moves = size.moves;
  return options;
}

}  // namespace gabbro::lang
