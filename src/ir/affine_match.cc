#include "ir/affine_match.h"

#include <algorithm>

namespace gabbro::ir::affine {

NodeId times(Builder& b, NodeId x, NodeId y) {
  if (x == kNone) return y;
  return y == kNone ? x : b.times(x, y);
}

NodeId with_axes(Builder& b, NodeId x, const AxisList& axes) {
  if (x == kNone) x = b.constant(1);
  Type type = b.type(x);
  for (AxisId axis : axes) type.add(axis);
  return b.fit(x, type);
}

NodeId contract(Builder& b, NodeId x, NodeId y, const AxisList& axes) {
  AxisList missing;
  for (AxisId axis : axes)
    if ((x == kNone || !b.type(x).has(axis)) && (y == kNone || !b.type(y).has(axis))) missing.push_back(axis);
  if (!missing.empty() || x == kNone) x = with_axes(b, x, missing);
  return b.dot(x, y == kNone ? b.constant(1) : y, axes);
}

namespace {

bool has_any(const Type& type, const AxisList& axes) {
  return std::any_of(axes.begin(), axes.end(), [&](AxisId axis) { return type.has(axis); });
}

// A step node expressed in terms of the state S before the step.
struct StateForm {
  enum class Kind {
    kUnknown,  // it depends on another state that is not known yet
    kKnown,    // its values at all positions are known
    kState,    // it is an affine function of S, with the axes of S
    kRead,     // it is a contraction of S
    kLate      // it depends on S in another way
  } kind = Kind::kUnknown;
  NodeId value = kNone;     // kKnown
  bool keeps = false;       // kState: true if it contains a multiple of S
  Update update;            // kState
  Read read;                // kRead
  bool only_after = false;  // kRead: true if only the state after the step gives it
};

class Matcher {
 public:
  Matcher(Builder& b, const Graph& graph, const Scan& scan, int state, const std::vector<NodeId>& known)
      : b_(b),
        step_(graph.bodies[scan.body]),
        states_(scan.inits.size()),
        state_(state),
        known_(known),
        live_(live_nodes(graph, scan.body, step_.outputs)) {}

  Match run() {
    if (!find_axes()) return refused("it is read by no contraction");
    const AxisList values = values_;
    for (;;) {
      newly_shared_ = {};
      is_outer_ = false;
      Match out = attempt();
      if (newly_shared_.empty() && !(is_outer_ && !out.refused.empty())) return out;
      // The form exp(rate slope) failed; try without it.
      if (newly_shared_.empty()) {
        try_outer_ = false;
        values_ = values;
      }
      for (AxisId axis : newly_shared_) values_.erase(values_.find(axis));
    }
  }

 private:
  using Kind = StateForm::Kind;

  [[nodiscard]] Match refused(std::string why) const {
    Match out;
    out.refused = std::move(why);
    return out;
  }
  [[nodiscard]] bool is_state(NodeId id) const {
    return step_.nodes[id].op == Op::kArg && step_.nodes[id].index == state_;
  }

  // Takes the contracted axes from the first contraction of a sum of multiples of the state. Returns false if
  // there is none, or if it is also over an axis that the state lacks.
  bool find_axes() {
    std::vector<bool> linear(step_.nodes.size(), false);
    for (std::size_t id = 0; id < step_.nodes.size(); ++id) {
      const Node& n = step_.nodes[id];
      if (is_state(static_cast<NodeId>(id))) {
        type_ = n.type;
        linear[id] = true;
      }
      const bool any = (n.in[0] >= 0 && linear[n.in[0]]) || (n.in[1] >= 0 && linear[n.in[1]]);
      if (n.op == Op::kAdd || n.op == Op::kMul) linear[id] = any;
      if (!live_[id] || !any || (n.op != Op::kDot && n.op != Op::kSum)) continue;
      for (AxisId axis : n.axes)
        if (!type_.has(axis)) return false;
      contracted_ = n.axes;
      for (AxisId axis : type_.axes)
        if (!contracted_.contains(axis)) values_.push_back(axis);
      return true;
    }
    return false;
  }

