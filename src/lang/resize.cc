#include "lang/resize.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "ir/facts.h"

namespace gabbro::lang {

namespace {

constexpr double kTolerance = 0.01;
constexpr std::int64_t kWidest = 1 << 16;

// The design as a function of width and scale: parameter count, or nothing where sizes do not divide.
struct Family {
  const Library& library;
  const Design& design;
  std::int64_t vocab;
  Elaboration last = {};

  std::optional<std::int64_t> params(std::int64_t width, double scale) {
    ElaborateOptions options;
    options.width = width;
    options.vocab = vocab;
    options.free_scale = scale;
    last = elaborate(library, design, options);
    if (!last.ok()) return {};
    return ir::count_params(last.graph);
  }
};

// A width at which the design elaborates, so that its sizes are known as formulas in D.
std::optional<std::int64_t> first_width(Family& family) {
  for (std::int64_t width : {0, 256, 384, 768, 960, 1920, 5040, 13440})
    if (family.params(width, 1)) return family.last.graph.axes[family.last.width].size;
  return {};
}

// Widths at which every axis has a whole, positive size, by the formulas of an elaborated graph.
bool divides(const ir::Graph& graph, std::int64_t width) {
  ir::SymEnv env = graph.env;
  env.width = static_cast<double>(width);
  for (std::size_t a = ir::kFirstAxis; a < graph.axes.size(); ++a) {
    if (graph.axes[a].sym.is_constant()) continue;
    const double size = graph.axes[a].sym.eval(env);
    if (size < 1 || std::abs(size - std::round(size)) > 1e-9) return false;
  }
  return true;
}

double formula(const ir::Sym& params, const ir::Graph& graph, std::int64_t width) {
  ir::SymEnv env = graph.env;
  env.width = static_cast<double>(width);
  return params.eval(env);
}

double error_of(std::int64_t got, std::int64_t want) {
  return std::abs(static_cast<double>(got) / static_cast<double>(want) - 1);
}

// Parameters grow with the scale: bisection, on the logarithm.
std::optional<Resized> scale_to_fit(Family& family, std::int64_t width, std::int64_t want) {
  double low = std::log(0.25), high = std::log(4.0);
  std::optional<Resized> best;
  for (int step = 0; step < 24; ++step) {
    const double scale = std::exp((low + high) / 2);
    const auto got = family.params(width, scale);
    if (!got) return best;
    if (!best || error_of(*got, want) < error_of(best->params, want)) best = Resized{width, scale, *got};
    if (error_of(*got, want) < kTolerance / 10) break;
    (*got < want ? low : high) = std::log(scale);
  }
  return best;
}

}  // namespace

Result<Resized> resize(const Library& library, const Design& design, std::int64_t want, std::int64_t vocab) {
  Family family{library, design, vocab};
  if (!first_width(family)) return tl::unexpected(family.last.errors.front());
  const ir::Graph graph = family.last.graph;
  const bool has_free = !family.last.free_hypers.empty();
  const ir::Sym formula_params = ir::derive_facts(graph).params;

  // The formula is monotone in D: the widths around the budget, nearest first.
  std::int64_t low = 1, high = kWidest;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (formula(formula_params, graph, middle) < static_cast<double>(want))
      low = middle + 1;
    else
      high = middle;
  }
  std::vector<std::int64_t> widths;
  for (std::int64_t distance = 0; distance < 4096 && widths.size() < 6; ++distance)
    for (std::int64_t width : {low + distance, low - distance})
      if (width >= 1 && width <= kWidest && divides(graph, width) &&
          std::find(widths.begin(), widths.end(), width) == widths.end())
        widths.push_back(width);

  std::string tried;
  std::optional<Resized> best;
  const auto consider = [&](const Resized& r) {
    const bool fits = error_of(r.params, want) <= kTolerance;
    if (!fits) return;
    if (!best || std::abs(std::log(r.free_scale)) < std::abs(std::log(best->free_scale))) best = r;
  };
  for (std::int64_t width : widths) {
    const auto got = family.params(width, 1);
    if (!got) continue;
    consider({width, 1, *got});
    if (best && best->free_scale == 1) return *best;
    if (tried.size() < 120)
      tried += fmt::format("{}D = {} gives {} ({:+.1f} %)", tried.empty() ? "" : ", ", width, *got,
                           100 * (static_cast<double>(*got) / static_cast<double>(want) - 1));
  }
  if (has_free)
    for (std::int64_t width : widths)
      if (const auto r = scale_to_fit(family, width, want)) consider(*r);
  if (best) return *best;
  return fail("budget",
              fmt::format("{} cannot have {} parameters to within 1 %: {}", design.name, want,
                          tried.empty() ? "no width divides as its hyperparameters ask" : tried),
              has_free ? "the free hyperparameters do not reach far enough: widen their ranges, or change "
                         "the number of blocks or the vocabulary"
                       : "mark a hyperparameter `free` (e.g. mult: free real), or change the number of "
                         "blocks, heads or the vocabulary",
              design.stack.at);
}

}  // namespace gabbro::lang
