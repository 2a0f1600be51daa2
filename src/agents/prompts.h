// Prompts are files (prompts/*.md, with their JSON schemas beside them) that are compiled in and filled with
// the values of a task.
//
// A file is an instruction, which is the same for every task, followed by sections under "## " headings.
// `{{name}}` is replaced by the value of that name. A section is left out if all its values are empty. A
// section whose heading ends in "| optional" is also left out when the conversation exceeds the model's
// context.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace gabbro::agents {

/// A file of prompts/ ("coder.md") and its text.
struct PromptFile {
  std::string_view name;
  std::string_view text;
};
std::span<const PromptFile> prompt_files();

/// Returns the text of a file. Aborts if there is no file of that name.
std::string_view prompt_file(std::string_view name);

/// Returns the hash of all prompt files and of the language reference, which records store as the version of
/// the prompts.
const std::string& prompts_version();

/// A value that keeps its section but inserts nothing.
inline constexpr std::string_view kPresent = "\x01";

/// Values by the name of their placeholder.
using PromptValues = std::map<std::string, std::string, std::less<>>;

/// Returns `file` ("coder.md") with `values` filled in. `skip_optional` leaves out the optional sections. A
/// placeholder without a value becomes empty. O(bytes).
std::string fill_prompt(std::string_view file, const PromptValues& values, bool skip_optional = false);

/// Returns `text` as quoted data, cut to `max_bytes` bytes: between tags that name its source and that the
/// text itself cannot close.
std::string quoted(std::string_view source, std::string_view text, std::size_t max_bytes = 12000);

/// Returns `lines` as quoted data with one pair of tags around all of them; empty if there are no lines.
std::string quoted_lines(std::string_view source, std::span<const std::string> lines,
                         std::size_t max_bytes = 4000);

/// Cuts `text` to at most `max_bytes` bytes at a character boundary, followed by a mark if something is cut.
std::string shortened(std::string_view text, std::size_t max_bytes);

/// The knowledge of Gab that a role needs.
enum class Knowledge : std::uint8_t {
  kTask,   // the description of Gabbro alone: for roles that judge or search
  kUnits,  // with the units of the library: for roles that choose among them
  kCode,   // with the language reference and the table of its functions, too: for roles that write Gab
};

/// Returns the beginning of every conversation with a role: what it needs to know, the same for every task.
const std::string& system_prompt(Knowledge knowledge);

/// Estimates the number of tokens of a text at four bytes per token, for the size of prompts.
constexpr std::int64_t estimated_tokens(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + 3) / 4);
}

}  // namespace gabbro::agents
