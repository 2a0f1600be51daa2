// Appends nodes to one body of a graph, with common-subexpression elimination and algebraic simplification.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "ir/op.h"

namespace gabbro::ir {

/// The only way to create nodes. `try_add` runs the op's shape rule and returns its error. The named methods
/// are for callers that know that their operands fit (gradient rules, rewrites); they abort otherwise. Equal
/// nodes are shared, constants are folded, and neutral operations are removed as nodes are added (see
/// builder.cc for the rules), so a finished body is already in simplified form. Amortised O(1) per node.
class Builder {
 public:
  Builder(Graph& graph, int body) : graph_(graph), body_(body) {}

  Result<NodeId> try_add(Node node);
  NodeId add(Node node);

  /// `sym` is the index of the symbolic value in Graph::syms, or -1.
  NodeId constant(double value, std::int32_t sym = -1);
  NodeId param(int index);
  NodeId arg(int index, const Type& type);
  NodeId unary(Op op, NodeId x);
  NodeId plus(NodeId a, NodeId b);
  NodeId times(NodeId a, NodeId b);
  NodeId minus(NodeId a, NodeId b) { return plus(a, scale(b, -1)); }
  NodeId over(NodeId a, NodeId b);  // a / b
  NodeId less(NodeId a, NodeId b);  // 1 where a < b, else 0
  NodeId where(NodeId condition, NodeId a, NodeId b);
  NodeId scale(NodeId x, double factor) { return times(x, constant(factor)); }
  NodeId power(NodeId x, double exponent);
  NodeId power_of(NodeId x, NodeId exponent);
  NodeId sum(NodeId x, const AxisList& over);
  NodeId dot(NodeId a, NodeId b, const AxisList& over);
  /// Sums `x` over the axes that `type` lacks and broadcasts it along those that `x` lacks.
  NodeId fit(NodeId x, Type type);

  [[nodiscard]] const Node& node(NodeId id) const { return graph_.bodies[body_].nodes[id]; }
  /// Returns a copy, because references to nodes are invalidated when the next node is created.
  [[nodiscard]] Type type(NodeId id) const { return node(id).type; }
  [[nodiscard]] Graph& graph() const { return graph_; }
  [[nodiscard]] int body() const { return body_; }
  /// Stops simplification rules from looking through node `id`: later nodes that read it keep reading it. A
  /// value with respect to which a gradient is taken later needs this: 3 * (2 * x), simplified to 6 * x,
  /// would no longer read 2 * x.
  void pin(NodeId id) { pinned_.push_back(id); }
  [[nodiscard]] bool is_pinned(NodeId id) const {
    return std::find(pinned_.begin(), pinned_.end(), id) != pinned_.end();
  }
  /// Sets the source line that nodes added from now on record.
  void set_line(std::int32_t line) { line_ = line; }
  /// Constants are not folded if the result overflows float32. Returns the latest such result and clears it.
  std::optional<double> take_overflow() { return std::exchange(overflow_, std::nullopt); }

 private:
  std::optional<NodeId> simplify(const Node& node);
  NodeId intern(Node node);
  void insert(std::uint64_t key, NodeId id);
  [[nodiscard]] bool is_constant(NodeId id, double value) const;
  [[nodiscard]] bool is_plain_constant(NodeId id) const;

  Graph& graph_;
  int body_;
  std::int32_t line_ = 0;
  // Open-addressing hash table by key. The capacity is a power of two; free slots hold -1.
  std::vector<std::pair<std::uint64_t, NodeId>> seen_;
  std::size_t seen_count_ = 0;
  std::vector<NodeId> pinned_;
  std::optional<double> overflow_;
};

/// Returns true for a power of two or minus one: products with it, and its reciprocal, are exact.
bool is_power_of_two(double value);

/// Copies `node` of another graph and replaces its operands, those of a scan included, by map[operand]. `b`'s
/// graph must already hold copies of the scans and affine recurrences at the same indices; their operands are
/// replaced in place.
NodeId copy_node(Builder& b, Node node, const std::vector<NodeId>& map);

}  // namespace gabbro::ir
