// Writes scans: as operations on all positions where the recurrences have a known form (affine.h), and as a
// function for their step otherwise.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "export/affine.h"
#include "export/writer.h"
#include "lang/inner_gradient.h"

namespace gabbro::pytorch {

std::vector<int> Writer::state_axes(const Stmt& stmt, std::size_t state) {
  std::vector<int> axes = eval_axes(stmt.types[state]);
  std::sort(axes.begin(), axes.end());  // as values are, so that few have to be transposed
  axes.insert(axes.begin(), frame().lifted.begin(), frame().lifted.end());
  return axes;
}

void Writer::run_scan(const Stmt& stmt) {
  if (inside_at_once_) {
    poison("a scan in the step of another");
    return;
  }
  if (!run_at_once(stmt)) run_steps(stmt);
}

Tensor Writer::read_of(Tensor x) {
  const Made* made = at_once_ ? made_of(x) : nullptr;
  if (!made || !std::any_of(made->in.begin(), made->in.end(), is_stateful)) return x;
  const std::string name = frame().root->fresh("read");
  scope().assign({name}, x.text);
  AtOnce::Read read;
  x.text = x.made_as = read.name = name;
  x.rank = kAtom;
  read.value = x;
  at_once_->reads.push_back(std::move(read));
  at_once_->names.insert(name);
  return x;
}

// ---- All positions at once ----

namespace {

// Returns references to the members of a writer that writing a scan changes.
auto tied(Writer& w) {
  return std::tie(w.axes_, w.twins_, w.shared_axes_, w.without_params_, w.shared_widths_, w.shared_modules_,
                  w.weights_, w.weights_by_name_, w.weight_axes_, w.classes_, w.class_ids_, w.functions_,
                  w.returned_, w.targets_, w.block_, w.statement_);
}
template <class... T>
std::tuple<T...> copied(const std::tuple<T&...>& fields) {
  return fields;
}

// Keeps what writing a scan changes. Frames outside of the unit do not change: references to them stay valid.
class Snapshot {
 public:
  explicit Snapshot(Writer& w) : w_(w), fields_(tied(w)), first_(w.frames_.size() - 1) {
    while (w.frames_[first_].get() != &w.owner()) --first_;
    for (std::size_t i = first_; i < w.frames_.size(); ++i) {
      const Frame& frame = *w.frames_[i];
      frames_.push_back(frame);
      if (frame.draft) drafts_.try_emplace(frame.draft, *frame.draft);
      for (Scope* s : {frame.root, frame.scope})
        for (; s; s = s->outer) scopes_.try_emplace(s, *s);
    }
  }
  void restore() {
    tied(w_) = std::move(fields_);
    w_.frames_.resize(first_ + frames_.size());
    for (std::size_t i = 0; i < frames_.size(); ++i) *w_.frames_[first_ + i] = std::move(frames_[i]);
    for (auto& [draft, saved] : drafts_) *draft = std::move(saved);
    for (auto& [scope, saved] : scopes_) *scope = std::move(saved);
    w_.error_ = {};
  }

 private:
  Writer& w_;
  decltype(copied(tied(std::declval<Writer&>()))) fields_;
  std::size_t first_;
  std::vector<Frame> frames_;
  std::map<Draft*, Draft> drafts_;
  std::map<Scope*, Scope> scopes_;
};

void collect_names(const Expr& expr, std::set<std::string>& out) {
  out.insert(expr.text);
  for (const Expr& arg : expr.args) collect_names(arg, out);
}

void collect_names(const Stmt& stmt, std::set<std::string>& out) {
  for (const auto* list : {&stmt.values, &stmt.targets, &stmt.types})
    for (const Expr& expr : *list) collect_names(expr, out);
  for (const Stmt& inner : stmt.body) collect_names(inner, out);
}

std::vector<int> minus(const std::vector<int>& list, const std::vector<int>& removed) {
  std::vector<int> out;
  for (const int a : list)
    if (!contains(removed, a)) out.push_back(a);
  return out;
}

bool meets(const std::vector<int>& a, const std::vector<int>& b) {
  return std::any_of(a.begin(), a.end(), [&](int x) { return contains(b, x); });
}

bool covers(const std::vector<int>& all, const std::vector<int>& some) { return minus(some, all).empty(); }

using Factors = std::vector<Term>;

bool is_past(const Tensor& x) { return x.pairs && x.pairs->kind == Pairs::Kind::kPast; }

// The statements of a scan that is written at once, in the order of what they read.
class AllPositions {
 public:
  AllPositions(Writer& w, AtOnce& scan, std::vector<Line> lines, const std::set<std::string>& later)
      : w_(w), scan_(scan), lines_(std::move(lines)), later_(later) {}

