// Decides which designs are identical, in the sense that they train alike at every rung.
#pragma once

#include <optional>
#include <string>

#include "evolve/settings.h"
#include "ir/graph.h"
#include "lang/check.h"
#include "lang/library.h"

namespace gabbro::evolve {

/// A design as it is trained at a rung: deepened, and resized to the rung's parameter count.
struct Sized {
  lang::Subject subject;                   // complete but for its facts (lang::complete)
  std::int64_t sequences = 0, length = 0;  // batch size and tokens of a sequence at the rung
};

/// Deepens and resizes a design for a rung. Errors: "size", with the nearest sizes, if the design cannot be
/// made as large as the rung. It elaborates the program as often as lang::resize does.
Result<Sized> sized_at(const lang::Program& program, const Rung& rung, const SearchSettings& settings,
                       const lang::Library& library);

/// Returns the structural hash at a rung's width, with all sizes as numbers. Callers join the hashes of all
/// rungs. Designs with equal hashes train alike.
std::string trained_identity(const Sized& sized);

/// Returns a summary of the first updates of a rung's design, run small (exec/reference/trace.h). It is equal
/// for designs that train alike. It is also equal for some that differ only far back in a text, by less than
/// six digits show, or at larger sizes. Returns "" if the run takes too much work or a value is not finite.
std::string trace_of(const Sized& sized);

/// Result of comparing how two designs train at one rung.
struct TrainingComparison {
  bool same = false;
  // False if the comparison takes more work than a screen may do; the designs then count as different.
  bool decided = true;
  std::string why;        // the difference, with numbers
  double operations = 0;  // bound on the operations that both runs took
};

/// Runs both designs in float64 with equal initialisation, in two ways: at a small width, with the structure
/// and constants of the rung's width, over the whole length of its texts; and at the rung's width, over as
/// many positions as half the bound allows. Each runs one to three updates. Logits before, between and after
/// the updates, and norms of gradients, must agree to 1e-11 relative to their size, and to ten times as much
/// after each update; float32 training resolves 6e-8.
///
/// The small run, and a short one at the rung's width, are repeated for one update from points far from the
/// initialisation (exec/reference/trace.h), since bounds and thresholds may be out of reach of the first
/// updates. Work: at most 9 passes of kMostOperations for each design, and two times 29 passes of an eighth
/// of it; beyond that the result is undecided.
TrainingComparison compare_trainings(const Sized& a, const Sized& b);

/// Maximum number of operations of one pass of the reference engine within a screen
/// (exec/reference/predicted_cost.h): about a second.
constexpr double kMostOperations = 1 << 27;

}  // namespace gabbro::evolve
