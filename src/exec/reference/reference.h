// The reference backend: obvious float64 loops over every op. It is the ground truth for all faster backends.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/random.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// The inputs of a graph: token ids (kTokens), external inputs in index order (kInput, with time as the first
/// axis if they vary over time), and one tensor per parameter of the graph.
struct Feed {
  std::vector<std::int64_t> tokens;
  std::vector<Tensor> inputs;
  std::vector<Tensor> params;
};

/// Returns a tensor of zeros with axes `axes` and `length` positions along time.
Tensor zeros(const ir::Graph& graph, const ir::AxisList& axes, std::int64_t length);

/// Draws the initial parameters as Param::init specifies. Each parameter has its own random stream, split
/// from `random` by its name.
std::vector<Tensor> initial_params(const ir::Graph& graph, const Random& random);

/// Evaluates the nodes `wanted` of body 0 over `length` positions, in parallel (whole-sequence) form. Values
/// over past positions are [t, s, ...] with s in [0, length). Entries with s > t or t - s >= window are 0 and
/// do not take part in reductions. A token id outside the vocabulary is an internal error. The cost is the
/// number of elements of all live nodes (times the contracted extents for kDot). If `float32` is true, the
/// result of every op is rounded to float32, so that values beyond its range overflow or underflow as they
/// would there.
std::vector<Tensor> evaluate(const ir::Graph& graph, std::span<const ir::NodeId> wanted, const Feed& feed,
                             std::int64_t length, bool float32 = false);

/// Decodes position by position. For every op that looks back, it carries exactly the state that the op
/// needs: the last n values for a shift, the last `window` values for a past, the states of a scan. `step`
/// consumes the next position of the feed (one token, and inputs whose time extent is 1) and returns the
/// wanted values at that position without the time axis. A graph with ops that look ahead is an internal
/// error.
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
