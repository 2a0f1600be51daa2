#include "eval/bigram.h"

#include <algorithm>
#include <cmath>

namespace gabbro::eval {

namespace {

std::uint64_t key(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(a) << 32 | static_cast<std::uint64_t>(b);
}

}  // namespace

Bigram::Bigram(std::int64_t vocab, double strength)
    : strength_(strength),
      second_(static_cast<std::size_t>(vocab), 0),
      first_(static_cast<std::size_t>(vocab), 0) {}

void Bigram::add(const exec::TokenBatch& batch) {
  for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
    const std::int64_t a = batch.tokens[i], b = batch.targets[i];
    if (b == exec::kNotScored) continue;
    ++pairs_[key(a, b)];
    ++first_[static_cast<std::size_t>(a)];
    ++second_[static_cast<std::size_t>(b)];
    ++total_;
  }
}

double Bigram::loss(std::int64_t token, std::int64_t next) const {
  const double alone =
      (second_[static_cast<std::size_t>(next)] + 1) / (total_ + static_cast<double>(second_.size()));
  const auto pair = pairs_.find(key(token, next));
  const double count = pair == pairs_.end() ? 0 : pair->second;
  return -std::log((count + strength_ * alone) / (first_[static_cast<std::size_t>(token)] + strength_));
}

double bigram_bits_per_byte(const Bigram& bigram, const data::Split& split, std::int64_t end_token,
                            std::uint64_t documents) {
  const std::size_t count = split.documents_up_to(documents);
  double nats = 0, bytes = 0;
  std::vector<std::int64_t> tokens;
  for (std::size_t d = 0; d < count; ++d) {
    const data::Document document = split.document(d);
    tokens.assign(1, end_token);
    split.append(document, tokens);
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) nats += bigram.loss(tokens[i], tokens[i + 1]);
    bytes += static_cast<double>(document.bytes);
  }
  return nats / std::log(2.0) / bytes;
}

}  // namespace gabbro::eval
