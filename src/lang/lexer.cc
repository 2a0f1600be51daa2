#include "lang/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/utf8.h"
#include "lang/ascii_hint.h"

namespace gabbro::lang {
namespace {

using Kind = Token::Kind;

constexpr std::array<std::string_view, 6> kBuiltinNames{"t", "s", "D", "V", "all", "Unit"};
constexpr std::array<std::string_view, 19> kKeywords{
    "fn",     "interface", "unit", "design", "axis",  "share", "scan", "for",  "in",  "with",
    "return", "if",        "else", "true",   "false", "int",   "real", "bool", "free"};

// Operators, longest first. Those that are not part of the language are tokens too, so that the parser can
// name them.
constexpr std::array<std::string_view, 27> kLongPunct{
    "**=", "//=", "...", "===", "!==", "->", "=>", "..", "**", "//", "<=", ">=", "==", "!=",
    "+=",  "-=",  "*=",  "/=",  "%=",  "@=", "|=", "&=", ":=", "&&", "||", "<<", ">>"};
constexpr std::string_view kPunct = "+-*/%<>=()[]{},:.;@^!&|~?$`\\";
constexpr std::size_t kLongestNumber = 40;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_word(char c) { return is_letter(c) || is_digit(c); }

std::string trimmed_comment(std::string_view text) {
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  std::string out(text);
  std::replace(out.begin(), out.end(), '\r', ' ');
  return out;
}

// Lexes the text in one pass. With `recover`, a line inside brackets that looks like a new statement ends the
// brackets. This is used if the brackets of the file do not match, so that a forgotten ')' costs one
// statement and not the rest of the file.
class Lexer {
 public:
  Lexer(std::string_view text, bool flat, bool recover) : text_(text), flat_(flat), recover_(recover) {}

  Tokens run() {
    if (!flat_) start_line();
    while (at_ < text_.size()) step();
    finish();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (c == '\n') {
      newline();
    } else if (c == ' ' || c == '\t' || (c == '\r' && ends_line(at_ + 1))) {
      ++at_;
    } else if (c == '#') {
      comment();
    } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
      number();
    } else if (is_letter(c)) {
      word();
    } else if (c == '"' || c == '\'') {
      string();
    } else {
      punct();
    }
  }

  bool ends_line(std::size_t at) const { return at >= text_.size() || text_[at] == '\n'; }
  Position position(std::size_t at) const { return {line_, static_cast<int>(at - line_start_) + 1}; }

  Token& push(Kind kind, std::size_t bytes) {
    out_.tokens.push_back({.kind = kind, .at = position(at_), .text = text_.substr(at_, bytes)});
    at_ += bytes;
    line_has_tokens_ = true;
    return out_.tokens.back();
  }

  void push_bad(std::size_t bytes, std::string code, std::string message, std::string hint) {
    Token& token = push(Kind::kBad, bytes);
    token.error = static_cast<int>(out_.errors.size());
    out_.errors.push_back({std::move(code), std::move(message), std::move(hint), token.at});
  }

  void push_layout(Kind kind) {
    push(kind, 0);
    line_has_tokens_ = false;
  }

  void newline() {
    const bool statement_ends = !flat_ && (open_.empty() || (recover_ && statement_follows()));
    if (statement_ends && line_has_tokens_) push_layout(Kind::kNewline);
    ++at_;
    ++line_;
    line_start_ = at_;
    if (!statement_ends) return;
    if (!open_.empty()) out_.brackets_match = false;
    open_.clear();
    start_line();
  }

  // Returns true if the next line cannot continue an open bracket: it follows a ':', starts with the keyword
  // of a statement, or starts with a binding that is no deeper than the statement itself.
  bool statement_follows() const {
    if (out_.tokens.back().text == ":") return true;
    const std::size_t start = at_ + 1;
    std::size_t from = start;
    while (from < text_.size() && text_[from] == ' ') ++from;
    std::size_t to = from;
    while (to < text_.size() && is_word(text_[to])) ++to;
    const std::string_view first = text_.substr(from, to - from);
    if (first.empty() || is_digit(first[0])) return false;
    for (const auto* keyword :
         {"fn", "unit", "interface", "design", "return", "axis", "scan", "share", "for"}) {
      if (first == keyword) return true;
    }
    while (to < text_.size() && text_[to] == ' ') ++to;
    const bool binding =
        to < text_.size() && text_[to] == '=' && !(to + 1 < text_.size() && text_[to + 1] == '=');
    return binding && from - start <= indents_.back();
  }

