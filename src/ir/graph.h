// The intermediate representation: a design as a graph of typed tensor operations.
//
// A Graph holds bodies (straight-line lists of nodes in topological order): body 0 is the model, every scan
// adds one for its step. Values have named axes, not dimension numbers: an axis is an entry of the graph's
// axis table, and a value's type is a set of axes. Two axes are special. kTime is the position in the
// sequence; kPast ranges over the positions s <= t that a `past` opened, at most `window` of them. The batch
// is not represented: every value exists once per sequence.
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
  kRecip,
  kSqrt,
  kPow,
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
  // lowered graphs (ir/fuse.h, ir/chunk.h, ir/recompute.h, ir/convolve.h)
  kSoftmax,
  kSoftmaxGrad,
  kChunk,
  kUnchunk,
  kSolve,
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
constexpr int kMaxRank = 8;  // axes of one value, time and past included
using AxisList = InlineVec<AxisId, kMaxRank>;

/// A window without bound.
constexpr std::int32_t kAll = std::numeric_limits<std::int32_t>::max();

/// Set of axes in ascending id order (so time and past come first: the memory order of the reference
/// backend), and the window of the past axis when there is one. A value with kPast also has kTime; it exists
/// for 0 <= t - s < window only.
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
  Sym sym;
};

/// What a parameter is, for initialisation and for the width-dependent learning rates of muP (Yang et al.
/// 2022, arXiv 2203.03466): input and output tables, hidden matrices, vectors and scalars, initial states of
/// scans.
enum class Role : std::uint8_t { kInput, kHidden, kOutput, kVector, kState };

/// Initial values: constant `a`, normal with deviation `a` (0: 1/sqrt(fan-in)), or uniform in [a, b].
struct Init {
  enum class Kind : std::uint8_t { kConstant, kNormal, kUniform } kind = Kind::kNormal;
  double a = 0;
  double b = 0;
  friend bool operator==(const Init&, const Init&) = default;
};

struct Param {
  std::string name;  // instance path and the statement that made it: "stack.3.mixer.q"
  AxisList axes;     // ascending
  AxisList fan_in;   // the axes contracted with the input; empty for vectors
  Role role = Role::kHidden;
  Init init;
};

struct Node {
  Op op = Op::kConst;
  Type type;
  std::array<NodeId, 3> in{-1, -1, -1};
  AxisList axes;            // reduced, introduced, renamed ... (meaning per op, see op.cc)
  double value = 0;         // kConst, kPow
  std::int32_t index = -1;  // kConst: symbolic value or -1; kParam, kInput, kArg, kScan, kAffine, kScanOut:
                            // which; kSlice, kPad: symbolic offset or -1
  std::int32_t amount = 0;  // kShift: distance; kPast, kLag: window; kSlice, kPad: offset; kTopK: k
  std::int32_t line = 0;    // of the source, for messages
};

/// One step form and its bindings. Arguments of the body, in order: states, sequences (without time),
/// invariants. Outputs of the body: new states, then per-step values. Outputs of the scan (kScanOut):
/// per-step values with time, then final states. `reverse` runs from the last position to the first; only
/// gradients do.
struct Scan {
  std::int32_t body = -1;
  std::vector<NodeId> inits;       // of the enclosing body, without time
  std::vector<NodeId> sequences;   // of the enclosing body, with time
  std::vector<NodeId> invariants;  // of the enclosing body, without time
  bool reverse = false;
};

/// A state S: [shared, contracted, values], zero before each document, that changes at each position by
/// S' = decay S + sum_r p_r (c_r . S) + sum_m k_m v_m, and what is read of it: row_n . S or row_n . S'
/// (ir/chunk.h). Only kAffine refers to one. Results (kScanOut): what is read, [t, shared, values]; of an
/// adjoint, the adjoints of the operands.
struct Affine {
  // Which axes it has beside the values; kOuter: exp(rate slope), one number for each of the state, where the
  // rate has the values and the slope, the same at all positions, has all axes.
  enum class Decay : std::uint8_t { kNone, kShared, kChannel, kOuter };
  AxisList shared, contracted, values;
  Decay decay = Decay::kNone;
  bool value_decay = false;  // a factor of the decay along shared and values
  std::int32_t ranks = 0, added = 0;
  std::vector<bool> after;  // per read: of S' instead of S
  bool adjoint = false;
  // With time (but for the slope) and all of their axes, in order: decay (of kOuter: rate, slope), value
  // decay, p, c, k, v, rows; of an adjoint, then the adjoints of what is read.
  std::vector<NodeId> operands;

  /// Operands of the decay.
  [[nodiscard]] std::int32_t decays() const {
    return decay == Decay::kNone ? 0 : decay == Decay::kOuter ? 2 : 1;
  }
  /// Operands without the adjoints of what is read.
  [[nodiscard]] std::int32_t inputs() const {
    return decays() + (value_decay ? 1 : 0) + 2 * ranks + 2 * added + static_cast<std::int32_t>(after.size());
  }
  /// The type of operand `i`, and that of what is read.
  [[nodiscard]] Type operand_type(std::int32_t i) const;
  [[nodiscard]] Type read_type() const;
  /// Results of the node.
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
  std::vector<Sym> syms;  // symbolic values of constants that depend on the width
  SymEnv env;             // the values at which the concrete sizes were computed
  bool width_bound =
      false;  // a count, distance or condition followed from the width: another width, another graph

  AxisId add_axis(std::string name, std::int64_t size, Sym sym);
  [[nodiscard]] const Node& node(int body, NodeId id) const { return bodies[body].nodes[id]; }
  [[nodiscard]] std::string type_name(const Type& type) const;
  [[nodiscard]] std::string axis_names(const AxisList& axes) const;
};

/// Number of step outputs (per-step values) of a scan.
int step_outputs(const Graph& graph, const Scan& scan);

/// Calls f(operand) for every operand of `node`, those of a scan or of kAffine included.
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

/// Which nodes of body `body` the given nodes depend on, themselves included; one flag per node. O(nodes).
std::vector<bool> live_nodes(const Graph& graph, int body, std::span<const NodeId> from);

/// Which nodes of the body of `scan` depend on its states or sequences; one flag per node. O(nodes).
std::vector<bool> varying_nodes(const Graph& graph, const Scan& scan);

/// Elements of a value at one position: the product of its axes other than time and past.
std::int64_t elements(const Graph& graph, const AxisList& axes);

}  // namespace gabbro::ir
