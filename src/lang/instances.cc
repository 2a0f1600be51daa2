// Elaborates instances, calls of units and functions, hyperparameters and parameters.
#include <fmt/core.h>
#include <fmt/format.h>

#include <cmath>

#include "lang/builtins.h"
#include "lang/elaborator.h"

namespace gabbro::lang {

using ir::Op;

namespace {

const Interface& unit_interface() {
  static const Interface kUnit{"Unit", {{"x", {"t", "D"}, {}}}, {{"", {"t", "D"}, {}}}};
  return kUnit;
}

constexpr std::size_t kMaxDepth = 64;  // of calls

std::string text_of_number(double value) { return std::isinf(value) ? "all" : fmt::format("{:.6g}", value); }

std::string signature(std::size_t inputs, const std::vector<Port>& outputs) {
  std::string out = fmt::format("{} input{}, results (first", inputs, inputs == 1 ? "" : "s");
  for (std::size_t i = 1; i < outputs.size(); ++i) out += ", " + outputs[i].name;
  return out + ")";
}

bool same_results(const std::vector<Port>& a, const std::vector<Port>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 1; i < a.size(); ++i)
    if (a[i].name != b[i].name) return false;
  return true;
}

}  // namespace

// ---- Instances ----

bool Elaborator::conforms(const InstancePtr& instance, const Interface& want, Position at) {
  std::size_t inputs = 1;
  std::vector<Port> outputs(1);
  std::string name = "a stack";
  if (instance->kind == Instance::Kind::kUnit) {
    inputs = instance->unit->inputs.size();
    outputs = instance->unit->outputs;
    name = instance->unit->name;
  } else if (instance->kind == Instance::Kind::kHole) {
    inputs = instance->hole->inputs.size();
    outputs = instance->hole->outputs;
  }
  if (inputs == want.inputs.size() && same_results(outputs, want.outputs)) return true;
  error(
      at, "interface",
      fmt::format("{} has {}; {} expects {}", name, signature(inputs, outputs), want.name,
                  signature(want.inputs.size(), want.outputs)),
      want.name == "Unit" && outputs.size() > 1
          ? fmt::format(
                "an element of a stack and a slot of type Unit hand on one value, and the model predicts the "
                "next token alone: call {} in a unit that reads its further results or names them _, or type "
                "the slot by an interface with these results",
                name)
          : "fill the slot with a unit of its interface");
  return false;
}

