#include "exec/torch/step_program.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>

#include "exec/torch/rows.h"
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
        p_(program) {
    for (std::size_t k = 0; k < results_.size(); ++k)
      if (is_wanted(k)) wanted_.push_back(results_[k]);
  }

  bool compile() {
    const std::int32_t first_fixed = 1 + 2 * states_ + static_cast<std::int32_t>(scan_.sequences.size());
    Assembler a(graph_, nodes_, 1, first_fixed);
    const std::vector<bool> live = ir::live_nodes(graph_, scan_.body, wanted_),
                            varies = ir::varying_nodes(graph_, scan_);
    const auto is_made = [&](NodeId id) {
      return live[static_cast<std::size_t>(id)] && varies[static_cast<std::size_t>(id)];
    };
    const auto count = static_cast<NodeId>(nodes_.size());
    for (NodeId id = 0; id < count; ++id)
      if (is_made(id)) ir::for_each_operand(graph_, node(id), [&](NodeId in) { a.will_read(in); });
    for (const NodeId id : wanted_) a.will_read(id);
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
        a.give(id, a.contiguous(1 + n.index + (n.index < states_ ? 0 : states_), n.type.axes));
      else if (!a.make(id))
        return false;
    }
    // New states and what each position gives leave for memories of their own, numbered after the fixed
    // values: all of them are met first.
    for (const NodeId id : wanted_)
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
      if (!is_wanted(k)) continue;
      const NodeId id = results_[k];
      a.store(id, a.contiguous(first_output + static_cast<std::int32_t>(k) - states_, node(id).type.axes));
    }
    p_.reads_ = a.reads();
    p_.code_ = a.finish();
    return true;
  }

 private:
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }

  [[nodiscard]] bool is_wanted(std::size_t k) const {
    const auto states = static_cast<std::size_t>(states_);
    return k < states || p_.without_.empty() || !p_.without_[k - states];
  }

  // What is added to state k at each step, where nothing else is done with it: gradients of what all steps
  // share. Else -1.
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
  std::vector<NodeId> wanted_;  // results
};

std::optional<StepProgram> StepProgram::make(const ir::Graph& graph, int body, const ir::Scan& scan,
                                             const std::vector<bool>& without) {
  StepProgram program;
  program.without_ = without;
  if (!StepCompiler(graph, body, scan, program).compile()) return std::nullopt;
  return program;
}

namespace {

std::int64_t whole_lines(std::int64_t numbers) { return (numbers + kAlign - 1) / kAlign * kAlign; }

template <class T>
std::vector<Rows<T>> rows_of(const std::vector<at::Tensor>& list) {
  std::vector<Rows<T>> out;
  for (const at::Tensor& x : list) out.push_back(Rows<T>::of_tensor(x, /*batch=*/true, /*time=*/true));
  return out;
}

template <class T>
void add_final(const at::Tensor& finals, std::int64_t row, const T* state) {
  T* const sum = finals.data_ptr<T>() + row * finals.size(1);
  for (std::int64_t n = 0; n < finals.size(1); ++n) sum[n] += state[n];
}

}  // namespace

std::int64_t StepProgram::mark_numbers() const {
  std::int64_t sum = 0;
  for (const std::int64_t size : state_sizes_) sum += whole_lines(size);
  return sum;
}

// A program with the memories of one thread.
template <class T>
class StepProgram::Machine {
 public:
  Machine(const StepProgram& program, const Inputs& in, const std::vector<at::Tensor>& outputs)
      : p_(program),
        in_(in),
        states_(p_.state_sizes_.size()),
        sequences_(rows_of<T>(in.sequences)),
        outputs_(rows_of<T>(outputs)),
        memory_(p_.code_.scratch + 2 * p_.mark_numbers()),
        bases_(1 + 2 * states_ + sequences_.size() + in.fixed.size() + outputs.size()) {
    T* next = bases_[0] = memory_.data();
    next += p_.code_.scratch;
    for (std::size_t k = 0; k < 2 * states_; ++k) {
      bases_[1 + k] = next;
      next += whole_lines(p_.state_sizes_[k % states_]);
    }
    for (std::size_t k = 0; k < in.fixed.size(); ++k)
      bases_[first_item() + sequences_.size() + k] = in.fixed[k].template data_ptr<T>();
  }

  [[nodiscard]] T* state(std::size_t k) const { return bases_[1 + k]; }
  // Where a document begins.
  void begin() {
    for (std::size_t k = 0; k < states_; ++k)
      std::copy_n(in_.inits[k].template const_data_ptr<T>(), p_.state_sizes_[k], state(k));
  }
  void save(T* mark) const {
    for (std::size_t k = 0; k < states_; ++k) {
      std::copy_n(state(k), p_.state_sizes_[k], mark);
      mark += whole_lines(p_.state_sizes_[k]);
    }
  }
  void load(const T* mark) {
    for (std::size_t k = 0; k < states_; ++k) {
      std::copy_n(mark, p_.state_sizes_[k], state(k));
      mark += whole_lines(p_.state_sizes_[k]);
    }
  }
  void go_to(std::int64_t row, std::int64_t t) {
    for (std::size_t k = 0; k < sequences_.size(); ++k) bases_[first_item() + k] = sequences_[k].of(row, t);
    T** const outputs = bases_.data() + bases_.size() - outputs_.size();
    for (std::size_t k = 0; k < outputs_.size(); ++k) outputs[k] = outputs_[k].of(row, t);
  }
  void set_item(std::size_t k, T* at) { bases_[first_item() + k] = at; }
  void step() {
    p_.code_.run(bases_.data());
    for (std::size_t k = 0; k < states_; ++k)
      if (!p_.sums_[k]) std::swap(bases_[1 + k], bases_[1 + states_ + k]);
  }

