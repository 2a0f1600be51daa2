#include "torch/agree.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/facts.h"
#include "ir/fuse.h"
#include "ir/gradient.h"
#include "zoo/library.h"

namespace gabbro::testing {

using exec::Feed;
using exec::Tensor;

lang::Elaboration elaborated(const lang::Program& program, const lang::Expr& instance, std::int64_t width) {
  lang::Library library = zoo::library();
  EXPECT_TRUE(library.add(program).empty());
  lang::ElaborateOptions options;
  options.width = width;
  lang::Elaboration e = lang::elaborate(library, instance, options);
  for (const Error& error : e.errors) ADD_FAILURE() << format_error("unit", error);
  return e;
}

Sequences random_sequences(const lang::Elaboration& e, int count, int length, std::uint64_t seed) {
  Sequences out;
  out.length = length;
  Random random(seed);
  std::vector<Tensor> params = exec::initial_params(e.graph, random);
  for (std::size_t p = 0; p < params.size(); ++p) {
    const bool constant = e.graph.params[p].init.kind == ir::Init::Kind::kConstant;
    for (double& v : params[p].data) v = (constant ? v : 0) + 0.3 * random.normal();
  }
  for (int i = 0; i < count; ++i) {
    Feed feed;
    feed.params = params;
    for (const ir::Node& node : e.graph.bodies[0].nodes) {
      if (node.op != ir::Op::kInput) continue;
      Tensor x = exec::zeros(e.graph, node.type.axes, length);
      for (double& v : x.data) v = random.normal();
      feed.inputs.push_back(std::move(x));
    }
    for (int t = 0; t < length; ++t)
      feed.tokens.push_back(random.below(static_cast<std::int64_t>(e.graph.env.vocab)));
    out.feeds.push_back(std::move(feed));
  }
  return out;
}

std::vector<ir::NodeId> with_gradients(lang::Elaboration& e, Sequences& sequences) {
  const auto inputs = static_cast<int>(sequences.feeds[0].inputs.size());
  Random random(11);
  for (const ir::NodeId output : e.outputs) {
    const ir::Type type = e.graph.node(0, output).type;
    for (Feed& feed : sequences.feeds) {
      Tensor c = exec::zeros(e.graph, type.axes, sequences.length);
      for (double& v : c.data) v = random.normal();
      feed.inputs.push_back(std::move(c));
    }
  }
  return gradient_nodes(e.graph, e.outputs, inputs);
}

std::vector<ir::NodeId> gradient_nodes(ir::Graph& graph, const std::vector<ir::NodeId>& outputs, int inputs) {
  ir::Builder builder(graph, 0);
  std::vector<ir::NodeId> seeds, wrt;
  for (std::size_t o = 0; o < outputs.size(); ++o)
    seeds.push_back(builder.add({.op = ir::Op::kInput,
                                 .type = graph.node(0, outputs[o]).type,
                                 .index = inputs + static_cast<std::int32_t>(o)}));
  for (std::size_t id = 0; id < graph.bodies[0].nodes.size(); ++id) {
    const ir::Node& node = graph.bodies[0].nodes[id];
    if (node.op == ir::Op::kParam || (node.op == ir::Op::kInput && node.index < inputs))
      wrt.push_back(static_cast<ir::NodeId>(id));
  }
  std::vector<ir::NodeId> wanted = outputs;
  for (const ir::NodeId id : ir::differentiate(builder, outputs, seeds, wrt)) wanted.push_back(id);
  return wanted;
}

namespace {

at::Tensor to_torch(const Tensor& x, at::ScalarType dtype) {
  std::vector<std::int64_t> sizes(x.dims.begin(), x.dims.end());
  return at::from_blob(const_cast<double*>(x.data.data()), sizes, at::kDouble)
      .to(dtype, false, /*copy=*/true);
}

// Returns the elements of a tensor in row-major order.
std::vector<double> elements_of(const at::Tensor& x) {
  const at::Tensor y = x.to(at::kDouble).contiguous();
  return {y.data_ptr<double>(), y.data_ptr<double>() + y.numel()};
}

// Returns "" or the first difference. NaN equals NaN. The tolerance is that of `disagreement`.
std::string difference(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
  if (got.size() != want.size()) return fmt::format("{} elements instead of {}", got.size(), want.size());
  double largest = 1;
  for (const double v : want)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    if (!(std::abs(got[i] - want[i]) <= tolerance * largest))
      return fmt::format("element {} of {} is {} instead of {}", i, got.size(), got[i], want[i]);
  }
  return "";
}

// The values of the reference.
struct Expected {
  std::vector<std::vector<Tensor>> values;  // by sequence, then by node
};

Expected reference(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted, const Sequences& s) {
  Expected out;
  for (const Feed& feed : s.feeds) out.values.push_back(exec::evaluate(graph, wanted, feed, s.length));
  return out;
}

std::vector<at::Tensor> params_of(const Sequences& s, at::ScalarType dtype) {
  std::vector<at::Tensor> out;
  for (const Tensor& p : s.feeds[0].params) out.push_back(to_torch(p, dtype));
  return out;
}

// Combines the inputs and tokens of all sequences: as a batch, or (`packed`) joined along time as documents
// of one sequence.
exec::torch::Batch batch_of(const Sequences& s, at::ScalarType dtype, bool packed) {
  exec::torch::Batch out;
  std::vector<at::Tensor> tokens, starts;
  for (std::size_t k = 0; k < s.feeds.size(); ++k) {
    tokens.push_back(at::tensor(s.feeds[k].tokens, at::kLong).unsqueeze(0));
    starts.push_back(
        at::full({1, s.length}, static_cast<double>(k) * static_cast<double>(s.length), at::kLong));
  }
  out.tokens = at::cat(tokens, packed ? 1 : 0);
  for (std::size_t i = 0; i < s.feeds[0].inputs.size(); ++i) {
    std::vector<at::Tensor> list;
    for (const Feed& feed : s.feeds) list.push_back(to_torch(feed.inputs[i], dtype).unsqueeze(0));
    out.inputs.push_back(at::cat(list, packed ? 1 : 0));
  }
  if (packed) out.starts = at::cat(starts, 1);
  return out;
}

// Returns "" or the first difference of the torch backend from `want`.
std::string compare(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted, const Expected& want,
                    const Sequences& s, at::ScalarType dtype, double tolerance, bool packed) {
  // In double precision the blocks are small, so that even short sequences have several.
  const std::int64_t block = dtype == at::kDouble ? (packed ? 3 : 2) : 0;
  exec::torch::Executor executor(graph, wanted, {.dtype = dtype, .block = block});
  std::vector<at::Tensor> got;
  try {
    got = executor.run(params_of(s, dtype), batch_of(s, dtype, packed));
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  for (std::size_t n = 0; n < wanted.size(); ++n) {
    const ir::Type& type = graph.node(0, wanted[n]).type;
    const auto located = [&](std::size_t k, const std::string& difference_text) {
      return difference_text.empty() ? difference_text
                                     : fmt::format("value {} of {} ({}), sequence {}: {}", n, wanted.size(),
                                                   graph.type_name(type), k, difference_text);
    };
    if (!type.time()) {
      std::vector<double> sum(want.values[0][n].data.size(), 0);
      for (const auto& values : want.values)
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[n].data[i];
      if (const std::string d = located(0, difference(elements_of(got[n]), sum, tolerance)); !d.empty())
        return d;
      continue;
    }
    for (std::size_t k = 0; k < s.feeds.size(); ++k) {
      const auto from = static_cast<std::int64_t>(k) * s.length;
      at::Tensor part = packed ? got[n][0].narrow(0, from, s.length) : got[n][static_cast<std::int64_t>(k)];
      if (packed && type.past()) part = part.narrow(1, from, s.length);
      if (const std::string d = located(k, difference(elements_of(part), want.values[k][n].data, tolerance));
          !d.empty())
        return d;
    }
  }
  return "";
}

}  // namespace

std::string lowering_disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                                  const ir::Graph& lowered, const std::vector<ir::NodeId>& lowered_wanted,
                                  const Sequences& s, double double_tolerance, double float_tolerance) {
  const Expected want = reference(graph, wanted, s);
  for (const bool packed : {false, true})
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
      const double tolerance = dtype == at::kDouble ? double_tolerance : float_tolerance;
      if (tolerance <= 0) continue;
      const std::string d = compare(lowered, lowered_wanted, want, s, dtype, tolerance, packed);
      if (!d.empty()) return fmt::format("{}, {}: {}", packed ? "packed" : "batch", at::toString(dtype), d);
    }
  return "";
}

