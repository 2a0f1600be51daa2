#include "exec/reference/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "base/hash.h"
#include "exec/reference/reference.h"
#include "exec/reference/work.h"
#include "ir/builder.h"
#include "ir/gradient.h"

namespace gabbro::exec {

namespace {

using ir::NodeId;
using ir::Op;

// Of vectors; of matrices it is divided by their fan-in, and decay acts on matrices and tables, as in training (exec/model.h).
constexpr double kRate = 0.02, kDecay = 0.1, kBaseFanIn = 8;
// Rounding in float64 over the depth of a design; float32, in which it is trained, sees no difference below 6e-8.
// Each update amplifies it.
constexpr double kRounding = 1e-11, kAmplified = 10;

// Uniform in [-1.7, 1.7), of deviation 1, from a hash.
double unit_value(std::uint64_t hash) {
  return std::sqrt(3.0) * (static_cast<double>(hash >> 11) * 0x1.0p-52 - 1);
}

double deviation(const ir::Graph& graph, const ir::Param& param) {
  if (param.init.a != 0) return param.init.a;
  if (param.fan_in.empty()) return 0.02;
  const auto fan_in = static_cast<double>(ir::elements(graph, param.fan_in));
  return param.role == ir::Role::kOutput ? 1 / fan_in : 1 / std::sqrt(fan_in);
}

// Elements whose values do not depend on the order of the axes: each index adds to the hash by its axis' size and part. `rank` tells
// parameters of one shape apart.
Tensor canonical_start(const ir::Graph& graph, const ir::Param& param, std::uint64_t rank) {
  Tensor x = zeros(graph, param.axes, 0);
  double centre = param.init.a, spread = 0;
  if (param.init.kind == ir::Init::Kind::kNormal) centre = 0, spread = deviation(graph, param);
  if (param.init.kind == ir::Init::Kind::kUniform)
    centre = (param.init.a + param.init.b) / 2, spread = (param.init.b - param.init.a) / std::sqrt(12.0);
  std::vector<std::int64_t> index(x.dims.size(), 0);
  for (double& v : x.data) {
    std::uint64_t sum = mix(rank, static_cast<std::uint64_t>(param.init.kind));
    for (std::size_t d = 0; d < index.size(); ++d) {
      const ir::AxisId axis = x.axes[static_cast<int>(d)];
      sum += mix(mix(static_cast<std::uint64_t>(x.dims[d]), param.fan_in.contains(axis) ? 1 : 2),
                 static_cast<std::uint64_t>(index[d]));
    }
    v = spread == 0 ? centre : centre + spread * unit_value(mix(sum, 0x5eed));
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == x.dims[d];) index[d] = 0;
  }
  return x;
}

// The model with its loss' gradient: input 0 is 1 at each position's target, else 0.
struct Differentiated {
  ir::Graph graph;
  std::vector<NodeId> wanted;       // logits, then the gradients
  std::vector<std::size_t> owners;  // the parameter of each gradient
  ir::Type logits;

  Differentiated(const ir::Graph& model, std::int64_t length) : graph(model) {
    ir::Builder b(graph, 0);
    const NodeId out = graph.bodies[0].outputs[0];
    logits = b.type(out);
    ir::AxisList vocab;
    for (const ir::AxisId axis : logits.axes)
      if (axis != ir::kTime) vocab.push_back(axis);
    const std::size_t nodes = graph.bodies[0].nodes.size();
    std::vector<NodeId> wrt;
    const std::vector<bool> live = ir::live_nodes(graph, 0, graph.bodies[0].outputs);
    for (std::size_t id = 0; id < nodes; ++id)
      if (const ir::Node& node = graph.bodies[0].nodes[id]; node.op == Op::kParam && live[id]) {
        wrt.push_back(static_cast<NodeId>(id));
        owners.push_back(static_cast<std::size_t>(node.index));
      }
    const NodeId target = b.add({.op = Op::kInput, .type = logits, .index = 0});
    const NodeId top = b.fit(b.add({.op = Op::kMaxOver, .in = {out, -1, -1}, .axes = vocab}), logits);
    const NodeId e = b.unary(Op::kExp, b.minus(out, top));
    const NodeId share = b.times(e, b.fit(b.unary(Op::kRecip, b.sum(e, vocab)), logits));
    const NodeId seed = b.scale(b.minus(share, target), 1 / static_cast<double>(length));
    const std::vector<NodeId> outputs{out}, seeds{seed};
    wanted = ir::differentiate(b, outputs, seeds, wrt);
    wanted.insert(wanted.begin(), out);
  }
};

class Tracer {
 public:
  Tracer(const ir::Graph& model, const TraceOptions& options)
      : model_(model), options_(options), d_(model, options.length) {
    const auto vocab = std::max<std::int64_t>(2, std::llround(model.env.vocab));
    for (std::int64_t t = 0; t < options.length; ++t)
      feed_.tokens.push_back(token(t, vocab)), targets_.push_back(token(t + 1, vocab));
    Tensor one = zeros(d_.graph, d_.logits.axes, options.length);
    for (std::int64_t t = 0; t < options.length; ++t)
      one.data[static_cast<std::size_t>(t * vocab + targets_[static_cast<std::size_t>(t)])] = 1;
    feed_.inputs.push_back(std::move(one));
    for (const ir::Param& param : model.params) feed_.params.push_back(canonical_start(model, param, 0));
  }

