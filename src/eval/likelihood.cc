#include "eval/likelihood.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

// A window, and the request that it belongs to.
struct Part {
  const LikelihoodWindow* window;
  std::size_t request;
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(window->tokens.size()) - 1; }
};

struct PlacedPart {
  Part part;
  std::int64_t row, column;
};

// Collects windows into one batch.
class Pack {
 public:
  Pack(const Packing& packing, std::int64_t longest)
      : length_(std::max(packing.row, longest)), rows_(std::max<std::int64_t>(1, packing.tokens / length_)) {}

  /// Returns false if the batch has no room left for the window.
  bool add(const Part& part) {
    for (std::size_t row = 0; row < used_.size(); ++row)
      if (used_[row] + part.size() <= length_) return place(part, row);
    if (static_cast<std::int64_t>(used_.size()) == rows_) return false;
    used_.push_back(0);
    return place(part, used_.size() - 1);
  }

  [[nodiscard]] exec::TokenBatch batch() const {
    exec::TokenBatch out{static_cast<std::int64_t>(used_.size()), length_, {}, {}, {}};
    const auto size = static_cast<std::size_t>(out.sequences * length_);
    out.tokens.assign(size, 0);
    out.targets.assign(size, 0);
    std::vector<std::int64_t> starts(size);
    // The padding at the end of a row is a document of its own.
    for (std::size_t row = 0; row < used_.size(); ++row)
      std::fill_n(starts.begin() + static_cast<std::ptrdiff_t>(row) * length_, length_,
                  used_[row] < length_ ? used_[row] : 0);
    for (const PlacedPart& p : places_) {
      const std::vector<std::int64_t>& tokens = p.part.window->tokens;
      const auto start = static_cast<std::ptrdiff_t>(p.row * length_ + p.column);
      std::copy(tokens.begin(), tokens.end() - 1, out.tokens.begin() + start);
      std::copy(tokens.begin() + 1, tokens.end(), out.targets.begin() + start);
      std::fill_n(starts.begin() + start, tokens.size() - 1, p.column);
    }
    // With one window per row, no document starts are needed: padding after a window does not affect it.
    if (places_.size() > used_.size()) out.starts = std::move(starts);
    return out;
  }

  /// Adds the scores of the batch to the likelihoods of its requests.
  void read(const exec::Scores& scores, std::vector<Likelihood>& out) const {
    for (const PlacedPart& p : places_) {
      const std::int64_t end = p.row * length_ + p.column + p.part.size();
      Likelihood& l = out[p.part.request];
      for (std::int64_t i = end - p.part.window->scored; i < end; ++i) {
        l.nats -= scores.losses[static_cast<std::size_t>(i)];
        if (!scores.greedy.empty()) l.greedy = l.greedy && scores.greedy[static_cast<std::size_t>(i)];
      }
    }
  }

 private:
  bool place(const Part& part, std::size_t row) {
    places_.push_back({part, static_cast<std::int64_t>(row), used_[row]});
    used_[row] += part.size();
    return true;
  }

  std::int64_t length_, rows_;
  std::vector<std::int64_t> used_;  // tokens used in each row
  std::vector<PlacedPart> places_;
};

// Cuts a text, of which the last `scored` tokens are the continuation, into windows (see make_request).
LikelihoodRequest windows_of(const std::vector<std::int64_t>& tokens, std::int64_t scored,
                             std::int64_t length) {
  const auto size = static_cast<std::int64_t>(tokens.size());
  const std::int64_t step = scored <= length ? scored : (length + 1) / 2;
  LikelihoodRequest out;
  for (std::int64_t begin = size - scored, end = begin; begin < size; begin = end) {
    end = std::min(size, std::max(begin + step, length + 1));
    const std::int64_t from = std::max<std::int64_t>(0, end - length - 1);
    if (out.windows.empty()) out.truncated = from > 0;
    out.windows.push_back({{tokens.begin() + from, tokens.begin() + end}, end - begin});
  }
  return out;
}

}  // namespace

Result<LikelihoodRequest> make_request(const data::Tokenizer& tokenizer, std::string_view context,
                                       std::string_view continuation, std::int64_t length) {
  GABBRO_CHECK(length >= 1);
  const std::string whole = std::string(context) + std::string(continuation);
  std::vector<int> both, before;
  tokenizer.encode(whole, both);
  tokenizer.encode(without_trailing_space(context), before);
  // A token may reach over the border. It is then read and scored as the joint encoding has it.
  const auto own = std::mismatch(both.begin(), both.end(), before.begin(), before.end()).first;
  if (own == both.end())
    return fail("eval",
                fmt::format("\"{}\" has no token of its own after \"{}\"", continuation,
                            context.substr(context.size() - std::min<std::size_t>(context.size(), 40))));
  std::vector<std::int64_t> tokens{tokenizer.end()};
  tokens.insert(tokens.end(), both.begin(), both.end());
  return windows_of(tokens, both.end() - own, length);
}

std::vector<Likelihood> likelihoods(exec::Model& model, const std::vector<LikelihoodRequest>& requests,
                                    bool greedy, const Packing& packing,
                                    const std::function<bool(double)>& progress) {
  std::vector<Likelihood> out(requests.size());
  std::vector<Part> parts;
  for (std::size_t i = 0; i < requests.size(); ++i)
    for (const LikelihoodWindow& window : requests[i].windows) parts.push_back({&window, i});
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.size() > b.size(); });
  for (std::size_t done = 0; done < parts.size();) {
    Pack pack(packing, parts[done].size());
    std::size_t next = done;
    while (next < parts.size() && pack.add(parts[next])) ++next;
    const exec::TokenBatch batch = pack.batch();
    pack.read(greedy ? model.score(batch) : exec::Scores{model.losses(batch), {}}, out);
    done = next;
    if (progress && !progress(static_cast<double>(done) / static_cast<double>(parts.size()))) return {};
  }
  return out;
}

}  // namespace gabbro::eval
