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

/// A number known while elaborating, with its dependence on the width.
struct Static {
  double value = 0;
  ir::Sym sym;
};

/// What a name or an expression stands for. kPoison is the value of a wrong expression: it silences follow-up
/// errors.
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

/// A child as bound to a slot: a unit with its arguments, a sequence, a repetition, or (unit == nullptr,
/// parts empty) a hole.
struct Instance {
  enum class Kind { kUnit, kSequence, kRepeat, kHole };
  Kind kind = Kind::kUnit;
  const Unit* unit = nullptr;
  std::vector<std::pair<std::string_view, Value>> args;
  std::vector<InstancePtr> parts;  // kSequence: all; kRepeat: one
  int count = 1;
  std::string shared_path;          // not empty: every call uses the parameters under this path
  const Interface* hole = nullptr;  // kHole
  Position at;
};

struct Binding {
  std::string_view name;
  Value value;
  Position at;
  bool read = false;
  bool may_rebind = false;  // carried variables of scan and for
  bool may_ignore = false;  // loop variables, "_" and the like
  std::string family_key;   // not empty: an element "skip[3]" of a family
};

/// One activation of a unit or function body.
struct Frame {
  const Unit* unit = nullptr;
  Frame* owner = nullptr;  // functions: the unit activation in which their parameters are made
  std::string_view name;   // of the unit or function, for messages
  bool own = true;         // written in the checked program, not in a library: errors point into it
  Position call_site;      // where the caller calls it
  bool shared = false;     // under a shared instance: axes are reused with the parameters
  std::string path;
  std::size_t contexts = 1;  // depth of bodies at entry; a scan in this body is one deeper
  AxisId width = 0;
  AxisList lifted;  // axes of the caller over which the whole unit is repeated with shared parameters
  std::vector<Binding> names;
  std::vector<std::pair<std::string, int>> labels;  // how often a label was used, for unique parameter names
  std::string_view label;                           // of the statement being elaborated

  /// The binding of `name` (not of "_" or a family), or null. O(1) in long bodies.
  Binding* binding(std::string_view name);
  std::unordered_map<std::string_view, std::size_t> places;  // in names; filled where there are many of them
  std::size_t placed = 0;                                    // so many of the names are in places
};

/// A gradient taken in a step with respect to a value that is the same at all positions.
struct InnerGradient {
  Position at;
  std::string loss_name, wrt_name;
  NodeId loss, wrt;
};

/// The body under construction: the model (parent -1) or the step of a scan.
struct BodyContext {
  int body = 0;
  std::unique_ptr<ir::Builder> builder;
  std::vector<NodeId> sequences, invariants;          // of the parent
  std::vector<NodeId> sequence_args, invariant_args;  // of this body
  std::unordered_map<NodeId, NodeId> captured;        // parent node -> arg node
  std::vector<std::string> differentiated;            // names that stand second in a grad of this step
  std::vector<InnerGradient> gradients;
};

class Elaborator {
 public:
  Elaborator(const Library& library, const ElaborateOptions& options, Elaboration& out);

  void run(const Design& design);
  void run(const Expr& instance);

  // ---- errors
  Value error(Position at, std::string code, std::string message, std::string hint = {});
  /// Of an argument: in a function of the library it is that of its call, where that is written in the
  /// program.
  Value error(const Expr& argument, std::string code, std::string message, std::string hint = {});
  Value error(Position at, const Error& e) { return error(at, e.code, e.message, e.hint); }

  // ---- expressions (elaborate_expr.cc)
  Value eval(const Expr& expr);
  Value eval_kind(const Expr& expr);
  Value eval_binary(const Expr& expr);
  Value eval_name(const Expr& expr);
  Value arithmetic(const Expr& at, std::string_view op, const Value& a, const Value& b);
  std::optional<Static> eval_static(const Expr& expr, std::string_view what);
  std::optional<std::int64_t> eval_int(const Expr& expr, std::string_view what);
  std::optional<AxisList> eval_axes(const Expr& expr, std::string_view what);
  std::optional<AxisId> eval_axis(const Expr& expr, std::string_view what);
  NodeId tensor(const Value& value, Position at);  // -1 after an error
  NodeId eval_tensor(const Expr& expr) { return tensor(eval(expr), expr.at); }
  std::int32_t symbol(const ir::Sym& sym);  // its place in the graph's table, -1 for a constant
  Value make(NodeId node) const;
  Value emit(Position at, ir::Node node);
  [[nodiscard]] std::size_t operations() const;  // made so far, in all bodies
  static Static as_static(const Elaborator& e, const Value& value);

