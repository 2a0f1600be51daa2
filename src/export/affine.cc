#include "export/affine.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gabbro::pytorch {

namespace {

Tensor number_of(double value) {
  const Code code = literal(value).code;
  Tensor out;
  out.text = code.text;
  out.rank = code.rank;
  out.is_number = true;
  out.number = value;
  return out;
}

// A value that depends on the state: the state after some steps, p (f . S + rest), or f . S + rest.
struct Form {
  enum class Kind { kState, kWrite, kRead, kMaximum } kind = Kind::kState;
  std::vector<AffineStep> steps;  // kState
  std::string text;               // kState: of the value
  Write write;                    // kWrite, kRead
  std::string source;             // kWrite, kRead: the text of the state that is read
  std::vector<Term> added;        // kWrite
  Tensor bound;                   // kMaximum
};

class Matcher {
 public:
  Matcher(Writer& w, const std::string& symbol, const DependsOnState& depends)
      : w_(w), symbol_(symbol), depends_(depends) {}

  std::optional<StateForm> run(const Tensor& next) {
    const auto form = of(next);
    if (!form) return {};
    StateForm out;
    if (form->kind == Form::Kind::kMaximum) {
      out.is_maximum = true;
      out.bound = form->bound;
    } else if (form->kind != Form::Kind::kState) {
      return {};
    }
    out.steps = form->steps;
    out.contracted = contracted_;
    return out;
  }

 private:
  using Kind = Form::Kind;

  std::optional<Form> of(const Tensor& x) {
    if (++nodes_ > 1000) return {};
    std::optional<Form> out = made(x);
    if (out && out->kind == Kind::kState) out->text = x.text;
    return out;
  }

  std::optional<Form> made(const Tensor& x) {
    const Made* m = made_of(x);
    if (!m) return {};
    if (m->op == "state") {
      if (x.text != symbol_) return {};
      return Form{};
    }
    if (m->op == "broadcast") return of(m->in[0]);
    if (m->op == "neg") return negated(of(m->in[0]));
    if (m->op == "dot") return contraction(*m);
    if (m->in.size() != 2) return {};
    const bool left = depends_(m->in[0]), right = depends_(m->in[1]);
    const Tensor &known = m->in[left ? 1 : 0], &unknown = m->in[left ? 0 : 1];
    if (m->op == "*" && left != right) return scaled(of(unknown), known);
    if (m->op == "/" && !right) {
      return scaled(of(unknown), w_.binary("/", number_of(1), known));
    }
    if (m->op == "maximum" && left != right) return maximum(of(unknown), known);
    if (m->op != "+" && m->op != "-") return {};
    const bool minus = m->op == "-";
    if (left && right) return sum(of(m->in[0]), minus ? negated(of(m->in[1])) : of(m->in[1]));
    std::optional<Form> form = of(unknown);
    if (minus && right) form = negated(form);
    return plus(form, {known, minus && left});
  }

  std::optional<Form> negated(std::optional<Form> x) { return scaled(std::move(x), number_of(1), true); }

  std::optional<Form> scaled(std::optional<Form> x, const Tensor& f, bool negative = false) {
    if (!x || x->kind == Kind::kMaximum) return {};
    const Term factor{f, negative};
    if (x->kind == Kind::kState) {
      if (x->steps.empty() || x->steps.back().write) x->steps.emplace_back();
      AffineStep& step = x->steps.back();
      step.decay.push_back(factor);
      for (Term& a : step.added) a = {w_.binary("*", a.value, f), a.negative != negative};
      return x;
    }
    const bool on_contracted =
        std::any_of(f.axes.begin(), f.axes.end(), [&](int a) { return contains(contracted_, a); });
    for (Term& a : x->added) a = {w_.binary("*", a.value, f), a.negative != negative};
    // A factor with contracted axes belongs to p.
    if (on_contracted || (x->kind == Kind::kWrite && !negative)) {
      x->kind = Kind::kWrite;
      x->write.key.push_back(factor);
      return x;
    }
    x->write.row.push_back(factor);
    for (auto& product : x->write.rest) product.push_back(factor);
    return x;
  }

  std::optional<Form> plus(std::optional<Form> x, const Term& known) {
    if (!x || x->kind == Kind::kMaximum) return {};
    if (x->kind == Kind::kState) {
      if (x->steps.empty()) x->steps.emplace_back();
      x->steps.back().added.push_back(known);
      return x;
    }
    if (x->kind == Kind::kWrite)
      x->added.push_back(known);
    else
      x->write.rest.push_back({known});
    return x;
  }

