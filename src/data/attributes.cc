#include "data/attributes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "data/ascii.h"
#include "data/fields.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kLongestTag = 4096;
constexpr std::string_view kSpace = " \t\r\n";

// Returns true for letters of ASCII and for bytes of other characters.
bool is_of_letter(char c) { return is_letter(c) || (c & 0x80) != 0; }

std::size_t letters_and_digits(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return is_of_letter(c) || is_digit(c); }));
}

// Returns true for attributes of HTML whose values are no text: those of links may be longer than the text.
bool is_reference(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"href", "src", "srcset", "class", "style"};
  name.remove_prefix(name.rfind(':') + 1);  // npos + 1 is 0.
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  });
}

struct Value {
  std::string_view text;
  std::uint64_t letters = 0;  // hash of its letters; 0 if it has none
  bool is_last = false;       // of its tag
};

Value value_of(std::string_view text) {
  std::string letters;
  std::copy_if(text.begin(), text.end(), std::back_inserter(letters), is_of_letter);
  return {text, letters.empty() ? 0 : hash64(letters)};
}

// Reads the tag with which `text` begins, and appends the values of its attributes. Returns its bytes, 0 if
// there is none or a comment, which may hold text. No tag contains '<', so all calls for a text are O(bytes)
// together.
std::size_t read_tag(std::string_view text, std::vector<Value>& values) {
  text = text.substr(0, kLongestTag);
  if (text.size() < 3) return 0;
  const bool has_values = is_letter(text[1]);
  if (!has_values && text[1] != '/' && text[1] != '?') return 0;
  text = text.substr(0, text.find('<', 1));
  std::size_t at = has_values ? text.find_first_of(" \t\r\n/>", 1) : text.find('>');
  const std::size_t count = values.size();
  const auto next = [&](std::string_view stops) {
    at = std::min(text.find_first_of(stops, at), text.size());
  };
  while (at < text.size() && text[at] != '>') {
    at = std::min(text.find_first_not_of(" \t\r\n/", at), text.size());
    const std::size_t name = at;
    next(" \t\r\n=/>\"'");
    if (at == text.size() || text[at] == '"' || text[at] == '\'') break;
    const std::size_t name_end = at;
    const std::size_t equals = text.find_first_not_of(kSpace, at);
    if (equals == std::string_view::npos || text[equals] != '=') continue;
    at = text.find_first_not_of(kSpace, equals + 1);
    if (at == std::string_view::npos) break;
    const bool is_quoted = text[at] == '"' || text[at] == '\'';
    const std::size_t begin = at + (is_quoted ? 1 : 0);
    if (is_quoted)
      at = std::min(text.find(text[at], begin), text.size());
    else
      next(" \t\r\n>");
    if (at == text.size()) break;
    if (!is_reference(text.substr(name, name_end - name)))
      values.push_back(value_of(text.substr(begin, at - begin)));
    at += is_quoted ? 1 : 0;
  }
  if (at < text.size() && text[at] == '>') {
    if (values.size() > count) values.back().is_last = true;
    return at + 1;
  }
  values.resize(count);
  return 0;
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
  if (text.find("=\"") == std::string::npos && text.find("='") == std::string::npos) return "";
  std::string out;
  std::vector<Value> values;
  std::size_t from = 0;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) {
    const std::size_t bytes = read_tag(std::string_view(text).substr(at), values);
    if (bytes > 0) {
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
  if (in_values <= letters_and_digits(out)) return "";
  out += '\n';
  for (const Value& v : values) {
    out += v.text;
    out += v.is_last ? '\n' : '\t';
  }
  return out;
}

}  // namespace gabbro::data
