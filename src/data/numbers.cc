#include "data/numbers.h"

#include <algorithm>
#include <charconv>

#include "data/ascii.h"

namespace gabbro::data {

void Numbers::add_after_number(char c) {
  const bool is_exponent = !exponent_.empty() && is_digit(exponent_.back()) && !is_letter(c) && c != '_';
  if (exponent_.empty() && (c == 'e' || c == 'E') && !is_name_) {
    exponent_ = c;
  } else if (exponent_.size() == 1 && (c == '+' || c == '-')) {
    exponent_ += c;
  } else if (!exponent_.empty() && !is_exponent) {
    give_up_exponent();
    add_other(c);
  } else {
    end();
    after_number_ = true;
    add_between(c);
  }
}

bool Numbers::continue_exponent(char digit) {
  constexpr std::size_t kMaxDigits = 3;
  const std::size_t sign = exponent_.size() > 1 && !is_digit(exponent_[1]) ? 1 : 0;
  if (is_digit(digit) && exponent_.size() < 1 + sign + kMaxDigits) {
    exponent_ += digit;
    return true;
  }
  give_up_exponent();
  return false;
}

// The number ends before what seemed to be its exponent.
void Numbers::give_up_exponent() {
  const std::string read = std::move(exponent_);
  exponent_.clear();
  end();
  after_number_ = true;
  for (const char c : read) {
    if (is_digit(c)) {
      add_digit(c);
    } else {
      add_between(c);
      after_number_ = false;
    }
  }
}

void Numbers::apply_exponent() {
  constexpr int kMaxZeros = 18;
  int exponent = 0;
  const std::size_t first = exponent_[1] == '+' ? 2 : 1;
  std::from_chars(exponent_.data() + first, exponent_.data() + exponent_.size(), exponent);
  exponent_.clear();
  whole_ += fraction_;
  const int zeros = exponent - static_cast<int>(fraction_.size());
  fraction_.clear();
  if (zeros > 0 && zeros <= kMaxZeros) whole_.append(static_cast<std::size_t>(zeros), '0');
  if (zeros < 0) {
    const auto digits = std::min(static_cast<std::size_t>(-zeros), whole_.size());
    fraction_ = whole_.substr(whole_.size() - digits);
    whole_.resize(whole_.size() - digits);
  }
}

void Numbers::end() {
  constexpr std::size_t kGroup = 3;
  const bool has_fraction = state_ == State::kFraction || !exponent_.empty();
  if (!exponent_.empty()) apply_exponent();
  while (!fraction_.empty() && fraction_.back() == '0') fraction_.pop_back();
  const std::size_t zeros = std::min(whole_.find_first_not_of('0'), whole_.size());
  if (!is_group_ || whole_.size() != kGroup) whole_.erase(0, zeros);
  if (whole_.empty()) fraction_.erase(0, std::min(fraction_.find_first_not_of('0'), fraction_.size()));
  if (whole_.empty() && fraction_.empty()) whole_ = "0";
  const std::size_t begin = numbers_.size();
  numbers_ += ' ';
  numbers_ += whole_;
  numbers_ += fraction_;
  const Place place{begin, numbers_.size()};
  if (is_name_) {
    names_.push_back(place);
  } else {
    if (is_first_ && !has_fraction) {
      std::uint64_t value = 0;
      for (const char c : whole_) value = 10 * value + static_cast<std::uint64_t>(c - '0');
      lines_.push_back({place, value});
    }
    is_first_ = false;
  }
  whole_.clear();
  fraction_.clear();
  state_ = State::kNone;
}

std::pair<std::string, std::string> Numbers::take() {
  constexpr std::size_t kFewestLines = 3;
  if (!exponent_.empty() && !is_digit(exponent_.back())) give_up_exponent();
  if (state_ != State::kNone) end();
  // Four fifths of the numbers of lines increase by one.
  std::size_t steps = 0;
  for (std::size_t i = 1; i < lines_.size(); ++i) steps += lines_[i].value == lines_[i - 1].value + 1;
  std::vector<Place> left_out = std::move(names_);
  if (lines_.size() >= kFewestLines && 5 * steps >= 4 * (lines_.size() - 1))
    for (const LineNumber& line : lines_) left_out.push_back(line.place);
  if (left_out.empty()) return {std::move(numbers_), ""};
  std::sort(left_out.begin(), left_out.end(),
            [](const Place& a, const Place& b) { return a.begin < b.begin; });
  std::string values;
  std::size_t from = 0;
  for (const Place& place : left_out) {
    values.append(numbers_, from, place.begin - from);
    from = place.end;
  }
  values.append(numbers_, from);
  if (2 * values.size() < numbers_.size()) values.clear();  // Too little to tell one table from another
  return {std::move(numbers_), std::move(values)};
}

}  // namespace gabbro::data
