// Predicts the number of parameters of a design at widths and hyperparameters at which it was not elaborated;
// private to src/lang.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lang/elaborate.h"

namespace gabbro::lang {

constexpr double kSizeTolerance = 0.01;
constexpr double kLeastScale = 0.25, kMostScale = 4;  // range of the scale of the free hyperparameters

/// Returns the relative deviation of `got` parameters from `want`.
double size_error(double got, std::int64_t want);

/// Formulas in D from an elaboration at one width, which hold for all widths. Exact if the graph is not
/// width_bound.
class Shape {
 public:
  explicit Shape(const Elaboration& elaboration);

  [[nodiscard]] double params(std::int64_t width) const;
  /// Returns the smallest integer width at which the formula reaches `want`.
  [[nodiscard]] std::int64_t budget_width(std::int64_t want) const;
  /// Returns at most `count` widths at which every axis has a positive integer size, the nearest to the
  /// budget first.
  [[nodiscard]] std::vector<std::int64_t> widths(std::int64_t want, std::size_t count) const;

  [[nodiscard]] const ir::SymEnv& env() const { return env_; }
  [[nodiscard]] const std::vector<ir::Sym>& sizes() const { return sizes_; }
  /// For each axis, its index in sizes().
  [[nodiscard]] const std::vector<std::size_t>& axes() const { return axes_; }
  /// Returns true if both have the same numbers of units and parameters, whatever their sizes.
  [[nodiscard]] bool same_structure(const Shape& other) const;

 private:
  ir::SymEnv env_;
  ir::Sym params_;
  std::vector<ir::Sym> sizes_;  // distinct sizes
  std::vector<std::size_t> axes_;
  std::size_t units_, tensors_;
};

/// Returns true if `size` is a positive integer at `width`.
bool is_size(const ir::Sym& size, ir::SymEnv env, std::int64_t width);

/// Estimates sizes of a design with moved hyperparameters from few elaborations. It assumes that a
/// hyperparameter changes the parameters in proportion, if no axis that grows with D depends on it, and that
/// the effects of several hyperparameters add up.
class SizeModel {
 public:
  /// Elaborates the design at some width with this scale of its free hyperparameters and these moves; returns
  /// nullopt if that is impossible.
  using Elaborate = std::function<std::optional<Shape>(double, const std::vector<Move>&)>;

  /// `hypers` are those of the design as written, whose shape is `written`. Elaborates at most 8 times for
  /// each, and twice more.
  SizeModel(const Shape& written, const std::vector<IntHyper>& hypers, bool has_free, std::int64_t want,
            const Elaborate& elaborate);

  struct Guess {
    std::int64_t width = 0;
    bool scaled = false;  // at some scale of the free hyperparameters; otherwise at 1
    std::vector<Move> moves;
  };
  /// Calls `accept` with candidates that seem to fit: one move first, then two, then three, and within each
  /// group the smallest total factor first. Ends when `accept` returns true. O(10,000) sums over widths.
  void search(const std::function<bool(const Guess&)>& accept) const;
  /// Returns pairs of moves of hyperparameters of one unit, whose effects need not add up; the nearest first.
  [[nodiscard]] std::vector<std::vector<Move>> within_units() const;

 private:
  static constexpr std::size_t kSpan = 256;  // number of widths considered, around the budget's
  using Widths = std::bitset<kSpan>;
  // Effect of a move: the change of the parameters at each width, and the sizes of the axes (indices into
  // sets_).
  struct Effect {
    std::vector<double> params;
    std::vector<std::size_t> axes;
  };
  struct Choice {
    std::size_t hyper = 0;
    Move move;
    double distance = 0;     // |log(to / from)|
    std::size_t effect = 0;  // index in effects_
    double share = 1;        // of the effect
    bool coarse = false;     // true if it is also tried together with others
  };

  void add(std::size_t index, const IntHyper& hyper, const Elaborate& elaborate);
  /// Returns the index in sets_ of each axis of `shape`, and adds the sets that are missing.
  std::vector<std::size_t> sets_of(const Shape& shape);
  [[nodiscard]] std::optional<Guess> guess(std::span<const Choice* const> choices) const;
  /// Calls `accept` with the best groups that seem to fit. Returns true if it accepted one.
  bool offer(std::vector<std::vector<const Choice*>>& groups,
             const std::function<bool(const Guess&)>& accept) const;

  const Shape& shape_;
  ir::SymEnv env_;
  std::int64_t want_, first_;  // first_: the first width of the span
  // written_: parameters as written; least_, most_: changes by the smallest and the largest scale.
  std::vector<double> written_, least_, most_;
  std::vector<std::size_t> axes_;                 // sets_of the design as written
  std::vector<std::pair<ir::Sym, Widths>> sets_;  // widths that a size allows
  std::vector<Effect> effects_;
  std::vector<Choice> choices_;
};

}  // namespace gabbro::lang
