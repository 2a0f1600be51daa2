#include "zoo/harness.h"

#include "ir/facts.h"

namespace gabbro::testing {

UnitRun run(const std::string& instance, int width, int length, std::uint64_t seed) {
  UnitRun out;
  out.length = length;
  out.width = width;
  const auto expr = lang::parse_expression(instance);
  EXPECT_TRUE(expr.has_value()) << instance;
  lang::ElaborateOptions options;
  options.width = width;
  out.elaboration = lang::elaborate(zoo::library(), *expr, options);
  for (const Error& e : out.elaboration.errors) ADD_FAILURE() << format_error(instance, e);
  if (!out.elaboration.ok()) return out;
  const ir::Graph& graph = out.elaboration.graph;
  const auto verified = ir::verify(graph);
  EXPECT_TRUE(verified.has_value()) << (verified ? "" : verified.error().message);

  Random random(seed);
  out.feed.params = exec::initial_params(graph, random);
  for (std::size_t p = 0; p < graph.params.size(); ++p) {
    const bool constant = graph.params[p].init.kind == ir::Init::Kind::kConstant;
    for (double& v : out.feed.params[p].data) v = (constant ? v : 0) + 0.4 * random.normal();
  }
  exec::Tensor x = exec::zeros(graph, {ir::kTime, out.elaboration.width}, length);
  for (double& v : x.data) v = random.normal();
  out.feed.inputs = {x};
  const auto values = exec::evaluate(graph, out.elaboration.outputs, out.feed, length);
  const auto rows = [&](const exec::Tensor& t) {
    std::vector<std::vector<double>> m(length);
    for (int i = 0; i < length; ++i)
      m[i].assign(t.data.begin() + i * width, t.data.begin() + (i + 1) * width);
    return m;
  };
  out.x = rows(x);
  out.y = rows(values[0]);
  return out;
}

void expect_formula(const UnitRun& run, const std::function<std::vector<double>(int t)>& formula) {
  ASSERT_FALSE(run.y.empty());
  double size = 0;
  for (int t = 0; t < run.length; ++t) {
    const std::vector<double> want = formula(t);
    ASSERT_EQ(want.size(), run.y[t].size());
    for (int d = 0; d < run.width; ++d) {
      size += std::abs(want[d]);
      ASSERT_NEAR(run.y[t][d], want[d], 1e-9 * (1 + std::abs(want[d])))
          << "position " << t << ", channel " << d;
    }
  }
  EXPECT_GT(size, 1e-3) << "an output of zeros proves nothing";
}

}  // namespace gabbro::testing
