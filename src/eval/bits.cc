#include "eval/bits.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/student.h"

namespace gabbro::eval {

namespace {

struct Score {
  double nats = 0;
  std::uint64_t bytes = 0, tokens = 0;
};

// Collects windows of documents into batches, scores these, and adds the losses to the documents' scores.
class Windows {
 public:
  using EachWindow = std::function<void(const ScoredWindow&)>;
  Windows(exec::Model& model, std::int64_t sequences, std::int64_t length, std::vector<Score>& scores,
          const EachWindow& each_window)
      : model_(model), sequences_(sequences), length_(length), scores_(scores), each_window_(each_window) {
    clear();
  }

  /// Adds a window of `count` positions. `tokens` has one more element: tokens[i] predicts tokens[i + 1].
  void add(std::size_t document, const std::int64_t* tokens, std::int64_t count) {
    const std::size_t row = owners_.size();
    for (std::int64_t t = 0; t < length_; ++t) {
      const std::size_t i = row * static_cast<std::size_t>(length_) + static_cast<std::size_t>(t);
      batch_.tokens[i] = t < count ? tokens[t] : 0;
      batch_.targets[i] = t < count ? tokens[t + 1] : 0;
    }
    owners_.push_back({document, count});
    if (static_cast<std::int64_t>(owners_.size()) == sequences_) flush();
  }

  void flush() {
    if (owners_.empty()) return;
    batch_.sequences = static_cast<std::int64_t>(owners_.size());
    const std::vector<float> losses = model_.losses(batch_);
    for (std::size_t row = 0; row < owners_.size(); ++row) {
      Score& score = scores_[owners_[row].document];
      for (std::int64_t t = 0; t < owners_[row].count; ++t)
        score.nats += losses[row * static_cast<std::size_t>(length_) + static_cast<std::size_t>(t)];
      score.tokens += static_cast<std::uint64_t>(owners_[row].count);
      if (each_window_) show(row, losses);
    }
    clear();
  }

 private:
  struct Owner {
    std::size_t document;
    std::int64_t count;  // positions of the row that the window fills
  };
  void show(std::size_t row, const std::vector<float>& losses) const {
    const auto from = static_cast<std::ptrdiff_t>(row) * length_;
    const std::int64_t count = owners_[row].count;
    std::vector<std::int64_t> tokens(batch_.tokens.begin() + from, batch_.tokens.begin() + from + count);
    tokens.push_back(batch_.targets[static_cast<std::size_t>(from + count - 1)]);
    each_window_({tokens, {losses.begin() + from, losses.begin() + from + count}});
  }
  void clear() {
    owners_.clear();
    batch_ = {.sequences = sequences_, .length = length_};  // without `starts`: a row is one window
    batch_.tokens.assign(static_cast<std::size_t>(sequences_ * length_), 0);
    batch_.targets.assign(static_cast<std::size_t>(sequences_ * length_), 0);
  }

  exec::Model& model_;
  std::int64_t sequences_, length_;
  std::vector<Score>& scores_;
  const EachWindow& each_window_;
  exec::TokenBatch batch_;
  std::vector<Owner> owners_;
};

BitsPerByte summary(const std::vector<Score>& scores) {
  BitsPerByte out;
  double nats = 0;
  for (const Score& s : scores) {
    nats += s.nats;
    out.bytes += s.bytes;
    out.tokens += s.tokens;
    out.each.push_back({s.nats / std::log(2.0), s.bytes});
  }
  out.documents = scores.size();
  if (out.bytes == 0) return out;
  const double bytes = static_cast<double>(out.bytes);
  out.value = nats / std::log(2.0) / bytes;
  out.nats_per_token = nats / static_cast<double>(out.tokens);
  double square = 0;  // sum of the squared residuals bits - value * bytes
  for (const Score& s : scores) {
    const double r = s.nats / std::log(2.0) - out.value * static_cast<double>(s.bytes);
    square += r * r;
  }
  std::vector<double> sizes;
  for (const Score& s : scores) sizes.push_back(static_cast<double>(s.bytes));
  const double effective = effective_count(sizes);
  const bool known = scores.size() > 1 && effective > 1;
  out.error = known ? std::sqrt(square * effective / (effective - 1)) / bytes : INFINITY;
  const double half = known ? t_quantile(0.975, effective - 1) * out.error : INFINITY;
  out.low = out.value - half;
  out.high = out.value + half;
  return out;
}

}  // namespace

BitsPerByte bits_per_byte(exec::Model& model, const data::Split& split, std::int64_t end_token,
                          std::int64_t sequences, std::int64_t length, std::uint64_t documents,
                          const std::function<bool(double)>& progress,
                          const std::function<void(const ScoredWindow&)>& each_window) {
  const std::size_t count = split.documents_up_to(documents);
  std::vector<Score> scores(count);
  std::uint64_t text = 0;
  Windows windows(model, sequences, length, scores, each_window);
  std::vector<std::int64_t> tokens;
  for (std::size_t d = 0; d < count; ++d) {
    const data::Document document = split.document(d);
    tokens.assign(1, end_token);  // stands before a document's first token, as in training
    split.append(document, tokens);
    scores[d].bytes = document.bytes;
    const std::string_view token_bytes{reinterpret_cast<const char*>(tokens.data()),
                                       tokens.size() * sizeof(std::int64_t)};
    text = mix(mix(text, hash64(token_bytes)), document.bytes);
    const auto targets = static_cast<std::int64_t>(tokens.size()) - 1;
    for (std::int64_t from = 0; from < targets; from += length)
      windows.add(d, tokens.data() + from, std::min(length, targets - from));
    if (progress && !progress(static_cast<double>(d + 1) / static_cast<double>(count))) {
      scores.resize(d + 1);
      break;
    }
  }
  windows.flush();
  BitsPerByte out = summary(scores);
  out.text = text;
  return out;
}

}  // namespace gabbro::eval
