#include "exec/torch/step_program.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Node;
using ir::NodeId;
using ir::Op;
using Code = Instruction::Code;

namespace {

constexpr std::int32_t kScratch = 0;
constexpr std::int64_t kAlign = 16;  // numbers

std::optional<Code> code_of(const Node& node) {
  switch (node.op) {
    case Op::kAdd:
      return Code::kAdd;
    case Op::kMul:
      return Code::kMultiply;
    case Op::kMax:
      return Code::kMax;
    case Op::kLess:
      return Code::kLess;
    case Op::kWhere:
      return Code::kWhere;
    case Op::kRecip:
      return Code::kRecip;
    case Op::kSqrt:
      return Code::kSqrt;
    case Op::kPow:
      return node.value == 2 ? Code::kSquare : Code::kPow;
    case Op::kExp:
      return Code::kExp;
    case Op::kLog:
      return Code::kLog;
    case Op::kSin:
      return Code::kSin;
    case Op::kCos:
      return Code::kCos;
    case Op::kTanh:
      return Code::kTanh;
    case Op::kSigmoid:
      return Code::kSigmoid;
    case Op::kSoftplus:
      return Code::kSoftplus;
    case Op::kErf:
      return Code::kErf;
    case Op::kFloor:
      return Code::kFloor;
    case Op::kSum:
      return Code::kSum;
    case Op::kMaxOver:
      return Code::kMaxOver;
    case Op::kDot:
      return Code::kDot;
    default:
      return std::nullopt;
  }
}

}  // namespace

class StepCompiler {
 public:
  StepCompiler(const ir::Graph& graph, int body, const ir::Scan& scan, StepProgram& program)
      : graph_(graph),
        around_(graph.bodies[static_cast<std::size_t>(body)].nodes),
        scan_(scan),
        nodes_(graph.bodies[static_cast<std::size_t>(scan.body)].nodes),
        p_(program) {}

