#include "data/markup.h"

#include <utf8.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "data/ascii.h"
#include "data/tag.h"

namespace gabbro::data {

namespace {

// Returns the character of a number, which must be all of `digits`, or a tab if it is none.
char32_t character_of(std::string_view digits, int base) {
  unsigned value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  const bool is_character =
      error == std::errc() && stop == end && value < 0x110000 && (value < 0xd800 || value > 0xdfff);
  return is_character ? value : U'\t';
}

bool are_hex_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

// Names of entities that stand for no letter.
constexpr std::array<std::string_view, 122> kSigns{
    "amp",    "lt",     "gt",     "quot",   "apos",   "nbsp",   "ensp",   "emsp",   "thinsp", "zwj",
    "zwnj",   "lrm",    "rlm",    "shy",    "ndash",  "mdash",  "lsquo",  "rsquo",  "sbquo",  "ldquo",
    "rdquo",  "bdquo",  "laquo",  "raquo",  "lsaquo", "rsaquo", "hellip", "bull",   "middot", "iexcl",
    "iquest", "sect",   "para",   "cent",   "pound",  "yen",    "euro",   "curren", "copy",   "reg",
    "trade",  "deg",    "plusmn", "times",  "divide", "frasl",  "frac12", "frac14", "frac34", "sup1",
    "sup2",   "sup3",   "ordf",   "ordm",   "micro",  "not",    "brvbar", "uml",    "acute",  "cedil",
    "macr",   "tilde",  "circ",   "dagger", "permil", "prime",  "oline",  "larr",   "rarr",   "uarr",
    "darr",   "harr",   "crarr",  "forall", "part",   "exist",  "empty",  "nabla",  "isin",   "notin",
    "ni",     "prod",   "sum",    "minus",  "lowast", "radic",  "prop",   "infin",  "ang",    "and",
    "or",     "cap",    "cup",    "int",    "there4", "sim",    "cong",   "asymp",  "ne",     "equiv",
    "le",     "ge",     "sub",    "sup",    "nsub",   "sube",   "supe",   "oplus",  "otimes", "perp",
    "sdot",   "lceil",  "rceil",  "lfloor", "rfloor", "loz",    "spades", "clubs",  "hearts", "diams",
    "tab",    "newline"};

// Returns the letter that the name of an entity stands for, without its case, a tab if it is a sign, and 0 if
// there is no such entity. Accents do not count.
char32_t named(std::string_view name) {
  using Names = std::pair<std::string_view, char32_t>;
  constexpr std::array<std::string_view, 14> kAccents{"acute", "grave", "circ",  "uml",  "tilde",
                                                      "cedil", "ring",  "caron", "macr", "breve",
                                                      "ogon",  "dot",   "dblac", "midot"};
  constexpr std::array<Names, 37> kLetters{
      {{"aelig", 0xe6},  {"szlig", 0xdf},    {"eth", 0xf0},      {"thorn", 0xfe},   {"oslash", 0xf8},
       {"oelig", 0x153}, {"lstrok", 0x142},  {"dstrok", 0x111},  {"hstrok", 0x127}, {"tstrok", 0x167},
       {"imath", 0x131}, {"inodot", 0x131},  {"alpha", 0x3b1},   {"beta", 0x3b2},   {"gamma", 0x3b3},
       {"delta", 0x3b4}, {"epsilon", 0x3b5}, {"zeta", 0x3b6},    {"eta", 0x3b7},    {"theta", 0x3b8},
       {"iota", 0x3b9},  {"kappa", 0x3ba},   {"lambda", 0x3bb},  {"mu", 0x3bc},     {"nu", 0x3bd},
       {"xi", 0x3be},    {"omicron", 0x3bf}, {"pi", 0x3c0},      {"rho", 0x3c1},    {"sigmaf", 0x3c2},
       {"sigma", 0x3c3}, {"tau", 0x3c4},     {"upsilon", 0x3c5}, {"phi", 0x3c6},    {"chi", 0x3c7},
       {"psi", 0x3c8},   {"omega", 0x3c9}}};
  if (name.empty() || !is_letter(name[0])) return U'\t';
  const auto* const accent = std::find(kAccents.begin(), kAccents.end(), name.substr(1));
  if (accent != kAccents.end()) return static_cast<char32_t>(name[0]);
  const auto is_same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  for (const auto& [letter, character] : kLetters)
    if (std::equal(name.begin(), name.end(), letter.begin(), letter.end(), is_same)) return character;
  const bool is_sign = std::any_of(kSigns.begin(), kSigns.end(), [&](std::string_view sign) {
    return std::equal(name.begin(), name.end(), sign.begin(), sign.end(), is_same);
  });
  return is_sign ? U'\t' : U'\0';
}

constexpr std::size_t kLongestEntity = 24;

// Returns the name of the entity with which `text` begins; "" if there is none.
std::string_view name_of_entity(std::string_view text) {
  text = text.substr(0, kLongestEntity);
  std::size_t end = 1;
  while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]) || text[end] == '#')) ++end;
  return end < 2 || end == text.size() || text[end] != ';' ? std::string_view() : text.substr(1, end - 1);
}