  // Returns the statements, or nothing if a state has no known form.
  std::optional<std::vector<Line>> run() {
    for (std::size_t s = 0; s < scan_.states.size(); ++s) {
      const AtOnce::State& state = scan_.states[s];
      const DependsOnState depends = [&](const Tensor& x) { return reads(x.text, state.symbol); };
      auto form = state_form(w_, state.next, state.symbol, depends);
      if (w_.failed() || !form) return {};
      forms_.push_back(std::move(*form));
      depends_.push_back(depends);
    }
    // A state whose own values are needed is computed at all positions, element by element.
    std::vector<bool> by_element(scan_.states.size(), false);
    for (std::size_t tries = 0; tries <= scan_.states.size(); ++tries) {
      written_ = lines_;
      for (std::size_t s = 0; s < scan_.states.size(); ++s) {
        if (!by_element[s] && !write_chunks(s)) by_element[s] = true;
        if (by_element[s] && !write_elements(s)) return {};
        if (w_.failed()) return {};
      }
      std::vector<Line> out;
      if (!order(out)) return {};
      bool changed = false;
      for (const Line& line : out)
        for (std::size_t s = 0; s < scan_.states.size(); ++s)
          if (!by_element[s] && identifiers(line.text).contains(scan_.states[s].symbol))
            by_element[s] = changed = true;
      if (!changed) return out;
    }
    return {};
  }

 private:
  // Returns true if a text depends on a name, through the statements of the step.
  bool reads(const std::string& text, const std::string& name) {
    std::set<std::string> seen;
    std::vector<std::string> open{text};
    while (!open.empty()) {
      const std::string next = open.back();
      open.pop_back();
      for (const std::string& word : identifiers(next)) {
        if (word == name) return true;
        if (!seen.insert(word).second) continue;
        for (const Line& line : lines_)
          if (contains(line.targets, word)) open.push_back(line.text);
      }
    }
    return false;
  }
  static bool contains(const std::vector<std::string>& list, const std::string& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  }

  void replace(const std::string& target, std::string text) {
    for (Line& line : written_)
      if (contains(line.targets, target)) line.text = std::move(text);
  }

  // Appends the statements whose values are read after the scan, each behind those that it reads. Returns
  // false if there is a cycle.
  bool order(std::vector<Line>& out) {
    std::map<std::string, std::size_t> made;
    for (std::size_t i = 0; i < written_.size(); ++i)
      for (const std::string& t : written_[i].targets) made[t] = i;
    std::vector<int> state(written_.size(), 0);  // 0: not visited, 1: being visited, 2: appended
    const std::function<bool(std::size_t)> visit = [&](std::size_t i) {
      if (state[i] != 0) return state[i] == 2;
      state[i] = 1;
      for (const std::string& name : identifiers(written_[i].text)) {
        const auto from = made.find(name);
        if (from != made.end() && !visit(from->second)) return false;
      }
      state[i] = 2;
      out.push_back(written_[i]);
      return true;
    };
    for (std::size_t i = 0; i < written_.size(); ++i)
      for (const std::string& t : written_[i].targets)
        if (later_.contains(t) && !visit(i)) return false;
    return true;
  }

  std::string documents_and(const std::string& options) {
    return w_.documents() + (options.empty() ? "" : ", " + options);
  }

  // ---- Element by element ----

