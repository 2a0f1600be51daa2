// The intermediate representation: a design as a graph of typed tensor operations.
//
// A Graph holds bodies, which are lists of nodes in topological order. Body 0 is the model; every scan adds a
// body for its step. Values have named axes, not dimension numbers: an axis is an entry of the graph's axis
// table, and the type of a value is a set of axes. Two axes are special. kTime is the position in the
// sequence. kPast, opened by the op `past`, ranges over the positions s <= t, at most `window` of them. The
// batch is not represented: every value exists once per sequence.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/inline_vec.h"
#include "base/result.h"
#include "ir/sym.h"

namespace gabbro::ir {

enum class Op : std::uint8_t {
  // leaves
  kConst,
  kParam,
  kTokens,
  kInput,
  kArg,
  kLag,
  kIota,
  kPosition,
  // pointwise
  kAdd,
  kMul,
  kMax,
  kLess,
  kWhere,
  kDiv,
  kRecip,
  kSqrt,
  kPow,
  kPower,
  kExp,
  kLog,
  kSin,
  kCos,
  kTanh,
  kSigmoid,
  kSoftplus,
  kErf,
  kFloor,
  kDetach,
  // reductions and contractions
  kSum,
  kMaxOver,
  kDot,
  kTopK,
  // axes
  kBroadcast,
  kRename,
  kSplit,
  kMerge,
  kSlice,
  kPad,
  // tables
  kLookup,
  kScatter,
  // time
  kShift,
  kPast,
  kUnpast,
  kScan,
  kScanOut,
  // lowered graphs (ir/fuse.h, ir/recurrences.h, ir/recompute.h, ir/convolve.h)
  kSoftmax,
  kSoftmaxGrad,
  kRecur,
  kAffine,
  kAfter,
  kDelay,
  kConvolve,
  kCount_,
};

using NodeId = std::int32_t;
using AxisId = std::uint16_t;

constexpr AxisId kTime = 0;
constexpr AxisId kPast = 1;
constexpr AxisId kFirstAxis = 2;
constexpr int kMaxRank = 8;  // axes of one value, including time and past
using AxisList = InlineVec<AxisId, kMaxRank>;

/// The window that holds all positions.
constexpr std::int32_t kAll = std::numeric_limits<std::int32_t>::max();

/// Set of axes in ascending order of id, and the window of the past axis if there is one. Time and past
/// therefore come first, which is the memory order of the reference backend. A value with kPast also has
/// kTime, and exists only for 0 <= t - s < window.
struct Type {
  AxisList axes;
  std::int32_t window = 0;

  [[nodiscard]] bool has(AxisId axis) const { return axes.contains(axis); }
  [[nodiscard]] bool time() const { return has(kTime); }
  [[nodiscard]] bool past() const { return has(kPast); }
  void add(AxisId axis);
  void remove(AxisId axis);
  friend bool operator==(const Type&, const Type&) = default;
};

struct Axis {
  std::string name;
  std::int64_t size = 0;
  Sym sym;  // the size as a formula
};

/// Function of a parameter, which determines its initialisation and its width-dependent learning rate under
/// muP (Yang et al. 2022, arXiv 2203.03466): input or output table, hidden matrix, vector or scalar, initial
/// state of a scan.
enum class Role : std::uint8_t { kInput, kHidden, kOutput, kVector, kState };

/// Distribution of initial values: constant `a`, normal with standard deviation `a` (0 means 1/sqrt(fan-in)),
/// or uniform in [a, b].
struct Init {
  enum class Kind : std::uint8_t { kConstant, kNormal, kUniform } kind = Kind::kNormal;
  double a = 0;
  double b = 0;
  friend bool operator==(const Init&, const Init&) = default;
};

struct Param {
  std::string name;  // instance path and the statement that created it: "stack.3.mixer.q"
  AxisList axes;     // ascending
  AxisList fan_in;   // the axes contracted with the input; empty for vectors
  Role role = Role::kHidden;
  Init init;
};

struct Node {
  Op op = Op::kConst;
  Type type;
  std::array<NodeId, 3> in{-1, -1, -1};
  AxisList axes;     // reduced, introduced or renamed axes; the meaning per op is in op.cc
  double value = 0;  // kConst, kPow (the exponent)
  // kConst: index of the symbolic value, or -1. kParam, kInput, kArg, kScan, kAffine, kScanOut: index of the
  // parameter, input, argument, scan, recurrence or result. kSlice, kPad: index of the symbolic offset, or
  // -1.
  std::int32_t index = -1;
  // kShift: distance; kPast, kLag, kBroadcast along kPast: window; kSlice, kPad: offset; kTopK: k. kRecur: 0
  // if it runs forward, 1 backward. kConvolve: see op.cc.
  std::int32_t amount = 0;
  std::int32_t line = 0;  // line of the source, for messages
};

/// The body of a recurrence step and the bindings of its arguments. The arguments of the body are, in order:
/// states, sequences (without time), invariants. The outputs of the body are the new states, then per-step
/// values. The results of the scan (kScanOut) are per-step values with time, then final states. If `reverse`
/// is set, the scan runs from the last position to the first; only gradients do so.
struct Scan {
  std::int32_t body = -1;
  std::vector<NodeId> inits;       // of the enclosing body, without time
  std::vector<NodeId> sequences;   // of the enclosing body, with time
  std::vector<NodeId> invariants;  // of the enclosing body, without time
  bool reverse = false;
};

/// A recurrence that is affine in its state (ir/recurrences.h). The state S: [shared, contracted, values] is
/// zero before each document and changes at each position by S' = decay S + sum_r p_r (c_r . S) + sum_m k_m
/// v_m. The results (kScanOut) are the reads row_n . S or row_n . S', of type [t, shared, values]. The
/// results of an adjoint are the adjoints of the operands. Only kAffine refers to this type.
struct Affine {
  // Axes of the decay. kShared: the shared axes. kChannel: also the contracted axes. kOuter: the decay is
  // exp(rate slope), one per element of the state; the rate has the shared axes and the values, and the
  // slope, which is the same at all positions, has all axes.
  enum class Decay : std::uint8_t { kNone, kShared, kChannel, kOuter };
  AxisList shared, contracted, values;
  Decay decay = Decay::kNone;
  bool value_decay = false;  // if set, a second factor of the decay along shared and values
  std::int32_t ranks = 0;    // number of terms p (c . S)
  std::int32_t added = 0;    // number of terms k v
  std::vector<bool> after;   // for each read, true if it reads S' instead of S
  bool adjoint = false;      // true for the recurrence that computes the adjoints of another
  // All operands have time (except for the slope) and all of their axes. They are, in order: decay (kOuter:
  // rate, slope), value decay, p, c, k, v, rows. An adjoint appends the adjoints of the reads.
  std::vector<NodeId> operands;

