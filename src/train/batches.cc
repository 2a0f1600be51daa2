#include "train/batches.h"

#include <algorithm>

#include "base/hash.h"
#include "base/result.h"

namespace gabbro::train {

namespace {

// Applies a pseudo-random permutation of [0, n) without storing it: a Feistel network on the next power of
// four, repeated until the result is below n.
std::uint64_t permuted(std::uint64_t index, std::uint64_t n, std::uint64_t seed) {
  int half = 1;  // half of the bits of an index
  while ((std::uint64_t{1} << (2 * half)) < n) ++half;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = index >> half, right = index & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      const std::uint64_t next = left ^ (mix(mix(seed, round), right) & mask);
      left = right;
      right = next;
    }
    index = (left << half) | right;
  } while (index >= n);
  return index;
}

}  // namespace

void fill_row(exec::TokenBatch& batch, std::int64_t row, const std::vector<std::int64_t>& tokens,
              std::int64_t end_token) {
  std::int64_t start = 0;
  for (std::int64_t t = 0; t < batch.length; ++t) {
    const std::size_t i = static_cast<std::size_t>(row * batch.length + t);
    batch.tokens[i] = tokens[static_cast<std::size_t>(t)];
    batch.targets[i] = tokens[static_cast<std::size_t>(t) + 1];
    if (batch.tokens[i] == end_token) start = t;
    batch.starts[i] = start;
  }
}

Batches::Batches(const data::Split& split, std::int64_t end_token, std::int64_t sequences,
                 std::int64_t length, std::uint64_t seed)
    : split_(split), end_token_(end_token), sequences_(sequences), length_(length), seed_(seed) {
  GABBRO_CHECK(split.tokens() > static_cast<std::uint64_t>(length));
  windows_ = static_cast<std::int64_t>((split.tokens() - 1) / static_cast<std::uint64_t>(length));
}

exec::TokenBatch Batches::batch(std::int64_t index) const {
  exec::TokenBatch out{sequences_, length_, {}, {}, {}};
  const std::size_t size = static_cast<std::size_t>(sequences_ * length_);
  out.tokens.resize(size);
  out.targets.resize(size);
  out.starts.resize(size);
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(length_) + 1);
  for (std::int64_t row = 0; row < sequences_; ++row) {
    const std::int64_t number = index * sequences_ + row, pass = number / windows_;
    const std::uint64_t window =
        permuted(static_cast<std::uint64_t>(number % windows_), static_cast<std::uint64_t>(windows_),
                 mix(seed_, static_cast<std::uint64_t>(pass)));
    split_.read(window * static_cast<std::uint64_t>(length_), tokens);
    fill_row(out, row, tokens, end_token_);
  }
  return out;
}

std::uint64_t add_text(std::uint64_t hash, const exec::TokenBatch& batch) {
  for (const std::vector<std::int64_t>* numbers : {&batch.tokens, &batch.targets, &batch.starts})
    hash =
        mix(hash,
            hash64({reinterpret_cast<const char*>(numbers->data()), numbers->size() * sizeof(std::int64_t)}));
  return hash;
}

}  // namespace gabbro::train
