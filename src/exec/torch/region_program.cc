#include "exec/torch/region_program.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>

#include "exec/torch/rows.h"
#include "exec/torch/scratch.h"
#include "exec/torch/values.h"

namespace gabbro::exec::torch {

using ir::NodeId;

namespace {

// Numbers of one value in a block: some of them fit the first-level cache together.
constexpr std::int64_t kNumbers = 1 << 11;

}  // namespace

std::optional<RegionProgram> RegionProgram::make(const ir::Graph& graph, const std::vector<ir::Node>& nodes,
                                                 const Region& region) {
  if (region.pairs) return std::nullopt;
  RegionProgram program(graph, nodes, region);
  for (const NodeId id : region.nodes) {
    ir::Type type = program.type(id);
    type.remove(ir::kTime);
    program.widest_ = std::max(program.widest_, ir::elements(graph, type.axes));
  }
  if (!program.assembled(1, {})) return std::nullopt;
  return program;
}

// Memories: scratch, reads, exits.
std::optional<Instructions> RegionProgram::assembled(std::int64_t positions, const Strides& strides) const {
  const auto reads = static_cast<std::int32_t>(region_->reads.size()),
             exits = static_cast<std::int32_t>(region_->exits.size());
  Assembler a(*graph_, *nodes_, positions, 1 + reads + exits);
  for (const NodeId id : region_->nodes)
    ir::for_each_operand(*graph_, (*nodes_)[static_cast<std::size_t>(id)],
                         [&](NodeId in) { a.will_read(in); });
  for (const NodeId id : region_->exits) a.will_read(id);
  for (std::int32_t i = 0; i < reads; ++i) {
    const NodeId id = region_->reads[static_cast<std::size_t>(i)];
    Assembler::View place = a.contiguous(1 + i, type(id).axes);
    if (!strides.empty())
      std::copy(strides[static_cast<std::size_t>(i)].begin(), strides[static_cast<std::size_t>(i)].end(),
                place.place.stride.begin());
    a.give(id, place);
  }
  for (const NodeId id : region_->nodes)
    if (!a.make(id)) return std::nullopt;
  for (std::int32_t i = 0; i < exits; ++i) {
    const NodeId id = region_->exits[static_cast<std::size_t>(i)];
    const Assembler::View place = a.contiguous(1 + reads + i, type(id).axes);
    type(id).time() ? a.store(id, place) : a.add_to(place, id);
  }
  GABBRO_CHECK(a.reads().empty());
  return a.finish();
}

const Instructions& RegionProgram::instructions(std::int64_t positions, const Strides& strides) {
  const auto key = std::make_pair(positions, strides);
  if (const auto at = made_.find(key); at != made_.end()) return at->second;
  return made_.emplace(key, *assembled(positions, strides)).first->second;
}

bool RegionProgram::all_differ(const std::vector<at::Tensor>& reads) const {
  std::map<NodeId, bool> differs;
  for (std::size_t i = 0; i < reads.size(); ++i)
    differs[region_->reads[i]] = type(region_->reads[i]).time() && reads[i].size(0) > 1;
  for (const NodeId id : region_->nodes) {
    bool& any = differs[id];
    ir::for_each_operand(*graph_, (*nodes_)[static_cast<std::size_t>(id)],
                         [&](NodeId in) { any = any || differs.at(in); });
  }
  return std::all_of(region_->exits.begin(), region_->exits.end(), [&](NodeId id) { return differs.at(id); });
}

template <class T>
void RegionProgram::run_rows(const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& exits,
                             std::int64_t length, std::int64_t positions, const Strides& strides) {
  std::vector<Rows<T>> memories;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const bool time = type(region_->reads[i]).time();
    memories.push_back(Rows<T>::of_tensor(reads[i], /*batch=*/time, time));
  }
  for (std::size_t i = 0; i < exits.size(); ++i)
    memories.push_back(Rows<T>::of_tensor(exits[i], /*batch=*/true, type(region_->exits[i]).time()));

  const Instructions& whole = instructions(positions, strides);
  const std::int64_t left = length % positions;
  const Instructions& rest = left > 0 ? instructions(left, strides) : whole;
  const std::int64_t scratch = std::max(whole.scratch, rest.scratch);
  at::parallel_for(0, exits[0].size(0), 1, [&](std::int64_t from, std::int64_t to) {
    const Scratch<T> memory(scratch);
    std::vector<T*> bases(1 + memories.size());
    bases[0] = memory.data();
    for (std::int64_t row = from; row < to; ++row)
      for (std::int64_t begin = 0; begin < length; begin += positions) {
        for (std::size_t i = 0; i < memories.size(); ++i) bases[1 + i] = memories[i].of(row, begin);
        (begin + positions <= length ? whole : rest).run(bases.data());
      }
  });
}

std::vector<at::Tensor> RegionProgram::run(std::vector<at::Tensor> reads, std::int64_t batch,
                                           std::int64_t length, std::int64_t positions) {
  RECORD_USER_SCOPE("gabbro::region");
  if (batch > 1 && !all_differ(reads)) return {};
  Strides strides;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    // Numbers are read where they lie, repeated along axes or not; those that are not side by side along the
    // last axis are brought there.
    const ir::Type& t = type(region_->reads[i]);
    at::Tensor& x = reads[i];
    x = x.expand(sizes_of(*graph_, t, t.time() ? x.size(0) : 0, length));
    const std::int64_t first = t.time() ? 1 : 0;
    std::int64_t last = x.dim() - 1;
    while (last > first && x.size(last) == 1) --last;
    if (last >= first && x.size(last) > 1 && x.stride(last) > 1) x = x.contiguous();
    strides.push_back(x.strides().slice(static_cast<std::size_t>(first)).vec());
  }
  std::vector<at::Tensor> exits;
  const at::TensorOptions options = reads.at(0).options();
  for (const NodeId id : region_->exits) {
    const std::vector<std::int64_t> sizes = sizes_of(*graph_, type(id), batch, length);
    exits.push_back(type(id).time() ? at::empty(sizes, options) : at::zeros(sizes, options));
  }
  if (positions <= 0) positions = std::max<std::int64_t>(1, kNumbers / widest_);
  positions = std::min(positions, length);
  if (options.dtype() == at::kDouble)
    run_rows<double>(reads, exits, length, positions, strides);
  else
    run_rows<float>(reads, exits, length, positions, strides);
  for (std::size_t i = 0; i < exits.size(); ++i)
    if (!type(region_->exits[i]).time()) exits[i] = exits[i].sum(0);
  return exits;
}

}  // namespace gabbro::exec::torch