  std::optional<Trace> run() {
    const Work work = work_of(d_.graph, d_.wanted, options_.length);
    if (work.operations > options_.operations || work.elements > options_.operations / 8) return {};
    std::vector<bool> trained(model_.params.size(), false);
    for (const std::size_t p : d_.owners) trained[p] = true;
    for (std::size_t p = 0; p < trained.size(); ++p)
      if (trained[p]) ++out_.params, out_.elements += feed_.params[p].data.size();
    if (!draw_apart()) return {};
    for (int update = 0; update <= options_.updates; ++update) {
      const bool forward = update == options_.updates && options_.updates <= 1;
      const std::vector<Tensor> values = evaluate(
          forward ? model_ : d_.graph,
          forward ? std::span<const NodeId>(model_.bodies[0].outputs) : std::span<const NodeId>(d_.wanted),
          feed_, options_.length);
      if (!see(values[0].data)) return {};
      if (!forward && !advance(values)) return {};
    }
    return std::move(out_);
  }

 private:
  static std::int64_t token(std::int64_t t, std::int64_t vocab) {
    return static_cast<std::int64_t>(mix(0x7e27, static_cast<std::uint64_t>(t)) %
                                     static_cast<std::uint64_t>(vocab));
  }

  // Random parameters of one shape start at different values, as in training. Which gets which follows from their gradients while they
  // are all the same: from what they do, not from their names. Those that this does not tell apart go by their order.
  bool draw_apart() {
    const std::vector<Tensor> values = evaluate(d_.graph, d_.wanted, feed_, options_.length);
    std::vector<double> sizes(model_.params.size(), 0);
    for (std::size_t i = 0; i < d_.owners.size(); ++i)
      for (const double g : values[i + 1].data) sizes[d_.owners[i]] += g * g;
    std::map<std::vector<std::uint64_t>, std::vector<std::size_t>> alike;
    for (const std::size_t p : d_.owners) {
      if (!std::isfinite(sizes[p])) return false;
      if (model_.params[p].init.kind != ir::Init::Kind::kConstant)
        alike[shape_of(model_.params[p])].push_back(p);
    }
    for (auto& [shape, members] : alike) {
      std::stable_sort(members.begin(), members.end(),
                       [&](std::size_t a, std::size_t b) { return rounded(sizes[a]) > rounded(sizes[b]); });
      for (std::size_t rank = 1; rank < members.size(); ++rank)
        feed_.params[members[rank]] = canonical_start(model_, model_.params[members[rank]], rank);
    }
    return true;
  }

  // To seven digits of its logarithm: rounding of sums decides no order.
  static double rounded(double v) { return static_cast<float>(std::log(v + 1e-300)); }

  [[nodiscard]] std::vector<std::uint64_t> shape_of(const ir::Param& param) const {
    std::vector<std::uint64_t> out;
    for (const ir::AxisId axis : param.axes)
      out.push_back(2 * static_cast<std::uint64_t>(model_.axes[axis].size) +
                    (param.fan_in.contains(axis) ? 1 : 0));
    std::sort(out.begin(), out.end());
    for (const double v : {static_cast<double>(param.init.kind), param.init.a, param.init.b})
      out.push_back(std::bit_cast<std::uint64_t>(v));
    return out;
  }

