#include "exec/torch/affine.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <memory>

#include "exec/torch/affine_kernel.h"
#include "exec/torch/processor.h"
#include "exec/torch/scratch.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;

namespace {

// Axes of a value beside time: the shared ones, then its own.
AxisList arranged_axes(const ir::Affine& affine, const ir::Type& type) {
  AxisList axes;
  for (const AxisId axis : affine.shared) axes.push_back(axis);
  for (const auto* own : {&affine.contracted, &affine.values})
    for (const AxisId axis : *own)
      if (type.has(axis)) axes.push_back(axis);
  return axes;
}

// [B, T, axes...] as [B, T, shared, own], own numbers side by side.
at::Tensor arranged(const at::Tensor& x, const ir::Type& type, const AxisList& axes, std::int64_t shared) {
  const Form form{true, type.axes};
  std::vector<std::int64_t> dims{0, 1};
  for (const AxisId axis : axes) dims.push_back(form.dim(axis));
  std::int64_t own = 1;
  for (std::int64_t d = 2; d < x.dim(); ++d) own *= x.size(d);
  const at::Tensor y = x.permute(dims).reshape({x.size(0), x.size(1), shared, own / shared});
  return y.size(3) > 1 && y.stride(3) != 1 ? y.contiguous() : y;
}

template <class T>
Strip<T> strip(const at::Tensor& x, std::int64_t row, std::int64_t head) {
  using Number = std::remove_const_t<T>;
  T* at = [&] {
    if constexpr (std::is_const_v<T>)
      return x.const_data_ptr<Number>();
    else
      return x.data_ptr<Number>();
  }();
  return {at + (x.size(0) > 1 ? row : 0) * x.stride(0) + head * x.stride(2), x.stride(1)};
}

template <class T>
void run(const ir::Affine& affine, const std::vector<at::Tensor>& in, const std::vector<at::Tensor>& out,
         std::int64_t batch, std::int64_t shared, std::int64_t k, std::int64_t v, const Sequence& sequence,
         const at::Tensor& marks) {
  const auto reads = affine.after.size();
  const auto after = std::make_unique<bool[]>(reads + 1);
  std::copy(affine.after.begin(), affine.after.end(), after.get());
  const bool* const begins = sequence.packed() ? sequence.begins().const_data_ptr<bool>() : nullptr;
  const std::int64_t length = sequence.length(),
                     terms = 3 * affine.ranks + affine.added + static_cast<std::int64_t>(reads);
  const bool outer = affine.decay == ir::Affine::Decay::kOuter, marked = marks.defined();
  at::parallel_for(0, batch * shared, 1, [&](std::int64_t from, std::int64_t to) {
    // Heads of one sequence go together; where the adjoint has to mark states itself one by one, so that they
    // need less memory.
    const std::int64_t most = affine.adjoint && !marked ? 1 : std::min(shared, to - from);
    const std::int64_t carry = affine_carry(k, v, outer);
    const Scratch<T> scratch(affine_scratch(k, terms, outer)), carried(most * carry),
        own_marks(affine.adjoint && !marked ? affine_marks(length, k, v) : 0);
    std::vector<Strip<const T>> operands(in.size() * most);
    std::vector<Strip<T>> results(out.size() * most);
    std::vector<AffineTask<T>> tasks(most);
    for (std::int64_t i = from; i < to;) {
      const std::int64_t row = i / shared, count = std::min({most, to - i, (row + 1) * shared - i});
      for (std::int64_t n = 0; n < count; ++n, ++i) {
        Strip<const T>* const operand = operands.data() + n * in.size();
        Strip<T>* const result = results.data() + n * out.size();
        for (std::size_t x = 0; x < in.size(); ++x) operand[x] = strip<const T>(in[x], row, i % shared);
        for (std::size_t x = 0; x < out.size(); ++x) result[x] = strip<T>(out[x], row, i % shared);
        tasks[n] = {.length = length,
                    .k = k,
                    .v = v,
                    .decays = affine.decays() == 1,
                    .channel = affine.decay == ir::Affine::Decay::kChannel,
                    .outer = outer,
                    .value_decay = affine.value_decay,
                    .ranks = affine.ranks,
                    .added = affine.added,
                    .reads = static_cast<std::int64_t>(reads),
                    .after = after.get(),
                    .begins = begins ? begins + row * length : nullptr,
                    .in = operand,
                    .out = result,
                    .scratch = scratch.data(),
                    .carry = carried.data() + n * carry,
                    .marks = marked           ? marks.data_ptr<T>() + i * marks.size(1)
                             : affine.adjoint ? own_marks.data()
                                              : nullptr};
      }
      affine.adjoint ? GABBRO_BEST(affine, run_affine_adjoint, tasks.data(), count, marked)
                     : GABBRO_BEST(affine, run_affine, tasks.data(), count);
    }
  });
}

}  // namespace

