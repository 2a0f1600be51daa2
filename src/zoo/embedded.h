// The zoo's program texts, compiled into the library so that the binary needs no data files.
//
// The definition is generated at build time from the .gab files under zoo/ at the top of the source tree
// (cmake/embed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace gabbro::zoo {

/// One file of zoo/: its path below that folder ("gpt2.gab") and its whole text. Both live as long as the program.
struct Entry {
  std::string_view file;
  std::string_view text;
};

/// Every file, sorted by path; empty when the tree was built with an empty zoo.
[[nodiscard]] std::span<const Entry> embedded_files();

}  // namespace gabbro::zoo
