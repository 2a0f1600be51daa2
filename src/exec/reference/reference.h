// The reference backend: obvious float64 loops over every op, the ground truth that all faster code is
// compared with.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/random.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// What a graph reads: token ids (kTokens), external inputs in index order (kInput: time first when they vary
/// over time), and one tensor per parameter of the graph.
struct Feed {
  std::vector<std::int64_t> tokens;
  std::vector<Tensor> inputs;
  std::vector<Tensor> params;
};

/// A tensor of zeros for a value of axes `axes`, with `length` positions along time.
Tensor zeros(const ir::Graph& graph, const ir::AxisList& axes, std::int64_t length);

/// Initial parameters as Param::init says, each from its own stream split from `random` by the parameter's
/// name.
std::vector<Tensor> initial_params(const ir::Graph& graph, const Random& random);

/// Values of the nodes `wanted` of body 0 over `length` positions, in parallel (whole-sequence) form. Values
/// over past positions are [t, s, ...] with s in [0, length); entries with s > t or t - s >= window are 0 and
/// take no part in reductions. A token id beyond the table is an internal error. Cost: the number of elements
/// of all live nodes (times the contracted extents for kDot). `single`: every op's result is rounded to
/// float32, so that what leaves its range overflows or vanishes as it would there.
std::vector<Tensor> evaluate(const ir::Graph& graph, std::span<const ir::NodeId> wanted, const Feed& feed,
                             std::int64_t length, bool single = false);

/// Decodes position by position: carries, for every op that looks back, exactly the state that the op needs
/// (the last n values for a shift, the last `window` for a past, the states of a scan). `step` consumes the
/// next position of the feed (one token, and inputs whose time extent is 1) and returns the wanted values at
/// that position without the time axis. Graphs with ops that look ahead are refused by an internal error.
class Stepper {
 public:
  Stepper(const ir::Graph& graph, std::span<const ir::NodeId> wanted, const std::vector<Tensor>& params);
  ~Stepper();
  std::vector<Tensor> step(const Feed& feed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gabbro::exec
