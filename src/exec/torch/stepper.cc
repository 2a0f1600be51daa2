#include "exec/torch/stepper.h"

#include <c10/core/InferenceMode.h>

#include <deque>
#include <map>

#include "exec/torch/kernels.h"
#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// The nodes of a body as kernels without a sequence see them, with their values.
struct Nodes {
  std::vector<Node> nodes;
  std::vector<Form> forms;
  std::vector<at::Tensor> values;
  std::vector<NodeId> fixed, varying;  // live ones; fixed ones have the same value at every step
};

at::Tensor compute(const ir::Graph& graph, const Nodes& b, NodeId id, at::TensorOptions options) {
  const Node& node = b.nodes[id];
  Call call{.graph = graph, .node = node, .options = options};
  call.form = b.forms[id];
  for (int i = 0; i < 3 && node.in[i] >= 0; ++i) {
    call.in[i] = b.values[node.in[i]];
    call.forms[i] = b.forms[node.in[i]];
    const bool index = (node.op == Op::kLookup || node.op == Op::kScatter) && i == 1;
    if (call.in[i].scalar_type() == at::kLong && !index) call.in[i] = call.in[i].to(options);
  }
  return run_kernel(call);
}

// The values of the positions that a `past` sees, in a ring once they are as many as its window. Their order
// means nothing: every reader reduces over them, and `lag` says which is which.
class Cache {
 public:
  /// `value` is [B, axes...]; the result [B, axes..., s]. `slot` and `count` as Window says.
  at::Tensor push(const at::Tensor& value, std::int64_t slot, std::int64_t count) {
    if (!rows_.defined() || rows_.size(1) < count || rows_.size(0) < value.size(0)) grow(value, count);
    std::vector<std::int64_t> sizes = value.sizes().vec();
    sizes[0] = rows_.size(0);
    rows_.select(1, slot).copy_(value.expand(sizes));
    return rows_.narrow(1, 0, count).movedim(1, -1);
  }

 private:
  void grow(const at::Tensor& value, std::int64_t count) {
    std::vector<std::int64_t> sizes = value.sizes().vec();
    const std::int64_t before = rows_.defined() ? rows_.size(1) : 0;
    sizes.insert(sizes.begin() + 1,
                 before >= count ? before : std::max<std::int64_t>(count, 2 * before + 16));
    const at::Tensor larger = at::zeros(sizes, value.options());
    if (before > 0) {
      at::Tensor part = larger.narrow(1, 0, before);
      part.copy_(rows_.expand_as(part));
    }
    rows_ = larger;
  }
  at::Tensor rows_;  // [B, capacity, axes...]
};

// The past positions of one window, as an axis of the step's own graph.
struct Window {
  AxisId axis = 0;
  std::int64_t size = 0, count = 0,
               slot = 0;  // of the window; seen so far, this position included; of this position

  void advance(std::int64_t position) {
    count = std::min(position + 1, size);
    slot = position % size;
  }
  /// [count]: the distance to the position in each slot.
  [[nodiscard]] at::Tensor lag(at::TensorOptions options) const {
    const at::Tensor behind = slot - at::arange(count, at::kLong);
    return at::where(behind.lt(0), behind + size, behind).to(options);
  }
};

// A scan as its state.
struct ScanState {
  const ir::Scan* scan = nullptr;
  Nodes body;
  std::vector<at::Tensor> states, outputs;
  bool started = false;
};

}  // namespace

struct Stepper::State {
  const ir::Graph& source;
  ir::Graph graph;  // of body 0 without time: past positions are axes whose extent grows
  std::vector<NodeId> wanted;
  std::vector<at::Tensor> params;
  at::TensorOptions options;
  Nodes model;
  std::map<std::int32_t, Window> windows;
  std::vector<Cache> caches;                      // by node
  std::vector<std::deque<at::Tensor>> shifted;    // by node
  std::vector<std::unique_ptr<ScanState>> scans;  // by node
  std::int64_t position = 0;

