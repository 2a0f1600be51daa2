#include "eval/likelihood.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

namespace gabbro::eval {

namespace {

// Characters that Python treats as white space, in UTF-8.
constexpr std::array<std::string_view, 29> kSpaces{
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",   "\x1f",
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

std::string_view without_trailing_space(std::string_view text) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view space : kSpaces)
      if (text.ends_with(space)) {
        text.remove_suffix(space.size());
        again = true;
      }
  }
  return text;
}

struct Place {
  std::size_t request;
  std::int64_t row, column;
};

// Collects requests into one batch.
class Pack {
 public:
  Pack(const Packing& packing, std::int64_t longest)
      : length_(std::max(packing.row, longest)), rows_(std::max<std::int64_t>(1, packing.tokens / length_)) {}

  /// Returns false if the batch has no room left for the request.
  bool add(std::size_t request, std::int64_t size) {
    for (std::size_t row = 0; row < used_.size(); ++row)
      if (used_[row] + size <= length_) return place(request, row, size);
    if (static_cast<std::int64_t>(used_.size()) == rows_) return false;
    used_.push_back(0);
    return place(request, used_.size() - 1, size);
  }

  [[nodiscard]] exec::TokenBatch batch(const std::vector<LikelihoodRequest>& requests) const {
    exec::TokenBatch out{static_cast<std::int64_t>(used_.size()), length_, {}, {}, {}};
    const auto size = static_cast<std::size_t>(out.sequences * length_);
    out.tokens.assign(size, 0);
    out.targets.assign(size, 0);
    std::vector<std::int64_t> starts(size);
    // The padding at the end of a row is a document of its own.
    for (std::size_t row = 0; row < used_.size(); ++row)
      std::fill_n(starts.begin() + static_cast<std::ptrdiff_t>(row) * length_, length_,
                  used_[row] < length_ ? used_[row] : 0);
    for (const Place& p : places_) {
      const std::vector<std::int64_t>& tokens = requests[p.request].tokens;
      const auto at = static_cast<std::ptrdiff_t>(p.row * length_ + p.column);
      std::copy(tokens.begin(), tokens.end() - 1, out.tokens.begin() + at);
      std::copy(tokens.begin() + 1, tokens.end(), out.targets.begin() + at);
      std::fill_n(starts.begin() + at, tokens.size() - 1, p.column);
    }
    // With one text per row, no document starts are needed: padding after a text does not affect it.
    if (places_.size() > used_.size()) out.starts = std::move(starts);
    return out;
  }

  void read(const exec::Scores& scores, const std::vector<LikelihoodRequest>& requests,
            std::vector<Likelihood>& out) const {
    for (const Place& p : places_) {
      const LikelihoodRequest& r = requests[p.request];
      const std::int64_t end = p.row * length_ + p.column + static_cast<std::int64_t>(r.tokens.size()) - 1;
      Likelihood& l = out[p.request];
      for (std::int64_t i = end - r.scored; i < end; ++i) {
        l.nats -= scores.losses[static_cast<std::size_t>(i)];
        if (!scores.greedy.empty()) l.greedy = l.greedy && scores.greedy[static_cast<std::size_t>(i)];
      }
    }
  }
  [[nodiscard]] std::size_t requests() const { return places_.size(); }

 private:
  bool place(std::size_t request, std::size_t row, std::int64_t size) {
    places_.push_back({request, static_cast<std::int64_t>(row), used_[row]});
    used_[row] += size;
    return true;
  }

  std::int64_t length_, rows_;
  std::vector<std::int64_t> used_;  // tokens used in each row
  std::vector<Place> places_;
};

}  // namespace

Result<LikelihoodRequest> make_request(const data::Tokenizer& tokenizer, std::string_view context,
                                       std::string_view continuation, std::int64_t length) {
  const std::string whole = std::string(context) + std::string(continuation);
  std::vector<int> both, before;
  tokenizer.encode(whole, both);
  tokenizer.encode(without_trailing_space(context), before);
  if (both.size() <= before.size())
    return fail("eval",
                fmt::format("\"{}\" has no token of its own after \"{}\"", continuation,
                            context.substr(context.size() - std::min<std::size_t>(context.size(), 40))));
  LikelihoodRequest out;
  out.tokens.push_back(tokenizer.end());
  out.tokens.insert(out.tokens.end(), before.begin(), before.end());
  out.tokens.insert(out.tokens.end(), both.begin() + static_cast<std::ptrdiff_t>(before.size()), both.end());
  out.scored = static_cast<std::int64_t>(both.size() - before.size());
  const auto size = static_cast<std::int64_t>(out.tokens.size());
  if (size > length + 1) {
    out.tokens.erase(out.tokens.begin(), out.tokens.begin() + (size - length - 1));
    out.scored = std::min(out.scored, length);
    out.truncated = true;
  }
  return out;
}

std::vector<Likelihood> likelihoods(exec::Model& model, const std::vector<LikelihoodRequest>& requests,
                                    bool greedy, const Packing& packing,
                                    const std::function<bool(double)>& progress) {
  std::vector<Likelihood> out(requests.size());
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return requests[a].tokens.size() > requests[b].tokens.size();
  });
  const auto size = [&](std::size_t i) {
    return static_cast<std::int64_t>(requests[order[i]].tokens.size()) - 1;
  };
  for (std::size_t done = 0; done < order.size();) {
    Pack pack(packing, size(done));
    std::size_t next = done;
    while (next < order.size() && pack.add(order[next], size(next))) ++next;
    const exec::TokenBatch batch = pack.batch(requests);
    pack.read(greedy ? model.score(batch) : exec::Scores{model.losses(batch), {}}, requests, out);
    done = next;
    if (progress && !progress(static_cast<double>(done) / static_cast<double>(order.size()))) return {};
  }
  return out;
}

}  // namespace gabbro::eval
