// The working state of an export; private to src/export.
//
// A module is written before all names in it are known. Until then, its text has control characters as marks:
//   \x01NAME\x02  a size: self.NAME in forward, NAME in __init__ (size_name in number.h)
//   \x03ID\x04    the class with this index in classes_, or the class itself if ID is empty (class_mark)
//   \x05          ", documents=None, cache=None" if a stack calls a forward that does not read them, or ""
//   \x06          the class of the design (module.cc); \x06NAME\x07  the index of a loop (statements.cc)
//   \x0eNAME\x0f  a function of the module (function_mark in scope.h)
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

constexpr int kTime = 0, kPast = 1;  // ids of the axes t and s: indices into Writer::axes_

struct Pairs;
struct Made;

/// A Python expression for a tensor: its leading dimensions and the named axes of the others, in order.
struct Tensor {
  enum Lead { kNone, kBatch, kTimes, kPairs };  // [], [batch], [batch, t], [batch, t, s]
  std::string text;
  int rank = kAtom;  // of the text, for parentheses
  Lead lead = kNone;
  std::vector<int> axes;
  Number window{};         // of kPairs: the number of positions s that t sees; infinite for all
  bool is_bool = false;    // the elements are of type torch.bool
  bool is_number = false;  // the text is a Python number, whose value is `number`
  double number = 0;
  // While the text is `centred_as`, the value is `centred` minus its mean over the last axis.
  std::string centred, centred_as;
  std::shared_ptr<const Pairs> pairs;  // how a value over pairs was made, or nullptr if that is not needed
  std::shared_ptr<const Made> made;    // how another value was made; it holds while the text is `made_as`
  std::string made_as;
};

/// The operation that made a value over pairs. kPast: past(a); b is the tensor [batch, s, ...] that Python's
/// past(a) returns. kProduct: a * b. kDot: the contraction of a and b over the axes `over`. kSoftmax: the
/// softmax of a along s.
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
  bool stateful = false;  // the value is a sum of multiples of a state
};

/// Returns how x was made, or nullptr if that is not known.
inline const Made* made_of(const Tensor& x) { return x.made && x.made_as == x.text ? x.made.get() : nullptr; }
inline bool is_stateful(const Tensor& x) { return made_of(x) && made_of(x)->stateful; }
/// Returns `x` with a record of how it was made.
Tensor with_made(Tensor x, std::string op, std::vector<Tensor> in, std::vector<int> over = {});

/// Returns true for an operator that compares.
inline bool is_comparison(std::string_view op) {
  return op == "<" || op == ">" || op == "<=" || op == ">=" || op == "==";
}

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

/// A unit with its arguments, or a list or repetition of instances, as in elaboration.
struct Instance {
  enum class Kind { kUnit, kSequence, kRepeat } kind = Kind::kUnit;
  const lang::Unit* unit = nullptr;  // of kUnit
  // The hyperparameters and slots that are given, of kUnit.
  std::vector<std::pair<std::string_view, Value>> args;
  std::vector<InstancePtr> parts;  // of kSequence; of kRepeat: the only part
  int count = 1;                   // of kRepeat
  std::string shared_path;         // the path of its parameters if it is shared, or ""
};

struct Built;
using BuiltPtr = std::shared_ptr<const Built>;
/// The construction of a module: its class, the arguments that differ from the defaults, and what fills its
/// slots.
struct Built {
  int class_id = -1;       // -1: a stack of parts
  bool has_width = false;  // __init__ takes D
  std::vector<std::pair<std::string, std::string>> args;
  std::vector<std::pair<std::string, BuiltPtr>> slots;
  std::vector<BuiltPtr> parts;
  int count = 0;       // > 0: one part, repeated
  std::string shared;  // not empty: the attribute that holds a shared module
};

struct AxisInfo {
  std::string name;
  std::int64_t size = 0;
  Number number;               // the size as written in the class or function that declares the axis
  const void* home = nullptr;  // the Scope of that class or function; nullptr: none
};

struct Binding {
  std::string_view name;
  Value value;
  bool may_rebind = false;  // a state, or a value that a loop carries: an assignment replaces the value
  std::string family_key;   // "skip[2]" for a name with an index; `name` is then "_"
};

