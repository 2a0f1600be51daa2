#include "data/numbers.h"

#include <algorithm>

namespace gabbro::data {

void Numbers::end() {
  constexpr std::size_t kGroup = 3;
  const bool has_fraction = state_ == State::kFraction;
  while (!fraction_.empty() && fraction_.back() == '0') fraction_.pop_back();
  const std::size_t zeros = std::min(whole_.find_first_not_of('0'), whole_.size());
  if (!is_group_ || whole_.size() != kGroup) whole_.erase(0, zeros);
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
