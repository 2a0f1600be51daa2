#include "trial/leak_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/result.h"
#include "ir/op.h"

namespace gabbro::trial {

namespace {

constexpr double kFloat32Tolerance = 1e-3;  // rounding of float32, in nats
// Factor on the effect of one rounding of the weights. Roundings coarser than kCoarse (bf16) have a smaller
// factor, since a few of them dominate the sum.
constexpr double kFactor = 100, kCoarseFactor = 8, kCoarse = 0x1.0p-20;
constexpr double kStrangeChance = 0.3;  // share of the changed positions that get a strange token

bool same_bits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0;
}

// Returns true if both are NaN, the same infinity, or finite.
bool same_kind(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return (std::isinf(a) || std::isinf(b)) ? a == b : true;
}

std::size_t index(const exec::TokenBatch& batch, std::int64_t row, std::int64_t t) {
  return static_cast<std::size_t>(row * batch.length + t);
}

// Returns rows [first_row, first_row + rows) and positions [from, to) of a batch, without document starts.
exec::TokenBatch part(const exec::TokenBatch& batch, std::int64_t first_row, std::int64_t rows,
                      std::int64_t from, std::int64_t to) {
  exec::TokenBatch out{.sequences = rows, .length = to - from};
  for (std::int64_t row = first_row; row < first_row + rows; ++row)
    for (std::int64_t t = from; t < to; ++t) {
      out.tokens.push_back(batch.tokens[index(batch, row, t)]);
      out.targets.push_back(batch.targets[index(batch, row, t)]);
    }
  return out;
}

}  // namespace

LeakCheck::LeakCheck(exec::Model& model, Texts texts, std::uint64_t seed)
    : model_(model), texts_(std::move(texts)), random_(mix(seed, 0x756e7365656eULL)), plain_(texts_.text) {
  GABBRO_CHECK(texts_.other.tokens.size() == texts_.text.tokens.size());
  plain_.starts.clear();
  plain_losses_ = losses(plain_);
}

// Returns a token other than `old`: a strange one with the probability `strange_chance`, otherwise a token
// of the other text.
std::int64_t LeakCheck::replacement(std::int64_t row, std::int64_t t, std::int64_t old,
                                    double strange_chance) {
  if (!texts_.strange.empty() && random_.chance(strange_chance)) return random_.pick(texts_.strange);
  const std::vector<std::int64_t>& other = texts_.other.tokens;
  const std::int64_t size = static_cast<std::int64_t>(other.size());
  const std::int64_t start = (row * texts_.other.length + t) % size;
  for (std::int64_t step = 0; step < size; ++step)
    if (const std::int64_t token = other[static_cast<std::size_t>((start + step) % size)]; token != old)
      return token;
  return old == 0 ? 1 : 0;
}

exec::TokenBatch LeakCheck::change_unwatched(const exec::TokenBatch& batch,
                                             const std::vector<Watch>& watched) {
  exec::TokenBatch out = batch;
  const std::int64_t shift = random_.below(batch.sequences), along = random_.below(batch.length);
  for (std::int64_t row = 0; row < batch.sequences; ++row)
    for (std::int64_t t = 0; t < batch.length; ++t) {
      const Watch& w = watched[static_cast<std::size_t>(row)];
      if (t >= w.from && t < w.to) continue;
      std::int64_t& token = out.tokens[index(batch, row, t)];
      // A strange token always follows the watched positions, so that each cut tries one.
      token = replacement((row + shift) % batch.sequences, (t + along) % batch.length, token,
                          t == w.to ? 1 : kStrangeChance);
    }
  return out;
}

void LeakCheck::compare_bits(const exec::TokenBatch& batch, const Losses& base,
                             const std::vector<Watch>& watched, LeakVerdict& out) {
  const exec::TokenBatch other = change_unwatched(batch, watched);
  const Losses changed = losses(other);
  for (std::int64_t row = 0; row < batch.sequences; ++row) {
    const Watch& w = watched[static_cast<std::size_t>(row)];
    for (std::int64_t t = w.from; t < w.to; ++t, ++out.compared) {
      const float a = base[index(batch, row, t)], b = changed[index(batch, row, t)];
      if (same_bits(a, b) || !out.found.empty()) continue;
      out.from = find_source(batch, base, other, row, w);
      static constexpr const char* kFrom[] = {"later positions of its document", "other documents of its row",
                                              "other rows"};
      out.found = fmt::format(
          "the loss at position {} of row {} goes from {:.7g} to {:.7g} when {} change (watched: [{}, {}))",
          t, row, a, b, kFrom[static_cast<int>(out.from)], w.from, w.to);
    }
  }
}