/// A statement of __init__ that computes numbers, or makes parameters and children.
struct Setup {
  std::vector<std::string> names;  // the sizes that it computes; empty: always written
  std::string text;
};

/// A class under construction.
struct Draft {
  const lang::Unit* unit = nullptr;
  std::set<std::string> attributes;  // the names that are taken
  std::vector<Setup> setup;
  std::vector<std::pair<const lang::Hyper*, Number>> numbers;  // the values of numeric hyperparameters
  std::map<std::string, BuiltPtr> slots;                       // by the slot's name in the program
  std::map<std::string, std::string> slot_names;               // in the program -> in __init__
  Scope forward;
};

/// An activation of a unit or a function, as in elaboration (lang/elaborator.h).
struct Frame {
  const lang::Unit* unit = nullptr;
  Frame* owner = nullptr;   // of a function: the activation of a unit that holds its parameters
  Frame* caller = nullptr;  // of a function
  bool own = true;          // the unit or function is part of the program, not of a library
  bool shared = false;      // inside a shared instance: axes are reused together with the parameters
  std::string path;         // in the graph's names of parameters
  std::string module;       // in the module's names of parameters; "" for the design
  int width = 0;            // the axis that plays D
  std::vector<int> lifted;  // axes of the inputs over which the unit repeats with the same parameters
  std::vector<Binding> names;
  lang::Labels labels;                        // how often each label was used, for unique names of parameters
  std::string label;                          // of the statement being written
  Draft* draft = nullptr;                     // of the owner
  Scope* root = nullptr;                      // of this function or forward
  Scope* scope = nullptr;                     // the root, or the step of a scan in it
  std::map<std::string, std::string> python;  // names of the program -> names in Python
  bool carries = false;                       // the name being assigned may get other values later
  int looping = 0;  // the number of loops and steps around; > 0: numbers are not attributes
};

struct ClassText {
  const lang::Unit* unit = nullptr;
  std::string text;        // with the name of the class as a mark
  std::string name;        // given at the end (name_items)
  bool documents = false;  // forward reads documents
  bool in_stack = false;   // forward must take documents, even if it does not read them
  BuiltPtr first;          // the first instance, for names
};

/// A shared instance: the class that holds its module, and where the statement that makes it stands.
struct SharedModule {
  Draft* draft = nullptr;
  std::size_t setup = 0;  // index into draft->setup
  std::string attribute;  // of the class that holds the module
  std::string module;     // the module's name in the names of parameters
};

/// A scan that is written at all positions at once (scans.cc): its states, and where the program contracts
/// them.
struct AtOnce {
  struct State {
    std::string symbol;  // the name of the state before each step
    std::vector<int> axes;
    Tensor next;   // the state after the step
    Tensor first;  // the state at the start of a document
  };
  struct Read {
    std::string name;
    Tensor value;
    bool fresh = true;  // the name is not yet one of the program
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
  /// Returns kPoison, and records the error if it is the first.
  Value poison(std::string message, std::string hint = {});
  [[nodiscard]] bool failed() const { return error_.has_value(); }

