// Regions of a plan, block by block.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>

#include "exec/torch/body.h"

namespace gabbro::exec::torch {

using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// Positions of a block with pairs, at most.
constexpr std::int64_t kPairRows = 64;

}  // namespace

// The blocks of one run of a region share this.
struct Body::Work {
  const Region& region;
  const Slots& slots;
  Sequence& sequence;
  std::int64_t length = 0;   // positions of a block
  std::vector<bool> varies;  // by slot: whether sequences differ in it
  std::vector<at::Tensor> reads;
  std::vector<at::Tensor> exits;                // whole values
  std::vector<std::vector<at::Tensor>> totals;  // per exit without time: by sequence
};

void Body::prepare_regions() {
  slots_.resize(plan_.regions.size());
  for (std::size_t r = 0; r < plan_.regions.size(); ++r) {
    const Region& region = plan_.regions[r];
    Slots& s = slots_[r];
    std::map<NodeId, int> slot;
    for (const auto* list : {&region.nodes, &region.reads})
      for (const NodeId id : *list) slot.emplace(id, static_cast<int>(slot.size()));
    std::map<NodeId, int> readers;
    for (const NodeId id : region.nodes) {
      std::array<int, 3> in{-1, -1, -1};
      for (int i = 0; i < 3 && nodes_[id].in[i] >= 0; ++i) in[i] = slot.at(nodes_[id].in[i]);
      for (const int i : in)
        if (i >= 0 && i < static_cast<int>(region.nodes.size())) ++readers[region.nodes[i]];
      s.operands.push_back(in);
      s.last.push_back({});
      s.window = std::max(s.window, window_of(id));
    }
    s.skipped.assign(region.nodes.size(), false);
    for (const NodeId id : region.exits) s.exits.push_back(slot.at(id));
    for (std::size_t i = 0; i < region.nodes.size(); ++i) {
      const Node& node = nodes_[region.nodes[i]];
      const int in = s.operands[i][0];
      if (node.op != Op::kUnpast || in >= static_cast<int>(region.nodes.size())) continue;
      const NodeId product = region.nodes[in];
      const bool leaves = std::find(region.exits.begin(), region.exits.end(), product) != region.exits.end();
      const bool is_product = nodes_[product].op == Op::kDot || nodes_[product].op == Op::kMul;
      s.skipped[in] = is_product && readers[product] == 1 && !leaves;
    }
    for (std::size_t i = 0; i < region.nodes.size(); ++i) {
      const ir::Type& type = nodes_[region.nodes[i]].type;
      if (type.past() == region.pairs && !s.skipped[i])
        s.block = std::max(s.block, ir::elements(graph_, type.axes));
    }
    assembled_.push_back(RegionProgram::make(graph_, nodes_, region));
    over_pairs_.push_back(PairProgram::make(graph_, nodes_, region));
    // The last readers, counted from the end; a product computed by its unpast is read there.
    std::vector<bool> seen(slot.size(), false);
    for (std::size_t i = region.nodes.size(); i-- > 0;) {
      if (s.skipped[i]) continue;
      std::size_t reader = i;
      if (nodes_[region.nodes[i]].op == Op::kUnpast &&
          s.operands[i][0] < static_cast<int>(region.nodes.size()) && s.skipped[s.operands[i][0]])
        reader = static_cast<std::size_t>(s.operands[i][0]);
      for (int k = 2; k >= 0; --k) {
        const int in = s.operands[reader][k];
        if (in < 0 || seen[in]) continue;
        seen[in] = true;
        s.last[reader][k] = true;
      }
    }
  }
  keep_maxima();
}

// The gradient of a maximum looks for it among pairs that are computed again: it is there to the bit only
// where both are computed alike.
void Body::keep_maxima() {
  const auto compares = [&](const Region& region) {
    return region.pairs && std::any_of(region.nodes.begin(), region.nodes.end(), [&](NodeId id) {
             const Node& n = nodes_[id];
             return (n.op == Op::kMaxOver && nodes_[n.in[0]].type.past()) ||
                    (n.op == Op::kLess && n.type.past());
           });
  };
  bool alike = true;
  for (std::size_t r = 0; r < plan_.regions.size(); ++r)
    alike = alike && (over_pairs_[r] || !compares(plan_.regions[r]));
  if (alike) return;
  for (std::size_t r = 0; r < plan_.regions.size(); ++r)
    if (compares(plan_.regions[r])) over_pairs_[r].reset();
}

