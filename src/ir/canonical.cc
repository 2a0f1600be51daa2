#include "ir/canonical.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "base/hash.h"
#include "ir/op.h"

namespace gabbro::ir {

namespace {

// Returns true if `v` is zero or a normal float32. Factors whose product is neither are not joined: training
// can compute with each of them, but not with their product.
bool is_zero_or_normal(double v) {
  return v == 0 || (std::abs(v) >= std::numeric_limits<float>::min() &&
                    std::abs(v) <= std::numeric_limits<float>::max());
}

constexpr int kRounds = 3;  // of the refinement of colours

// Identifies a node of the whole program. An argument bound to a value of the enclosing body is replaced by
// that value.
struct Ref {
  int body;
  NodeId id;
  friend bool operator==(const Ref&, const Ref&) = default;
};

// An operand, split into its constant factor and the rest.
struct Term {
  double factor;
  Ref ref;
  std::uint64_t code = 0;  // bits(factor)
};

// The normal form of a node: products and contractions become lists of factors, sums become lists of terms,
// and all other nodes stay as they are. The terms are terms_[first, first + count), unordered if `commutes`.
// All nodes share one list, because most have one or two terms.
struct NormalForm {
  double factor = 1;
  std::uint32_t first = 0, count = 0;
  bool commutes = false;
};

// Sorts stably. The lists are short, so insertion sort avoids the allocation of std::stable_sort.
template <class It, class Less>
void stable_sort_few(It first, It last, Less less) {
  if (last - first > 32) return std::stable_sort(first, last, less);
  for (It i = first; i != last; ++i)
    for (It j = i; j != first && less(*j, *(j - 1)); --j) std::swap(*j, *(j - 1));
}

// Returns the exact bits: constants that differ in the last bit are different. +0 and -0 are equal.
std::uint64_t bits(double v) { return std::bit_cast<std::uint64_t>(v + 0.0); }

class Canonicalizer {
 public:
  Canonicalizer(const Graph& graph, Sizes sizes) : g_(graph), concrete_(sizes == Sizes::kConcrete) {
    const std::size_t bodies = g_.bodies.size();
    scan_of_.assign(bodies, -1);
    for (std::size_t s = 0; s < g_.scans.size(); ++s) scan_of_[g_.scans[s].body] = static_cast<int>(s);
    base_.assign(bodies + 1, 0);
    for (std::size_t b = 0; b < bodies; ++b)
      base_[b + 1] = base_[b] + static_cast<int>(g_.bodies[b].nodes.size());
    uses_.assign(base_[bodies], 0);
    live_.assign(base_[bodies], false);
    forms_.resize(base_[bodies]);
    color_.assign(base_[bodies], 0);
    context_.assign(base_[bodies], 0);
    if (!concrete_)
      for (const Sym& s : g_.syms) sym_hash_.push_back(hash_of(s));
    for (const Axis& a : g_.axes)
      axis_base_.push_back(concrete_ ? mix(3, static_cast<std::uint64_t>(a.size)) : hash_of(a.sym));
    axis_color_ = axis_base_;
  }

  Hash128 run() {
    mark_live();
    for (const Ref r : order_) forms_[slot(r)] = normal_form(r);
    // The next value of a state comes later in the order, so its factor is known only now.
    for (const Ref r : order_)
      if (node(r).op == Op::kArg) forms_[slot(r)] = normal_form(r);
    for (Term& t : terms_) t.code = bits(t.factor);
    drop_absorbed();
    attributes_.resize(live_.size());
    for (const Ref r : order_) attributes_[slot(r)] = attributes(node(r));
    for (int round = 0; round < kRounds; ++round) {
      color_forward();
      color_backward();
    }
    std::string text = serialize();
    if (g_.width_bound && !concrete_) text += fmt::format(" D={}", g_.env.width);
    return hash128(text);
  }

 private:
  // Compares before hashing: few of the sizes differ, and writing the text of a formula is slow.
  std::uint64_t hash_of(const Sym& sym) {
    for (const auto& [known, hash] : known_syms_)
      if (*known == sym) return hash;
    return known_syms_.emplace_back(&sym, hash64(sym.key())).second;
  }

  // Returns the index of `r` in the lists that hold an entry per node of all bodies.
  [[nodiscard]] int slot(Ref r) const { return base_[r.body] + r.id; }
  [[nodiscard]] const Node& node(Ref r) const { return g_.bodies[r.body].nodes[r.id]; }