InstancePtr Elaborator::eval_instance(const Expr& expr, const Interface* want) {
  auto out = std::make_shared<Instance>();
  out->at = expr.at;
  if (expr.kind == Expr::Kind::kList || (expr.kind == Expr::Kind::kBinary && expr.text == "*")) {
    const bool repeat = expr.kind == Expr::Kind::kBinary;
    out->kind = repeat ? Instance::Kind::kRepeat : Instance::Kind::kSequence;
    if (repeat && expr.args[1].kind == Expr::Kind::kNumber) {
      error(expr.args[1].at, "type", "a unit comes before its number of repetitions",
            fmt::format("the number comes first: {} * {}", expr.args[1].number, expr.args[0].text));
      return nullptr;
    }
    if (repeat) {
      const auto count = eval_int(expr.args[0], "the number of repetitions");
      if (!count) return nullptr;
      constexpr std::int64_t kMost = 1024;
      if (*count < 1 || *count > kMost) {
        error(expr.args[0].at, "range", fmt::format("{} repetitions are not possible", *count),
              "use 1 to 1024");
        return nullptr;
      }
      out->count = static_cast<int>(*count);
    }
    if (!repeat && expr.args.empty()) {
      error(expr.at, "type", "the stack is empty", "name at least one unit");
      return nullptr;
    }
    for (std::size_t i = repeat ? 1 : 0; i < expr.args.size(); ++i) {
      InstancePtr part = eval_instance(expr.args[i], &unit_interface());
      if (!part) return nullptr;
      out->parts.push_back(std::move(part));
    }
  } else if (expr.kind == Expr::Kind::kName || expr.kind == Expr::Kind::kCall) {
    const bool is_call = expr.kind == Expr::Kind::kCall;
    if (Binding* b = find(expr.text)) {
      if (b->value.kind != Value::Kind::kInstance) {
        if (!b->value.poison())
          error(expr.at, "type", fmt::format("{} is not a unit", expr.text),
                "a slot takes a unit, e.g. norm = RMSNorm");
        return nullptr;
      }
      if (is_call) {
        error(expr.at, "type", fmt::format("{} already has its hyperparameters", expr.text),
              "name it without parentheses");
        return nullptr;
      }
      if (want && !conforms(b->value.instance, *want, expr.at)) return nullptr;
      return b->value.instance;
    }
    out->unit = library_.unit(expr.text, frame().own);
    if (!out->unit) {
      unknown_name(expr, /*is_call=*/true);
      return nullptr;
    }
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      const std::string& key = expr.keywords[i];
      // These are inputs of a call; a bare instance has none.
      if (key == "over" || key.empty()) continue;
      const auto& hypers = out->unit->hypers;
      const auto hyper =
          std::find_if(hypers.begin(), hypers.end(), [&](const Hyper& h) { return h.name == key; });
      if (hyper == hypers.end()) {
        std::vector<std::string> known;
        for (const Hyper& h : hypers) known.push_back(h.name);
        std::string hint = closest(key, known);
        hint = hint.empty()
                   ? (known.empty() ? "it has none" : fmt::format("it has {}", fmt::join(known, ", ")))
                   : "did you mean " + hint + "?";
        error(expr.args[i].at, "name", fmt::format("{} has no hyperparameter or slot {}", expr.text, key),
              hint);
        return nullptr;
      }
      if (std::any_of(out->args.begin(), out->args.end(),
                      [&](const auto& arg) { return arg.first == key; })) {
        error(expr.args[i].at, "duplicate", fmt::format("{} is given twice", key));
        return nullptr;
      }
      Value v;
      if (hyper->kind == Hyper::Kind::kSlot) {
        const Interface* interface = hyper->interface == "Unit"
                                         ? &unit_interface()
                                         : library_.interface(hyper->interface, library_.is_own(out->unit));
        v.instance = eval_instance(expr.args[i], interface);
        if (!v.instance) return nullptr;
        v.kind = Value::Kind::kInstance;
      } else {
        const auto number = eval_static(expr.args[i], hyper->name);
        if (!number) return nullptr;
        v.kind = Value::Kind::kStatic;
        v.number = *number;
        if (!check_range(*hyper, v, expr.args[i].at)) return nullptr;
      }
      out->args.emplace_back(hyper->name, std::move(v));
    }
  } else {
    error(expr.at, "type", "expected a unit", "write Unit, Unit(heads=4), 12 * Unit, or [Unit, Unit]");
    return nullptr;
  }
  if (want && !conforms(out, *want, expr.at)) return nullptr;
  return out;
}

bool Elaborator::check_range(const Hyper& hyper, const Value& value, Position at) {
  const double v = value.number.value;
  if (hyper.kind == Hyper::Kind::kInt && v != std::floor(v)) {
    error(at, "range", fmt::format("{} = {} is not a whole number", hyper.name, text_of_number(v)));
    return false;
  }
  if (hyper.kind == Hyper::Kind::kBool && v != 0 && v != 1) {
    error(at, "range", fmt::format("{} = {} is neither true nor false", hyper.name, text_of_number(v)));
    return false;
  }
  if (hyper.range.empty()) return true;
  std::string allowed;
  for (const RangeEntry& entry : hyper.range) {
    const auto low = eval_static(entry.low, "a bound"), high = eval_static(entry.high, "a bound");
    if (!low || !high) return false;
    if (v >= low->value && v <= high->value) return true;
    if (!allowed.empty()) allowed += ", ";
    allowed += low->value == high->value ? text_of_number(low->value)
                                         : text_of_number(low->value) + " .. " + text_of_number(high->value);
  }
  error(at, "range", fmt::format("{} = {} is not in {{{}}}", hyper.name, text_of_number(v), allowed),
        "choose one of the allowed values, or widen the range in the signature");
  return false;
}