  std::optional<Form> sum(std::optional<Form> x, std::optional<Form> y) {
    if (!x || !y) return {};
    if (x->kind != Kind::kState) std::swap(x, y);
    if (x->kind != Kind::kState) return {};
    if (y->kind == Kind::kWrite) return written(std::move(x), *y);
    if (y->kind != Kind::kState) return {};
    // a S + b S
    const auto factor = [&](const Form& form) -> std::optional<Tensor> {
      if (form.steps.size() > 1) return {};
      if (form.steps.empty()) return number_of(1);
      if (form.steps[0].write || !form.steps[0].added.empty()) return {};
      return product_of(w_, form.steps[0].decay);
    };
    const auto a = factor(*x), b = factor(*y);
    if (!a || !b || (a->is_number && b->is_number)) return {};
    Form out;
    out.steps.push_back({{{w_.binary("+", *a, *b), false}}, {}, {}});
    return out;
  }

  std::optional<Form> written(std::optional<Form> x, const Form& y) {
    Write write = y.write;
    if (y.source == x->text) {
      // The state is read as it is: after a write or a summand, that is a further step.
      const bool own = !x->steps.empty() && !x->steps.back().write && x->steps.back().added.empty();
      if (!own) x->steps.emplace_back();
      write.decayed = true;
    } else if (y.source == symbol_ && x->steps.size() <= 1) {
      if (x->steps.empty()) x->steps.emplace_back();
      if (x->steps[0].write) return {};
      write.decayed = false;
    } else {
      return {};
    }
    AffineStep& step = x->steps.back();
    step.write = std::move(write);
    for (const Term& a : y.added) step.added.push_back(a);
    return x;
  }

  std::optional<Form> contraction(const Made& m) {
    if (contracted_.empty()) contracted_ = m.over;
    if (m.over.size() != contracted_.size() ||
        !std::is_permutation(m.over.begin(), m.over.end(), contracted_.begin()))
      return {};
    const bool left = depends_(m.in[0]);
    if (m.in.size() != 2 || left == depends_(m.in[1])) return {};
    const Tensor& read = m.in[left ? 0 : 1];
    const auto source = of(read);
    if (!source || source->kind != Kind::kState) return {};
    Form out;
    out.kind = Kind::kRead;
    out.source = read.text;
    out.write.row.push_back({m.in[left ? 1 : 0], false});
    return out;
  }

  std::optional<Form> maximum(std::optional<Form> x, const Tensor& known) {
    if (!x || x->kind != Kind::kState || x->steps.size() > 1) return {};
    if (x->steps.size() == 1 && (!x->steps[0].decay.empty() || x->steps[0].write)) return {};
    x->kind = Kind::kMaximum;
    x->bound = known;
    return x;
  }