  bool write_elements(std::size_t s) {
    const AtOnce::State& state = scan_.states[s];
    const StateForm& form = forms_[s];
    if (form.steps.size() > 1 || (form.steps.size() == 1 && form.steps[0].write)) return false;
    const AffineStep step = form.steps.empty() ? AffineStep{} : form.steps[0];
    const std::optional<Tensor> added = sum_of(step.added);
    std::optional<Tensor> factor, value;
    if (form.is_maximum) {
      factor = added;
      value = form.bound;
    } else {
      if (!step.decay.empty()) factor = product_of(w_, step.decay);
      value = added;
    }
    if (!value) return false;
    std::vector<int> axes = value->axes;
    if (factor) axes.insert(axes.end(), factor->axes.begin(), factor->axes.end());
    const bool timed = value->lead == Tensor::kTimes || (factor && factor->lead == Tensor::kTimes);
    if (!covers(axes, state.axes) || !timed || (factor && factor->is_number) || value->is_number)
      return false;
    const auto text = [&](const Tensor& x) { return w_.aligned(x, Tensor::kTimes, state.axes, kLambda); };
    const std::string first = state.first.is_number
                                  ? state.first.text
                                  : w_.aligned(state.first, Tensor::kNone, state.axes, kLambda);
    const bool zero = state.first.is_number && state.first.number == 0;
    std::string all;
    if (!factor && zero && !form.is_maximum && covers(value->axes, state.axes))
      all = fmt::format("running_sum({}, {})", text(*value), w_.documents());
    else
      all = fmt::format(
          "affine_scan({}, {}, {}, {})",
          factor ? text(*factor) : fmt::format("{}.new_full((1, 1), {})", w_.like(), form.is_maximum ? 0 : 1),
          text(*value), first, documents_and(form.is_maximum ? "torch.add, torch.maximum" : ""));
    replace(state.next.text, all);
    Line before;
    before.targets = {state.symbol};
    before.text = fmt::format("previous({}, {}, {})", state.next.text, first, w_.documents());
    written_.push_back(before);
    return true;
  }

  std::optional<Tensor> sum_of(const std::vector<Term>& terms) {
    std::optional<Tensor> out;
    for (const Term& term : terms) {
      if (!out)
        out = term.negative ? product_of(w_, {term}) : term.value;
      else
        out = w_.binary(term.negative ? "-" : "+", *out, term.value);
    }
    return out;
  }

  // ---- In chunks of positions ----

  // A product p v, in which p (`key`) has no value axes, and v (`value`) no contracted axes.
  struct Outer {
    Factors key, value;
  };

  std::vector<Factors> expand(const Term& term) {
    const Made* made = made_of(term.value);
    const std::vector<int>& axes = term.value.axes;
    // A product is also split where that makes a factor of it smaller, unless it has a name already.
    const bool has_name = identifiers(term.value.text) == std::set<std::string>{term.value.text};
    const bool splits =
        meets(axes, values_) || (made && made->op == "*" && !has_name && !covers(contracted_, axes));
    if (!made || !meets(axes, contracted_) || !splits) return {{term}};
    if (made->op == "broadcast") return expand({made->in[0], term.negative});
    if (made->op == "neg") return expand({made->in[0], !term.negative});
    if (made->op == "+" || made->op == "-") {
      std::vector<Factors> out = expand({made->in[0], term.negative});
      for (Factors& f : expand({made->in[1], term.negative != (made->op == "-")}))
        out.push_back(std::move(f));
      return out;
    }
    if (made->op != "*") return {{term}};
    std::vector<Factors> out;
    for (const Factors& a : expand({made->in[0], term.negative}))
      for (const Factors& b : expand({made->in[1], false})) {
        out.push_back(a);
        out.back().insert(out.back().end(), b.begin(), b.end());
      }
    return out;
  }

