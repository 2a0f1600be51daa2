// Elaborates expressions: names, numbers, arithmetic, axes.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lang/builtins.h"
#include "lang/elaborator.h"
#include "lang/printer.h"

namespace gabbro::lang {

using ir::Op;

Value Elaborator::error(Position at, std::string code, std::string message, std::string hint) {
  // Suppresses errors that only follow from having stopped half-way.
  if (gave_up_ && code != "limit") return {};
  constexpr std::size_t kMostErrors = 20;
  // The user cannot fix a library item, so the error points to the call in the checked program.
  std::string where;
  for (auto it = frames_.rbegin(); it != frames_.rend() && !(*it)->own; ++it) {
    at = (*it)->call_site;
    where = fmt::format("{}{}{}", (*it)->name, where.empty() ? "" : " > ", where);
  }
  if (!where.empty()) {
    if (argument_at_) at = *argument_at_;
    // Further errors of the same call follow from the first one; the user cannot fix them separately.
    for (const Error& known : out_.errors)
      if (known.at == at && known.message.starts_with("in ")) return {};
    message = fmt::format("in {}: {}", where, message);
    if (const std::string_view own = causal_counterpart(where); code == "future" && !own.empty()) hint = own;
  }
  message += call_note(at);
  if (out_.errors.size() < kMostErrors)
    out_.errors.push_back({std::move(code), std::move(message), std::move(hint), at});
  else
    gave_up_ = true;
  return {};
}

std::size_t Elaborator::own_frame() const {
  std::size_t frame = frames_.size() - 1;
  while (frame > 0 && !frames_[frame]->own) --frame;
  return frame;
}

int Elaborator::call_line(std::size_t frame) const {
  Position call;
  // A unit on its own is called by no text.
  for (std::size_t i = frame; i > (fill_holes_ ? 1U : 0U); --i) {
    call = frames_[i]->call_site;
    if (frames_[i - 1]->own) break;
  }
  return call.line;
}

std::string Elaborator::call_note(Position at) const {
  const std::size_t frame = own_frame();
  const int line = call_line(frame);
  return line == 0 || line == at.line
             ? ""
             : fmt::format(" (in {}, called on line {})", frames_[frame]->name, line);
}

ParamOrigin Elaborator::origin(Position at, const std::string& label) const {
  const std::size_t frame = own_frame();
  ParamOrigin out{.at = frame + 1 < frames_.size() ? frames_[frame + 1]->call_site : at,
                  .unit = std::string(frames_[frame]->name),
                  .label = frame + 1 < frames_.size() ? std::string(frames_[frame]->label) : label,
                  .call_line = call_line(frame)};
  const auto loop =
      std::find_if(loops_.rbegin(), loops_.rend(), [&](const Loop& l) { return frames_[l.frame]->own; });
  if (loop == loops_.rend()) return out;
  const auto& names = loop->stmt->names;
  out.in_callee = loop->frame != frame;
  out.carried = std::find(names.begin() + 1, names.end(), out.label) != names.end();
  if (loop->round == loop->count - 1) {
    const Expr& count = loop->stmt->values[0];
    out.round = fmt::format(
        "{} == {}", names[0],
        count.kind == Expr::Kind::kNumber ? fmt::format("{}", loop->round) : print(count) + " - 1");
  } else if (loop->round == 0) {
    out.round = names[0] + " == 0";
  }
  return out;
}

Value Elaborator::error(const Expr& argument, std::string code, std::string message, std::string hint) {
  const bool called_here = frames_.size() > 1 && !frame().own && frames_[frames_.size() - 2]->own;
  if (const Binding* b = argument.kind == Expr::Kind::kName ? frame().binding(argument.text) : nullptr;
      b && called_here && !frame().unit)
    argument_at_ = b->at;
  const Value none = error(argument.at, std::move(code), std::move(message), std::move(hint));
  argument_at_.reset();
  return none;
}

Value Elaborator::make(NodeId node) const {
  Value v;
  v.kind = Value::Kind::kTensor;
  v.node = node;
  v.body = contexts_.back().body;
  return v;
}

std::size_t Elaborator::operations() const {
  std::size_t n = finished_operations_;
  for (const BodyContext& context : contexts_) n += out_.graph.bodies[context.body].nodes.size();
  return n;
}

bool Elaborator::spend(std::size_t steps, Position at) {
  steps_ += steps;
  out_.steps = steps_;
  const std::size_t most = ElaborateOptions::kStepsPerNode * options_.max_nodes;
  if (steps_ <= most) return true;
  if (!std::exchange(gave_up_, true))
    error(at, "limit", fmt::format("the design takes more than {} steps to be built", most),
          "use fewer repetitions: nested loops and functions multiply");
  return false;
}

bool Elaborator::is_short(const ir::Sym& sym, std::size_t most, Position at) {
  if (sym.is_constant() || sym.key().size() <= most) return true;
  if (!std::exchange(gave_up_, true))
    error(at, "limit", fmt::format("a formula in D has more than {} characters", most),
          "compute with plain numbers, or with fewer sizes");
  return false;
}

std::string Elaborator::size_one_hint(const ir::Type& got, const ir::Type& want) {
  for (AxisId a : got.axes)
    if (a >= ir::kFirstAxis && !want.has(a) && graph().axes[a].size == 1)
      return fmt::format(
          "{}=1 is an axis like any other: one number per position, without an axis, is linear(x, []) in "
          "place "
          "of linear(x, 1)",
          graph().axes[a].name);
  return {};
}

Value Elaborator::emit(Position at, ir::Node node) {
  if (operations() >= options_.max_nodes) {
    if (std::exchange(gave_up_, true)) return {};
    return error(at, "limit", fmt::format("the design has more than {} operations", options_.max_nodes),
                 "use fewer repetitions");
  }
  auto id = builder().try_add(node);
  if (!id) return error(at, id.error());
  return make(*id);
}

static Value number(double value, ir::Sym sym) {
  Value v;
  v.kind = Value::Kind::kStatic;
  v.number = {value, std::move(sym)};
  return v;
}

Static Elaborator::as_static(const Elaborator& e, const Value& value) {
  if (value.kind != Value::Kind::kAxis) return value.number;
  const ir::Axis& axis = e.out_.graph.axes[value.axes[0]];
  return {static_cast<double>(axis.size), axis.sym};
}

static bool is_number(const Value& v) {
  return v.kind == Value::Kind::kStatic || (v.kind == Value::Kind::kAxis && v.axes[0] >= ir::kFirstAxis);
}

std::int32_t Elaborator::symbol(const ir::Sym& sym) {
  if (sym.is_constant()) return -1;
  auto& syms = graph().syms;
  steps_ += syms.size() / kFormulasPerStep;  // the next statement reports the limit if there are too many
  const auto known = std::find(syms.begin(), syms.end(), sym);
  const auto index = static_cast<std::int32_t>(known - syms.begin());
  if (known == syms.end()) syms.push_back(sym);
  return index;
}

Value Elaborator::out_of_range(double value, Position at) {
  return error(at, "range", fmt::format("{:g} is outside the range of training (float32, 3.4e38)", value));
}

bool Elaborator::is_in_range(double value, Position at) {
  if (!std::isfinite(value) || std::abs(value) <= std::numeric_limits<float>::max()) return true;
  out_of_range(value, at);
  return false;
}

NodeId Elaborator::tensor(const Value& value, Position at) {
  if (value.poison()) return -1;
  if (value.kind == Value::Kind::kTensor) return use(value, at);
  if (is_number(value)) {
    const Static n = as_static(*this, value);
    if (!is_in_range(n.value, at)) return -1;
    return builder().constant(n.value, symbol(n.sym));
  }
  if (value.kind == Value::Kind::kInstance)
    error(at, "type", "a unit is used where a value is expected", "call it: norm(x)");
  else if (value.axes.contains(ir::kTime))
    error(at, "length", "the sequence length cannot be used as a value",
          "position() counts from the start of the text");
  else
    error(at, "type", fmt::format("{} is an axis, not a value", graph().axis_names(value.axes)));
  return -1;
}

// Names of a body are unique. Entries of the index may be outdated, so the name at the index is compared.
Binding* Frame::binding(std::string_view wanted) {
  constexpr std::size_t kFew = 32;
  if (wanted == "_") return nullptr;
  const auto matches = [&](const Binding& b) { return b.name == wanted && b.family_key.empty(); };
  if (names.size() <= kFew) {
    const auto at = std::find_if(names.begin(), names.end(), matches);
    return at == names.end() ? nullptr : &*at;
  }
  for (; indexed < names.size(); ++indexed) index[names[indexed].name] = indexed;
  const auto at = index.find(wanted);
  if (at == index.end() || at->second >= names.size() || !matches(names[at->second])) return nullptr;
  return &names[at->second];
}

Binding* Elaborator::find(std::string_view name) {
  Binding* b = frame().binding(name);
  if (b) b->read = true;
  return b;
}

Value Elaborator::unknown_name(const Expr& expr, bool is_call) {
  if (const Absent* absent = find_absent(expr.text))
    return error(expr.at, std::string(absent->code), std::string(absent->message), std::string(absent->hint));
  std::vector<std::string> known;
  for (const Binding& b : frame().names) known.emplace_back(b.name);
  std::string hint = closest(expr.text, known);
  if (hint.empty()) hint = library_.suggest(expr.text);
  if (!hint.empty()) hint = "did you mean " + hint + "?";
  if (!is_call && library_.unit(expr.text, frame().own))
    hint = fmt::format("call the unit: {}(x)", expr.text);
  return error(expr.at, "name",
               fmt::format("unknown {} {}", is_call ? "function or unit" : "name", expr.text), hint);
}

Value Elaborator::eval_name(const Expr& expr) {
  if (Binding* b = find(expr.text)) return b->value;
  if (expr.text == "all")
    return number(std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity());
  const auto axis = [](AxisId id) {
    Value v;
    v.kind = Value::Kind::kAxis;
    v.axes = {id};
    return v;
  };
  if (expr.text == "D") return axis(frame().width);
  if (expr.text == "t") return axis(ir::kTime);
  if (expr.text == "s") return axis(ir::kPast);
  return unknown_name(expr, /*is_call=*/false);
}

Value Elaborator::eval(const Expr& expr) {
  if (gave_up_ || !spend(1, expr.at)) return {};
  Value value = eval_kind(expr);
  if (const auto folded = contexts_.empty() ? std::nullopt : builder().take_overflow())
    return out_of_range(*folded, expr.at);
  constexpr std::size_t kLongest = 2000;
  if (value.kind == Value::Kind::kStatic && !is_short(value.number.sym, kLongest, expr.at)) return {};
  if (surveying()) survey(expr, value);
  return value;
}

Value Elaborator::eval_kind(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kBool:
      return number(expr.number, expr.number);
    case Expr::Kind::kName:
      return eval_name(expr);
    case Expr::Kind::kBinary:
      return eval_binary(expr);
    case Expr::Kind::kUnary: {
      const Value x = eval(expr.args[0]);
      return arithmetic(expr, "*", number(-1, -1), x);
    }
    case Expr::Kind::kCall: {
      auto values = call_expr(expr);
      if (values.size() == 1) return values[0];
      if (values.empty()) return {};
      return error(expr.at, "type",
                   fmt::format("{} has {} results, but one is expected here", expr.text, values.size()),
                   "unpack them first: a, b = " + expr.text + "(...)");
    }
    case Expr::Kind::kIf: {
      const auto condition = eval_static(expr.args[1], "the condition of if");
      if (!condition) return {};
      if (!condition->sym.is_constant()) graph().width_bound = true;
      const bool is_true = condition->value != 0;
      const Expr& skipped = expr.args[is_true ? 2 : 0];
      // Names in the branch not taken count as read, because another value of the hyperparameter uses them.
      const auto mark_read = [&](const Expr& e, const auto& self) -> void {
        if (e.kind == Expr::Kind::kName || e.kind == Expr::Kind::kCall) find(e.text);
        for (const Expr& arg : e.args) self(arg, self);
      };
      mark_read(skipped, mark_read);
      return eval(expr.args[is_true ? 0 : 2]);
    }
    case Expr::Kind::kIndex: {
      const auto index = eval_int(expr.args[0], "the index");
      if (!index) return {};
      const std::string key = fmt::format("{}[{}]", expr.text, *index);
      if (!spend(frame().names.size() / kNamesPerStep, expr.at)) return {};
      for (Binding& b : frame().names)
        if (b.family_key == key) {
          b.read = true;
          return b.value;
        }
      return error(expr.at, "name", fmt::format("{} is not defined", key),
                   "assign an indexed name before reading it");
    }
    case Expr::Kind::kList:
      return error(expr.at, "type", "a list is used where a value is expected",
                   "lists name axes: over=[h, k]");
  }
  return {};
}

