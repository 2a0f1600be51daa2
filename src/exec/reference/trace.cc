#include "exec/reference/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "base/hash.h"
#include "exec/reference/predicted_cost.h"
#include "exec/reference/reference.h"
#include "ir/builder.h"
#include "ir/gradient.h"

namespace gabbro::exec {

namespace {

using ir::NodeId;
using ir::Op;

// Learning rate of vectors; matrices get the rate times kBaseFanIn / fan-in. Weight decay acts on matrices
// and input tables, as in training (exec/model.h).
constexpr double kRate = 0.02, kDecay = 0.1, kBaseFanIn = 8;
// Tolerance for rounding in float64 through the depth of a design, and the factor by which each update
// amplifies it. Differences below 6e-8 have no effect in float32, in which the design is trained.
constexpr double kRounding = 1e-11, kAmplified = 10;

// Distances of the points that are farther from the initialisation than training goes: factors of standard
// deviations and shifts of constants, each with both signs.
constexpr std::array<double, 6> kScales = {0.3, -0.3, 3, -3, 30, -30};
// A value that moves by less than this in the first updates counts as not moved. The limit is above what
// rounding leaves of gradients that cancel.
constexpr double kUnmoved = 1e-6 * kRate;
// Relative change of the parameters that simulates the rounding of an op. The allowed difference is kAllowed
// times the effect of this change.
constexpr double kPerturbation = 1e-13, kAllowed = 10;
constexpr double kTiny = 1e-300;  // a divisor in place of 0

// Constants in calls of mix tell the streams of pseudo-random numbers apart.

// Maps a hash to a uniform value in [-1.7, 1.7), with standard deviation 1.
double unit_value(std::uint64_t hash) {
  return std::sqrt(3.0) * (static_cast<double>(hash >> 11) * 0x1.0p-52 - 1);
}

// Returns the standard deviation of a normal initialisation.
double deviation(const ir::Graph& graph, const ir::Param& param) {
  constexpr double kVectorDeviation = 0.02;
  if (param.init.a != 0) return param.init.a;
  if (param.fan_in.empty()) return kVectorDeviation;
  const auto fan_in = static_cast<double>(ir::elements(graph, param.fan_in));
  return param.role == ir::Role::kOutput ? 1 / fan_in : 1 / std::sqrt(fan_in);
}

// Calls f(value, hash) for each element. The hash does not depend on the order of the axes: it is a sum to
// which each index contributes by its axis' size and role. `rank` distinguishes parameters of the same shape.
template <class F>
void for_each_element(const ir::Param& param, std::uint64_t rank, Tensor& x, const F& f) {
  std::vector<std::int64_t> index(x.dims.size(), 0);
  for (double& v : x.data) {
    std::uint64_t sum = mix(rank, static_cast<std::uint64_t>(param.init.kind));
    for (std::size_t d = 0; d < index.size(); ++d) {
      const ir::AxisId axis = x.axes[static_cast<int>(d)];
      sum += mix(mix(static_cast<std::uint64_t>(x.dims[d]), param.fan_in.contains(axis) ? 1 : 2),
                 static_cast<std::uint64_t>(index[d]));
    }
    f(v, sum);
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == x.dims[d];) index[d] = 0;
  }
}

// The initialisation of a parameter: a constant (spread 0), or random around a centre.
struct Start {
  double centre = 0, spread = 0;
};

Start start_of(const ir::Graph& graph, const ir::Param& param) {
  const ir::Init& init = param.init;
  if (init.kind == ir::Init::Kind::kNormal) return {0, deviation(graph, param)};
  if (init.kind == ir::Init::Kind::kUniform)
    return {(init.a + init.b) / 2, (init.b - init.a) / std::sqrt(12.0)};
  return {init.a, 0};
}

Tensor canonical_start(const ir::Graph& graph, const ir::Param& param, std::uint64_t rank) {
  Tensor x = zeros(graph, param.axes, 0);
  const Start start = start_of(graph, param);
  for_each_element(param, rank, x, [&](double& v, std::uint64_t hash) {
    v = start.spread == 0 ? start.centre : start.centre + start.spread * unit_value(mix(hash, 0x5eed));
  });
  return x;
}

// Maps a hash to a value with a random sign and an absolute value between 0.5 and 1.5.
double signed_value(std::uint64_t hash) {
  return (hash & 1 ? 1 : -1) * (0.5 + static_cast<double>(hash >> 11) * 0x1.0p-53);
}

// Moves a parameter to a point far from its initialisation. On entry `x` holds it after some updates. A
// parameter that started at zero has moved to one side; it goes farther to that side, or to the other. A
// design that uses the same parameter with the opposite sign therefore goes to the mirrored point.
void move_far(const ir::Graph& graph, const ir::Param& param, std::uint64_t rank, double scale, Tensor& x) {
  const Start start = start_of(graph, param);
  const auto draw = static_cast<std::uint64_t>(std::abs(scale) * 10);
  for_each_element(param, rank, x, [&](double& v, std::uint64_t hash) {
    const double far = signed_value(mix(hash, mix(0xfa7, draw)));
    if (start.spread != 0)
      v = start.centre + std::copysign(std::max(1.0, std::abs(scale)), scale) * start.spread * far;
    else if (start.centre != 0)
      v = start.centre + scale * std::max(1.0, std::abs(start.centre)) * far;
    else
      v = (v < -kUnmoved ? -scale : scale) * far;
  });
}

// The model with the gradient of its loss. Input 0 is 1 at each position's target, else 0.
struct Differentiated {
  ir::Graph graph;
  std::vector<NodeId> wanted;  // logits, then the gradients
  std::vector<std::size_t> parameter_of_gradient;
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
        parameter_of_gradient.push_back(static_cast<std::size_t>(node.index));
      }
    const NodeId target = b.add({.op = Op::kInput, .type = logits, .index = 0});
    const NodeId top = b.fit(b.add({.op = Op::kMaxOver, .in = {out, -1, -1}, .axes = vocab}), logits);
    const NodeId e = b.unary(Op::kExp, b.minus(out, top));
    const NodeId probabilities = b.times(e, b.fit(b.unary(Op::kRecip, b.sum(e, vocab)), logits));
    const NodeId seed = b.scale(b.minus(probabilities, target), 1 / static_cast<double>(length));
    const std::vector<NodeId> outputs{out}, seeds{seed};
    wanted = ir::differentiate(b, outputs, seeds, wrt);
    wanted.insert(wanted.begin(), out);
  }
};

