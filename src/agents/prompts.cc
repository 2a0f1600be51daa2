#include "agents/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/hash.h"
#include "base/result.h"
#include "zoo/embedded.h"
#include "zoo/reference.h"

namespace gabbro::agents {

namespace {

constexpr std::string_view kOptional = "| optional";

// Fills the placeholders. Adds the number of placeholders to `placeholders`, and of those with a value to
// `filled`.
std::string substituted(std::string_view text, const PromptValues& values, int& placeholders, int& filled) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("{{", at);
    const std::size_t close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) {
      out += text.substr(at);
      break;
    }
    out += text.substr(at, open - at);
    const auto value = values.find(text.substr(open + 2, close - open - 2));
    ++placeholders;
    if (value != values.end() && !value->second.empty()) {
      ++filled;
      out += value->second == kPresent ? "" : value->second;
    }
    at = close + 2;
  }
  return out;
}

// Replaces the "<" of <data> and </data> tags and removes control characters. A closing tag in quoted text
// would end the quotation early, and an opening one would mislead a reader that counts tags.
std::string without_data_tags(std::string_view text) {
  std::string out;
  const auto is_tag = [&](std::size_t i) {
    if (text[i] != '<') return false;
    if (++i < text.size() && text[i] == '/') ++i;
    constexpr std::string_view kWord = "data";
    for (std::size_t k = 0; k < kWord.size(); ++k)
      if (i + k >= text.size() || std::tolower(static_cast<unsigned char>(text[i + k])) != kWord[k])
        return false;
    return true;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && c != '\n' && c != '\t') continue;
    out += is_tag(i) ? '(' : text[i];
  }
  return out;
}

}  // namespace

std::string_view prompt_file(std::string_view name) {
  for (const PromptFile& file : prompt_files())
    if (file.name == name) return file.text;
  GABBRO_CHECK(false);
}

const std::string& prompts_version() {
  static const std::string version = [] {
    std::string all;
    for (const PromptFile& file : prompt_files()) all += fmt::format("{}\n{}\n", file.name, file.text);
    return to_hex(hash128(all + system_prompt(Knowledge::kCode)));
  }();
  return version;
}

std::string fill_prompt(std::string_view file, const PromptValues& values, bool skip_optional) {
  const std::string_view text = prompt_file(file);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find("\n## ", at + 1);
    end = end == std::string_view::npos ? text.size() : end + 1;
    std::string_view section = text.substr(at, end - at);
    at = end;
    const bool has_heading = section.starts_with("## ");
    std::string heading;
    if (has_heading) {
      std::string_view line = section.substr(0, section.find('\n'));
      section.remove_prefix(line.size() + 1);
      const bool optional = line.ends_with(kOptional);
      if (optional && skip_optional) continue;
      if (optional) line.remove_suffix(kOptional.size());
      while (line.ends_with(' ')) line.remove_suffix(1);
      heading = std::string(line) + "\n";
    }
    while (section.ends_with('\n')) section.remove_suffix(1);
    int placeholders = 0, filled = 0;
    const std::string body = substituted(section, values, placeholders, filled);
    if (has_heading && placeholders > 0 && filled == 0) continue;
    out += (out.empty() ? "" : "\n") + heading + body + "\n";
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  std::size_t cut = max_bytes;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return fmt::format("{} [... {} bytes more]", text.substr(0, cut), text.size() - cut);
}

std::string quoted(std::string_view source, std::string_view text, std::size_t max_bytes) {
  std::string body = without_data_tags(shortened(text, max_bytes));
  while (body.ends_with('\n')) body.pop_back();
  std::string name = without_data_tags(source);
  std::replace(name.begin(), name.end(), '"', '\'');
  std::replace(name.begin(), name.end(), '\n', ' ');
  std::replace(name.begin(), name.end(), '>', ')');
  return fmt::format("<data source=\"{}\">\n{}\n</data>", shortened(name, 120), body);
}

std::string quoted_lines(std::string_view source, std::span<const std::string> lines, std::size_t max_bytes) {
  if (lines.empty()) return "";
  std::string text;
  for (const std::string& line : lines) text += "- " + line + "\n";
  return quoted(source, text, max_bytes);
}

const std::string& system_prompt(Knowledge knowledge) {
  // Roles that write Gab get its reference instead of the summary.
  static const std::string task = fmt::format("{}\n{}", prompt_file("system.md"), prompt_file("gab.md"));
  static const std::string units = fmt::format("{}\n# Units of the library\n\n{}", task, zoo::units_text());
  static const std::string code =
      fmt::format("{}\n{}\n# Functions of Gab\n\n{}\n# Units of the library\n\n{}", prompt_file("system.md"),
                  zoo::language_text(), zoo::functions_text(), zoo::units_text());
  return knowledge == Knowledge::kCode ? code : knowledge == Knowledge::kUnits ? units : task;
}

}  // namespace gabbro::agents
