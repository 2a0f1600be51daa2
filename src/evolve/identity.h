// Which designs are one: those whose training is the same at every rung.
#pragma once

#include <optional>
#include <string>

#include "evolve/settings.h"
#include "ir/graph.h"
#include "lang/check.h"
#include "lang/library.h"

namespace gabbro::evolve {

/// A design as it is trained at a rung: deepened, and resized to the rung's parameters.
struct Sized {
  lang::Subject subject;    // complete but for its facts (lang::complete)
  std::int64_t length = 0;  // of the rung's texts
};

/// Errors: "size" when the design cannot be made as large as the rung, with the nearest sizes. Elaborations:
/// those of lang::resize.
Result<Sized> sized_at(const lang::Program& program, const Rung& rung, const Settings& settings,
                       const lang::Library& library);

/// The structural hash at a rung's width with all sizes as numbers, to be joined over rungs: equal ones train
/// alike.
std::string trained_identity(const Sized& sized);

/// A summary of the first updates of the design of a rung, run small (exec/reference/trace.h): equal for
/// designs that train alike, and for some that differ far back in a text, by less than six digits show, or at
/// larger sizes. "" when its work is too much or something is not finite.
std::string trace_of(const Sized& sized);

/// Whether two designs train alike at one rung.
struct Comparison {
  bool same = false;
  bool decided =
      true;         // false: the work would be more than a screen may take, so that they count as different
  std::string why;  // what differs, with numbers
  double operations = 0;  // that both have taken at most
};

/// Runs both in float64 with equal starts: at small width with the structure and the constants of the rung's
/// width over the whole length of its texts, and at the rung's width over as many positions as half the bound
/// allows, with one to three updates; logits before, between and after them, and norms of gradients, must
/// agree to 1e-11 of their size, ten times as much after each update, where training in float32 sees 6e-8.
/// The same is asked, small, for one update from places far from the start (exec/reference/trace.h), since
/// bounds and thresholds may be beyond what the first updates reach. Work: at most 9 passes of
/// kMostOperations for each design and 29 of an eighth of it, else it is not decided.
Comparison compare_trainings(const Sized& a, const Sized& b);

/// Most operations of one pass of the reference engine within a screen (exec/reference/work.h): about a
/// second.
constexpr double kMostOperations = 1 << 27;

}  // namespace gabbro::evolve