  Match attempt() {
    forms_.assign(step_.nodes.size(), {});
    Match out;
    for (NodeId id = 0; id < static_cast<NodeId>(forms_.size()); ++id) {
      if (!live_[id]) continue;
      forms_[id] = form(id);
      if (!newly_shared_.empty()) return out;
      if (forms_[id].kind != Kind::kLate && forms_[id].kind != Kind::kUnknown) continue;
      for (NodeId in : step_.nodes[id].in) {
        if (in < 0) continue;
        if (forms_[in].kind == Kind::kState && forms_[id].kind == Kind::kUnknown) out.waits = true;
        if (forms_[in].kind == Kind::kState) out.refused = "it is read other than by one contraction";
        if (forms_[in].kind == Kind::kRead) add_read(out, in);
      }
    }
    for (std::size_t i = states_; i < step_.outputs.size(); ++i) {
      const NodeId id = step_.outputs[i];
      if (forms_[id].kind == Kind::kRead) add_read(out, id);
      if (forms_[id].kind == Kind::kState) out.refused = "the state itself leaves the step";
    }
    const StateForm& next = forms_[step_.outputs[static_cast<std::size_t>(state_)]];
    if (next.kind != Kind::kState || !next.keeps) {
      out.refused = "its update is not affine in it";
      out.waits = out.waits || next.kind == Kind::kUnknown;
    }
    out.contracted = contracted_;
    out.values = values_;
    out.update = next.update;
    return out;
  }

  void add_read(Match& out, NodeId id) {
    for (const Read& r : out.reads)
      if (r.node == id) return;
    out.reads.push_back(forms_[id].read);
    out.reads.back().node = id;
  }

  StateForm form(NodeId id) {
    if (known_[id] >= 0) return {.kind = Kind::kKnown, .value = known_[id]};
    if (is_state(id)) return {.kind = Kind::kState, .keeps = true};
    const Node& n = step_.nodes[id];
    if (n.op == Op::kArg) return {};
    for (NodeId in : n.in)
      if (in >= 0 && forms_[in].kind == Kind::kUnknown) return {};
    const std::optional<StateForm> out = linear(n);
    if (!out) return {.kind = Kind::kLate};
    // A multiple of the state keeps its axes; a node with other axes does not match.
    if (out->kind == Kind::kState && n.type != type_) return {.kind = Kind::kLate};
    // So does a reading with an axis that the state lacks, as of several queries of one state.
    if (out->kind == Kind::kRead &&
        std::any_of(n.type.axes.begin(), n.type.axes.end(), [&](AxisId axis) { return !type_.has(axis); }))
      return {.kind = Kind::kLate};
    return *out;
  }