  // Finds the value axes: those that no coefficient has. The other axes are as heads.
  void classify(std::size_t s) {
    const StateForm& form = forms_[s];
    contracted_ = form.contracted;
    for (const AtOnce::Read& read : scan_.reads)
      if (contracted_.empty() && depends_[s](read.value)) contracted_ = made_of(read.value)->over;
    values_ = minus(scan_.states[s].axes, contracted_);
    // Takes the axes of coefficients away from the value axes.
    const auto none = [&](const Factors& factors) {
      for (const Term& f : factors) values_ = minus(values_, f.value.axes);
    };
    for (const AffineStep& step : form.steps) {
      none(step.decay);
      if (!step.write) continue;
      none(step.write->key);
      none(step.write->row);
    }
    for (const AtOnce::Read& read : scan_.reads)
      if (depends_[s](read.value))
        for (const Tensor& x : made_of(read.value)->in)
          if (!depends_[s](x)) none({{x, false}});
    for (bool changed = true; changed;) {
      changed = false;
      for (const AffineStep& step : form.steps)
        for (const Term& term : step.added)
          for (const Factors& product : expand(term))
            for (const Term& f : product)
              if (meets(f.value.axes, values_) && meets(f.value.axes, contracted_)) {
                none({f});
                changed = true;
              }
    }
    shared_ = minus(minus(scan_.states[s].axes, contracted_), values_);
  }

  std::optional<std::vector<Outer>> outers(const std::vector<Term>& terms) {
    std::vector<Outer> out;
    for (const Term& term : terms)
      for (const Factors& product : expand(term)) {
        Outer outer;
        for (const Term& f : product)
          (meets(f.value.axes, contracted_) ? outer.key : outer.value).push_back(f);
        if (outer.key.empty()) return {};
        out.push_back(std::move(outer));
      }
    return out;
  }

  // Returns true if one of the operands tells how many positions there are.
  static bool has_time(const std::vector<Tensor>& operands) {
    return std::any_of(operands.begin(), operands.end(),
                       [](const Tensor& x) { return x.lead == Tensor::kTimes; });
  }

  // Returns the text of [batch, time, heads, last]; for what is the same at all positions of [heads, last],
  // or of [1, 1, heads, last] if `timed`.
  std::string operand(const Tensor& x, const std::vector<int>& last, bool timed = false) {
    timed = timed && x.lead == Tensor::kNone;
    const bool headed = meets(x.axes, shared_);
    std::vector<int> all = headed ? shared_ : std::vector<int>{};
    all.insert(all.end(), last.begin(), last.end());
    const std::size_t n = last.size();
    const bool flat = (headed && shared_.size() > 1) || n != 1 || !headed || timed;
    std::string text = w_.aligned(x, Tensor::kTimes, all, flat ? kAtom : kLambda);
    if (!covers(x.axes, all) && all.size() > 2) {
      std::vector<std::string> sizes(x.lead == Tensor::kTimes ? 2 : 0, "-1");
      for (const int a : all) {
        const Number size = w_.size_of(a);
        sizes.push_back(pytorch::contains(x.axes, a) ? "-1" : int_text(size.value, size.code));
      }
      text += fmt::format(".expand({})", fmt::join(sizes, ", "));
    }
    if (headed && shared_.size() > 1) {
      if (n == 0)
        text += fmt::format(".flatten(-{})", shared_.size());
      else
        text += fmt::format(".flatten(-{}, -{})", shared_.size() + n, n + 1);
    }
    if (n > 1) text += fmt::format(".flatten(-{})", n);
    if (n == 0) text += ".unsqueeze(-1)";
    if (!headed) text += ".unsqueeze(-2)";
    return timed ? text + "[None, None]" : text;
  }

  bool write_chunks(std::size_t s) {
    const AtOnce::State& state = scan_.states[s];
    const StateForm& form = forms_[s];
    const bool zero = state.first.is_number && state.first.number == 0;
    if (form.is_maximum || !zero || form.steps.empty()) return false;
    classify(s);
    if (contracted_.empty() || (values_.empty() && !form.steps[0].write)) return false;
    std::vector<std::pair<std::string, std::string>> texts;
    for (const AtOnce::Read& read : scan_.reads) {
      if (!depends_[s](read.value)) continue;
      // A contraction inside of the step cannot be written, and is not needed.
      const auto value = read_value(s, read);
      if (w_.failed()) return false;
      if (!value) continue;
      texts.emplace_back(read.name, w_.arranged(*value, read.value.axes).text);
    }
    for (auto& [name, text] : texts) replace(name, text);
    return !texts.empty();
  }