  State(const ir::Graph& g, std::span<const NodeId> w, std::span<const at::Tensor> p, Settings settings)
      : source(g), graph(g), wanted(w.begin(), w.end()), params(p.begin(), p.end()) {
    options = at::TensorOptions().dtype(settings.dtype);
    const std::vector<Node>& nodes = source.bodies[0].nodes;
    const std::vector<bool> live = ir::live_nodes(source, 0, wanted);
    model.nodes.resize(nodes.size());
    model.forms.resize(nodes.size());
    model.values.resize(nodes.size());
    caches.resize(nodes.size());
    shifted.resize(nodes.size());
    scans.resize(nodes.size());
    for (NodeId id = 0; id < static_cast<NodeId>(nodes.size()); ++id) {
      if (!live[id]) continue;
      model.nodes[id] = rewritten(nodes[id]);
      model.forms[id] = {nodes[id].type.time(), model.nodes[id].type.axes};
      const bool moves = nodes[id].type.time() || nodes[id].op == Op::kScan;
      (moves ? model.varying : model.fixed).push_back(id);
      if (nodes[id].op == Op::kScan) scans[id] = make_scan(nodes[id]);
    }
    for (const NodeId id : model.fixed) run(id, {}, {});
  }

  // Without time, and with the axis of its window for the past.
  Node rewritten(Node node) {
    std::int32_t size = node.type.window;
    for (const NodeId in : node.in)
      if (in >= 0) size = std::max(size, source.node(0, in).type.window);
    const auto replace = [&](const AxisList& axes) {
      AxisList out;
      for (const AxisId axis : axes)
        if (axis != ir::kTime) out.push_back(axis == ir::kPast ? window(size).axis : axis);
      return out;
    };
    ir::Type type;
    for (const AxisId axis : replace(node.type.axes)) type.add(axis);
    GABBRO_CHECK(node.op == Op::kBroadcast || !node.axes.contains(ir::kTime));
    node.type = type;
    node.axes = replace(node.axes);
    return node;
  }

  Window& window(std::int32_t size) {
    Window& w = windows[size];
    if (w.size == 0) w = {graph.add_axis("s", 1, ir::Sym(1.0)), size, 0, 0};
    return w;
  }

  std::unique_ptr<ScanState> make_scan(const Node& node) const {
    auto out = std::make_unique<ScanState>();
    const ir::Scan& scan = source.scans[node.index];
    const ir::Body& body = source.bodies[scan.body];
    GABBRO_CHECK(!scan.reverse);
    out->scan = &scan;
    out->states.resize(scan.inits.size());
    out->outputs.resize(body.outputs.size() - scan.inits.size());
    Nodes& b = out->body;
    b.nodes = body.nodes;
    b.forms.resize(body.nodes.size());
    b.values.resize(body.nodes.size());
    const std::vector<bool> live = ir::live_nodes(source, scan.body, body.outputs);
    const auto first_invariant = static_cast<int>(scan.inits.size() + scan.sequences.size());
    for (NodeId id = 0; id < static_cast<NodeId>(body.nodes.size()); ++id) {
      if (!live[id]) continue;
      const Node& n = body.nodes[id];
      GABBRO_CHECK(n.op != Op::kScan && !n.type.time());
      Form& form = b.forms[id];
      form.axes = n.type.axes;
      form.batch = n.op == Op::kArg && n.index < first_invariant;
      ir::for_each_operand(source, n, [&](NodeId in) { form.batch = form.batch || b.forms[in].batch; });
      (form.batch ? b.varying : b.fixed).push_back(id);
    }
    return out;
  }

