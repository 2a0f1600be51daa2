// The working state of an export; private to src/export.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "export/export.h"
#include "export/number.h"
#include "export/scope.h"
#include "lang/elaborate.h"

namespace gabbro::pytorch {

using lang::Expr;
using lang::Stmt;

constexpr int kTime = 0, kPast = 1;  // axis ids, as in the graph

struct Pairs;
struct Made;

/// A Python expression for a tensor: its leading dimensions and the named axes of the others, in order.
struct Tensor {
  enum Lead { kNone, kBatch, kTimes, kPairs };  // [], [batch], [batch, t], [batch, t, s]
  std::string text;
  int rank = kAtom;
  Lead lead = kNone;
  std::vector<int> axes;
  Number window{};       // of kPairs: infinite for all
  bool is_bool = false;  // of Python's type bool
  bool is_number = false;
  double number = 0;  // of `is_number`
  // For the value with the text `centred_as`: what it is without its mean over the last axis.
  std::string centred, centred_as;
  std::shared_ptr<const Pairs> pairs;  // how a value over pairs was made, where that matters
  std::shared_ptr<const Made> made;    // the same for other values; for the text `made_as`
  std::string made_as;
};

/// kPast: a[s], where b is a of all positions that can be seen. kProduct: a * b. kDot: the contraction of a
/// and b over axes. kSoftmax: of a along s.
struct Pairs {
  enum class Kind { kPast, kProduct, kDot, kSoftmax } kind = Kind::kPast;
  Tensor a, b;
  std::vector<int> over;
};

/// An operation: an arithmetic operator, "neg", a built-in function, "dot" of one or two values over axes, or
/// "state" for the state of a scan before a step.
struct Made {
  std::string op;
  std::vector<Tensor> in;
  std::vector<int> over;
  bool stateful = false;  // a sum of multiples of a state
};

/// Returns how x was made, or nullptr if that is not known.
inline const Made* made_of(const Tensor& x) { return x.made && x.made_as == x.text ? x.made.get() : nullptr; }
inline bool is_stateful(const Tensor& x) { return made_of(x) && made_of(x)->stateful; }
/// Returns `x` with a record of how it was made.
Tensor with_made(Tensor x, std::string op, std::vector<Tensor> in, std::vector<int> over = {});

struct Instance;
using InstancePtr = std::shared_ptr<const Instance>;

struct Value {
  enum class Kind { kPoison, kNumber, kTensor, kAxis, kAxes, kInstance } kind = Kind::kPoison;
  Number number;
  Tensor tensor;
  std::vector<int> axes;
  InstancePtr instance;
};

inline Value value_of(Tensor tensor) {
  Value v;
  v.kind = Value::Kind::kTensor;
  v.tensor = std::move(tensor);
  return v;
}

inline bool contains(const std::vector<int>& list, int item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// A child bound to a slot, as in elaboration.
struct Instance {
  enum class Kind { kUnit, kSequence, kRepeat } kind = Kind::kUnit;
  const lang::Unit* unit = nullptr;
  std::vector<std::pair<std::string_view, Value>> args;
  std::vector<InstancePtr> parts;
  int count = 1;
  std::string shared_path;
};

/// The construction of a module: class, arguments that differ from the defaults, and what fills its slots.
struct Built;
using BuiltPtr = std::shared_ptr<const Built>;
struct Built {
  int class_id = -1;  // -1: a stack of parts
  bool has_width = false;
  std::vector<std::pair<std::string, std::string>> args;
  std::vector<std::pair<std::string, BuiltPtr>> slots;
  std::vector<BuiltPtr> parts;
  int count = 0;       // > 0: one part, repeated
  std::string shared;  // not empty: the attribute that holds a shared module
};

struct AxisInfo {
  std::string name;
  std::int64_t size = 0;
  Number number;               // as written in the class or function that declares the axis
  const void* home = nullptr;  // that class or function
};

struct Binding {
  std::string_view name;
  Value value;
  bool may_rebind = false;
  std::string family_key;
};

/// A statement of __init__ that computes numbers, or makes parameters and children.
struct Setup {
  std::vector<std::string> names;  // the sizes that it computes; empty: always written
  std::string text;
};

/// A class under construction.
struct Draft {
  const lang::Unit* unit = nullptr;
  std::set<std::string> attributes;
  std::vector<Setup> setup;
  std::vector<std::pair<const lang::Hyper*, Number>> numbers;  // hyperparameters
  std::map<std::string, BuiltPtr> slots;
  std::map<std::string, std::string> slot_names;  // in the program -> in __init__
  Scope forward;
};

struct Frame {
  const lang::Unit* unit = nullptr;
  Frame* owner = nullptr;   // of a function
  Frame* caller = nullptr;  // of a function
  bool own = true;
  bool shared = false;
  std::string path, module;
  int width = 0;
  std::vector<int> lifted;
  std::vector<Binding> names;
  lang::Labels labels;
  std::string label;
  Draft* draft = nullptr;                     // of the owner
  Scope* root = nullptr;                      // of this function or forward
  Scope* scope = nullptr;                     // the same, or the step of a scan in it
  std::map<std::string, std::string> python;  // names of the program -> names in Python
  bool carries = false;                       // the name being assigned may get other values later
  int looping = 0;                            // > 0 in loops and steps, where numbers are not attributes
};

struct ClassText {
  const lang::Unit* unit = nullptr;
  std::string text;  // with the name of the class as a mark
  std::string name;
  bool documents = false;  // forward takes documents
  bool in_stack = false;   // forward must take documents, even if it does not read them
  BuiltPtr first;          // the first instance, for names
};

/// A shared instance: the class that holds its module, and where the statement that makes it stands.
struct SharedModule {
  Draft* draft = nullptr;
  std::size_t setup = 0;
  std::string attribute, module;
};

/// A scan that is written at all positions at once (scans.cc): its states, and where the program contracts
/// them.
struct AtOnce {
  struct State {
    std::string symbol;  // the name of the state before each step
    std::vector<int> axes;
    Tensor next, first;  // after the step, and at the start of a document
  };
  struct Read {
    std::string name;
    Tensor value;
    bool fresh = true;  // no name of the program yet
  };
  std::vector<State> states;
  std::vector<Read> reads;
  std::set<std::string> names;  // assigned in the step
};

struct FunctionText {
  const lang::Function* function = nullptr;
  std::string name, text;  // the name in marks; the text without "def " and the name
};

class Writer {
 public:
  Writer(const lang::Library& library, const lang::Elaboration& elaboration,
         std::span<const lang::Program* const> programs);
  Result<Module> run(const lang::Design& design);

  // ---- Expressions (expressions.cc) ----
  Value eval(const Expr& expr);
  Value eval_name(const Expr& expr);
  Value arithmetic(std::string_view op, const Value& a, const Value& b);
  Tensor eval_tensor(const Expr& expr) { return tensor(eval(expr)); }
  Tensor tensor(const Value& value);
  Number eval_number(const Expr& expr);
  std::vector<int> eval_axes(const Expr& expr);
  int eval_axis(const Expr& expr);
  Number as_number(const Value& value);
  Value poison(std::string message, std::string hint = {});  // records the first error, returns kPoison
  [[nodiscard]] bool failed() const { return error_.has_value(); }

  // ---- Tensors (tensors.cc) ----
  Tensor pointwise(const std::vector<Tensor>& in, int rank,
                   const std::function<std::string(const std::vector<std::string>&)>& text,
                   const std::vector<int>& ranks);
  Tensor apply(const std::string& function, const Tensor& x);
  Tensor binary(std::string_view op, Tensor a, Tensor b);
  Tensor numeric(Tensor x);  // a bool as a number
  std::vector<int> union_of(const std::vector<Tensor>& in) const;
  std::string aligned(const Tensor& x, Tensor::Lead lead, const std::vector<int>& axes, int least);
  Tensor arranged(const Tensor& x, const std::vector<int>& axes);  // in this order of axes
  Tensor with_last(const Tensor& x, const std::vector<int>& last);
  Tensor reduce(const std::string& method, const Tensor& x, std::vector<int> over);
  Tensor dot(const Tensor& a, const Tensor& b, std::vector<int> over);
  Tensor softmax(const Tensor& x, int over);
  Tensor past_of(Tensor x, const Number& window);
  Tensor sum_over_past(const Tensor& x);
  std::optional<Tensor> attention(const std::vector<Tensor>& factors);
  std::string mask(const Number& window);
  std::string einsum(const std::vector<Tensor>& in, const std::vector<std::string>& lead,
                     const std::string& result_lead, const std::vector<int>& axes, std::string* texts);
  [[nodiscard]] int dim(const Tensor& x, int axis) const;  // negative
  std::string size_list(const std::vector<int>& axes);
  Tensor held(const std::string& base, Tensor x);  // assigned to a name, unless it is one

  // ---- Names and scopes ----
  Binding* find(std::string_view name);
  void bind(std::string_view name, Value value);
  Scope& scope() { return *frame().scope; }
  std::string like();
  std::string documents();  // "documents, cache": what tells positions apart
  std::string cache();
  /// Returns the name under which `frame` knows what its owner calls `text`: functions are passed it.
  std::string reach(Frame& frame, const std::string& name, const std::string& text);
  Number size_of(int axis);          // in the function being written
  std::string owner_size(int axis);  // in __init__ of the owner, as a Python int
  std::string python_of(const std::string& name);
  /// In a step, passes a value of the function around it to the step.
  Tensor use(Tensor x);
  /// Like use, where a value that does not depend on the state cannot be computed for all positions
  /// beforehand.
  Tensor settled(Tensor x);
  [[nodiscard]] bool in_scan() { return scope().kind == Scope::Kind::kStep; }
  std::string attribute(Draft& draft, const std::string& name);
  std::string size_attribute(Draft& draft, const std::string& name);  // also a variable of __init__

  // ---- Statements (statements.cc) ----
  void run_block(const std::vector<Stmt>& block);
  void run_stmt(const Stmt& stmt);
  void run_axis(const Stmt& stmt);
  void run_assign(const Stmt& stmt);
  void run_for(const Stmt& stmt);
  Value assigned(const std::string& name, const Value& value);  // emits the statement
  int new_axis(const std::string& name, const Number& size);

  // ---- Scans (scans.cc, affine.cc) ----
  void run_scan(const Stmt& stmt);
  /// Writes a scan as operations on all positions, if the recurrence of each of its states has a known form.
  /// Otherwise returns false and changes nothing.
  bool run_at_once(const Stmt& stmt);
  void run_steps(const Stmt& stmt);
  /// Returns the axes of a state in the order of the module.
  std::vector<int> state_axes(const Stmt& stmt, std::size_t state);
  /// In a scan that is written at once, gives a contraction of a state a name.
  Tensor read_of(Tensor contraction);

  // ---- Calls (calls.cc, builtins.cc) ----
  std::vector<Value> call_expr(const Expr& expr);
  Value call_builtin(const Expr& expr);
  std::vector<Value> call_known(const lang::Function& function, const Expr& expr);
  /// The argument `evaluated`, if it is given, has this value.
  std::vector<Value> call_function(const lang::Function& function, const Expr& expr,
                                   const Expr* evaluated = nullptr, const Value& value = {});
  std::vector<Value> call_instance_expr(const InstancePtr& instance, const Expr& expr);
  InstancePtr eval_instance(const Expr& expr);
  std::string call_text(const std::string& function, const std::vector<std::string>& args);
  std::vector<Value> results_of(const std::string& text, std::vector<Tensor> results);
  Value linear(const Expr& expr);
  Value param(const Expr& expr);
  Value inner_gradient(const Expr& expr);

  // ---- Units (units.cc) ----
  struct Called {
    std::vector<Tensor> results;  // without texts
    BuiltPtr built;
    bool documents = false;  // the module takes documents
    int class_id = -1;       // of a unit
  };
  void declare_shared(Instance& instance, const std::string& path, const std::string& label);
  Called call(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
              const std::string& path, const std::string& module);
  Called call_at(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                 const std::string& path, const std::string& module);
  Called call_unit(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                   const std::string& path, const std::string& module);
  Value hyper_value(const Instance& instance, const lang::Hyper& hyper);
  std::string construct(const Built& built, const std::string& width);
  std::string factory(const Built& built);
  static bool needs_width(const Built& built);
  BuiltPtr finish_class(Frame& frame);
  std::string class_mark(int id) const { return "\x03" + std::to_string(id) + "\x04"; }

  // ---- Parameters ----
  std::string unique_label(std::string_view label);
  Frame& owner() { return frame().owner ? *frame().owner : frame(); }
  Frame& frame() { return *frames_.back(); }
  int twin(int axis);
  /// Makes a parameter with the graph's axes `sorted` and the module's order `axes`; `key` is its attribute
  /// with
  /// ".weight" or ".bias" where it belongs to a Linear.
  void new_param(const std::string& name, const std::string& key, std::vector<int> axes,
                 std::vector<std::int64_t> shape);

  // ---- The file (module.cc) ----
  std::set<std::string> name_items(const std::string& design);
  std::string resolved(const std::string& text, const std::string& self, const std::string& extra) const;
  std::string file_text(const std::string& design_class);
  /// Returns the comments of a unit or function, without their marks; "" if there are none.
  std::string comments_of(const void* item) const;
  std::string docstring(const void* item, const std::string& program, int indent) const;
  Result<std::vector<Weight>> checked_weights();

  const lang::Library& library_;
  const lang::Elaboration& elaboration_;
  std::map<const void*, const lang::Item*> items_;
  std::optional<Error> error_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<AxisInfo> axes_;
  std::map<int, int> twins_;
  std::map<std::string, int> shared_axes_;
  std::unordered_set<std::string> without_params_;
  std::map<std::string, int> shared_widths_;
  std::map<std::string, SharedModule> shared_modules_;  // by path
  std::vector<Weight> weights_;
  std::map<std::string, std::size_t> weights_by_name_;
  std::vector<std::vector<int>> weight_axes_;
  std::vector<ClassText> classes_;
  std::map<std::pair<const lang::Unit*, std::string>, int> class_ids_;
  std::vector<FunctionText> functions_;
  std::map<std::string, std::string> function_names_;  // in marks -> in the module
  std::vector<Value> returned_;
  std::map<std::string, double> free_values_;
  AtOnce* at_once_ = nullptr;  // nullptr also in the functions and units that its step calls
  bool inside_at_once_ = false;
  const std::vector<Stmt>* block_ = nullptr;  // the block being written, and the statement in it
  std::size_t statement_ = 0;
  std::vector<std::string> targets_;      // Python names for the results of the call being evaluated
  std::set<std::string> differentiated_;  // names of the step that an inner gradient is taken by
};

}  // namespace gabbro::pytorch
