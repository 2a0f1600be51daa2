#include "agents/replies.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

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

// Returns the text up to the brace that closes the first one; empty if that brace is missing. Braces in
// strings do not count.
std::string_view balanced_object(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

}  // namespace

std::string_view answer_of(std::string_view reply) {
  reply = reply.substr(0, kLongestReply);
  constexpr std::string_view kThought = "</think>";
  if (const std::size_t end = reply.rfind(kThought); end != std::string_view::npos)
    reply.remove_prefix(end + kThought.size());
  return reply;
}

Result<std::string> find_object(std::string_view reply) {
  reply = answer_of(reply);
  std::string first;
  constexpr int kMaxCandidates = 20;  // Prose before the object may contain braces, too.
  std::size_t open = reply.find('{');
  for (int i = 0; i < kMaxCandidates && open != std::string_view::npos; ++i) {
    const std::string_view object = balanced_object(reply.substr(open));
    if (object.empty()) break;
    if (nlohmann::json::accept(object)) return std::string(object);
    if (first.empty()) first = object;
    open = reply.find('{', open + object.size());
  }
  // No object is valid JSON. The reader of the object reports what is wrong with the first.
  if (!first.empty()) return first;
  if (reply.find('{') == std::string_view::npos)
    return fail("json", "the reply has no JSON object", "reply with one object: { ... }");
  return fail("json", "the JSON object of the reply is not closed",
              "shorten the reply so that it is complete");
}

std::string find_code(std::string_view reply) {
  reply = answer_of(reply);
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
    return std::string(text.substr(std::min(text.find_first_not_of(' '), text.size())));
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
