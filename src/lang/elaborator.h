// The working state of elaboration; private to src/lang.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/builder.h"
#include "lang/elaborate.h"

namespace gabbro::lang {

using ir::AxisId;
using ir::AxisList;
using ir::NodeId;

struct Instance;
using InstancePtr = std::shared_ptr<const Instance>;

// Work that counts as one step (Elaborator::spend).
constexpr std::size_t kFormulasPerStep = 4;     // compared
constexpr std::size_t kNamesPerStep = 16;       // compared
constexpr std::size_t kMovedNamesPerStep = 64;  // moved
constexpr std::size_t kCharactersPerStep = 64;  // of paths of parameters and instances

/// A number known during elaboration, and its symbolic dependence on the width.
struct Static {
  double value = 0;
  ir::Sym sym;
};

/// The value of a name or an expression. kPoison is the value of an erroneous expression; it suppresses
/// follow-up errors.
struct Value {
  enum class Kind { kPoison, kStatic, kTensor, kAxis, kAxes, kInstance };
  Kind kind = Kind::kPoison;
  Static number;     // kStatic
  NodeId node = -1;  // kTensor: node `node` of body `body`
  int body = 0;
  AxisList axes;         // kAxis (one), kAxes
  InstancePtr instance;  // kInstance
  bool poison() const { return kind == Kind::kPoison; }
};

/// A child bound to a slot: a unit with its arguments, a sequence, a repetition, or a hole (unit == nullptr,
/// no parts).
struct Instance {
  enum class Kind { kUnit, kSequence, kRepeat, kHole };
  Kind kind = Kind::kUnit;
  const Unit* unit = nullptr;
  std::vector<std::pair<std::string_view, Value>> args;
  std::vector<InstancePtr> parts;  // kSequence: all parts; kRepeat: the repeated one
  int count = 1;
  std::string shared_path;          // if not empty, every call uses the parameters under this path
  const Interface* hole = nullptr;  // kHole
  Position at;
};

struct Binding {
  std::string_view name;
  Value value;
  Position at;
  bool read = false;
  bool may_rebind = false;  // carried variables of scan and for
  bool may_ignore = false;  // loop variables, "_" and similar
  std::string family_key;   // if not empty, this is an element "skip[3]" of a family
};

/// One activation of a unit or function body.
struct Frame {
  const Unit* unit = nullptr;
  Frame* owner = nullptr;  // for functions, the unit activation in which their parameters are created
  std::string_view name;   // name of the unit or function, for messages
  // True if written in the checked program, not in a library; errors then point into it.
  bool own = true;
  Position call_site;   // position of the call in the caller
  bool shared = false;  // inside a shared instance: axes are reused together with the parameters
  std::string path;
  std::size_t contexts = 1;  // number of bodies at entry; a scan in this body is one deeper
  AxisId width = 0;
  AxisList lifted;  // axes of the caller over which the whole unit is repeated with shared parameters
  std::vector<Binding> names;
  Labels labels;           // use count per label, for unique parameter names
  std::string_view label;  // label of the statement being elaborated

  /// Returns the binding of `name` (not of "_" or a family), or null. O(1) in long bodies.
  Binding* binding(std::string_view name);
  std::unordered_map<std::string_view, std::size_t> index;  // into `names`, filled only for long bodies
  std::size_t indexed = 0;                                  // number of names that are in `index`
};

/// A gradient taken in a step with respect to a value that is the same at all positions.
struct InnerGradient {
  Position at;
  std::string loss_name, wrt_name;
  NodeId loss, wrt;
};

/// A loop that is being run, in the frame at index `frame`.
struct Loop {
  const Stmt* stmt = nullptr;
  std::int64_t round = 0, count = 0;
  std::size_t frame = 0;
};

/// Returns `hint`, or `otherwise` if it is empty.
inline std::string or_else(std::string hint, std::string_view otherwise) {
  return hint.empty() ? std::string(otherwise) : std::move(hint);
}

/// The body under construction: the model or the step of a scan.
struct BodyContext {
  int body = 0;
  std::unique_ptr<ir::Builder> builder;
  std::vector<NodeId> sequences, invariants;          // nodes of the parent
  std::vector<NodeId> sequence_args, invariant_args;  // of this body
  std::unordered_map<NodeId, NodeId> captured;        // parent node -> arg node
  std::vector<std::string> differentiated;  // names that are the second argument of a grad in this step
  std::vector<InnerGradient> gradients;
};

/// Functions that fail report an error and return poison, -1, axis 0, nullopt, null or an empty list. `what`
/// names an expression in messages.
class Elaborator {
 public:
  Elaborator(const Library& library, const ElaborateOptions& options, Elaboration& out);