Value Elaborator::eval_binary(const Expr& expr) {
  const Value a = eval(expr.args[0]);
  const Value b = eval(expr.args[1]);
  return arithmetic(expr, expr.text, a, b);
}

namespace {

Static fold(std::string_view op, const Static& a, const Static& b) {
  using ir::Sym;
  if (op == "+") return {a.value + b.value, a.sym + b.sym};
  if (op == "-") return {a.value - b.value, a.sym - b.sym};
  if (op == "*") return {a.value * b.value, a.sym * b.sym};
  if (op == "/") return {a.value / b.value, a.sym / b.sym};
  if (op == "//") return {ir::floor_of(a.value / b.value), Sym::call(Sym::Fn::kFloor, a.sym / b.sym)};
  if (op == "%") {
    const Static quotient = fold("//", a, b);
    return {a.value - b.value * quotient.value, a.sym - b.sym * quotient.sym};
  }
  if (op == "**") return {std::pow(a.value, b.value), pow(a.sym, b.sym)};
  const bool truth = op == "<"    ? a.value < b.value
                     : op == ">"  ? a.value > b.value
                     : op == "<=" ? a.value <= b.value
                     : op == ">=" ? a.value >= b.value
                                  : a.value == b.value;
  return {truth ? 1.0 : 0.0, truth ? 1.0 : 0.0};
}

}  // namespace

