#include "ir/chunk_build.h"

#include <fmt/core.h>

namespace gabbro::ir::chunk {

AxisId ChunkAxes::get(const std::string& name, std::int64_t size) {
  const auto [at, fresh] = made_.try_emplace({name, size}, AxisId{0});
  if (fresh) at->second = graph_.add_axis(name, size, Sym(static_cast<double>(size)));
  return at->second;
}

LogDecay log_decay(Builder& b, const Match& match) {
  LogDecay out;
  for (auto [from, to] : {std::pair{match.update.decay.k, &out.log.k}, {match.update.decay.v, &out.log.v}}) {
    if (from == kNone) continue;
    const auto log = log_of(b, from);
    if (!log) return {{}, true};
    *to = *log;
  }
  return out;
}

namespace {

constexpr double kNever = -1e30;  // its exponential is 0

// Inside a chunk, position i reads the contributions of positions j < i of its document and the state before
// the chunk. With g the running sum of log decays up to and including a position, and g' the one before it:
//   S before i = exp(g'_i) S_0 + sum_{j < i} exp(g'_i - g_j) (sum_r p_jr z_jr + sum_m u_jm w_jm),
//   z_ir = c_ir . S before i.
// Exponents are masked before exp is applied, so that masked entries cannot overflow.
class Builds {
 public:
  Builds(Builder& b, ChunkAxes& axes, const Match& match, const Type& state, int size)
      : b_(b), axes_(axes), m_(match), state_(state), size_(size) {
    ranks_ = static_cast<std::int64_t>(match.update.ranks.size());
    i_ = axes.get("i", size);
    j_ = axes.get("j", size);
    if (ranks_ > 1) {
      r_ = axes.get("r", ranks_);
      s_ = axes.get("q", ranks_);
      rows_ = axes.get("ir", size * ranks_);
      cols_ = axes.get("jq", size * ranks_);
    } else {
      rows_ = i_;
      cols_ = j_;
    }
    make_masks();
  }

  std::vector<NodeId> run(const Product& log) {
    k_ = weights(log.k);
    v_ = weights(log.v);
    for (const Product& p : m_.update.added) added_.push_back({cut(p.k), cut(p.v)});
    // Sum over the positions of the chunk of what they add to the state at its end.
    NodeId added = kNone;
    for (const Product& p : added_) {
      const NodeId value = times(b_, to_j(p.v), v_.end);
      const NodeId part = b_.dot(times(b_, to_j(p.k), k_.end), value == kNone ? b_.constant(1) : value, {j_});
      added = added == kNone ? part : b_.plus(added, part);
    }
    if (added == kNone) added = b_.constant(0);
    const NodeId kept = times(b_, k_.carry, v_.carry);
    if (ranks_ == 0)
      diagonal(kept, added);
    else
      coupled(kept, added);
    std::vector<NodeId> out;
    for (const Read& read : m_.reads) out.push_back(value_of(read));
    return out;
  }

 private:
  // Exponentials of sums of log decays: over pairs (i, j), from the start to i, from j to the end, and over
  // the whole chunk.
  struct Weights {
    NodeId pair = kNone, start = kNone, end = kNone, carry = kNone;
    bool contracted = false;  // the weights differ along contracted axes
  };

  NodeId iota(AxisId axis) { return b_.add({.op = Op::kIota, .axes = {axis}}); }
  NodeId rename(NodeId x, AxisId from, AxisId to) {
    if (x == kNone || !b_.type(x).has(from)) return x;
    return b_.add({.op = Op::kRename, .in = {x, -1, -1}, .axes = {from, to}});
  }
  NodeId cut(NodeId x) {
    if (x == kNone || !b_.type(x).time()) return x;
    return b_.add({.op = Op::kChunk, .in = {x, -1, -1}, .axes = {i_}});
  }
  NodeId to_j(NodeId x) { return rename(x, i_, j_); }
  NodeId at_most(NodeId x, NodeId y) { return b_.less(x, b_.plus(y, b_.constant(1))); }  // for integers

  void make_masks() {
    const NodeId position = cut(b_.add({.op = Op::kPosition}));
    const NodeId i = iota(i_), j = iota(j_), end = b_.constant(size_ - 1);
    const NodeId last = at_end(position);
    const NodeId distance = b_.minus(i, j);
    const NodeId own = at_most(distance, position);  // false if j lies before the document of i
    reads_ = b_.times(b_.less(j, i), own);
    sums_ = b_.times(at_most(j, i), own);
    enters_ = b_.less(i, position);
    stays_ = at_most(b_.minus(end, j), last);
    passes_ = b_.less(end, last);
  }