  // Measures the indentation of a new line, unless the line holds no code. A tab counts as one level.
  void start_line() {
    const std::size_t start = at_;
    std::size_t tab = std::string_view::npos;
    for (; at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'); ++at_) {
      if (text_[at_] == '\t' && tab == std::string_view::npos) tab = at_;
    }
    if (ends_line(at_) || text_[at_] == '#' || (text_[at_] == '\r' && ends_line(at_ + 1))) return;
    std::size_t width = 0;
    for (std::size_t i = start; i < at_; ++i) width += text_[i] == '\t' ? 4 : 1;
    indent_to(width);
    if (tab != std::string_view::npos && !tab_seen_) bad_tab(tab);
  }

  void bad_tab(std::size_t tab) {
    tab_seen_ = true;
    const std::size_t code = at_;
    at_ = tab;
    push_bad(1, "syntax", "a tab in the indentation", "indent with spaces, four for each level");
    at_ = code;
  }

  // Emits the tokens for a line indented by `width`. A line that matches no open level is assigned to the
  // innermost block to which it could belong, whose indentation becomes `width`.
  void indent_to(std::size_t width) {
    if (width > indents_.back()) {
      indents_.push_back(width);
      push_layout(Kind::kIndent);
    }
    while (indents_.back() > width && indents_[indents_.size() - 2] >= width) {
      indents_.pop_back();
      push_layout(Kind::kDedent);
    }
    if (indents_.back() == width) return;
    const std::size_t inner = indents_.back();
    const std::size_t outer = indents_[indents_.size() - 2];
    indents_.back() = width;
    push_bad(0, "syntax", fmt::format("the indentation of {} spaces matches no open block", width),
             fmt::format("indent by {} to stay in the block, by {} to leave it", inner, outer));
  }

  void comment() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    out_.comments.push_back(
        {trimmed_comment(text_.substr(at_ + 1, end - at_ - 1)), out_.tokens.size(), !line_has_tokens_});
    at_ = end;
  }

  std::size_t skip_digits(std::size_t at) const {
    while (at < text_.size() && is_digit(text_[at])) ++at;
    return at;
  }

