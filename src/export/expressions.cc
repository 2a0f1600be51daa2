// Writes expressions: names, numbers, arithmetic.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "export/affine.h"
#include "export/writer.h"

namespace gabbro::pytorch {

Value Writer::poison(std::string message, std::string hint) {
  if (!error_) error_ = Error{"export", std::move(message), std::move(hint), {}};
  return {};
}

Binding* Writer::find(std::string_view name) {
  auto& names = frame().names;
  for (auto b = names.rbegin(); b != names.rend(); ++b)
    if (b->name == name && b->family_key.empty()) return &*b;
  return nullptr;
}

void Writer::bind(std::string_view name, Value value) {
  Binding b;
  b.name = name;
  b.value = std::move(value);
  frame().names.push_back(std::move(b));
}

static Value value_of(Number number) {
  Value v;
  v.kind = Value::Kind::kNumber;
  v.number = std::move(number);
  return v;
}

Number Writer::as_number(const Value& value) {
  if (value.kind == Value::Kind::kNumber) return value.number;
  if (value.kind == Value::Kind::kAxis) return size_of(value.axes[0]);
  if (value.kind != Value::Kind::kPoison)
    poison("a number was expected", "this is a bug in gabbro; please report it");
  return literal(1);
}

Tensor Writer::tensor(const Value& value) {
  if (value.kind == Value::Kind::kTensor) return settled(value.tensor);
  if (value.kind == Value::Kind::kPoison) return {};
  const Number n = as_number(value);
  Tensor out;
  out.text = n.code.text;
  out.rank = n.code.rank;
  out.is_number = true;
  out.number = n.value;
  return out;
}

Value Writer::eval_name(const Expr& expr) {
  if (Binding* b = find(expr.text)) return b->value;
  if (expr.text == "all") return value_of(literal(std::numeric_limits<double>::infinity()));
  Value v;
  v.kind = Value::Kind::kAxis;
  if (expr.text == "D") {
    v.axes = {frame().width};
  } else if (expr.text == "t") {
    v.axes = {kTime};
  } else if (expr.text == "s") {
    v.axes = {kPast};
  } else {
    return poison("unknown name " + expr.text, "this is a bug in gabbro; please report it");
  }
  return v;
}

Value Writer::eval(const Expr& expr) {
  if (failed()) return {};
  switch (expr.kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kBool:
      return value_of(literal(expr.number));
    case Expr::Kind::kName:
      return eval_name(expr);
    case Expr::Kind::kBinary: {
      const Value a = eval(expr.args[0]);
      const Value b = eval(expr.args[1]);
      return arithmetic(expr.text, a, b);
    }
    case Expr::Kind::kUnary: {
      const Value x = eval(expr.args[0]);
      if (x.kind != Value::Kind::kTensor) return value_of(negated(as_number(x)));
      const Tensor t = numeric(tensor(x));
      return value_of(with_made(
          pointwise({t}, kNegation, [](const auto& a) { return "-" + a[0]; }, {kNegation}), "neg", {t}));
    }
    case Expr::Kind::kCall: {
      const std::vector<Value> values = call_expr(expr);
      return values.size() == 1 ? values[0] : Value{};
    }
    case Expr::Kind::kIf: {
      const bool yes = eval_number(expr.args[1]).value != 0;
      return eval(expr.args[yes ? 0 : 2]);
    }
    case Expr::Kind::kIndex: {
      const std::string key =
          fmt::format("{}[{}]", expr.text, static_cast<std::int64_t>(eval_number(expr.args[0]).value));
      for (const Binding& b : frame().names)
        if (b.family_key == key) return b.value;
      return poison("unknown name " + key, "this is a bug in gabbro; please report it");
    }
    case Expr::Kind::kList:
      return poison("a list is used where a value is expected");
  }
  return {};
}

Value Writer::arithmetic(std::string_view op, const Value& a, const Value& b) {
  if (failed()) return {};
  const bool left = a.kind == Value::Kind::kTensor, right = b.kind == Value::Kind::kTensor;
  if (!left && !right) return value_of(combine(op, as_number(a), as_number(b)));
  // The sign of a zero is not promised, so that it must not decide the sign of an infinity.
  const auto with_positive_zeros = [&](const Tensor& x) {
    return x.is_number || is_away_from_zero(*this, x) ? x : binary("+", x, tensor(value_of(literal(0))));
  };
  if (op == "**") {
    const Tensor base = seen_only(numeric(tensor(a)), 1), power = seen_only(numeric(tensor(b)), 0);
    if (!right) {
      const double n = as_number(b).value;
      if (n == 0.5) return value_of(with_made(apply("torch.sqrt", base), "sqrt", {base}));
      if (n == -2)  // PyTorch divides 1 by the square, which overflows before the result underflows
        return value_of(apply("torch.square", apply("torch.reciprocal", with_positive_zeros(base))));
      if (n <= 0 || n >= 1) return value_of(binary(op, n < 0 ? with_positive_zeros(base) : base, power));
      return value_of(
          with_made(pointwise({base, power}, kAtom,
                              [](const auto& t) { return fmt::format("root({}, {})", t[0], t[1]); },
                              {kLambda, kLambda}),
                    "**", {base, power}));
    }
    return value_of(with_made(
        pointwise({base, power}, kAtom,
                  [](const auto& t) { return fmt::format("power({}, {})", t[0], t[1]); }, {kLambda, kLambda}),
        "**", {base, power}));
  }
  if (op == "//") return value_of(quotient(tensor(a), tensor(b)));
  if (op == "%") {
    const Tensor x = held("x", tensor(a)), y = held("y", tensor(b));
    return value_of(binary("-", x, binary("*", y, quotient(x, y))));
  }
  if (op == "/")
    return value_of(binary(op, tensor(a), with_positive_zeros(seen_only(numeric(tensor(b)), 1))));
  return value_of(is_comparison(op) ? compared(op, tensor(a), tensor(b)) : binary(op, tensor(a), tensor(b)));
}

Number Writer::eval_number(const Expr& expr) { return as_number(eval(expr)); }

std::vector<int> Writer::eval_axes(const Expr& expr) {
  if (expr.kind != Expr::Kind::kList) return eval(expr).axes;
  std::vector<int> out;
  for (const Expr& item : expr.args)
    for (const int a : eval_axes(item)) out.push_back(a);
  return out;
}

int Writer::eval_axis(const Expr& expr) {
  const std::vector<int> axes = eval_axes(expr);
  if (axes.size() == 1) return axes[0];
  poison("one axis was expected", "this is a bug in gabbro; please report it");
  return kTime;
}

// ---- Names ----

std::string Writer::python_of(const std::string& name) {
  // In Gab a value may have the name of a function; in Python it would hide it.
  const std::string base = library_.function(name) ? name + "_" : name;
  // In a scan that is written at once, each assignment has a name of its own.
  if (at_once_) return frame().python[name] = frame().root->fresh(base);
  auto [known, fresh] = frame().python.try_emplace(name);
  if (fresh) {
    known->second = frame().root->fresh(base);
    if (frame().scope != frame().root) frame().scope->names.insert(known->second);
  }
  return known->second;
}

std::string Writer::attribute(Draft& draft, const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '.' ? '_' : c;
  out = python_name(out);
  while (draft.attributes.contains(out)) out += "_";
  draft.attributes.insert(out);
  return out;
}

std::string Writer::size_attribute(Draft& draft, const std::string& name) {
  std::string out = attribute(draft, name);
  const auto is_slot = [&](const auto& slot) { return slot.second == out; };
  while (std::any_of(draft.slot_names.begin(), draft.slot_names.end(), is_slot)) out = attribute(draft, out);
  return out;
}

std::string Writer::reach(Frame& f, const std::string& name, const std::string& text) {
  if (!f.owner) return text;
  const std::string outer = reach(*f.caller, name, text);
  for (const auto& [known, value] : f.root->extra_parameters)
    if (value == outer) return known;
  std::string inner = name;
  if (name == "documents" || name == "cache")
    f.root->names.insert(inner);  // these two names are reserved (python_name)
  else
    inner = f.root->fresh(name);
  f.root->extra_parameters.emplace_back(inner, outer);
  return inner;
}

std::string Writer::like() {
  // A function without such a value gets that of its caller as a parameter.
  const auto like_of = [&](Frame& f, const auto& self) -> std::string {
    if (!f.root->like.empty()) return f.root->like;
    const std::string text = self(*f.caller, self);
    f.root->like = f.root->fresh("like");
    f.root->extra_parameters.emplace_back(f.root->like, text);
    return f.root->like;
  };
  return like_of(frame(), like_of);
}

std::string Writer::cache() { return reach(frame(), "cache", "cache"); }

std::string Writer::documents() {
  const std::string documents = reach(frame(), "documents", "documents");
  return documents + ", " + cache();
}

Tensor Writer::use(Tensor x) {
  if (!in_scan() || x.lead != Tensor::kTimes) return x;
  for (const auto& [name, text] : scope().sequences)
    if (text == x.text) {
      x.text = name;
      x.rank = kAtom;
      x.lead = Tensor::kBatch;
      return x;
    }
  const std::set<std::string> words = identifiers(x.text);
  const bool is_name = words.size() == 1 && *words.begin() == x.text;
  const std::string name = is_name ? x.text : frame().root->fresh("now");
  scope().names.insert(name);
  scope().sequences.emplace_back(name, x.text);
  if (differentiated_.contains(name)) {
    Line line;
    line.targets = {name};
    line.text = fmt::format("trainable({})", name);
    scope().lines.insert(scope().lines.begin(), line);
  }
  x.text = name;
  x.rank = kAtom;
  x.lead = Tensor::kBatch;
  return x;
}

// A loop in a step and a step with inner gradients read the item of a position, not the sequence.
Tensor Writer::settled(Tensor x) {
  return in_scan() && (frame().looping > 1 || !differentiated_.empty()) ? use(std::move(x)) : x;
}

Number Writer::size_of(int axis) {
  const AxisInfo& info = axes_[static_cast<std::size_t>(axis)];
  const auto size = static_cast<double>(info.size);
  Frame& f = frame();
  for (auto b = f.names.rbegin(); b != f.names.rend(); ++b)
    if (b->value.kind == Value::Kind::kAxis && b->value.axes[0] == axis &&
        !b->value.number.code.text.empty() && b->value.number.value == size)
      return b->value.number;
  if (!f.owner && axis == f.width && f.draft) return named(size, size_name("D"));
  if (info.home == f.root) return info.number;
  if (!f.owner) return literal(size);
  // The function being written gets the size of its owner as a parameter.
  const bool is_width = axis == f.width;
  if (!is_width && info.home != owner().root) return literal(size);
  Number out = is_width ? named(size, size_name("D")) : info.number;
  const std::set<std::string> words = identifiers(resolve_names(out.code.text, false));
  if (words.empty()) return out;
  out.code = {reach(f, info.name, out.code.text), kAtom, out.code.is_int, ""};
  return out;
}

std::string Writer::owner_size(int axis) {
  const AxisInfo& info = axes_[static_cast<std::size_t>(axis)];
  const Frame& o = owner();
  if (axis == o.width) return size_name("D");
  for (auto b = frame().names.rbegin(); b != frame().names.rend(); ++b)
    if (b->value.kind == Value::Kind::kAxis && b->value.axes[0] == axis &&
        !b->value.number.owner.text.empty() && b->value.number.value == static_cast<double>(info.size))
      return int_text(b->value.number.value, b->value.number.owner);
  if (info.home == o.root || info.home == frame().root)
    return int_text(static_cast<double>(info.size), info.number.owner);
  return fmt::format("{}", info.size);
}

}  // namespace gabbro::pytorch
