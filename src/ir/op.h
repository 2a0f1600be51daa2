// The op table: everything the system knows about an operation stands in one row (op.cc).
//
// The verifier, the causality proof, the costs, the gradients, the language reference, the grammar and the
// random generator all read this table. A new op is a name in graph.h, a row in op.cc and a kernel in
// exec/reference.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/graph.h"

namespace gabbro::ir {

/// Input positions that can influence position t of a value, as a closed interval of offsets from t. A value
/// that reads no token (a parameter, the lag) has the empty reach. Saturated offsets absorb, so composition
/// never understates.
struct Reach {
  static constexpr std::int64_t kFar = std::int64_t{1} << 40;
  std::int64_t first = 1;
  std::int64_t last = 0;

  [[nodiscard]] constexpr bool empty() const { return first > last; }
  friend constexpr bool operator==(const Reach&, const Reach&) = default;
};

/// Reach of an operation of reach `outer` applied to a value of reach `inner`.
Reach compose(Reach inner, Reach outer);
/// Smallest interval containing both.
Reach join(Reach a, Reach b);

/// kAdjoint: only gradients have it. kLowered: only passes for a backend make it (ir/chunk.h, convolve.h,
/// fuse.h, recompute.h); the reference has no kernel, a lowered graph is held against the reference on the
/// graph that it came from.
enum class Kind : std::uint8_t { kLeaf, kPointwise, kReduce, kAxes, kTable, kTime, kAdjoint, kLowered };

class Builder;

/// Receives the adjoints of a node's operands from a gradient rule.
class Adjoints {
 public:
  virtual ~Adjoints() = default;
  /// Adds `adjoint` to operand number `i`. It may have more axes than the operand: the surplus is summed
  /// away.
  virtual void add(int i, NodeId adjoint) = 0;
};

struct OpInfo {
  Op op;
  std::string_view name;
  Kind kind;
  int arity;
  /// Type of the node from its operands and attributes; the shape rule and, run again on a finished node, the
  /// verifier.
  Result<Type> (*infer)(const Graph&, const Body&, const Node&);
  /// Offsets of its operand that the op reads at position t, ignoring its operand's own reach.
  Reach (*reach)(const Graph&, const Node&);
  /// Floating-point operations per element of the result (kDot: of the union of its operands' axes).
  double flops;
  /// Value of a pointwise op on numbers (operands, then the `value` attribute); null for the others. Used for
  /// constant folding and as the kernel of the reference backend.
  double (*scalar)(double a, double b, double c, double value);
  /// Gradient rule: given the adjoint of the node's value, adds adjoints of its operands. Null: no gradient
  /// passes.
  void (*vjp)(Builder&, NodeId self, NodeId adjoint, Adjoints&);
  /// One line for the language reference. Empty for ops that programs cannot write.
  std::string_view doc;
  /// Expressions over x, y: [t, D], z: [t, h, k], p: [D] that exercise the op; inputs of every per-op test.
  std::string_view samples;
};

const OpInfo& info(Op op);
std::span<const OpInfo> all_ops();

}  // namespace gabbro::ir