  bool see(const std::vector<double>& logits) {
    const std::size_t vocab = logits.size() / targets_.size();
    double loss = 0;
    for (std::size_t t = 0; t < targets_.size(); ++t) {
      const double* row = logits.data() + t * vocab;
      const double top = *std::max_element(row, row + vocab);
      double sum = 0;
      for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(row[v] - top);
      loss += top + std::log(sum) - row[targets_[t]];
    }
    out_.losses.push_back(loss / static_cast<double>(targets_.size()));
    out_.logits.push_back(logits);
    return std::isfinite(loss);
  }

  bool advance(const std::vector<Tensor>& values) {
    double squares = 0;
    for (std::size_t i = 0; i < d_.owners.size(); ++i)
      for (const double g : values[i + 1].data) squares += g * g;
    if (!std::isfinite(squares)) return false;
    out_.norms.push_back(std::sqrt(squares));
    const double typical = std::sqrt(squares / static_cast<double>(out_.elements)) + 1e-300;
    for (std::size_t i = 0; i < d_.owners.size(); ++i) {
      const ir::Param& param = model_.params[d_.owners[i]];
      const bool matrix = !param.fan_in.empty();
      const double rate =
          matrix ? kRate * kBaseFanIn / static_cast<double>(ir::elements(model_, param.fan_in)) : kRate;
      const double keep = matrix || param.role == ir::Role::kInput ? 1 - rate * kDecay : 1;
      std::vector<double>& x = feed_.params[d_.owners[i]].data;
      for (std::size_t k = 0; k < x.size(); ++k) {
        const double g = values[i + 1].data[k];
        x[k] = keep * x[k] - rate * g / (std::abs(g) + typical);
      }
    }
    return true;
  }

  const ir::Graph& model_;
  TraceOptions options_;
  Differentiated d_;
  Feed feed_;
  std::vector<std::int64_t> targets_;
  Trace out_;
};

}  // namespace

std::optional<Trace> trace(const ir::Graph& graph, const TraceOptions& options) {
  return Tracer(graph, options).run();
}

std::string difference(const Trace& a, const Trace& b) {
  if (a.params != b.params || a.elements != b.elements)
    return fmt::format("{} parameters of {} elements, {} of {}", a.params, a.elements, b.params, b.elements);
  for (std::size_t k = 0; k < a.logits.size(); ++k) {
    if (k >= b.logits.size() || a.logits[k].size() != b.logits[k].size()) return "texts of different lengths";
    double size = 1e-300, most = 0;
    for (std::size_t i = 0; i < a.logits[k].size(); ++i) {
      size = std::max({size, std::abs(a.logits[k][i]), std::abs(b.logits[k][i])});
      most = std::max(most, std::abs(a.logits[k][i] - b.logits[k][i]));
    }
    if (!(most <= kRounding * std::pow(kAmplified, k) * size))
      return fmt::format("logits after {} updates differ by {:.3g} of {:.3g}", k, most, size);
  }
  for (std::size_t k = 0; k < a.norms.size() && k < b.norms.size(); ++k)
    if (!(std::abs(a.norms[k] - b.norms[k]) <=
          kRounding * std::pow(kAmplified, k) * std::max(a.norms[k], b.norms[k])))
      return fmt::format("norms of gradient {} differ: {:.17g}, {:.17g}", k, a.norms[k], b.norms[k]);
  return "";
}

std::string summary(const Trace& trace) {
  std::string out = fmt::format("{}/{}", trace.params, trace.elements);
  for (const double loss : trace.losses) out += fmt::format(" {:.5e}", loss);
  for (const double norm : trace.norms) out += fmt::format(" {:.5e}", norm);
  for (int k = 0; k < 2; ++k) {
    double sum = 0;
    const std::vector<double>& x = trace.logits.front();
    for (std::size_t i = 0; i < x.size(); ++i)
      sum += x[i] * unit_value(mix(0x90, 2 * i + static_cast<std::size_t>(k)));
    out += fmt::format(" {:.5e}", sum);
  }
  return out;
}

}  // namespace gabbro::exec
