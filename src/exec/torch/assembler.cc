#include "exec/torch/assembler.h"

#include <algorithm>
#include <array>
#include <limits>

#include "exec/torch/processor.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Node;
using ir::NodeId;
using ir::Op;
using Code = Instruction::Code;

namespace {

constexpr std::int32_t kScratch = 0;

AxisList without(AxisList axes, const AxisList& less) {
  for (const AxisId axis : less) axes.erase(axes.find(axis));
  return axes;
}

}  // namespace

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
    case Op::kDiv:
      return Code::kDivide;
    case Op::kRecip:
      return Code::kRecip;
    case Op::kSqrt:
      return Code::kSqrt;
    case Op::kPow:
      return node.value == 2 ? Code::kSquare : Code::kPow;
    case Op::kPower:
      return Code::kPower;
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

void Instructions::run(float* const* bases) const {
  GABBRO_BEST(step, run_step, list.data(), static_cast<std::int64_t>(list.size()), bases);
}
void Instructions::run(double* const* bases) const {
  GABBRO_BEST(step, run_step, list.data(), static_cast<std::int64_t>(list.size()), bases);
}

std::int64_t Assembler::elements(const AxisList& axes) const {
  std::int64_t n = 1;
  for (const AxisId axis : axes) n *= size(axis);
  return n;
}

Assembler::View Assembler::contiguous(std::int32_t base, const AxisList& axes) const {
  View v{{.base = base}, axes};
  std::int64_t stride = 1;
  for (int d = axes.size() - 1; d >= 0; --d) {
    v.place.stride[static_cast<std::size_t>(d)] = stride;
    stride *= size(axes[d]);
  }
  return v;
}

// A value of its own; until all are known, its memory is the number of its slot, below 0.
Assembler::View Assembler::fresh(const AxisList& axes) {
  slots_.push_back({.numbers = elements(axes), .made = code_.size(), .read = code_.size()});
  return contiguous(-static_cast<std::int32_t>(slots_.size()), axes);
}

Assembler::View Assembler::view(NodeId id) {
  if (waits(id)) {
    const auto [a, b] = take(id);
    views_[id] = pointwise(Code::kMultiply, axes_of(id), {a, b});
  }
  if (const auto at = views_.find(id); at != views_.end()) return at->second;
  reads_.push_back(id);
  return views_[id] = contiguous(first_read_ + static_cast<std::int32_t>(reads_.size()) - 1, axes_of(id));
}

void Assembler::touch(const Instruction::Place& place) {
  if (place.base < 0) slots_[static_cast<std::size_t>(-1 - place.base)].read = code_.size();
}

// Loops over `axes`, those that lie one behind the other everywhere made one; as the innermost the longest
// along which all numbers lie side by side or are one.
void Assembler::emit(Code code, const AxisList& axes, const View& out, std::span<const View> in,
                     double value) {
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
  code_.push_back(i);
}

Assembler::View Assembler::pointwise(Code code, const AxisList& axes, std::initializer_list<View> in,
                                     double value) {
  const View out = fresh(axes);
  emit(code, axes, out, in, value);
  return out;
}

Assembler::View Assembler::filled(const AxisList& axes, double value) {
  const View out = fresh(axes);
  emit(Code::kFill, axes, out, {}, value);
  return out;
}

// `over` is summed over.
Assembler::View Assembler::reduced(Code code, const AxisList& axes, const AxisList& over,
                                   std::initializer_list<View> in) {
  ir::Type all{axes};
  for (const AxisId axis : over) all.add(axis);
  const View out = filled(axes, code == Code::kMaxOver ? -std::numeric_limits<double>::infinity() : 0);
  emit(code, all.axes, out, in);
  return out;
}

// What shows the numbers of its operand in another order, or brings them to another place.
std::optional<Assembler::View> Assembler::shown(const Node& node) {
  switch (node.op) {
    case Op::kDetach:
    case Op::kBroadcast:
      return view(node.in[0]);
    case Op::kRename:
    case Op::kSlice: {
      View v = view(node.in[0]);
      if (const int at = v.axes.find(node.axes[0]); at >= 0) {
        if (node.op == Op::kSlice)
          v.place.offset += node.amount * v.place.stride[static_cast<std::size_t>(at)];
        v.axes[at] = node.axes[1];
      }
      return v;
    }
    case Op::kPad: {
      const View x = view(node.in[0]), out = filled(node.type.axes, 0);
      View part = out;
      const int at = part.axes.find(node.axes[1]);
      part.place.offset += node.amount * part.place.stride[static_cast<std::size_t>(at)];
      part.axes[at] = node.axes[0];
      emit(Code::kCopy, axes_of(node.in[0]), part, {x});
      return out;
    }
    case Op::kSplit: {
      View v = view(node.in[0]);
      const int at = v.axes.find(node.axes[0]);
      if (at < 0) return v;
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
      return split;
    }
    case Op::kMerge: {
      // The whole as the parts see it.
      const View x = view(node.in[0]), out = fresh(node.type.axes);
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
      return out;
    }
    default:
      return std::nullopt;
  }
}

std::array<Assembler::View, 2> Assembler::take(NodeId id) { return waiting_.extract(id).mapped(); }