// Multiplies a hyperparameter marked `free` by the common factor that resizing has chosen, within its range.
void Elaborator::scale_free(const Hyper& hyper, Value& value) {
  FreeHyper record{.path = frame().path + "." + hyper.name, .value = value.number.value};
  bool first = true;
  for (const RangeEntry& entry : hyper.range) {
    const auto low = eval_static(entry.low, "a bound"), high = eval_static(entry.high, "a bound");
    if (!low || !high) return;
    record.low = first ? low->value : std::min(record.low, low->value);
    record.high = first ? high->value : std::max(record.high, high->value);
    first = false;
  }
  if (options_.free_scale != 1) {
    double v = value.number.value * options_.free_scale;
    if (!first) v = std::min(std::max(v, record.low), record.high);
    if (hyper.kind == Hyper::Kind::kInt) v = std::round(v);
    value.number = {v, v};
    record.value = v;
  }
  out_.free_hypers.push_back(record);
}

// Applies a move of an integer hyperparameter. Resizing chooses moves if no width and no free hyperparameter
// gives the size. Values that depend on the width stay.
void Elaborator::move_int(const Instance& instance, const Hyper& hyper, Value& value) {
  const double written = value.number.value;
  if (!std::isfinite(written) || !value.number.sym.is_constant()) return;
  auto& hypers = hyper.range.empty() ? out_.open_hypers : out_.int_hypers;
  const std::string& unit = instance.unit->name;
  const auto is_this = [&](const auto& known, double v) {
    return v == written && known.hyper == hyper.name && known.unit == unit;
  };
  if (hypers.size() < Elaboration::kMostIntHypers &&
      std::none_of(hypers.begin(), hypers.end(),
                   [&](const IntHyper& known) { return is_this(known, known.value); })) {
    IntHyper record{
        .unit = unit, .hyper = hyper.name, .value = written, .own = library_.is_own(instance.unit)};
    for (const RangeEntry& entry : hyper.range) {
      const auto low = eval_static(entry.low, "a bound"), high = eval_static(entry.high, "a bound");
      if (!low || !high) return;
      record.range.emplace_back(low->value, high->value);
    }
    hypers.push_back(std::move(record));
  }
  for (const Move& move : options_.moves)
    if (is_this(move, move.from)) {
      value.number = {move.to, move.to};
      check_range(hyper, value, instance.at);
      return;
    }
}

Value Elaborator::hyper_value(const Instance& instance, const Hyper& hyper) {
  for (const auto& [name, value] : instance.args)
    if (name == hyper.name) return value;
  Value v;
  if (hyper.kind != Hyper::Kind::kSlot) {
    if (!hyper.value)
      return error(instance.at, "missing", fmt::format("{} needs {}", instance.unit->name, hyper.name),
                   fmt::format("write {}({}=...)", instance.unit->name, hyper.name));
    const auto number = eval_static(*hyper.value, hyper.name);
    if (!number) return {};
    v.kind = Value::Kind::kStatic;
    v.number = *number;
    return check_range(hyper, v, hyper.value->at) ? v : Value{};
  }
  const Interface* interface = hyper.interface == "Unit"
                                   ? &unit_interface()
                                   : library_.interface(hyper.interface, library_.is_own(instance.unit));
  if (!interface)
    return error(hyper.at, "name", fmt::format("unknown interface {}", hyper.interface),
                 "slots are typed by `Unit` or by an interface of the program");
  v.kind = Value::Kind::kInstance;
  if (hyper.value) {
    v.instance = eval_instance(*hyper.value, interface);
    return v.instance ? v : Value{};
  }
  if (!fill_holes_)
    return error(instance.at, "missing",
                 fmt::format("{} needs a unit for its slot {}", instance.unit->name, hyper.name),
                 fmt::format("write {}({}=SomeUnit)", instance.unit->name, hyper.name));
  auto hole = std::make_shared<Instance>();
  hole->kind = Instance::Kind::kHole;
  hole->hole = interface;
  v.instance = std::move(hole);
  return v;
}

std::string Elaborator::bind_hypers(const Instance& instance) {
  std::string description;
  for (const Hyper& hyper : instance.unit->hypers) {
    Value v = hyper_value(instance, hyper);
    if (v.kind == Value::Kind::kStatic) {
      if (hyper.free)
        scale_free(hyper, v);
      else if (hyper.kind == Hyper::Kind::kInt)
        move_int(instance, hyper, v);
      if (!description.empty()) description += ", ";
      description += hyper.name + "=";
      description += hyper.kind == Hyper::Kind::kBool ? (v.number.value != 0 ? "true" : "false")
                                                      : text_of_number(v.number.value);
    }
    bind(hyper.name, std::move(v), hyper.at);
  }
  return description;
}

