#include "capability/task.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/result.h"

namespace gabbro::capability {

namespace {

using Tokens = std::vector<std::int64_t>;

// Returns `count` distinct integers below `n`, in random order.
Tokens distinct(std::int64_t count, std::int64_t n, Random& random) {
  Tokens all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  for (std::int64_t i = 0; i < count; ++i) std::swap(all[i], all[i + random.below(n - i)]);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

// Writes a token and asks for `target` at its position.
void ask(Sequence s, std::int64_t at, std::int64_t token, std::int64_t target) {
  s.tokens[at] = token;
  s.targets[at] = target;
}

// Generates pairs of a key and its value throughout the sequence. When a key occurs again, it has the same
// value, and the value is asked for. Some pairs are replaced by noise. Token ids are noise first, then keys,
// then values. Training sequences are easier: they may have fewer keys, and also ask for recent ones.
struct Stream {
  std::int64_t keys, values, noise;  // numbers of different tokens of each kind
  double noise_share;                // probability that a pair is noise

  void write(Sequence s, Random& random) const {
    const std::int64_t count = s.use == Use::kTest ? keys : 2 + random.below(keys - 1);
    const Tokens key = distinct(count, keys, random);
    Tokens value, last(static_cast<std::size_t>(count), kNotSeen);
    for (std::int64_t i = 0; i < count; ++i) value.push_back(noise + keys + random.below(values));
    for (std::int64_t t = 0; t + 1 < s.length(); t += 2) {
      if (random.chance(noise_share)) {
        for (const std::int64_t at : {t, t + 1}) s.tokens[at] = random.below(noise);
        continue;
      }
      const std::int64_t i = random.below(count);
      s.tokens[t] = noise + key[i];
      s.tokens[t + 1] = value[i];
      if (last[i] != kNotSeen && (s.use == Use::kTraining || t - last[i] >= kNear)) s.targets[t] = value[i];
      last[i] = t + 1;
    }
  }

 private:
  static constexpr std::int64_t kNotSeen = -1;
};

void recall(Sequence s, Random& random) {
  Stream{.keys = 8, .values = 16, .noise = 0, .noise_share = 0}.write(s, random);
}

void noisy_recall(Sequence s, Random& random) {
  Stream{.keys = 8, .values = 16, .noise = 8, .noise_share = 0.3}.write(s, random);
}

// Generates ordinary tokens with some triggers (ids after those of the ordinary tokens). Each trigger occurs
// once in the first half and once in the second, where the token that followed it is asked for.
void induction(Sequence s, Random& random) {
  constexpr std::int64_t kTriggers = 4, kOrdinary = 16;
  // Triggers and what follows them lie before `end`, and queries from `begin` on, at least kNear later.
  const std::int64_t half = s.length() / 2, end = half - kNear / 2, begin = half + kNear / 2;
  for (std::int64_t& token : s.tokens) token = random.below(kOrdinary);
  // A trigger and the token after it must not overlap with another such pair. Positions are therefore chosen
  // as if each pair took one position, and then spread apart.
  Tokens place = distinct(kTriggers, end - kTriggers, random);
  std::sort(place.begin(), place.end());
  const Tokens trigger = distinct(kTriggers, kTriggers, random);
  const Tokens query = distinct(kTriggers, s.length() - begin, random);
  for (std::int64_t i = 0; i < kTriggers; ++i) {
    const std::int64_t at = place[i] + i;
    s.tokens[at] = kOrdinary + trigger[i];
    ask(s, begin + query[i], kOrdinary + trigger[i], s.tokens[at + 1]);
  }
}

// Token ids: 0 is blank, 1 is the marker, then the alphabet. Copied tokens are among the first kSpan
// positions, so that each lies more than kNear tokens before its marker at the end.
void selective_copying(Sequence s, Random& random) {
  constexpr std::int64_t kCopied = 8, kAlphabet = 16, kSpan = 22;
  Tokens place = distinct(kCopied, kSpan, random);
  std::sort(place.begin(), place.end());
  std::fill(s.tokens.begin(), s.tokens.end(), 0);
  for (std::int64_t i = 0; i < kCopied; ++i) {
    s.tokens[place[i]] = 2 + random.below(kAlphabet);
    ask(s, s.length() - kCopied + i, 1, s.tokens[place[i]]);
  }
}

// Token ids: 0 is the marker, then the alphabet.
void compression(Sequence s, Random& random) {
  constexpr std::int64_t kAlphabet = 16;
  const std::int64_t half = s.length() / 2;
  for (std::int64_t t = 0; t < half; ++t) {
    s.tokens[t] = 1 + random.below(kAlphabet);
    ask(s, half + t, 0, s.tokens[t]);
  }
}

// Token ids: 0 is the marker, then keys, then values. The mapping is the same in all sequences, and every
// value belongs to the same number of keys.
void memorisation(Sequence s, Random& random) {
  constexpr std::int64_t kFacts = 256, kValues = 16;
  static const Tokens kMap = [] {
    Random facts(0xfac75);
    return distinct(kFacts, kFacts, facts);
  }();
  for (std::int64_t t = 0; t + 1 < s.length(); t += 2) {
    const std::int64_t key = random.below(kFacts);
    s.tokens[t] = 1 + key;
    ask(s, t + 1, 0, 1 + kFacts + kMap[key] % kValues);
  }
}

void parity(Sequence s, Random& random) {
  std::int64_t odd = 0;
  for (std::int64_t t = 0; t < s.length(); ++t) {
    s.tokens[t] = random.below(2);
    odd ^= s.tokens[t];
    if (t >= s.ask_from) s.targets[t] = odd;
  }
}

using Permutation = std::array<int, 3>;
constexpr std::array<Permutation, 6> kS3{{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};

// The tokens are the elements of the group. The product so far is asked for; the last factor acts last.
void s3(Sequence s, Random& random) {
  Permutation product = kS3[0];
  for (std::int64_t t = 0; t < s.length(); ++t) {
    s.tokens[t] = random.below(static_cast<std::int64_t>(kS3.size()));
    const Permutation& factor = kS3[static_cast<std::size_t>(s.tokens[t])];
    for (int& image : product) image = factor[static_cast<std::size_t>(image)];
    if (t >= s.ask_from) s.targets[t] = std::find(kS3.begin(), kS3.end(), product) - kS3.begin();
  }
}

// Tokens 0 to 4 are the initial position of the ball. The other ten are the swaps of two of five cups.
void s5(Sequence s, Random& random) {
  constexpr std::int64_t kCups = 5;
  std::int64_t place = s.tokens[0] = random.below(kCups);
  for (std::int64_t t = 1; t < s.length(); ++t) {
    const std::int64_t swap = random.below(kCups * (kCups - 1) / 2);
    std::int64_t first = 0, rest = swap;
    while (rest >= kCups - 1 - first) rest -= kCups - 1 - first++;
    const std::int64_t second = first + 1 + rest;
    s.tokens[t] = kCups + swap;
    place = place == first ? second : place == second ? first : place;
    if (t >= s.ask_from) s.targets[t] = place;
  }
}

}  // namespace

const std::vector<Task>& tasks() {
  static const std::vector<Task> kTasks{
      {.name = "recall",
       .asks = "the value of each of several keys seen before",
       .source = "Zoology, arXiv 2312.04927",
       .difficulty =
           "8 keys, 16 values, 16 pairs; asked when the key was seen before, and not among the last 9 tokens",
       .vocab = 24,
       .length = 32,
       .lengths = {32},
       .chance = 1.0 / 16,
       .write = recall},
      {.name = "noisy",
       .asks = "the same among random tokens",
       .source = "MAD, arXiv 2403.17844",
       .difficulty = "8 keys, 16 values, 20 pairs of which 30 % are two of 8 noise tokens",
       .vocab = 32,
       .length = 40,
       .lengths = {40},
       .chance = 1.0 / 16,
       .write = noisy_recall},
      {.name = "selective",
       .asks = "the tokens that were no blanks, in their order",
       .source = "Mamba, arXiv 2312.00752; MAD, arXiv 2403.17844",
       .difficulty = "8 tokens of an alphabet of 16 among 14 blanks, 2 blanks, then 8 markers",
       .vocab = 18,
       .length = 32,
       .lengths = {32},
       .chance = 1.0 / 16,
       .write = selective_copying},
      {.name = "compression",
       .asks = "a random sequence, from its beginning, when all of it was read",
       .source = "MAD, arXiv 2403.17844 (there by a decoder of its own)",
       .difficulty = "16 tokens of an alphabet of 16 (64 bits), then 16 markers",
       .vocab = 17,
       .length = 32,
       .lengths = {32},
       .chance = 1.0 / 16,
       .write = compression},
      {.name = "memorisation",
       .asks = "the value of a key, the same in all sequences",
       .source = "MAD, arXiv 2403.17844",
       .difficulty = "256 keys, 16 values, asked at the token behind the key",
       .vocab = 273,
       .length = 32,
       .lengths = {32},
       .chance = 1.0 / 16,
       .write = memorisation},
      {.name = "parity",
       .asks = "whether the ones so far are odd",
       .source = "Liu et al., arXiv 2210.10749; Grazzi et al., arXiv 2411.12537",
       .difficulty =
           "bits; trained everywhere; asked in the second half, and in longer sequences behind the training "
           "length",
       .vocab = 2,
       .length = 16,
       .lengths = {16, 32},
       .chance = 0.5,
       .write = parity},
      {.name = "s3",
       .asks = "the product so far of elements of S3",
       .source = "Merrill et al., arXiv 2404.08819",
       .difficulty = "6 elements; asked as parity",
       .vocab = 6,
       .length = 12,
       .lengths = {12, 24},
       .chance = 1.0 / 6,
       .write = s3},
      {.name = "s5",
       .asks = "where a ball lies under five cups of which two are swapped, again and again",
       .source = "Merrill et al., arXiv 2404.08819 (there the whole product)",
       .difficulty = "a first place and 10 swaps; asked as parity",
       .vocab = 15,
       .length = 12,
       .lengths = {12, 24},
       .chance = 0.2,
       .write = s5},
      {.name = "induction",
       .asks = "what followed a token before",
       .source = "Olsson et al., arXiv 2209.11895; Mamba, arXiv 2312.00752",
       .difficulty =
           "4 triggers in the first half of random tokens of 16, asked in the second; trained at 32",
       .vocab = 20,
       .length = 32,
       .lengths = {32, 64, 128},
       .chance = 1.0 / 16,
       .write = induction}};
  return kTasks;
}

const Task* find_task(std::string_view name) {
  for (const Task& task : tasks())
    if (task.name == name) return &task;
  return nullptr;
}

exec::TokenBatch batch(const Task& task, Use use, std::int64_t sequences, std::int64_t length,
                       const Random& random) {
  GABBRO_CHECK(sequences > 0 && length >= task.length && length % task.length == 0);
  const auto size = static_cast<std::size_t>(sequences * length);
  exec::TokenBatch out{sequences, length, Tokens(size), Tokens(size, exec::kNotScored), Tokens(size, 0)};
  // The first token would be its own answer, so training does not ask there.
  const std::int64_t from = use == Use::kTraining  ? 1
                            : length > task.length ? task.length
                                                   : std::max(length / 2, kNear);
  for (std::int64_t row = 0; row < sequences; ++row) {
    Random stream = random.split(static_cast<std::uint64_t>(row));
    const auto part = [&](Tokens& all) {
      return std::span(all).subspan(static_cast<std::size_t>(row * length), static_cast<std::size_t>(length));
    };
    task.write({part(out.tokens), part(out.targets), use, from}, stream);
  }
  return out;
}

}  // namespace gabbro::capability
