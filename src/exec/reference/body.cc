#include "exec/reference/body.h"

#include <algorithm>

#include "exec/reference/scan.h"
#include "ir/op.h"

namespace gabbro::exec {

using ir::Node;
using ir::NodeId;
using ir::Op;

Frame Clock::frame(std::int32_t window) const {
  if (!stepping) return {t_begin, t_count, t_begin, t_count};
  const std::int64_t seen = std::min<std::int64_t>(t_begin + 1, window);
  return {t_begin, t_count, t_begin + 1 - seen, seen};
}

void BodyRun::History::push(const std::vector<double>& row, std::int64_t keep) {
  rows.insert(rows.end(), row.begin(), row.end());
  if (++count <= keep) return;
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(row.size()));
  --count;
}

BodyRun::BodyRun(const ir::Graph& graph, int body, std::span<const NodeId> wanted)
    : graph_(graph), nodes_(graph.bodies[body].nodes) {
  const std::vector<bool> live = ir::live_nodes(graph, body, wanted);
  for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id)
    if (live[id]) schedule_.push_back(id);
  storage_.resize(nodes_.size());
  values_.resize(nodes_.size(), nullptr);
  histories_.resize(nodes_.size());
  scans_.resize(nodes_.size());
}

BodyRun::BodyRun(BodyRun&&) noexcept = default;
BodyRun::~BodyRun() = default;

void BodyRun::run(std::span<const NodeId> nodes, const Sources& sources, const Clock& clock) {
  for (NodeId id : nodes) run_node(id, sources, clock);
}

void BodyRun::run_once(std::span<const NodeId> wanted, const Sources& sources, const Clock& clock) {
  std::vector<int> readers(nodes_.size(), 0);
  for (const NodeId id : schedule_)
    ir::for_each_operand(graph_, nodes_[id], [&](NodeId in) { ++readers[in]; });
  for (const NodeId id : wanted) ++readers[id];
  for (const NodeId id : schedule_) {
    run_node(id, sources, clock);
    ir::for_each_operand(graph_, nodes_[id], [&](NodeId in) {
      if (--readers[in] == 0) storage_[in] = {};
    });
  }
}

void BodyRun::run_node(NodeId id, const Sources& sources, const Clock& clock) {
  const Node& node = nodes_[id];
  Tensor& own = storage_[id];
  values_[id] = &own;
  switch (node.op) {
    case Op::kParam:
      values_[id] = &sources.params[node.index];
      return;
    case Op::kArg:
      values_[id] = sources.args[node.index];
      return;
    case Op::kInput:
      values_[id] = read_input(node, sources, clock);
      return;
    case Op::kTokens:
      return read_tokens(sources, clock, own);
    case Op::kScan:
      return run_scan(id, sources, clock);
    case Op::kScanOut:
      values_[id] = scan_out(node, clock);
      return;
    case Op::kShift:
      return clock.stepping && node.amount != 0 ? step_shift(id, clock, own) : compute(node, clock, own);
    case Op::kPast:
      return clock.stepping ? step_past(id, clock, own) : compute(node, clock, own);
    case Op::kUnpast:
      GABBRO_CHECK(!clock.stepping);
      return compute(node, clock, own);
    default:
      return compute(node, clock, own);
  }
}

void BodyRun::read_tokens(const Sources& sources, const Clock& clock, Tensor& out) const {
  GABBRO_CHECK(static_cast<std::int64_t>(sources.tokens.size()) == clock.t_count);
  reshape(out, graph_, {ir::kTime}, clock.frame(0));
  for (std::size_t i = 0; i < sources.tokens.size(); ++i) {
    const auto token = static_cast<double>(sources.tokens[i]);
    GABBRO_CHECK(token >= 0 && token < graph_.env.vocab);
    out.data[i] = token;
  }
}

const Tensor* BodyRun::read_input(const Node& node, const Sources& sources, const Clock& clock) const {
  const Tensor& x = sources.inputs[node.index];
  GABBRO_CHECK(x.axes == node.type.axes);
  for (int i = 0; i < x.axes.size(); ++i)
    GABBRO_CHECK(x.dims[i] == extent(graph_, clock.frame(node.type.window), x.axes[i]));
  return &x;
}

void BodyRun::compute(const Node& node, const Clock& clock, Tensor& out) const {
  Call call{.graph = graph_, .node = node, .in = {}, .frame = {}, .window = node.type.window};
  for (int i = 0; i < 3 && node.in[i] >= 0; ++i) {
    call.in[i] = values_[node.in[i]];
    call.window = std::max(call.window, nodes_[node.in[i]].type.window);
  }
  call.frame = clock.frame(call.window);
  run_kernel(call, out);
  if (clock.float32)
    for (double& v : out.data) v = static_cast<float>(v);
}

void BodyRun::step_shift(NodeId id, const Clock& clock, Tensor& out) {
  const Node& node = nodes_[id];
  GABBRO_CHECK(node.amount > 0);
  History& history = histories_[id];
  reshape(out, graph_, node.type.axes, clock.frame(0));
  if (history.count == node.amount)
    std::copy_n(history.rows.begin(), static_cast<std::ptrdiff_t>(out.data.size()), out.data.begin());
  history.push(values_[node.in[0]]->data, node.amount);
}

void BodyRun::step_past(NodeId id, const Clock& clock, Tensor& out) {
  const Node& node = nodes_[id];
  History& history = histories_[id];
  history.push(values_[node.in[0]]->data, node.amount);
  reshape(out, graph_, node.type.axes, clock.frame(node.amount));
  GABBRO_CHECK(out.data.size() == history.rows.size());
  out.data = history.rows;
}

void BodyRun::run_scan(NodeId id, const Sources& sources, const Clock& clock) {
  const ir::Scan& scan = graph_.scans[nodes_[id].index];
  if (!scans_[id]) scans_[id] = std::make_unique<ScanRun>(graph_, scan);
  const auto values = [&](const std::vector<NodeId>& ids) {
    std::vector<const Tensor*> out;
    for (NodeId i : ids) out.push_back(values_[i]);
    return out;
  };
  scans_[id]->run(values(scan.inits), values(scan.sequences), values(scan.invariants), sources.params, clock);
}

// A final state is known only at the end of the sequence, so a stepping run must not ask for one.
const Tensor* BodyRun::scan_out(const Node& node, const Clock& clock) const {
  const ScanRun& scan = *scans_[node.in[0]];
  if (node.index >= 0) return &scan.output(node.index);
  GABBRO_CHECK(!clock.stepping);
  return &scan.state(-1 - node.index);
}

}  // namespace gabbro::exec