// Finds out where the influence comes from. First only later positions of the row's document are changed,
// then the whole row. If neither has an effect, the influence comes from other rows.
LeakVerdict::From LeakCheck::find_source(const exec::TokenBatch& batch, const Losses& base,
                                         const exec::TokenBatch& other, std::int64_t row,
                                         const Watch& watch) {
  exec::TokenBatch now = batch;
  const auto differs = [&] {
    const Losses changed = losses(now);
    for (std::int64_t t = watch.from; t < watch.to; ++t)
      if (!same_bits(base[index(batch, row, t)], changed[index(batch, row, t)])) return true;
    return false;
  };
  for (std::int64_t t = watch.to; t < batch.length; ++t)
    if (batch.starts.empty() || batch.starts[index(batch, row, t)] == watch.from)
      now.tokens[index(batch, row, t)] = other.tokens[index(batch, row, t)];
  if (differs()) return LeakVerdict::From::kLater;
  for (std::int64_t t = 0; t < batch.length; ++t)
    now.tokens[index(batch, row, t)] = other.tokens[index(batch, row, t)];
  return differs() ? LeakVerdict::From::kDocuments : LeakVerdict::From::kRows;
}

void LeakCheck::check_cuts(const exec::TokenBatch& batch, const Losses& base, std::vector<std::int64_t> cuts,
                           LeakVerdict& out) {
  // Shuffles, so that each row of the batch gets early and late cuts.
  for (std::size_t i = cuts.size(); i > 1; --i)
    std::swap(cuts[i - 1], cuts[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(i)))]);
  for (std::size_t next = 0; next < cuts.size() && out.found.empty();) {
    std::vector<Watch> watched;
    for (std::int64_t row = 0; row < batch.sequences; ++row, ++next)
      watched.push_back({0, next < cuts.size() ? cuts[next] : 1 + random_.below(batch.length - 1)});
    compare_bits(batch, base, watched, out);
  }
  out.cuts += static_cast<std::int64_t>(cuts.size());
}

LeakVerdict LeakCheck::check_future(double runs) {
  LeakVerdict out;
  const std::int64_t rows = plain_.sequences, length = plain_.length;
  if (length < 2) return out;
  constexpr std::int64_t kLengths = 4;
  // `runs` may be infinite.
  const auto whole = static_cast<std::int64_t>(std::clamp<double>(std::round(runs), 1, kLengths));
  std::vector<std::int64_t> cuts;  // cuts at the whole length, one in each of equal parts
  for (std::int64_t i = 0; i < whole * rows; ++i)
    cuts.push_back(1 + static_cast<std::int64_t>((static_cast<double>(i) + random_.uniform()) *
                                                 static_cast<double>(length - 1) /
                                                 static_cast<double>(whole * rows)));
  check_cuts(plain_, plain_losses_, std::move(cuts), out);
  if (runs < 2 * kLengths) return out;  // The limit allows no shorter lengths.
  const auto size = [&](std::int64_t quarter) { return (length * quarter + kLengths - 1) / kLengths; };
  double needed = static_cast<double>(whole);  // runs that cut every position, as runs of the whole length
  for (std::int64_t q = 1; q <= kLengths; ++q)
    needed +=
        static_cast<double>(size(q) * (size(q) - size(q - 1) + rows)) / static_cast<double>(rows * length);
  const double share = std::min(1.0, runs / needed);
  for (std::int64_t q = kLengths; q >= 1 && out.found.empty(); --q) {
    const std::int64_t first = std::max<std::int64_t>(1, size(q - 1)), count = size(q) - first;
    if (count < 1 || size(q) < 2) continue;
    cuts.clear();
    for (std::int64_t i = 0; i < count; ++i)
      if (share >= 1 || random_.chance(share)) cuts.push_back(first + i);
    const exec::TokenBatch batch = part(plain_, 0, rows, 0, size(q));
    check_cuts(batch, q == kLengths ? plain_losses_ : losses(batch), std::move(cuts), out);
  }
  return out;
}

// Cuts the text into documents of random lengths, at least two per row. Every other one begins as the first
// row does, where the anchors put the beginning of a real document.
exec::TokenBatch LeakCheck::with_documents() {
  exec::TokenBatch out = texts_.text;
  out.starts.assign(out.tokens.size(), 0);
  for (std::int64_t row = 0; row < out.sequences; ++row) {
    std::int64_t start = 0;
    const std::int64_t forced = 1 + random_.below(std::max<std::int64_t>(1, out.length - 1));
    for (std::int64_t t = 1; t < out.length; ++t) {
      if (t == forced || random_.chance(1.5 / static_cast<double>(out.length))) {
        start = t;
        if (random_.chance(0.5))
          std::copy_n(texts_.text.tokens.begin(), out.length - t, out.tokens.begin() + row * out.length + t);
      }
      out.starts[index(out, row, t)] = start;
    }
  }
  return out;
}

