#include "exec/torch/body.h"

#include <algorithm>

#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::Node;
using ir::NodeId;
using ir::Op;

Body::Body(const ir::Graph& graph, int body, std::span<const NodeId> wanted, Settings settings)
    : graph_(graph), nodes_(graph.bodies[body].nodes), settings_(settings) {
  options_ = at::TensorOptions().dtype(settings.dtype).device(settings.device);
  const std::size_t count = nodes_.size();
  const std::vector<bool> live = ir::live_nodes(graph, body, wanted);
  forms_.resize(count);
  values_.resize(count);
  readers_.assign(count, 0);
  scans_.resize(count);
  steps_.resize(count);
  const ir::Scan* scan = nullptr;
  for (const ir::Scan& s : graph.scans)
    if (s.body == body && body != 0) scan = &s;
  const int first_invariant = scan ? static_cast<int>(scan->inits.size() + scan->sequences.size()) : 0;
  for (NodeId id = 0; id < static_cast<NodeId>(count); ++id) {
    if (!live[id]) continue;
    const Node& node = nodes_[id];
    Form& form = forms_[id];
    form.axes = node.type.axes;
    form.batch = scan ? node.op == Op::kArg && node.index < first_invariant : node.type.time();
    ir::for_each_operand(graph, node, [&](NodeId in) {
      ++readers_[in];
      if (scan && forms_[in].batch) form.batch = true;
    });
    (scan && form.batch ? varying_ : fixed_).push_back(id);
    if (node.op == Op::kScan) {
      const int step = graph.scans[node.index].body;
      steps_[id].emplace_back(graph, step, graph.bodies[step].outputs, settings);
    }
  }
  for (const NodeId id : wanted) ++readers_[id];
  fused_.assign(count, false);
  for (const NodeId id : fixed_)
    if (nodes_[id].op == Op::kUnpast && nodes_[nodes_[id].in[0]].op == Op::kDot &&
        readers_[nodes_[id].in[0]] == 1)
      fused_[nodes_[id].in[0]] = true;
}

void Body::run(std::span<const NodeId> plan, const Sources& sources, bool release) {
  std::vector<int> left = release ? readers_ : std::vector<int>{};
  for (const NodeId id : plan) {
    if (fused_[id]) continue;
    const Node& node = nodes_[id];
    if (node.op == Op::kScan)
      run_scan(id, sources);
    else
      values_[id] = compute(id, sources);
    if (!release) continue;
    const bool unpast = node.op == Op::kUnpast && fused_[node.in[0]];
    ir::for_each_operand(graph_, unpast ? nodes_[node.in[0]] : node, [&](NodeId in) {
      if (--left[in] > 0) return;
      values_[in] = at::Tensor();
      scans_[in] = ScanResult();
    });
  }
}

at::Tensor Body::compute(NodeId id, const Sources& sources) {
  const Node& node = nodes_[id];
  switch (node.op) {
    case Op::kParam:
      return sources.params[static_cast<std::size_t>(node.index)];
    case Op::kArg:
      return sources.args[static_cast<std::size_t>(node.index)];
    case Op::kInput:
      if (node.index == sources.batch->late_index)
        return sources.batch->late(values_[static_cast<std::size_t>(sources.batch->late_reads)]);
      return sources.batch->inputs[static_cast<std::size_t>(node.index)];
    case Op::kTokens:
      return sources.batch->tokens;
    case Op::kScanOut:
      return scan_out(node);
    default:
      break;
  }
  if (node.op == Op::kUnpast && fused_[node.in[0]]) {
    Call call = call_of(node.in[0], sources);
    call.form = forms_[id];
    call.unpast = true;
    return run_kernel(call);
  }
  return run_kernel(call_of(id, sources));
}

Call Body::call_of(NodeId id, const Sources& sources) const {
  const Node& node = nodes_[id];
  Call call{.graph = graph_, .node = node, .sequence = sources.sequence, .options = options_};
  call.form = forms_[id];
  call.window = node.type.window;
  for (int i = 0; i < 3 && node.in[i] >= 0; ++i) {
    call.in[i] = values_[node.in[i]];
    call.forms[i] = forms_[node.in[i]];
    call.window = std::max<std::int64_t>(call.window, nodes_[node.in[i]].type.window);
    const bool index = (node.op == Op::kLookup || node.op == Op::kScatter) && i == 1;
    if (call.in[i].scalar_type() == at::kLong && !index) call.in[i] = call.in[i].to(options_);
  }
  return call;
}