static constexpr std::string_view kNoZero =
    "a range that leaves 0 out, or a small number added, keeps it finite";

Value Elaborator::arithmetic(const Expr& at, std::string_view op, const Value& a, const Value& b) {
  if (a.poison() || b.poison()) return {};
  if (is_number(a) && is_number(b)) {
    const Static x = as_static(*this, a), y = as_static(*this, b);
    const bool compares = op == "<" || op == ">" || op == "<=" || op == ">=" || op == "==";
    const bool divides = op == "/" || op == "//" || op == "%";
    if (divides && y.value == 0) return error(at.at, "range", "division by zero", std::string(kNoZero));
    if (compares && !(x.sym.is_constant() && y.sym.is_constant())) graph().width_bound = true;
    const Static n = fold(op, x, y);
    if (std::isnan(n.value)) return error(at.at, "range", "the result is not a number");
    if (std::isinf(n.value) && !std::isinf(x.value) && !std::isinf(y.value))
      return error(at.at, "range", fmt::format("{} {} {} is infinite", x.value, op, y.value));
    return number(n.value, n.sym);
  }
  if (op == "**") {
    const NodeId base = tensor(a, at.at);
    if (base < 0) return {};
    if (is_number(b) && as_static(*this, b).sym.is_constant()) {
      const double exponent = as_static(*this, b).value;
      if (!is_in_range(exponent, at.at)) return {};
      return emit(at.at, {.op = Op::kPow, .in = {base, -1, -1}, .value = exponent});
    }
    const NodeId exponent = tensor(b, at.at);
    if (exponent < 0) return {};
    return emit(at.at, {.op = Op::kPower, .in = {base, exponent, -1}});
  }
  const bool by_zero = is_number(b) && as_static(*this, b).value == 0;
  if (by_zero && (op == "/" || op == "//" || op == "%"))
    return error(at.at, "range", "division by zero", std::string(kNoZero));
  const NodeId x = tensor(a, at.at), y = tensor(b, at.at);
  if (x < 0 || y < 0) return {};
  const auto emit_binary = [&](Op o, NodeId p, NodeId q) { return emit(at.at, {.op = o, .in = {p, q, -1}}); };
  // Returns f of the node of `v`, or poison.
  const auto then = [&](const Value& v, const auto& f) { return v.poison() ? v : f(v.node); };
  if (op == "+") return emit_binary(Op::kAdd, x, y);
  if (op == "*") return emit_binary(Op::kMul, x, y);
  if (op == "-")
    return then(emit_binary(Op::kMul, builder().constant(-1), y),
                [&](NodeId minus) { return emit_binary(Op::kAdd, x, minus); });
  if (op == "<") return emit_binary(Op::kLess, x, y);
  if (op == ">") return emit_binary(Op::kLess, y, x);
  // a <= b is not (b < a), a >= b is not (a < b), and a == b is neither (a < b) nor (b < a).
  if (op == "<=" || op == ">=" || op == "==") {
    const auto negate = [&](NodeId n) { return make(builder().minus(builder().constant(1), n)); };
    if (op == "<=") return then(emit_binary(Op::kLess, y, x), negate);
    if (op == ">=") return then(emit_binary(Op::kLess, x, y), negate);
    const Value less = emit_binary(Op::kLess, x, y), more = emit_binary(Op::kLess, y, x);
    return less.poison() || more.poison() ? Value{} : negate(builder().plus(less.node, more.node));
  }
  const Value quotient = emit_binary(Op::kDiv, x, y);
  if (op == "/" || quotient.poison()) return quotient;
  const Value floored = emit(at.at, {.op = Op::kFloor, .in = {quotient.node, -1, -1}});
  if (op == "//" || floored.poison()) return floored;
  return make(builder().minus(x, builder().times(y, floored.node)));
}