  std::size_t number_end() const {
    std::size_t end = skip_digits(at_);
    const bool dot = end < text_.size() && text_[end] == '.';
    if (dot && !(end + 1 < text_.size() && text_[end + 1] == '.')) end = skip_digits(end + 1);
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      const std::size_t digits = skip_digits(exponent);
      if (digits > exponent) end = digits;
    }
    return end;
  }

  void number() {
    std::size_t end = number_end();
    if (end < text_.size() && is_word(text_[end])) {
      while (end < text_.size() && is_word(text_[end])) ++end;
      const std::string_view bad = text_.substr(at_, std::min<std::size_t>(end - at_, kLongestNumber));
      return push_bad(end - at_, "syntax", fmt::format("'{}' is not a number", bad),
                      "numbers are written 64, 0.5 or 1e-5, names start with a letter");
    }
    const std::string_view digits = text_.substr(at_, end - at_);
    if (digits.size() > kLongestNumber) {
      return push_bad(
          digits.size(), "limit",
          fmt::format("a number of {} characters is longer than {}", digits.size(), kLongestNumber),
          "write it rounded, e.g. 1.5e-3");
    }
    double value = 0;
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || rest != digits.data() + digits.size()) {
      return push_bad(digits.size(), "limit", fmt::format("the number {} is out of range", digits),
                      "numbers lie between 1e-307 and 1e308");
    }
    push(Kind::kNumber, digits.size()).number = value;
  }

  void word() {
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    const std::string_view name = text_.substr(at_, end - at_);
    // Limits names, because parameter names are built from them, one per level of units.
    constexpr std::size_t kLongestName = 200;
    if (name.size() > kLongestName)
      return push_bad(name.size(), "limit",
                      fmt::format("a name of {} characters is longer than {}", name.size(), kLongestName),
                      "choose a shorter one");
    push(is_keyword(name) ? Kind::kKeyword : Kind::kName, name.size());
  }

  void string() {
    const char quote = text_[at_];
    std::size_t end = at_ + 1;
    while (!ends_line(end) && text_[end] != quote) ++end;
    if (!ends_line(end)) ++end;
    const bool triple = end - at_ == 2 && end < text_.size() && text_[end] == quote;
    push_bad(end - at_, "syntax", triple ? "there are no docstrings" : "there are no strings",
             triple ? "write comments as # lines" : "names are written bare: over=k, not over=\"k\"");
  }

  void punct() {
    for (const auto symbol : kLongPunct) {
      if (text_.substr(at_, symbol.size()) == symbol) {
        push(Kind::kPunct, symbol.size());
        return;
      }
    }
    if (kPunct.find(text_[at_]) == std::string_view::npos) return foreign();
    push(Kind::kPunct, 1);
    track_bracket(text_[at_ - 1]);
  }

  // Emits one token for a run of foreign characters, named after the first.
  void foreign() {
    const CodePoint point = decode_utf8(text_, at_).value_or(CodePoint{});
    const bool shown = point.value > 0x20 && point.value != 0x7f;
    const std::string name = shown ? fmt::format("'{}' ", text_.substr(at_, point.bytes)) : "";
    std::size_t end = at_ + point.bytes;
    while (end < text_.size() && (text_[end] & 0x80) != 0) ++end;
    push_bad(end - at_, "syntax",
             fmt::format("{}(U+{:04X}) is not a character of the language", name,
                         static_cast<unsigned>(point.value)),
             ascii_hint(point.value));
  }

  void track_bracket(char c) {
    if (c == '(' || c == '[' || c == '{') open_.push_back(c);
    if (c != ')' && c != ']' && c != '}') return;
    const char opener = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (open_.empty() || open_.back() != opener) out_.brackets_match = false;
    if (!open_.empty()) open_.pop_back();
  }

  void finish() {
    if (!open_.empty()) out_.brackets_match = false;
    if (!flat_ && line_has_tokens_) push_layout(Kind::kNewline);
    for (; indents_.size() > 1; indents_.pop_back()) push_layout(Kind::kDedent);
    push_layout(Kind::kEnd);
  }

  std::string_view text_;
  bool flat_ = false;
  bool recover_ = false;
  std::size_t at_ = 0;
  int line_ = 1;
  std::size_t line_start_ = 0;
  bool line_has_tokens_ = false;
  bool tab_seen_ = false;
  std::vector<char> open_;               // brackets
  std::vector<std::size_t> indents_{0};  // of the open blocks
  Tokens out_;
};

}  // namespace

Tokens lex(std::string_view text, bool flat) {
  Tokens tokens = Lexer(text, flat, /*recover=*/false).run();
  if (flat || tokens.brackets_match) return tokens;
  return Lexer(text, flat, /*recover=*/true).run();
}

std::optional<Error> check_encoding(std::string_view text) {
  Position at{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const auto point = decode_utf8(text, i);
    if (!point || point->value == 0) {
      const auto byte = static_cast<unsigned char>(text[i]);
      const std::string what = byte == 0 ? "a NUL byte" : fmt::format("byte 0x{:02x} is not UTF-8", byte);
      return Error{"encoding", what + ": this is not a text file", "save the program as UTF-8 text", at};
    }
    i += point->bytes;
    at = point->value == '\n' ? Position{at.line + 1, 1}
                              : Position{at.line, at.column + static_cast<int>(point->bytes)};
  }
  return std::nullopt;
}

std::span<const std::string_view> reserved_words() { return kKeywords; }
std::span<const std::string_view> builtin_names() { return kBuiltinNames; }

std::string reserved_hint() {
  return fmt::format("choose another name; reserved are {}, and {}", fmt::join(kBuiltinNames, ", "),
                     fmt::join(kKeywords, ", "));
}

bool is_keyword(std::string_view word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}
bool is_builtin_name(std::string_view word) {
  return std::find(kBuiltinNames.begin(), kBuiltinNames.end(), word) != kBuiltinNames.end();
}

}  // namespace gabbro::lang
