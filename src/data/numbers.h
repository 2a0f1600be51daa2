// Writes the numbers of a text in a form that does not depend on how tables are laid out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gabbro::data {

/// Collects numbers, character by character. Their decimal points are moved by exponents: 1.25e+01 is 12.5.
class Numbers {
 public:
  /// A digit; `digit` is '0' to '9', or a character after them for other signs of numbers.
  void add_digit(char digit) {
    if (!exponent_.empty() && continue_exponent(digit)) return;
    if (state_ == State::kNone) begin();
    if (state_ == State::kPoint) state_ = State::kFraction;
    (state_ == State::kFraction ? fraction_ : whole_) += digit;
  }
  /// Any other character. `c` is 0 if it is not of ASCII, and a letter if it is one.
  void add_other(char c) {
    if (state_ == State::kNone) {
      after_number_ = false;
      add_between(c);
    } else if (state_ == State::kWhole && c == '.' && exponent_.empty()) {
      state_ = State::kPoint;
    } else {
      add_after_number(c);
    }
  }
  /// Ends the text. Returns all numbers, and those that neither count lines nor belong to names, or "" if
  /// these are all.
  std::pair<std::string, std::string> take();

 private:
  enum class State { kNone, kWhole, kPoint, kFraction };
  // A number that `take` leaves out of the values: its place in numbers_.
  struct Place {
    std::size_t begin, end;
  };
  struct LineNumber {
    Place place;
    std::uint64_t value;
  };

  void begin() {
    state_ = State::kWhole;
    is_group_ = before_ == ',' && after_number_;
    is_name_ = (before_ >= 'a' && before_ <= 'z') || (before_ >= 'A' && before_ <= 'Z') || before_ == '_';
  }
  void add_between(char c) {
    if (c == '\n' || c == '\r') is_first_ = true;
    before_ = c;
  }
  void add_after_number(char c);
  // Returns false if the digit belongs to another number, since what seemed to be an exponent is none.
  bool continue_exponent(char digit);
  void give_up_exponent();
  void apply_exponent();
  void end();

  std::string numbers_, whole_, fraction_;
  std::string exponent_;  // what was read of it: e+01
  std::vector<Place> names_;
  std::vector<LineNumber> lines_;
  State state_ = State::kNone;
  char before_ = '\n';         // the character before the number
  bool after_number_ = false;  // A number stands directly before that character.
  bool is_group_ = false;      // The number may be three digits of a larger one: 1,007.
  bool is_name_ = false;
  bool is_first_ = true;  // No number of this line has ended.
};

}  // namespace gabbro::data