  bool compile() {
    const auto states = static_cast<std::int32_t>(scan_.inits.size()),
               items = static_cast<std::int32_t>(scan_.sequences.size());
    first_fixed_ = 1 + 2 * states + items;
    const std::vector<NodeId>& results = graph_.bodies[static_cast<std::size_t>(scan_.body)].outputs;
    const std::vector<bool> live = ir::live_nodes(graph_, scan_.body, results),
                            varies = ir::varying_nodes(graph_, scan_);
    for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id) {
      const auto at = static_cast<std::size_t>(id);
      if (!live[at] || !varies[at]) continue;
      const Node& node = nodes_[at];
      if (node.type.time() || node.type.past()) return false;
      if (node.op == Op::kArg)
        views_[id] = contiguous(1 + node.index + (node.index < states ? 0 : states), node.type.axes);
      else if (!lower(id, node))
        return false;
    }
    // New states and what each position gives leave for memories of their own, numbered after the fixed values: all of them are met first.
    for (const NodeId id : results) view(id);
    const std::int32_t first_output = first_fixed_ + static_cast<std::int32_t>(p_.reads_.size());
    for (std::int32_t k = 0; k < static_cast<std::int32_t>(results.size()); ++k) {
      const NodeId id = results[static_cast<std::size_t>(k)];
      const AxisList& axes = k < states ? state_axes(k) : axes_of(id);
      if (k < states) p_.state_sizes_.push_back(ir::elements(graph_, axes));
      emit(Code::kCopy, axes, contiguous(k < states ? 1 + states + k : first_output + k - states, axes),
           {view(id)});
    }
    place_values();
    return true;
  }

 private:
  struct View {
    Instruction::Place place;  // strides are those of `axes`
    AxisList axes;             // axes that the numbers do not have are copied along
    [[nodiscard]] std::int64_t stride(AxisId axis) const {
      const int at = axes.find(axis);
      return at < 0 ? 0 : place.stride[static_cast<std::size_t>(at)];
    }
  };
  struct Slot {
    std::int64_t numbers = 0;
    std::size_t made = 0, read = 0;  // instructions
    std::int64_t offset = 0;
  };

  [[nodiscard]] const Node& node_of(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const AxisList& axes_of(NodeId id) const { return node_of(id).type.axes; }
  [[nodiscard]] const AxisList& state_axes(std::int32_t k) const {
    return around_[static_cast<std::size_t>(scan_.inits[static_cast<std::size_t>(k)])].type.axes;
  }
  [[nodiscard]] std::int64_t size(AxisId axis) const { return graph_.axes[axis].size; }

  [[nodiscard]] View contiguous(std::int32_t base, const AxisList& axes) const {
    View v{{.base = base}, axes};
    std::int64_t stride = 1;
    for (int d = axes.size() - 1; d >= 0; --d) {
      v.place.stride[static_cast<std::size_t>(d)] = stride;
      stride *= size(axes[d]);
    }
    return v;
  }

  // A value of its own in the scratch memory; its offset is the number of its slot until all are known.
  View fresh(const AxisList& axes) {
    View v = contiguous(kScratch, axes);
    slots_.push_back({ir::elements(graph_, axes), p_.code_.size(), p_.code_.size(), 0});
    v.place.base = -static_cast<std::int32_t>(slots_.size());
    return v;
  }

  View view(NodeId id) {
    if (const auto at = views_.find(id); at != views_.end()) return at->second;
    p_.reads_.push_back(id);
    return views_[id] =
               contiguous(first_fixed_ + static_cast<std::int32_t>(p_.reads_.size()) - 1, axes_of(id));
  }

  void touch(const Instruction::Place& place) {
    if (place.base < 0) slots_[static_cast<std::size_t>(-1 - place.base)].read = p_.code_.size();
  }

  // Loops over `axes`, those that lie one behind the other everywhere made one; as the innermost the longest along which all
  // numbers lie side by side or are one.
  void emit(Code code, const AxisList& axes, const View& out, std::span<const View> in, double value = 0) {
    Instruction i{.code = code, .out = out.place, .value = value};
    struct Loop {
      std::int64_t size;
      std::array<std::int64_t, 4> stride;
    };
    std::vector<Loop> loops;
    for (const AxisId axis : axes) {
      if (size(axis) == 1) continue;
      Loop l{size(axis), {out.stride(axis)}};
      for (std::size_t n = 0; n < in.size(); ++n) l.stride[n + 1] = in[n].stride(axis);
      const bool joins =
          !loops.empty() &&
          std::equal(l.stride.begin(), l.stride.end(), loops.back().stride.begin(),
                     [&](std::int64_t inner, std::int64_t outer) { return outer == inner * l.size; });
      if (joins)
        l.size *= loops.back().size, loops.back() = l;
      else
        loops.push_back(l);
    }
    auto best = loops.end();
    for (auto l = loops.begin(); l != loops.end(); ++l) {
      const bool smooth =
          std::all_of(l->stride.begin(), l->stride.end(), [](std::int64_t s) { return s == 0 || s == 1; });
      if (smooth && (best == loops.end() || l->size >= best->size)) best = l;
    }
    if (best != loops.end()) std::rotate(best, best + 1, loops.end());
    i.loops = static_cast<std::int32_t>(loops.size());
    i.out.stride = {};
    for (std::size_t n = 0; n < in.size(); ++n) i.in[n] = in[n].place, i.in[n].stride = {};
    for (std::size_t l = 0; l < loops.size(); ++l) {
      i.size[l] = loops[l].size;
      i.out.stride[l] = loops[l].stride[0];
      for (std::size_t n = 0; n < in.size(); ++n) i.in[n].stride[l] = loops[l].stride[n + 1];
    }
    for (std::size_t n = in.size(); n < 3; ++n)
      i.in[n] = in.empty() ? out.place : in[0].place, i.in[n].stride = {};
    touch(i.out);
    for (const View& v : in) touch(v.place);
    p_.code_.push_back(i);
  }
  void emit(Code code, const AxisList& axes, const View& out, std::initializer_list<View> in,
            double value = 0) {
    emit(code, axes, out, std::span<const View>(in.begin(), in.size()), value);
  }

  View pointwise(Code code, const AxisList& axes, std::initializer_list<View> in, double value = 0) {
    const View out = fresh(axes);
    emit(code, axes, out, in, value);
    return out;
  }

  View filled(const AxisList& axes, double value) {
    const View out = fresh(axes);
    emit(Code::kFill, axes, out, {}, value);
    return out;
  }

  // `over` is summed over.
  View reduced(Code code, const AxisList& axes, const AxisList& over, std::initializer_list<View> in) {
    ir::Type all{axes};
    for (const AxisId axis : over) all.add(axis);
    const View out = filled(axes, code == Code::kMaxOver ? -std::numeric_limits<double>::infinity() : 0);
    emit(code, all.axes, out, in);
    return out;
  }

  bool lower(NodeId id, const Node& node) {
    const AxisList& axes = node.type.axes;
    const auto in = [&](int i) { return view(node.in[static_cast<std::size_t>(i)]); };
    switch (node.op) {
      case Op::kDetach:
      case Op::kBroadcast:
        views_[id] = in(0);
        return true;
      case Op::kRename:
      case Op::kSlice: {
        View v = in(0);
        if (const int at = v.axes.find(node.axes[0]); at >= 0) {
          if (node.op == Op::kSlice)
            v.place.offset += node.amount * v.place.stride[static_cast<std::size_t>(at)];
          v.axes[at] = node.axes[1];
        }
        views_[id] = v;
        return true;
      }
      case Op::kPad: {
        const View out = filled(axes, 0), x = in(0);
        View part = out;
        const int at = part.axes.find(node.axes[1]);
        part.place.offset += node.amount * part.place.stride[static_cast<std::size_t>(at)];
        part.axes[at] = node.axes[0];
        emit(Code::kCopy, axes_of(node.in[0]), part, {x});
        views_[id] = out;
        return true;
      }
      case Op::kSplit: {
        View v = in(0);
        if (const int at = v.axes.find(node.axes[0]); at >= 0) {
          std::int64_t stride = v.place.stride[static_cast<std::size_t>(at)];
          View split{{.base = v.place.base, .offset = v.place.offset}, {}};
          const auto add = [&](AxisId axis, std::int64_t s) {
            split.place.stride[static_cast<std::size_t>(split.axes.size())] = s;
            split.axes.push_back(axis);
          };
          for (int d = 0; d < v.axes.size(); ++d)
            if (d != at) add(v.axes[d], v.place.stride[static_cast<std::size_t>(d)]);
          for (int d = node.axes.size() - 1; d >= 1; --d) {
            add(node.axes[d], stride);
            stride *= size(node.axes[d]);
          }
          v = split;
        }
        views_[id] = v;
        return true;
      }
      case Op::kMerge: {
        // The whole as the parts see it.
        const View out = fresh(axes), x = in(0);
        const AxisId whole = node.axes[node.axes.size() - 1];
        const AxisList& parts = axes_of(node.in[0]);
        View seen{{.base = out.place.base}, parts};
        for (int d = 0; d < parts.size(); ++d)
          seen.place.stride[static_cast<std::size_t>(d)] = out.stride(parts[d]);
        std::int64_t stride = out.stride(whole);
        for (int d = node.axes.size() - 2; d >= 0; --d) {
          seen.place.stride[static_cast<std::size_t>(parts.find(node.axes[d]))] = stride;
          stride *= size(node.axes[d]);
        }
        emit(Code::kCopy, parts, seen, {x});
        views_[id] = out;
        return true;
      }
      case Op::kSoftmax: {
        const View x = in(0);
        const AxisList rest = without(axes, node.axes);
        const View top = reduced(Code::kMaxOver, rest, node.axes, {x});
        const View power = pointwise(Code::kExp, axes, {pointwise(Code::kSubtract, axes, {x, top})});
        views_[id] = pointwise(Code::kDivide, axes, {power, reduced(Code::kSum, rest, node.axes, {power})});
        return true;
      }
      case Op::kSoftmaxGrad: {
        const View y = in(0), g = in(1);
        const View mean = reduced(Code::kDot, without(axes, node.axes), node.axes, {y, g});
        views_[id] = pointwise(Code::kMultiply, axes, {y, pointwise(Code::kSubtract, axes, {g, mean})});
        return true;
      }
      default:
        break;
    }
    const auto code = code_of(node);
    if (!code) return false;
    switch (*code) {
      case Code::kSum:
      case Code::kMaxOver:
        views_[id] = reduced(*code, axes, node.axes, {in(0)});
        return true;
      case Code::kDot:
        views_[id] = reduced(*code, axes, node.axes, {in(0), in(1)});
        return true;
      case Code::kWhere:
        views_[id] = pointwise(*code, axes, {in(0), in(1), in(2)});
        return true;
      default:
        views_[id] = node.in[1] >= 0 ? pointwise(*code, axes, {in(0), in(1)})
                     : node.op == Op::kPow && node.value == -0.5
                         ? pointwise(Code::kRecip, axes, {pointwise(Code::kSqrt, axes, {in(0)})})
                         : pointwise(*code, axes, {in(0)}, node.value);
        return true;
    }
  }

  static AxisList without(AxisList axes, const AxisList& less) {
    for (const AxisId axis : less) axes.erase(axes.find(axis));
    return axes;
  }

  // Each value gets the first place that is free from the instruction that makes it to the last that reads it.
  void place_values() {
    std::vector<std::vector<std::size_t>> ends(p_.code_.size() + 1);
    std::map<std::int64_t, std::int64_t> free;  // offset -> numbers
    std::size_t next = 0;
    for (std::size_t at = 0; at < p_.code_.size(); ++at) {
      for (; next < slots_.size() && slots_[next].made == at; ++next) {
        Slot& slot = slots_[next];
        const std::int64_t numbers = (slot.numbers + kAlign - 1) / kAlign * kAlign;
        auto hole =
            std::find_if(free.begin(), free.end(), [&](const auto& h) { return h.second >= numbers; });
        if (hole == free.end()) {
          slot.offset = p_.scratch_;
          p_.scratch_ += numbers;
        } else {
          slot.offset = hole->first;
          if (hole->second > numbers) free[hole->first + numbers] = hole->second - numbers;
          free.erase(hole);
        }
        ends[slot.read].push_back(next);
      }
      for (const std::size_t ended : ends[at]) {
        std::int64_t offset = slots_[ended].offset,
                     numbers = (slots_[ended].numbers + kAlign - 1) / kAlign * kAlign;
        auto after = free.upper_bound(offset);
        if (after != free.end() && after->first == offset + numbers)
          numbers += after->second, after = free.erase(after);
        if (after != free.begin())
          if (const auto before = std::prev(after); before->first + before->second == offset) {
            before->second += numbers;
            continue;
          }
        free[offset] = numbers;
      }
    }
    const auto settle = [&](Instruction::Place& place) {
      if (place.base >= 0) return;
      place.offset += slots_[static_cast<std::size_t>(-1 - place.base)].offset;
      place.base = kScratch;
    };
    for (Instruction& i : p_.code_) {
      settle(i.out);
      for (Instruction::Place& place : i.in) settle(place);
    }
  }

  const ir::Graph& graph_;
  const std::vector<Node>& around_;  // of the body that holds the scan
  const ir::Scan& scan_;
  const std::vector<Node>& nodes_;
  StepProgram& p_;
  std::int32_t first_fixed_ = 0;
  std::map<NodeId, View> views_;
  std::vector<Slot> slots_;
};