std::optional<Static> Elaborator::eval_static(const Expr& expr, std::string_view what) {
  const Value v = eval(expr);
  if (v.poison()) return {};
  if (is_number(v)) return as_static(*this, v);
  if (v.kind == Value::Kind::kTensor)
    error(expr.at, "type",
          fmt::format("{} must be a number known at compile time, got a value {}", what,
                      graph().type_name(graph().node(v.body, v.node).type)),
          "to choose per element use where(condition, a, b)");
  else if (v.kind == Value::Kind::kAxis)
    error(expr.at, "length", "the sequence length cannot be used as a value",
          "a program must not know how long the text is; position() counts from its start");
  else
    error(expr.at, "type", fmt::format("{} must be a number", what));
  return {};
}

std::optional<std::int64_t> Elaborator::eval_int(const Expr& expr, std::string_view what) {
  const auto n = eval_static(expr, what);
  if (!n) return {};
  constexpr double kLargest = 1e15;
  if (n->value != std::floor(n->value) || std::abs(n->value) > kLargest) {
    if (std::isinf(n->value) && n->value > 0) return ir::kAll;
    error(expr.at, "range", fmt::format("{} must be a whole number, got {}", what, n->value));
    return {};
  }
  if (!n->sym.is_constant()) graph().width_bound = true;
  return static_cast<std::int64_t>(n->value);
}

