#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "exec/reference/screen.h"
#include "ir/facts.h"
#include "ir/gradient.h"
#include "trial/engines.h"
#include "trial/probe_checks.h"

namespace gabbro::trial {

namespace {

using Tokens = std::vector<std::int64_t>;

// Joins the first few names.
std::string listed(const std::set<std::string>& names) {
  constexpr std::size_t kMost = 5;
  std::string out;
  std::size_t listed_names = 0;
  for (const std::string& name : names)
    if (listed_names++ < kMost) out += (listed_names > 1 ? ", " : "") + name;
  return names.size() > kMost ? fmt::format("{} and {} more", out, names.size() - kMost) : out;
}

class ReferenceProbe {
 public:
  ReferenceProbe(const ir::Graph& graph, const Draw& draw)
      : graph_(graph), draw_(draw), random_(draw.random), base_(run(draw.tokens)) {}

  // Checks that logits stay the same when the tokens after a position change.
  void future(Check& check) {
    for (const std::int64_t t : {std::int64_t{0}, length() / 2 - 1, length() - 2})
      check.require(rows(run(changed(t + 1, length())), t + 1) == rows(base_, t + 1),
                    fmt::format("logits up to position {} change with the tokens after it", t));
  }

  void prefix(Check& check) {
    for (const std::int64_t count : {1, 2, 7}) {
      const Tokens begin(draw_.tokens.begin(), draw_.tokens.begin() + count);
      check.compare(run(begin).data, rows(base_, count),
                    fmt::format("the first {} tokens alone and in a text of {}", count, length()));
    }
  }

  void step(Check& check) {
    const std::string ahead = looks_ahead(graph_, graph_.bodies[0].outputs);
    check.require(ahead.empty(), fmt::format("cannot be decoded: {} reads later positions", ahead));
    if (ahead.empty())
      check.compare(
          decode_logits(graph_, logits(), {.tokens = draw_.tokens, .inputs = {}, .params = draw_.params})
              .data,
          base_.data, "decoded position by position");
  }

  void determinism(Check& check) {
    check.compare(run(draw_.tokens).data, base_.data, "the reference run twice");
  }

  // Compares how far the effect of a changed token reaches with the proved reach.
  void mixing(Check& check) {
    const ir::Facts facts = ir::derive_facts(graph_);
    std::int64_t farthest = 0;
    for (const std::int64_t position : {std::int64_t{0}, length() / 2}) {
      for (int attempt = 0; attempt < 2; ++attempt) {
        const exec::Tensor now = run(changed(position, position + 1));
        for (std::int64_t t = position; t < length(); ++t)
          if (row(now, t) != row(base_, t)) farthest = std::max(farthest, t - position);
        if (farthest > 0) break;
      }
    }
    const std::int64_t proved = facts.mixes_tokens ? -facts.reach.first : 0;
    const std::string far = proved >= ir::Reach::kFar ? "without bound" : fmt::format("{}", proved);
    check.require(farthest <= proved,
                  fmt::format("a token changes logits {} positions on, proved: {}", farthest, far));
    check.require(farthest > 0 || !facts.mixes_tokens || reads_far_back(), "no token changes a later logit");
    check.note(fmt::format("a token changes logits {} positions on, proved: {}", farthest, far));
  }

  // Checks that all parameters get a gradient. A parameter behind a maximum or a threshold may get none with
  // some values, and one behind a long shift may get none in a short text. It must get one in one of three
  // further attempts with new parameters, the last of them on a long text. Returns the names of the
  // parameters without gradient in the first attempt.
  std::set<std::string> gradient(Check& check) {
    std::vector<double> sizes = gradient_sizes(draw_.params, short_text());
    const std::set<std::string> silent = params_where(sizes, [](double v) { return v == 0; });
    for (int again = 0; again < 3 && !params_where(sizes, [](double v) { return v == 0; }).empty(); ++again) {
      const std::vector<double> more = gradient_sizes(exec::random_params(graph_, draw_.scale, random_),
                                                      again < 2 ? short_text() : long_text());
      for (std::size_t p = 0; p < sizes.size(); ++p) sizes[p] += more[p];
    }
    check.require(params_where(sizes, [](double v) { return v == 0; }).empty(),
                  "none reaches " + listed(params_where(sizes, [](double v) { return v == 0; })));
    const auto odd = params_where(sizes, [](double v) { return !std::isfinite(v); });
    check.require(odd.empty(), "not finite for " + listed(odd));
    check.note(fmt::format("reaches all {} parameters", sizes.size()));
    return silent;
  }

