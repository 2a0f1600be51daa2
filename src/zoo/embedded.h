// The zoo's program texts, compiled into the library so that the binary needs no data files.
//
// The definition is generated at build time from the .gab files under zoo/ and from docs/language.md
// (cmake/embed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace gabbro::zoo {

/// One file of zoo/: its path below that folder ("gpt2.gab") and its whole text. Both live as long as the
/// program.
struct Entry {
  std::string_view file;
  std::string_view text;
};

/// Every file, sorted by path; empty when the tree was built with an empty zoo.
[[nodiscard]] std::span<const Entry> embedded_files();

/// docs/language.md: what a person or a language model has to know to write Gab.
[[nodiscard]] std::string_view language_text();

}  // namespace gabbro::zoo
