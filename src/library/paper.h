// The papers of the library, and those that come with the program.
//
// The built-in texts are library/*.toml, one file per family, compiled in; they state facts in our own words.
// Their fields are described in docs/library.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::library {

/// Paper::source of the papers that come with the program.
inline constexpr const char* kBuiltIn = "built-in";
/// The number of authors that are named; "et al." stands for the others.
inline constexpr std::size_t kMaxAuthors = 6;

/// A built-in paper, a document of the user, or a result of a connector. Unknown fields are empty or 0.
struct Paper {
  std::string id;  // "gla"; a BibTeX key or the name of a document's file; or the id of a connector's result
  std::string title;
  std::string authors;  // surnames: "Yang, Wang, Shen et al."
  int year = 0;
  std::string arxiv, venue;
  std::string mechanism, formula, improves;  // built-in papers only
  std::vector<std::string> tags;             // the first tag of a built-in paper is its family
  std::vector<std::string> zoo;              // files of zoo/: "gla.gab"
  /// The subject of a paper if Gab cannot express it: "optimisers"; otherwise empty. Of built-in papers only.
  std::string outside;
  std::string text;    // abstract or full text; not of built-in papers
  std::string source;  // "built-in", "arXiv", "Semantic Scholar", or a path

  /// Returns mechanism, formula, improvement and text, in paragraphs.
  [[nodiscard]] std::string body() const;
};

/// A file of library/: "linear_attention" and its text.
struct Shelf {
  std::string_view family, text;
};
std::span<const Shelf> shelves();

/// Parses the papers of one file of library/; `family` is its name, which becomes the first tag. Errors,
/// "library", with the line: invalid TOML, an unknown key, a key that is missing or of another type, an empty
/// text, a year outside 1900 to 2100.
Result<std::vector<Paper>> parse_papers(std::string_view text, const std::string& family);

/// Returns all built-in papers, ordered by file and by position in the file. They are parsed at the first
/// call (some milliseconds). An error in them is an internal error.
const std::vector<Paper>& built_in();

/// Returns what a paper with this title is about if Gab cannot express that, such as "optimisers"; otherwise
/// "".
std::string_view outside_by_title(std::string_view title);

/// Returns the first arXiv id (YYMM.NNNN or YYMM.NNNNN) in a text: "2312.06635" for "arXiv:2312.06635v3" or a
/// URL of arxiv.org; "" if there is none.
std::string arxiv_id(std::string_view text);

}  // namespace gabbro::library