bool Body::run_assembled(int index, const Sequence& sequence) {
  std::optional<RegionProgram>& program = assembled_[static_cast<std::size_t>(index)];
  const std::optional<PairProgram>& over_pairs = over_pairs_[static_cast<std::size_t>(index)];
  if (!program && !over_pairs) return false;
  const Region& region = plan_.regions[index];
  std::vector<at::Tensor> reads;
  for (const NodeId id : region.reads) reads.push_back(values_[id].to(options_));
  std::vector<at::Tensor> exits =
      program ? program->run(std::move(reads), sequence.batch(), sequence.length(), settings_.block)
              : over_pairs->run(std::move(reads), sequence, settings_.block, options_);
  for (std::size_t e = 0; e < exits.size(); ++e) values_[region.exits[e]] = std::move(exits[e]);
  return !exits.empty();
}

void Body::run_region(int index, const Sources& sources) {
  const Region& region = plan_.regions[index];
  const Slots& slots = slots_[index];
  Sequence& sequence = *sources.sequence;
  if (run_assembled(index, sequence)) return;
  const std::int64_t batch = sequence.batch(), length = sequence.length();
  Work work{.region = region, .slots = slots, .sequence = sequence};
  work.length = region.pairs
                    ? std::clamp<std::int64_t>(
                          kBlockNumbers / std::max<std::int64_t>(1, slots.block * length), 8, kPairRows)
                    : std::min(length, std::max<std::int64_t>(
                                           16, kBlockNumbers / std::max<std::int64_t>(1, slots.block)));
  if (settings_.block > 0) work.length = settings_.block;
  work.varies.assign(region.nodes.size() + region.reads.size(), false);
  for (std::size_t i = 0; i < region.reads.size(); ++i) {
    const Node& node = nodes_[region.reads[i]];
    at::Tensor x = values_[region.reads[i]];
    if (x.scalar_type() == at::kLong && node.op != Op::kTokens) x = x.to(options_);
    work.varies[region.nodes.size() + i] = node.type.time() && x.size(0) > 1;
    work.reads.push_back(std::move(x));
  }
  for (std::size_t i = 0; i < region.nodes.size(); ++i)
    for (const int in : slots.operands[i])
      if (in >= 0 && work.varies[static_cast<std::size_t>(in)]) work.varies[i] = true;
  if (sequence.packed() && region.pairs)
    for (std::size_t i = 0; i < region.nodes.size(); ++i) work.varies[i] = true;  // masks differ

  for (std::size_t e = 0; e < region.exits.size(); ++e) {
    const Form& form = forms_[region.exits[e]];
    const Exit exit = exit_of(nodes_[region.exits[e]]);
    work.totals.emplace_back(exit == Exit::kTotal ? static_cast<std::size_t>(batch) : 0);
    work.exits.emplace_back();
    if (exit == Exit::kTotal) continue;
    std::vector<std::int64_t> sizes;
    if (form.batch) sizes.push_back(work.varies[slots.exits[e]] ? batch : 1);
    for (const ir::AxisId axis : form.axes)
      sizes.push_back(axis < ir::kFirstAxis ? length : graph_.axes[axis].size);
    work.exits.back() = exit == Exit::kRows ? at::empty(sizes, options_) : at::zeros(sizes, options_);
  }

  if (region.pairs) sequence.prepare_blocks(work.length);
  const auto run_rows = [&](std::int64_t from, std::int64_t to) {
    const c10::InferenceMode no_autograd;  // it is the thread's
    for (std::int64_t row = from; row < to; ++row)
      for (std::int64_t begin = 0, end = 0; begin < length; begin = end) {
        end = std::min(begin + work.length, length);
        // A block of one document has columns that all its positions see.
        if (region.pairs) end = sequence.document_end(row, begin, end);
        run_block(work, row, begin, end);
      }
  };
  if (batch > 1)
    at::parallel_for(0, batch, 1, run_rows);
  else
    run_rows(0, batch);

  for (std::size_t e = 0; e < region.exits.size(); ++e) {
    at::Tensor& value = values_[region.exits[e]];
    if (work.totals[e].empty()) {
      value = std::move(work.exits[e]);
      continue;
    }
    value = at::Tensor();
    for (const at::Tensor& part : work.totals[e])
      if (part.defined()) value = value.defined() ? value + part : part;
    if (!work.varies[slots.exits[e]] && batch > 1) value = value * static_cast<double>(batch);
  }
}