// A final state counts every document: they are sequences of their own.
at::Tensor Body::scan_out(const Node& node) const {
  const ScanResult& result = scans_[node.in[0]];
  return node.index >= 0 ? result.outputs[static_cast<std::size_t>(node.index)]
                         : result.finals[static_cast<std::size_t>(-1 - node.index)];
}

void Body::run_scan(NodeId id, const Sources& sources) {
  const ir::Scan& scan = graph_.scans[nodes_[id].index];
  Body& step = steps_[id][0];
  Sequence& sequence = *sources.sequence;
  const std::int64_t length = sequence.length(), batch = sequence.batch();
  const std::size_t states = scan.inits.size(), items = scan.sequences.size();
  const std::vector<NodeId>& results = graph_.bodies[scan.body].outputs;

  std::vector<at::Tensor> inits, args(states + items + scan.invariants.size());
  for (const NodeId init : scan.inits) {
    std::vector<std::int64_t> sizes = values_[init].sizes().vec();
    sizes.insert(sizes.begin(), batch);
    inits.push_back(values_[init].unsqueeze(0).expand(sizes));
  }
  for (std::size_t i = 0; i < scan.invariants.size(); ++i)
    args[states + items + i] = values_[scan.invariants[i]];
  const Sources inner{.params = sources.params, .batch = nullptr, .args = args, .sequence = nullptr};
  step.run(step.fixed(), inner, false);

  ScanResult& out = scans_[id];
  out.finals.assign(states, at::Tensor());
  std::vector<std::vector<at::Tensor>> rows(results.size() - states, std::vector<at::Tensor>(length));
  std::vector<at::Tensor> current(states);
  // What a document carries at its end counts as its final state.
  const auto close = [&](const at::Tensor& ended) {
    for (std::size_t i = 0; i < states; ++i) {
      at::Tensor mask = ended;
      for (std::int64_t d = 1; d < current[i].dim(); ++d) mask = mask.unsqueeze(-1);
      const at::Tensor final = current[i].masked_fill(mask.logical_not(), 0).sum(0);
      out.finals[i] = out.finals[i].defined() ? out.finals[i] + final : final;
    }
  };
  const bool wants_finals = std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& n) {
    return n.op == Op::kScanOut && n.in[0] == id && n.index < 0;
  });
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t t = scan.reverse ? length - 1 - i : i;
    if (i == 0) {
      current = inits;
    } else if (sequence.boundary(t, scan.reverse)) {
      const at::Tensor fresh = sequence.boundaries(t, scan.reverse);
      if (wants_finals) close(fresh);
      for (std::size_t k = 0; k < states; ++k) {
        at::Tensor mask = fresh;
        for (std::int64_t d = 1; d < current[k].dim(); ++d) mask = mask.unsqueeze(-1);
        current[k] = at::where(mask, inits[k], current[k]);
      }
    }
    std::copy(current.begin(), current.end(), args.begin());
    for (std::size_t k = 0; k < items; ++k) args[states + k] = values_[scan.sequences[k]].select(1, t);
    step.run(step.varying(), inner, false);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      at::Tensor row = step.value(results[states + k]);
      if (!step.form(results[states + k]).batch) row = row.unsqueeze(0);
      rows[k][static_cast<std::size_t>(t)] = row;
    }
    std::vector<at::Tensor> next(states);
    for (std::size_t k = 0; k < states; ++k) {
      next[k] = step.value(results[k]);
      if (!step.form(results[k]).batch) next[k] = next[k].unsqueeze(0);
      next[k] = next[k].expand(inits[k].sizes());
    }
    current = std::move(next);
  }
  if (wants_finals) close(at::ones({batch}, options_.dtype(at::kBool)));
  for (std::vector<at::Tensor>& list : rows) {
    // Steps may agree for all sequences where others do not.
    std::int64_t most = 1;
    for (const at::Tensor& row : list) most = std::max(most, row.size(0));
    for (at::Tensor& row : list)
      if (row.size(0) < most) {
        std::vector<std::int64_t> sizes = row.sizes().vec();
        sizes[0] = most;
        row = row.expand(sizes);
      }
    out.outputs.push_back(at::stack(list, 1));
  }
  step.clear();
}

}  // namespace gabbro::exec::torch
