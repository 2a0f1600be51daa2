#include "evolve/describe.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "ir/facts.h"

namespace gabbro::evolve {

using ir::Op;

std::string species_of(const ir::Graph& graph) {
  std::array<bool, 5> has{};
  enum { kAttention, kPairs, kRecurrence, kNonlinear, kShift };
  const auto& nodes = graph.bodies[0].nodes;
  const std::vector<bool> live = ir::live_nodes(graph, 0, graph.bodies[0].outputs);
  bool exponential = false, sums = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!live[i]) continue;
    const ir::Node& n = nodes[i];
    if (n.op == Op::kExp && n.type.past()) exponential = true;
    if ((n.op == Op::kSum || n.op == Op::kDot || n.op == Op::kMaxOver) && n.axes.contains(ir::kPast))
      sums = true;
    if (n.op == Op::kShift) has[kShift] = true;
    if (n.op == Op::kScan) has[ir::is_affine(graph, graph.scans[n.index]) ? kRecurrence : kNonlinear] = true;
  }
  has[sums && exponential ? kAttention : kPairs] = sums;
  static constexpr std::array<const char*, 5> kNames{"attention", "pairs", "recurrence",
                                                     "nonlinear recurrence", "shift"};
  std::string out;
  for (std::size_t i = 0; i < has.size(); ++i)
    if (has[i]) out += (out.empty() ? "" : " + ") + std::string(kNames[i]);
  return out.empty() ? "none" : out;
}

namespace {

std::uint64_t label(const lang::Expr& e) {
  const std::string text = e.kind == lang::Expr::Kind::kNumber ? std::to_string(e.number) : e.text;
  return mix(static_cast<std::uint64_t>(e.kind), hash64(text));
}

void add(const lang::Expr& e, Shape& out) {
  std::uint64_t h = label(e);
  for (std::size_t i = 0; i < e.args.size(); ++i) {
    h = mix(h, label(e.args[i]));
    if (i < e.keywords.size()) h = mix(h, hash64(e.keywords[i]));
    add(e.args[i], out);
  }
  out.push_back(h);
}

void add(const std::vector<lang::Stmt>& body, Shape& out) {
  for (const lang::Stmt& s : body) {
    for (const lang::Expr& e : s.values) add(e, out);
    add(s.body, out);
  }
}

}  // namespace

Shape shape_of(const lang::Program& program) {
  Shape out;
  for (const lang::Item& item : program.items) {
    if (const auto* unit = std::get_if<lang::Unit>(&item.value)) add(unit->body, out);
    if (const auto* design = std::get_if<lang::Design>(&item.value)) {
      add(design->stack, out);
      for (const auto& share : design->shares) add(share.instance, out);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

double distance(const Shape& a, const Shape& b) {
  std::size_t common = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j])
      ++common, ++i, ++j;
    else if (a[i] < b[j])
      ++i;
    else
      ++j;
  }
  const std::size_t all = a.size() + b.size() - common;
  return all == 0 ? 0 : 1 - static_cast<double>(common) / static_cast<double>(all);
}

}  // namespace gabbro::evolve
