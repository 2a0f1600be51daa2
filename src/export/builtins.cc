// Writes calls of built-in functions, parameters and linear maps.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "export/writer.h"
#include "lang/builtins.h"

namespace gabbro::pytorch {

namespace {

// Returns the i-th argument without a keyword, or the one with the keyword `name`; null if there is neither.
const Expr* argument(const Expr& call, std::size_t i, std::string_view name = {}) {
  for (std::size_t k = 0; k < call.args.size(); ++k)
    if (call.keywords[k].empty() && i-- == 0) return &call.args[k];
  return name.empty() ? nullptr : lang::keyword(call, name);
}

Value value_of(Number number) {
  Value v;
  v.kind = Value::Kind::kNumber;
  v.number = std::move(number);
  return v;
}

bool is_past(const Tensor& x) { return x.pairs && x.pairs->kind == Pairs::Kind::kPast; }

// Applies `f`, which writes an operation on elements, to x. If x is past(a), `f` is applied to a, which has
// no pairs [t, s], and the result is past(f(a)): the same value at a lower cost.
template <class F>
Tensor inside(Writer& w, const Tensor& x, F&& f) {
  if (is_past(x)) return w.past_of(f(x.pairs->a), x.window);
  Tensor out = f(x);
  out.pairs = nullptr;
  out.made = nullptr;
  return out;
}

std::string atom(const Tensor& x) { return bracketed(x.text, x.rank, kAtom); }

// Returns ", :" for each dimension after `dim`, which is counted from the end, for an index "[..., i, :]".
std::string after(int dim) {
  std::string out;
  for (int i = dim + 1; i < 0; ++i) out += ", :";
  return out;
}

constexpr std::pair<std::string_view, std::string_view> kUnary[] = {{"exp", "torch.exp"},
                                                                    {"log", "torch.log"},
                                                                    {"sqrt", "torch.sqrt"},
                                                                    {"sin", "torch.sin"},
                                                                    {"cos", "torch.cos"},
                                                                    {"tanh", "torch.tanh"},
                                                                    {"sigmoid", "torch.sigmoid"},
                                                                    {"erf", "torch.erf"},
                                                                    {"floor", "torch.floor"},
                                                                    {"softplus", ""},
                                                                    {"detach", ""}};

// Computes these functions of a number that is known when the module is written.
double scalar(std::string_view name, double x) {
  if (name == "exp") return std::exp(x);
  if (name == "log") return std::log(x);
  if (name == "sqrt") return std::sqrt(x);
  if (name == "sin") return std::sin(x);
  if (name == "cos") return std::cos(x);
  if (name == "tanh") return std::tanh(x);
  if (name == "sigmoid") return 1 / (1 + std::exp(-x));
  if (name == "erf") return std::erf(x);
  if (name == "floor") return ir::floor_of(x);
  if (name == "softplus") return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  return x;
}

}  // namespace

Value Writer::call_builtin(const Expr& call) {
  const std::string& name = call.text;
  for (const auto& [builtin, function] : kUnary) {
    if (builtin != name) continue;
    const Value x = eval(call.args[0]);
    if (failed()) return {};
    if (x.kind != Value::Kind::kTensor) {
      const Number n = as_number(x);
      if (name == "sqrt") return value_of(combine("**", n, literal(0.5)));
      return value_of(literal(scalar(name, n.value)));
    }
    const Tensor t = tensor(x);
    if (name == "detach")
      return value_of(
          pointwise({numeric(t)}, kAtom, [](const auto& a) { return a[0] + ".detach()"; }, {kAtom}));
    if (name == "softplus")
      return value_of(
          with_made(pointwise({numeric(t)}, kAtom,
                              [](const auto& a) { return fmt::format("F.softplus({}, threshold=50)", a[0]); },
                              {kLambda}),
                    name, {numeric(t)}));
    const Tensor safe = name == "exp"                     ? seen_only(numeric(t), 0)
                        : name == "log" || name == "sqrt" ? seen_only(numeric(t), 1)
                                                          : numeric(t);
    return value_of(with_made(apply(std::string(function), safe), name, {safe}));
  }
  if (name == "linear") return linear(call);
  if (name == "param") return param(call);
  if (name == "grad") return inner_gradient(call);
  if (name == "position" || name == "lag" || name == "iota") {
    Tensor out;
    if (name == "iota") {
      const int axis = eval_axis(call.args[0]);
      const Number n = size_of(axis);
      out.axes = {axis};
      out.text = fmt::format("iota({}, {})", int_text(n.value, n.code), like());
      return value_of(with_made(out, name, {}, {axis}));
    }
    if (name == "lag") {
      const Expr* window = argument(call, 0, "window");
      out.window = window ? eval_number(*window) : literal(INFINITY);
      out.lead = Tensor::kPairs;
      out.text = fmt::format("lag({}, {}{})", like(), cache(), window_text(out.window));
      return value_of(with_made(out, name, {}));
    }
    for (const Frame* f = &frame(); f; f = f->caller)
      if (f->owner && f->caller->scope->kind == Scope::Kind::kStep)
        return poison("position() in a function that a scan calls",
                      "give it a name before the scan, and pass it to the function");
    out.lead = Tensor::kTimes;
    out.text = fmt::format("positions({}, {})", like(), documents());
    return value_of(with_made(settled(out), name, {}));
  }
  if (name == "size") {
    Number n = literal(1);
    bool first = true;
    for (const int a : eval_axes(call.args[0])) {
      n = first ? size_of(a) : combine("*", n, size_of(a));
      first = false;
    }
    return value_of(n);
  }
  if (name == "maximum" || name == "minimum") {
    const Value a = eval(call.args[0]), b = eval(call.args[1]);
    if (failed()) return {};
    const bool larger = name == "maximum", left = a.kind == Value::Kind::kTensor,
               right = b.kind == Value::Kind::kTensor;
    if (!left && !right) {
      const Number x = as_number(a), y = as_number(b);
      return value_of((larger ? x.value >= y.value : x.value <= y.value) ? x : y);
    }
    const Tensor x = numeric(tensor(left ? a : b)), y = numeric(tensor(left ? b : a));
    const bool both = left && right, is_relu = larger && !both && y.number == 0;
    const auto text = [&](const auto& t) {
      if (both) return fmt::format("torch.{}({}, {})", name, t[0], t[1]);
      if (is_relu) return fmt::format("F.relu({})", t[0]);
      return fmt::format("{}.clamp({}={})", t[0], larger ? "min" : "max", y.text);
    };
    const Tensor out = pointwise(both ? std::vector{x, y} : std::vector{x}, kAtom, text,
                                 {both || is_relu ? kLambda : kAtom, kLambda});
    return value_of(with_made(out, name, {x, y}));
  }
  const Value first = eval(call.args[0]);
  if (failed()) return {};
  if (name == "axes") {
    Value v;
    v.kind = Value::Kind::kAxes;
    for (const int a : tensor(first).axes)
      if (!contains(frame().lifted, a)) v.axes.push_back(a);
    std::sort(v.axes.begin(), v.axes.end());
    return v;
  }
  const Tensor x = tensor(first);
  const auto over = [&](const Tensor& type) {
    if (const Expr* given = lang::keyword(call, "over")) return eval_axes(*given);
    std::vector<int> all;
    for (const int a : type.axes)
      if (!contains(frame().lifted, a)) all.push_back(a);
    return all;
  };
  if (name == "sum" || name == "mean" || name == "max") {
    if (x.is_number) return first.kind == Value::Kind::kTensor ? value_of(literal(x.number)) : first;
    return value_of(reduce(name == "max" ? "amax" : name, x, over(x)));
  }
  if (name == "dot") {
    const Tensor y = tensor(eval(call.args[1]));
    return failed() ? Value{} : value_of(dot(x, y, over(x)));
  }
  if (name == "where") {
    const Tensor a = numeric(tensor(eval(call.args[1])));
    const Tensor b = numeric(tensor(eval(call.args[2])));
    if (failed()) return {};
    const auto constant = [&](const Tensor& number) {
      Tensor out = number;
      out.text = fmt::format("constant({}, {})", number.text, like());
      out.rank = kAtom;
      out.is_number = false;
      return out;
    };
    // A number becomes a tensor where PyTorch has no function of numbers alone.
    const Tensor condition = x.is_number ? constant(x) : x;
    const Tensor chosen = a.is_number && b.is_number ? constant(a) : a;
    const auto text = [&](const auto& t) {
      return fmt::format("torch.where({}, {}, {})", x.is_bool ? t[0] : t[0] + " != 0", t[1], t[2]);
    };
    return value_of(
        pointwise({condition, chosen, b}, kAtom, text, {x.is_bool ? kLambda : kSum, kLambda, kLambda}));
  }
  if (name == "top_k") {
    const Number k = eval_number(call.args[1]);
    const int axis = over(x)[0];
    return value_of(inside(*this, numeric(x), [&](const Tensor& t) {
      Tensor out = t;
      out.text = fmt::format("top_k({}, {}, {})", t.text, int_text(k.value, k.code), dim(t, axis));
      out.rank = kAtom;
      return out;
    }));
  }
  if (name == "past" || name == "cumsum") {
    const Expr* window = argument(call, 1, "window");
    const Number w = window ? eval_number(*window) : literal(INFINITY);
    const Tensor opened = past_of(x, w);
    return value_of(name == "past" ? opened : sum_over_past(opened));
  }
  if (name == "shift") {
    const Number n = eval_number(call.args[1]);
    Tensor out = numeric(x);
    out.text = fmt::format("shift({}, {}, {})", out.text, int_text(n.value, n.code), documents());
    out.rank = kAtom;
    return value_of(out);
  }
  if (name == "broadcast") {
    std::vector<int> added;
    for (const int a : eval_axes(call.args[1]))
      if (!contains(x.axes, a)) added.push_back(a);
    if (added.empty()) return value_of(x);
    const Tensor wide = inside(*this, numeric(x), [&](const Tensor& t) {
      Tensor extra;
      extra.axes = added;
      Tensor out = t;
      out.axes = union_of({t, extra});
      std::vector<std::string> sizes(static_cast<std::size_t>(t.lead), "-1");
      for (const int a : out.axes)
        sizes.push_back(contains(added, a) ? int_text(size_of(a).value, size_of(a).code) : "-1");
      std::string text =
          t.is_number ? fmt::format("constant({}, {})", t.text, like()) : aligned(t, t.lead, out.axes, kAtom);
      out.text = fmt::format("{}.expand({})", text, fmt::join(sizes, ", "));
      out.rank = kAtom;
      out.is_number = false;
      return out;
    });
    return value_of(with_made(wide, name, {x}));
  }
  if (name == "rename") {
    const int from = eval_axis(call.args[1]), to = eval_axis(call.args[2]);
    return value_of(inside(*this, x, [&](const Tensor& t) {
      Tensor out = t;
      std::replace(out.axes.begin(), out.axes.end(), from, to);
      return out;
    }));
  }
  if (name == "split") {
    const int from = eval_axis(call.args[1]);
    const std::vector<int> to = eval_axes(call.args[2]);
    return value_of(inside(*this, x, [&](const Tensor& t) {
      Tensor out = t;
      const auto at = std::find(out.axes.begin(), out.axes.end(), from) - out.axes.begin();
      out.axes.erase(out.axes.begin() + at);
      out.axes.insert(out.axes.begin() + at, to.begin(), to.end());
      if (to.size() > 1)
        out.text = fmt::format("{}.unflatten({}, ({}))", atom(t), dim(t, from), size_list(to));
      out.rank = to.size() > 1 ? kAtom : t.rank;
      return out;
    }));
  }
  if (name == "merge") {
    const std::vector<int> from = eval_axes(call.args[1]);
    const int to = eval_axis(call.args[2]);
    return value_of(inside(*this, x, [&](const Tensor& t) {
      // The axes become neighbours, at the place of the first of them.
      std::vector<int> order;
      for (const int a : t.axes) {
        if (a == from[0]) order.insert(order.end(), from.begin(), from.end());
        if (!contains(from, a)) order.push_back(a);
      }
      Tensor out = arranged(t, order);
      if (from.size() > 1) {
        const int begin = dim(out, from.front()), end = dim(out, from.back());
        out.text = end == -1 ? fmt::format("{}.flatten({})", atom(out), begin)
                             : fmt::format("{}.flatten({}, {})", atom(out), begin, end);
        out.rank = kAtom;
      }
      const auto at = std::find(out.axes.begin(), out.axes.end(), from[0]) - out.axes.begin();
      out.axes.erase(out.axes.begin() + at, out.axes.begin() + at + static_cast<std::ptrdiff_t>(from.size()));
      out.axes.insert(out.axes.begin() + at, to);
      return out;
    }));
  }
  if (name == "slice" || name == "take") {
    const int from = eval_axis(call.args[1]);
    const bool take = name == "take";
    const int to = take ? -1 : eval_axis(call.args[3]);
    const Number start = eval_number(call.args[2]);
    if (take) new_axis("one", literal(1));
    return value_of(inside(*this, x, [&](const Tensor& t) {
      Tensor out = t;
      const int at = dim(t, from);
      const std::string begin = int_text(start.value, start.code);
      std::string index = begin;
      if (!take) {
        const Number end = combine("+", start, size_of(to));
        index = start.value == 0 ? fmt::format(":{}", int_text(size_of(to).value, size_of(to).code))
                                 : fmt::format("{}:{}", begin, int_text(end.value, end.code));
        std::replace(out.axes.begin(), out.axes.end(), from, to);
      } else {
        out.axes.erase(std::find(out.axes.begin(), out.axes.end(), from));
      }
      const bool leads = t.lead == Tensor::kNone && static_cast<int>(t.axes.size()) == -at;
      out.text = leads ? fmt::format("{}[{}]", atom(t), index)
                       : fmt::format("{}[..., {}{}]", atom(t), index, after(at));
      out.rank = kAtom;
      return out;
    }));
  }
  const auto padded = [&](const Tensor& given, int from, const Number& start, int to) {
    return inside(*this, numeric(given), [&](const Tensor& t) {
      Tensor out = t;
      std::string zeros;
      for (int i = dim(t, from) + 1; i < 0; ++i) zeros += "0, 0, ";
      const double rest =
          static_cast<double>(axes_[to].size) - start.value - static_cast<double>(axes_[from].size);
      Number behind = combine("-", combine("-", size_of(to), start), size_of(from));
      if (start.value == 0) behind = combine("-", size_of(to), size_of(from));
      if (rest == 0) behind = literal(0);
      out.text = fmt::format("F.pad({}, ({}{}, {}))", t.text, zeros, int_text(start.value, start.code),
                             int_text(behind.value, behind.code));
      out.rank = kAtom;
      std::replace(out.axes.begin(), out.axes.end(), from, to);
      return out;
    });
  };
  if (name == "pad") {
    const int from = eval_axis(call.args[1]), to = eval_axis(call.args[3]);
    const Number start = eval_number(call.args[2]);
    return failed() ? Value{} : value_of(padded(x, from, start, to));
  }
  if (name == "concat") {
    const Tensor y = numeric(tensor(eval(call.args[2])));
    const int a = eval_axis(call.args[1]), b = eval_axis(call.args[3]), to = eval_axis(call.args[4]);
    if (failed()) return {};
    Tensor left = numeric(x), right = y;
    std::replace(left.axes.begin(), left.axes.end(), a, to);
    std::replace(right.axes.begin(), right.axes.end(), b, to);
    const bool fit =
        left.lead == right.lead && left.lead != Tensor::kPairs &&
        std::is_permutation(left.axes.begin(), left.axes.end(), right.axes.begin(), right.axes.end());
    if (!fit) return value_of(binary("+", padded(x, a, literal(0), to), padded(y, b, size_of(a), to)));
    Tensor out = left;
    out.text = left.lead == Tensor::kNone ? fmt::format("torch.cat(({}, {}), {})", left.text,
                                                        arranged(right, left.axes).text, dim(left, to))
                                          : fmt::format("joined({}, {}, {})", left.text,
                                                        arranged(right, left.axes).text, dim(left, to));
    out.rank = kAtom;
    return value_of(out);
  }
  if (name == "lookup") {
    const Tensor index = numeric(tensor(eval(call.args[1])));
    if (failed()) return {};
    const int axis = over(x)[0];
    std::vector<int> order{axis};
    for (const int a : x.axes)
      if (a != axis) order.push_back(a);
    const Tensor table = arranged(numeric(x), order);
    const Number n = size_of(axis);
    return value_of(inside(*this, index, [&](const Tensor& i) {
      Tensor out = i;
      out.axes.insert(out.axes.end(), order.begin() + 1, order.end());
      out.text = fmt::format("{}[rows({}, {})]", atom(table), i.text, int_text(n.value, n.code));
      if (i.is_number)
        out.text = fmt::format(
            "{}[{}]", atom(table),
            std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(eval_number(call.args[1]).value)),
                                     0, axes_[axis].size - 1));
      out.is_number = false;
      out.rank = kAtom;
      return out;
    }));
  }
  return poison(fmt::format("{} cannot be written as PyTorch", name),
                "this is a bug in gabbro; please report it");
}