class Tracer {
 public:
  Tracer(const ir::Graph& model, const TraceOptions& options)
      : model_(model),
        options_(options),
        d_(model, options.length),
        ranks_(model.params.size(), 0),
        sizes_(model.params.size()) {
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
    const PredictedCost cost = predict_cost(d_.graph, d_.wanted, options_.length);
    if (cost.operations > options_.operations || cost.peak_elements > options_.operations / 8) return {};
    if (!draw_distinct_values()) return {};
    std::optional<Trace> out = train(options_.updates);
    if (!out || !options_.far) return out;
    const std::vector<Tensor> trained = feed_.params;
    rank_constants();
    for (const double scale : kScales)
      for (const bool perturbed : {false, true}) out->far.push_back(trace_far(trained, scale, perturbed));
    return out;
  }

 private:
  static std::int64_t token(std::int64_t t, std::int64_t vocab) {
    return static_cast<std::int64_t>(mix(0x7e27, static_cast<std::uint64_t>(t)) %
                                     static_cast<std::uint64_t>(vocab));
  }

  // Trains from the current parameters. Returns nothing if something is not finite.
  std::optional<Trace> train(int updates) {
    Trace out;
    out.positions = targets_.size();
    out.params = d_.parameter_of_gradient.size();
    for (const std::size_t p : d_.parameter_of_gradient) out.elements += feed_.params[p].data.size();
    for (int update = 0; update <= updates; ++update) {
      const bool forward = update == updates && updates <= 1;
      const std::vector<Tensor> values = evaluate(
          forward ? model_ : d_.graph,
          forward ? std::span<const NodeId>(model_.bodies[0].outputs) : std::span<const NodeId>(d_.wanted),
          feed_, options_.length);
      if (!record_logits(values[0].data, out)) return {};
      if (!forward && !update_parameters(values, out)) return {};
    }
    return out;
  }

