// Elaborates statements: bindings, axes, loops and scans.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "lang/elaborator.h"
#include "lang/inner_gradient.h"
#include "lang/lexer.h"

namespace gabbro::lang {

using ir::Op;

void Elaborator::bind(std::string_view name, Value value, Position at, bool may_ignore) {
  if (is_builtin_name(name)) {
    error(at, "reserved", fmt::format("{} is a reserved name", name), reserved_hint());
    return;
  }
  if (const Binding* known = frame().binding(name)) {
    error(at, "duplicate", fmt::format("{} already has a value, from line {}", name, known->at.line),
          "values do not change: choose another name, or carry it: scan S: [..] = 0, for i in n with x = x0");
    return;
  }
  keep_differentiated(name, value);
  Binding b;
  b.name = name;
  b.value = std::move(value);
  b.at = at;
  b.may_ignore = may_ignore || name == "_";
  if (options_.record_names && b.value.kind == Value::Kind::kTensor && frame().unit)
    out_.names.push_back({frame().unit->name, std::string(name),
                          graph().type_name(graph().node(b.value.body, b.value.node).type), at.line});
  frame().names.push_back(std::move(b));
}

// Protects a differentiated value from simplification, so that the loss reads the value itself and not the
// operands from which it was computed.
void Elaborator::keep_differentiated(std::string_view name, const Value& value) {
  const auto& names = contexts_.back().differentiated;
  if (value.kind == Value::Kind::kTensor && value.body == contexts_.back().body &&
      std::find(names.begin(), names.end(), name) != names.end() && !builder().is_pinned(value.node))
    builder().pin(value.node);
}

void Elaborator::report_unread(std::size_t from) {
  const auto& names = frame().names;
  for (std::size_t i = from; i < names.size(); ++i) {
    const Binding& b = names[i];
    if (b.read || b.may_ignore || b.value.poison()) continue;
    const std::string_view shown = b.family_key.empty() ? b.name : std::string_view(b.family_key);
    error(b.at, "unused", fmt::format("{} is never read", shown),
          "use it, or remove it (a result that is not wanted is named _)");
  }
}

void Elaborator::run_block(const std::vector<Stmt>& block) {
  for (const Stmt& stmt : block) {
    if (gave_up_) return;
    if (has_returned_) {
      error(stmt.at, "unused", "this statement comes after return", "remove it, or return later");
      return;
    }
    run_stmt(stmt);
  }
}

void Elaborator::run_stmt(const Stmt& stmt) {
  if (!spend(1, stmt.at)) return;
  if (frame().own)
    for (const BodyContext& context : contexts_) context.builder->set_line(stmt.at.line);
  if (surveying()) survey(stmt);
  switch (stmt.kind) {
    case Stmt::Kind::kAxis:
      return run_axis(stmt);
    case Stmt::Kind::kAssign:
      return run_assign(stmt);
    case Stmt::Kind::kScan:
      return run_scan(stmt);
    case Stmt::Kind::kFor:
      return run_for(stmt);
    case Stmt::Kind::kShare: {
      InstancePtr instance = eval_instance(stmt.values[0], nullptr);
      Value v;
      if (instance) {
        auto shared = std::make_shared<Instance>(*instance);
        if (shared->shared_path.empty())
          shared->shared_path = owner().path + "." + unique_label(stmt.names[0]);
        v.kind = Value::Kind::kInstance;
        v.instance = std::move(shared);
      }
      bind(stmt.names[0], v, stmt.at);
      return;
    }
    case Stmt::Kind::kReturn: {
      if (contexts_.size() > frame().contexts) {
        error(stmt.at, "type", "return is used inside a scan",
              "return after it: the names assigned in a scan have a value at every position");
        return;
      }
      frame().label = "out";
      for (const Expr& value : stmt.values) returned_.push_back(eval(value));
      has_returned_ = true;
      return;
    }
  }
}

AxisId Elaborator::new_axis(std::string name, const Static& size, Position at) {
  constexpr double kLargest = 1 << 24;
  const bool whole = size.value == std::floor(size.value);
  if (!whole || size.value < 1 || size.value > kLargest) {
    error(at, "shape",
          fmt::format("axis {} has size {}{}", name,
                      size.sym.is_constant() ? "" : size.sym.to_string() + " = ", size.value),
          whole ? "sizes lie between 1 and 2^24"
                : "sizes are whole numbers: choose hyperparameters that divide the width, or use //");
    return 0;
  }
  constexpr std::size_t kMostAxes = 60'000;  // AxisId has 16 bits
  if (graph().axes.size() > kMostAxes) {
    gave_up_ = true;
    error(at, "limit", "the design has more than 60000 axes", "use fewer repetitions");
    return 0;
  }
  constexpr std::size_t kLongest = 500;  // costs multiply the sizes of up to eight axes
  if (!is_short(size.sym, kLongest, at)) return 0;
  const auto count = static_cast<std::int64_t>(size.value);
  if (!frame().shared) return graph().add_axis(std::move(name), count, size.sym);
  // A shared instance reuses its parameters on every call, and therefore its axes.
  const std::string key = owner().path + "." + unique_label("axis " + name);
  const auto [known, fresh] = shared_axes_.try_emplace(key, AxisId{0});
  if (fresh) known->second = graph().add_axis(std::move(name), count, size.sym);
  return known->second;
}

void Elaborator::run_axis(const Stmt& stmt) {
  for (std::size_t i = 0; i < stmt.names.size(); ++i) {
    const auto size = eval_static(stmt.values[i], "the size of an axis");
    Value v;
    if (size) {
      const AxisId id = new_axis(stmt.names[i], *size, stmt.values[i].at);
      if (id != 0) {
        v.kind = Value::Kind::kAxis;
        v.axes = {id};
      }
    }
    bind(stmt.names[i], v, stmt.at);
  }
}

void Elaborator::run_assign(const Stmt& stmt) {
  frame().label = stmt.targets[0].text;
  const Expr& source = stmt.values[0];
  std::vector<Value> values;
  if (source.kind == Expr::Kind::kCall)
    values = call_expr(source);
  else
    values.push_back(eval(source));
  if (surveying() && values.size() == 1) survey(source, values[0]);
  if (values.size() != stmt.targets.size()) {
    const bool is_reported = values.empty() || values[0].poison();
    if (!is_reported)
      error(stmt.at, "type",
            fmt::format("{} names cannot take {} results", stmt.targets.size(), values.size()),
            "name every result, or _ for one that is not wanted");
    values.assign(stmt.targets.size(), {});
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Expr& target = stmt.targets[i];
    if (target.kind == Expr::Kind::kIndex) {
      const auto index = eval_int(target.args[0], "the index");
      if (!index) continue;
      std::string key = fmt::format("{}[{}]", target.text, *index);
      if (!spend(frame().names.size() / kNamesPerStep, target.at)) return;
      for (const Binding& b : frame().names)
        if (b.family_key == key) {
          error(target.at, "duplicate", fmt::format("{} already has a value, from line {}", key, b.at.line),
                "each index is assigned once");
          return;
        }
      bind("_", values[i], target.at);
      frame().names.back().may_ignore = false;
      frame().names.back().family_key = std::move(key);
      continue;
    }
    Binding* carried = frame().binding(target.text);
    if (carried && carried->may_rebind) {
      keep_differentiated(target.text, values[i]);
      carried->value = values[i];
    } else {
      bind(target.text, values[i], target.at);
    }
  }
}

void Elaborator::run_for(const Stmt& stmt) {
  const auto count = eval_int(stmt.values[0], "the number of repetitions");
  constexpr std::int64_t kMost = 1024;
  if (count && (*count < 0 || *count > kMost)) {
    error(stmt.values[0].at, "range", fmt::format("{} repetitions are not possible", *count),
          "use 0 to 1024");
    for (std::size_t i = 1; i < stmt.names.size(); ++i) bind(stmt.names[i], {}, stmt.at);
    return;
  }
  const std::size_t outer = frame().names.size();
  for (std::size_t i = 1; i < stmt.names.size(); ++i) {
    frame().label = stmt.names[i];
    bind(stmt.names[i], eval(stmt.values[i]), stmt.at);
    frame().names.back().may_rebind = true;
  }
  const std::size_t carried_end = frame().names.size();
  const std::size_t errors_before = out_.errors.size();
  for (std::int64_t i = 0; count && i < *count && !gave_up_; ++i) {
    Value index;
    index.kind = Value::Kind::kStatic;
    index.number = {static_cast<double>(i), static_cast<double>(i)};
    if (!spend(1 + frame().names.size() / kMovedNamesPerStep, stmt.at)) break;
    bind(stmt.names[0], index, stmt.at, /*may_ignore=*/true);
    loops_.push_back({.stmt = &stmt, .round = i, .count = *count, .frame = frames_.size() - 1});
    run_block(stmt.body);
    loops_.pop_back();
    if (has_returned_) {
      error(stmt.at, "type", "return is used inside a loop",
            "return after it; carry a value out: for i in n with y = x");
      has_returned_ = false;
      break;
    }
    // Names assigned in one iteration end with it; families and rebound carried values stay.
    auto& names = frame().names;
    std::vector<Binding> families;
    std::vector<Binding> locals(
        std::make_move_iterator(names.begin() + static_cast<std::ptrdiff_t>(carried_end)),
        std::make_move_iterator(names.end()));
    names.resize(carried_end);
    frame().indexed = std::min(frame().indexed, carried_end);
    for (Binding& b : locals) {
      if (!b.family_key.empty())
        families.push_back(std::move(b));
      else if (!b.read && !b.may_ignore && !b.value.poison())
        error(b.at, "unused", fmt::format("{} is never read", b.name),
              "names assigned in a loop end with each iteration; carry a value out: for i in n with y = x");
    }
    // Families are moved before the end marker of the carried names changes, because they belong to the
    // enclosing block.
    for (Binding& b : families) names.push_back(std::move(b));
    // The next iteration would report the same error.
    if (out_.errors.size() > errors_before) break;
  }
  for (std::size_t i = outer; i < carried_end && i < frame().names.size(); ++i)
    frame().names[i].may_rebind = false;
}

void Elaborator::run_scan(const Stmt& stmt) {
  // If the header is wrong, the names that the scan would define become poison, so that only the header is
  // reported.
  const auto poison = [&] {
    for (const Stmt& inner : stmt.body)
      for (const Expr& target : inner.targets)
        if (target.kind == Expr::Kind::kName && !find(target.text)) bind(target.text, {}, target.at);
    for (const std::string& name : stmt.names)
      if (!find(name)) bind(name, {}, stmt.at);
  };
  if (in_scan()) {
    error(stmt.at, "type", "a scan is used inside a scan",
          "carry all states in one scan: scan A: [..] = 0, B: [..] = 0:");
    return poison();
  }
  struct State {
    ir::Type type;
    NodeId init;
  };
  std::vector<State> states;
  const std::size_t errors_before = out_.errors.size();
  for (std::size_t i = 0; i < stmt.names.size(); ++i) {
    frame().label = stmt.names[i];
    const auto axes = eval_axes(stmt.types[i], "the type of a state");
    const NodeId init = eval_tensor(stmt.values[i]);
    if (!axes || init < 0) continue;
    State state;
    for (AxisId a : *axes) state.type.add(a);
    for (AxisId a : frame().lifted) state.type.add(a);
    const ir::Type got = builder().type(init);
    if (state.type.time() || state.type.past()) {
      error(stmt.types[i].at, "shape",
            fmt::format("state {} has axis {}", stmt.names[i], state.type.time() ? "t" : "s"),
            "a state is what is carried from one position to the next: leave t and s out");
      continue;
    }
    if (got.time()) {
      error(stmt.values[i].at, "time",
            fmt::format("state {} starts from a value that varies over time: {}", stmt.names[i],
                        graph().type_name(got)),
            "start from a number or a parameter");
      continue;
    }
    bool fits = true;
    for (AxisId a : got.axes) fits = fits && state.type.has(a);
    if (!fits) {
      error(stmt.values[i].at, "shape",
            fmt::format("state {} is {} but starts from {}", stmt.names[i], graph().type_name(state.type),
                        graph().type_name(got)));
      continue;
    }
    if (const ir::Node& from = builder().node(init); from.op == Op::kParam)
      graph().params[from.index].role = ir::Role::kState;
    state.init = builder().fit(init, state.type);
    states.push_back(state);
  }
  if (out_.errors.size() > errors_before || states.size() != stmt.names.size()) return poison();

  const int scan_index = static_cast<int>(graph().scans.size());
  const int body = static_cast<int>(graph().bodies.size());
  graph().scans.emplace_back();
  graph().bodies.emplace_back();
  BodyContext context;
  context.body = body;
  context.builder = std::make_unique<ir::Builder>(graph(), body);
  context.differentiated = differentiated_names(stmt.body);
  contexts_.push_back(std::move(context));
  const std::size_t first_state = frame().names.size();
  for (std::size_t i = 0; i < states.size(); ++i) {
    bind(stmt.names[i], make(builder().arg(static_cast<int>(i), states[i].type)), stmt.at);
    frame().names.back().may_rebind = true;
  }
  run_block(stmt.body);

  // Checks that every state ends a step with the type it began with.
  ir::Body& step = graph().bodies[body];
  for (std::size_t i = 0; i < states.size(); ++i) {
    Value next;
    for (std::size_t j = first_state; j < frame().names.size(); ++j)
      if (frame().names[j].name == stmt.names[i] && frame().names[j].may_rebind) {
        next = frame().names[j].value;
        frame().names[j].may_rebind = false;
      }
    NodeId node = tensor(next, stmt.at);
    if (node < 0) {
      node = builder().fit(builder().constant(0), states[i].type);
    } else if (builder().type(node) != states[i].type) {
      error(stmt.at, "shape",
            fmt::format("state {} of the scan is {} but becomes {}", stmt.names[i],
                        graph().type_name(states[i].type), graph().type_name(builder().type(node))),
            or_else(size_one_hint(builder().type(node), states[i].type),
                    "declare the state with the axes of the value assigned to it, or reduce the extra axes"));
      node = builder().fit(builder().constant(0), states[i].type);
    } else if (node == static_cast<NodeId>(i) && graph().bodies[body].nodes[node].op == Op::kArg &&
               graph().bodies[body].nodes[node].index == static_cast<int>(i)) {
      error(stmt.at, "unused", fmt::format("state {} never changes", stmt.names[i]),
            "assign to it in the scan, or use a plain value");
    }
    step.outputs.push_back(node);
  }

  std::vector<NodeId> inits;
  for (const State& state : states) inits.push_back(state.init);
  reject_gradients_through_states(*this, contexts_.back(), stmt.names, inits);
  BodyContext done = std::move(contexts_.back());
  contexts_.pop_back();
  finished_operations_ += step.nodes.size();
  ir::Scan& scan = graph().scans[scan_index];
  scan.body = body;
  scan.inits = std::move(inits);
  scan.sequences = done.sequences;
  scan.invariants = done.invariants;
  // Arguments are numbered once all captures are known: states, sequences, invariants.
  auto& nodes = graph().bodies[body].nodes;
  int next = static_cast<int>(states.size());
  for (NodeId id : done.sequence_args) nodes[id].index = next++;
  for (NodeId id : done.invariant_args) nodes[id].index = next++;
  const Value scan_value = emit(stmt.at, {.op = Op::kScan, .index = scan_index});
  if (scan_value.poison()) return;
  scans_[body] = scan_value.node;
}

NodeId Elaborator::use(const Value& value, Position at) {
  const int here = contexts_.back().body;
  if (value.body == here) return value.node;
  NodeId outer = value.node;
  // A value created by an earlier scan is read out, one value per position.
  if (value.body != 0) {
    const auto scan_node = scans_.find(value.body);
    if (scan_node == scans_.end()) return -1;
    ir::Body& step = graph().bodies[value.body];
    ir::Builder& parent = *contexts_.front().builder;
    ir::Scan& scan = graph().scans[parent.node(scan_node->second).index];
    const auto states = static_cast<std::ptrdiff_t>(scan.inits.size());
    auto known = std::find(step.outputs.begin() + states, step.outputs.end(), value.node);
    if (known == step.outputs.end()) {
      step.outputs.push_back(value.node);
      known = step.outputs.end() - 1;
    }
    const auto index = static_cast<std::int32_t>(known - step.outputs.begin() - states);
    auto projected = parent.try_add({.op = Op::kScanOut, .in = {scan_node->second, -1, -1}, .index = index});
    if (!projected) {
      error(at, projected.error());
      return -1;
    }
    outer = *projected;
  }
  if (here == 0) return outer;
  BodyContext& context = contexts_.back();
  const auto known = context.captured.find(outer);
  if (known != context.captured.end()) return known->second;
  ir::Type type = contexts_.front().builder->type(outer);
  if (type.past()) {
    error(at, "time",
          fmt::format("a value over past positions is used inside a scan: {}", graph().type_name(type)),
          "reduce it over s before the scan");
    return -1;
  }
  const ir::Node& node = contexts_.front().builder->node(outer);
  if (node.op == Op::kConst) return builder().constant(node.value, node.index);
  const bool varies = type.time();
  type.remove(ir::kTime);
  auto& list = varies ? context.sequences : context.invariants;
  auto& args = varies ? context.sequence_args : context.invariant_args;
  list.push_back(outer);
  // A provisional index keeps the argument distinct until run_scan numbers all arguments.
  const NodeId arg = builder().arg((varies ? 1 << 20 : 1 << 21) + static_cast<int>(list.size()), type);
  args.push_back(arg);
  context.captured.emplace(outer, arg);
  return arg;
}

}  // namespace gabbro::lang