// ---- Parameters ----

std::string Writer::unique_label(std::string_view label) { return lang::unique_label(owner().labels, label); }

int Writer::twin(int axis) {
  const auto [known, fresh] = twins_.try_emplace(axis, 0);
  if (fresh) {
    const AxisInfo info = axes_[axis];
    known->second = static_cast<int>(axes_.size());
    axes_.push_back({info.name + "'", info.size, literal(static_cast<double>(info.size)), nullptr});
  }
  return known->second;
}

void Writer::new_param(const std::string& label, const std::string& key, std::vector<int> axes,
                       std::vector<std::int64_t> shape) {
  const std::string name = owner().path + "." + label;
  const auto [known, fresh] = weights_by_name_.try_emplace(name, weights_.size());
  if (!fresh) return;
  Weight w;
  w.name = name;
  w.key = owner().module.empty() ? key : owner().module + "." + key;
  w.shape = std::move(shape);
  std::vector<int> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (const int a : sorted) w.from.push_back(axes_[a].size);
  for (const int a : axes)
    w.order.push_back(static_cast<int>(std::find(sorted.begin(), sorted.end(), a) - sorted.begin()));
  weights_.push_back(std::move(w));
  weight_axes_.push_back(std::move(sorted));
}

namespace {

// The distribution of a new parameter: the number a, a normal one of deviation a (0: the default), or a
// uniform one from a to b.
struct Initial {
  enum class Kind { kConstant, kNormal, kUniform } kind = Kind::kNormal;
  Number a = literal(0), b = literal(0);
};

Initial initial_of(Writer& w, const Expr* expr, Initial fallback) {
  if (!expr) return fallback;
  if (expr->kind == Expr::Kind::kCall && expr->text == "normal")
    return {Initial::Kind::kNormal, w.eval_number(expr->args[0]), literal(0)};
  if (expr->kind == Expr::Kind::kCall && expr->text == "uniform") {
    const Number low = w.eval_number(expr->args[0]);
    return {Initial::Kind::kUniform, low, w.eval_number(expr->args[1])};
  }
  return {Initial::Kind::kConstant, w.eval_number(*expr), literal(0)};
}

// Returns the text of a number as a Python float.
std::string float_text(const Number& n) {
  const bool digits = n.owner.text.find_first_not_of("-0123456789") == std::string::npos;
  return digits ? n.owner.text + ".0" : n.owner.is_int ? "float(" + n.owner.text + ")" : n.owner.text;
}

// Returns the expression of new values; `std` is the deviation of a normal distribution.
std::string drawn(const Initial& init, const std::string& shape, const std::string& std) {
  if (init.kind == Initial::Kind::kUniform)
    return fmt::format("torch.empty({}).uniform_({}, {})", shape, init.a.owner.text, init.b.owner.text);
  if (init.kind == Initial::Kind::kNormal) return fmt::format("torch.randn({}) * {}", shape, std);
  if (init.a.value == 0) return fmt::format("torch.zeros({})", shape);
  if (init.a.value == 1) return fmt::format("torch.ones({})", shape);
  return fmt::format("torch.full({}, {})", shape, float_text(init.a));
}

std::string shape_text(const std::vector<std::string>& sizes) { return tuple_text(sizes, true); }

std::string product_of(const std::vector<std::string>& sizes) {
  if (sizes.size() == 1) return sizes[0];
  std::vector<std::string> parts;
  for (const std::string& s : sizes)
    parts.push_back(s.find_first_of(" ") != std::string::npos && s.back() != ')' ? "(" + s + ")" : s);
  return fmt::format("{}", fmt::join(parts, " * "));
}

}  // namespace