  // Returns the value that `r` is bound to if it is a sequence or an invariant of a scan, else `r`.
  [[nodiscard]] Ref resolved(Ref r) const {
    const Node* n = &node(r);
    if (n->op != Op::kArg || r.body == 0) return r;
    const Scan& scan = g_.scans[scan_of_[r.body]];
    std::size_t i = static_cast<std::size_t>(n->index);
    if (i < scan.inits.size()) return r;
    i -= scan.inits.size();
    if (i < scan.sequences.size()) return {0, scan.sequences[i]};
    return {0, scan.invariants[i - scan.sequences.size()]};
  }

  // Lists operands across bodies: a scan output reads the step's output, and a state reads its initial and
  // its next value.
  void operands(Ref r, std::vector<Ref>& out) const {
    out.clear();
    const Node& n = node(r);
    if (n.op == Op::kScanOut) {
      const Scan& scan = g_.scans[g_.bodies[r.body].nodes[n.in[0]].index];
      const auto& outputs = g_.bodies[scan.body].outputs;
      out.push_back(
          resolved({scan.body, n.index >= 0 ? outputs[scan.inits.size() + n.index] : outputs[-1 - n.index]}));
    } else if (n.op == Op::kArg) {
      const Scan& scan = g_.scans[scan_of_[r.body]];
      out.push_back({0, scan.inits[n.index]});
      out.push_back(resolved({r.body, g_.bodies[r.body].outputs[n.index]}));
    } else {
      for (NodeId in : n.in)
        if (in >= 0) out.push_back(resolved({r.body, in}));
    }
  }

  void mark_live() {
    std::vector<Ref> stack, ops;
    for (NodeId id : g_.bodies[0].outputs) stack.push_back({0, id});
    while (!stack.empty()) {
      const Ref r = stack.back();
      stack.pop_back();
      if (live_[slot(r)]) continue;
      live_[slot(r)] = true;
      order_.push_back(r);
      operands(r, ops);
      for (const Ref in : ops) {
        ++uses_[slot(in)];
        stack.push_back(in);
      }
    }
    // Visits nodes in program order: the model's nodes before a scan, then its step, so that operands come
    // before users.
    order_.clear();
    const auto add_live = [&](Ref r) {
      if (live_[slot(r)]) order_.push_back(r);
    };
    const auto& nodes = g_.bodies[0].nodes;
    for (NodeId id = 0; id < static_cast<NodeId>(nodes.size()); ++id) {
      if (nodes[id].op == Op::kScan) {
        const int body = g_.scans[nodes[id].index].body;
        for (NodeId step = 0; step < static_cast<NodeId>(g_.bodies[body].nodes.size()); ++step)
          add_live({body, step});
      }
      add_live({0, id});
    }
  }

  // Drops sums and products that were flattened into their only user.
  void drop_absorbed() {
    std::vector<bool> reached(live_.size(), false);
    std::vector<Ref> stack;
    for (NodeId id : g_.bodies[0].outputs) stack.push_back({0, id});
    while (!stack.empty()) {
      const Ref r = stack.back();
      stack.pop_back();
      if (reached[slot(r)]) continue;
      reached[slot(r)] = true;
      for (const Term& t : terms(forms_[slot(r)])) stack.push_back(t.ref);
    }
    std::erase_if(order_, [&](Ref r) { return !reached[slot(r)]; });
  }

  [[nodiscard]] bool is_product(const Node& n) const { return n.op == Op::kMul || n.op == Op::kDot; }

  // Returns true if a constant factor of the only operand can be moved to the result.
  [[nodiscard]] bool is_linear(Op op) const {
    return info(op).kind == Kind::kAxes || op == Op::kSum || op == Op::kShift || op == Op::kPast ||
           op == Op::kUnpast;
  }

  NormalForm normal_form(Ref r) {
    const Node& n = node(r);
    NormalForm form;
    form.first = static_cast<std::uint32_t>(terms_.size());
    if (n.op == Op::kAdd || is_product(n)) {
      form.commutes = true;
      std::vector<Ref>& todo = scratch_;
      todo.clear();
      const auto expand = [&](Ref from) {
        for (NodeId in : node(from).in)
          if (in >= 0) todo.push_back(resolved({from.body, in}));
      };
      expand(r);
      for (std::size_t next = 0; next < todo.size(); ++next) {
        const Ref leaf = todo[next];
        const Node& l = node(leaf);
        const bool same_kind = n.op == Op::kAdd ? l.op == Op::kAdd : l.op == Op::kMul;
        if (same_kind && uses_[slot(leaf)] == 1 && leaf.body == r.body) {
          expand(leaf);
        } else if (n.op != Op::kAdd && l.op == Op::kConst && (l.index < 0 || concrete_) &&
                   is_zero_or_normal(form.factor * l.value)) {
          form.factor *= l.value;
        } else {
          const double factor = forms_[slot(leaf)].factor;  // operands come first in order_
          if (n.op == Op::kAdd || !is_zero_or_normal(form.factor * factor)) {
            terms_.push_back({factor, leaf});
          } else {
            form.factor *= factor;
            terms_.push_back({1, leaf});
          }
        }
      }
    } else {
      operands(r, scratch_);
      for (const Ref in : scratch_) terms_.push_back({forms_[slot(in)].factor, in});
      if (is_linear(n.op)) form.factor = std::exchange(terms_[form.first].factor, 1.0);
    }
    form.count = static_cast<std::uint32_t>(terms_.size()) - form.first;
    return form;
  }

