// The affine form of one step of a recurrence in one of its states.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/builder.h"

namespace gabbro::ir::affine {

constexpr NodeId kNone = -1;  // as a factor: 1; as a summand: 0

/// The term p (c . S) of an update; c has the contracted axes.
struct Rank {
  NodeId p = kNone, c = kNone;
};

/// The product k * v; `k` has no value axes and `v` no contracted axes.
struct Product {
  NodeId k = kNone, v = kNone;
};

/// S' = decay S + sum p (c . S) + sum k v. All operands are nodes of the enclosing body, at all positions.
struct Update {
  Product decay;
  // If set, the decay is exp(rate slope) instead. The slope does not depend on time, and there are no ranks.
  NodeId rate = kNone, slope = kNone;
  [[nodiscard]] bool is_outer() const { return rate != kNone || slope != kNone; }
  std::vector<Rank> ranks;
  std::vector<Product> added;
};

/// The value of step node `node` as scale (row . S) + rest, with S before the step.
struct Read {
  NodeId node = kNone;
  NodeId row = kNone, scale = kNone, rest = kNone;
  // The same value as after . S' + after_rest, if it reads only the state after the step.
  NodeId after = kNone, after_rest = kNone;
};

struct Match {
  // Axes of S: `contracted` are summed in c . S, and no coefficient has `values`; the others are shared.
  AxisList contracted, values;
  Update update;
  std::vector<Read> reads;
  std::string refused;  // why there is no match; then nothing else is valid
  bool waits = false;   // refused only because another state is not known yet
};

/// The update S' = factor * S + added, element by element.
struct Diagonal {
  NodeId factor = kNone, added = kNone;
};

/// Matches the update of state `state` of `scan`. known[n] is the node of `b`'s body that holds step node n
/// at all positions, or -1. Appends nodes to `b`.
Match match_state(Builder& b, const Graph& graph, const Scan& scan, int state,
                  const std::vector<NodeId>& known);

/// Returns the update of state `state` in diagonal form, or nullopt if it does not have this form. Arguments
/// as for `match_state`.
std::optional<Diagonal> match_diagonal(Builder& b, const Graph& graph, const Scan& scan, int state,
                                       const std::vector<NodeId>& known);

// In the following functions, an operand kNone stands for 1.

/// Returns x * y.
NodeId times(Builder& b, NodeId x, NodeId y);
/// Broadcasts x along those of `axes` that it lacks.
NodeId with_axes(Builder& b, NodeId x, const AxisList& axes);
/// Contracts x and y over `axes`; axes that neither operand has are broadcast.
NodeId contract(Builder& b, NodeId x, NodeId y, const AxisList& axes);

}  // namespace gabbro::ir::affine