// ---- Calls ----

// Returns the hint for an unknown keyword: `usage`, or another one for PyTorch's dim, which numbers axes.
static std::string argument_hint(std::string_view function, std::string_view keyword,
                                 std::string_view usage) {
  if (keyword != "dim" && keyword != "dims" && keyword != "axes") return std::string(usage);
  return fmt::format("axes have names: {0}(x, over=D); over earlier positions: {0}(past(x), over=s)",
                     function);
}

std::vector<Value> Elaborator::call_expr(const Expr& expr) {
  if (Binding* b = find(expr.text)) {
    if (b->value.poison()) return {};
    if (b->value.kind == Value::Kind::kInstance) return call_instance_expr(b->value.instance, expr);
    error(expr.at, "type", fmt::format("{} is a value, not a function", expr.text),
          "an operator is missing, or the name hides a unit");
    return {};
  }
  if (const Builtin* builtin = find_builtin(expr.text)) {
    int positional = 0;
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      const std::string& key = expr.keywords[i];
      if (key.empty()) {
        ++positional;
        continue;
      }
      const std::string padded = fmt::format(" {} ", builtin->keywords);
      if (padded.find(" " + key + " ") == std::string::npos) {
        error(expr.args[i].at, "call", fmt::format("{} has no argument {}", expr.text, key),
              argument_hint(expr.text, key, documentation(*builtin)));
        return {};
      }
    }
    if (positional < builtin->min_args || positional > builtin->max_args) {
      error(expr.at, "call",
            fmt::format("{} takes {} argument{}, got {}", expr.text,
                        builtin->min_args == builtin->max_args
                            ? fmt::format("{}", builtin->min_args)
                            : fmt::format("{} to {}", builtin->min_args, builtin->max_args),
                        builtin->max_args == 1 ? "" : "s", positional),
            std::string(documentation(*builtin)));
      return {};
    }
    return {builtin->run(*this, expr)};
  }
  if (const Function* function = library_.function(expr.text, frame().own))
    return call_function(*function, expr);
  if (!library_.unit(expr.text, frame().own)) return {unknown_name(expr, /*is_call=*/true)};
  const InstancePtr instance = eval_instance(expr, nullptr);
  return instance ? call_instance_expr(instance, expr) : std::vector<Value>{};
}