  // Traces one update from a point far from the initialisation. The result is empty if something is not
  // finite there. If `perturbed` is true, the point is shifted by about as much as rounding does.
  Trace trace_far(const std::vector<Tensor>& trained, double scale, bool perturbed) {
    feed_.params = trained;
    for (const std::size_t p : d_.parameter_of_gradient) {
      Tensor& x = feed_.params[p];
      move_far(model_, model_.params[p], ranks_[p], scale, x);
      if (perturbed)
        for_each_element(model_.params[p], ranks_[p], x, [](double& v, std::uint64_t hash) {
          v *= 1 + kPerturbation * unit_value(mix(hash, 0x70d));
        });
    }
    return train(1).value_or(Trace{});
  }

  // Gives random parameters of the same shape different initial values, as in training. Which parameter gets
  // which values follows from their gradients while all have the same values, so it depends on their function
  // and not on their names. Parameters with equal gradients are taken in their order.
  bool draw_distinct_values() {
    const std::vector<Tensor> values = evaluate(d_.graph, d_.wanted, feed_, options_.length);
    if (!append_gradient_sizes(values)) return false;
    for (const auto& members : groups_of_equal_shape(/*random=*/true))
      for (std::size_t rank = 1; rank < members.size(); ++rank) {
        ranks_[members[rank]] = rank;
        feed_.params[members[rank]] = canonical_start(model_, model_.params[members[rank]], rank);
      }
    return true;
  }

  // Ranks constant parameters of the same shape by their gradients, so that they differ far from the
  // initialisation, where they would otherwise be equal. Those with equal gradients do the same and stay
  // equal.
  void rank_constants() {
    for (const auto& members : groups_of_equal_shape(/*random=*/false))
      for (std::size_t i = 1; i < members.size(); ++i)
        ranks_[members[i]] = sizes_[members[i]] == sizes_[members[i - 1]] ? ranks_[members[i - 1]] : i;
  }

  // Returns the trained parameters (random or constant ones) in groups of the same shape and initialisation,
  // each sorted by descending gradients.
  [[nodiscard]] std::vector<std::vector<std::size_t>> groups_of_equal_shape(bool random) const {
    std::map<std::vector<std::uint64_t>, std::vector<std::size_t>> groups;
    for (const std::size_t p : d_.parameter_of_gradient)
      if ((model_.params[p].init.kind != ir::Init::Kind::kConstant) == random)
        groups[shape_of(model_.params[p])].push_back(p);
    std::vector<std::vector<std::size_t>> out;
    for (auto& [shape, members] : groups) {
      std::stable_sort(members.begin(), members.end(),
                       [&](std::size_t a, std::size_t b) { return sizes_[a] > sizes_[b]; });
      out.push_back(std::move(members));
    }
    return out;
  }

  // Appends each parameter's share of the squared gradient to its sizes. Returns false if a gradient is not
  // finite.
  bool append_gradient_sizes(const std::vector<Tensor>& values) {
    std::vector<double> squares(d_.parameter_of_gradient.size(), 0);
    for (std::size_t i = 0; i < squares.size(); ++i)
      for (const double g : values[i + 1].data) squares[i] += g * g;
    const double all = std::accumulate(squares.begin(), squares.end(), kTiny);
    for (std::size_t i = 0; i < squares.size(); ++i)
      sizes_[d_.parameter_of_gradient[i]].push_back(rounded(squares[i] / all));
    return std::isfinite(all);
  }

  // Rounds the logarithm of the share to seven digits, so that neither the rounding of sums nor the rounding
  // residue of a gradient that cancels decides the order.
  static double rounded(double share) { return static_cast<float>(std::log(share + 1e-24)); }

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

  // Appends the logits and their mean loss. Returns false if the loss is not finite.
  bool record_logits(const std::vector<double>& logits, Trace& out) const {
    const std::size_t vocab = logits.size() / targets_.size();
    double loss = 0;
    for (std::size_t t = 0; t < targets_.size(); ++t) {
      const double* row = logits.data() + t * vocab;
      const double top = *std::max_element(row, row + vocab);
      double sum = 0;
      for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(row[v] - top);
      loss += top + std::log(sum) - row[targets_[t]];
    }
    out.losses.push_back(loss / static_cast<double>(targets_.size()));
    out.logits.push_back(logits);
    return std::isfinite(loss);
  }

