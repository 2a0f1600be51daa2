#include "trial/first_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "ir/facts.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

constexpr double kMinContextShare = 1e-3;
constexpr std::int64_t kSpan = 8;  // positions compared together
// Updates that open gates which are initialised closed. Each moves a weight as far as some dozen training
// steps do.
constexpr int kUpdates = 8;
constexpr exec::Update kUpdate{.rate = 0.05, .decay = 0, .base_fan_in = 16};

// A position at which the influence of the context is measured. The early one is only reported; the others
// must depend on their context.
struct ContextShare {
  const char* name;
  std::int64_t position;
  double value = 0;  // see context_share
};

class FirstText {
 public:
  FirstText(const ir::Graph& graph, exec::Model& model, const std::vector<std::int64_t>& tokens,
            std::int64_t length, bool twice)
      : graph_(graph), model_(model), tokens_(tokens), length_(length), twice_(twice) {}

  std::vector<Anchor> run() {
    const Anchor whole = whole_text();
    if (!whole.holds) return {whole};
    if (length_ < 2 * kSpan)
      return {whole, {"context", true, fmt::format("not asked of fewer than {} positions", 2 * kSpan)}};
    return {whole, context()};
  }

 private:
  // Returns text number `which`, of times * length_ + 1 tokens. It starts again at the beginning of the
  // tokens where they end.
  [[nodiscard]] std::vector<std::int64_t> text(std::int64_t which, std::int64_t times = 1) const {
    std::vector<std::int64_t> out;
    for (std::int64_t t = 0; t <= times * length_; ++t)
      out.push_back(tokens_[static_cast<std::size_t>((which * length_ + t) %
                                                     static_cast<std::int64_t>(tokens_.size()))]);
    return out;
  }

  [[nodiscard]] exec::TokenBatch batch(const std::vector<std::int64_t>& inputs,
                                       const std::vector<std::int64_t>& text) const {
    exec::TokenBatch out{1,
                         static_cast<std::int64_t>(inputs.size()) - 1,
                         {inputs.begin(), inputs.end() - 1},
                         {text.begin() + 1, text.end()},
                         {}};
    out.starts.assign(out.tokens.size(), 0);
    return out;
  }

  // Returns the losses of the targets of `text` when the model reads `inputs`.
  std::vector<float> losses(const std::vector<std::int64_t>& inputs, const std::vector<std::int64_t>& text) {
    return model_.losses(batch(inputs, text));
  }

  // Texts 0 and 1 have length_ tokens; text 2 has twice as many.
  Anchor whole_text() {
    for (const std::int64_t which : {0, 1, 2}) {
      if (which == 2 && !twice_) break;
      const std::vector<std::int64_t> whole = text(which, which == 2 ? 2 : 1);
      const std::vector<float> got = losses(whole, whole);
      for (std::size_t t = 0; t < got.size(); ++t)
        if (!std::isfinite(got[t]))
          return {"whole text", false,
                  fmt::format("with the initial weights, the loss at position {} of {} is {}", t, got.size(),
                              got[t])};
    }
    return {"whole text", true,
            fmt::format("all losses of 2 texts of {} tokens{} are finite with the initial weights", length_,
                        twice_ ? " and of one twice as long" : "")};
  }

  // Returns the largest change of the losses in [position, position + kSpan) by other tokens before them,
  // divided by the largest change by other tokens at these positions.
  double context_share(const std::vector<std::int64_t>& whole, const std::vector<float>& base,
                       std::int64_t position, Random& random) {
    const std::int64_t end = std::min(position + kSpan, length_);
    const auto vocab = static_cast<std::int64_t>(graph_.env.vocab);
    const auto change = [&](std::int64_t from, std::int64_t to) {
      std::vector<std::int64_t> other = whole;
      for (auto t = static_cast<std::size_t>(from); t < static_cast<std::size_t>(to); ++t)
        other[t] = (other[t] + 1 + random.below(vocab - 1)) % vocab;
      const std::vector<float> got = losses(other, whole);
      double largest = 0;
      for (auto t = static_cast<std::size_t>(position); t < static_cast<std::size_t>(end); ++t)
        largest = std::max<double>(largest, std::abs(got[t] - base[t]));
      return largest;
    };
    const double context = change(0, position), own = change(position, end);
    return context > 0 ? context / std::max(own, 1e-30) : 0;
  }

  std::array<ContextShare, 3> shares() {
    std::array<ContextShare, 3> out{
        {{"early", length_ / 8}, {"middle", length_ / 2}, {"late", length_ - kSpan}}};
    const std::vector<std::int64_t> whole = text(0);
    const std::vector<float> base = losses(whole, whole);
    Random random(1);
    // A design may process blocks of positions that read nothing before their block. Such a block may begin
    // at one of the positions that are tried, but not at two neighbours.
    for (ContextShare& s : out)
      for (const std::int64_t later : {0, 1, 5})
        if (s.value < kMinContextShare)
          s.value = std::max(
              s.value, context_share(whole, base, std::max<std::int64_t>(s.position + later, 1), random));
    return out;
  }

  Anchor context() {
    if (!ir::derive_facts(graph_).mixes_tokens)
      return {"context", true, "no output reads an earlier token, as was proved"};
    std::array<ContextShare, 3> found = shares();
    std::vector<exec::NamedArray> before;  // weights and moments before the first update
    const auto holds = [&] { return std::min(found[1].value, found[2].value) >= kMinContextShare; };
    for (int update = 0; update < kUpdates && !holds(); ++update) {
      if (before.empty()) before = state();
      if (!model_.step(batch(text(update), text(update)), kUpdate).updated) break;
      const std::array<ContextShare, 3> again = shares();
      for (std::size_t i = 0; i < found.size(); ++i)
        if (std::isfinite(again[i].value)) found[i].value = std::max(found[i].value, again[i].value);
    }
    if (!before.empty() && !model_.restore(before))
      return {"context", false, "cannot restore the initial weights"};
    std::string numbers;
    for (const ContextShare& s : found)
      numbers += fmt::format("{}{:.2g} at position {}", numbers.empty() ? "" : ", ", s.value, s.position);
    return {
        "context", holds(),
        fmt::format(
            "tokens before a position change its loss by these shares of what its own token does: {}; at "
            "least {:g} is required from the middle of a text on{}",
            numbers, kMinContextShare,
            before.empty() ? "" : fmt::format(", with the initial weights or after {} updates", kUpdates))};
  }

  [[nodiscard]] std::vector<exec::NamedArray> state() const {
    std::vector<exec::NamedArray> out = model_.weights();
    for (exec::NamedArray& moment : model_.moments()) out.push_back(std::move(moment));
    return out;
  }

  const ir::Graph& graph_;
  exec::Model& model_;
  const std::vector<std::int64_t>& tokens_;
  std::int64_t length_;
  bool twice_;
};

}  // namespace

std::vector<Anchor> first_text(const ir::Graph& graph, exec::Model& model,
                               const std::vector<std::int64_t>& tokens, std::int64_t length, bool twice) {
  return FirstText(graph, model, tokens, length, twice).run();
}

}  // namespace gabbro::trial
