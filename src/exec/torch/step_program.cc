#include "exec/torch/step_program.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>

#include "exec/torch/scratch.h"
#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Node;
using ir::NodeId;
using ir::Op;

class StepCompiler {
 public:
  StepCompiler(const ir::Graph& graph, int body, const ir::Scan& scan, StepProgram& program)
      : graph_(graph),
        around_(graph.bodies[static_cast<std::size_t>(body)].nodes),
        scan_(scan),
        nodes_(graph.bodies[static_cast<std::size_t>(scan.body)].nodes),
        results_(graph.bodies[static_cast<std::size_t>(scan.body)].outputs),
        states_(static_cast<std::int32_t>(scan.inits.size())),
        p_(program) {}

  bool compile() {
    const std::int32_t first_fixed = 1 + 2 * states_ + static_cast<std::int32_t>(scan_.sequences.size());
    Assembler a(graph_, nodes_, 1, first_fixed);
    const std::vector<bool> live = ir::live_nodes(graph_, scan_.body, results_),
                            varies = ir::varying_nodes(graph_, scan_);
    const auto is_made = [&](NodeId id) {
      return live[static_cast<std::size_t>(id)] && varies[static_cast<std::size_t>(id)];
    };
    const auto count = static_cast<NodeId>(nodes_.size());
    for (NodeId id = 0; id < count; ++id)
      if (is_made(id)) ir::for_each_operand(graph_, node(id), [&](NodeId in) { a.will_read(in); });
    for (const NodeId id : results_) a.will_read(id);
    std::vector<NodeId> added;  // by state: what its sum is made of
    for (std::int32_t k = 0; k < states_; ++k) {
      added.push_back(added_to(k, a));
      p_.sums_.push_back(added.back() >= 0);
    }
    const auto is_sum = [&](NodeId id) {
      for (std::int32_t k = 0; k < states_; ++k)
        if (p_.sums_[static_cast<std::size_t>(k)] && results_[static_cast<std::size_t>(k)] == id) return true;
      return false;
    };
    for (NodeId id = 0; id < count; ++id) {
      if (!is_made(id) || is_sum(id)) continue;
      const Node& n = node(id);
      if (n.type.time() || n.type.past()) return false;
      if (n.op == Op::kArg)
        a.give(id, 1 + n.index + (n.index < states_ ? 0 : states_), n.type.axes);
      else if (!a.make(id))
        return false;
    }
    // New states and what each position gives leave for memories of their own, numbered after the fixed values: all of them are met first.
    for (const NodeId id : results_)
      if (!is_sum(id)) a.view(id);
    for (std::int32_t k = 0; k < states_; ++k) {
      const auto at = static_cast<std::size_t>(k);
      const AxisList& axes = around_[static_cast<std::size_t>(scan_.inits[at])].type.axes;
      p_.state_sizes_.push_back(ir::elements(graph_, axes));
      if (p_.sums_[at])
        a.add_to(a.contiguous(1 + k, axes), added[at]);
      else
        a.store(results_[at], a.contiguous(1 + states_ + k, axes));
    }
    const std::int32_t first_output = first_fixed + static_cast<std::int32_t>(a.reads().size());
    for (auto k = static_cast<std::size_t>(states_); k < results_.size(); ++k) {
      const NodeId id = results_[k];
      a.store(id, a.contiguous(first_output + static_cast<std::int32_t>(k) - states_, node(id).type.axes));
    }
    p_.reads_ = a.reads();
    p_.code_ = a.finish();
    return true;
  }

 private:
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }

  // What is added to state k at each step, where nothing else is done with it: gradients of what all steps share. Else -1.
  [[nodiscard]] NodeId added_to(std::int32_t k, const Assembler& a) const {
    const NodeId result = results_[static_cast<std::size_t>(k)];
    const Node& sum = node(result);
    if (sum.op != Op::kAdd || a.readers(result) != 1) return -1;
    for (int i = 0; i < 2; ++i) {
      const Node& arg = node(sum.in[i]);
      const bool is_state = arg.op == Op::kArg && arg.index == k && a.readers(sum.in[i]) == 1;
      if (is_state && arg.type == sum.type && sum.in[1 - i] != sum.in[i]) return sum.in[1 - i];
    }
    return -1;
  }

  const ir::Graph& graph_;
  const std::vector<Node>& around_;  // of the body that holds the scan
  const ir::Scan& scan_;
  const std::vector<Node>& nodes_;
  const std::vector<NodeId>& results_;
  const std::int32_t states_;
  StepProgram& p_;
};

std::optional<StepProgram> StepProgram::make(const ir::Graph& graph, int body, const ir::Scan& scan) {
  StepProgram program;
  if (!StepCompiler(graph, body, scan, program).compile()) return std::nullopt;
  return program;
}