LeakVerdict LeakCheck::check_neighbours(std::int64_t runs) {
  LeakVerdict out;
  const exec::TokenBatch packed = with_documents();
  const Losses base = losses(packed);
  for (std::int64_t run = 0; run < runs && out.found.empty(); ++run) {
    std::vector<Watch> watched;
    for (std::int64_t row = 0; row < packed.sequences; ++row) {
      // The runs take in turn the last document of the row, the first, and the one at a random position.
      const std::int64_t position = run % 3 == 0   ? packed.length - 1
                                    : run % 3 == 1 ? 0
                                                   : random_.below(packed.length);
      const std::int64_t start = packed.starts[index(packed, row, position)];
      std::int64_t end = position + 1;
      while (end < packed.length && packed.starts[index(packed, row, end)] == start) ++end;
      watched.push_back({start, random_.chance(0.5) ? end : start + 1 + random_.below(end - start)});
    }
    compare_bits(packed, base, watched, out);
    ++out.cuts;
  }
  return out;
}

double LeakCheck::measure_rounding(double unit, double max_tolerance) {
  rounding_factor_ = unit > kCoarse ? kCoarseFactor : kFactor;
  max_tolerance_ = max_tolerance;
  const std::vector<exec::NamedArray> weights = model_.weights();
  std::vector<exec::NamedArray> moved = weights;
  for (exec::NamedArray& a : moved)
    for (float& v : a.data) v *= static_cast<float>(1 + unit * random_.normal());
  GABBRO_CHECK(model_.restore(moved));
  const Losses other = losses(plain_);
  GABBRO_CHECK(model_.restore(weights));
  rounding_ = 0;
  for (std::size_t i = 0; i < other.size(); ++i) {
    const double d = std::abs(static_cast<double>(other[i]) - plain_losses_[i]) /
                     std::max(1.0, std::abs(static_cast<double>(plain_losses_[i])));
    if (std::isfinite(d)) rounding_ = std::max(rounding_, d);  // Losses that are not finite have no rounding.
  }
  return rounding_;
}

void LeakCheck::compare_rounded(const Losses& got, const Losses& want, const std::string& what,
                                LeakVerdict& out) const {
  out.allowed = std::min(max_tolerance_, kFloat32Tolerance + rounding_factor_ * rounding_);
  for (std::size_t i = 0; i < want.size(); ++i, ++out.compared) {
    const double d = std::abs(static_cast<double>(got[i]) - want[i]) /
                     std::max(1.0, std::abs(static_cast<double>(want[i])));
    if (same_bits(got[i], want[i])) continue;
    if (same_kind(got[i], want[i])) out.worst = std::max(out.worst, d);
    if ((!same_kind(got[i], want[i]) || !(d <= out.allowed)) && out.found.empty())
      out.found = fmt::format("{}: loss number {} is {:.7g} instead of {:.7g}, allowed {:.2g}", what, i,
                              got[i], want[i], out.allowed);
  }
}

LeakVerdict LeakCheck::check_moved() {
  LeakVerdict out;
  const std::int64_t rows = plain_.sequences, length = plain_.length;
  const auto piece = [&](std::int64_t row, std::int64_t from, std::int64_t to) {
    return Losses(plain_losses_.begin() + row * length + from, plain_losses_.begin() + row * length + to);
  };
  const auto prefixes = [&](std::int64_t count) {
    Losses joined;
    for (std::int64_t row = 0; row < rows; ++row)
      for (const float v : piece(row, 0, count)) joined.push_back(v);
    return joined;
  };
  for (const std::int64_t count :
       {std::int64_t{1}, 1 + random_.below(length), 1 + random_.below(std::min<std::int64_t>(length, 40))})
    compare_rounded(losses(part(plain_, 0, rows, 0, count)), prefixes(count),
                    fmt::format("the first {} tokens alone", count), out);
  const std::int64_t alone = random_.below(rows);
  compare_rounded(losses(part(plain_, alone, 1, 0, length)), piece(alone, 0, length), "a row alone", out);
  // Row r + 1 is moved into row r, after `behind` tokens of another document.
  const std::int64_t behind = 1 + random_.below(std::max<std::int64_t>(1, length / 2));
  exec::TokenBatch later = texts_.other;
  later.starts.assign(later.tokens.size(), 0);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t t = behind; t < length; ++t) {
      const std::size_t to = index(later, row, t), from = index(plain_, (row + 1) % rows, t - behind);
      later.tokens[to] = plain_.tokens[from];
      later.targets[to] = plain_.targets[from];
      later.starts[to] = behind;
    }
  const Losses all = losses(later);
  for (std::int64_t row = 0; row < rows && behind < length; ++row)
    compare_rounded(
        Losses(all.begin() + row * length + behind, all.begin() + (row + 1) * length),
        piece((row + 1) % rows, 0, length - behind),
        fmt::format("row {} behind {} tokens of another document, in another row", (row + 1) % rows, behind),
        out);
  return out;
}

