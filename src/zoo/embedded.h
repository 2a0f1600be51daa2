// The program texts of the zoo, compiled into the library so that the binary needs no data files.
//
// The functions are defined in a source that is generated at build time from the .gab files in zoo/ and from
// docs/language.md (cmake/embed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace gabbro::zoo {

/// One file of zoo/: its path relative to that folder ("gpt2.gab") and its whole text. Both have static
/// lifetime.
struct EmbeddedFile {
  std::string_view file;
  std::string_view text;
};

/// Returns every file, sorted by path; empty if there was no .gab file when the program was built.
[[nodiscard]] std::span<const EmbeddedFile> embedded_files();

/// Returns docs/language.md, the introduction to Gab. Functions, library units and the grammar are not in it.
[[nodiscard]] std::string_view language_text();

}  // namespace gabbro::zoo