  // Appends the norm of the gradient and updates the parameters. Returns false if a gradient is not finite.
  bool update_parameters(const std::vector<Tensor>& values, Trace& out) {
    if (!append_gradient_sizes(values)) return false;
    double squares = 0;
    for (std::size_t i = 0; i < d_.parameter_of_gradient.size(); ++i)
      for (const double g : values[i + 1].data) squares += g * g;
    out.norms.push_back(std::sqrt(squares));
    const double typical = std::sqrt(squares / static_cast<double>(out.elements)) + kTiny;
    for (std::size_t i = 0; i < d_.parameter_of_gradient.size(); ++i) {
      const ir::Param& param = model_.params[d_.parameter_of_gradient[i]];
      const bool matrix = !param.fan_in.empty();
      const double rate =
          matrix ? kRate * kBaseFanIn / static_cast<double>(ir::elements(model_, param.fan_in)) : kRate;
      const double keep = matrix || param.role == ir::Role::kInput ? 1 - rate * kDecay : 1;
      std::vector<double>& x = feed_.params[d_.parameter_of_gradient[i]].data;
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
  std::vector<std::uint64_t> ranks_;        // rank of each parameter among those of its shape
  std::vector<std::vector<double>> sizes_;  // size of each parameter's gradient in all passes, rounded
};

// A trace from a point far from the initialisation, and one from a point moved by about as much as rounding
// does.
struct Far {
  const Trace &here, &perturbed;
  [[nodiscard]] bool is_finite() const { return !here.logits.empty() && !perturbed.logits.empty(); }
};

// Rounding is amplified from position to position. The allowed difference at a position therefore follows
// from the effect of the small move on the logits up to that position.
std::string far_difference(const Far& a, const Far& b) {
  for (std::size_t k = 0; k < 2; ++k) {
    const std::vector<double>&x = a.here.logits[k], &y = b.here.logits[k];
    const std::size_t vocab = x.size() / a.here.positions;
    double size = kTiny, rounding = 0;
    for (std::size_t i = 0; i < x.size(); ++i) size = std::max({size, std::abs(x[i]), std::abs(y[i])});
    for (std::size_t t = 0; t < a.here.positions; ++t) {
      double most = 0;
      for (std::size_t i = t * vocab; i < (t + 1) * vocab; ++i) {
        most = std::max(most, std::abs(x[i] - y[i]));
        rounding = std::max(
            {rounding, std::abs(x[i] - a.perturbed.logits[k][i]), std::abs(y[i] - b.perturbed.logits[k][i])});
      }
      if (!(most <= kRounding * std::pow(kAmplified, k) * size + kAllowed * rounding))
        return fmt::format("logits at position {} after {} updates differ by {:.3g} of {:.3g}", t, k, most,
                           size);
    }
  }
  const double n = a.here.norms[0], m = b.here.norms[0];
  const double rounding = std::max(std::abs(n - a.perturbed.norms[0]), std::abs(m - b.perturbed.norms[0]));
  if (!(std::abs(n - m) <= kRounding * kAmplified * std::max(n, m) + kAllowed * rounding))
    return fmt::format("norms of the gradient differ: {:.17g}, {:.17g}", n, m);
  return "";
}

// A point at which only one of the designs overflows is skipped: exp(x) / sum(exp(x)) may be another way to
// compute the same function. At least one point must be finite in both.
std::string far_difference(const Trace& a, const Trace& b) {
  bool compared = false;
  for (std::size_t i = 0; i < kScales.size(); ++i) {
    const Far x{a.far[2 * i], a.far[2 * i + 1]}, y{b.far[2 * i], b.far[2 * i + 1]};
    if (!x.is_finite() || !y.is_finite()) continue;
    if (const std::string why = far_difference(x, y); !why.empty())
      return fmt::format("{} far from the start ({:g})", why, kScales[i]);
    compared = true;
  }
  return compared ? "" : "nowhere far from the start are both finite";
}

}  // namespace

std::optional<Trace> trace(const ir::Graph& graph, const TraceOptions& options) {
  return Tracer(graph, options).run();
}

std::string difference(const Trace& a, const Trace& b) {
  if (a.params != b.params || a.elements != b.elements)
    return fmt::format("{} parameters of {} elements, {} of {}", a.params, a.elements, b.params, b.elements);
  for (std::size_t k = 0; k < a.logits.size(); ++k) {
    if (k >= b.logits.size() || a.logits[k].size() != b.logits[k].size()) return "texts of different lengths";
    double size = kTiny, most = 0;
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
  return a.far.empty() || b.far.empty() ? "" : far_difference(a, b);
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
