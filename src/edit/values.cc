#include "edit/values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "edit/build.h"

namespace gabbro::edit {

using lang::Expr;
using lang::NamedType;
using lang::Stmt;
using lang::Survey;
using namespace build;

namespace {

// The window `all`, as ir::kAll.
constexpr std::int64_t kUnbounded = std::numeric_limits<std::int32_t>::max();

NamedType with_axis(NamedType type, const std::string& axis) {
  type.axes.push_back(axis);
  std::sort(type.axes.begin(), type.axes.end());
  return type;
}

bool has(const NamedType& type, const std::string& axis) {
  return std::find(type.axes.begin(), type.axes.end(), axis) != type.axes.end();
}

}  // namespace

int count_mentions(const Expr& expr, std::string_view name) {
  const bool named =
      expr.kind == Expr::Kind::kName || expr.kind == Expr::Kind::kCall || expr.kind == Expr::Kind::kIndex;
  int count = named && expr.text == name ? 1 : 0;
  for (const Expr& arg : expr.args) count += count_mentions(arg, name);
  return count;
}

int count_mentions(const Stmt& stmt, std::string_view name) {
  int count = 0;
  for (const Expr& e : stmt.values) count += count_mentions(e, name);
  for (const Expr& e : stmt.types) count += count_mentions(e, name);
  for (const Expr& target : stmt.targets)
    for (const Expr& index : target.args) count += count_mentions(index, name);
  for (const Stmt& inner : stmt.body) count += count_mentions(inner, name);
  return count;
}

void names_in(const lang::Expr& e, std::set<std::string>& out) {
  if (e.kind == lang::Expr::Kind::kName || e.kind == lang::Expr::Kind::kCall) out.insert(e.text);
  for (const lang::Expr& arg : e.args) names_in(arg, out);
}

bool mentions(const Expr& expr, std::string_view name) { return count_mentions(expr, name) > 0; }

bool mentions(const std::vector<Stmt>& block, std::string_view name) {
  return std::any_of(block.begin(), block.end(), [&](const Stmt& s) { return count_mentions(s, name) > 0; });
}

Values::Values(Random& random, std::vector<Survey::Name> scope, Options options, std::vector<Stmt>& before)
    : random_(random), scope_(std::move(scope)), options_(options), before_(before) {
  for (const Survey::Name& n : scope_) taken_.push_back(n.name);
}

std::string Values::fresh(std::string_view stem) {
  std::string name(stem);
  for (int i = 2; std::find(taken_.begin(), taken_.end(), name) != taken_.end(); ++i)
    name = std::string(stem) + "_" + std::to_string(i);
  taken_.push_back(name);
  return name;
}

Expr Values::hoist(std::string_view stem, Expr value, const Type& type) {
  const std::string target = fresh(stem);
  before_.push_back(assign(target, std::move(value)));
  scope_.push_back({.name = target, .kind = Survey::Name::Kind::kValue, .type = type});
  return name(target);
}

std::vector<std::string> Values::axes_of_scope() const {
  std::vector<std::string> out;
  for (const Survey::Name& n : scope_)
    if (n.kind == Survey::Name::Kind::kAxis) out.push_back(n.name);
  return out;
}

std::vector<std::string> Values::names_of(const Type& type) const {
  std::vector<std::string> out;
  for (const Survey::Name& n : scope_)
    if (n.kind == Survey::Name::Kind::kValue && n.type == type) out.push_back(n.name);
  return out;
}

// Returns a type with a random subset of the axes of `type`, often all of them, which broadcasts to it.
NamedType Values::random_part(const Type& type) {
  Type out = type;
  if (type.axes.size() < 2 || random_.chance(0.6)) return out;
  std::erase_if(out.axes, [&](const std::string&) { return random_.chance(0.4); });
  return out.axes.empty() ? type : out;
}

// Returns an axis to contract over, with more than one element, that `without` lacks; "" if there is none.
std::string Values::key_axis(const Type& without) {
  std::vector<std::string> known;
  for (const Survey::Name& n : scope_)
    if (n.kind == Survey::Name::Kind::kAxis && n.value > 1 && !has(without, n.name)) known.push_back(n.name);
  return known.empty() ? "" : random_.pick(known);
}

Expr Values::param(const std::vector<std::string>& axes, double init) {
  return with(call("param", {names(axes)}), "init", init < 0 ? minus(num(-init)) : num(init));
}

// Returns a new linear map, which no other term can cancel.
Expr Values::fresh_linear(const Type& want) {
  std::vector<std::string> known;
  for (const Survey::Name& n : scope_)
    if (n.kind == Survey::Name::Kind::kValue && n.type.time == want.time && !n.type.past &&
        !n.type.axes.empty() && n.type.axes.size() < 3)
      known.push_back(n.name);
  if (known.empty()) return param(want.axes, 1);
  // The first value is the input of the unit, where most maps start.
  const std::string& from = random_.chance(0.6) ? known.front() : random_.pick(known);
  // A value [t] is the mean of a map to a feature axis.
  if (want.axes.empty()) {
    const std::vector<std::string> axes = axes_of_scope();
    return call("mean", {call("linear", {name(from), axes.empty() ? name("D") : name(random_.pick(axes))})});
  }
  const Expr out = want.axes.size() == 1 ? name(want.axes[0]) : names(want.axes);
  Expr e = call("linear", {name(from), out});
  return random_.chance(0.15) ? with(std::move(e), "bias", boolean(true)) : e;
}

Expr Values::leaf(const Type& want) {
  const std::vector<std::string> known = names_of(want);
  return !known.empty() && random_.chance(0.5) ? name(random_.pick(known)) : fresh_linear(want);
}

// Returns a value that is the same at all positions: a parameter or a function of one.
Expr Values::constant_in_time(const Type& want) {
  if (want.axes.empty()) return num(random_.chance(0.5) ? 0.5 : 2);
  Expr p = param(want.axes, random_.chance(0.5) ? 1 : 0.5);
  switch (random_.below(4)) {
    case 0:
      return call("exp", {minus(std::move(p))});
    case 1:
      return call("sigmoid", {std::move(p)});
    case 2:
      return call("softplus", {std::move(p)});
    default:
      return p;
  }
}

Expr Values::gate(const Type& type) { return call("sigmoid", {fresh_linear(type)}); }

Expr Values::decay_factor(const Type& type) {
  Expr raw = fresh_linear(type);
  switch (random_.below(3)) {
    case 0:
      return binary("**", call("sigmoid", {std::move(raw)}), binary("/", num(1), num(16)));
    case 1:
      return call("exp", {minus(call("softplus", {std::move(raw)}))});
    default:
      return call("sigmoid", {binary("+", std::move(raw), num(2))});
  }
}

Expr Values::unary(const Type& want, int size) {
  static constexpr const char* kFunctions[] = {"tanh",     "sigmoid", "silu", "relu", "gelu",
                                               "softplus", "abs",     "sin",  "exp"};
  Expr x = make(want, size - 1);
  if (!want.axes.empty() && !want.past && random_.chance(0.3)) {
    const std::string over = random_.pick(want.axes);
    static constexpr const char* kNorms[] = {"l2_normalize", "rms_normalize", "softmax"};
    return call_over(random_.pick(kNorms), {std::move(x)}, over);
  }
  if (random_.chance(0.12)) return binary("**", call("relu", {std::move(x)}), num(2));
  const char* f = random_.pick(kFunctions);
  if (std::string_view(f) == "exp") return call("exp", {minus(call("softplus", {std::move(x)}))});
  return call(f, {std::move(x)});
}

Expr Values::combine(const Type& want, int size) {
  // Operands are created in separate statements, because C++ does not fix the evaluation order of arguments.
  const int half = std::max(1, size / 2);
  const std::int64_t choice = random_.below(9);
  const Type other = random_part(want);
  Expr left = make(want, half);
  if (choice < 3) return binary("*", std::move(left), make(other, half));
  if (choice < 5) return binary("+", std::move(left), make(other, half));
  // A new map cannot be cancelled by the left operand.
  if (choice == 5) return binary("-", std::move(left), fresh_linear(other));
  if (choice == 6) return call("maximum", {std::move(left), fresh_linear(want)});
  Expr g = gate(other);
  if (choice == 7) return binary("*", std::move(left), std::move(g));
  const Expr mix = hoist("mix", std::move(g), other);
  Expr right = make(want, half);
  return binary("+", binary("*", mix, std::move(left)),
                binary("*", binary("-", num(1), mix), std::move(right)));
}

Expr Values::project(const Type& want, int size) {
  if (want.axes.empty()) return fresh_linear(want);
  // Starts from another shape with the same time axis.
  Type from;
  from.time = want.time;
  std::vector<std::string> axes = axes_of_scope();
  from.axes.push_back(axes.empty() || random_.chance(0.4) ? "D" : random_.pick(axes));
  if (!axes.empty() && from.axes[0] != "D" && random_.chance(0.3)) {
    const std::string second = random_.pick(axes);
    if (second != from.axes[0]) from = with_axis(from, second);
  }
  const Expr out = want.axes.size() == 1 ? name(want.axes[0]) : names(want.axes);
  return call("linear", {make(from, size - 1), out});
}

Expr Values::contract(const Type& want, int size) {
  const std::string k = key_axis(want);
  if (k.empty() || want.axes.size() > 2) return project(want, size);
  const int half = std::max(1, size / 2);
  const Type other = with_axis(random_part(want), k);
  return call_over("dot", {make(with_axis(want, k), half), make(other, half)}, k);
}

// Calls a slot of the unit along one axis.
Expr Values::through_unit(const Type& want, int size) {
  const bool whole = !options_.in_scan && want.axes == std::vector<std::string>{"D"};
  const std::vector<std::string>& slots = whole ? options_.slots : options_.narrow;
  if (slots.empty() || want.axes.empty()) return unary(want, size);
  Expr x = make(want, size - 1);
  const std::string slot = random_.pick(slots);
  if (want.axes.size() == 1) return call(slot, {std::move(x)});
  return call_over(slot, {std::move(x)}, random_.pick(want.axes));
}

Expr Values::make(const Type& want, int size) {
  if (want.past) return over_past(want, size);
  if (!want.time && !options_.in_scan) return constant_in_time(want);
  if (size <= 1) return leaf(want);
  const bool may_mix = options_.reads_past && !options_.in_scan && want.time;
  switch (random_.below(may_mix ? 14 : 10)) {
    case 0:
    case 1:
    case 2:
      return unary(want, size);
    case 3:
    case 4:
    case 5:
      return combine(want, size);
    case 6:
    case 7:
      return project(want, size);
    case 8:
      if (random_.chance(0.6)) return contract(want, size);
      if (want.axes.empty()) return unary(want, size);
      return binary("*", make(want, size - 1), param(random_part(want).axes, 1));
    case 9:
      return through_unit(want, size);
    default:
      return mix(want, size);
  }
}

// Returns a window as an argument, and its length in `size`: the hyperparameter that sets it, if there is
// one, or else a random one.
Expr Values::window(std::int64_t& size) {
  size = kUnbounded;
  for (const Survey::Name& n : scope_)
    if (n.kind == Survey::Name::Kind::kNumber && n.name.starts_with("window")) {
      size = std::isinf(n.value) ? kUnbounded : static_cast<std::int64_t>(n.value);
      return name(n.name);
    }
  if (random_.chance(0.6)) return name("all");
  size = std::int64_t{1} << (3 + random_.below(6));
  return num(static_cast<double>(size));
}

namespace {

Expr past(Expr x, const Expr& window) {
  if (window.kind == Expr::Kind::kName && window.text == "all") return call("past", {std::move(x)});
  return call("past", {std::move(x), window});
}

Expr lag(const Expr& window) {
  return window.kind == Expr::Kind::kName && window.text == "all" ? call("lag", {}) : call("lag", {window});
}

}  // namespace

// Returns a window of `size` positions as an argument: the hyperparameter that has this value, if there is
// one, or else a number.
Expr Values::window_named(std::int64_t size) const {
  const double value = size == kUnbounded ? INFINITY : static_cast<double>(size);
  for (const Survey::Name& n : scope_)
    if (n.kind == Survey::Name::Kind::kNumber && n.value == value && n.name.starts_with("window"))
      return name(n.name);
  return size == kUnbounded ? name("all") : num(value);
}

// Returns a value over past positions: scores, weights, differences of sums.
Expr Values::over_past(const Type& want, int size) {
  const std::vector<std::string> known = names_of(want);
  if (!known.empty() && random_.chance(0.3)) return name(random_.pick(known));
  const Expr w = window_named(want.window);
  Type now = want;
  now.past = false;
  now.window = 0;
  now.time = true;
  switch (size <= 1 ? 3 + random_.below(2) : random_.below(6)) {
    case 0:
      return call("tanh", {over_past(want, size - 1)});
    case 1: {
      Expr left = over_past(want, size / 2);
      return binary("+", std::move(left), over_past(want, size / 2));
    }
    case 2: {
      Expr left = over_past(want, size - 1);
      return binary("*", std::move(left), make(random_part(now), 1));
    }
    case 3: {
      Expr x = past(make(now, std::max(1, size / 2)), w);
      return random_.chance(0.5) ? x : binary("+", make(now, 1), std::move(x));
    }
    case 4: {
      Expr x = past(leaf(now), w);
      Expr rate = now.axes.empty() ? num(0.1) : call("softplus", {param(now.axes, 0)});
      return binary("*", std::move(x), call("exp", {minus(binary("*", lag(w), std::move(rate)))}));
    }
    default: {
      const std::string k = key_axis(now);
      if (k.empty() || now.axes.size() > 2) return past(make(now, size - 1), w);
      const Type wide = with_axis(now, k);
      return call_over("dot", {make(wide, size / 2), past(make(wide, size / 2), w)}, k);
    }
  }
}

Expr Values::mix(const Type& want, int size) {
  const int inner = std::max(1, size - 2);
  switch (random_.below(8)) {
    case 0: {
      Expr x = make(want, inner);
      return call("shift", {std::move(x), num(static_cast<double>(std::int64_t{1} << random_.below(4)))});
    }
    case 1:
      if (!want.axes.empty())
        return call("conv", {make(want, inner), num(static_cast<double>(2 + random_.below(4)))});
      [[fallthrough]];
    case 2:
      return decayed_sum(want, inner);
    case 3:
    case 4:
      return attention(want, inner);
    case 5:
    case 6:
      return matrix_scan(want, inner);
    default:
      return vector_scan(want, inner);
  }
}

Expr Values::decayed_sum(const Type& want, int size) {
  std::int64_t bound = 0;
  const Expr w = window(bound);
  Expr x = past(make(want, size), w);
  if (want.axes.empty() || random_.chance(0.3)) return call_over("mean", {std::move(x)}, "s");
  const Type rate = random_part(want);
  Expr decay = call("exp", {minus(binary("*", lag(w), call("softplus", {param(rate.axes, 0)})))});
  return call_over("sum", {binary("*", std::move(x), std::move(decay))}, "s");
}

// Sums past values, weighted by scores of a query against past keys.
Expr Values::attention(const Type& want, int size) {
  // If the value has several axes, the scores share one of them, which acts as the axis of heads.
  Type score;
  score.time = true;
  if (want.axes.size() > 1) score.axes.push_back(random_.pick(want.axes));
  const std::string k = key_axis(want);
  if (k.empty()) return decayed_sum(want, size);
  std::int64_t bound = 0;
  const Expr w = window(bound);
  const Type wide = with_axis(score, k);
  const int third = std::max(1, size / 3);
  Expr q = make(wide, third);
  Expr key = make(wide, third);
  if (random_.chance(0.4)) {
    q = call("l2_normalize", {std::move(q)});
    key = call("l2_normalize", {std::move(key)});
    q.args.push_back(name(k));
    key.args.push_back(name(k));
    q.keywords.emplace_back("over");
    key.keywords.emplace_back("over");
  }
  Expr scores = call_over("dot", {std::move(q), past(std::move(key), w)}, k);
  scores = binary("*", std::move(scores), binary("**", name(k), minus(num(0.5))));
  if (random_.chance(0.3)) {  // a forget gate: adds the log gates between s and t
    const Expr f = hoist("forget", call("cumsum", {call("log_sigmoid", {fresh_linear(score)})}), score);
    scores = binary("-", binary("+", std::move(scores), f), past(f, w));
  } else if (!score.axes.empty() && random_.chance(0.3)) {
    scores = binary("-", std::move(scores), binary("*", lag(w), call("softplus", {param(score.axes, 0)})));
  }
  Type pair_type = score;
  pair_type.past = true;
  pair_type.window = bound;
  const Expr named = hoist("score", std::move(scores), pair_type);
  Expr weights = random_.chance(0.75) ? call_over("softmax", {named}, "s")
                 : random_.chance(0.5)
                     ? binary("/", call("sigmoid", {named}), binary("+", lag(w), num(1)))
                     : binary("/", binary("**", call("relu", {named}), num(2)), binary("+", lag(w), num(1)));
  return call_over("sum", {binary("*", std::move(weights), past(make(want, third), w))}, "s");
}

namespace {

Stmt scan_of(const std::string& state, const std::vector<std::string>& axes) {
  Stmt s;
  s.kind = Stmt::Kind::kScan;
  s.names.push_back(state);
  s.types.push_back(names(axes));
  s.values.push_back(num(0));
  return s;
}

}  // namespace

// Returns a read of an associative memory: products of keys and values are added to a state, which a query
// reads.
Expr Values::matrix_scan(const Type& want, int size) {
  const std::string k = key_axis(want);
  if (k.empty() || want.axes.empty() || want.axes.size() > 2) return vector_scan(want, size);
  const int third = std::max(1, size / 3);
  // Keys share all axes of the value except one; along that axis the state is an outer product.
  Type keyed = want;
  std::erase(keyed.axes, random_.pick(want.axes));
  const Type head = keyed;
  keyed = with_axis(keyed, k);
  Expr q = hoist("q", make(keyed, third), keyed);
  Expr raw_key = make(keyed, third);
  const bool delta = random_.chance(0.4);
  if (delta || random_.chance(0.3)) raw_key = call_over("l2_normalize", {std::move(raw_key)}, k);
  Expr key = hoist("key", std::move(raw_key), keyed);
  Expr val = hoist("val", make(want, third), want);
  const Type& per = random_.chance(0.5) ? keyed : head;
  const Expr a = hoist("decay", decay_factor(per), per);

  const std::string state = fresh("S");
  const std::string y = fresh("y");
  Stmt scan = scan_of(state, with_axis(want, k).axes);
  const Expr S = name(state);
  if (!delta) {
    scan.body.push_back(assign(state, binary("+", binary("*", a, S), binary("*", key, val))));
  } else {
    const Expr rate = hoist("rate", gate(head), head);
    const Expr read = call_over("dot", {key, S}, k);
    if (random_.chance(0.6)) {
      Expr update = binary("*", binary("*", rate, key), binary("-", val, read));
      scan.body.push_back(assign(state, binary("+", binary("*", a, S), std::move(update))));
    } else {
      const std::string loss = fresh("loss");
      Expr error = binary("**", binary("-", read, val), num(2));
      scan.body.push_back(assign(loss, call("sum", {std::move(error)})));
      Expr step = binary("*", rate, call("grad", {name(loss), S}));
      scan.body.push_back(assign(state, binary("-", binary("*", a, S), std::move(step))));
    }
  }
  scan.body.push_back(assign(y, call_over("dot", {q, S}, k)));
  before_.push_back(std::move(scan));
  scope_.push_back({.name = y, .kind = Survey::Name::Kind::kValue, .type = want});
  return name(y);
}

// Returns a gated recurrence of the elements of a vector, sometimes with weights between them.
Expr Values::vector_scan(const Type& want, int size) {
  const int half = std::max(1, size / 2);
  const Expr u = hoist("u", make(want, half), want);
  const Type gate_type = random_part(want);
  const Expr a = hoist("decay", decay_factor(gate_type), gate_type);
  const std::string state = fresh("S");
  const std::string y = fresh("y");
  Stmt scan = scan_of(state, want.axes);
  const Expr S = name(state);
  Expr input = random_.chance(0.5) ? u : binary("*", binary("-", num(1), a), u);
  // Weights between all elements of three axes would outnumber the rest of a model many times.
  if (!want.axes.empty() && want.axes.size() <= 2 && random_.chance(0.25)) {
    const Expr out = want.axes.size() == 1 ? name(want.axes[0]) : names(want.axes);
    input = call("tanh", {binary("+", u, call("linear", {S, out}))});
  }
  scan.body.push_back(assign(state, binary("+", binary("*", a, S), std::move(input))));
  // The value read from the state may be transformed inside the scan.
  std::vector<Survey::Name> inner = scope_;
  for (Survey::Name& n : inner) n.type.time = false;
  std::erase_if(inner, [](const Survey::Name& n) { return n.type.past; });
  Type now = want;
  now.time = false;
  inner.push_back({.name = state, .kind = Survey::Name::Kind::kValue, .type = now, .carried = true});
  Expr read = S;
  if (random_.chance(0.3)) {
    Options here{.reads_past = false, .in_scan = true, .slots = {}, .narrow = options_.narrow};
    Values values(random_, std::move(inner), std::move(here), scan.body);
    values.taken_ = taken_;
    read = binary("*", S, values.make(now, 2));
    taken_ = values.taken_;
  }
  scan.body.push_back(assign(y, std::move(read)));
  before_.push_back(std::move(scan));
  scope_.push_back({.name = y, .kind = Survey::Name::Kind::kValue, .type = want});
  return name(y);
}

}  // namespace gabbro::edit
