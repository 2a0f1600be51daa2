// Screens a design by running it at a small size. The screen finds designs that type-check but cannot be
// trained, before a worker spends time on them.
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

/// Returns the number of elements of all live values of body 0 in a run over `length` positions.
double elements_kept(const ir::Graph& graph, std::int64_t length);

/// Returns true if the program contains a constant within a factor of 16 of `v`. A value that large is then
/// intended: programs use large constants for masks and as the initial value of a maximum.
bool has_constant_near(const ir::Graph& graph, double v);

/// The property that a design lacks:
/// - kSize: a run takes more work than the screen allows (exec/reference/predicted_cost.h).
/// - kFinite: with the initial parameters, a value or a gradient is NaN or larger than 1e15 (1e19 within the
///   backward pass), or a logit is not finite in float32 when the first embedding is 4 times as large.
/// - kMixing: the tokens before a position change its logits by less than 1/1000 of what its own token does,
///   or the logits do not depend on what a shift, past or scan reads from earlier positions.
/// - kGradient: a parameter gets no gradient that float32 could represent, or more than 2 % of all
///   parameters get one so small that AdamW does not move them. The detail names the parameters.
///
/// A design is refused for mixing or gradients only if the property is missing both with the initial
/// parameters and after four updates from them, since training would then not reach it either.
enum class Lack : std::uint8_t { kNone, kSize, kFinite, kMixing, kGradient };

/// The outcome of the screen; `detail` explains a refusal.
struct Screening {
  Lack lack = Lack::kNone;
  std::string detail;
  [[nodiscard]] bool passes() const { return lack == Lack::kNone; }
};

/// Runs `graph` (body 0: tokens to logits [t, V]) and its gradient from its initial parameters, in float64,
/// on a random text of 24 positions (fewer where it would keep too many elements). The logits are computed
/// once more in float32, with a larger embedding. If the run shows no mixing or no gradient, the check is
/// repeated on a text of `length` positions, or as many as the limit of operations allows; 0: not repeated.
/// Use a graph of small width (ir::narrowest). The result depends only on the arguments. Cost: at most
/// 61 runs, 10 of them with gradients, with at most 2^29 operations and 2^26 elements in each. A design that
/// passes at once takes 7 runs, one of them with gradients.
Screening screen(const ir::Graph& graph, std::uint64_t seed = 1, std::int64_t length = 0);

/// Checks as `screen` does, except kFinite.
Screening screen_mixing_and_gradients(const ir::Graph& graph, std::uint64_t seed, std::int64_t length);

}  // namespace gabbro::exec