std::optional<AxisList> Elaborator::eval_axes(const Expr& expr, std::string_view what) {
  if (expr.kind != Expr::Kind::kList) {
    const Value v = eval(expr);
    if (v.poison()) return {};
    if (v.kind == Value::Kind::kAxis || v.kind == Value::Kind::kAxes) return v.axes;
    const std::string got = v.kind == Value::Kind::kInstance ? "a unit"
                            : v.kind == Value::Kind::kTensor
                                ? "a value " + graph().type_name(graph().node(v.body, v.node).type)
                            : std::isinf(v.number.value) ? "all"
                                                         : fmt::format("the number {:.6g}", v.number.value);
    error(expr, "type", fmt::format("{} takes an axis, got {}", what, got),
          v.kind == Value::Kind::kTensor ? "name an axis that it has"
          : got == "all"                 ? "without over=, sums and means run over every axis but t and s"
                                         : "declare axes with `axis h = heads, k = D / heads`");
    return {};
  }
  AxisList out;
  for (const Expr& item : expr.args) {
    const auto part = eval_axes(item, what);
    if (!part) return {};
    for (AxisId a : *part) {
      if (out.contains(a)) {
        error(item.at, "shape", fmt::format("axis {} is named twice", graph().axes[a].name),
              "name each axis once");
        return {};
      }
      if (out.full()) {
        error(item.at, "shape", fmt::format("more than {} axes", ir::kMaxRank));
        return {};
      }
      out.push_back(a);
    }
  }
  return out;
}

std::optional<AxisId> Elaborator::eval_axis(const Expr& expr, std::string_view what) {
  const auto axes = eval_axes(expr, what);
  if (!axes) return {};
  if (axes->size() == 1) return (*axes)[0];
  error(expr, "type", fmt::format("{} takes one axis, got {}", what, graph().axis_names(*axes)),
        "merge(x, [b, c], a) makes one of several");
  return {};
}

}  // namespace gabbro::lang
