#include "data/attributes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "data/ascii.h"
#include "data/fields.h"
#include "data/tag.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kLongestTag = 4096;

// Returns true for letters of ASCII and for bytes of other characters.
bool is_of_letter(char c) { return is_letter(c) || (c & 0x80) != 0; }

std::size_t letters_and_digits(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return is_of_letter(c) || is_digit(c); }));
}

// Returns true for attributes whose values are names, often of words.
bool is_class(std::string_view name) {
  constexpr std::string_view kClass = "class";
  return name.size() >= kClass.size() && std::equal(kClass.begin(), kClass.end(), name.begin(),
                                                    [](char a, char b) { return a == (b | 0x20); });
}

// Returns true for attributes of HTML whose values are mostly no text: those of links may be longer than it.
bool is_reference(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"href", "src", "srcset", "style"};
  name.remove_prefix(name.rfind(':') + 1);  // npos + 1 is 0.
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  });
}

// Returns true for four words or more, most of which are letters alone: no classes, styles or lists of
// numbers and addresses.
bool is_prose(std::string_view text) {
  std::size_t words = 0, plain = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    std::string_view word = text.substr(at, end - at);
    while (!word.empty() && (word.back() == ',' || word.back() == '.')) word.remove_suffix(1);
    words += word.empty() ? 0 : 1;
    plain += !word.empty() &&
             std::all_of(word.begin(), word.end(), [](char c) { return is_of_letter(c) || c == '\''; });
    at = end + 1;
  }
  return words >= 4 && 4 * plain >= 3 * words;
}

struct Value {
  std::string_view text;
  std::uint64_t letters = 0;  // hash of its letters; 0 if it has none
  bool is_prose = false;
  bool is_last = false;  // of its tag
};

Value value_of(std::string_view text) {
  std::string letters;
  std::copy_if(text.begin(), text.end(), std::back_inserter(letters), is_of_letter);
  // A number with a unit is no label, though many values have the unit.
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const bool is_number = sign < text.size() && is_digit(text[sign]);
  return {text, letters.empty() || is_number ? 0 : hash64(letters), is_prose(text)};
}

// Appends the values of attributes.
void add_values(const std::vector<Attribute>& attributes, std::vector<Value>& values) {
  const std::size_t before = values.size();
  for (const Attribute& a : attributes)
    if (const Value value = value_of(a.value); !is_class(a.name) && (value.is_prose || !is_reference(a.name)))
      values.push_back(value);
  if (values.size() > before) values.back().is_last = true;
}

void remove_labels(std::vector<Value>& values) {
  LabelCounts counts;
  for (const Value& v : values)
    if (v.letters != 0) counts.add(v.letters);
  for (Value& v : values)
    if (v.letters != 0 && counts.is_label(v.letters)) v.text = {};
}

}  // namespace

std::string with_attributes(const std::string& text) {
  if (text.find('<') == std::string::npos || text.find('=') == std::string::npos) return "";
  const ElementNames elements(text);
  std::string out;
  std::vector<Value> values;
  std::vector<Attribute> attributes;
  std::size_t from = 0;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) {
    attributes.clear();
    const std::size_t bytes = read_tag(std::string_view(text).substr(at), elements, kLongestTag, &attributes);
    if (bytes > 0) {
      add_values(attributes, values);
      out.append(text, from, at - from);
      out += '\t';
      from = at + bytes;
    }
    at += std::max<std::size_t>(bytes, 1);
  }
  if (values.empty()) return "";
  out.append(text, from);
  remove_labels(values);
  std::size_t in_values = 0;
  for (const Value& v : values) in_values += letters_and_digits(v.text);
  // Among other text, only sentences are.
  if (in_values <= letters_and_digits(out)) {
    std::erase_if(values, [](const Value& v) { return !v.is_prose || v.text.empty(); });
    if (values.empty()) return "";
    for (Value& v : values) v.is_last = true;
  }
  out += '\n';
  for (const Value& v : values) {
    out += v.text;
    out += v.is_last ? '\n' : '\t';
  }
  return out;
}

}  // namespace gabbro::data