void Body::run_block(Work& work, std::int64_t row, std::int64_t begin, std::int64_t end) const {
  const Region& region = work.region;
  const Slots& slots = work.slots;
  Sequence block = work.sequence.block(row, begin, end, slots.window);
  std::vector<at::Tensor> values(region.nodes.size() + region.reads.size());
  for (std::size_t i = 0; i < region.reads.size(); ++i) {
    const ir::Type& type = nodes_[region.reads[i]].type;
    at::Tensor x = work.reads[i];
    if (type.time() && x.size(0) > 1) x = x.narrow(0, row, 1);
    if (type.past())
      x = x.narrow(2, block.past_first(), block.past_length());
    else if (type.time())
      x = x.narrow(1, begin, end - begin);
    values[region.nodes.size() + i] = std::move(x);
  }
  for (std::size_t i = 0; i < region.nodes.size(); ++i) {
    if (slots.skipped[i]) continue;
    const int first = slots.operands[i][0];
    const bool at_once = nodes_[region.nodes[i]].op == Op::kUnpast && first >= 0 &&
                         first < static_cast<int>(region.nodes.size()) && slots.skipped[first];
    const std::size_t k = at_once ? static_cast<std::size_t>(first) : i;
    const NodeId id = region.nodes[k];
    const Node& node = nodes_[id];
    Call call{.graph = graph_, .node = node, .sequence = &block, .options = options_};
    call.form = forms_[region.nodes[i]];
    call.window = window_of(id);
    call.unpast = at_once;
    for (int o = 0; o < 3 && node.in[o] >= 0; ++o) {
      at::Tensor& from = values[slots.operands[k][o]];
      call.forms[o] = forms_[node.in[o]];
      call.in[o] = from;
    }
    for (int o = 0; o < 3 && node.in[o] >= 0; ++o)
      if (slots.last[k][o]) values[slots.operands[k][o]] = at::Tensor();
    values[i] = run_kernel(std::move(call));
    const auto exit = std::find(region.exits.begin(), region.exits.end(), region.nodes[i]);
    if (exit != region.exits.end())
      leave(work, static_cast<std::size_t>(exit - region.exits.begin()), values[i], block, row);
  }
}

void Body::leave(Work& work, std::size_t exit, const at::Tensor& value, const Sequence& block,
                 std::int64_t row) const {
  const int slot = work.slots.exits[exit];
  if (!work.varies[slot] && row > 0) return;  // all sequences agree: the first one says it
  at::Tensor whole = work.exits[exit];
  const Exit kind = exit_of(nodes_[work.region.exits[exit]]);
  if (kind == Exit::kTotal) {
    at::Tensor& total = work.totals[exit][static_cast<std::size_t>(row)];
    total = total.defined() ? total + value : value;
    return;
  }
  if (whole.size(0) > 1) whole = whole.narrow(0, row, 1);
  if (kind == Exit::kPast) {
    whole.narrow(1, block.past_first(), block.past_length()).add_(value);
    return;
  }
  whole = whole.narrow(1, block.first(), block.length());
  if (kind == Exit::kPairs) whole = whole.narrow(2, block.past_first(), block.past_length());
  whole.copy_(value);
}

}  // namespace gabbro::exec::torch