namespace {

// Numbers of one position, and how far it is from one sequence and position to the next.
template <class T>
struct Rows {
  T* at;
  std::int64_t row, position;
  explicit Rows(const at::Tensor& x)
      : at(x.data_ptr<T>()), row(x.size(0) > 1 ? x.stride(0) : 0), position(x.stride(1)) {}
};

}  // namespace

template <class T>
void add_final(const at::Tensor& finals, std::int64_t row, const T* state) {
  T* const sum = finals.data_ptr<T>() + row * finals.size(1);
  for (std::int64_t n = 0; n < finals.size(1); ++n) sum[n] += state[n];
}

template <class T>
void StepProgram::run_rows(const Inputs& in, const Sequence& sequence, bool reverse, Values& out) const {
  const std::int64_t length = sequence.length();
  const std::size_t states = state_sizes_.size(), items = in.sequences.size(), fixed = in.fixed.size();
  const bool* const begins = sequence.packed() ? sequence.begins().const_data_ptr<bool>() : nullptr;
  std::vector<Rows<T>> sequences(in.sequences.begin(), in.sequences.end()),
      outputs(out.outputs.begin(), out.outputs.end());
  std::int64_t carried = 0;
  for (const std::int64_t size : state_sizes_) carried += (size + kAlign - 1) / kAlign * kAlign;

  at::parallel_for(0, sequence.batch(), 1, [&](std::int64_t from, std::int64_t to) {
    const Scratch<T> memory(code_.scratch + 2 * carried);
    std::vector<T*> bases(1 + 2 * states + items + fixed + outputs.size());
    T* next = bases[0] = memory.data();
    next += code_.scratch;
    for (std::size_t k = 0; k < 2 * states; ++k) {
      bases[1 + k] = next;
      next += (state_sizes_[k % states] + kAlign - 1) / kAlign * kAlign;
    }
    for (std::size_t k = 0; k < fixed; ++k)
      bases[1 + 2 * states + items + k] = in.fixed[k].template data_ptr<T>();

    for (std::int64_t row = from; row < to; ++row)
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t t = reverse ? length - 1 - i : i;
        const bool fresh = i == 0 || (begins && begins[row * length + (reverse ? t + 1 : t)]);
        for (std::size_t k = 0; k < states; ++k) {
          T* const state = bases[1 + k];
          // What a document carries at its end counts as its final state.
          if (fresh && i > 0) add_final(out.finals[k], row, state);
          if (fresh) std::copy_n(in.inits[k].template const_data_ptr<T>(), state_sizes_[k], state);
        }
        for (std::size_t k = 0; k < items; ++k)
          bases[1 + 2 * states + k] = sequences[k].at + row * sequences[k].row + t * sequences[k].position;
        for (std::size_t k = 0; k < outputs.size(); ++k)
          bases[1 + 2 * states + items + fixed + k] =
              outputs[k].at + row * outputs[k].row + t * outputs[k].position;
        code_.run(bases.data());
        for (std::size_t k = 0; k < states; ++k)
          if (!sums_[k]) std::swap(bases[1 + k], bases[1 + states + k]);
        if (i + 1 == length)
          for (std::size_t k = 0; k < states; ++k) add_final(out.finals[k], row, bases[1 + k]);
      }
  });
}

StepProgram::Values StepProgram::run(const ir::Graph& graph, const ir::Scan& scan, Inputs in,
                                     const Sequence& sequence) const {
  RECORD_USER_SCOPE("gabbro::steps");
  const auto whole = [](std::vector<at::Tensor>& list) {
    for (at::Tensor& x : list) x = x.contiguous();
  };
  whole(in.inits), whole(in.sequences), whole(in.fixed);
  const at::TensorOptions options =
      in.sequences.empty() ? in.inits.at(0).options() : in.sequences[0].options();
  Values out;
  const std::vector<NodeId>& results = graph.bodies[static_cast<std::size_t>(scan.body)].outputs;
  for (std::size_t k = scan.inits.size(); k < results.size(); ++k) {
    std::vector<std::int64_t> sizes{sequence.batch(), sequence.length()};
    for (const AxisId axis : graph.node(scan.body, results[k]).type.axes)
      sizes.push_back(graph.axes[axis].size);
    out.outputs.push_back(at::empty(sizes, options));
  }
  for (const std::int64_t size : state_sizes_)
    out.finals.push_back(at::zeros({sequence.batch(), size}, options));
  if (options.dtype() == at::kDouble)
    run_rows<double>(in, sequence, scan.reverse, out);
  else
    run_rows<float>(in, sequence, scan.reverse, out);
  for (std::size_t k = 0; k < out.finals.size(); ++k)
    out.finals[k] = out.finals[k].sum(0).view(in.inits[k].sizes());
  return out;
}

}  // namespace gabbro::exec::torch
