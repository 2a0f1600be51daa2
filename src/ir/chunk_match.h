// The affine form of one step of a recurrence, with respect to one of its states.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/builder.h"

namespace gabbro::ir::chunk {

constexpr NodeId kNone = -1;  // as a factor: one; as a summand: zero

/// p (c . S): c has the contracted axes.
struct Rank {
  NodeId p = kNone, c = kNone;
};

/// k * v: `k` has no value axes, `v` no contracted ones.
struct Product {
  NodeId k = kNone, v = kNone;
};

/// S' = decay S + sum p (c . S) + sum k v. All values are of the enclosing body, at all positions.
struct Affine {
  Product decay;
  NodeId rate = kNone,
         slope = kNone;  // a decay of exp(rate slope) instead; the slope has no time, and there are no ranks
  [[nodiscard]] bool is_outer() const { return rate != kNone || slope != kNone; }
  std::vector<Rank> ranks;
  std::vector<Product> added;
};

/// scale (row . S) + rest, S before the step: the value of step node `node`.
struct Read {
  NodeId node = kNone;
  NodeId row = kNone, scale = kNone, rest = kNone;
  // The same of S after the step, where that is all it reads: after . S' + after_rest.
  NodeId after = kNone, after_rest = kNone;
};

struct Match {
  AxisList contracted,
      values;  // axes of S: those of c . S, those without any coefficient; the others are shared
  Affine update;
  std::vector<Read> reads;
  std::string refused;  // why there is no match; then nothing else holds
  bool waits = false;   // refused for the sake of a state that is not known yet
};

/// Matches the update of state `state` in body `step` of `graph`. known[n] is the node of `b`'s body that
/// holds step node n at all positions, or -1. `outer`: whether a decay may be exp(rate slope). Appends nodes
/// to `b`.
Match match_state(Builder& b, const Graph& graph, const Scan& scan, int state,
                  const std::vector<NodeId>& known, bool outer);

/// The update as factor * S + added, elementwise, for any decay; nullopt when it is not of this form.
std::optional<Product> match_diagonal(Builder& b, const Graph& graph, const Scan& scan, int state,
                                      const std::vector<NodeId>& known);

/// log x where x > 0 follows from how x is computed.
std::optional<NodeId> log_of(Builder& b, NodeId x);

/// a * b, where kNone stands for one.
NodeId times(Builder& b, NodeId x, NodeId y);
/// x with the missing ones of `axes`.
NodeId with_axes(Builder& b, NodeId x, const AxisList& axes);
/// Contraction over `axes`, repeated along those that neither operand has.
NodeId contract(Builder& b, NodeId x, NodeId y, const AxisList& axes);

}  // namespace gabbro::ir::chunk