std::vector<at::Tensor> run_affine(const ir::Graph& graph, const ir::Affine& affine,
                                   const std::vector<at::Tensor>& in, Sequence& sequence, at::Tensor* marks) {
  RECORD_USER_SCOPE(affine.adjoint ? "gabbro::affine_adjoint" : "gabbro::affine");
  const std::int64_t shared = ir::elements(graph, affine.shared), k = ir::elements(graph, affine.contracted),
                     v = ir::elements(graph, affine.values);
  std::int64_t batch = sequence.packed() ? sequence.batch() : 1;
  std::vector<at::Tensor> operands, results, made;
  std::vector<std::pair<std::size_t, at::Tensor>> totals;  // of what has no time, by sequence
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto at = static_cast<std::int32_t>(i);
    const ir::Type type = at < affine.inputs() ? affine.operand_type(at) : affine.read_type();
    const AxisList axes = arranged_axes(affine, type);
    if (type.time()) {
      operands.push_back(arranged(in[i], type, axes, shared));
      batch = std::max(batch, in[i].size(0));
    } else {
      ir::Type timed = type;
      timed.add(ir::kTime);
      operands.push_back(arranged(in[i].unsqueeze(0).unsqueeze(0), timed, axes, shared));
    }
  }
  for (std::int32_t i = 0; i < affine.results(); ++i) {
    const ir::Type type = affine.result_type(i);
    const AxisList axes = arranged_axes(affine, type);
    const std::int64_t length = type.time() ? sequence.length() : 1;
    std::vector<std::int64_t> sizes{batch, length};
    for (const AxisId axis : axes) sizes.push_back(graph.axes[axis].size);
    const at::Tensor value = at::empty(sizes, in[0].options());
    results.push_back(value.view({batch, length, shared, -1}));
    if (!type.time()) {
      totals.emplace_back(made.size(), value);
      made.emplace_back();
      continue;
    }
    AxisList timed{ir::kTime};
    for (const AxisId axis : axes) timed.push_back(axis);
    made.push_back(ascending(value, true, timed));
  }
  if (marks && !affine.adjoint)
    *marks = at::empty({batch * shared, affine_marks(sequence.length(), k, v)}, in[0].options());
  const at::Tensor kept = marks ? *marks : at::Tensor();
  if (in[0].scalar_type() == at::kDouble)
    run<double>(affine, operands, results, batch, shared, k, v, sequence, kept);
  else
    run<float>(affine, operands, results, batch, shared, k, v, sequence, kept);
  for (const auto& [i, value] : totals)
    made[i] = ascending(value.sum({0, 1}), false,
                        arranged_axes(affine, affine.result_type(static_cast<std::int32_t>(i))));
  return made;
}

std::int64_t mark_bytes(const ir::Graph& graph, const ir::Affine& affine, std::int64_t sequences,
                        std::int64_t length, std::int64_t width) {
  return width * sequences * ir::elements(graph, affine.shared) *
         affine_marks(length, ir::elements(graph, affine.contracted), ir::elements(graph, affine.values));
}

std::map<ir::NodeId, ir::NodeId> marked_affines(const ir::Graph& graph, const std::vector<bool>& live) {
  const auto& nodes = graph.bodies[0].nodes;
  std::map<std::vector<ir::NodeId>, ir::NodeId> runs;  // by operands
  std::map<ir::NodeId, ir::NodeId> out;
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(nodes.size()); ++id) {
    const ir::Node& node = nodes[static_cast<std::size_t>(id)];
    if (node.op != ir::Op::kAffine || !live[static_cast<std::size_t>(id)]) continue;
    const ir::Affine& affine = graph.affines[static_cast<std::size_t>(node.index)];
    const std::vector<ir::NodeId> operands(affine.operands.begin(),
                                           affine.operands.begin() + affine.inputs());
    if (!affine.adjoint) {
      std::int64_t numbers = 0;
      for (std::int32_t i = 0; i < affine.inputs(); ++i)
        numbers += ir::elements(graph, affine.operand_type(i).axes);
      if (mark_bytes(graph, affine, 1, kSegment, 1) <= kSegment * numbers) runs[operands] = id;
    } else if (const auto run = runs.find(operands); run != runs.end()) {
      out[id] = run->second;
      runs.erase(run);
    }
  }
  return out;
}

}  // namespace gabbro::exec::torch