std::vector<Value> Elaborator::call_instance_expr(const InstancePtr& instance, const Expr& expr) {
  std::vector<Value> inputs;
  bool ok = true;
  const bool is_slot = instance->kind != Instance::Kind::kUnit || instance->unit->name != expr.text;
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    if (!expr.keywords[i].empty()) {
      if (is_slot && expr.keywords[i] != "over") {
        error(expr.args[i].at, "call",
              fmt::format("slot {} takes inputs and over=, not {}", expr.text, expr.keywords[i]),
              "set its hyperparameters where the slot is filled");
        ok = false;
      }
      continue;
    }
    inputs.push_back(make(eval_tensor(expr.args[i])));
    ok = ok && inputs.back().node >= 0;
  }
  if (!ok) return {};
  if (inputs.empty()) {
    error(expr.at, "call", fmt::format("{} is called without input", expr.text),
          fmt::format("write {}(x)", expr.text));
    return {};
  }
  // Finds the axis that plays the part of D: the one named by over=, or else the only axis there is.
  const ir::Type type = builder().type(inputs[0].node);
  AxisList over;
  if (const Expr* given = keyword(expr, "over")) {
    const auto axes = eval_axes(*given, "over");
    if (!axes) return {};
    over = *axes;
    if (over.empty()) {
      error(*given, "shape", fmt::format("{} runs over no axis", expr.text), "name the axis that is D");
      return {};
    }
  } else {
    for (AxisId a : type.axes)
      if (a >= ir::kFirstAxis && !frame().lifted.contains(a)) over.push_back(a);
    if (over.size() != 1) {
      error(expr.at, "shape", fmt::format("{} takes [t, D], got {}", expr.text, graph().type_name(type)),
            over.empty() ? "apply it to a value with a feature axis"
                         : or_else(size_one_hint(type, ir::Type{{ir::kTime, frame().width}, 0}),
                                   fmt::format("say which axis is D: {}(x, over={})", expr.text,
                                               graph().axes[over[over.size() - 1]].name)));
      return {};
    }
  }
  for (AxisId a : over)
    if (a < ir::kFirstAxis || !type.has(a)) {
      error(*keyword(expr, "over"), a == ir::kTime ? "future" : "shape",
            fmt::format("{} cannot run over {}: the value is {}", expr.text, graph().axes[a].name,
                        graph().type_name(type)),
            a == ir::kTime
                ? "units work at every position; a running norm is x * (mean(past(x * x), over=s) + "
                  "1e-6) ** -0.5"
            : a == ir::kPast ? "units work at every position: reduce it over s first"
                             : "run over an axis that the value has");
      return {};
    }
  const std::string path = owner().path + "." + unique_label(expr.text);
  if (over.size() == 1) return call(instance, inputs, over[0], path, expr.at);
  // Several axes together play the part of D: they are merged before the call and split after it.
  Static size{static_cast<double>(ir::elements(graph(), over)), 1};
  for (AxisId a : over) size.sym = size.sym * graph().axes[a].sym;
  const AxisId merged = new_axis("D", size, expr.at);
  AxisList regroup = over;
  regroup.push_back(merged);
  for (Value& v : inputs)
    if ((v = emit(expr.at, {.op = Op::kMerge, .in = {v.node, -1, -1}, .axes = regroup})).poison()) return {};
  std::vector<Value> results = call(instance, inputs, merged, path, expr.at);
  AxisList back{merged};
  for (AxisId a : over) back.push_back(a);
  for (Value& v : results)
    if (const NodeId node = tensor(v, expr.at); node >= 0)
      v = emit(expr.at, {.op = Op::kSplit, .in = {node, -1, -1}, .axes = back});
  return results;
}

std::vector<Value> Elaborator::call(const InstancePtr& instance, const std::vector<Value>& inputs,
                                    AxisId width, const std::string& path, Position at) {
  if (instance->shared_path.empty() || without_params_.contains(instance->shared_path))
    return call_at(instance, inputs, width, path, at);
  // All uses of a shared instance work along the axis of the first one, because its parameters have that
  // axis.
  const auto [known, is_first_use] = shared_widths_.try_emplace(instance->shared_path, width);
  const AxisId first = known->second;
  std::vector<Value> x = inputs;
  if (first != width) {
    const ir::Axis had = graph().axes[first], now = graph().axes[width];
    const bool clash =
        std::any_of(x.begin(), x.end(), [&](const Value& v) { return builder().type(v.node).has(first); });
    if (had.size != now.size || clash) {
      error(at, "share",
            fmt::format("a shared instance is used along {}={} and along {}={}", had.name, had.size, now.name,
                        now.size),
            "share it only between places of equal width");
      return {};
    }
    x = rename_all(x, width, first, at);
  }
  const bool saved = std::exchange(frame().shared, true);
  const std::size_t params_before = graph().params.size();
  x = call_at(instance, x, first, instance->shared_path, at);
  frame().shared = saved;
  // If the instance has no parameters, there is nothing to share: further uses are elaborated as if each were
  // written out.
  if (is_first_use && graph().params.size() == params_before) without_params_.insert(instance->shared_path);
  return first == width ? x : rename_all(x, first, width, at);
}

std::vector<Value> Elaborator::rename_all(std::vector<Value> values, AxisId from, AxisId to, Position at) {
  for (Value& v : values)
    if (const NodeId node = tensor(v, at); node >= 0)
      v = emit(at, {.op = Op::kRename, .in = {node, -1, -1}, .axes = {from, to}});
  return values;
}

