// Screens a design by running it at a small size: finds designs that cannot be trained although they
// type-check, before a worker is given to them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// Draws random parameters around the constants of their initialisation. Decays and gains therefore stay near
/// their intended values, and parameters that are initialised to zero do not hide what is behind them. The
/// values are representable in float32.
std::vector<Tensor> random_params(const ir::Graph& graph, double scale, Random& random);

/// Returns the number of elements that a run over `length` positions keeps.
double numbers_kept(const ir::Graph& graph, std::int64_t length);

/// Returns true if the program itself contains a constant within a factor of sixteen of `v`. Programs use
/// large constants for masks, for sums of masked values, and as the initial value of a maximum.
bool writes(const ir::Graph& graph, double v);

/// The outcome of the screen: why a design is refused, or an empty cause if it passes. The causes are:
/// - "size": a run takes more work than the screen allows (exec/reference/work.h).
/// - "finite": with the initial parameters, a value or a gradient is NaN or too large to be squared in
///   float32, or a larger embedding gives a logit that is not finite.
/// - "mixing": the tokens before a position change its logits by less than 1/1000 of what its own token does,
///   or nothing depends on what some shift, past or scan reads from earlier positions.
/// - "gradient": a parameter gets no gradient that float32 could represent, or more than a fiftieth of all
///   parameters get one so small that AdamW does not move them. The detail names the parameters.
///
/// A design is refused for "mixing" or "gradient" only if the property is missing both with the initial
/// parameters and after four updates from them, since training would then not reach it either.
struct Screening {
  std::string cause, detail;
  [[nodiscard]] bool passes() const { return cause.empty(); }
};

/// Runs `graph` (body 0: tokens to logits [t, V]) and its gradient from its initial parameters, in float64,
/// on a random text of 24 positions (fewer where it would keep too many elements). The logits are computed
/// once more in float32, with a larger embedding. If that shows no mixing or no gradient, the check is
/// repeated on a text of `length` positions, or as many as the work limit allows. Use a graph of small width
/// (ir::narrowest). The result depends only on the arguments. Cost: eight to sixty runs, two to eleven of
/// them with gradients, with at most 2^29 operations and 2^26 elements in each.
Screening screen(const ir::Graph& graph, std::uint64_t seed = 1, std::int64_t length = 0);

/// The part of `screen` that checks "size", "mixing" and "gradient".
Screening screen_reach(const ir::Graph& graph, std::uint64_t seed, std::int64_t length);

}  // namespace gabbro::exec