  // Returns f . S for a contraction of the state before a step, after it, or in between.
  std::optional<Tensor> read_value(std::size_t s, const AtOnce::Read& read) {
    const AtOnce::State& state = scan_.states[s];
    const Made& made = *made_of(read.value);
    if (!std::is_permutation(made.over.begin(), made.over.end(), contracted_.begin(), contracted_.end()))
      return {};
    Factors row;
    std::optional<Tensor> source;
    for (const Tensor& x : made.in) {
      if (depends_[s](x)) {
        if (source) return {};
        source = x;
      } else {
        row.push_back({x, false});
      }
    }
    if (!source) return {};
    std::string at;
    std::vector<Outer> own;
    if (source->text != state.next.text) {
      const auto between = state_form(w_, *source, state.symbol, depends_[s]);
      if (!between || between->is_maximum || between->steps.size() > 1) return {};
      at = "before";
      if (!between->steps.empty()) {
        const AffineStep& step = between->steps[0];
        if (step.write) return {};
        row.insert(row.end(), step.decay.begin(), step.decay.end());
        const auto added = outers(step.added);
        if (!added) return {};
        own = *added;
      }
    }
    if (row.empty()) return {};
    const Tensor f = product_of(w_, row);
    if (meets(f.axes, values_) || !covers(f.axes, contracted_) || !covers(state.axes, f.axes)) return {};
    std::optional<Tensor> out = states_read(s, f, at);
    if (!out || !covers(out->axes, read.value.axes) || !covers(read.value.axes, out->axes)) return {};
    // Summands that come before the reading are read without the decay.
    Factors plain;
    for (const Tensor& x : made.in)
      if (!depends_[s](x)) plain.push_back({x, false});
    for (const Outer& outer : own)
      out = w_.binary("+", *out,
                      w_.binary("*", w_.dot(product_of(w_, plain), product_of(w_, outer.key), contracted_),
                                product_of(w_, outer.value)));
    return out;
  }

  // Returns f . S, where S is the state after a step, or before it if `at` is "before" instead of "".
  std::optional<Tensor> states_read(std::size_t s, const Tensor& f, const std::string& at) {
    const StateForm& form = forms_[s];
    const std::string read = operand(f, contracted_);
    std::optional<std::string> decay;
    std::string options;
    const auto name_options = [&] {
      std::string out = decay ? *decay : "None";
      out += ", " + w_.documents();
      return out + options;
    };
    bool channel = false;
    Factors decays;
    for (const AffineStep& step : form.steps) {
      if (&step != &form.steps[0] && !step.decay.empty()) return {};
      decays.insert(decays.end(), step.decay.begin(), step.decay.end());
    }
    if (!decays.empty()) {
      const auto log = log_of(w_, decays, [&](const std::string& text) { return used(s, text); });
      if (!log) return {};
      channel = meets(log->axes, contracted_);
      if (channel && !covers(log->axes, contracted_)) return {};
      if (log->is_number)
        decay = fmt::format("constant({}, {}, (1, 1, 1, 1))", log->text, w_.like());
      else
        decay = operand(*log, channel ? contracted_ : std::vector<int>{}, true);
    }
    if (!at.empty()) options += fmt::format(", reads=\"{}\"", at);
    if (channel) options += ", pairs=channel_pairs";

    Tensor out;
    out.lead = Tensor::kTimes;
    out.rank = kAtom;
    out.axes = shared_;
    out.axes.insert(out.axes.end(), values_.begin(), values_.end());
    const auto shaped = [&](std::string text) {
      if (shared_.empty()) text += ".squeeze(2)";
      if (shared_.size() > 1) text += fmt::format(".unflatten(2, ({}))", w_.size_list(shared_));
      if (values_.empty()) text += ".squeeze(-1)";
      if (values_.size() > 1) text += fmt::format(".unflatten(-1, ({}))", w_.size_list(values_));
      Tensor made = out;
      made.text = std::move(text);
      return made;
    };

    if (form.steps.size() == 1 && !form.steps[0].write) {
      const auto added = outers(form.steps[0].added);
      if (!added || added->empty()) return {};
      std::optional<Tensor> sum;
      for (const Outer& outer : *added) {
        const auto [key, value] = std::pair(product_of(w_, outer.key), product_of(w_, outer.value));
        if (!covers(key.axes, contracted_) || !covers(value.axes, values_) || value.is_number) return {};
        if (!has_time({f, key, value})) return {};
        const Tensor one = shaped(fmt::format("linear_scan({}, {}, {}, {})", read, operand(key, contracted_),
                                              operand(value, values_), name_options()));
        sum = sum ? w_.binary("+", *sum, one) : one;
      }
      return sum;
    }

    std::vector<std::string> keys, rows, values;
    std::string more;
    for (const AffineStep& step : form.steps) {
      if (!step.write) return {};
      const Tensor key = product_of(w_, step.write->key), row = product_of(w_, step.write->row);
      if (!covers(key.axes, contracted_) || !covers(row.axes, contracted_) || !has_time({f, key, row}))
        return {};
      std::optional<Tensor> rest;
      for (const Factors& product : step.write->rest) {
        bool negative = false;
        Factors plain = product;
        for (Term& factor : plain) negative = negative != std::exchange(factor.negative, false);
        const Tensor part = product_of(w_, plain);
        rest = rest       ? w_.binary(negative ? "-" : "+", *rest, part)
               : negative ? product_of(w_, product)
                          : part;
      }
      if (rest && (!covers(rest->axes, values_) || rest->is_number)) return {};
      keys.push_back(operand(key, contracted_));
      rows.push_back(operand(row, contracted_));
      values.push_back(rest ? operand(*rest, values_) : "None");
      const auto added = outers(step.added);
      if (!added || added->size() > 1 || (!added->empty() && form.steps.size() > 1)) return {};
      if (!added->empty()) {
        const auto [k, v] = std::pair(product_of(w_, (*added)[0].key), product_of(w_, (*added)[0].value));
        if (!covers(k.axes, contracted_) || !covers(v.axes, values_) || v.is_number) return {};
        more = fmt::format(", more=({}, {})", operand(k, contracted_), operand(v, values_));
      }
      if (!step.write->decayed) {
        if (form.steps.size() > 1) return {};
        options += ", rows=\"before\"";
      }
      if (!rest && (form.steps.size() > 1 || added->empty())) return {};
    }
    if (form.steps.size() == 1)
      return shaped(fmt::format("delta_scan({}, {}, {}, {}, {}{})", read, keys[0], rows[0], values[0],
                                name_options(), more));
    if (!at.empty()) return {};
    return shaped(fmt::format("delta_steps({}, [{}], [{}], [{}], {})", read, fmt::join(keys, ", "),
                              fmt::join(rows, ", "), fmt::join(values, ", "), name_options()));
  }