  std::span<Term> terms(const NormalForm& form) { return std::span(terms_).subspan(form.first, form.count); }

  [[nodiscard]] std::uint64_t attributes(const Node& n) const {
    const bool symbolic = !concrete_ && (n.op == Op::kSlice || n.op == Op::kPad) && n.index >= 0;
    std::uint64_t h = mix(static_cast<std::uint64_t>(n.op == Op::kDot ? Op::kMul : n.op),
                          symbolic ? sym_hash_[n.index] : static_cast<std::uint64_t>(n.amount));
    if (n.op == Op::kConst) return mix(h, n.index >= 0 && !concrete_ ? sym_hash_[n.index] : bits(n.value));
    if (n.op == Op::kPow) return mix(h, bits(n.value));
    if (n.op == Op::kInput) return mix(h, static_cast<std::uint64_t>(n.index));
    // A final state differs from a per-step value; which one it is follows from the operand.
    if (n.op == Op::kScanOut) return mix(h, n.index >= 0 ? 1 : 2);
    if (n.op == Op::kParam) {
      const Param& p = g_.params[n.index];
      // There are fewer than 8 kinds of initialisation.
      h = mix(h, static_cast<std::uint64_t>(p.role) * 8 + static_cast<std::uint64_t>(p.init.kind));
      // The learning rate, weight decay and initial standard deviation follow from the fan-in.
      if (concrete_) {
        std::uint64_t fan_in = 0;
        for (const AxisId axis : p.fan_in) fan_in += mix(4, axis_base_[axis]);
        h = mix(h, fan_in);
      }
      return mix(mix(h, bits(p.init.a)), bits(p.init.b));
    }
    return h;
  }

  // Returns true if the order of the axes that the op mentions matters.
  [[nodiscard]] bool has_ordered_axes(Op op) const {
    return op == Op::kRename || op == Op::kSplit || op == Op::kMerge || op == Op::kSlice || op == Op::kPad;
  }
  [[nodiscard]] const AxisList& mentioned_axes(Ref r) const {
    const Node& n = node(r);
    if (n.op == Op::kParam) return g_.params[n.index].axes;
    if (n.op == Op::kArg) return n.type.axes;
    return n.axes;
  }

  void color_forward() {
    for (const Ref r : order_) {
      const Node& n = node(r);
      const NormalForm& form = forms_[slot(r)];
      std::uint64_t h = attributes_[slot(r)], axes = 0;
      for (AxisId a : mentioned_axes(r))
        axes = has_ordered_axes(n.op) ? mix(axes, axis_color_[a]) : axes + mix(1, axis_color_[a]);
      h = mix(h, axes);
      std::uint64_t operands = 0;
      for (const Term& t : terms(form)) {
        const std::uint64_t c = mix(color_[slot(t.ref)], t.code);
        operands = form.commutes ? operands + mix(2, c) : mix(operands, c);
      }
      color_[slot(r)] = mix(mix(h, operands), context_[slot(r)]);
    }
  }

  void color_backward() {
    std::fill(context_.begin(), context_.end(), 0);
    std::vector<std::uint64_t> axis(axis_base_);
    for (const NodeId id : g_.bodies[0].outputs) context_[slot({0, id})] += 1;
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      const Node& n = node(*it);
      const NormalForm& form = forms_[slot(*it)];
      const std::uint64_t here = mix(color_[slot(*it)], context_[slot(*it)]);
      std::uint64_t position = 0;
      for (const Term& t : terms(form)) context_[slot(t.ref)] += mix(here, form.commutes ? 0 : ++position);
      const AxisList& axes = mentioned_axes(*it);
      for (int i = 0; i < axes.size(); ++i)
        axis[axes[i]] += mix(here, has_ordered_axes(n.op) ? static_cast<std::uint64_t>(i) + 1 : 0);
    }
    axis_color_ = std::move(axis);
  }

  [[nodiscard]] std::uint64_t final_color(Ref r) const { return mix(color_[slot(r)], context_[slot(r)]); }