  std::optional<StateForm> linear(const Node& n) {
    const StateForm* x = n.in[0] >= 0 ? &forms_[n.in[0]] : nullptr;
    const StateForm* y = n.in[1] >= 0 ? &forms_[n.in[1]] : nullptr;
    if (x && y && x->kind == Kind::kKnown) std::swap(x, y);
    const bool known_y = y && y->kind == Kind::kKnown;
    switch (n.op) {
      case Op::kSum:
        return x->kind == Kind::kState ? contraction(*x, kNone, n.axes, is_next(n.in[0])) : std::nullopt;
      case Op::kDot:
        return x->kind == Kind::kState && known_y
                   ? contraction(*x, y->value, n.axes, is_next(n.in[0]) || is_next(n.in[1]))
                   : std::nullopt;
      case Op::kMul:
        if (!known_y) return std::nullopt;
        if (x->kind == Kind::kState) return scaled(*x, y->value);
        if (x->kind == Kind::kRead) return scaled_read(*x, y->value);
        return std::nullopt;
      case Op::kAdd:
        if (x->kind == Kind::kState) return known_y ? plus(*x, y->value) : plus(*x, *y);
        if (x->kind == Kind::kRead) return known_y ? plus_read(*x, y->value) : plus_read(*x, *y);
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }

  // ---- Multiples of the state ----

  std::optional<StateForm> scaled(StateForm x, NodeId f) {
    if (x.update.is_outer()) return std::nullopt;
    const Type type = b_.type(f);
    const bool on_values = has_any(type, values_), on_contracted = has_any(type, contracted_);
    if (on_values && on_contracted) {
      if (auto decayed = outer(x, f)) return decayed;
      const Node n = b_.node(f);
      if (n.op != Op::kMul) return share_axes(type);
      const auto first = scaled(std::move(x), n.in[0]);
      return first ? scaled(*first, n.in[1]) : std::nullopt;
    }
    if (on_values && !x.update.ranks.empty()) return share_axes(type);
    const auto part = [&](Product& p) -> NodeId& { return on_values ? p.v : p.k; };
    if (x.keeps) part(x.update.decay) = times(b_, part(x.update.decay), f);
    for (Rank& r : x.update.ranks) r.p = times(b_, r.p, f);
    for (Product& p : x.update.added) part(p) = times(b_, part(p), f);
    return x;
  }

  // Returns f S with f = exp(rate slope), if f depends on all value axes. If some value axes are missing, the
  // decay is matched with shared axes instead.
  std::optional<StateForm> outer(StateForm x, NodeId f) {
    const Update& a = x.update;
    const bool is_state_itself =
        x.keeps && a.decay.k == kNone && a.decay.v == kNone && a.ranks.empty() && a.added.empty();
    for (AxisId axis : values_)
      if (!b_.type(f).has(axis)) return std::nullopt;
    while (b_.node(f).op == Op::kBroadcast) f = b_.node(f).in[0];
    if (!try_outer_ || !is_state_itself || b_.node(f).op != Op::kExp) return std::nullopt;
    std::vector<NodeId> rates, slopes;
    if (!split(b_.node(f).in[0], rates, slopes)) return std::nullopt;
    for (const NodeId rate : rates) x.update.rate = times(b_, x.update.rate, rate);
    for (const NodeId slope : slopes) x.update.slope = times(b_, x.update.slope, slope);
    is_outer_ = x.update.is_outer();
    return x;
  }
  // Splits g into its factors: `slopes` are the same at all positions, and `rates` have no contracted axes.
  // Returns false if a factor is neither.
  bool split(NodeId g, std::vector<NodeId>& rates, std::vector<NodeId>& slopes) {
    const Node n = b_.node(g);
    if (!n.type.time()) return slopes.push_back(g), true;
    if (!has_any(n.type, contracted_)) return rates.push_back(g), true;
    if (n.op == Op::kBroadcast) return split(n.in[0], rates, slopes);
    return n.op == Op::kMul && split(n.in[0], rates, slopes) && split(n.in[1], rates, slopes);
  }

  std::optional<StateForm> plus(StateForm x, NodeId f) {
    const auto terms = products(f);
    if (!terms) return std::nullopt;
    for (const Product& p : *terms) x.update.added.push_back(p);
    return x;
  }

  std::optional<StateForm> plus(StateForm x, const StateForm& y) {
    if (y.kind != Kind::kState) return std::nullopt;
    if ((x.update.is_outer() && (y.keeps || !y.update.ranks.empty())) ||
        (y.update.is_outer() && (x.keeps || !x.update.ranks.empty())))
      return std::nullopt;
    if (x.keeps && y.keeps) {
      for (const NodeId v : {x.update.decay.v, y.update.decay.v})
        if (v != kNone) return share_axes(b_.type(v));
      const auto or_one = [&](NodeId id) { return id == kNone ? b_.constant(1) : id; };
      x.update.decay.k = b_.plus(or_one(x.update.decay.k), or_one(y.update.decay.k));
    } else if (y.keeps) {
      x.update.decay = y.update.decay;
      x.update.rate = y.update.rate;
      x.update.slope = y.update.slope;
    }
    x.keeps = x.keeps || y.keeps;
    for (const Rank& r : y.update.ranks) x.update.ranks.push_back(r);
    for (const Product& p : y.update.added) x.update.added.push_back(p);
    if (!x.update.ranks.empty() && x.update.decay.v != kNone) return share_axes(b_.type(x.update.decay.v));
    return x;
  }

  // Returns f as a sum of products of a value without value axes and a value without contracted axes.
  std::optional<std::vector<Product>> products(NodeId f) {
    const Type type = b_.type(f);
    if (!has_any(type, values_)) return std::vector<Product>{{f, kNone}};
    if (!has_any(type, contracted_)) return std::vector<Product>{{kNone, f}};
    const Node n = b_.node(f);
    if (n.op == Op::kBroadcast) return products(n.in[0]);
    if (n.op != Op::kMul && n.op != Op::kAdd) return share_axes(type), std::nullopt;
    auto x = products(n.in[0]), y = products(n.in[1]);
    if (!x || !y) return std::nullopt;
    if (n.op == Op::kAdd) {
      x->insert(x->end(), y->begin(), y->end());
      return x;
    }
    std::vector<Product> out;
    for (const Product& a : *x)
      for (const Product& c : *y) out.push_back({times(b_, a.k, c.k), times(b_, a.v, c.v)});
    return out;
  }

  // ---- Contractions of the state ----

  [[nodiscard]] bool is_next(NodeId id) const {
    return id == step_.outputs[static_cast<std::size_t>(state_)];
  }

  std::optional<StateForm> contraction(const StateForm& x, NodeId f, const AxisList& over, bool reads_next) {
    if (!(over == contracted_)) return std::nullopt;
    if (f != kNone && has_any(b_.type(f), values_)) return share_axes(b_.type(f));
    StateForm out{.kind = Kind::kRead};
    // With a decay per element of the state, only the state after the step can be read.
    if (x.update.is_outer()) {
      if (!reads_next) return std::nullopt;
      out.read.row = out.read.after = with_axes(b_, f, contracted_);
      out.only_after = true;
      return out;
    }
    if (x.keeps) {
      out.read.row = with_axes(b_, times(b_, f, x.update.decay.k), contracted_);
      out.read.scale = x.update.decay.v;
    }
    for (const Rank& r : x.update.ranks) {
      const NodeId part = b_.times(contract(b_, f, r.p, contracted_), r.c);
      out.read.row = out.read.row == kNone ? part : b_.plus(out.read.row, part);
    }
    for (const Product& p : x.update.added) {
      const NodeId part = times(b_, contract(b_, f, p.k, contracted_), p.v);
      out.read.rest = out.read.rest == kNone ? part : b_.plus(out.read.rest, part);
    }
    if (out.read.row == kNone) return std::nullopt;
    if (reads_next) out.read.after = with_axes(b_, f, contracted_);
    return out;
  }

  std::optional<StateForm> scaled_read(const StateForm& x, NodeId f) {
    const Type type = b_.type(f);
    if (has_any(type, values_)) return std::nullopt;
    if (!has_any(type, contracted_)) {
      StateForm out = x;
      out.read.row = b_.times(x.read.row, f);
      for (NodeId* part : {&out.read.rest, &out.read.after, &out.read.after_rest})
        if (*part != kNone) *part = b_.times(*part, f);
      return out;
    }
    if (x.only_after) return std::nullopt;
    if (x.read.scale != kNone) return share_axes(b_.type(x.read.scale));
    StateForm out{.kind = Kind::kState};
    out.update.ranks.push_back({f, x.read.row});
    if (x.read.rest != kNone) {
      const auto rest = products(x.read.rest);
      if (!rest) return std::nullopt;
      for (const Product& p : *rest) out.update.added.push_back({times(b_, f, p.k), p.v});
    }
    return out;
  }

  std::optional<StateForm> plus_read(StateForm x, NodeId f) {
    if (has_any(b_.type(f), contracted_)) return std::nullopt;
    x.read.rest = plus_or(x.read.rest, f);
    if (x.read.after != kNone) x.read.after_rest = plus_or(x.read.after_rest, f);
    return x;
  }

  std::optional<StateForm> plus_read(StateForm x, const StateForm& y) {
    if (y.kind != Kind::kRead || x.read.scale != y.read.scale || x.only_after != y.only_after)
      return std::nullopt;
    x.read.row = b_.plus(x.read.row, y.read.row);
    x.read.rest = plus_or(x.read.rest, y.read.rest);
    if (x.read.after == kNone || y.read.after == kNone) {
      x.read.after = x.read.after_rest = kNone;
    } else {
      x.read.after = b_.plus(x.read.after, y.read.after);
      x.read.after_rest = plus_or(x.read.after_rest, y.read.after_rest);
    }
    return x;
  }

  NodeId plus_or(NodeId x, NodeId y) { return x == kNone ? y : y == kNone ? x : b_.plus(x, y); }

  // Turns value axes on which a coefficient depends into shared axes at the next attempt.
  std::nullopt_t share_axes(const Type& type) {
    for (AxisId axis : type.axes)
      if (values_.contains(axis) && !newly_shared_.contains(axis)) newly_shared_.push_back(axis);
    return std::nullopt;
  }

  Builder& b_;
  bool try_outer_ = true;  // a decay may be matched as exp(rate slope)
  bool is_outer_ = false;  // one was, in this attempt
  const Body& step_;
  std::size_t states_;  // number of states of the scan
  int state_;           // index of the state S
  const std::vector<NodeId>& known_;
  std::vector<bool> live_;
  Type type_;
  AxisList contracted_, values_, newly_shared_;
  std::vector<StateForm> forms_;
};

}  // namespace

Match match_state(Builder& b, const Graph& graph, const Scan& scan, int state,
                  const std::vector<NodeId>& known) {
  return Matcher(b, graph, scan, state, known).run();
}

std::optional<Diagonal> match_diagonal(Builder& b, const Graph& graph, const Scan& scan, int state,
                                       const std::vector<NodeId>& known) {
  const Body& step = graph.bodies[scan.body];
  // The form of each step node, or nothing if the node is not known to have this form.
  std::vector<std::optional<Diagonal>> forms(step.nodes.size());
  for (std::size_t id = 0; id < forms.size(); ++id) {
    const Node& n = step.nodes[id];
    if (n.op == Op::kArg && n.index == state) forms[id] = Diagonal{};
    if (n.op != Op::kAdd && n.op != Op::kMul) continue;
    NodeId x = n.in[0], y = n.in[1];
    if (!forms[x]) std::swap(x, y);
    if (!forms[x]) continue;
    Diagonal out = *forms[x];
    if (known[y] >= 0 && n.op == Op::kAdd) {
      out.added = out.added == kNone ? known[y] : b.plus(out.added, known[y]);
    } else if (known[y] >= 0) {
      out.factor = times(b, out.factor, known[y]);
      if (out.added != kNone) out.added = b.times(out.added, known[y]);
    } else if (n.op == Op::kAdd && forms[y]) {
      const auto or_one = [&](NodeId f) { return f == kNone ? b.constant(1) : f; };
      out.factor = b.plus(or_one(out.factor), or_one(forms[y]->factor));
      if (forms[y]->added != kNone)
        out.added = out.added == kNone ? forms[y]->added : b.plus(out.added, forms[y]->added);
    } else {
      continue;
    }
    forms[id] = out;
  }
  return forms[static_cast<std::size_t>(step.outputs[static_cast<std::size_t>(state)])];
}

}  // namespace gabbro::ir::affine
