// The op table. One row (op.cc) holds everything the system knows about an operation.
//
// The verifier, the causality proof, the costs, the gradients, the language reference and the tests per op
// all read this table. A new op needs a name in graph.h, a row in op.cc and a kernel in exec/reference;
// CONTRIBUTING.md lists the rest.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/graph.h"

namespace gabbro::ir {

/// Input positions that can influence position t of a value, as a closed interval of offsets from t. A value
/// that reads no token (a parameter, the lag) has the empty reach. Offsets saturate at kFar and stay there,
/// so composition never underestimates.
struct Reach {
  static constexpr std::int64_t kFar = std::int64_t{1} << 40;
  std::int64_t first = 1;
  std::int64_t last = 0;

  [[nodiscard]] constexpr bool empty() const { return first > last; }
  friend constexpr bool operator==(const Reach&, const Reach&) = default;
};

/// Returns the reach of an operation with reach `outer` applied to a value with reach `inner`.
Reach compose(Reach inner, Reach outer);
/// Returns the smallest interval that contains both.
Reach join(Reach a, Reach b);

/// Group of an op. kAdjoint ops appear only in gradients. kLowered ops are created only by passes for a
/// backend (ir/recurrences.h, convolve.h, fuse.h, recompute.h). The reference backend has no kernels for
/// them: a lowered graph is compared with the reference on the graph from which it was derived.
enum class Kind : std::uint8_t { kLeaf, kPointwise, kReduce, kAxes, kTable, kTime, kAdjoint, kLowered };

class Builder;

/// Receives the adjoints of a node's operands from a gradient rule.
class Adjoints {
 public:
  virtual ~Adjoints() = default;
  /// Adds `adjoint` to operand number `i`. It may have more axes than the operand; these are summed.
  virtual void add(int i, NodeId adjoint) = 0;
};

struct OpInfo {
  Op op;
  std::string_view name;
  Kind kind;
  int arity;
  /// Returns the type of the node from its operands and attributes. Serves as the shape rule and, run again
  /// on a finished node, as the verifier.
  Result<Type> (*infer)(const Graph&, const Body&, const Node&);
  /// Returns the offsets of its operand that the op reads at position t, ignoring the operand's own reach.
  Reach (*reach)(const Graph&, const Node&);
  /// Floating-point operations per element of the result (kDot: per element of the union of its operands'
  /// axes).
  double flops;
  /// Computes a pointwise op on scalars (operands, then the `value` attribute); null for all other ops. Used
  /// for constant folding and as the kernel of the reference backend.
  double (*scalar)(double a, double b, double c, double value);
  /// Gradient rule: adds the adjoints of the operands, given the adjoint of the node's value. Null if no
  /// gradient passes through the op.
  void (*vjp)(Builder&, NodeId self, NodeId adjoint, Adjoints&);
  /// One line for the language reference; empty for ops that programs cannot write.
  std::string_view doc;
  /// Expressions over x, y: [t, D], z: [t, h, k], p: [D] that exercise the op; the inputs of every per-op
  /// test.
  std::string_view samples;
};

const OpInfo& info(Op op);
std::span<const OpInfo> all_ops();

}  // namespace gabbro::ir
