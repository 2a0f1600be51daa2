// Appends nodes to one body of a graph, with common-subexpression elimination and algebraic simplification.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "ir/op.h"

namespace gabbro::ir {

/// The one way to make nodes. `try_add` runs the op's shape rule and returns its error; the named methods are
/// for callers that know their operands fit (gradient rules, rewrites) and abort otherwise. Equal nodes are
/// shared, constants folded, and neutral operations removed on the way in (rules in builder.cc), so a
/// finished body is already in simplified form. Amortised O(1) per node.
class Builder {
 public:
  Builder(Graph& graph, int body) : graph_(graph), body_(body) {}

  Result<NodeId> try_add(Node node);
  NodeId add(Node node);

  NodeId constant(double value, std::int32_t sym = -1);
  NodeId param(int index);
  NodeId arg(int index, const Type& type);
  NodeId unary(Op op, NodeId x);
  NodeId plus(NodeId a, NodeId b);
  NodeId times(NodeId a, NodeId b);
  NodeId minus(NodeId a, NodeId b) { return plus(a, scale(b, -1)); }
  NodeId less(NodeId a, NodeId b);
  NodeId where(NodeId condition, NodeId a, NodeId b);
  NodeId scale(NodeId x, double factor) { return times(x, constant(factor)); }
  NodeId power(NodeId x, double exponent);
  NodeId sum(NodeId x, const AxisList& over);
  NodeId dot(NodeId a, NodeId b, const AxisList& over);
  /// Sums away what `x` has beyond `type` and broadcasts what it lacks.
  NodeId fit(NodeId x, Type type);

  [[nodiscard]] const Node& node(NodeId id) const { return graph_.bodies[body_].nodes[id]; }
  /// A copy: references to nodes die when the next node is made.
  [[nodiscard]] Type type(NodeId id) const { return node(id).type; }
  [[nodiscard]] Graph& graph() const { return graph_; }
  [[nodiscard]] int body() const { return body_; }
  /// From here on no rule of simplification looks through node `id`: what reads it goes on reading it. A
  /// value by which is differentiated later needs that: 3 * (2 * x), made 6 * x, would no longer read 2 * x.
  void keep(NodeId id) { kept_.push_back(id); }
  [[nodiscard]] bool is_kept(NodeId id) const {
    return std::find(kept_.begin(), kept_.end(), id) != kept_.end();
  }
  void set_line(std::int32_t line) { line_ = line; }

 private:
  Result<NodeId> simplify(const Node& node, bool& done);
  NodeId intern(Node node);
  void enter(std::uint64_t key, NodeId id);
  [[nodiscard]] bool is_constant(NodeId id, double value) const;
  [[nodiscard]] bool is_plain_constant(NodeId id) const;

  Graph& graph_;
  int body_;
  std::int32_t line_ = 0;
  std::vector<std::pair<std::uint64_t, NodeId>> seen_;  // by key: a power of two of places, -1 in free ones
  std::size_t seen_count_ = 0;
  std::vector<NodeId> kept_;
};

/// `node` of another graph with its operands, those of a scan included, replaced by map[operand]. Scans keep
/// their numbers.
NodeId copy_node(Builder& b, Node node, const std::vector<NodeId>& map);

}  // namespace gabbro::ir
