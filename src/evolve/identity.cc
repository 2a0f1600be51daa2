#include "evolve/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "evolve/depth.h"
#include "exec/reference/predicted_cost.h"
#include "exec/reference/trace.h"
#include "ir/canonical.h"
#include "ir/facts.h"
#include "ir/narrow.h"
#include "ir/signs.h"
#include "lang/resize.h"

namespace gabbro::evolve {

namespace {

// Vocabulary size of small runs: enough tokens to tell texts apart.
constexpr std::int64_t kVocab = 16;

lang::Library with_program(const lang::Library& library, const lang::Program& program) {
  lang::Library out = library;
  out.add(program);
  return out;
}

// Narrows both graphs to the smallest width that both allow. Heads and reshapes of one may forbid a width
// that the other allows.
std::optional<std::pair<ir::Graph, ir::Graph>> narrowed_alike(const ir::Graph& a, const ir::Graph& b) {
  std::vector<std::int64_t> widths(ir::kNarrowWidths.begin(), ir::kNarrowWidths.end());
  const auto own = std::llround(a.env.width);
  widths.erase(std::lower_bound(widths.begin(), widths.end(), own), widths.end());
  widths.push_back(own);
  for (const std::int64_t width : widths) {
    auto small = ir::narrowed(a, width, kVocab, ir::Constants::kKept),
         other = ir::narrowed(b, width, kVocab, ir::Constants::kKept);
    if (small && other) return std::pair{std::move(*small), std::move(*other)};
  }
  return {};
}

// Bound on the operations of a pass from a point far from the initialisation. There are many such passes.
constexpr double kMostFar = kMostOperations / 8;
// Number of passes of a trace with three updates from far points (exec/reference/trace.h).
constexpr double kFarPasses = 29;

// Compares one pair of runs. Both traces have the same number of points.
TrainingComparison compare_runs(const ir::Graph& a, const ir::Graph& b, const exec::TraceOptions& options) {
  // A trace has one pass for each update and for the points around it. A trace from far points also has
  // passes from their neighbours.
  const double passes = options.far ? kFarPasses : options.updates + 2;
  const double operations = passes * (exec::predict_cost(a, a.bodies[0].outputs, options.length).operations +
                                      exec::predict_cost(b, b.bodies[0].outputs, options.length).operations);
  const auto counted = [&](TrainingComparison c) {
    c.operations = std::min(operations, 2 * passes * options.operations);
    return c;
  };
  const auto first = exec::trace(a, options), second = exec::trace(b, options);
  if (!first || !second)
    return {false, false,
            fmt::format("runs of {} positions take more work than the screen allows", options.length)};
  const std::string why = exec::difference(*first, *second);
  if (why.empty()) return counted({true, true, ""});
  return counted(
      {false, true, fmt::format("{} in {} positions at D = {:g}", why, options.length, a.env.width)});
}

}  // namespace

Result<Sized> sized_at(const lang::Program& program, const Rung& rung, const SearchSettings& settings,
                       const lang::Library& library) {
  const lang::Program deeper = deepened(program, rung.depth);
  const lang::Library names = with_program(library, deeper);
  const lang::Design& design = *lang::last_design(deeper);
  auto resized = lang::resize(names, design, rung.params, settings.vocab);
  if (!resized)
    return fail("size", fmt::format("at {}: {}", rung.name, resized.error().message), resized.error().hint);
  Sized out;
  out.sequences = rung.sequences;
  out.length = rung.length;
  out.subject.name = design.name;
  out.subject.is_design = true;
  out.subject.elaboration = lang::elaborate(names, design, lang::options_at(*resized, settings.vocab));
  if (!out.subject.elaboration.ok()) return tl::unexpected(out.subject.elaboration.errors.front());
  return out;
}

std::string trained_identity(const Sized& sized) {
  return to_hex(
      ir::structural_hash(ir::with_signs_absorbed(sized.subject.elaboration.graph), ir::Sizes::kConcrete));
}

std::string trace_of(const Sized& sized) {
  const auto trace =
      exec::trace(ir::narrowest(ir::with_signs_absorbed(sized.subject.elaboration.graph), kVocab),
                  {.length = 24, .updates = 1, .operations = kMostOperations});
  return trace ? exec::summary(*trace) : "";
}

TrainingComparison compare_trainings(const Sized& a, const Sized& b) {
  const ir::Graph first = ir::with_signs_absorbed(a.subject.elaboration.graph),
                  second = ir::with_signs_absorbed(b.subject.elaboration.graph);
  if (first.env.width != second.env.width)
    return {false, true, fmt::format("D is {:g}, {:g}", first.env.width, second.env.width)};
  const auto both = narrowed_alike(first, second);
  if (!both) return {false, false, "they cannot be run at the same small width"};
  const auto& [small, other] = *both;
  double operations = 0;
  const auto run = [&](const ir::Graph& one, const ir::Graph& two, const exec::TraceOptions& options) {
    TrainingComparison c = compare_runs(one, two, options);
    c.operations = operations += c.operations;
    return c;
  };
  const TrainingComparison whole =
      run(small, other, {.length = a.length, .updates = 3, .operations = kMostOperations});
  if (!whole.same) return whole;
  // This comparison is at the trained width, as far as the work allows. At a small width, an effect that only
  // some channels have would go unnoticed.
  TrainingComparison wide{false, false, ""};
  for (std::int64_t length = a.length; length >= 8 && !wide.decided; length /= 2)
    wide = run(first, second,
               {.length = length, .updates = length > 16 ? 1 : 2, .operations = kMostOperations / 2});
  if (!wide.same) return wide;
  const TrainingComparison wide_far =
      run(first, second, {.length = 8, .updates = 3, .far = true, .operations = kMostFar});
  if (wide_far.decided && !wide_far.same) return wide_far;
  for (const std::int64_t length : {a.length, std::int64_t{24}, std::int64_t{8}}) {
    const TrainingComparison far =
        run(small, other, {.length = length, .updates = 3, .far = true, .operations = kMostFar});
    if (far.decided) return far;
  }
  return {false, false, "runs far from the start take more work than the screen allows", operations};
}

}  // namespace gabbro::evolve