  void run(const Design& design);
  void run(const Expr& instance);

  // ---- Errors ----
  /// Reports an error, and returns poison. Inside a library item, the error points to the call of the item in
  /// the checked program.
  Value error(Position at, std::string code, std::string message, std::string hint = {});
  /// Reports an error of an argument. Inside a library function, the error points to the argument of the
  /// call, if that call is written in the checked program.
  Value error(const Expr& argument, std::string code, std::string message, std::string hint = {});
  Value error(Position at, const Error& e) { return error(at, e.code, e.message, e.hint); }
  /// Returns the index of the innermost frame that is written in the checked program.
  [[nodiscard]] std::size_t own_frame() const;
  /// Returns the line of the checked program that calls the frame `frame`; 0 if none does.
  [[nodiscard]] int call_line(std::size_t frame) const;
  /// Returns " (in Inner, called on line 7)" for an error at `at` that depends on the call of a unit or fn.
  [[nodiscard]] std::string call_note(Position at) const;
  /// Returns where the parameter that is being created comes from; `at` is the call that creates it.
  [[nodiscard]] ParamOrigin origin(Position at, const std::string& label) const;

  // ---- Expressions (elaborate_expr.cc) ----
  Value eval(const Expr& expr);
  Value eval_kind(const Expr& expr);  // `eval` without limits and survey
  Value eval_binary(const Expr& expr);
  Value eval_name(const Expr& expr);
  Value arithmetic(const Expr& at, std::string_view op, const Value& a, const Value& b);
  std::optional<Static> eval_static(const Expr& expr, std::string_view what);
  /// Returns ir::kAll for `all`. A number that depends on the width makes the graph width_bound.
  std::optional<std::int64_t> eval_int(const Expr& expr, std::string_view what);
  std::optional<AxisList> eval_axes(const Expr& expr, std::string_view what);
  std::optional<AxisId> eval_axis(const Expr& expr, std::string_view what);
  /// Returns `value` as a node of the current body; a number becomes a constant.
  NodeId tensor(const Value& value, Position at);
  /// Reports a number that float32 cannot hold.
  Value out_of_range(double value, Position at);
  /// Returns true if float32 can hold `value`, and reports it otherwise. `all` is infinite, and allowed.
  bool is_in_range(double value, Position at);
  NodeId eval_tensor(const Expr& expr) { return tensor(eval(expr), expr.at); }
  std::int32_t symbol(const ir::Sym& sym);       // index in the graph's table, or -1 for a constant
  Value make(NodeId node) const;                 // the value of a node of the current body
  Value emit(Position at, ir::Node node);        // adds a node to the current body
  [[nodiscard]] std::size_t operations() const;  // created so far, in all bodies
  static Static as_static(const Elaborator& e, const Value& value);

  /// Counts work that creates no operations: statements, expressions, searches among many names. Returns
  /// false if it exceeds the limit of the options, and reports that once.
  bool spend(std::size_t steps, Position at);
  /// Returns true if the text of a formula has at most `most` characters, so that it is cheap to compute
  /// with; reports an error otherwise.
  bool is_short(const ir::Sym& sym, std::size_t most, Position at);
  /// Returns the hint for a value that has an axis of size 1 where `want` has none, as linear(x, 1) makes; ""
  /// if it has no such axis.
  std::string size_one_hint(const ir::Type& got, const ir::Type& want);

  // ---- Names ----
  Binding* find(std::string_view name);  // marks the name as read; null if unknown
  void bind(std::string_view name, Value value, Position at, bool may_ignore = false);
  void keep_differentiated(std::string_view name, const Value& value);
  void report_unread(std::size_t from);  // names of the frame from index `from` on
  Value unknown_name(const Expr& expr, bool is_call);

  // ---- Statements (elaborate_stmt.cc) ----
  void run_block(const std::vector<Stmt>& block);
  void run_stmt(const Stmt& stmt);
  void run_assign(const Stmt& stmt);
  void run_axis(const Stmt& stmt);
  void run_scan(const Stmt& stmt);
  void run_for(const Stmt& stmt);
  AxisId new_axis(std::string name, const Static& size, Position at);
  /// Returns the tensor `value` as a node of the current body. A scan captures values of the model's body; a
  /// value of an earlier scan becomes one of its outputs.
  NodeId use(const Value& value, Position at);

