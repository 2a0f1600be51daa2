#include "exec/torch/body.h"

#include <algorithm>

#include "exec/torch/affine.h"
#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::Node;
using ir::NodeId;
using ir::Op;

Body::Body(const ir::Graph& graph, int body, std::span<const NodeId> wanted, Settings settings)
    : graph_(graph), nodes_(graph.bodies[body].nodes), settings_(settings) {
  options_ = at::TensorOptions().dtype(settings.dtype);
  const std::size_t count = nodes_.size();
  std::vector<NodeId> roots(wanted.begin(), wanted.end());
  if (body == 0 && settings.late_reads >= 0) roots.push_back(settings.late_reads);
  const std::vector<bool> live = ir::live_nodes(graph, body, roots);
  forms_.resize(count);
  values_.resize(count);
  readers_.assign(count, 0);
  scans_.resize(count);
  steps_.resize(count);
  programs_.resize(count);
  const ir::Scan* scan = nullptr;
  for (const ir::Scan& s : graph.scans)
    if (s.body == body && body != 0) scan = &s;
  const std::vector<bool> varies = scan ? ir::varying_nodes(graph, *scan) : std::vector<bool>();
  for (NodeId id = 0; id < static_cast<NodeId>(count); ++id) {
    if (!live[id]) continue;
    const Node& node = nodes_[id];
    Form& form = forms_[id];
    form.axes = node.type.axes;
    form.batch = scan ? varies[id] : node.type.time();
    ir::for_each_operand(graph, node, [&](NodeId in) { ++readers_[in]; });
    (scan && form.batch ? varying_ : fixed_).push_back(id);
    if (node.op == Op::kScan) {
      const int step = graph.scans[node.index].body;
      steps_[id].emplace_back(graph, step, graph.bodies[step].outputs, settings);
      if (settings.programs) programs_[id] = StepProgram::make(graph, body, graph.scans[node.index]);
    }
  }
  if (scan) return;
  replays_ = find_replays(graph, live, roots, [&](NodeId id) { return programs_[id].has_value(); });
  for (const auto& [id, dropped] : replays_.dropped) {
    const ir::Scan& s = graph.scans[nodes_[id].index];
    programs_[id] = StepProgram::make(graph, body, s, dropped);
    const std::vector<bool> all(dropped.size(), true);
    marks_[id].program = std::make_shared<const StepProgram>(*StepProgram::make(graph, body, s, all));
  }
  marked_ = marked_affines(graph, live);
  for (const auto& [adjoint, forward] : marked_) affine_marks_[forward] = at::Tensor();
  plan_ = make_plan(graph, live, wanted, {settings.late_input, settings.late_reads});
  prepare_regions();
  if (settings.half) find_half(live);
  readers_.assign(count, 0);
  for (const Unit& unit : plan_.units) for_each_read(unit, [&](NodeId in) { ++readers_[in]; });
  for (const NodeId id : wanted) ++readers_[id];
}

// Weights and what follows from them alone may be rounded; tables of constants may not.
void Body::find_half(const std::vector<bool>& live) {
  half_.assign(nodes_.size(), false);
  std::vector<bool> weight(nodes_.size(), false);
  for (std::size_t id = 0; id < nodes_.size(); ++id) {
    if (!live[id] || nodes_[id].op == Op::kScan) continue;
    const Node& node = nodes_[id];
    weight[id] = node.op == Op::kParam;
    if (!node.type.time())
      ir::for_each_operand(graph_, node, [&](NodeId in) { weight[id] = weight[id] || weight[in]; });
    if (node.op != Op::kDot) continue;
    const ir::Type &a = nodes_[node.in[0]].type, &b = nodes_[node.in[1]].type;
    const bool gradient = a.time() && b.time() && !a.past() && !b.past() && node.axes.contains(ir::kTime);
    half_[id] = gradient || (a.time() != b.time() && weight[a.time() ? node.in[1] : node.in[0]]);
  }
}

template <class F>
void Body::for_each_read(const Unit& unit, F&& f) const {
  if (unit.node >= 0) {
    const Node& node = nodes_[unit.node];
    ir::for_each_operand(graph_, node, f);
    if (node.op == Op::kInput && node.index == settings_.late_input) f(settings_.late_reads);
  } else
    for (const NodeId in : plan_.regions[static_cast<std::size_t>(unit.region)].reads) f(in);
}

void Body::run(std::span<const NodeId> nodes, const Sources& sources) {
  for (const NodeId id : nodes)
    if (nodes_[id].op == Op::kScan)
      run_scan(id, sources);
    else
      values_[id] = compute(id, sources);
}

void Body::run_plan(const Sources& sources) {
  std::vector<int> left = readers_;
  for (const Unit& unit : plan_.units) {
    if (unit.node < 0) {
      run_region(unit.region, sources);
    } else if (nodes_[unit.node].op == Op::kScan) {
      run_scan(unit.node, sources);
    } else if (nodes_[unit.node].op == Op::kAffine) {
      run_affine(unit.node, sources);
    } else {
      // Operands that nobody reads later are handed over: their memory may serve for the result.
      Call call = call_of(unit.node, sources);
      for (int i = 0; i < 3 && nodes_[unit.node].in[i] >= 0; ++i)
        if (left[nodes_[unit.node].in[i]] == 1) drop(nodes_[unit.node].in[i]);
      values_[unit.node] = compute(unit.node, sources, std::move(call));
    }
    for_each_read(unit, [&](NodeId in) {
      if (--left[in] > 0) return;
      drop(in);
      scans_[in] = StepProgram::Values();
    });
  }
}

void Body::drop(NodeId id) {
  values_[id] = at::Tensor();
  for (Rounded& r : rounded_)
    if (r.id == id) r = {};
}