Value Writer::param(const Expr& call) {
  const std::vector<int> axes = eval_axes(call.args[0]);
  const Initial init =
      initial_of(*this, argument(call, 1, "init"), {Initial::Kind::kConstant, literal(0), literal(0)});
  if (failed()) return {};
  const std::string label = unique_label(frame().label);
  Draft& draft = *owner().draft;
  const std::string attr = attribute(draft, label);
  std::vector<std::string> sizes;
  std::vector<std::int64_t> shape;
  for (const int a : axes) {
    sizes.push_back(owner_size(a));
    shape.push_back(axes_[a].size);
  }
  const std::string std =
      init.a.value == 0 ? "0.02" : bracketed(init.a.owner.text, init.a.owner.rank, kNegation);
  draft.setup.push_back({{},
                         fmt::format("self.{} = nn.Parameter({})", attr,
                                     axes.empty() && init.kind == Initial::Kind::kConstant
                                         ? fmt::format("torch.tensor({})", float_text(init.a))
                                         : drawn(init, shape_text(sizes), std))});
  new_param(label, attr, axes, shape);
  Tensor out;
  out.text = reach(frame(), frame().label, "self." + attr);
  out.axes = axes;
  return value_of(out);
}

Value Writer::linear(const Expr& call) {
  const Tensor given = numeric(eval_tensor(call.args[0]));
  if (failed()) return {};
  std::vector<int> out;
  const Expr& out_expr = call.args[1];
  if (out_expr.kind == Expr::Kind::kList) {
    out = eval_axes(out_expr);
  } else {
    const Value v = eval(out_expr);
    if (v.kind == Value::Kind::kAxis || v.kind == Value::Kind::kAxes)
      out = v.axes;
    else
      out = {new_axis(out_expr.kind == Expr::Kind::kName ? out_expr.text : "r", as_number(v))};
  }
  std::vector<int> per, over;
  if (const Expr* e = lang::keyword(call, "per")) per = eval_axes(*e);
  if (const Expr* e = lang::keyword(call, "over")) {
    over = eval_axes(*e);
  } else {
    for (const int a : given.axes)
      if (!contains(frame().lifted, a) && !contains(per, a)) over.push_back(a);
  }
  const Initial init = initial_of(*this, lang::keyword(call, "init"), {});
  const Expr* bias_expr = lang::keyword(call, "bias");
  const bool bias = bias_expr && eval_number(*bias_expr).value != 0;
  if (failed()) return {};
  std::vector<int> result = out;
  for (int& a : result)
    if (contains(given.axes, a)) a = twin(a);
  const std::string label = unique_label(frame().label);
  Draft& draft = *owner().draft;
  const std::string attr = attribute(draft, label);
  const auto sizes = [&](const std::vector<int>& axes) {
    std::vector<std::string> list;
    for (const int a : axes) list.push_back(owner_size(a));
    return list;
  };
  const auto extents = [&](const std::vector<int>& axes) {
    std::vector<std::int64_t> list;
    for (const int a : axes) list.push_back(axes_[a].size);
    return list;
  };
  const auto elements = [&](const std::vector<int>& axes) {
    std::int64_t n = 1;
    for (const int a : axes) n *= axes_[a].size;
    return n;
  };
  const auto joined = [](std::vector<int> a, const std::vector<int>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  if (per.empty()) {
    std::vector<std::string> outputs = sizes(out);
    std::string setup = fmt::format("self.{} = Linear({}, {}", attr, product_of(sizes(over)),
                                    outputs.empty() ? "1" : product_of(outputs));
    if (bias) setup += ", bias=True";
    if (init.kind == Initial::Kind::kNormal && init.a.value != 0)
      setup += fmt::format(", std={}", init.a.owner.text);
    draft.setup.push_back({{}, setup + ")"});
    if (init.kind == Initial::Kind::kConstant)
      draft.setup.push_back(
          {{}, fmt::format("nn.init.constant_(self.{}.weight, {})", attr, init.a.owner.text)});
    if (init.kind == Initial::Kind::kUniform)
      draft.setup.push_back({{},
                             fmt::format("nn.init.uniform_(self.{}.weight, {}, {})", attr, init.a.owner.text,
                                         init.b.owner.text)});
    new_param(label, attr + ".weight", joined(result, over), {elements(out), elements(over)});
    if (bias) new_param(unique_label(frame().label + ".bias"), attr + ".bias", out, {elements(out)});
    const std::string module = reach(frame(), frame().label, "self." + attr);
    return value_of(inside(*this, given, [&](const Tensor& t) {
      Tensor x = with_last(t, over);
      if (over.size() > 1) {
        // An axis that was split just before is not split and joined.
        std::string text = atom(x);
        const std::string last = fmt::format(".unflatten(-1, ({}))", size_list(over));
        const std::string heads =
            fmt::format(".unflatten(2, ({}))", size_list({over.begin(), over.end() - 1}));
        const bool all = x.lead == Tensor::kTimes && over.size() == x.axes.size();
        if (text.ends_with(last))
          text.resize(text.size() - last.size());
        else if (all && text.ends_with(heads))
          text = text.substr(0, text.size() - heads.size()) + ".flatten(2)";
        else
          text += fmt::format(".flatten(-{})", over.size());
        x.text = text;
        x.rank = kAtom;
      }
      Tensor y = x;
      y.text = fmt::format("{}({})", module, x.text);
      y.rank = kAtom;
      y.axes.resize(y.axes.size() - over.size());
      if (out.empty()) y.text += ".squeeze(-1)";
      if (out.size() > 1) y.text += fmt::format(".unflatten(-1, ({}))", size_list(out));
      y.axes = joined(y.axes, out);
      y.is_number = false;
      return y;
    }));
  }
  // Weights of their own per element of an axis: a parameter and a contraction.
  const std::vector<int> axes = joined(joined(per, over), result);
  const std::string fan_in = fmt::format("({}) ** -0.5", product_of(sizes(over)));
  const std::string std = init.a.value == 0 ? fan_in : init.a.owner.text;
  draft.setup.push_back(
      {{}, fmt::format("self.{} = nn.Parameter({})", attr, drawn(init, shape_text(sizes(axes)), std))});
  new_param(label, attr, axes, extents(axes));
  Tensor weight;
  weight.text = reach(frame(), frame().label, "self." + attr);
  weight.axes = axes;
  Tensor y = dot(given, weight, over);
  y.pairs = is_past(y) ? y.pairs : nullptr;
  const auto rename = [&](Tensor& t) {
    for (std::size_t i = 0; i < out.size(); ++i)
      std::replace(t.axes.begin(), t.axes.end(), result[i], out[i]);
  };
  if (is_past(y)) {
    Tensor inner = y.pairs->a;
    rename(inner);
    y = past_of(inner, y.window);
  } else {
    rename(y);
  }
  if (!bias) return value_of(y);
  const std::string bias_attr = attribute(draft, label + "_bias");
  const std::vector<int> bias_axes = joined(per, out);
  draft.setup.push_back(
      {{}, fmt::format("self.{} = nn.Parameter(torch.zeros({}))", bias_attr, shape_text(sizes(bias_axes)))});
  new_param(unique_label(frame().label + ".bias"), bias_attr, bias_axes, extents(bias_axes));
  Tensor offset;
  offset.text = reach(frame(), frame().label + "_bias", "self." + bias_attr);
  offset.axes = bias_axes;
  return value_of(binary("+", y, offset));
}

Value Writer::inner_gradient(const Expr& call) {
  const Tensor loss = eval_tensor(call.args[0]), wrt = eval_tensor(call.args[1]);
  if (failed()) return {};
  if (wrt.lead != Tensor::kBatch)
    return poison("grad with respect to a value that is the same at all positions",
                  "start a state of the scan from it, and differentiate with respect to the state");
  if (!in_scan()) return poison("grad in a function", "write it in the block of the scan");
  Tensor out = wrt;
  out.text = fmt::format("inner_grad({}, {})", loss.text, wrt.text);
  out.rank = kAtom;
  return value_of(out);
}

}  // namespace gabbro::pytorch
