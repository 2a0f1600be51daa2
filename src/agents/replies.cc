#include "agents/replies.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agents/prompts.h"
#include "lang/lexer.h"
#include "lang/parser.h"

namespace gabbro::agents {

namespace {

// Parts of an error that describe_errors shows, in bytes.
constexpr std::size_t kLongestLine = 200, kLongestMessage = 600, kLongestHint = 400;
constexpr std::size_t kLongestUnitName = 60;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool starts_item(std::string_view line) {
  for (const std::string_view word : {"unit ", "fn ", "interface ", "design "})
    if (line.starts_with(word)) return true;
  return false;
}

bool is_fence(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line.starts_with("```") || line.starts_with("~~~");
}

// Returns true if a line may be code: it is empty or indented, or it begins an item, a comment or the closing
// bracket of a signature.
bool may_be_code(std::string_view line) {
  return line.empty() || line[0] == ' ' || line[0] == '#' || line[0] == ')' || starts_item(line);
}

std::string joined(const std::vector<std::string_view>& lines) {
  std::string out;
  for (const std::string_view line : lines) out += std::string(line) + "\n";
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

// Returns `text` with `from` replaced by `to`, everywhere.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// Replaces signs that models write as in print, and tabs, by those of Gab.
std::string with_plain_signs(std::string code) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kSigns{{{"\t", "    "},
                                                                                  {"\u2212", "-"},
                                                                                  {"\u2013", "-"},
                                                                                  {"\u00d7", "*"},
                                                                                  {"\u00b7", "*"},
                                                                                  {"\u22c5", "*"},
                                                                                  {"\u00f7", "/"},
                                                                                  {"\u2264", "<="},
                                                                                  {"\u2265", ">="},
                                                                                  {"\u00a0", " "}}};
  for (const auto& [sign, plain] : kSigns) code = replaced(std::move(code), sign, plain);
  return code;
}

// Returns the code of an answer as it stands there.
std::string raw_code(std::string_view reply) {
  const auto lines = lines_of(reply);
  std::vector<std::string_view> blocks, block;
  bool fenced = false, any_fence = false;
  // Keeps the block if it contains items of the language.
  const auto end_block = [&] {
    if (std::any_of(block.begin(), block.end(), starts_item))
      blocks.insert(blocks.end(), block.begin(), block.end());
    block.clear();
  };
  for (const std::string_view line : lines) {
    if (is_fence(line)) {
      if (fenced) end_block();
      fenced = !fenced;
      any_fence = true;
    } else if (fenced) {
      block.push_back(line);
    }
  }
  const std::vector<std::string_view> open_block = block;
  if (fenced) end_block();  // The reply was cut before the closing fence.
  if (!blocks.empty()) return joined(blocks);
  if (!open_block.empty() && any_fence) return joined(open_block);

  auto first = std::find_if(lines.begin(), lines.end(), starts_item);
  if (first == lines.end()) return std::string(reply);
  while (first != lines.begin() && (first - 1)->starts_with('#')) --first;
  return joined({first, std::find_if_not(first, lines.end(), may_be_code)});
}

}  // namespace

std::string_view answer_of(std::string_view reply) {
  reply = reply.substr(0, kLongestReply);
  // The last end of thoughts counts, whichever it is.
  constexpr std::array<std::string_view, 7> kEnds{"</think>",          "</thinking>", "</thought>",
                                                  "</reasoning>",      "[/THINK]",    "</seed:think>",
                                                  "\u25c1/think\u25b7"};
  std::size_t from = 0;
  for (const std::string_view mark : kEnds)
    if (const std::size_t end = reply.rfind(mark); end != std::string_view::npos)
      from = std::max(from, end + mark.size());
  constexpr std::string_view kChannel = "<|channel|>", kFinal = "<|channel|>final", kText = "<|message|>";
  if (const std::size_t last = reply.rfind(kFinal); last != std::string_view::npos)
    if (const std::size_t text = reply.find(kText, last); text != std::string_view::npos)
      from = std::max(from, text + kText.size());
  reply.remove_prefix(from);
  // A server that does not read the marks of an end lets the model go on with another turn.
  if (reply.find(kChannel) == std::string_view::npos)
    for (const std::string_view mark : {"<|return|>", "<|end|>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>"})
      reply = reply.substr(0, reply.find(mark));
  return reply;
}

std::string find_code(std::string_view reply) { return with_plain_signs(raw_code(answer_of(reply))); }

std::vector<UnitText> divide_units(std::string_view code) {
  constexpr std::string_view kUnit = "unit ";
  std::vector<UnitText> out;
  std::string before;    // lines that belong to the next unit
  bool in_unit = false;  // the last line was in the body of out.back()
  for (const std::string_view line : lines_of(code)) {
    if (line.starts_with(kUnit)) {
      const std::string_view rest = line.substr(kUnit.size());
      out.push_back({std::string(rest.substr(0, rest.find('('))), std::exchange(before, "")});
      in_unit = true;
    } else if (!line.empty() && line[0] != ' ' && line[0] != ')') {
      in_unit = false;  // a function, a comment, or text
    }
    (in_unit ? out.back().text : before) += std::string(line) + "\n";
  }
  if (!out.empty()) out.back().text += before;
  return out;
}

std::string find_expression(std::string_view reply) {
  const auto lines = lines_of(answer_of(reply));
  std::string block;
  bool fenced = false;
  for (const std::string_view line : lines) {
    if (is_fence(line) && fenced) break;
    if (is_fence(line))
      fenced = true;
    else if (fenced)
      block += std::string(line) + " ";
  }
  const auto plain = [](std::string_view text) {
    constexpr std::string_view kPadding = " `\t\r";
    text.remove_prefix(std::min(text.find_first_not_of(kPadding), text.size()));
    for (const std::string_view word : {"stack =", "stack="})
      if (text.starts_with(word)) text.remove_prefix(word.size());
    while (!text.empty() && kPadding.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
    return with_plain_signs(std::string(text.substr(std::min(text.find_first_not_of(' '), text.size()))));
  };
  if (!block.empty()) return plain(block);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (const std::string text = plain(*line); !text.empty() && lang::parse_expression(text)) return text;
  return lines.empty() ? "" : plain(lines[0]);
}

std::string describe_errors(const std::vector<Error>& errors, std::string_view source,
                            std::size_t max_errors) {
  const auto lines = lines_of(source);
  std::string out;
  for (std::size_t i = 0; i < errors.size() && i < max_errors; ++i) {
    const Error& e = errors[i];
    const auto line = static_cast<std::size_t>(std::max(e.at.line, 0));
    if (line > 0 && line <= lines.size())
      out += fmt::format("line {}: {}\n", line, shortened(lines[line - 1], kLongestLine));
    out += fmt::format("error[{}]: {}\n", e.code, shortened(e.message, kLongestMessage));
    if (!e.hint.empty()) out += fmt::format("hint: {}\n", shortened(e.hint, kLongestHint));
  }
  if (errors.size() > max_errors) out += fmt::format("and {} more\n", errors.size() - max_errors);
  return out;
}

bool is_legal_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  constexpr std::array kReserved{"t", "s", "D", "all", "_"};
  return !name.empty() && name.size() <= kLongestUnitName && is_letter(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); }) &&
         !lang::is_keyword(name) && std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end();
}

}  // namespace gabbro::agents