std::vector<Value> Elaborator::call_at(const InstancePtr& instance, const std::vector<Value>& inputs,
                                       AxisId width, const std::string& path, Position at) {
  switch (instance->kind) {
    case Instance::Kind::kUnit:
      return call_unit(instance, inputs, width, path, at);
    case Instance::Kind::kHole:
      return call_hole(*instance, inputs, width, path);
    default:
      break;
  }
  std::vector<Value> x = inputs;
  const int count =
      instance->kind == Instance::Kind::kRepeat ? instance->count : static_cast<int>(instance->parts.size());
  for (int i = 0; i < count && !x.empty() && !gave_up_; ++i) {
    const InstancePtr& part = instance->parts[instance->kind == Instance::Kind::kRepeat ? 0 : i];
    const std::size_t errors_before = out_.errors.size();
    x = call(part, x, width, fmt::format("{}.{}", path, i), part->at.line > 0 ? part->at : at);
    // The next repetition would report the same error.
    if (out_.errors.size() > errors_before) return {};
  }
  return x;
}

std::vector<Value> Elaborator::call_unit(const InstancePtr& instance, const std::vector<Value>& inputs,
                                         AxisId width, const std::string& path, Position at) {
  const Unit& unit = *instance->unit;
  if (!spend(1 + path.size() / kCharactersPerStep, at)) return {};
  if (inputs.size() != unit.inputs.size()) {
    error(at, "call",
          fmt::format("{} takes {} input{}, got {}", unit.name, unit.inputs.size(),
                      unit.inputs.size() == 1 ? "" : "s", inputs.size()));
    return {};
  }
  if (inputs.empty()) {
    error(at, "call", fmt::format("unit {} has no input", unit.name),
          fmt::format("write unit {}(x: [t, D], ...)", unit.name));
    return {};
  }
  const ir::Type type = builder().type(inputs[0].node);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ir::Type got = builder().type(inputs[i].node);
    const bool has_time = in_scan() || got.time();
    if (got != type || !got.has(width) || !has_time || got.past()) {
      error(at, "shape",
            fmt::format("input {} of {} is {}, expected [t, {}]{}", unit.inputs[i].name, unit.name,
                        graph().type_name(got), graph().axes[width].name,
                        got != type ? fmt::format(" like the first input {}", graph().type_name(type)) : ""),
            got.past() ? "reduce it over s first"
            : !has_time
                ? "it does not vary over time"
                : or_else(size_one_hint(got, type),
                          "the inputs of a unit have the same axes: hand over linear(y, D), or write a "
                          "`fn`, whose arguments may have any"));
      return {};
    }
  }
  if (frames_.size() > kMaxDepth) {
    error(at, "limit", fmt::format("units are nested more than {} deep", kMaxDepth));
    return {};
  }
  auto frame_ptr = std::make_unique<Frame>();
  Frame& callee = *frame_ptr;
  callee.unit = &unit;
  callee.name = unit.name;
  callee.own = library_.is_own(&unit);
  callee.call_site = at;
  callee.shared = frame().shared;
  callee.path = path;
  callee.width = width;
  for (AxisId a : type.axes)
    if (a >= ir::kFirstAxis && a != width) callee.lifted.push_back(a);

  const std::size_t slot = out_.instances.size();
  out_.instances.push_back({.path = path, .unit = unit.name, .depth = static_cast<int>(frames_.size()) - 1});
  const std::size_t params_before = graph().params.size();
  const std::size_t errors_before = out_.errors.size();
  frames_.push_back(std::move(frame_ptr));
  for (std::size_t i = 0; i < inputs.size(); ++i) bind(unit.inputs[i].name, inputs[i], unit.inputs[i].at);
  out_.instances[slot].hypers = bind_hypers(*instance);
  frame_ptr = std::move(frames_.back());
  frames_.pop_back();
  if (out_.errors.size() > errors_before) return std::vector<Value>(unit.outputs.size());
  std::vector<Value> results = run_body(std::move(frame_ptr), unit.body);
  for (std::size_t p = params_before; p < graph().params.size(); ++p)
    out_.instances[slot].params += ir::elements(graph(), graph().params[p].axes);
  if (out_.errors.size() > errors_before) return std::vector<Value>(unit.outputs.size());
  return results;
}