  // ---- Survey (survey.cc), only of a unit that is elaborated on its own ----
  [[nodiscard]] bool surveying() const { return options_.survey && frames_.size() == 2; }
  std::optional<NamedType> name_type(const Value& value);
  void survey(const Stmt& stmt);
  void survey(const Expr& expr, const Value& value);

  // ---- Instances and calls (instances.cc) ----
  InstancePtr eval_instance(const Expr& expr, const Interface* want);  // null accepts any interface
  std::vector<Value> call_expr(const Expr& expr);                      // a call with any number of results
  /// Calls `instance` with the arguments of the call expression `call`.
  std::vector<Value> call_instance_expr(const InstancePtr& instance, const Expr& call);
  /// Calls `instance` with `width` as its axis D. `path` names its parameters, unless it is shared.
  std::vector<Value> call(const InstancePtr& instance, const std::vector<Value>& inputs, AxisId width,
                          const std::string& path, Position at);
  /// Does the same, but names the parameters of a shared instance by `path` too.
  std::vector<Value> call_at(const InstancePtr& instance, const std::vector<Value>& inputs, AxisId width,
                             const std::string& path, Position at);
  std::vector<Value> rename_all(std::vector<Value> values, AxisId from, AxisId to, Position at);
  std::vector<Value> call_unit(const InstancePtr& instance, const std::vector<Value>& inputs, AxisId width,
                               const std::string& path, Position at);
  std::vector<Value> call_hole(const Instance& instance, const std::vector<Value>& inputs, AxisId width,
                               const std::string& path);
  std::vector<Value> call_function(const Function& function, const Expr& call);
  std::vector<Value> run_body(std::unique_ptr<Frame> frame, const std::vector<Stmt>& body);
  std::string bind_hypers(const Instance& instance);  // in the current frame; returns "heads=4, window=64"
  /// Returns the value of a hyperparameter or slot: as given by the instance, or else the default.
  Value hyper_value(const Instance& instance, const Hyper& hyper);
  /// Return true if `value` is allowed, or `instance` has the interface `want`; report an error otherwise.
  bool check_range(const Hyper& hyper, const Value& value, Position at);
  bool conforms(const InstancePtr& instance, const Interface& want, Position at);
  void scale_free(const Hyper& hyper, Value& value);
  void move_int(const Instance& instance, const Hyper& hyper, Value& value);

  // ---- Parameters ----
  /// Returns a node of the current body for the parameter `label` of the owner of the frame, which is created
  /// unless a shared instance created it before.
  NodeId new_param(Position at, const std::string& label, const AxisList& axes, const AxisList& fan_in,
                   ir::Role role, ir::Init init);
  Frame& owner() { return frame().owner ? *frame().owner : frame(); }
  std::string unique_label(std::string_view label);
  AxisId twin(AxisId axis);  // a second axis of the same size, always the same for `axis`

  ir::Builder& builder() { return *contexts_.back().builder; }
  [[nodiscard]] bool in_scan() const { return contexts_.size() > 1; }
  Frame& frame() { return *frames_.back(); }
  ir::Graph& graph() { return out_.graph; }

  const Library& library_;
  const ElaborateOptions& options_;
  Elaboration& out_;
  std::vector<std::unique_ptr<Frame>> frames_;  // the innermost call comes last
  std::vector<BodyContext> contexts_;           // the model, then the scan that is being elaborated
  std::unordered_map<std::string, int> params_by_name_;
  std::unordered_map<AxisId, AxisId> twins_;
  std::unordered_map<int, NodeId> scans_;  // step body -> its scan node, once the scan is complete
  std::vector<Loop> loops_;                // the innermost comes last
  std::vector<Value> returned_;            // by the body that is being run
  bool has_returned_ = false;
  std::unordered_map<std::string, AxisId> shared_axes_;
  std::unordered_set<std::string> without_params_;         // paths of shared instances that have none
  std::unordered_map<std::string, AxisId> shared_widths_;  // by path of the shared instance
  // Slots without a default get a hole, because a unit is checked on its own.
  bool fill_holes_ = false;
  bool gave_up_ = false;                 // a limit was exceeded; nothing more is elaborated
  std::optional<Position> argument_at_;  // position of the argument whose error is being reported
  std::size_t finished_operations_ = 0;  // operations of completed scans
  std::size_t steps_ = 0;
  const Stmt* surveyed_stmt_ = nullptr;
};

}  // namespace gabbro::lang
