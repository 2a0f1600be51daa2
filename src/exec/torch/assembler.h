// Nodes as instructions (step_kernel.h): views for what only renames, cuts or repeats, one pass over numbers
// for what computes.
#pragma once

#include <array>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "exec/torch/step_kernel.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// What computes `node`, if one instruction does.
std::optional<Instruction::Code> code_of(const ir::Node& node);

/// Instructions, and the numbers of scratch memory (number 0) that they need.
struct Instructions {
  std::vector<Instruction> list;
  std::int64_t scratch = 0;

  /// Runs them on memories `bases`, by the kernel that this processor is best at.
  void run(float* const* bases) const;
  void run(double* const* bases) const;
};

/// Numbers that values are aligned to in scratch memory.
constexpr std::int64_t kAlign = 16;

/// Assembles the instructions of nodes of one body, in order. Values lie side by side in scratch memory, and
/// share it once they are read no more. A product that only one sum reads is added in the same pass, and a
/// factor of an outer product goes to its smaller side.
class Assembler {
 public:
  /// Where numbers of a value lie. Axes that it does not have are copied along.
  struct View {
    Instruction::Place place;  // strides are those of `axes`
    ir::AxisList axes;
    [[nodiscard]] std::int64_t stride(ir::AxisId axis) const {
      const int at = axes.find(axis);
      return at < 0 ? 0 : place.stride[static_cast<std::size_t>(at)];
    }
  };

  /// Time, where a value has it, counts `positions`. Values that are neither made here nor given lie in
  /// memories from number `first_read` on.
  Assembler(const ir::Graph& graph, const std::vector<ir::Node>& nodes, std::int64_t positions,
            std::int32_t first_read)
      : graph_(graph), nodes_(nodes), positions_(positions), first_read_(first_read) {}

  /// Says that `id` is read once more: to be called for every reader of the values to be made, before the
  /// first of them is made.
  void will_read(ir::NodeId id) { ++readers_[id]; }
  [[nodiscard]] int readers(ir::NodeId id) const {
    const auto at = readers_.find(id);
    return at == readers_.end() ? 0 : at->second;
  }

  /// Value `id` lies there.
  void give(ir::NodeId id, const View& view) { views_[id] = view; }
  /// Makes value `id`; false: its op has no instruction.
  bool make(ir::NodeId id);
  /// Brings a value to a memory of its own, or makes it there.
  void store(ir::NodeId id, const View& to);
  /// Adds a value to what is in a memory.
  void add_to(const View& sum, ir::NodeId id);
  [[nodiscard]] View contiguous(std::int32_t base, const ir::AxisList& axes) const;
  /// Where a value lies; one that is not known is read from outside.
  View view(ir::NodeId id);

  /// What is read from outside, by memory.
  [[nodiscard]] const std::vector<ir::NodeId>& reads() const { return reads_; }
  /// To be called once, at the end.
  Instructions finish();

 private:
  using Code = Instruction::Code;
  struct Slot {
    std::int64_t numbers = 0;
    std::size_t made = 0, read = 0;  // instructions
    std::int64_t offset = 0;
    std::int32_t base = 0;  // the memory that it lies in; not 0: a memory of its own
  };

  [[nodiscard]] const ir::Node& node(ir::NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const ir::AxisList& axes_of(ir::NodeId id) const { return node(id).type.axes; }
  [[nodiscard]] std::int64_t size(ir::AxisId axis) const {
    return axis == ir::kTime ? positions_ : graph_.axes[axis].size;
  }
  [[nodiscard]] std::int64_t elements(const ir::AxisList& axes) const;
  [[nodiscard]] bool waits(ir::NodeId id) const { return waiting_.contains(id); }

  View fresh(const ir::AxisList& axes);
  void touch(const Instruction::Place& place);
  void emit(Code code, const ir::AxisList& axes, const View& out, std::span<const View> in, double value = 0);
  void emit(Code code, const ir::AxisList& axes, const View& out, std::initializer_list<View> in,
            double value = 0) {
    emit(code, axes, out, std::span<const View>(in.begin(), in.size()), value);
  }
  View pointwise(Code code, const ir::AxisList& axes, std::initializer_list<View> in, double value = 0);
  View filled(const ir::AxisList& axes, double value);
  View reduced(Code code, const ir::AxisList& axes, const ir::AxisList& over, std::initializer_list<View> in);
  std::array<View, 2> take(ir::NodeId id);
  std::array<View, 2> factors_of(const ir::Node& node);
  std::optional<View> shown(const ir::Node& node);
  std::optional<View> computed(const ir::Node& node);
  View sum_of(const ir::Node& node);

  const ir::Graph& graph_;
  const std::vector<ir::Node>& nodes_;
  std::int64_t positions_;
  std::int32_t first_read_;
  std::vector<Instruction> code_;
  std::vector<ir::NodeId> reads_;
  std::map<ir::NodeId, int> readers_;
  std::map<ir::NodeId, View> views_;
  std::map<ir::NodeId, std::array<View, 2>>
      waiting_;  // the factors of products that their only reader may add or scale
  std::vector<Slot> slots_;
};

}  // namespace gabbro::exec::torch