// Runs a body in `frame` and checks what it returns: a unit must return one value per declared result, with
// the type of its input.
std::vector<Value> Elaborator::run_body(std::unique_ptr<Frame> frame_ptr, const std::vector<Stmt>& body) {
  frame_ptr->contexts = contexts_.size();
  frames_.push_back(std::move(frame_ptr));
  std::vector<Value> saved = std::exchange(returned_, {});
  const bool saved_has_returned = std::exchange(has_returned_, false);
  const std::size_t errors_before = out_.errors.size();
  run_block(body);
  std::vector<Value> results = std::exchange(returned_, std::move(saved));
  const bool returned = std::exchange(has_returned_, saved_has_returned);
  const Position end = body.empty() ? Position{} : body.back().at;
  if (!returned && out_.errors.size() == errors_before)
    error(end, "missing", fmt::format("{} returns nothing", frame().name), "end the body with return");
  if (out_.errors.size() == errors_before) report_unread(0);
  if (const Unit* unit = frame().unit; unit && returned && out_.errors.size() == errors_before) {
    if (results.size() != unit->outputs.size())
      error(end, "type",
            fmt::format("{} declares {} result{} but returns {}", unit->name, unit->outputs.size(),
                        unit->outputs.size() == 1 ? "" : "s", results.size()));
    ir::Type want;
    if (!in_scan()) want.add(ir::kTime);
    want.add(frame().width);
    for (AxisId a : frame().lifted) want.add(a);
    for (Value& v : results) {
      const NodeId node = tensor(v, end);
      if (node < 0) continue;
      v = make(node);
      if (const ir::Type got = builder().type(node); got != want)
        error(end, "shape",
              fmt::format("{} returns {}, expected {}", unit->name, graph().type_name(got),
                          graph().type_name(want)),
              got.past() ? "reduce it over s" : or_else(size_one_hint(got, want), "end with linear(y, D)"));
    }
  }
  frames_.pop_back();
  return results;
}

// Fills an open slot with the simplest unit that reads every input, so that a unit with open slots can be
// checked on its own.
std::vector<Value> Elaborator::call_hole(const Instance& instance, const std::vector<Value>& inputs,
                                         AxisId width, const std::string& path) {
  std::vector<Value> results;
  for (std::size_t r = 0; r < instance.hole->outputs.size(); ++r) {
    NodeId sum = -1;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string name = fmt::format("{}.{}.{}", path, r, i);
      graph().params.push_back({name, {width}, {}, ir::Role::kVector, {ir::Init::Kind::kConstant, 1, 0}});
      Value weight;
      weight.kind = Value::Kind::kTensor;
      weight.node = contexts_.front().builder->param(static_cast<int>(graph().params.size()) - 1);
      const NodeId term = builder().times(use(weight, {}), inputs[i].node);
      sum = sum < 0 ? term : builder().plus(sum, term);
    }
    results.push_back(make(sum));
  }
  return results;
}