 private:
  [[nodiscard]] Tokens short_text() const {
    constexpr std::size_t kMaxTokens = 24;
    const auto count = std::min(draw_.tokens.size(), kMaxTokens);
    return {draw_.tokens.begin(), draw_.tokens.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  // Returns a text as long as those of training, as far as memory allows: effects of tokens from far back
  // show only there.
  Tokens long_text() {
    constexpr double kMaxElements = 1 << 24;
    std::int64_t count = 256;
    while (count > length() && exec::elements_kept(graph_, count) > kMaxElements) count /= 2;
    Tokens out;
    for (std::int64_t t = 0; t < count; ++t)
      out.push_back(random_.below(static_cast<std::int64_t>(graph_.env.vocab)));
    return out;
  }
  // Returns true if the first token of a long text changes a later logit.
  bool reads_far_back() {
    const Tokens text = long_text();
    Tokens other = text;
    other[0] = other_token(other[0], static_cast<std::int64_t>(graph_.env.vocab), random_);
    const exec::Tensor base = run(text), now = run(other);
    for (std::size_t t = 1; t < text.size(); ++t)
      if (row(base, static_cast<std::int64_t>(t)) != row(now, static_cast<std::int64_t>(t))) return true;
    return false;
  }
  [[nodiscard]] ir::NodeId logits() const { return graph_.bodies[0].outputs[0]; }
  [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(draw_.tokens.size()); }

  exec::Tensor run(const Tokens& tokens) const {
    return exec::evaluate(graph_, graph_.bodies[0].outputs,
                          {.tokens = tokens, .inputs = {}, .params = draw_.params},
                          static_cast<std::int64_t>(tokens.size()))[0];
  }
  Tokens changed(std::int64_t from, std::int64_t to) {
    Tokens out = draw_.tokens;
    for (auto t = static_cast<std::size_t>(from); t < static_cast<std::size_t>(to); ++t)
      out[t] = other_token(out[t], static_cast<std::int64_t>(graph_.env.vocab), random_);
    return out;
  }
  static std::vector<double> rows(const exec::Tensor& x, std::int64_t count) {
    return {x.data.begin(), x.data.begin() + count * x.dims[1]};
  }
  static std::vector<double> row(const exec::Tensor& x, std::int64_t t) {
    return {x.data.begin() + t * x.dims[1], x.data.begin() + (t + 1) * x.dims[1]};
  }

  // Returns the names of the parameters whose gradient size satisfies `is_bad`.
  template <class F>
  std::set<std::string> params_where(const std::vector<double>& sizes, const F& is_bad) const {
    std::set<std::string> names;
    for (std::size_t p = 0; p < sizes.size(); ++p)
      if (is_bad(sizes[p])) names.insert(graph_.params[p].name);
    return names;
  }

  // Returns the sum of |g| for each parameter, where g is the gradient of a random linear function of the
  // logits.
  std::vector<double> gradient_sizes(const std::vector<exec::Tensor>& params, const Tokens& tokens) {
    const auto count = static_cast<std::int64_t>(tokens.size());
    ir::Graph graph = graph_;
    ir::Builder builder(graph, 0);
    const ir::NodeId seed = builder.add({.op = ir::Op::kInput, .type = builder.type(logits()), .index = 0});
    std::vector<ir::NodeId> wrt;
    std::vector<std::size_t> owners;
    for (std::size_t id = 0; id < graph.bodies[0].nodes.size(); ++id)
      if (const ir::Node& node = graph.bodies[0].nodes[id]; node.op == ir::Op::kParam) {
        wrt.push_back(static_cast<ir::NodeId>(id));
        owners.push_back(static_cast<std::size_t>(node.index));
      }
    const std::vector<ir::NodeId> outputs{logits()}, seeds{seed};
    const std::vector<ir::NodeId> gradients = ir::differentiate(builder, outputs, seeds, wrt);
    exec::Feed feed{.tokens = tokens,
                    .inputs = {exec::zeros(graph, builder.type(logits()).axes, count)},
                    .params = params};
    for (double& v : feed.inputs[0].data) v = random_.normal();
    const std::vector<exec::Tensor> values = exec::evaluate(graph, gradients, feed, count);
    std::vector<double> sizes(graph_.params.size(), 0);
    for (std::size_t i = 0; i < values.size(); ++i)
      for (const double v : values[i].data) sizes[owners[i]] += std::abs(v);
    return sizes;
  }

  const ir::Graph& graph_;
  const Draw& draw_;
  Random random_;
  exec::Tensor base_;
};

}  // namespace

std::set<std::string> probe_reference(const ir::Graph& graph, const Draw& draw, Checks& checks) {
  ReferenceProbe reference(graph, draw);
  reference.future(checks.future);
  reference.prefix(checks.prefix);
  reference.step(checks.step);
  reference.determinism(checks.determinism);
  reference.mixing(checks.mixing);
  return reference.gradient(checks.gradient);
}

}  // namespace gabbro::trial
