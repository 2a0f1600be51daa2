// Checks a program by building it: syntax tree to typed graph.
//
// Elaboration is the type checker. It runs unit bodies on symbolic values (graph nodes, numbers, axes,
// instances); every operation goes through the op table's shape rule, so what elaborates is well typed. Child
// slots are filled, loops and stacks unrolled, functions expanded. The only ways to other positions that a
// program has are shift, past and scan, so what elaborates is causal; ir/facts.h proves it again on the
// result.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "lang/ast.h"
#include "lang/library.h"
#include "lang/survey.h"

namespace gabbro::lang {

/// A whole-number hyperparameter with another value than is written: `hyper` of every instance of `unit` in
/// which it is `from`.
struct Move {
  std::string unit, hyper;
  double from = 0, to = 0;
  friend bool operator==(const Move&, const Move&) = default;
};

/// "Mamba2.state 16 to 21, GLA.rank 8 to 9"; "" without any.
std::string text_of(const std::vector<Move>& moves);

struct ElaborateOptions {
  std::int64_t width = 0;  // D; 0: what the design says, else 256
  std::int64_t vocab = 0;  // V; 0: what the design says, else 4096
  double free_scale =
      1;  // factor on every hyperparameter marked `free` (kept within its range); resizing sets it
  std::vector<Move> moves = {};  // at most one for each value of a hyperparameter; resizing sets them
  bool record_names = false;
  Survey* survey = nullptr;  // filled when a single unit is elaborated
  std::size_t max_nodes =
      200'000;  // operations; and kStepsPerNode times as many steps, which are what makes none
  static constexpr std::size_t kStepsPerNode = 20;
};

/// One use of a unit, in call order: the tree of instances is given by `depth`.
struct InstanceInfo {
  std::string path;  // "stack.3.mixer"
  std::string unit;
  std::string hypers;  // "heads=4, window=64"
  int depth = 0;
  std::int64_t params = 0;  // new parameters made inside, children included
};

/// A named value of a unit, for `gabbro show`.
struct NamedValue {
  std::string unit;
  std::string name;
  std::string type;
  int line = 0;
};

/// Where a free hyperparameter got its value.
struct FreeHyper {
  std::string path;
  double value = 0;
  double low = 0;
  double high = 0;
};

/// A whole-number hyperparameter that is not `free`, in all instances of its unit that give it one value.
struct IntHyper {
  std::string unit, hyper;
  double value = 0;
  std::vector<std::pair<double, double>> range;  // the allowed values: each from the first to the second
};

struct Elaboration {
  ir::Graph graph;                  // complete only when `errors` is empty
  std::vector<ir::NodeId> outputs;  // a design: the logits [t, V]; a unit: its results
  ir::AxisId width = 0;
  ir::AxisId vocab = 0;
  std::vector<InstanceInfo> instances;
  std::vector<NamedValue> names;
  std::vector<FreeHyper> free_hypers;
  std::vector<IntHyper> int_hypers;  // of those with a range and a finite value, the first kMostIntHypers
  std::vector<Move> moves;           // as they were asked for
  std::size_t steps = 0;             // statements and expressions that were evaluated
  std::vector<Error> errors;
  static constexpr std::size_t kMostIntHypers = 64;
  [[nodiscard]] bool ok() const { return errors.empty(); }
};

/// The model that `design` describes: tokens to logits. O(nodes of the result).
Elaboration elaborate(const Library& library, const Design& design, const ElaborateOptions& options = {});

/// One unit on external inputs [t, D] (kInput 0, 1, ...), with its default hyperparameters or those in
/// `instance` (an instance expression such as "GLA(heads=2)"). Slots without default are filled with linear
/// maps.
Elaboration elaborate(const Library& library, const Expr& instance, const ElaborateOptions& options = {});

}  // namespace gabbro::lang
