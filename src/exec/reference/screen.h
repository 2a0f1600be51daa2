// Whether a design can be trained at all: what types cannot say of it, found by running it small, before a
// worker is given to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// Parameters around the constants that they start from, so that decays and gains stay what they are meant to
/// be, and those that start at zero hide nothing. Numbers of float32.
std::vector<Tensor> random_params(const ir::Graph& graph, double scale, Random& random);

/// Numbers that a run of `length` positions keeps.
double numbers_kept(const ir::Graph& graph, std::int64_t length);

/// Whether the program itself writes a number about as large as `v`, to within a factor of sixteen: masks,
/// sums of some, what a maximum starts from.
bool writes(const ir::Graph& graph, double v);

/// Why a design is refused; an empty cause when it is not. "size": a run of it takes more work than the
/// screen may (exec/reference/work.h); "finite": the first parameters, or the first gradient, give values
/// that are no numbers or whose squares leave float32, or a larger embedding gives such logits. What holds
/// neither with the first parameters nor after four updates from them is not reached by training: "mixing"
/// when the tokens before a position change its logits by less than 1/1000 of what its own token does, or
/// nothing depends on what a shift, a past or a scan brings from earlier positions; "gradient" for parameters
/// that get none that float32 would see, or, named, more than a fiftieth of all that get so little that AdamW
/// moves none.
struct Screening {
  std::string cause, detail;
  [[nodiscard]] bool passes() const { return cause.empty(); }
};

/// Runs `graph` (body 0: tokens to logits [t, V]) and its gradient on a random text of 24 positions (fewer
/// where it would keep too many numbers), from its first parameters, in float64; logits once in float32, with
/// room. Where that shows no mixing or no gradient, a text of `length` positions is asked, or of as much of
/// it as the work allows. Use a graph of small width (ir::narrowest). A function of its arguments. Cost:
/// eight to sixty runs, two to eleven of them with gradients; at most 2^29 operations and 2^26 elements in
/// each.
Screening screen(const ir::Graph& graph, std::uint64_t seed = 1, std::int64_t length = 0);

/// The part of `screen` that asks what training reaches: "size", "mixing" and "gradient".
Screening screen_reach(const ir::Graph& graph, std::uint64_t seed, std::int64_t length);

}  // namespace gabbro::exec
