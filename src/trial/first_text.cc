#include "trial/first_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "exec/reference/screen.h"
#include "ir/facts.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

constexpr double kLeastContext = 1e-3;
constexpr std::int64_t kSpan = 8;  // positions looked at together

// What is looked at: an early position is told, the others must feel their context.
struct Share {
  const char* name;
  std::int64_t at;
  double value = 0;
};

class FirstText {
 public:
  FirstText(const ir::Graph& graph, exec::Model& model, const std::vector<std::int64_t>& tokens,
            std::int64_t length)
      : graph_(graph), model_(model), tokens_(tokens), length_(length) {}

  std::vector<Anchor> run() {
    const Anchor whole = is_finite();
    if (!whole.holds || length_ < 2 * kSpan) return {whole};
    return {whole, context()};
  }

 private:
  // Text number `which`: as much of the tokens as there are, again from the beginning where they end.
  [[nodiscard]] std::vector<std::int64_t> text(std::int64_t which) const {
    std::vector<std::int64_t> out;
    for (std::int64_t t = 0; t <= length_; ++t)
      out.push_back(tokens_[static_cast<std::size_t>((which * length_ + t) %
                                                     static_cast<std::int64_t>(tokens_.size()))]);
    return out;
  }

  // Losses of the same targets, whatever the inputs are.
  std::vector<float> losses(const std::vector<std::int64_t>& inputs, const std::vector<std::int64_t>& text) {
    exec::TokenBatch batch{
        1, length_, {inputs.begin(), inputs.begin() + length_}, {text.begin() + 1, text.end()}, {}};
    batch.starts.assign(static_cast<std::size_t>(length_), 0);
    return model_.losses(batch);
  }

  Anchor is_finite() {
    for (std::int64_t which = 0; which < 2; ++which) {
      const std::vector<std::int64_t> whole = text(which);
      const std::vector<float> got = losses(whole, whole);
      for (std::size_t t = 0; t < got.size(); ++t)
        if (!std::isfinite(got[t]))
          return {
              "whole text", false,
              fmt::format("with the first weights the loss at position {} of {} is {}", t, length_, got[t])};
    }
    return {"whole text", true,
            fmt::format("all losses of 2 texts of {} tokens are finite with the first weights", length_)};
  }

  // The most that other tokens before `at`, and other tokens from there on, change losses at `at` and some positions behind.
  double share(const std::vector<std::int64_t>& whole, const std::vector<float>& base, std::int64_t at,
               Random& random) {
    const std::int64_t end = std::min(at + kSpan, length_);
    const auto vocab = static_cast<std::int64_t>(graph_.env.vocab);
    const auto change = [&](std::int64_t from, std::int64_t to) {
      std::vector<std::int64_t> other = whole;
      for (auto t = static_cast<std::size_t>(from); t < static_cast<std::size_t>(to); ++t)
        other[t] = (other[t] + 1 + random.below(vocab - 1)) % vocab;
      const std::vector<float> got = losses(other, whole);
      double most = 0;
      for (auto t = static_cast<std::size_t>(at); t < static_cast<std::size_t>(end); ++t)
        most = std::max<double>(most, std::abs(got[t] - base[t]));
      return most;
    };
    const double context = change(0, at), own = change(at, end);
    return context > 0 ? context / std::max(own, 1e-30) : 0;
  }

  std::array<Share, 3> shares() {
    std::array<Share, 3> out{{{"early", length_ / 8}, {"middle", length_ / 2}, {"late", length_ - kSpan}}};
    const std::vector<std::int64_t> whole = text(0);
    const std::vector<float> base = losses(whole, whole);
    Random random(1);
    for (Share& s : out) s.value = share(whole, base, std::max<std::int64_t>(s.at, 1), random);
    return out;
  }

  Anchor context() {
    if (!ir::derive_facts(graph_).mixes_tokens)
      return {"context", true, "no output reads an earlier token, as was proved"};
    std::array<Share, 3> found = shares();
    std::vector<exec::NamedArray> weights;  // the first, where others are tried
    const auto holds = [&] { return std::min(found[1].value, found[2].value) >= kLeastContext; };
    Random random(2);
    for (const double scale : {1.0, 0.25, 0.0625}) {
      if (holds()) break;
      if (weights.empty()) weights = model_.weights();
      if (!model_.restore(drawn(weights, scale, random))) break;
      const std::array<Share, 3> again = shares();
      for (std::size_t i = 0; i < found.size(); ++i)
        if (std::isfinite(again[i].value)) found[i].value = std::max(found[i].value, again[i].value);
    }
    if (!weights.empty() && !model_.restore(weights))
      return {"context", false, "the first weights cannot be restored"};
    std::string numbers;
    for (const Share& s : found)
      numbers += fmt::format("{}{:.2g} at position {}", numbers.empty() ? "" : ", ", s.value, s.at);
    return {"context", holds(),
            fmt::format("tokens before a position change its loss by these shares of what its own does: {}; "
                        "at least {:g} "
                        "is asked for from the middle of a text on{}",
                        numbers, kLeastContext, weights.empty() ? "" : ", with first or random weights")};
  }

  // Weights around the constants that they start from.
  std::vector<exec::NamedArray> drawn(const std::vector<exec::NamedArray>& weights, double scale,
                                      Random& random) const {
    std::vector<exec::NamedArray> out = weights;
    const std::vector<exec::Tensor> values = exec::random_params(graph_, scale, random);
    for (std::size_t p = 0; p < values.size(); ++p)
      for (exec::NamedArray& a : out)
        if (a.name == graph_.params[p].name && a.data.size() == values[p].data.size())
          std::transform(values[p].data.begin(), values[p].data.end(), a.data.begin(),
                         [](double v) { return static_cast<float>(v); });
    return out;
  }

  const ir::Graph& graph_;
  exec::Model& model_;
  const std::vector<std::int64_t>& tokens_;
  std::int64_t length_;
};

}  // namespace

std::vector<Anchor> first_text(const ir::Graph& graph, exec::Model& model,
                               const std::vector<std::int64_t>& tokens, std::int64_t length) {
  return FirstText(graph, model, tokens, length).run();
}

}  // namespace gabbro::trial