std::optional<StepProgram> StepProgram::make(const ir::Graph& graph, int body, const ir::Scan& scan) {
  StepProgram program;
  if (!StepCompiler(graph, body, scan, program).compile()) return std::nullopt;
  return program;
}

namespace {

#if defined(__x86_64__)
const bool kAvx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"),
           kAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
template <class T>
void run_best(const std::vector<Instruction>& code, T* const* bases) {
  const auto count = static_cast<std::int64_t>(code.size());
  if (kAvx512)
    step_avx512::run_step(code.data(), count, bases);
  else if (kAvx2)
    step_avx2::run_step(code.data(), count, bases);
  else
    step_plain::run_step(code.data(), count, bases);
}
#else
template <class T>
void run_best(const std::vector<Instruction>& code, T* const* bases) {
  step_plain::run_step(code.data(), static_cast<std::int64_t>(code.size()), bases);
}
#endif

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
    constexpr std::size_t kLine = 64;
    const auto numbers = static_cast<std::size_t>(scratch_ + 2 * carried);
    const std::unique_ptr<T[]> memory(new T[numbers + kLine / sizeof(T)]);
    void* aligned = memory.get();
    std::size_t space = numbers * sizeof(T) + kLine;
    std::align(kLine, numbers * sizeof(T), aligned, space);
    std::vector<T*> bases(1 + 2 * states + items + fixed + outputs.size());
    T* next = bases[0] = static_cast<T*>(aligned);
    next += scratch_;
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
        run_best(code_, bases.data());
        for (std::size_t k = 0; k < states; ++k) std::swap(bases[1 + k], bases[1 + states + k]);
        if (i + 1 == length)
          for (std::size_t k = 0; k < states; ++k) add_final(out.finals[k], row, bases[1 + k]);
      }
  });
}

StepProgram::Values StepProgram::run(const ir::Graph& graph, const ir::Scan& scan, Inputs in,
                                     const Sequence& sequence) const {
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