// The character is 0 if no entity has this name.
Markup entity_at(std::string_view text) {
  constexpr std::string_view kAmpersand = "amp;";
  // An escaped entity begins with that of '&'.
  if (text.substr(1).starts_with(kAmpersand) && text.size() > kAmpersand.size() + 1) {
    const Markup inner = entity_at(text.substr(kAmpersand.size(), kLongestEntity));
    constexpr std::size_t kShortest = 4;  // &lt;
    if (inner.bytes >= kShortest) return {kAmpersand.size() + inner.bytes, inner.character};
  }
  const std::string_view name = name_of_entity(text);
  if (name.empty()) return {};
  const bool is_hex = name.starts_with("#x") || name.starts_with("#X");
  const char32_t character = is_hex                  ? character_of(name.substr(2), 16)
                             : name.starts_with("#") ? character_of(name.substr(1), 10)
                                                     : named(name);
  return {name.size() + 2, character};
}

// Returns the byte that an escape of URLs or quoted-printable (%C3, =C3) stands for; 0 if there is none from
// 0x80.
unsigned char escaped_byte(std::string_view text) {
  constexpr std::size_t kBytes = 3;
  if (text.size() < kBytes || !are_hex_digits(text.substr(1, 2))) return 0;
  const char32_t byte = character_of(text.substr(1, 2), 16);
  return byte >= 0x80 ? static_cast<unsigned char>(byte) : 0;
}

// Returns a character whose bytes of UTF-8 are all escaped, or a letter of Latin-1. In quoted-printable,
// lines may be broken between bytes.
Markup escaped_bytes_at(std::string_view text) {
  constexpr std::size_t kEscape = 3;
  const unsigned char first = escaped_byte(text);
  if (first < 0xc0) return {};
  const std::size_t count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  std::string bytes(1, static_cast<char>(first));
  std::size_t end = kEscape;
  while (bytes.size() < count) {
    for (const std::string_view line_end : {"=\n", "=\r\n"})
      if (text[0] == '=' && text.substr(end).starts_with(line_end)) end += line_end.size();
    const unsigned char byte = end < text.size() && text[end] == text[0] ? escaped_byte(text.substr(end)) : 0;
    if (byte == 0) break;
    bytes += static_cast<char>(byte);
    end += kEscape;
  }
  if (bytes.size() == count && utf8::is_valid(bytes.begin(), bytes.end())) {
    const char* begin = bytes.data();
    return {end, utf8::unchecked::next(begin)};
  }
  // MODE=FAST has no letter of Latin-1.
  const bool goes_on = text.size() > kEscape && ((text[kEscape] >= 'A' && text[kEscape] <= 'Z') ||
                                                 is_digit(text[kEscape]) || text[kEscape] == '_');
  const bool are_capitals = text[1] < 'a' && text[2] < 'a';
  return are_capitals && !goes_on ? Markup{kEscape, first} : Markup{};
}

// Returns an escape that names a character by hex digits.
Markup escape_at(std::string_view text) {
  const std::size_t digits = text[1] == 'x' || text[1] == '\'' ? 2
                             : text[1] == 'u'                  ? 4
                             : text[1] == 'U'                  ? 8
                                                               : 0;
  const std::string_view number = text.substr(2, digits);
  if (digits == 0 || number.size() < digits || !are_hex_digits(number)) return {};
  return {2 + digits, character_of(number, 16)};
}

// Returns the bytes of what opens a comment, a section or a declaration, whose content may be text; 0 if
// there is no such thing.
std::size_t opening_bytes(std::string_view text) {
  for (const std::string_view declared :
       {"<!DOCTYPE ", "<!ENTITY ", "<!ELEMENT ", "<!ATTLIST ", "<!NOTATION "})
    if (text.starts_with(declared)) return std::min(text.find_first_of(" >", declared.size()), text.size());
  for (const std::string_view opening : {"<!--", "<![CDATA[", "<!", "<?"})
    if (text.starts_with(opening)) return opening.size();
  return 0;
}

constexpr std::size_t kLongestCommand = 24;