 private:
  [[nodiscard]] std::size_t first_item() const { return 1 + 2 * states_; }

  const StepProgram& p_;
  const Inputs& in_;
  std::size_t states_;
  std::vector<Rows<T>> sequences_, outputs_;
  Scratch<T> memory_;
  std::vector<T*> bases_;
};

// States before the steps of one stretch from mark to mark.
template <class T>
class StepProgram::Replayed {
 public:
  Replayed(const Replay& replay, const bool* begins, std::int64_t length)
      : marks_(*replay.marks),
        begins_(begins),
        length_(length),
        numbers_(marks_.program->mark_numbers()),
        machine_(*marks_.program, marks_.in, {}),
        memory_(kMarked * numbers_) {
    std::int64_t offset = 0;
    for (const std::int64_t size : marks_.program->state_sizes_) {
      offsets_.push_back(offset);
      offset += whole_lines(size);
    }
  }
  // State k before position t.
  T* before(std::int64_t row, std::int64_t t, std::int32_t k) {
    if (row != row_ || t / kMarked != stretch_) compute(row, t / kMarked);
    return memory_.data() + t % kMarked * numbers_ + offsets_[static_cast<std::size_t>(k)];
  }

 private:
  void compute(std::int64_t row, std::int64_t stretch) {
    row_ = row;
    stretch_ = stretch;
    const std::int64_t from = stretch * kMarked, to = std::min(from + kMarked, length_);
    machine_.load(marks_.states.template const_data_ptr<T>() +
                  (row * marks_.states.size(1) + stretch) * numbers_);
    for (std::int64_t t = from; t < to; ++t) {
      if (t > from) {
        machine_.go_to(row, t - 1);
        machine_.step();
        if (begins_ && begins_[row * length_ + t]) machine_.begin();
      }
      machine_.save(memory_.data() + (t - from) * numbers_);
    }
  }

  const Marks& marks_;
  const bool* begins_;
  std::int64_t length_, numbers_;
  Machine<T> machine_;
  Scratch<T> memory_;
  std::vector<std::int64_t> offsets_;
  std::int64_t row_ = -1, stretch_ = -1;
};

template <class T>
void StepProgram::run_rows(const Inputs& in, const Sequence& sequence, bool reverse, Values& out,
                           const at::Tensor& marks, const Replay& replay) const {
  const std::int64_t length = sequence.length();
  const std::size_t states = state_sizes_.size();
  const bool* const begins = sequence.packed() ? sequence.begins().const_data_ptr<bool>() : nullptr;
  at::parallel_for(0, sequence.batch(), 1, [&](std::int64_t from, std::int64_t to) {
    Machine<T> machine(*this, in, out.outputs);
    std::optional<Replayed<T>> replayed;
    if (replay.marks) replayed.emplace(replay, begins, length);
    for (std::int64_t row = from; row < to; ++row)
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t t = reverse ? length - 1 - i : i;
        if (i == 0 || (begins && begins[row * length + (reverse ? t + 1 : t)])) {
          // What a document carries at its end counts as its final state.
          for (std::size_t k = 0; i > 0 && k < states; ++k) add_final(out.finals[k], row, machine.state(k));
          machine.begin();
        }
        if (marks.defined() && t % kMarked == 0)
          machine.save(marks.data_ptr<T>() + (row * marks.size(1) + t / kMarked) * marks.size(2));
        machine.go_to(row, t);
        for (std::size_t k = 0; k < replay.states.size(); ++k)
          if (replay.states[k] >= 0) machine.set_item(k, replayed->before(row, t, replay.states[k]));
        machine.step();
        for (std::size_t k = 0; i + 1 == length && k < states; ++k)
          add_final(out.finals[k], row, machine.state(k));
      }
  });
}

StepProgram::Values StepProgram::run(const ir::Graph& graph, const ir::Scan& scan, Inputs in,
                                     const Sequence& sequence, Marks* marks, const Replay* replay) const {
  RECORD_USER_SCOPE("gabbro::steps");
  const auto whole = [](std::vector<at::Tensor>& list) {
    for (at::Tensor& x : list)
      if (x.defined()) x = x.contiguous();
  };
  whole(in.inits), whole(in.sequences), whole(in.fixed);
  const at::TensorOptions options = in.inits.at(0).options();
  Values out;
  const std::vector<NodeId>& results = graph.bodies[static_cast<std::size_t>(scan.body)].outputs;
  for (std::size_t k = scan.inits.size(); k < results.size(); ++k) {
    std::vector<std::int64_t> sizes{sequence.batch(), sequence.length()};
    for (const AxisId axis : graph.node(scan.body, results[k]).type.axes)
      sizes.push_back(graph.axes[axis].size);
    const bool is_made = without_.empty() || !without_[k - scan.inits.size()];
    out.outputs.push_back(is_made ? at::empty(sizes, options) : at::Tensor());
  }
  for (const std::int64_t size : state_sizes_)
    out.finals.push_back(at::zeros({sequence.batch(), size}, options));
  at::Tensor marked;
  if (marks) {
    whole(marks->in.fixed);
    marks->in.inits = in.inits;
    marks->in.sequences = in.sequences;
    marked = marks->states =
        at::empty({sequence.batch(), (sequence.length() + kMarked - 1) / kMarked, mark_numbers()}, options);
  }
  if (options.dtype() == at::kDouble)
    run_rows<double>(in, sequence, scan.reverse, out, marked, replay ? *replay : Replay());
  else
    run_rows<float>(in, sequence, scan.reverse, out, marked, replay ? *replay : Replay());
  for (std::size_t k = 0; k < out.finals.size(); ++k)
    out.finals[k] = out.finals[k].sum(0).view(in.inits[k].sizes());
  return out;
}

}  // namespace gabbro::exec::torch
