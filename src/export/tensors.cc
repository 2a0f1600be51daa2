// Writes operations on tensors: alignment of dimensions, reductions, contractions, values over past
// positions.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "export/writer.h"
#include "ir/builder.h"

namespace gabbro::pytorch {

namespace {

std::vector<int> without(const std::vector<int>& list, const std::vector<int>& removed) {
  std::vector<int> out;
  for (const int a : list)
    if (!contains(removed, a)) out.push_back(a);
  return out;
}

std::vector<int> joined(std::vector<int> a, const std::vector<int>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool is_identifier(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

bool is_past(const Tensor& x) { return x.pairs && x.pairs->kind == Pairs::Kind::kPast; }

// Returns the factors of a product over pairs.
void factors_of(const Tensor& x, std::vector<Tensor>& out) {
  if (x.pairs && x.pairs->kind == Pairs::Kind::kProduct) {
    factors_of(x.pairs->a, out);
    factors_of(x.pairs->b, out);
  } else {
    out.push_back(x);
  }
}

std::shared_ptr<const Pairs> pairs_of(Pairs::Kind kind, Tensor a, Tensor b = {}, std::vector<int> over = {}) {
  return std::make_shared<const Pairs>(Pairs{kind, std::move(a), std::move(b), std::move(over)});
}

}  // namespace

Tensor with_made(Tensor x, std::string op, std::vector<Tensor> in, std::vector<int> over) {
  if (x.lead == Tensor::kPairs) return x;
  Made made{std::move(op), std::move(in), std::move(over)};
  if (made.op == "+" || made.op == "-" || made.op == "*" || made.op == "/" || made.op == "neg" ||
      made.op == "broadcast")
    made.stateful = std::any_of(made.in.begin(), made.in.end(), is_stateful);
  if (made.op == "state") made.stateful = true;
  x.made = std::make_shared<const Made>(std::move(made));
  x.made_as = x.text;
  return x;
}

int Writer::dim(const Tensor& x, int axis) const {
  const auto at = std::find(x.axes.begin(), x.axes.end(), axis) - x.axes.begin();
  return static_cast<int>(at) - static_cast<int>(x.axes.size());
}

// Returns the axes of all values. The order is that of the value with the most axes; others are inserted by
// the order of their declaration.
std::vector<int> Writer::union_of(const std::vector<Tensor>& in) const {
  const Tensor* longest = &in[0];
  for (const Tensor& x : in)
    if (x.axes.size() > longest->axes.size()) longest = &x;
  std::vector<int> out = longest->axes;
  for (const Tensor& x : in)
    for (const int a : x.axes)
      if (!contains(out, a))
        out.insert(std::find_if(out.begin(), out.end(), [&](int b) { return b > a; }), a);
  return out;
}

Tensor Writer::arranged(const Tensor& x, const std::vector<int>& axes) {
  if (x.axes == axes) return x;
  if (is_past(x)) return past_of(arranged(x.pairs->a, axes), x.window);
  Tensor out = x;
  out.axes = axes;
  const int n = static_cast<int>(axes.size());
  const std::string text = bracketed(x.text, x.rank, kAtom);
  std::vector<int> moved;
  for (int i = 0; i < n; ++i)
    if (x.axes[i] != axes[i]) moved.push_back(i);
  if (moved.size() == 2) {
    out.text = fmt::format("{}.transpose({}, {})", text, moved[0] - n, moved[1] - n);
  } else {
    std::vector<int> from, to;
    for (const int i : moved) {
      from.push_back(dim(x, axes[i]));
      to.push_back(i - n);
    }
    out.text = fmt::format("{}.movedim(({}), ({}))", text, fmt::join(from, ", "), fmt::join(to, ", "));
  }
  out.rank = kAtom;
  out.pairs = nullptr;
  if (made_of(x)) out.made_as = out.text;
  return out;
}

Tensor Writer::with_last(const Tensor& x, const std::vector<int>& last) {
  return arranged(x, joined(without(x.axes, last), last));
}

std::string Writer::aligned(const Tensor& given, Tensor::Lead lead, const std::vector<int>& axes, int least) {
  std::vector<int> order;
  for (const int a : axes)
    if (contains(given.axes, a)) order.push_back(a);
  const Tensor x = arranged(given, order);
  if (x.is_number) return bracketed(x.text, x.rank, least);
  std::vector<bool> has;
  if (x.lead != Tensor::kNone)
    for (int i = 0; i < static_cast<int>(lead); ++i) has.push_back(i < static_cast<int>(x.lead));
  const std::size_t leading = has.size();
  for (const int a : axes) has.push_back(contains(x.axes, a));
  const auto first = std::find(has.begin(), has.end(), true);
  if (std::find(first, has.end(), false) == has.end()) return bracketed(x.text, x.rank, least);
  std::vector<std::string> index;
  for (auto it = first; it != has.end(); ++it) index.emplace_back(*it ? ":" : "None");
  // Leading dimensions are counted from the left, so that the text shows where positions are.
  const auto missing = std::find(index.begin(), index.end(), "None") - index.begin();
  if (!(leading == 3 && missing == 2))
    index.erase(index.begin(), index.begin() + missing), index.insert(index.begin(), "...");
  else if (std::all_of(index.begin() + missing + 1, index.end(), [](const auto& i) { return i == ":"; }))
    index.resize(static_cast<std::size_t>(missing) + 1);
  return fmt::format("{}[{}]", bracketed(x.text, x.rank, kAtom), fmt::join(index, ", "));
}

Tensor Writer::past_of(Tensor x, const Number& window) {
  Tensor out, seen = x;
  if (is_identifier(x.text)) {  // the result gets a name, so that a cache keeps it once if it is read again
    seen.text = scope().pasts.try_emplace(x.text + window_text(window)).first->second;
    if (seen.text.empty()) {
      seen.text = scope().fresh("past_" + x.text);
      scope().pasts[x.text + window_text(window)] = seen.text;
    }
    scope().assign({seen.text}, fmt::format("past({}, {}{})", x.text, cache(), window_text(window)));
  } else {
    seen.text = fmt::format("past({}, {}{})", x.text, cache(), window_text(window));
  }
  seen.rank = kAtom;
  out.text = fmt::format("{}[:, None]", seen.text);
  out.lead = Tensor::kPairs;
  out.axes = x.axes;
  out.window = window;
  out.is_bool = x.is_bool;
  out.pairs = pairs_of(Pairs::Kind::kPast, std::move(x), std::move(seen));
  return out;
}

// An operation on pasts alone is applied before the pairs [t, s] are made.
Tensor Writer::pointwise(const std::vector<Tensor>& given, int rank,
                         const std::function<std::string(const std::vector<std::string>&)>& text,
                         const std::vector<int>& ranks, bool makes_bools) {
  // In a step, what does not depend on the state is computed for all positions beforehand, unless that makes
  // more elements than an input has. Else the step reads the items of its position.
  std::vector<Tensor> in = given;
  if (in_scan()) {
    const std::size_t axes = union_of(in).size();
    bool in_step = true;
    for (const Tensor& x : in) in_step = in_step && !(x.lead == Tensor::kTimes && x.axes.size() == axes);
    for (const Tensor& x : in) in_step = in_step || x.lead == Tensor::kBatch;
    if (in_step)
      for (Tensor& x : in) x = use(x);
  }
  Tensor out;
  out.rank = rank;
  out.is_bool = makes_bools;
  bool pairs = false, only_past = true;
  Number window;
  for (const Tensor& x : in) {
    out.lead = std::max(out.lead, x.lead);
    if (x.lead == Tensor::kPairs) {
      if (!pairs) window = x.window;
      pairs = true;
    }
    only_past = only_past && (is_past(x) || x.lead == Tensor::kNone);
  }
  if (pairs && only_past) {
    std::vector<Tensor> inner;
    for (const Tensor& x : in) inner.push_back(is_past(x) ? x.pairs->a : x);
    return past_of(pointwise(inner, rank, text, ranks, makes_bools), window);
  }
  out.window = window;
  out.axes = union_of(in);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < in.size(); ++i) texts.push_back(aligned(in[i], out.lead, out.axes, ranks[i]));
  out.text = text(texts);
  return out;
}

Tensor Writer::numeric(Tensor x) {
  if (!x.is_bool) return x;
  const std::string type = fmt::format("exact({})", like());
  Tensor out =
      pointwise({x}, kAtom, [&](const auto& t) { return fmt::format("{}.to({})", t[0], type); }, {kAtom});
  out.is_bool = false;
  return out;
}

Tensor Writer::apply(const std::string& function, const Tensor& x) {
  return pointwise({numeric(x)}, kAtom, [&](const auto& t) { return fmt::format("{}({})", function, t[0]); },
                   {kLambda});
}

// True if the value is known not to be NaN.
static bool is_ordered(const Tensor& x) {
  if (x.is_number) return !std::isnan(x.number);
  if (x.is_bool) return true;
  const Made* made = made_of(x);
  if (!made) return false;
  const std::string& op = made->op;
  if (op == "position" || op == "lag" || op == "iota") return true;
  const auto is_finite = [](const Tensor& in) {
    return is_ordered(in) && !(in.is_number && std::isinf(in.number));
  };
  return (op == "+" || op == "-" || op == "*" || op == "neg") &&
         std::all_of(made->in.begin(), made->in.end(), is_finite);
}

// In the language, a <= b is not (b < a), a >= b is not (a < b), and a == b is neither (a < b) nor (b < a),
// which differs from Python's operators if one of them is NaN.
Tensor Writer::compared(std::string_view op, Tensor a, Tensor b) {
  if (op == "<" || op == ">" || (is_ordered(a) && is_ordered(b))) return binary(op, a, b);
  const auto none_of = [&](std::vector<std::string_view> orders) {
    const auto text = [&](const auto& t) {
      std::vector<std::string> all;
      for (const std::string_view order : orders) all.push_back(fmt::format("({} {} {})", t[0], order, t[1]));
      return all.size() == 1 ? "~" + all[0] : fmt::format("~({})", fmt::join(all, " | "));
    };
    return pointwise({numeric(a), numeric(b)}, kNegation, text, {kSum, kSum}, true);
  };
  if (op != "==") return none_of({op == "<=" ? ">" : "<"});
  a = held("x", a), b = held("y", b);
  return none_of({"<", ">"});
}

Tensor Writer::binary(std::string_view op, Tensor a, Tensor b) {
  const bool compares = is_comparison(op);
  // In the language, 0 times a value is 0, and so is 0 divided by one, whatever the value is.
  const auto is_zero = [](const Tensor& x) { return x.is_number && x.number == 0; };
  if ((op == "*" && (is_zero(a) || is_zero(b))) || (op == "/" && is_zero(a)))
    return apply("torch.zeros_like", is_zero(a) ? b : a);
  // A tensor of bools times a Python number would have the type of that number. The factors of a product over
  // pairs may be summed on their own.
  const bool keeps_bools = op == "*" && a.is_bool != b.is_bool && !a.is_number && !b.is_number &&
                           a.lead != Tensor::kPairs && b.lead != Tensor::kPairs;
  if (!keeps_bools) {
    a = numeric(a);
    b = numeric(b);
  }
  const int rank = compares ? kCompare : op == "**" ? kPower : op == "*" || op == "/" ? kProduct : kSum;
  const int left = compares ? kSum : op == "**" ? kAtom : rank;
  const int right = compares ? kSum : op == "**" || op == "*" ? kNegation : op == "+" ? kSum : rank + 1;
  Tensor out = pointwise(
      {a, b}, rank, [&](const auto& t) { return fmt::format("{} {} {}", t[0], op, t[1]); }, {left, right},
      compares);
  if (a.is_number && b.is_number && !compares) {
    out.is_number = true;
    out.number = op == "+"   ? a.number + b.number
                 : op == "-" ? a.number - b.number
                 : op == "*" ? a.number * b.number
                 : op == "/" ? a.number / b.number
                             : std::pow(a.number, b.number);
  }
  const std::string mean = bracketed(a.text, a.rank, kAtom) + ".mean(-1)";
  if (op == "-" && b.text == mean && !a.is_number && a.axes.size() == b.axes.size() + 1) {
    out.centred = a.text;
    out.centred_as = out.text;
  }
  if (out.lead == Tensor::kPairs && !out.pairs) {
    if (op == "*") out.pairs = pairs_of(Pairs::Kind::kProduct, a, b);
    if (op == "/" && b.is_number) {
      Tensor inverse = b;
      inverse.text = "1 / " + bracketed(b.text, b.rank, kNegation);
      inverse.rank = kProduct;
      out.pairs = pairs_of(Pairs::Kind::kProduct, a, inverse);
    }
  }
  return compares ? out : with_made(out, std::string(op), {a, b});
}

Tensor Writer::quotient(const Tensor& left, const Tensor& right) {
  const Tensor x = numeric(left), y = numeric(right);
  if (x.is_number && x.number == 0) return apply("torch.zeros_like", y);
  if (y.is_number && ir::is_power_of_two(y.number)) return apply("torch.floor", binary("/", x, y));
  return with_made(
      pointwise({x, y}, kAtom, [](const auto& t) { return fmt::format("quotient({}, {})", t[0], t[1]); },
                {kLambda, kLambda}),
      "quotient", {x, y});
}

std::string Writer::size_list(const std::vector<int>& axes) {
  std::vector<std::string> out;
  for (const int a : axes) {
    const Number n = size_of(a);
    out.push_back(int_text(n.value, n.code));
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

Tensor Writer::seen_only(Tensor x, int fill) {
  if (x.lead != Tensor::kPairs || is_past(x)) return x;
  x.text = fmt::format("masked({}, {}, {})", x.text, mask(x.window), fill);
  x.rank = kAtom;
  x.pairs = nullptr;
  return x;
}

std::string Writer::mask(const Number& window) {
  const std::string shown = window_text(window);
  auto [known, fresh] = scope().masks.try_emplace(shown);
  if (!fresh) return known->second;
  const std::string name = scope().fresh("seen");
  scope().assign({name}, fmt::format("visible({}, {}{})", like(), documents(), shown));
  scope().masks[shown] = name;
  return name;
}

Tensor Writer::reduce(const std::string& method, const Tensor& given, std::vector<int> over) {
  const Tensor x = numeric(given);
  const bool past = contains(over, kPast);
  const std::vector<int> axes = without(over, {kPast});
  Tensor y = x;
  if (!axes.empty() && is_past(x)) {
    y = past_of(reduce(method, x.pairs->a, axes), x.window);
  } else if (!axes.empty() && method == "sum" && x.pairs && x.pairs->kind == Pairs::Kind::kProduct &&
             std::all_of(axes.begin(), axes.end(), [&](int a) {
               return contains(x.pairs->a.axes, a) && contains(x.pairs->b.axes, a);
             })) {
    y = dot(x.pairs->a, x.pairs->b, axes);
  } else if (!axes.empty()) {
    std::vector<int> dims;
    for (const int a : axes) dims.push_back(dim(x, a));
    std::sort(dims.begin(), dims.end());
    y.text = fmt::format("{}.{}({})", bracketed(x.text, x.rank, kAtom), method, tuple_text(dims, false));
    y.rank = kAtom;
    y.axes = without(x.axes, axes);
    y.pairs = nullptr;
    if (method == "sum" && !past) y = read_of(with_made(y, "dot", {x}, axes));
  }
  if (!past) return y;
  if (method == "sum") return sum_over_past(y);
  Tensor out = y;
  out.lead = Tensor::kTimes;
  out.pairs = nullptr;
  out.rank = kAtom;
  if (is_past(y)) {
    out.text = fmt::format("running_{}({}, {}{})", method == "amax" ? "max" : "mean", y.pairs->a.text,
                           documents(), window_text(y.window));
  } else if (method == "amax") {
    out.text = fmt::format("masked({}, {}, -torch.inf).amax(2)", y.text, mask(y.window));
  } else {
    Tensor count;
    count.text = fmt::format("{}.sum(2)", mask(y.window));
    count.lead = Tensor::kTimes;
    return binary("/", sum_over_past(y), count);
  }
  return out;
}

std::string Writer::einsum(const std::vector<Tensor>& in, const std::vector<std::string>& lead,
                           const std::string& result_lead, const std::vector<int>& axes, std::string* texts) {
  std::map<int, char> letters;
  const auto letter = [&](int axis) {
    const auto known = letters.find(axis);
    if (known != letters.end()) return known->second;
    const auto taken = [&](char c) {
      if (std::string("bts").find(c) != std::string::npos) return true;  // batch, t and s
      return std::any_of(letters.begin(), letters.end(), [&](const auto& l) { return l.second == c; });
    };
    std::string candidates = axes_[axis].name + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char c : candidates)
      if (std::isalpha(static_cast<unsigned char>(c)) && !taken(c)) return letters[axis] = c;
    return 'Z';
  };
  std::string equation;
  for (std::size_t i = 0; i < in.size(); ++i) {
    equation += (i ? "," : "") + lead[i];
    for (const int a : in[i].axes) equation += letter(a);
  }
  equation += "->" + result_lead;
  for (const int a : axes) equation += letter(a);
  if (texts) {
    texts->clear();
    for (std::size_t i = 0; i < in.size(); ++i) *texts += (i ? ", " : "") + in[i].text;
  }
  return equation;
}

Tensor Writer::dot(const Tensor& left, const Tensor& right, std::vector<int> over) {
  Tensor a = numeric(left), b = numeric(right);
  if (a.is_number != b.is_number) {
    const Tensor& number = a.is_number ? a : b;
    const Tensor sum = reduce("sum", a.is_number ? b : a, over);
    return number.number == 1 ? sum : binary("*", sum, number);
  }
  if (in_scan() && (a.lead == Tensor::kBatch || b.lead == Tensor::kBatch)) {
    a = use(a);
    b = use(b);
  }
  const bool pairs = a.lead == Tensor::kPairs || b.lead == Tensor::kPairs;
  const std::vector<int> axes = without(over, {kPast});
  if (contains(over, kPast)) {
    if (axes.empty()) return sum_over_past(binary("*", a, b));
    return sum_over_past(dot(a, b, axes));
  }
  if (is_past(a) && (is_past(b) || b.lead == Tensor::kNone))
    return past_of(dot(a.pairs->a, is_past(b) ? b.pairs->a : b, over), a.window);
  if (is_past(b) && a.lead == Tensor::kNone) return past_of(dot(a, b.pairs->a, over), b.window);
  Tensor out;
  out.lead = std::max(a.lead, b.lead);
  out.axes = without(union_of({a, b}), over);
  std::vector<Tensor> in{a, b};
  std::vector<std::string> lead;
  for (Tensor& x : in) {
    if (x.lead == Tensor::kNone) {
      lead.emplace_back("");
    } else if (!pairs) {
      lead.emplace_back("...");
    } else if (is_past(x)) {
      const Tensor seen = x.pairs->b;
      x = seen;
      lead.emplace_back("bs");
    } else {
      lead.emplace_back(x.lead == Tensor::kPairs ? "bts" : "bt");
    }
  }
  std::string texts;
  const std::string equation = einsum(in, lead,
                                      pairs                       ? "bts"
                                      : out.lead == Tensor::kNone ? ""
                                                                  : "...",
                                      out.axes, &texts);
  out.text = fmt::format("torch.einsum(\"{}\", {})", equation, texts);
  if (pairs) {
    out.window = a.lead == Tensor::kPairs ? a.window : b.window;
    out.pairs = pairs_of(Pairs::Kind::kDot, a, b, over);
  }
  return read_of(with_made(out, "dot", {a, b}, over));
}

Tensor Writer::softmax(const Tensor& given, int over) {
  const Tensor x = numeric(given);
  Tensor out = x;
  out.rank = kAtom;
  if (over == kPast) {
    out.text = fmt::format("masked({}, {}, -torch.inf).softmax(2)", x.text, mask(x.window));
    out.pairs = pairs_of(Pairs::Kind::kSoftmax, x);
    return out;
  }
  if (is_past(x)) return past_of(softmax(x.pairs->a, over), x.window);
  out.text = fmt::format("{}.softmax({})", bracketed(x.text, x.rank, kAtom), dim(x, over));
  out.pairs = nullptr;
  return out;
}

Tensor Writer::sum_over_past(const Tensor& given) {
  const Tensor x = numeric(given);
  // `times` do not depend on s, `past` are past(a), and `weights` are other values over pairs.
  std::vector<Tensor> factors, times, weights, past;
  factors_of(x, factors);
  if (auto attended = attention(factors)) return *attended;
  for (const Tensor& f : factors)
    (f.lead != Tensor::kPairs ? times : is_past(f) ? past : weights).push_back(f);
  const auto product = [&](const std::vector<Tensor>& list) {
    Tensor out = list[0];
    for (std::size_t i = 1; i < list.size(); ++i) out = binary("*", out, list[i]);
    return out;
  };
  Tensor out;
  out.lead = Tensor::kTimes;
  if (weights.empty()) {
    const Tensor inner = numeric(product(past).pairs->a);
    out.axes = inner.axes;
    out.text = fmt::format("running_sum({}, {}{})", inner.text, documents(), window_text(x.window));
  } else if (past.empty()) {
    const Tensor w = product(weights);
    out.axes = w.axes;
    out.text = fmt::format("masked({}, {}, 0).sum(2)", numeric(w).text, mask(x.window));
  } else {
    const Tensor w = numeric(product(weights)), v = numeric(product(past).pairs->b);
    out.axes = union_of({w, v});
    std::string texts;
    const std::string equation = einsum({w, v}, {"bts", "bs"}, "bt", out.axes, &texts);
    out.text = fmt::format("look(\"{}\", {}, {})", equation, texts, mask(x.window));
  }
  for (const Tensor& t : times) out = binary("*", t, out);
  return out;
}

// Recognises sum(softmax(dot(q, past(key)) * scale) * past(value)), also with fewer heads of keys and values
// than of queries, among the factors of a product that is summed over s.
std::optional<Tensor> Writer::attention(const std::vector<Tensor>& factors) {
  std::vector<Tensor> times;
  const Tensor *weights = nullptr, *read = nullptr;
  for (const Tensor& f : factors) {
    const bool is_softmax = f.pairs && f.pairs->kind == Pairs::Kind::kSoftmax;
    if (f.lead != Tensor::kPairs) {
      times.push_back(f);
    } else if (is_softmax && !weights) {
      weights = &f;
    } else if (is_past(f) && !read) {
      read = &f;
    } else {
      return {};
    }
  }
  if (!weights || !read) return {};
  std::vector<Tensor> scores;
  factors_of(weights->pairs->a, scores);
  const Tensor* product = nullptr;
  std::string scale;
  for (const Tensor& s : scores) {
    if (s.is_number) {
      scale += (scale.empty() ? "" : " * ") + bracketed(s.text, s.rank, kProduct);
    } else if (s.pairs && s.pairs->kind == Pairs::Kind::kDot && !product) {
      product = &s;
    } else {
      return {};
    }
  }
  if (!product) return {};
  const bool q_is_left = is_past(product->pairs->b);
  const Tensor &q = q_is_left ? product->pairs->a : product->pairs->b,
               &past_key = q_is_left ? product->pairs->b : product->pairs->a;
  if (q.lead != Tensor::kTimes || !is_past(past_key)) return {};
  const Tensor key = past_key.pairs->a, value = numeric(read->pairs->a);
  const std::vector<int>& over = product->pairs->over;
  const std::vector<int> heads = without(q.axes, over);
  std::vector<int> shared, channels;  // `shared`: the heads that keys or values also have
  for (const int a : without(key.axes, over))
    if (!contains(heads, a)) return {};
  for (const int a : heads)
    if (contains(without(key.axes, over), a) || contains(value.axes, a)) shared.push_back(a);
  channels = without(value.axes, heads);
  const std::vector<int> own = without(heads, shared);  // the heads of queries alone

  // Returns a value as [batch, time, heads, channels], with the axes `head_axes` and `channel_axes` made one
  // each.
  const auto flat = [&](const Tensor& x, const std::vector<int>& head_axes,
                        const std::vector<int>& channel_axes) {
    const std::vector<int> all = joined(head_axes, channel_axes);
    std::string text = aligned(x, Tensor::kTimes, all, kAtom);
    std::vector<std::string> sizes;
    for (const int a : all)
      sizes.push_back(contains(x.axes, a) ? "-1" : int_text(size_of(a).value, size_of(a).code));
    if (x.axes.size() < all.size()) text += fmt::format(".expand(-1, -1, {})", fmt::join(sizes, ", "));
    if (head_axes.empty()) text += ".unsqueeze(2)";
    if (head_axes.size() > 1) text += fmt::format(".flatten(2, {})", head_axes.size() + 1);
    if (channel_axes.empty()) text += ".unsqueeze(-1)";
    if (channel_axes.size() > 1) text += fmt::format(".flatten(-{})", channel_axes.size());
    return text;
  };
  std::string options = documents();
  if (!std::isinf(weights->window.value))
    options += ", window=" + int_text(weights->window.value, weights->window.code);
  options += ", scale=" + (scale.empty() ? "1.0" : scale);
  Tensor out;
  out.lead = Tensor::kTimes;
  out.axes = joined(joined(shared, own), channels);
  const std::string keys = flat(key, shared, over), values = flat(value, shared, channels);
  out.text =
      fmt::format("attention({}, {}, {}, {})", flat(q, joined(shared, own), over), keys, values, options);
  if (heads.empty()) out.text += ".squeeze(2)";
  if (heads.size() > 1) out.text += fmt::format(".unflatten(2, ({}))", size_list(joined(shared, own)));
  if (channels.empty()) out.text += ".squeeze(-1)";
  if (channels.size() > 1) out.text += fmt::format(".unflatten(-1, ({}))", size_list(channels));
  for (const Tensor& t : times) out = binary("*", t, out);
  return out;
}

Tensor Writer::held(const std::string& base, Tensor x) {
  if (is_identifier(x.text)) return x;
  if (is_past(x)) return past_of(held(base, x.pairs->a), x.window);
  // As with a name of the program (assigned), what does not depend on the state of a scan is assigned before
  // it.
  const bool before_scan =
      in_scan() && x.lead != Tensor::kBatch && frame().looping == 1 && differentiated_.empty();
  Scope& here = before_scan ? *scope().outer : scope();
  const std::string name = here.fresh(base);
  here.assign({name}, x.text);
  if (at_once_) at_once_->names.insert(name);
  x.text = name;
  x.rank = kAtom;
  return x;
}

}  // namespace gabbro::pytorch