  void run(NodeId id, const at::Tensor& tokens, std::span<const at::Tensor> inputs) {
    const Node& node = model.nodes[id];
    at::Tensor& value = model.values[id];
    switch (node.op) {
      case Op::kParam:
        value = params[static_cast<std::size_t>(node.index)];
        return;
      case Op::kTokens:
        value = tokens;
        return;
      case Op::kInput:
        value = inputs[static_cast<std::size_t>(node.index)];
        return;
      case Op::kPosition:
        value = at::full({1}, static_cast<double>(position), options);
        return;
      case Op::kLag:
        value = windows.at(source.node(0, id).type.window).lag(options).unsqueeze(0);
        return;
      case Op::kPast: {
        const Window& w = windows.at(source.node(0, id).type.window);
        const at::Tensor& x = model.values[node.in[0]];
        value = caches[id].push(x.scalar_type() == at::kLong ? x.to(options) : x, w.slot, w.count);
        return;
      }
      case Op::kShift:
        value = shift(id, node.amount);
        return;
      case Op::kScan:
        return run_scan(*scans[id]);
      case Op::kScanOut:
        GABBRO_CHECK(node.index >= 0);
        value = scans[node.in[0]]->outputs[static_cast<std::size_t>(node.index)];
        return;
      default:
        GABBRO_CHECK(node.op != Op::kUnpast);
        value = compute(graph, model, id, options);
    }
  }

  at::Tensor shift(NodeId id, std::int64_t distance) {
    const at::Tensor& x = model.values[model.nodes[id].in[0]];
    GABBRO_CHECK(distance >= 0);
    if (distance == 0) return x;
    std::deque<at::Tensor>& behind = shifted[id];
    const bool full = static_cast<std::int64_t>(behind.size()) == distance;
    const at::Tensor out = full ? behind.front() : at::zeros_like(x);
    if (full) behind.pop_front();
    behind.push_back(x);
    return out;
  }

  void run_scan(ScanState& s) {
    Nodes& b = s.body;
    const std::size_t states = s.states.size(), items = s.scan->sequences.size();
    const auto argument = [&](int index) -> at::Tensor {
      const auto i = static_cast<std::size_t>(index);
      if (i < states) return s.states[i];
      if (i < states + items) return model.values[s.scan->sequences[i - states]];
      return model.values[s.scan->invariants[i - states - items]];
    };
    const auto run_all = [&](const std::vector<NodeId>& ids) {
      for (const NodeId id : ids) {
        const Node& n = b.nodes[id];
        if (n.op == Op::kParam)
          b.values[id] = params[static_cast<std::size_t>(n.index)];
        else
          b.values[id] = n.op == Op::kArg ? argument(n.index) : compute(source, b, id, options);
      }
    };
    if (!s.started) {
      for (std::size_t i = 0; i < states; ++i) s.states[i] = model.values[s.scan->inits[i]].unsqueeze(0);
      run_all(b.fixed);
      s.started = true;
    }
    run_all(b.varying);
    const std::vector<NodeId>& results = source.bodies[s.scan->body].outputs;
    const auto result = [&](std::size_t i) {
      const at::Tensor& x = b.values[results[i]];
      return b.forms[results[i]].batch ? x : x.unsqueeze(0);
    };
    for (std::size_t i = 0; i < s.outputs.size(); ++i) s.outputs[i] = result(states + i);
    std::vector<at::Tensor> next;
    for (std::size_t i = 0; i < states; ++i) next.push_back(result(i));
    s.states = std::move(next);
  }
};

Stepper::Stepper(const ir::Graph& graph, std::span<const NodeId> wanted, std::span<const at::Tensor> params,
                 Settings settings) {
  const c10::InferenceMode no_autograd;
  state_ = std::make_unique<State>(graph, wanted, params, settings);
}
Stepper::~Stepper() = default;
Stepper::Stepper(Stepper&&) noexcept = default;

std::vector<at::Tensor> Stepper::step(const at::Tensor& tokens, std::span<const at::Tensor> inputs) {
  const c10::InferenceMode no_autograd;
  State& s = *state_;
  for (auto& [size, window] : s.windows) {
    window.advance(s.position);
    s.graph.axes[window.axis].size = window.count;
  }
  for (const NodeId id : s.model.varying) s.run(id, tokens, inputs);
  ++s.position;
  std::vector<at::Tensor> out;
  for (const NodeId id : s.wanted) out.push_back(s.model.values[id]);
  return out;
}

std::int64_t Stepper::position() const { return state_->position; }

}  // namespace gabbro::exec::torch