std::vector<Value> Elaborator::call_function(const Function& function, const Expr& call) {
  if (!spend(1, call.at)) return {};
  auto frame_ptr = std::make_unique<Frame>();
  Frame& callee = *frame_ptr;
  callee.owner = &owner();
  callee.name = function.name;
  callee.own = library_.is_own(&function);
  callee.call_site = call.at;
  callee.shared = frame().shared;
  callee.width = frame().width;
  callee.lifted = frame().lifted;
  callee.label = frame().label;
  const auto evaluate = [&](const Expr& e) {
    if (e.kind != Expr::Kind::kList) return eval(e);
    Value v;
    if (const auto axes = eval_axes(e, "a list")) {
      v.kind = Value::Kind::kAxes;
      v.axes = *axes;
    }
    return v;
  };
  std::vector<Value> values(function.params.size());
  std::vector<bool> given(function.params.size(), false);
  std::vector<Position> at(function.params.size(), call.at);
  std::size_t position = 0;
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    std::size_t slot = position;
    if (call.keywords[i].empty()) {
      ++position;
    } else {
      for (slot = 0; slot < function.params.size() && function.params[slot].name != call.keywords[i];) ++slot;
    }
    if (slot >= function.params.size() && (call.keywords[i] == "padding" || call.keywords[i] == "right" ||
                                           call.keywords[i] == "bidirectional")) {
      error(call.args[i].at, "future",
            fmt::format("{} has no argument {}: padding on the right would hold future positions",
                        function.name, call.keywords[i]),
            fmt::format("{} looks back only, and reads 0 before the start: {}(x, width)", function.name,
                        function.name));
      return {};
    }
    if (slot >= function.params.size() || given[slot]) {
      std::string names;
      for (const auto& p : function.params) names += (names.empty() ? "" : ", ") + p.name;
      error(call.args[i].at, "call",
            slot >= function.params.size() && call.keywords[i].empty()
                ? fmt::format("{} takes {} argument{}, got {}", function.name, function.params.size(),
                              function.params.size() == 1 ? "" : "s", call.args.size())
            : slot >= function.params.size()
                ? fmt::format("{} has no argument {}", function.name, call.keywords[i])
                : fmt::format("argument {} is given twice", function.params[slot].name),
            argument_hint(function.name, call.keywords[i], fmt::format("{}({})", function.name, names)));
      return {};
    }
    values[slot] = evaluate(call.args[i]);
    given[slot] = true;
    at[slot] = call.args[i].at;
    if (values[slot].poison()) return {};
  }
  frames_.push_back(std::move(frame_ptr));
  bool ok = true;
  for (std::size_t i = 0; i < values.size() && ok; ++i) {
    if (!given[i]) {
      if (function.params[i].value)
        values[i] = eval(*function.params[i].value);
      else
        error(call.at, "call", fmt::format("argument {} is missing", function.params[i].name),
              fmt::format("write {}(..., {}=...)", function.name, function.params[i].name));
    }
    ok = !values[i].poison();
    if (ok) bind(function.params[i].name, values[i], at[i]);
  }
  frame_ptr = std::move(frames_.back());
  frames_.pop_back();
  if (!ok) return {};
  const std::size_t errors_before = out_.errors.size();
  std::vector<Value> results = run_body(std::move(frame_ptr), function.body);
  if (out_.errors.size() > errors_before) return {};
  return results;
}

// ---- Parameters ----

std::string unique_label(Labels& labels, std::string_view label) {
  const auto find = [&](std::string_view text) {
    return std::find_if(labels.begin(), labels.end(), [&](const auto& known) { return known.first == text; });
  };
  std::string unique(label);
  // The program itself may use a name that the numbering generates: "q" created twice next to a "q_2".
  for (auto known = find(label); known != labels.end() && find(unique) != labels.end();)
    unique = fmt::format("{}_{}", label, ++known->second);
  labels.emplace_back(unique, 1);
  return unique;
}

std::string Elaborator::unique_label(std::string_view label) {
  // The next statement reports the limit if there are too many labels.
  steps_ += owner().labels.size() / kNamesPerStep;
  return lang::unique_label(owner().labels, label);
}

AxisId Elaborator::twin(AxisId axis) {
  const auto [known, fresh] = twins_.try_emplace(axis, AxisId{0});
  if (fresh) {
    const ir::Axis copy = graph().axes[axis];
    known->second = graph().add_axis(copy.name + "'", copy.size, copy.sym);
  }
  return known->second;
}

NodeId Elaborator::new_param(Position at, const std::string& label, const AxisList& axes,
                             const AxisList& fan_in, ir::Role role, ir::Init init) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 40;  // keeps the sum over all parameters exact
  const std::string name = owner().path + "." + unique_label(label);
  if (!spend(name.size() / kCharactersPerStep, at)) return -1;
  if (const std::int64_t size = ir::elements(graph(), axes); size > kLargest) {
    gave_up_ = true;
    error(at, "limit", fmt::format("parameter {} would have more than 2^40 elements", name),
          "make its axes smaller");
    return -1;
  }
  const auto [known, fresh] = params_by_name_.try_emplace(name, static_cast<int>(graph().params.size()));
  if (fresh) {
    ir::Param param{name, {}, fan_in, role, init};
    ir::Type sorted;
    for (AxisId a : axes) sorted.add(a);
    param.axes = sorted.axes;
    out_.origins.resize(graph().params.size());
    out_.origins.push_back(origin(at, label));
    graph().params.push_back(std::move(param));
  }
  Value v;
  v.kind = Value::Kind::kTensor;
  v.node = contexts_.front().builder->param(known->second);
  v.body = 0;
  return use(v, {});
}

}  // namespace gabbro::lang