  // ---- Tensors (tensors.cc) ----
  /// Returns the operation whose text, of this rank, `text` makes from those of the inputs. Input i is put in
  /// parentheses if its rank is below ranks[i].
  Tensor pointwise(const std::vector<Tensor>& in, int rank,
                   const std::function<std::string(const std::vector<std::string>&)>& text,
                   const std::vector<int>& ranks, bool makes_bools = false);
  Tensor apply(const std::string& function, const Tensor& x);
  Tensor binary(std::string_view op, Tensor a, Tensor b);
  Tensor compared(std::string_view op, Tensor a, Tensor b);
  Tensor numeric(Tensor x);  // returns bools as numbers
  std::vector<int> union_of(const std::vector<Tensor>& in) const;
  /// Returns the text of `x` with the leading dimensions `lead` and these axes in this order, with a
  /// dimension of size 1 for each that x lacks; in parentheses if its rank is below `least`.
  std::string aligned(const Tensor& x, Tensor::Lead lead, const std::vector<int>& axes, int least);
  Tensor arranged(const Tensor& x, const std::vector<int>& axes);   // returns x with its axes in this order
  Tensor with_last(const Tensor& x, const std::vector<int>& last);  // returns x with these axes at its end
  /// Returns the reduction of x over axes by a method of tensors: "sum", "mean" or "amax".
  Tensor reduce(const std::string& method, const Tensor& x, std::vector<int> over);
  /// Returns x // y, rounded down; exact for whole numbers.
  Tensor quotient(const Tensor& x, const Tensor& y);
  Tensor dot(const Tensor& a, const Tensor& b, std::vector<int> over);
  Tensor softmax(const Tensor& x, int over);
  Tensor past_of(Tensor x, const Number& window);
  Tensor sum_over_past(const Tensor& x);
  std::optional<Tensor> attention(const std::vector<Tensor>& factors);
  std::string mask(const Number& window);  // returns the name of the tensor [batch, t, s] of what t sees
  /// Returns x, overwritten by `fill` where t does not see s, as the operand of a function that may overflow
  /// or have no value there: the gradient of what is overwritten afterwards would be 0 times infinity.
  Tensor seen_only(Tensor x, int fill);
  /// Returns the equation of an einsum: the letters `lead` of the leading dimensions of each input, and a
  /// letter for each axis. Sets `texts` to the texts of the inputs, separated by commas.
  std::string einsum(const std::vector<Tensor>& in, const std::vector<std::string>& lead,
                     const std::string& result_lead, const std::vector<int>& axes, std::string* texts);
  [[nodiscard]] int dim(const Tensor& x, int axis) const;  // returns the dimension, counted from the end: < 0
  std::string size_list(const std::vector<int>& axes);     // returns the sizes, separated by commas
  Tensor held(const std::string& base, Tensor x);          // assigns x to a new name, unless it has one

  // ---- Names and scopes ----
  Binding* find(std::string_view name);
  void bind(std::string_view name, Value value);
  Scope& scope() { return *frame().scope; }
  std::string like();       // returns a tensor whose device and type new tensors have
  std::string documents();  // returns the arguments "documents, cache", which tell positions apart
  std::string cache();      // returns the argument "cache"
  /// Returns the name under which `frame` knows what its owner calls `text`. A function gets it as a further
  /// parameter, called `name` if that is free.
  std::string reach(Frame& frame, const std::string& name, const std::string& text);
  Number size_of(int axis);          // returns the size as the function being written knows it
  std::string owner_size(int axis);  // returns the size as a Python int in __init__ of the owner
  std::string python_of(const std::string& name);  // returns the Python name of a name of the program
  /// In a step, passes a sequence of the function around it to the step, and returns its item at a position.
  Tensor use(Tensor x);
  /// Like use, where a value that does not depend on the state cannot be computed for all positions
  /// beforehand.
  Tensor settled(Tensor x);
  [[nodiscard]] bool in_scan() { return scope().kind == Scope::Kind::kStep; }
  /// Takes and returns a free attribute of the class, called `name` if possible.
  std::string attribute(Draft& draft, const std::string& name);
  /// Like attribute, for a name that is also a variable of __init__.
  std::string size_attribute(Draft& draft, const std::string& name);

  // ---- Statements (statements.cc) ----
  void run_block(const std::vector<Stmt>& block);
  void run_stmt(const Stmt& stmt);
  void run_axis(const Stmt& stmt);
  void run_assign(const Stmt& stmt);
  void run_for(const Stmt& stmt);
  /// Writes the statement that gives a value a name of the program, and returns the value under that name. It
  /// is returned as it is if it needs no name.
  Value assigned(const std::string& name, const Value& value);
  int new_axis(const std::string& name, const Number& size);

  // ---- Scans (scans.cc, affine.cc) ----
  void run_scan(const Stmt& stmt);
  /// Writes a scan as operations on all positions, if the recurrence of each of its states has a known form.
  /// Otherwise returns false and changes nothing.
  bool run_at_once(const Stmt& stmt);
  /// Like run_at_once, for states with these axes in this order. If a step gives a state its axes in another
  /// order, it returns false with that order in `axes`.
  bool run_at_once(const Stmt& stmt, std::vector<std::vector<int>>& axes);
  void run_steps(const Stmt& stmt);
  /// Returns the axes of a state in the order of the module.
  std::vector<int> state_axes(const Stmt& stmt, std::size_t state);
  /// In a scan that is written at once, gives a contraction of a state a name.
  Tensor read_of(Tensor contraction);