// Returns the end of a command that begins with the backslash of `text`.
std::size_t end_of_command(std::string_view text) {
  std::size_t end = 1;
  while (end < std::min(text.size(), kLongestCommand) && is_letter(text[end])) ++end;
  return end;
}

// Counts the names of commands or entities, to tell those of a format from the words of a text.
class NameCounts {
 public:
  void add(std::string_view name) {
    letters_ += name.size();
    auto& [letters, count] = names_[hash64(name)];
    letters += name.size(), ++count;
  }
  // Returns true if the names hold most of `all` letters, and are as varied as words are: a tenth of their
  // letters is in names that occur once or twice.
  [[nodiscard]] bool are_words(std::size_t all) const {
    constexpr std::size_t kRare = 2, kVaried = 10;
    std::size_t rare = 0;
    for (const auto& [name, total] : names_) rare += total.second <= kRare ? total.first : 0;
    return letters_ > 0 && 2 * letters_ > all && kVaried * rare >= letters_;
  }

 private:
  std::size_t letters_ = 0;
  std::unordered_map<std::uint64_t, std::pair<std::size_t, std::size_t>> names_;  // letters, and occurrences
};

std::size_t letters_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_letter));
}

// Returns true for \n, \r and \t, which may be escapes before a word.
bool may_be_escape(std::string_view text) { return text[1] == 'n' || text[1] == 'r' || text[1] == 't'; }

bool are_commands_words(std::string_view text) {
  NameCounts names;
  for (std::size_t at = text.find('\\'); at != std::string_view::npos && at + 1 < text.size();) {
    const std::string_view command = text.substr(at);
    const std::size_t escape = escape_at(command).bytes, end = std::max(end_of_command(command), escape);
    if (escape == 0 && end > 1 && !may_be_escape(command)) names.add(command.substr(1, end - 1));
    at = text.find('\\', at + std::max<std::size_t>(end, 2));
  }
  return names.are_words(letters_of(text));
}

bool are_entities_words(std::string_view text) {
  NameCounts names;
  for (std::size_t at = text.find('&'); at != std::string_view::npos; at = text.find('&', at + 1))
    if (const std::string_view name = name_of_entity(text.substr(at));
        !name.empty() && name[0] != '#' && named(name) == 0)
      names.add(name);
  return names.are_words(letters_of(text));
}

// Returns the bytes of a control sequence of a terminal (ECMA-48), such as that of a colour: ESC [, bytes of
// parameters, and a last byte. 0 if there is none.
std::size_t sequence_bytes(std::string_view text) {
  if (text[1] != '[') return 0;
  std::size_t end = 2;
  while (end < text.size() && text[end] >= ' ' && text[end] <= '?') ++end;
  return end < text.size() && text[end] >= '@' && text[end] <= '~' ? end + 1 : 0;
}

constexpr char32_t kNothing = 0x200b;

}  // namespace

MarkupReader::MarkupReader(std::string_view document)
    : document_(document),
      is_rtf_(document.starts_with("{\\rtf")),
      keeps_commands_(!is_rtf_ && are_commands_words(document)),
      keeps_entities_(are_entities_words(document)),
      elements_(document) {}

Markup MarkupReader::at(std::size_t offset) const {
  constexpr std::size_t kLongestTag = 300;
  const std::string_view text = document_.substr(offset);
  if (text.size() < 2) return {};
  if (text[0] == '<') return {std::max(opening_bytes(text), read_tag(text, elements_, kLongestTag, nullptr))};
  if (text[0] == '&') {
    const Markup entity = entity_at(text);
    if (entity.character != 0) return entity;
    return keeps_entities_ ? Markup{} : Markup{entity.bytes};
  }
  if (text[0] == '%' || text[0] == '=') return escaped_bytes_at(text);
  if (text[0] == '\x1b') return {sequence_bytes(text), kNothing};
  if (text[0] != '\\' || (!is_letter(text[1]) && !(is_rtf_ && text[1] == '\''))) return {};
  if (!is_rtf_ || text[1] == '\'')
    if (const Markup escape = escape_at(text); escape.bytes > 0 || text[1] == '\'') return escape;
  if (keeps_commands_) return {};
  std::size_t end = end_of_command(text);
  if (is_rtf_) {
    const std::size_t number = end;
    if (end < text.size() && text[end] == '-') ++end;
    while (end < text.size() && is_digit(text[end])) ++end;
    // \\uN names a character and is followed by one that stands for it.
    if (text.substr(0, number) == "\\u" && end > number && end < text.size())
      return {end + 1, character_of(text.substr(number, end - number), 10)};
    return {end};
  }
  const bool has_argument = end < text.size() && text[end] == '{';
  return {may_be_escape(text) && !has_argument ? 2 : end};
}

}  // namespace gabbro::data