  // Numbers nodes, axes and parameters in pre-order from the outputs, then writes every node with the numbers
  // of its operands.
  std::string serialize() {
    std::vector<int> number(live_.size(), -1);
    std::vector<int> axis_number(g_.axes.size(), -1);
    std::vector<Ref> visit, stack;
    for (auto it = g_.bodies[0].outputs.rbegin(); it != g_.bodies[0].outputs.rend(); ++it)
      stack.push_back({0, *it});
    int next_axis = 0;
    const auto number_axes = [&](Ref r) {
      AxisList axes = mentioned_axes(r);
      if (!has_ordered_axes(node(r).op))
        stable_sort_few(axes.begin(), axes.end(),
                        [&](AxisId a, AxisId b) { return axis_color_[a] < axis_color_[b]; });
      for (AxisId a : axes)
        if (axis_number[a] < 0) axis_number[a] = next_axis++;
    };
    while (!stack.empty()) {
      const Ref r = stack.back();
      stack.pop_back();
      if (number[slot(r)] >= 0) continue;
      number[slot(r)] = static_cast<int>(visit.size());
      visit.push_back(r);
      number_axes(r);
      const std::span<Term> own = terms(forms_[slot(r)]);
      if (forms_[slot(r)].commutes)
        stable_sort_few(own.begin(), own.end(), [&](const Term& a, const Term& b) {
          return std::pair(final_color(a.ref), a.code) < std::pair(final_color(b.ref), b.code);
        });
      for (auto it = own.rbegin(); it != own.rend(); ++it) stack.push_back(it->ref);
    }

    std::string out;
    out.reserve(visit.size() * 48);
    const auto word = [&](std::uint64_t v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); };
    for (NodeId id : g_.bodies[0].outputs) {
      word(static_cast<std::uint64_t>(number[slot({0, id})]));
      word(bits(forms_[slot({0, id})].factor));
    }
    std::vector<int> axes;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> operands;
    for (const Ref r : visit) {
      const NormalForm& form = forms_[slot(r)];
      word(attributes_[slot(r)]);
      axes.clear();
      operands.clear();
      for (AxisId a : mentioned_axes(r)) axes.push_back(axis_number[a]);
      if (!has_ordered_axes(node(r).op)) std::sort(axes.begin(), axes.end());
      word(axes.size());
      for (int a : axes) word(static_cast<std::uint64_t>(a));
      word(form.count);
      for (const Term& t : terms(form)) operands.emplace_back(number[slot(t.ref)], t.code);
      if (form.commutes) std::sort(operands.begin(), operands.end());
      for (const auto& [n, f] : operands) word(n), word(f);
    }
    // Writes sizes by canonical axis number.
    std::vector<std::uint64_t> sizes(next_axis);
    for (std::size_t a = 0; a < axis_number.size(); ++a)
      if (axis_number[a] >= 0) sizes[axis_number[a]] = axis_base_[a];
    for (std::uint64_t s : sizes) word(s);
    return out;
  }

  const Graph& g_;
  const bool concrete_;
  std::vector<int> scan_of_;  // for each body, the scan whose step it is, or -1
  std::vector<int> base_;     // for each body, the slot of its first node
  std::vector<int> uses_;
  std::vector<bool> live_;
  std::vector<Ref> order_;
  std::vector<NormalForm> forms_;
  std::vector<Term> terms_;
  std::vector<Ref> scratch_;  // reused, to avoid allocations
  std::vector<std::pair<const Sym*, std::uint64_t>> known_syms_;
  // Hashes. By slot: a node's own attributes, its colour from its operands, and the colours of its users.
  std::vector<std::uint64_t> attributes_, color_, context_;
  // By index in Graph::syms and Graph::axes: the formula, the size, and the size with the users of the axis.
  // The small constants that `mix` receives first tell these kinds of values apart.
  std::vector<std::uint64_t> sym_hash_, axis_base_, axis_color_;
};

}  // namespace

Hash128 structural_hash(const Graph& graph, Sizes sizes) { return Canonicalizer(graph, sizes).run(); }

std::string built_hash(const Graph& graph) {
  std::string text;
  const auto put = [&](const AxisList& axes) {
    for (const AxisId a : axes) text += fmt::format("{}:{},", static_cast<int>(a), graph.axes[a].size);
  };
  for (const Param& p : graph.params) {
    text += p.name + " ";
    put(p.axes);
    text += '\n';
  }
  for (const Body& body : graph.bodies) {
    for (const Node& n : body.nodes) {
      text += fmt::format("{} {} {} {} {} {} {:x} ", static_cast<int>(n.op), n.in[0], n.in[1], n.in[2],
                          n.index, n.amount, std::bit_cast<std::uint64_t>(n.value));
      put(n.axes);
      text += '\n';
    }
    text += "body\n";
  }
  return fmt::format("{:016x}", hash64(text));
}

}  // namespace gabbro::ir
