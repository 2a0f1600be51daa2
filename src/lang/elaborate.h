// Checks a program by building it: turns a syntax tree into a typed graph.
//
// Elaboration is the type checker. It runs unit bodies on symbolic values (graph nodes, numbers, axes,
// instances). Every operation goes through the op table's shape rule, so every program that elaborates is
// well typed. Child slots are filled, loops and stacks are unrolled, and functions are expanded. A program
// can read other positions only through shift, past and scan, so every program that elaborates is causal;
// ir/facts.h proves it again on the result.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "lang/ast.h"
#include "lang/library.h"
#include "lang/survey.h"

namespace gabbro::lang {

/// A change of an integer hyperparameter: `hyper` becomes `to` in every instance of `unit` in which it is
/// `from`.
struct Move {
  std::string unit, hyper;
  double from = 0, to = 0;
  friend bool operator==(const Move&, const Move&) = default;
};

/// Returns "Mamba2.state 16 to 21, GLA.rank 8 to 9"; "" if there are no moves.
std::string text_of(const std::vector<Move>& moves);

struct ElaborateOptions {
  // D and V; 0 means the value in the design, or else 256 and 4096.
  std::int64_t width = 0;
  std::int64_t vocab = 0;
  // Factor on every hyperparameter marked `free` (clamped to its range); set by resizing.
  double free_scale = 1;
  // At most one per value of a hyperparameter; set by resizing.
  std::vector<Move> moves = {};
  bool record_names = false;  // fills Elaboration::names
  Survey* survey = nullptr;   // filled when a single unit is elaborated
  // Maximum number of operations. Evaluation steps, which need not create operations, are limited to
  // kStepsPerNode times as many.
  std::size_t max_nodes = 200'000;
  static constexpr std::size_t kStepsPerNode = 20;
};

/// One use of a unit. Instances are listed in call order, so `depth` gives the tree.
struct InstanceInfo {
  std::string path;  // "stack.3.mixer"
  std::string unit;
  std::string hypers;  // "heads=4, window=64"
  int depth = 0;       // number of units and functions around it
  // Number of parameters (elements) that it creates, including those of its children. A shared instance
  // counts where it is used first.
  std::int64_t params = 0;
};

/// A named value of a unit, for `gabbro show`.
struct NamedValue {
  std::string unit;
  std::string name;
  std::string type;
  int line = 0;
};

/// The value and range of a free hyperparameter of one instance.
struct FreeHyper {
  std::string path;
  double value = 0;
  double low = 0;
  double high = 0;
};

/// An integer hyperparameter that is not `free`, in all instances of its unit in which it has this value.
struct IntHyper {
  std::string unit, hyper;
  double value = 0;
  // The allowed values: each range from the first to the second, inclusive; empty if all are.
  std::vector<std::pair<double, double>> range;
  bool own = false;  // the unit is part of the checked program
};

/// The place in the program that creates a parameter, for messages.
struct ParamOrigin {
  Position at;           // of the call; line 0 for parameters that no call creates
  std::string unit;      // the unit or fn of the checked program in which it stands
  std::string label;     // name that is assigned there
  bool carried = false;  // `label` is carried by the loop
  std::string round;  // condition that holds in this round of the loop alone: "i == n - 1"; "" if none does
  bool in_callee = false;  // the loop calls `unit`, or a unit around it
  int call_line = 0;       // of the call of `unit`; 0 if it is elaborated on its own
};

struct Elaboration {
  ir::Graph graph;                  // complete only when `errors` is empty
  std::vector<ir::NodeId> outputs;  // a design: the logits [t, V]; a unit: its results
  ir::AxisId width = 0;             // the axis D
  ir::AxisId vocab = 0;             // the axis V; 0 for a unit
  std::vector<InstanceInfo> instances;
  std::vector<NamedValue> names;
  std::vector<ParamOrigin> origins;  // by index of the parameter; may be shorter than their list
  std::vector<FreeHyper> free_hypers;
  std::vector<IntHyper> int_hypers;   // of those with a range and a finite value, the first kMostIntHypers
  std::vector<IntHyper> open_hypers;  // the same of those without a range
  std::vector<Move> moves;            // as given in the options
  std::size_t steps = 0;              // statements and expressions that were evaluated
  std::vector<Error> errors;
  static constexpr std::size_t kMostIntHypers = 64;
  [[nodiscard]] bool ok() const { return errors.empty(); }
};

/// Returns the model that `design` describes: tokens to logits. O(nodes of the result).
Elaboration elaborate(const Library& library, const Design& design, const ElaborateOptions& options = {});

/// Returns one unit on external inputs [t, D] (kInput 0, 1, ...), with its default hyperparameters or those
/// in `instance` (an instance expression such as "GLA(heads=2)"). Slots without default are filled with sums
/// of their inputs, each scaled by a parameter per channel.
Elaboration elaborate(const Library& library, const Expr& instance, const ElaborateOptions& options = {});

/// Names given so far within one unit, and how often each was requested.
using Labels = std::vector<std::pair<std::string, int>>;
/// Returns `label`, with a number behind it if it was given before ("q", "q_2"), and remembers it. Parameters
/// get such names, and exports repeat them. O(labels).
std::string unique_label(Labels& labels, std::string_view label);

}  // namespace gabbro::lang