  // Returns true if a text is a name, and a summand of a step reads that name.
  bool used(std::size_t s, const std::string& name) {
    if (identifiers(name) != std::set<std::string>{name}) return false;
    const auto in = [&](const Tensor& x) { return identifiers(x.text).contains(name); };
    for (const AffineStep& step : forms_[s].steps)
      for (const Term& term : step.added)
        for (const Factors& product : expand(term))
          for (const Term& f : product)
            if (in(f.value)) return true;
    return false;
  }

  Writer& w_;
  AtOnce& scan_;
  std::vector<Line> lines_, written_;
  const std::set<std::string>& later_;
  std::vector<StateForm> forms_;
  std::vector<DependsOnState> depends_;
  std::vector<int> contracted_, values_, shared_;  // axes of the state being written
};

}  // namespace

bool Writer::run_at_once(const Stmt& stmt) {
  if (!lang::differentiated_names(stmt.body).empty()) return false;
  std::vector<std::vector<int>> axes;
  for (std::size_t i = 0; i < stmt.names.size(); ++i) axes.push_back(state_axes(stmt, i));
  const auto declared = axes;
  if (run_at_once(stmt, axes)) return true;
  // A step may give a state its axes in another order. What reads the state is then written for that order.
  return axes != declared && run_at_once(stmt, axes);
}

bool Writer::run_at_once(const Stmt& stmt, std::vector<std::vector<int>>& axes) {
  Snapshot before(*this);
  AtOnce scan;
  const std::size_t first_state = frame().names.size(), first_line = scope().lines.size();
  const std::vector<Stmt>& block = *block_;
  const std::size_t statement = statement_;
  for (std::size_t i = 0; i < stmt.names.size() && !failed(); ++i) {
    frame().label = stmt.names[i];
    AtOnce::State state;
    state.axes = axes[i];
    state.first = numeric(tensor(eval(stmt.values[i])));
    scan.states.push_back(std::move(state));
  }
  at_once_ = &scan;
  inside_at_once_ = true;
  ++frame().looping;
  for (std::size_t i = 0; i < stmt.names.size(); ++i) {
    Value v;
    v.kind = Value::Kind::kTensor;
    v.tensor.lead = Tensor::kTimes;
    v.tensor.axes = scan.states[i].axes;
    v.tensor.text = scan.states[i].symbol = frame().root->fresh(stmt.names[i] + "_before");
    v.tensor = with_made(v.tensor, "state", {});
    bind(stmt.names[i], v);
    frame().names.back().may_rebind = true;
  }
  if (!failed()) run_block(stmt.body);
  bool done = !failed(), has_order = true;
  for (std::size_t i = 0; i < stmt.names.size() && done; ++i) {
    const Tensor next = numeric(tensor(find(stmt.names[i])->value));
    const std::vector<int> given = axes[i];
    done = next.lead == Tensor::kTimes && scan.names.contains(next.text) &&
           std::is_permutation(next.axes.begin(), next.axes.end(), given.begin(), given.end());
    scan.states[i].next = next;
    if (done) axes[i] = next.axes;
    has_order = has_order && axes[i] == given;
  }
  done = done && has_order;
  if (done) {
    std::set<std::string> mentioned, later;
    for (std::size_t i = statement + 1; i < block.size(); ++i) collect_names(block[i], mentioned);
    for (std::size_t i = first_state; i < frame().names.size(); ++i) {
      const Binding& b = frame().names[i];
      const bool wanted = !b.family_key.empty() || mentioned.contains(std::string(b.name));
      if (!wanted || b.value.kind != Value::Kind::kTensor) continue;
      const Tensor& x = b.value.tensor;
      for (const std::string& word : identifiers(is_past(x) ? x.pairs->a.text : x.text)) later.insert(word);
    }
    const auto begin = scope().lines.begin() + static_cast<std::ptrdiff_t>(first_line);
    AllPositions writer(*this, scan, {begin, scope().lines.end()}, later);
    if (auto lines = writer.run()) {
      scope().lines.erase(scope().lines.begin() + static_cast<std::ptrdiff_t>(first_line),
                          scope().lines.end());
      for (Line& line : *lines) scope().lines.push_back(std::move(line));
    } else {
      done = false;
    }
  }
  at_once_ = nullptr;
  inside_at_once_ = false;
  if (!done) {
    before.restore();
    return false;
  }
  --frame().looping;
  for (std::size_t i = first_state; i < frame().names.size(); ++i) {
    frame().names[i].may_rebind = false;
    frame().names[i].value.tensor.made = nullptr;
  }
  return true;
}

// ---- Step by step ----

namespace {

struct Step {
  Scope scope;
  std::string name;
  std::vector<std::string> states, nexts, firsts, targets;
  std::map<std::string, std::string> outputs;  // of a target: the expression in the step
  bool gradients = false;
  std::string documents, like;
};

std::vector<std::string> render_step(const Step& step, const std::set<std::string>& read) {
  std::vector<std::string> wanted, values;
  for (const std::string& t : step.targets)
    if (read.contains(t)) {
      wanted.push_back(t);
      values.push_back(step.outputs.at(t));
    }
  std::vector<Line> lines = step.scope.lines;
  Line last;
  last.is_return = true;
  last.text = fmt::format("{}, {}", tuple_text(step.nexts, true), tuple_text(values, true));
  lines.push_back(last);
  std::set<std::string> inside;
  std::vector<std::string> body = render(lines, inside, 4);
  std::vector<std::string> names, passed;
  for (const auto& [name, text] : step.scope.sequences)
    if (inside.contains(name)) {
      names.push_back(name);
      passed.push_back(text);
    }
  if (names.empty()) {
    names.emplace_back("_");
    passed.push_back(step.like);
  }
  std::vector<std::string> out{""};
  if (step.gradients) out.emplace_back("@torch.enable_grad()");
  out.push_back(
      fmt::format("def {}({}, {}):", step.name, fmt::join(step.states, ", "), fmt::join(names, ", ")));
  out.insert(out.end(), body.begin(), body.end());
  out.emplace_back("");
  out.push_back(fmt::format("{} = scan({}, [{}], [{}], {})", tuple_text(wanted, true), step.name,
                            fmt::join(step.firsts, ", "), fmt::join(passed, ", "), step.documents));
  return out;
}

}  // namespace

void Writer::run_steps(const Stmt& stmt) {
  auto step = std::make_shared<Step>();
  std::vector<std::vector<int>> all_axes;
  const std::size_t first_state = frame().names.size();
  for (std::size_t i = 0; i < stmt.names.size(); ++i) {
    frame().label = stmt.names[i];
    std::vector<int> axes = state_axes(stmt, i);
    const Value init = eval(stmt.values[i]);
    if (failed()) return;
    if (init.kind == Value::Kind::kTensor) {
      const Tensor x = numeric(init.tensor);
      std::string text = aligned(x, Tensor::kNone, axes, kAtom);
      if (x.axes.size() < axes.size()) text += fmt::format(".expand({})", size_list(axes));
      step->firsts.push_back(text);
    } else {
      const Number n = as_number(init);
      const std::string sizes = size_list(axes);
      step->firsts.push_back(n.value == 0
                                 ? fmt::format("{}.new_zeros({})", like(), sizes.empty() ? "()" : sizes)
                                 : fmt::format("constant({}, {}, ({}{}))", n.code.text, like(), sizes,
                                               axes.size() == 1 ? "," : ""));
    }
    all_axes.push_back(std::move(axes));
  }
  step->documents = documents();
  step->like = like();
  step->name = frame().root->fresh("step");
  step->scope.kind = Scope::Kind::kStep;
  step->scope.outer = &scope();
  Scope& outer = scope();
  frame().scope = &step->scope;
  ++frame().looping;
  const auto saved = std::exchange(differentiated_, {});
  for (const std::string& name : lang::differentiated_names(stmt.body)) differentiated_.insert(name);
  step->gradients = !differentiated_.empty();
  for (std::size_t i = 0; i < stmt.names.size(); ++i) {
    Value v;
    v.kind = Value::Kind::kTensor;
    v.tensor.lead = Tensor::kBatch;
    v.tensor.axes = all_axes[i];
    v.tensor.text = python_of(stmt.names[i]);
    step->states.push_back(v.tensor.text);
    bind(stmt.names[i], assigned(stmt.names[i], v));
    frame().names.back().may_rebind = true;
  }
  run_block(stmt.body);
  const auto batched = [&](const Tensor& x, const std::string& text) {
    return x.lead == Tensor::kBatch ? text
                                    : fmt::format("{0}.expand(len({1}), *{0}.shape)", text, step->states[0]);
  };
  for (std::size_t i = 0; i < stmt.names.size() && !failed(); ++i) {
    const Binding* b = find(stmt.names[i]);
    const Tensor next = use(numeric(tensor(b->value)));
    if (next.is_number) {
      poison(fmt::format("state {} of a scan becomes a plain number", stmt.names[i]));
      break;
    }
    step->nexts.push_back(batched(next, aligned(next, Tensor::kBatch, all_axes[i], kAtom)));
  }
  differentiated_ = saved;
  --frame().looping;
  frame().scope = &outer;
  if (failed()) return;
  for (std::size_t i = first_state; i < frame().names.size(); ++i) {
    Binding& b = frame().names[i];
    b.may_rebind = false;
    if (b.value.kind != Value::Kind::kTensor) continue;
    Tensor& x = b.value.tensor;
    if (x.lead == Tensor::kTimes) continue;
    const std::string text = x.text;
    if (!step->outputs.contains(text)) {
      step->targets.push_back(text);
      step->outputs[text] = batched(x, text);
      outer.names.insert(text);
    }
    x.lead = Tensor::kTimes;
  }
  Line line;
  line.targets = step->targets;
  line.step = &step->scope.lines;
  line.scan = [step](const std::set<std::string>& read) { return render_step(*step, read); };
  outer.lines.push_back(std::move(line));
}

}  // namespace gabbro::pytorch