// The value of a node in bfloat16.
at::Tensor Body::rounded(NodeId id) {
  auto found = std::find_if(rounded_.begin(), rounded_.end(), [&](const Rounded& r) { return r.id == id; });
  if (found == rounded_.end()) {
    found = rounded_.end() - 1;  // longest unread
    *found = {id, values_[id].to(at::kBFloat16)};
  }
  std::rotate(rounded_.begin(), found, found + 1);
  return rounded_[0].value;
}

at::Tensor Body::compute(NodeId id, const Sources& sources) {
  return compute(id, sources, call_of(id, sources));
}

at::Tensor Body::compute(NodeId id, const Sources& sources, Call call) {
  const Node& node = nodes_[id];
  switch (node.op) {
    case Op::kParam:
      return sources.params[static_cast<std::size_t>(node.index)];
    case Op::kArg:
      return sources.args[static_cast<std::size_t>(node.index)];
    case Op::kInput:
      if (node.index == settings_.late_input)
        return sources.batch->late(std::move(values_[static_cast<std::size_t>(settings_.late_reads)]));
      return sources.batch->inputs[static_cast<std::size_t>(node.index)];
    case Op::kTokens:
      return sources.batch->tokens;
    case Op::kScanOut:
      return scan_out(node);
    default:
      return run_kernel(std::move(call));
  }
}

Call Body::call_of(NodeId id, const Sources& sources) {
  const Node& node = nodes_[id];
  Call call{.graph = graph_, .node = node, .sequence = sources.sequence, .options = options_};
  call.form = forms_[id];
  call.window = window_of(id);
  call.half = !half_.empty() && half_[id];
  for (int i = 0; i < 3 && node.in[i] >= 0; ++i) {
    call.in[i] = call.half ? rounded(node.in[i]) : values_[node.in[i]];
    call.forms[i] = forms_[node.in[i]];
    const bool index = (node.op == Op::kLookup || node.op == Op::kScatter) && i == 1;
    if (call.in[i].defined() && call.in[i].scalar_type() == at::kLong && !index)
      call.in[i] = call.in[i].to(options_);
  }
  return call;
}

std::int64_t Body::window_of(NodeId id) const {
  std::int64_t window = nodes_[id].type.window;
  for (const NodeId in : nodes_[id].in)
    if (in >= 0) window = std::max<std::int64_t>(window, nodes_[in].type.window);
  return window;
}

// A final state counts every document: they are sequences of their own.
at::Tensor Body::scan_out(const Node& node) const {
  const StepProgram::Values& result = scans_[node.in[0]];
  return node.index >= 0 ? result.outputs[static_cast<std::size_t>(node.index)]
                         : result.finals[static_cast<std::size_t>(-1 - node.index)];
}

void Body::run_affine(NodeId id, const Sources& sources) {
  const ir::Affine& affine = graph_.affines[nodes_[id].index];
  std::vector<at::Tensor> in;
  for (const NodeId operand : affine.operands) in.push_back(values_[operand].to(options_));
  const auto forward = marked_.find(id);
  const auto marks = affine_marks_.find(forward != marked_.end() ? forward->second : id);
  at::Tensor* const kept = marks != affine_marks_.end() ? &marks->second : nullptr;
  scans_[id].outputs = torch::run_affine(graph_, affine, in, *sources.sequence, kept);
  if (affine.adjoint && kept) *kept = at::Tensor();
}

void Body::run_program(NodeId id, const Sources& sources) {
  const ir::Scan& scan = graph_.scans[nodes_[id].index];
  Body& step = steps_[id][0];
  const auto values = [&](const std::vector<NodeId>& of) {
    std::vector<at::Tensor> list;
    for (const NodeId operand : of)
      list.push_back(values_[operand].defined() ? values_[operand].to(options_) : at::Tensor());
    return list;
  };
  std::vector<at::Tensor> args(scan.inits.size() + scan.sequences.size());
  for (at::Tensor& invariant : values(scan.invariants)) args.push_back(std::move(invariant));
  step.run(step.fixed(), {.params = sources.params, .batch = nullptr, .args = args, .sequence = nullptr});
  StepProgram::Inputs in{values(scan.inits), values(scan.sequences), {}};
  const auto fixed = [&](const StepProgram& program) {
    std::vector<at::Tensor> list;
    for (const NodeId read : program.reads()) list.push_back(step.value(read).to(options_));
    return list;
  };
  in.fixed = fixed(*programs_[id]);
  const auto marks = marks_.find(id);
  if (marks != marks_.end()) marks->second.in.fixed = fixed(*marks->second.program);
  StepProgram::Replay replay;
  const auto adjoint = replays_.adjoints.find(id);
  if (adjoint != replays_.adjoints.end())
    replay = {&marks_.at(adjoint->second.forward), adjoint->second.states};
  scans_[id] = programs_[id]->run(graph_, scan, std::move(in), *sources.sequence,
                                  marks != marks_.end() ? &marks->second : nullptr, &replay);
  if (replay.marks) {  // a run has one adjoint of each
    StepProgram::Marks& done = marks_.at(adjoint->second.forward);
    done.in = {};
    done.states = at::Tensor();
  }
  step.clear();
}

void Body::run_scan(NodeId id, const Sources& sources) {
  if (programs_[id]) return run_program(id, sources);
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
  step.run(step.fixed(), inner);

  StepProgram::Values& out = scans_[id];
  out.finals.assign(states, at::Tensor());
  std::vector<std::vector<at::Tensor>> rows(results.size() - states, std::vector<at::Tensor>(length));
  std::vector<at::Tensor> current(states);
  // The state at the end of a document counts as its final state.
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
    step.run(step.varying(), inner);
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
