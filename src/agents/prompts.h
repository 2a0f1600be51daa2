// Prompts are files (prompts/*.md, their JSON schemas beside them), compiled in, and filled with the parts of
// a task.
//
// A file is an instruction, which is the same for every task, and sections under "## " headings. `{{name}}`
// takes the value of that name. A section all of whose values are empty is left out; one whose heading ends
// in "| optional" is left out, too, when the conversation is longer than a model reads.
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

/// The text of a file; there must be one of that name.
std::string_view prompt_file(std::string_view name);

/// The hash of all prompt files and of the language reference: the version that a record keeps.
const std::string& prompts_version();

/// A value that is there but writes nothing: it keeps its section.
inline constexpr std::string_view kPresent = "\x01";

using Values = std::map<std::string, std::string, std::less<>>;

/// `file` ("coder.md") with `values` filled in. `brief`: without the optional sections. A name without a
/// value is empty. O(bytes).
std::string fill(std::string_view file, const Values& values, bool brief = false);

/// `text` as material: between marks that name its source, which the text itself cannot close, cut to `most`
/// bytes.
std::string quoted(std::string_view source, std::string_view text, std::size_t most = 12000);

/// Lines as material, one mark around all of them; empty for none.
std::string quoted_lines(std::string_view source, std::span<const std::string> lines,
                         std::size_t most = 4000);

/// `text` cut to about `most` bytes at a character's border, with a mark where it was cut.
std::string shortened(std::string_view text, std::size_t most);

/// What stands first in every conversation: what Gabbro is, then the language. `coding`: with the text of the
/// language and its functions; without, the units of the library alone, which is what ideas need.
const std::string& system_prompt(bool coding);

/// Tokens of a text at four bytes each: an estimate, for the size of prompts.
constexpr std::int64_t estimated_tokens(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + 3) / 4);
}

}  // namespace gabbro::agents