  /// Number of operands of the decay.
  [[nodiscard]] std::int32_t decays() const {
    return decay == Decay::kNone ? 0 : decay == Decay::kOuter ? 2 : 1;
  }
  /// Number of operands without the adjoints of the reads.
  [[nodiscard]] std::int32_t inputs() const {
    return decays() + (value_decay ? 1 : 0) + 2 * ranks + 2 * added + static_cast<std::int32_t>(after.size());
  }
  /// The types of operand `i` and of a read.
  [[nodiscard]] Type operand_type(std::int32_t i) const;
  [[nodiscard]] Type read_type() const;
  /// Number of results of the node.
  [[nodiscard]] std::int32_t results() const {
    return adjoint ? inputs() : static_cast<std::int32_t>(after.size());
  }
  [[nodiscard]] Type result_type(std::int32_t i) const { return adjoint ? operand_type(i) : read_type(); }
};

struct Body {
  std::vector<Node> nodes;
  std::vector<NodeId> outputs;
};

struct Graph {
  Graph();

  std::vector<Axis> axes;  // [kTime] and [kPast] are placeholders
  std::vector<Param> params;
  std::vector<Body> bodies;
  std::vector<Scan> scans;
  std::vector<Affine> affines;
  std::vector<Sym> syms;  // symbolic values of constants and offsets that depend on the width
  SymEnv env;             // the values at which the concrete sizes were computed
  // True if a count, distance or condition was derived from the width: another width may give another
  // structure.
  bool width_bound = false;

  AxisId add_axis(std::string name, std::int64_t size, Sym sym);
  [[nodiscard]] const Node& node(int body, NodeId id) const { return bodies[body].nodes[id]; }
  [[nodiscard]] std::string type_name(const Type& type) const;
  [[nodiscard]] std::string axis_names(const AxisList& axes) const;
};

/// Returns the number of per-step outputs of a scan.
int step_outputs(const Graph& graph, const Scan& scan);

/// Calls f(operand) for every operand of `node`, including those of a scan or of kAffine.
template <class F>
void for_each_operand(const Graph& graph, const Node& node, F&& f) {
  if (node.op == Op::kScan) {
    const Scan& scan = graph.scans[node.index];
    for (NodeId id : scan.inits) f(id);
    for (NodeId id : scan.sequences) f(id);
    for (NodeId id : scan.invariants) f(id);
    return;
  }
  if (node.op == Op::kAffine)
    for (NodeId id : graph.affines[node.index].operands) f(id);
  for (NodeId id : node.in)
    if (id >= 0) f(id);
}

/// Returns one flag per node of body `body`: true for the given nodes and those that they depend on.
/// O(nodes).
std::vector<bool> live_nodes(const Graph& graph, int body, std::span<const NodeId> from);

/// Returns one flag per node of the body of `scan`: true if it depends on a state or a sequence. O(nodes).
std::vector<bool> varying_nodes(const Graph& graph, const Scan& scan);

/// Returns the number of elements of a value at one position: the product of its axes other than time and
/// past, or the largest int64 if the product is larger.
std::int64_t elements(const Graph& graph, const AxisList& axes);

}  // namespace gabbro::ir