// c (a b) as (c a) b where c a is smaller than a b.
std::array<Assembler::View, 2> Assembler::factors_of(const Node& node) {
  for (int i = 0; i < 2; ++i) {
    const auto at = waiting_.find(node.in[i]);
    if (at == waiting_.end()) continue;
    const View c = view(node.in[1 - i]);
    for (std::size_t side = 0; side < 2; ++side) {
      ir::Type scaled{c.axes};
      for (const AxisId axis : at->second[side].axes) scaled.add(axis);
      if (elements(scaled.axes) >= elements(node.type.axes)) continue;
      const std::array<View, 2> factors = take(node.in[i]);
      return {pointwise(Code::kMultiply, scaled.axes, {c, factors[side]}), factors[1 - side]};
    }
  }
  return {view(node.in[0]), view(node.in[1])};
}

// a b + c in one pass, where a product waits for it.
Assembler::View Assembler::sum_of(const Node& node) {
  for (int i = 0; i < 2; ++i) {
    const NodeId product = node.in[i], other = node.in[1 - i];
    if (!waits(product)) continue;
    const View c = view(other);
    const auto [a, b] = take(product);
    return pointwise(Code::kMultiplyAdd, node.type.axes, {a, b, c});
  }
  return pointwise(Code::kAdd, node.type.axes, {view(node.in[0]), view(node.in[1])});
}

std::optional<Assembler::View> Assembler::computed(const Node& node) {
  const AxisList& axes = node.type.axes;
  const auto in = [&](int i) { return view(node.in[static_cast<std::size_t>(i)]); };
  switch (node.op) {
    case Op::kSoftmax: {
      const View x = in(0);
      const AxisList rest = without(axes, node.axes);
      const View top = reduced(Code::kMaxOver, rest, node.axes, {x});
      const View power = pointwise(Code::kExp, axes, {pointwise(Code::kSubtract, axes, {x, top})});
      return pointwise(Code::kDivide, axes, {power, reduced(Code::kSum, rest, node.axes, {power})});
    }
    case Op::kSoftmaxGrad: {
      const View y = in(0), g = in(1);
      const View mean = reduced(Code::kDot, without(axes, node.axes), node.axes, {y, g});
      return pointwise(Code::kMultiply, axes, {y, pointwise(Code::kSubtract, axes, {g, mean})});
    }
    case Op::kAdd:
      return sum_of(node);
    default:
      break;
  }
  const auto code = code_of(node);
  if (!code) return std::nullopt;
  switch (*code) {
    case Code::kSum:
    case Code::kMaxOver:
      return reduced(*code, axes, node.axes, {in(0)});
    case Code::kDot:
      return reduced(*code, axes, node.axes, {in(0), in(1)});
    case Code::kWhere:
      return pointwise(*code, axes, {in(0), in(1), in(2)});
    default:
      if (node.in[1] >= 0) return pointwise(*code, axes, {in(0), in(1)});
      if (node.op == Op::kPow && node.value == -0.5)
        return pointwise(Code::kRecip, axes, {pointwise(Code::kSqrt, axes, {in(0)})});
      return pointwise(*code, axes, {in(0)}, node.value);
  }
}

bool Assembler::make(NodeId id) {
  const Node& n = node(id);
  if (n.op == Op::kMul) {
    const std::array<View, 2> factors = factors_of(n);
    if (readers(id) == 1)
      waiting_[id] = factors;
    else
      views_[id] = pointwise(Code::kMultiply, n.type.axes, {factors[0], factors[1]});
    return true;
  }
  std::optional<View> made = shown(n);
  if (!made) made = computed(n);
  if (made) views_[id] = *made;
  return made.has_value();
}

void Assembler::store(NodeId id, const View& to) {
  const View from = view(id);
  // A value of its own that lies as it is to lie is made there.
  if (from.place.base < 0 && from.place.offset == 0 && from.axes == to.axes &&
      from.place.stride == to.place.stride) {
    Slot& slot = slots_[static_cast<std::size_t>(-1 - from.place.base)];
    if (slot.base == 0 && slot.numbers == elements(to.axes)) {
      slot.base = to.place.base;
      return;
    }
  }
  emit(Code::kCopy, to.axes, to, {from});
}

void Assembler::add_to(const View& sum, NodeId id) {
  if (waits(id)) {
    const auto [a, b] = take(id);
    emit(Code::kDot, sum.axes, sum, {a, b});
  } else {
    emit(Code::kSum, sum.axes, sum, {view(id)});
  }
}

// Each value gets the first place that is free from the instruction that makes it to the last that reads it.
Instructions Assembler::finish() {
  Instructions out;
  std::vector<std::vector<std::size_t>> ends(code_.size() + 1);
  std::map<std::int64_t, std::int64_t> free;  // offset -> numbers
  std::size_t next = 0;
  for (std::size_t at = 0; at < code_.size(); ++at) {
    for (; next < slots_.size() && slots_[next].made == at; ++next) {
      Slot& slot = slots_[next];
      if (slot.base != 0) continue;
      const std::int64_t numbers = (slot.numbers + kAlign - 1) / kAlign * kAlign;
      auto hole = std::find_if(free.begin(), free.end(), [&](const auto& h) { return h.second >= numbers; });
      if (hole == free.end()) {
        slot.offset = out.scratch;
        out.scratch += numbers;
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
    const Slot& slot = slots_[static_cast<std::size_t>(-1 - place.base)];
    place.offset += slot.offset;
    place.base = slot.base != 0 ? slot.base : kScratch;
  };
  for (Instruction& i : code_) {
    settle(i.out);
    for (Instruction::Place& place : i.in) settle(place);
  }
  out.list = std::move(code_);
  return out;
}

}  // namespace gabbro::exec::torch
