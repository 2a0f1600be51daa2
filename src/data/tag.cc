#include "data/tag.h"

#include "data/ascii.h"

namespace gabbro::data {

std::size_t read_tag(std::string_view text, std::size_t max_bytes, std::vector<Attribute>* attributes) {
  constexpr int kMostWithoutValue = 4;
  constexpr std::string_view kSpace = " \t\r\n", kEnd = " \t\r\n<>", kNameEnd = " \t\r\n=<>/";
  if (text.size() < 2) return 0;
  const bool is_end = text[1] == '/';
  if (!is_letter(text[1]) && !is_end) return 0;
  text = text.substr(0, max_bytes);
  std::size_t at = text.find_first_of(kEnd, 1), last_value = 0;
  for (int without_value = 0; without_value <= (is_end ? 0 : kMostWithoutValue);) {
    at = text.find_first_not_of(" \t\r\n/", at);
    if (at == std::string_view::npos || text[at] == '<') break;
    if (text[at] == '>') return at + 1;
    const std::size_t name = at, name_end = text.find_first_of(kNameEnd, at);
    const std::size_t sign = text.find_first_not_of(kSpace, name_end);
    if (sign == std::string_view::npos || text[sign] != '=') {
      ++without_value;
      at = name_end;
      continue;
    }
    at = text.find_first_not_of(kSpace, sign + 1);
    if (at == std::string_view::npos) break;
    const bool is_quoted = text[at] == '"' || text[at] == '\'';
    const std::size_t value = at + (is_quoted ? 1 : 0);
    at = is_quoted ? text.find(text[at], value) : text.find_first_of(kEnd, value);
    if (at == std::string_view::npos) break;
    if (attributes != nullptr)
      attributes->push_back({text.substr(name, name_end - name), text.substr(value, at - value)});
    at += is_quoted ? 1 : 0;
    last_value = at;
  }
  return last_value;
}

}  // namespace gabbro::data