  // ---- Calls (calls.cc, builtins.cc) ----
  std::vector<Value> call_expr(const Expr& expr);
  Value call_builtin(const Expr& expr);
  std::vector<Value> call_known(const lang::Function& function, const Expr& expr);
  /// Writes a call of a function. `evaluated`, unless it is nullptr, is the one argument of the call that was
  /// evaluated before, to `value`.
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
    bool documents = false;  // the call passes documents and cache
    int class_id = -1;       // of a unit: index into classes_
  };
  void declare_shared(Instance& instance, const std::string& path, const std::string& label);
  /// Writes the module of an instance. `width` is the axis of the inputs that plays D; `path` and `module`
  /// are the beginnings of the names of its parameters in the graph and in the module. All calls of a shared
  /// instance use the module, the names and the width axis of the first.
  Called call(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
              const std::string& path, const std::string& module);
  /// Like call, but does not ask whether the instance is shared.
  Called call_at(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                 const std::string& path, const std::string& module);
  Called call_unit(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                   const std::string& path, const std::string& module);
  Value hyper_value(const Instance& instance, const lang::Hyper& hyper);
  std::string construct(const Built& built, const std::string& width);
  std::string factory(const Built& built);
  static bool needs_width(const Built& built);
  /// Adds the class of a unit that was written in `frame`, unless there is an equal one. `inputs` are the
  /// parameters of forward.
  BuiltPtr finish_class(Frame& frame, const std::string& inputs);
  std::string class_mark(int id) const { return "\x03" + std::to_string(id) + "\x04"; }

  // ---- Parameters ----
  std::string unique_label(std::string_view label);
  Frame& owner() { return frame().owner ? *frame().owner : frame(); }
  Frame& frame() { return *frames_.back(); }
  int twin(int axis);  // returns a second axis of the same size, for a linear map from an axis to itself
  /// Records a parameter whose array in the module has these axes in this order, reshaped to `shape`. `key`
  /// is its attribute, with ".weight" or ".bias" if it belongs to a Linear.
  void new_param(const std::string& name, const std::string& key, std::vector<int> axes,
                 std::vector<std::int64_t> shape);

  // ---- The file (module.cc) ----
  std::set<std::string> name_items(const std::string& design_class);
  std::string resolved(const std::string& text, const std::string& self, const std::string& extra) const;
  std::string file_text(const std::string& design_class);
  /// Returns the comments of a unit or function, without their marks; "" if there are none.
  std::string comments_of(const void* item) const;
  std::string docstring(const void* item, const std::string& program, int indent) const;
  Result<std::vector<Weight>> checked_weights();

  const lang::Library& library_;
  const lang::Elaboration& elaboration_;
  std::map<const void*, const lang::Item*> items_;  // by the address of the unit, function or design
  std::optional<Error> error_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<AxisInfo> axes_;
  std::map<int, int> twins_;                        // axis -> the second one
  std::map<std::string, int> shared_axes_;          // by path and label
  std::unordered_set<std::string> without_params_;  // paths of shared instances that need no module to share
  std::map<std::string, int> shared_widths_;  // path of a shared instance -> width axis of its first call
  std::map<std::string, SharedModule> shared_modules_;  // by path
  std::vector<Weight> weights_;
  std::map<std::string, std::size_t> weights_by_name_;
  std::vector<std::vector<int>> weight_axes_;  // the graph's axes of each of weights_
  std::vector<ClassText> classes_;
  std::map<std::pair<const lang::Unit*, std::string>, int> class_ids_;
  std::vector<FunctionText> functions_;
  std::map<std::string, std::string> function_names_;  // in marks -> in the module
  std::vector<Value> returned_;                        // the results of the unit or function being written
  std::map<std::string, double> free_values_;          // by the path of the hyperparameter
  AtOnce* at_once_ = nullptr;  // nullptr also in the functions and units that its step calls
  bool inside_at_once_ = false;
  const std::vector<Stmt>* block_ = nullptr;  // the block being written, and the statement in it
  std::size_t statement_ = 0;
  std::vector<std::string> targets_;      // Python names for the results of the call being evaluated
  std::set<std::string> differentiated_;  // names of the step that an inner gradient is taken by
};

}  // namespace gabbro::pytorch
