#include "data/windows.h"

#include <utf8.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/hash.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kLongest = 128;
constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15;  // 2^64 divided by the golden ratio
constexpr int kBit = 1024;                           // Information is counted in parts of a bit.
constexpr int kEnoughOfLetters = 48 * kBit, kEnoughOfDigits = 18 * kBit;

// Returns x log2 x for x up to kLongest.
const std::array<int, kLongest + 1>& x_log_x() {
  static const std::array<int, kLongest + 1> table = [] {
    std::array<int, kLongest + 1> out{};
    for (std::size_t i = 1; i < out.size(); ++i)
      out[i] =
          static_cast<int>(std::lround(static_cast<double>(i) * std::log2(static_cast<double>(i)) * kBit));
    return out;
  }();
  return table;
}

// The information of a sequence by the frequencies of its symbols in itself.
class Information {
 public:
  void add(std::size_t slot) {
    std::uint8_t& count = counts_[slot];
    sum_ += table_[count + 1U] - table_[count];
    ++count;
    ++size_;
  }
  void remove(std::size_t slot) {
    std::uint8_t& count = counts_[slot];
    sum_ -= table_[count] - table_[count - 1U];
    --count;
    --size_;
  }
  [[nodiscard]] int value() const { return table_[size_] - sum_; }

 private:
  const std::array<int, kLongest + 1>& table_ = x_log_x();
  std::array<std::uint8_t, 256> counts_{};
  std::size_t size_ = 0;
  int sum_ = 0;
};

const std::array<std::uint64_t, kLongest>& powers() {
  static const std::array<std::uint64_t, kLongest> table = [] {
    std::array<std::uint64_t, kLongest> out{1};
    for (std::size_t i = 1; i < out.size(); ++i) out[i] = out[i - 1] * kBase;
    return out;
  }();
  return table;
}

// The hash rolls: it is a polynomial in kBase, from which the letter that leaves the window is subtracted.
std::vector<Window> windows_of_letters(const std::string& text) {
  std::vector<char32_t> letters;
  letters.reserve(text.size());
  for (auto next = text.begin(); next != text.end();)
    letters.push_back(*next >= 0 ? static_cast<char32_t>(*next++) : utf8::unchecked::next(next));
  const auto slot = [](char32_t c) { return (c ^ c >> 8) & 0xff; };
  std::vector<Window> out;
  out.reserve(letters.size());
  Information information;
  std::uint64_t rolling = 0;
  for (std::size_t begin = 0, end = 0; begin < letters.size(); ++begin) {
    while (information.value() < kEnoughOfLetters && end < letters.size() && end - begin < kLongest) {
      information.add(slot(letters[end]));
      rolling = rolling * kBase + letters[end++] + 1;
    }
    if (information.value() >= kEnoughOfLetters)
      out.push_back({mix(1 + end - begin, rolling), static_cast<std::uint32_t>(begin),
                     static_cast<std::uint32_t>(end - begin)});
    else if (end == letters.size())
      break;
    information.remove(slot(letters[begin]));
    rolling -= powers()[end - begin - 1] * (letters[begin] + 1);
  }
  return out;
}

struct Number {
  std::size_t begin, end;  // its digits
  std::uint64_t value;
};

// Returns true if a number is close to one of those before it, from `first` on: counters and walks tell less
// than their digits. Numbers of one digit have too few neighbours to tell.
bool is_predictable(const Number* first, const Number* number) {
  if (number->end - number->begin < 2) return false;
  constexpr std::uint64_t kStep = 2, kShare = 64;
  for (const Number* earlier = first; earlier != number; ++earlier) {
    const std::uint64_t a = earlier->value, b = number->value;
    if (earlier->end - earlier->begin >= 2 && (a > b ? a - b : b - a) <= std::max(kStep, a / kShare))
      return true;
  }
  return false;
}

std::vector<Window> windows_of_digits(const std::string& text) {
  constexpr int kPredictable = kBit * 3 / 2;
  std::string digits;
  std::vector<Number> numbers;
  for (const char c : text) {
    if (c == ' ') {
      numbers.push_back({digits.size(), digits.size(), 0});
      continue;
    }
    digits += c;
    numbers.back().end = digits.size();
    numbers.back().value = 10 * numbers.back().value + static_cast<std::uint64_t>(c - '0');
  }
  std::vector<Window> out;
  out.reserve(numbers.size());
  for (std::size_t first = 0; first < numbers.size(); ++first) {
    Information information;
    int predictable = 0;
    const auto is_enough = [&] { return information.value() + predictable >= kEnoughOfDigits; };
    const std::size_t begin = numbers[first].begin;
    std::size_t end = begin;
    std::uint64_t hash = 0;
    for (std::size_t i = first; i < numbers.size() && !is_enough() && end - begin < kLongest; ++i) {
      const bool counts = !is_predictable(&numbers[first], &numbers[i]);
      if (!counts) predictable += kPredictable;
      for (; end < numbers[i].end && end - begin < kLongest && !(counts && is_enough()); ++end) {
        if (counts) information.add(static_cast<std::size_t>(digits[end] - '0'));
        hash = hash * kBase + static_cast<std::uint64_t>(digits[end] - '0') + 1;
      }
    }
    if (is_enough())
      out.push_back({mix(kLongest + 1 + end - begin, hash), static_cast<std::uint32_t>(begin),
                     static_cast<std::uint32_t>(end - begin)});
  }
  return out;
}

}  // namespace

std::vector<Window> windows_of(const std::string& text, TextPart part) {
  return part == TextPart::kLetters || part == TextPart::kUnlabelled ? windows_of_letters(text)
                                                                     : windows_of_digits(text);
}

std::vector<Window> distinct(const std::vector<Window>& windows) {
  // A hash table with linear probing; 0 marks free places. Hashes are random already.
  std::vector<std::uint64_t> seen(std::bit_ceil(2 * windows.size() + 1), 0);
  std::vector<Window> out;
  out.reserve(windows.size());
  for (const Window& w : windows) {
    const std::uint64_t hash = std::max<std::uint64_t>(w.hash, 1);
    std::size_t at = hash & (seen.size() - 1);
    while (seen[at] != 0 && seen[at] != hash) at = (at + 1) & (seen.size() - 1);
    if (seen[at] == hash) continue;
    seen[at] = hash;
    out.push_back(w);
  }
  return out;
}

}  // namespace gabbro::data
