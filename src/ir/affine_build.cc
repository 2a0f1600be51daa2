#include "ir/affine_build.h"

namespace gabbro::ir::affine {

std::vector<NodeId> build(Builder& b, const Match& match, const Type& state_type) {
  Affine op;
  op.contracted = match.contracted;
  op.values = match.values;
  for (const AxisId axis : state_type.axes)
    if (!match.contracted.contains(axis) && !match.values.contains(axis)) op.shared.push_back(axis);
  const Product& decay = match.update.decay;
  if (match.update.is_outer()) {
    op.decay = Affine::Decay::kOuter;
  } else if (decay.k != kNone) {
    op.decay = Affine::Decay::kShared;
    for (const AxisId axis : match.contracted)
      if (b.type(decay.k).has(axis)) op.decay = Affine::Decay::kChannel;
  }
  op.value_decay = decay.v != kNone;
  op.ranks = static_cast<std::int32_t>(match.update.ranks.size());
  op.added = static_cast<std::int32_t>(match.update.added.size());

  std::vector<NodeId> operands;
  if (match.update.is_outer())
    operands.insert(operands.end(), {match.update.rate, match.update.slope});
  else if (decay.k != kNone)
    operands.push_back(decay.k);
  if (op.value_decay) operands.push_back(decay.v);
  for (const Rank& rank : match.update.ranks) operands.push_back(rank.p);
  for (const Rank& rank : match.update.ranks) operands.push_back(rank.c);
  for (const Product& added : match.update.added) operands.push_back(added.k);
  for (const Product& added : match.update.added) operands.push_back(added.v);
  for (const Read& read : match.reads) {
    op.after.push_back(read.after != kNone);
    operands.push_back(read.after != kNone ? read.after : read.row);
  }
  for (std::size_t i = 0; i < operands.size(); ++i)
    op.operands.push_back(with_axes(b, operands[i], op.operand_type(static_cast<std::int32_t>(i)).axes));

  b.graph().affines.push_back(std::move(op));
  const auto index = static_cast<std::int32_t>(b.graph().affines.size()) - 1;
  const NodeId recurrence = b.add({.op = Op::kAffine, .index = index});
  std::vector<NodeId> out;
  for (std::size_t n = 0; n < match.reads.size(); ++n)
    out.push_back(
        b.add({.op = Op::kScanOut, .in = {recurrence, -1, -1}, .index = static_cast<std::int32_t>(n)}));
  for (std::size_t n = 0; n < match.reads.size(); ++n) {
    const Read& read = match.reads[n];
    const bool after = read.after != kNone;
    if (!after) out[n] = times(b, out[n], read.scale);
    const NodeId rest = after ? read.after_rest : read.rest;
    if (rest != kNone) out[n] = b.plus(out[n], rest);
  }
  return out;
}

}  // namespace gabbro::ir::affine