  Writer& w_;
  const std::string& symbol_;
  const DependsOnState& depends_;
  std::vector<int> contracted_;
  int nodes_ = 0;
};

// ---- Logarithms ----

constexpr double kInf = std::numeric_limits<double>::infinity();

// low <= x <= high; `above` if x > low, `below` if x < high.
struct Bounds {
  double low = -kInf, high = kInf;
  bool above = false, below = false;
};

Bounds bounds_of(const Writer& w, const Tensor& x, int depth = 0) {
  if (x.is_number) return {x.number, x.number};
  const Made* m = made_of(x);
  if (!m || depth > 16) return {};
  const auto in = [&](std::size_t i) { return bounds_of(w, m->in[i], depth + 1); };
  if (m->op == "iota")
    return {0, static_cast<double>(w.axes_[static_cast<std::size_t>(m->over[0])].size - 1)};
  if (m->op == "sigmoid") return {0, 1, true, true};
  if (m->op == "softplus") return {0, kInf, true};
  if (m->op == "exp") return {std::exp(in(0).low), std::exp(in(0).high), in(0).low == -kInf || in(0).above};
  if (m->op == "broadcast") return in(0);
  if (m->op == "sqrt" && in(0).low >= 0)
    return {std::sqrt(in(0).low), std::sqrt(in(0).high), in(0).above, in(0).below};
  if (m->op == "neg") return {-in(0).high, -in(0).low, in(0).below, in(0).above};
  if (m->op == "+") return {in(0).low + in(1).low, in(0).high + in(1).high, in(0).above || in(1).above};
  if (m->op == "-") return {in(0).low - in(1).high, in(0).high - in(1).low, in(0).above || in(1).below};
  if (m->op == "maximum") {
    const Bounds a = in(0), b = in(1);
    const Bounds& larger = a.low >= b.low ? a : b;
    return {larger.low, std::max(a.high, b.high), larger.above};
  }
  if (m->op == "**" && m->in[0].is_number && m->in[0].number > 0) {
    const double base = m->in[0].number, a = std::pow(base, in(1).low), b = std::pow(base, in(1).high);
    const bool above = std::min(a, b) == 0 || (base > 1 ? in(1).above : base < 1 && in(1).below);
    return {std::min(a, b), std::max(a, b), above};
  }
  if (m->op == "**" && m->in[1].is_number && in(0).low >= 0) {
    const Bounds base = in(0);
    const double power = m->in[1].number;
    if (power > 0) return {std::pow(base.low, power), std::pow(base.high, power), base.above, base.below};
  }
  if (m->op == "**" && m->in[1].is_number && std::fmod(m->in[1].number, 2) == 0 && m->in[1].number > 0)
    return {.low = 0};
  if ((m->op == "sum" || m->op == "mean" || m->op == "max") && in(0).low >= 0) return {.low = 0};
  if (m->op == "*" && m->in[0].text == m->in[1].text) return {.low = 0};
  if (m->op == "*") {
    const Bounds a = in(0), b = in(1);
    const auto of = [](double p, double q) { return p == 0 || q == 0 ? 0.0 : p * q; };
    const double ends[] = {of(a.low, b.low), of(a.low, b.high), of(a.high, b.low), of(a.high, b.high)};
    Bounds out{*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
    out.above =
        a.low >= 0 && b.low >= 0 && (a.above || a.low > 0) && (b.above || b.low > 0) && (a.above || b.above);
    return out;
  }
  return {};
}

}  // namespace

bool is_away_from_zero(const Writer& w, const Tensor& x) {
  const Bounds bounds = bounds_of(w, x);
  // A negative value may underflow to -0.
  constexpr double kFar = -1e-30;
  return bounds.low > 0 || (bounds.low == 0 && bounds.above) || bounds.high < kFar;
}

Tensor product_of(Writer& w, const std::vector<Term>& factors) {
  std::optional<Tensor> out;
  bool negative = false;
  for (const Term& factor : factors) {
    negative = negative != factor.negative;
    if (factor.value.is_number && factor.value.number == 1) continue;
    out = out ? w.binary("*", *out, factor.value) : factor.value;
  }
  if (!out) return number_of(negative ? -1 : 1);
  if (!negative) return *out;
  if (out->is_number) return number_of(-out->number);
  return with_made(w.pointwise({*out}, kNegation, [](const auto& t) { return "-" + t[0]; }, {kNegation}),
                   "neg", {*out});
}

std::optional<StateForm> state_form(Writer& w, const Tensor& next, const std::string& symbol,
                                    const DependsOnState& depends) {
  return Matcher(w, symbol, depends).run(next);
}

namespace {

Tensor sum_of(Writer& w, const Tensor& a, const Tensor& b) {
  return a.is_number && b.is_number ? number_of(a.number + b.number) : w.binary("+", a, b);
}

Tensor multiple_of(Writer& w, const Tensor& x, const Tensor& factor) {
  return x.is_number ? number_of(x.number * factor.number) : w.binary("*", x, factor);
}

std::optional<Tensor> log_of(Writer& w, const Tensor& x,
                             const std::function<bool(const std::string&)>& is_named) {
  if (x.is_number) {
    if (x.number <= 0) return {};
    return number_of(std::log(x.number));
  }
  const Made* m = made_of(x);
  if (m && !is_named(x.text)) {
    if (m->op == "exp") return m->in[0];
    if (m->op == "sigmoid") return w.apply("F.logsigmoid", m->in[0]);
    if (m->op == "broadcast") return log_of(w, m->in[0], is_named);
    if (m->op == "**" && m->in[1].is_number)
      if (const auto base = log_of(w, m->in[0], is_named)) return multiple_of(w, *base, m->in[1]);
    if (m->op == "sqrt")
      if (const auto base = log_of(w, m->in[0], is_named)) return multiple_of(w, *base, number_of(0.5));
    if (m->op == "*") {
      const auto a = log_of(w, m->in[0], is_named), b = log_of(w, m->in[1], is_named);
      if (a && b) return sum_of(w, *a, *b);
    }
  }
  const Bounds bounds = bounds_of(w, x);
  if (bounds.low < 0 || (bounds.low == 0 && !bounds.above)) return {};
  // The lower limit is for a value that rounds to zero.
  Tensor limited = w.pointwise({x}, kAtom, [](const auto& t) { return t[0] + ".clamp(min=1e-30)"; }, {kAtom});
  return w.apply("torch.log", limited);
}

}  // namespace

std::optional<Tensor> log_of(Writer& w, const std::vector<Term>& factors,
                             const std::function<bool(const std::string&)>& is_named) {
  std::optional<Tensor> out;
  bool negative = false;
  for (const Term& factor : factors) {
    negative = negative != factor.negative;
    if (factor.value.is_number && factor.value.number == 1) continue;
    const auto part = log_of(w, factor.value, is_named);
    if (!part) return {};
    out = out ? sum_of(w, *out, *part) : *part;
  }
  return negative ? std::nullopt : out;
}

}  // namespace gabbro::pytorch