  // Returns the value at the last position of a chunk.
  NodeId at_end(NodeId x) {
    const AxisId one = axes_.get("one", 1);
    return b_.sum(b_.add({.op = Op::kSlice, .in = {x, -1, -1}, .axes = {i_, one}, .amount = size_ - 1}),
                  {one});
  }

  NodeId masked_exp(NodeId mask, NodeId x) {
    return b_.unary(Op::kExp, b_.where(mask, x, b_.constant(kNever)));
  }

  // Returns the weights for the logarithm of a decay. Without a decay, the contracted side returns the masks
  // alone and the value side returns no factors.
  Weights weights(NodeId log) {
    if (log == kNone && k_.pair == kNone) return {reads_, enters_, stays_, passes_, false};
    if (log == kNone) return {};
    NodeId l = cut(log);
    if (!b_.type(l).has(i_)) l = with_axes(b_, l, {i_});
    const NodeId l_j = to_j(l);
    // Sums begin at the start of the document, so that rounding errors of the previous document cannot enter.
    const NodeId upto = b_.dot(l_j, sums_, {j_});
    const NodeId before = b_.dot(l_j, reads_, {j_});
    const NodeId all = at_end(upto);
    Weights out;
    out.pair = masked_exp(reads_, b_.minus(before, to_j(upto)));
    out.start = masked_exp(enters_, before);
    out.end = masked_exp(stays_, b_.minus(all, to_j(upto)));
    out.carry = masked_exp(passes_, all);
    for (AxisId axis : m_.contracted) out.contracted = out.contracted || b_.type(log).has(axis);
    return out;
  }

  // Returns [i, j]: row_i . (exp(g'_i - g_j) column_j).
  NodeId pairs(NodeId row, NodeId column) {
    if (!k_.contracted) return b_.times(contract(b_, row, column, m_.contracted), k_.pair);
    return contract(b_, times(b_, row, k_.pair), column, m_.contracted);
  }

  NodeId stacked(const std::vector<NodeId>& list, AxisId axis) {
    if (ranks_ == 1) return list[0];
    const AxisId one = axes_.get("one", 1);
    NodeId out = kNone;
    for (std::size_t r = 0; r < list.size(); ++r) {
      const NodeId part = b_.add({.op = Op::kPad,
                                  .in = {with_axes(b_, list[r], {one}), -1, -1},
                                  .axes = {one, axis},
                                  .amount = static_cast<std::int32_t>(r)});
      out = out == kNone ? part : b_.plus(out, part);
    }
    return out;
  }
  NodeId merged(NodeId x, AxisId position, AxisId rank, AxisId both) {
    if (ranks_ == 1) return with_axes(b_, x, {position});
    return b_.add({.op = Op::kMerge,
                   .in = {with_axes(b_, x, {position, rank}), -1, -1},
                   .axes = {position, rank, both}});
  }
  NodeId in_rows(NodeId x) { return merged(x, i_, r_, rows_); }
  NodeId in_cols(NodeId x) { return merged(x, j_, s_, cols_); }

  Type chunk_state() {
    Type type = state_;
    type.add(kTime);
    return type;
  }

  // Without terms c . S, the states before the chunks form a diagonal recurrence.
  void diagonal(NodeId kept, NodeId added) {
    const NodeId after = b_.add({.op = Op::kRecur, .in = {kept, b_.fit(added, chunk_state()), -1}});
    before_ = b_.add({.op = Op::kShift, .in = {after, -1, -1}, .amount = 1});
  }

  void coupled(NodeId kept, NodeId added) {
    std::vector<NodeId> p, c;
    for (const Rank& rank : m_.update.ranks) {
      p.push_back(with_axes(b_, cut(rank.p), m_.contracted));
      c.push_back(cut(rank.c));
    }
    const NodeId rows = stacked(c, r_);
    p_ = stacked(p, r_);
    const NodeId p_j = rename(to_j(p_), r_, s_);
    const NodeId system = in_cols(in_rows(pairs(rows, p_j)));
    const auto solve = [&](NodeId right) {
      return b_.add({.op = Op::kSolve, .in = {system, right, -1}, .axes = {rows_, cols_}});
    };
    NodeId right = kNone;
    for (const Product& a : added_) {
      const NodeId part = b_.dot(pairs(rows, to_j(a.k)), a.v == kNone ? b_.constant(1) : to_j(a.v), {j_});
      right = right == kNone ? part : b_.plus(right, part);
    }
    z_added_ = right == kNone ? kNone : solve(in_rows(right));
    z_state_ = solve(in_rows(b_.times(rows, k_.start)));

    const NodeId to_end = in_cols(b_.times(p_j, k_.end));
    NodeId from = rename(z_state_, rows_, cols_);
    std::vector<AxisId> read_axes;
    for (AxisId axis : m_.contracted) {
      read_axes.push_back(axes_.get(fmt::format("from{}", axis), b_.graph().axes[axis].size));
      from = rename(from, axis, read_axes.back());
    }
    const NodeId moved = b_.dot(to_end, from, {cols_});
    if (z_added_ != kNone) added = b_.plus(added, b_.dot(to_end, rename(z_added_, rows_, cols_), {cols_}));
    before_ = scan(kept, moved, b_.fit(added, chunk_state()), read_axes);
  }