std::string disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted, const Sequences& s,
                         at::ScalarType dtype, double tolerance) {
  return compare(graph, wanted, reference(graph, wanted, s), s, dtype, tolerance, /*packed=*/false);
}

bool expect_agreement(lang::Elaboration e, int length) {
  constexpr int kSequences = 3;
  EXPECT_TRUE(e.ok());
  if (!e.ok()) return false;
  Sequences s = random_sequences(e, kSequences, length, 3);
  ir::Graph plain = e.graph;
  plain.bodies[0].outputs = e.outputs;
  ir::Graph fused = ir::fuse(plain);
  const auto nodes_of = [](const ir::Graph& graph) {
    std::vector<ir::Op> out;
    for (const ir::Node& node : graph.bodies[0].nodes) out.push_back(node.op);
    return out;
  };
  const bool has_fused = nodes_of(fused) != nodes_of(plain);
  EXPECT_TRUE(ir::verify(fused).has_value());
  const auto inputs = static_cast<int>(s.feeds[0].inputs.size());
  const std::vector<ir::NodeId> wanted = with_gradients(e, s),
                                fused_wanted =
                                    gradient_nodes(fused, std::vector(fused.bodies[0].outputs), inputs);
  const auto agree = [&](const ir::Graph& graph, const std::vector<ir::NodeId>& nodes, const char* what) {
    EXPECT_EQ(lowering_disagreement(e.graph, wanted, graph, nodes, s, kDoubleTolerance, 0), "") << what;
    // In single precision, some random values are ill-conditioned (a norm of nearly zero). A wrong kernel is
    // wrong for all values, so others are tried.
    std::string violation = lowering_disagreement(e.graph, wanted, graph, nodes, s, 0, kFloatTolerance);
    for (std::uint64_t seed = 4; seed < 7 && !violation.empty(); ++seed) {
      Sequences other = random_sequences(e, kSequences, length, seed);
      for (std::size_t k = 0; k < other.feeds.size(); ++k)
        for (std::size_t i = other.feeds[k].inputs.size(); i < s.feeds[k].inputs.size(); ++i)
          other.feeds[k].inputs.push_back(s.feeds[k].inputs[i]);
      violation = lowering_disagreement(e.graph, wanted, graph, nodes, other, 0, kFloatTolerance);
    }
    EXPECT_EQ(violation, "") << what;
  };
  agree(e.graph, wanted, "as written");
  if (has_fused) agree(fused, fused_wanted, "fused");
  return has_fused;
}

}  // namespace gabbro::testing
