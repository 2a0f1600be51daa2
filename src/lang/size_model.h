// What a design's number of parameters is at widths, and with hyperparameters, at which it was not
// elaborated; private to src/lang.
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
constexpr double kLeastScale = 0.25, kMostScale = 4;  // of the free hyperparameters

/// How far `got` parameters are from `want`, as a share.
double size_error(double got, std::int64_t want);

/// What an elaboration at one width says of all widths: formulas in D. Exact where the graph is not
/// width_bound.
class Shape {
 public:
  explicit Shape(const Elaboration& elaboration);

  [[nodiscard]] double params(std::int64_t width) const;
  /// The width at which the formula reaches `want`, to whole numbers.
  [[nodiscard]] std::int64_t budget_width(std::int64_t want) const;
  /// At most `count` widths at which every axis has a whole, positive size, the nearest to the budget first.
  [[nodiscard]] std::vector<std::int64_t> widths(std::int64_t want, std::size_t count) const;

  [[nodiscard]] const ir::SymEnv& env() const { return env_; }
  [[nodiscard]] const std::vector<ir::Sym>& sizes() const { return sizes_; }
  /// For each axis its place in sizes().
  [[nodiscard]] const std::vector<std::size_t>& axes() const { return axes_; }
  /// The same units and parameters, of whatever sizes.
  [[nodiscard]] bool same_structure(const Shape& other) const;

 private:
  ir::SymEnv env_;
  ir::Sym params_;
  std::vector<ir::Sym> sizes_;  // each once
  std::vector<std::size_t> axes_;
  std::size_t units_, tensors_;
};

/// Whether `size` is whole and positive at `width`.
bool is_size(const ir::Sym& size, ir::SymEnv env, std::int64_t width);

/// Estimates sizes of a design with moved hyperparameters from few elaborations: a hyperparameter on which no
/// axis that grows with D depends changes the parameters in proportion, and several change them by the sum of
/// what each does.
class SizeModel {
 public:
  /// Elaborates the design at some width, with this scale of its free hyperparameters and moves; nothing
  /// where it cannot be.
  using Elaborate = std::function<std::optional<Shape>(double, const std::vector<Move>&)>;

  /// `hypers` are those of the design as written, of shape `written`. At most 8 elaborations for each, and 2.
  SizeModel(const Shape& written, const std::vector<IntHyper>& hypers, bool has_free, std::int64_t want,
            const Elaborate& elaborate);

  struct Guess {
    std::int64_t width = 0;
    bool scaled = false;  // at some scale of the free hyperparameters, else at 1
    std::vector<Move> moves;
  };
  /// Calls `accept` with what seems to fit, one move first, then two, then three; of as many the ones that
  /// move by the smallest factor first. Ends when it returns true. O(10,000) sums over widths.
  void search(const std::function<bool(const Guess&)>& accept) const;
  /// Moves of two hyperparameters of one unit, whose effects need not add up; the nearest first.
  [[nodiscard]] std::vector<std::vector<Move>> within_units() const;

 private:
  static constexpr std::size_t kSpan = 256;
  using Widths = std::bitset<kSpan>;
  // What a move does: to the parameters at each width, and to the sizes of axes (places in sets_).
  struct Effect {
    std::vector<double> params;
    std::vector<std::size_t> axes;
  };
  struct Choice {
    std::size_t hyper = 0;
    Move move;
    double distance = 0;  // on the logarithm
    std::size_t effect = 0;
    double share = 1;     // of the effect
    bool coarse = false;  // one of those that are tried together with others
  };

  void add(std::size_t index, const IntHyper& hyper, const Elaborate& elaborate);
  std::vector<std::size_t> sets_of(const Shape& shape);
  [[nodiscard]] std::optional<Guess> guess(std::span<const Choice* const> choices) const;
  bool offer(std::vector<std::vector<const Choice*>>& groups,
             const std::function<bool(const Guess&)>& accept) const;

  const Shape& shape_;
  ir::SymEnv env_;
  std::int64_t want_, first_;                   // the first width of the span
  std::vector<double> written_, least_, most_;  // parameters; changes by the smallest and the largest scale
  std::vector<std::size_t> axes_;
  std::vector<std::pair<ir::Sym, Widths>> sets_;  // widths that a size allows
  std::vector<Effect> effects_;
  std::vector<Choice> choices_;
};

}  // namespace gabbro::lang