LeakVerdict LeakCheck::check_decoding(std::int64_t positions, bool& decodes) {
  LeakVerdict out;
  const exec::TokenBatch batch = part(plain_, 0, plain_.sequences, 0, std::min(positions, plain_.length));
  const std::vector<float> got = model_.decoded_losses(batch);
  decodes = !got.empty();
  if (!decodes) return out;
  Losses want;
  for (std::int64_t row = 0; row < batch.sequences; ++row)
    for (std::int64_t t = 0; t < batch.length; ++t) want.push_back(plain_losses_[index(plain_, row, t)]);
  compare_rounded(got, want, "decoded token by token", out);
  return out;
}

ir::Graph untied(const ir::Graph& graph) {
  ir::Graph out = graph;
  std::vector<ir::Node>& nodes = out.bodies[0].nodes;
  const ir::NodeId logits = out.bodies[0].outputs.at(0);
  const auto reads = std::find_if(nodes.begin(), nodes.end(), [&](const ir::Node& n) {
    return n.op == ir::Op::kLookup && nodes[static_cast<std::size_t>(n.in[1])].op == ir::Op::kTokens;
  });
  if (reads == nodes.end() || nodes[static_cast<std::size_t>(reads->in[0])].op != ir::Op::kParam) return out;
  const ir::NodeId table = reads->in[0];
  ir::Node head = nodes[static_cast<std::size_t>(logits)];
  const auto operand = std::find(head.in.begin(), head.in.end(), table);
  if (head.op != ir::Op::kDot || operand == head.in.end()) return out;
  ir::Param& embedding = out.params[static_cast<std::size_t>(nodes[static_cast<std::size_t>(table)].index)];
  ir::Param copy = embedding;
  copy.name += ".head";
  embedding.role = ir::Role::kInput;
  ir::Node param = nodes[static_cast<std::size_t>(table)];
  param.index = static_cast<std::int32_t>(out.params.size());
  out.params.push_back(std::move(copy));
  *operand = static_cast<ir::NodeId>(nodes.size());
  nodes.push_back(param);
  nodes.push_back(head);
  out.bodies[0].outputs[0] = static_cast<ir::NodeId>(nodes.size()) - 1;
  return out;
}

std::vector<exec::NamedArray> with_strange_tokens(const ir::Graph& graph,
                                                  std::vector<exec::NamedArray> weights, Texts& texts) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  // The largest number of float32 is infinite in bf16.
  static constexpr float kStrange[] = {std::numeric_limits<float>::quiet_NaN(),
                                       kInfinite,
                                       -kInfinite,
                                       std::numeric_limits<float>::max(),
                                       1e30F,
                                       1e19F,
                                       1e-41F};
  texts.strange.clear();
  const auto table = std::find_if(graph.params.begin(), graph.params.end(),
                                  [](const ir::Param& p) { return p.role == ir::Role::kInput; });
  if (table == graph.params.end()) return weights;
  const auto array = std::find_if(weights.begin(), weights.end(),
                                  [&](const exec::NamedArray& a) { return a.name == table->name; });
  GABBRO_CHECK(array != weights.end() && array->shape.size() == 2);  // [D, V]
  const std::int64_t width = array->shape[0], vocab = array->shape[1];
  std::vector<std::int64_t> uses(static_cast<std::size_t>(vocab), 0), order(uses.size());
  for (const exec::TokenBatch* batch : {&texts.text, &texts.other})
    for (const std::int64_t token : batch->tokens) ++uses[static_cast<std::size_t>(token)];
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return uses[static_cast<std::size_t>(a)] < uses[static_cast<std::size_t>(b)];
  });
  // Every third element is also tried, since a normalisation makes equal elements equal to 1.
  for (const std::int64_t every : {1, 3})
    for (const float value : kStrange) {
      if (2 * (texts.strange.size() + 1) > order.size()) break;  // At most half of the tokens become strange.
      const std::int64_t token = order[texts.strange.size()];
      for (std::int64_t d = 0; d < width; d += every)
        array->data[static_cast<std::size_t>(d * vocab + token)] = value;
      texts.strange.push_back(token);
    }
  for (exec::TokenBatch* batch : {&texts.text, &texts.other})
    for (std::int64_t& token : batch->tokens)
      if (std::find(texts.strange.begin(), texts.strange.end(), token) != texts.strange.end())
        token = order.back();
  return weights;
}

}  // namespace gabbro::trial
