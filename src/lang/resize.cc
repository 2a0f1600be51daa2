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

constexpr std::size_t kMostWork = 1 << 19;  // operations of all elaborations

// The search for a size of one design.
class Search {
 public:
  Search(const Library& library, const Design& design, std::int64_t want, std::int64_t vocab)
      : library_(library), design_(design), want_(want), vocab_(vocab) {}

  Result<Resized> run() {
    const auto written = shape(1, {});
    if (!written) return tl::unexpected(last_.errors.front());
    hypers_ = last_.int_hypers;
    has_free_ = !last_.free_hypers.empty();
    if (const auto found = by_width(*written)) return *found;
    if (has_free_)
      if (const auto found = by_scale()) return *found;
    if (const auto found = by_moves(*written)) return *found;
    return tl::unexpected(error());
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
  [[nodiscard]] bool fits(double params) const { return size_error(params, want_) <= kSizeTolerance; }
  [[nodiscard]] Error error() const;

  const Library& library_;
  const Design& design_;
  std::int64_t want_, vocab_;
  Elaboration last_;
  std::size_t work_ = 0;
  bool has_free_ = false;
  std::vector<IntHyper> hypers_;
  std::vector<std::int64_t> widths_;                 // near the budget, of the design as it is written
  std::vector<std::optional<std::int64_t>> params_;  // at each of them
};

// The number of parameters at one size; nothing where sizes do not divide, or after too much work.
std::optional<std::int64_t> Search::params(std::int64_t width, double scale, const Moves& moves) {
  if (work_ >= kMostWork) return {};
  ElaborateOptions options = options_at({width, scale, moves}, vocab_);
  options.max_nodes = std::min(options.max_nodes, kMostWork - work_);
  last_ = elaborate(library_, design_, options);
  for (const ir::Body& body : last_.graph.bodies) work_ += body.nodes.size();
  work_ += last_.steps / ElaborateOptions::kStepsPerNode;
  if (!last_.ok()) return {};
  return ir::count_params(last_.graph);
}

// Elaborates the design at some width that it allows, so that its sizes are known as formulas in D.
std::optional<Shape> Search::shape(double scale, const Moves& moves) {
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
      return Resized{width, 1, {}, *got};
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

// Parameters grow with the scale: bisection, on the logarithm, as long as a scale nearer to 1 than `nearest` may come of it.
std::optional<Resized> Search::by_scale(std::int64_t width, const Moves& moves,
                                        std::optional<std::int64_t> at_one, double nearest) {
  double low = std::log(kLeastScale), high = std::log(kMostScale);
  std::optional<Resized> best;
  for (int step = 0; step < 24; ++step) {
    const double scale = std::exp((low + high) / 2);
    const auto got = scale == 1 ? at_one : params(width, scale, moves);
    if (!got) break;
    const double error = size_error(static_cast<double>(*got), want_);
    if (!best || error < size_error(static_cast<double>(best->params), want_))
      best = Resized{width, scale, moves, *got};
    if (error < kSizeTolerance / 10) break;
    (*got < want_ ? low : high) = std::log(scale);
    const double later = low * high > 0 ? std::min(std::abs(low), std::abs(high)) : 0;
    if (std::min(later, std::abs(std::log(best->free_scale))) >= nearest) return {};
  }
  return best;
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
    return accept(g.scaled ? by_scale(g.width, g.moves, got, INFINITY) : Resized{g.width, 1, g.moves, *got});
  });
  if (found) return found;
  for (const Moves& moves : model.within_units())
    if (const auto both = shape(1, moves); both && both->same_structure(written))
      for (const std::int64_t width : both->widths(want_, 2))
        if (fits(both->params(width)))
          if (const auto got = params(width, 1, moves); got && accept(Resized{width, 1, moves, *got}))
            return found;
  return {};
}

Error Search::error() const {
  std::string tried;
  for (std::size_t w = 0; w < params_.size() && tried.size() < 120; ++w)
    if (params_[w])
      tried +=
          fmt::format("{}D = {} gives {} ({:+.1f} %)", tried.empty() ? "" : ", ", widths_[w], *params_[w],
                      100 * (static_cast<double>(*params_[w]) / static_cast<double>(want_) - 1));
  if (tried.empty()) tried = "no width divides as its hyperparameters ask";
  if (work_ >= kMostWork) tried += fmt::format("; after {} operations no more sizes were tried", work_);
  return {"budget", fmt::format("{} cannot have {} parameters to within 1 %: {}", design_.name, want_, tried),
          has_free_ ? "the free hyperparameters do not reach far enough: widen their ranges, or change "
                      "the number of blocks or the vocabulary"
                    : "mark a hyperparameter `free` (e.g. mult: free real), give a whole number more values "
                      "(state: int in "
                      "{4 .. 64}), or change the number of blocks, heads or the vocabulary",
          design_.stack.at};
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
