#include "zoo/properties.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/gradient.h"

namespace gabbro::testing {

using exec::Feed;
using exec::Tensor;

exec::Feed random_feed(const lang::Elaboration& e, int length, std::uint64_t seed) {
  Feed feed;
  Random random(seed);
  feed.params = exec::initial_params(e.graph, random);
  for (std::size_t p = 0; p < feed.params.size(); ++p) {
    const bool constant = e.graph.params[p].init.kind == ir::Init::Kind::kConstant;
    for (double& v : feed.params[p].data) v = (constant ? v : 0) + 0.3 * random.normal();
  }
  for (const ir::Node& node : e.graph.bodies[0].nodes) {
    if (node.op != ir::Op::kInput) continue;
    Tensor x = exec::zeros(e.graph, node.type.axes, length);
    for (double& v : x.data) v = random.normal();
    feed.inputs.push_back(std::move(x));
  }
  for (int t = 0; t < length; ++t)
    feed.tokens.push_back(random.below(static_cast<std::int64_t>(e.graph.env.vocab)));
  return feed;
}

namespace {

// Returns the values at position t of a tensor whose first axis is time.
Tensor row(const Tensor& x, std::int64_t t) {
  Tensor out = x;
  const std::int64_t size = static_cast<std::int64_t>(x.data.size()) / x.dims[0];
  out.dims[0] = 1;
  out.data.assign(x.data.begin() + t * size, x.data.begin() + (t + 1) * size);
  return out;
}

// Returns the first `count` positions of a tensor.
Tensor rows(const Tensor& x, std::int64_t count) {
  Tensor out = x;
  out.data.resize(x.data.size() / static_cast<std::size_t>(x.dims[0]) * static_cast<std::size_t>(count));
  out.dims[0] = count;
  return out;
}

}  // namespace

void expect_step_equals_parallel(const lang::Elaboration& e, int length) {
  const Feed feed = random_feed(e, length, 3);
  const std::vector<Tensor> whole = exec::evaluate(e.graph, e.outputs, feed, length);
  exec::Stepper stepper(e.graph, e.outputs, feed.params);
  for (int t = 0; t < length; ++t) {
    Feed one;
    one.tokens = {feed.tokens[t]};
    for (const Tensor& x : feed.inputs) one.inputs.push_back(row(x, t));
    const std::vector<Tensor> now = stepper.step(one);
    for (std::size_t o = 0; o < whole.size(); ++o) {
      const Tensor want = row(whole[o], t);
      ASSERT_EQ(now[o].data.size(), want.data.size());
      for (std::size_t i = 0; i < want.data.size(); ++i)
        ASSERT_NEAR(now[o].data[i], want.data[i], 1e-9 * (1 + std::abs(want.data[i]))) << "position " << t;
    }
  }
}

void expect_causal(const lang::Elaboration& e, int length) {
  const Feed feed = random_feed(e, length, 5);
  const std::vector<Tensor> whole = exec::evaluate(e.graph, e.outputs, feed, length);
  const int keep = length / 2;
  Feed prefix = feed, changed = feed;
  prefix.tokens.resize(keep);
  for (Tensor& x : prefix.inputs) x = rows(x, keep);
  for (Tensor& x : changed.inputs)
    for (std::size_t i = x.data.size() / length * keep; i < x.data.size(); ++i) x.data[i] += 1;
  for (int t = keep; t < length; ++t)
    changed.tokens[t] = (changed.tokens[t] + 1) % static_cast<std::int64_t>(e.graph.env.vocab);
  const std::vector<Tensor> shorter = exec::evaluate(e.graph, e.outputs, prefix, keep);
  const std::vector<Tensor> other = exec::evaluate(e.graph, e.outputs, changed, length);
  for (std::size_t o = 0; o < whole.size(); ++o) {
    ASSERT_EQ(rows(whole[o], keep).data, shorter[o].data) << "depends on the length";
    ASSERT_EQ(rows(whole[o], keep).data, rows(other[o], keep).data) << "depends on the future";
  }
}

void expect_gradient(lang::Elaboration e, int length) {
  ASSERT_EQ(gradient_violation(std::move(e), length, 7), "");
}

std::string gradient_violation(lang::Elaboration e, int length, std::uint64_t seed) {
  const Feed feed = random_feed(e, length, seed);
  ir::Builder builder(e.graph, 0);
  // The loss is a random linear functional of the outputs. Its coefficients are fed as one more input per
  // output.
  std::vector<ir::NodeId> seeds, wrt;
  Feed full = feed;
  Random random(11);
  const auto inputs = static_cast<std::int32_t>(feed.inputs.size());
  for (std::size_t o = 0; o < e.outputs.size(); ++o) {
    const ir::Type type = e.graph.node(0, e.outputs[o]).type;
    seeds.push_back(
        builder.add({.op = ir::Op::kInput, .type = type, .index = inputs + static_cast<std::int32_t>(o)}));
    Tensor c = exec::zeros(e.graph, type.axes, length);
    for (double& v : c.data) v = random.normal();
    full.inputs.push_back(std::move(c));
  }
  std::vector<std::pair<bool, int>> source;  // true for a parameter, false for an input; its index
  for (std::size_t id = 0; id < e.graph.bodies[0].nodes.size(); ++id) {
    const ir::Node node = e.graph.bodies[0].nodes[id];
    if (node.op != ir::Op::kParam && !(node.op == ir::Op::kInput && node.index < inputs)) continue;
    wrt.push_back(static_cast<ir::NodeId>(id));
    source.emplace_back(node.op == ir::Op::kParam, node.index);
  }
  const std::vector<ir::NodeId> gradients = ir::differentiate(builder, e.outputs, seeds, wrt);
  const std::vector<Tensor> values = exec::evaluate(e.graph, gradients, full, length);

  const auto loss = [&](const Feed& f) {
    const std::vector<Tensor> y = exec::evaluate(e.graph, e.outputs, f, length);
    double sum = 0;
    for (std::size_t o = 0; o < y.size(); ++o)
      for (std::size_t i = 0; i < y[o].data.size(); ++i)
        sum += y[o].data[i] * full.inputs[inputs + o].data[i];
    return sum;
  };
  for (std::size_t w = 0; w < wrt.size(); ++w) {
    const auto [is_param, index] = source[w];
    Feed moved = full;
    Tensor& x = is_param ? moved.params[index] : moved.inputs[index];
    const Tensor start = x;
    if (values[w].data.size() != start.data.size()) return "a gradient of another size";
    std::vector<double> direction(start.data.size());
    double slope = 0;
    for (std::size_t i = 0; i < direction.size(); ++i) {
      direction[i] = random.normal();
      slope += direction[i] * values[w].data[i];
    }
    const auto at = [&](double h) {
      for (std::size_t i = 0; i < direction.size(); ++i) x.data[i] = start.data[i] + h * direction[i];
      return loss(moved);
    };
    // Uses five points, with an error of order h^4. Deep designs with strong curvature need a smaller step.
    double numeric = 0;
    for (const double step : {1e-5, 1e-6, 1e-7}) {
      numeric = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      if (std::abs(slope - numeric) <= 1e-6 * (1 + std::abs(numeric))) break;
    }
    const std::string name = is_param ? e.graph.params[index].name : "input " + std::to_string(index);
    if (!(std::abs(slope - numeric) <= 1e-6 * (1 + std::abs(numeric))))
      return fmt::format("{}: gradient {}, by differences {}", name, slope, numeric);
  }
  return "";
}

}  // namespace gabbro::testing
