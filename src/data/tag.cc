#include "data/tag.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "base/hash.h"
#include "data/ascii.h"

namespace gabbro::data {

namespace {

constexpr std::string_view kSpace = " \t\r\n", kNameEnd = " \t\r\n<>/";

constexpr std::array<std::string_view, 128> kElements{
    "a",          "abbr",     "acronym",  "address",  "applet",  "area",   "article",  "aside",
    "audio",      "b",        "base",     "basefont", "bdi",     "bdo",    "big",      "blockquote",
    "body",       "br",       "button",   "canvas",   "caption", "center", "cite",     "code",
    "col",        "colgroup", "data",     "datalist", "dd",      "del",    "details",  "dfn",
    "dialog",     "dir",      "div",      "dl",       "dt",      "em",     "embed",    "fieldset",
    "figcaption", "figure",   "font",     "footer",   "form",    "frame",  "frameset", "h1",
    "h2",         "h3",       "h4",       "h5",       "h6",      "head",   "header",   "hgroup",
    "hr",         "html",     "i",        "iframe",   "img",     "input",  "ins",      "kbd",
    "label",      "legend",   "li",       "link",     "main",    "map",    "mark",     "marquee",
    "math",       "menu",     "meta",     "meter",    "nav",     "nobr",   "noframes", "noscript",
    "object",     "ol",       "optgroup", "option",   "output",  "p",      "param",    "picture",
    "pre",        "progress", "q",        "rp",       "rt",      "ruby",   "s",        "samp",
    "script",     "section",  "select",   "slot",     "small",   "source", "span",     "strike",
    "strong",     "style",    "sub",      "summary",  "sup",     "svg",    "table",    "tbody",
    "td",         "template", "textarea", "tfoot",    "th",      "thead",  "time",     "title",
    "tr",         "track",    "tt",       "u",        "ul",      "var",    "video",    "wbr"};
constexpr std::array<std::string_view, 26> kWithoutValue{
    "allowfullscreen", "async",     "autofocus", "autoplay", "checked",        "compact",  "controls",
    "default",         "defer",     "disabled",  "download", "formnovalidate", "hidden",   "inert",
    "ismap",           "itemscope", "loop",      "multiple", "muted",          "nomodule", "novalidate",
    "nowrap",          "open",      "readonly",  "required", "selected"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (is_letter(c)) c = static_cast<char>(c | 0x20);
  return out;
}

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), lower(name)) != names.end();
}

// Returns true for names of attributes that may be without a value: those of HTML, and data-x, v-else, xml:x.
bool needs_no_value(std::string_view name) {
  return name.find_first_of("-:@#*") != std::string_view::npos || is_one_of(kWithoutValue, name);
}

}  // namespace

ElementNames::ElementNames(std::string_view document) {
  constexpr std::size_t kOften = 16, kOneIn = 50;
  std::unordered_map<std::uint64_t, std::size_t> opened;
  std::size_t tags = 0;
  for (const bool closing : {false, true})
    for (std::size_t at = document.find('<'); at != std::string_view::npos; at = document.find('<', at + 1)) {
      const bool closes = document.substr(at + 1, 1) == "/";
      const std::size_t from = at + (closes ? 2 : 1);
      if (closes != closing || from >= document.size() || !is_letter(document[from])) continue;
      const std::string_view name = document.substr(from, document.find_first_of(kNameEnd, from) - from);
      if (!closing)
        ++tags, ++opened[hash64(name)];
      else if (opened.contains(hash64(name)))
        of_document_.insert(hash64(name));
    }
  for (const auto& [name, count] : opened)
    if (count >= kOften && kOneIn * count >= tags) of_document_.insert(name);
}

bool ElementNames::contains(std::string_view name) const {
  return of_document_.contains(hash64(name)) || is_one_of(kElements, name);
}

std::size_t read_tag(std::string_view text, const ElementNames& names, std::size_t max_bytes,
                     std::vector<Attribute>* attributes) {
  constexpr int kMostWithoutValue = 4;
  constexpr std::string_view kEnd = " \t\r\n<>", kAttributeEnd = " \t\r\n=<>/";
  if (text.size() < 2) return 0;
  const bool is_end = text[1] == '/';
  if (!is_letter(text[1]) && !is_end) return 0;
  text = text.substr(0, max_bytes);
  const std::size_t from = is_end ? 2 : 1,
                    name_end = std::min(text.find_first_of(kNameEnd, from), text.size());
  const auto is_element = [&] { return names.contains(text.substr(from, name_end - from)); };
  std::size_t at = text.find_first_of(kEnd, 1), last_value = 0;
  for (int without_value = 0;;) {
    at = text.find_first_not_of(" \t\r\n/", at);
    if (at == std::string_view::npos || text[at] == '<') break;
    if (text[at] == '>') return last_value > 0 || is_element() ? at + 1 : 0;
    if (is_end) break;
    const std::size_t name = at, end = text.find_first_of(kAttributeEnd, at);
    const std::size_t sign = text.find_first_not_of(kSpace, end);
    if (sign == std::string_view::npos) break;
    if (text[sign] != '=') {
      if (!needs_no_value(text.substr(name, end - name)) &&
          (++without_value > kMostWithoutValue || !is_element()))
        break;
      at = end;
      continue;
    }
    at = text.find_first_not_of(kSpace, sign + 1);
    if (at == std::string_view::npos) break;
    // An opening quote, which is also the closing one: '"', '\'', or one of them behind a backslash.
    const std::size_t sign_bytes = text[at] == '\\' && at + 1 < text.size() ? 1 : 0;
    const bool is_quoted = text[at + sign_bytes] == '"' || text[at + sign_bytes] == '\'';
    const std::string_view quote = text.substr(at, is_quoted ? sign_bytes + 1 : 0);
    const std::size_t value = at + quote.size();
    at = is_quoted ? text.find(quote, value) : text.find_first_of(kEnd, value);
    if (at == std::string_view::npos) break;
    if (attributes != nullptr)
      attributes->push_back({text.substr(name, end - name), text.substr(value, at - value)});
    at += quote.size();
    last_value = at;
  }
  return last_value;
}

}  // namespace gabbro::data