  // Appends the scan S <- kept S + moved S + added over chunks and returns the state before each chunk.
  NodeId scan(NodeId kept, NodeId moved, NodeId added, const std::vector<AxisId>& read_axes) {
    Graph& g = b_.graph();
    Scan scan;
    scan.body = static_cast<std::int32_t>(g.bodies.size());
    scan.inits = {b_.fit(b_.constant(0), state_)};
    scan.sequences = {kept, moved, added};
    g.bodies.emplace_back();
    Builder step(g, scan.body);
    const NodeId before = step.arg(0, state_);
    std::vector<NodeId> items;
    for (std::size_t n = 0; n < scan.sequences.size(); ++n) {
      Type type = b_.type(scan.sequences[n]);
      type.remove(kTime);
      items.push_back(step.arg(static_cast<int>(n) + 1, type));
    }
    NodeId read = before;
    AxisList over;
    for (int n = 0; n < m_.contracted.size(); ++n) {
      over.push_back(read_axes[static_cast<std::size_t>(n)]);
      read = step.add({.op = Op::kRename, .in = {read, -1, -1}, .axes = {m_.contracted[n], over[n]}});
    }
    const NodeId after =
        step.plus(step.times(items[0], before), step.plus(step.dot(items[1], read, over), items[2]));
    g.bodies[scan.body].outputs = {after, before};
    const auto index = static_cast<std::int32_t>(g.scans.size());
    g.scans.push_back(scan);
    const NodeId made = b_.add({.op = Op::kScan, .index = index});
    return b_.add({.op = Op::kScanOut, .in = {made, -1, -1}, .index = 0});
  }

  NodeId value_of(const Read& read) {
    const NodeId row = cut(read.row);
    NodeId out = times(b_, contract(b_, times(b_, row, k_.start), before_, m_.contracted), v_.start);
    for (const Product& a : added_) {
      const NodeId weight = times(b_, pairs(row, to_j(a.k)), v_.pair);
      out = b_.plus(out, b_.dot(weight, a.v == kNone ? b_.constant(1) : to_j(a.v), {j_}));
    }
    if (ranks_ > 0) {
      NodeId z = b_.dot(z_state_, before_, m_.contracted);
      if (z_added_ != kNone) z = b_.plus(z, z_added_);
      const NodeId weight = in_cols(pairs(row, rename(to_j(p_), r_, s_)));
      out = b_.plus(out, b_.dot(weight, rename(z, rows_, cols_), {cols_}));
    }
    out = b_.add({.op = Op::kUnchunk, .in = {out, -1, -1}, .axes = {i_}});
    out = times(b_, out, read.scale);
    return read.rest == kNone ? out : b_.plus(out, read.rest);
  }

  Builder& b_;
  ChunkAxes& axes_;
  const Match& m_;
  const Type& state_;
  int size_;
  std::int64_t ranks_;
  AxisId i_ = 0, j_ = 0, r_ = 0, s_ = 0, rows_ = 0, cols_ = 0;
  NodeId reads_ = kNone, sums_ = kNone, enters_ = kNone, stays_ = kNone, passes_ = kNone;
  Weights k_, v_;
  std::vector<Product> added_;  // cut into chunks
  NodeId p_ = kNone, z_added_ = kNone, z_state_ = kNone, before_ = kNone;
};

}  // namespace

std::vector<NodeId> build_chunks(Builder& b, ChunkAxes& axes, const Match& match, const Type& state,
                                 const LogDecay& decay, const ChunkOptions& options) {
  bool channel = decay.log.v != kNone;
  for (AxisId axis : match.contracted)
    channel = channel || (decay.log.k != kNone && b.type(decay.log.k).has(axis));
  const int size = channel ? options.channel : match.update.ranks.empty() ? options.scalar : options.rank;
  return Builds(b, axes, match, state, size).run(decay.log);
}

}  // namespace gabbro::ir::chunk