  /// Counts work that makes no operations: statements, expressions, searches among many names. False, once
  /// with an error: there was too much.
  bool spend(std::size_t steps, Position at);
  /// Whether a formula, as text, has at most `most` characters, so that it can be computed with; else an
  /// error.
  bool is_short(const ir::Sym& sym, std::size_t most, Position at);

  // ---- names
  Binding* find(std::string_view name);
  void bind(std::string_view name, Value value, Position at, bool may_ignore = false);
  void keep_differentiated(std::string_view name, const Value& value);
  void report_unread(std::size_t from);
  Value unknown_name(const Expr& expr, bool is_call);

  // ---- statements (elaborate_stmt.cc)
  void run_block(const std::vector<Stmt>& block);
  void run_stmt(const Stmt& stmt);
  void run_assign(const Stmt& stmt);
  void run_axis(const Stmt& stmt);
  void run_scan(const Stmt& stmt);
  void run_for(const Stmt& stmt);
  AxisId new_axis(std::string name, const Static& size, Position at);
  NodeId use(const Value& value, Position at);  // in the current body: captures or projects

  // ---- survey (survey.cc): only of the unit that is elaborated on its own
  [[nodiscard]] bool surveying() const { return options_.survey && frames_.size() == 2; }
  std::optional<NamedType> name_type(const Value& value);
  void survey(const Stmt& stmt);
  void survey(const Expr& expr, const Value& value);

  // ---- instances and calls (instances.cc)
  InstancePtr eval_instance(const Expr& expr, const Interface* want);
  std::vector<Value> call_expr(const Expr& expr);  // a call with any number of results
  std::vector<Value> call_instance_expr(const InstancePtr& instance, const Expr& call);
  std::vector<Value> call(const InstancePtr& instance, const std::vector<Value>& inputs, AxisId width,
                          const std::string& path, Position at);
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
  Value hyper_value(const Instance& instance, const Hyper& hyper);
  bool check_range(const Hyper& hyper, const Value& value, Position at);
  void scale_free(const Hyper& hyper, Value& value);
  void move_int(const Instance& instance, const Hyper& hyper, Value& value);
  bool conforms(const InstancePtr& instance, const Interface& want, Position at);

  // ---- parameters
  NodeId new_param(Position at, const std::string& label, const AxisList& axes, const AxisList& fan_in,
                   ir::Role role, ir::Init init);
  Frame& owner() { return frame().owner ? *frame().owner : frame(); }
  std::string unique_label(std::string_view label);
  AxisId twin(AxisId axis);

  ir::Builder& builder() { return *contexts_.back().builder; }
  [[nodiscard]] bool in_scan() const { return contexts_.size() > 1; }
  Frame& frame() { return *frames_.back(); }
  ir::Graph& graph() { return out_.graph; }

  const Library& library_;
  const ElaborateOptions& options_;
  Elaboration& out_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<BodyContext> contexts_;
  std::unordered_map<std::string, int> params_by_name_;
  std::unordered_map<AxisId, AxisId> twins_;
  std::unordered_map<int, NodeId> scans_;  // step body -> its scan node, once finished
  std::vector<Value> returned_;
  bool has_returned_ = false;
  std::unordered_map<std::string, AxisId> shared_axes_;
  std::unordered_set<std::string> without_params_;         // paths of shared instances
  std::unordered_map<std::string, AxisId> shared_widths_;  // by the path of the shared instance
  bool fill_holes_ = false;  // slots without default get a hole: a unit is checked on its own
  bool gave_up_ = false;
  std::optional<Position> argument_at_;  // of the error that is being said
  std::size_t finished_operations_ = 0;  // of the scans that are complete
  std::size_t steps_ = 0;
  const Stmt* surveyed_stmt_ = nullptr;
};

}  // namespace gabbro::lang
