// What the library knows of a paper, and the papers that come with the program.
//
// The texts are library/*.toml, one file per family, compiled in; they are facts in our own words. Their
// fields: docs/library.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::library {

/// A built-in paper, a document of the user's, or what a connector found. What is not known is empty, or 0.
struct Paper {
  std::string id;  // "gla"; of a document its name, of a connector's find the arXiv id
  std::string title;
  std::string authors;  // surnames: "Yang, Wang, Shen et al."
  int year = 0;
  std::string arxiv, venue;
  std::string mechanism, formula, improves;  // of built-in papers
  std::vector<std::string> tags;             // of built-in papers the family is the first
  std::vector<std::string> zoo;              // files of zoo/: "gla.gab"
  std::string text;                          // of other papers: abstract or full text
  std::string source;                        // "built-in", "arXiv", "Semantic Scholar", or a path

  /// Everything that can be read of it, in paragraphs.
  [[nodiscard]] std::string body() const;
};

/// A file of library/: "linear_attention" and its text.
struct Shelf {
  std::string_view family, text;
};
std::span<const Shelf> shelves();

/// The papers of one file. Errors, "library", with the line: not TOML, an unknown key, a key that is missing
/// or of another type, an empty text.
Result<std::vector<Paper>> parse_papers(std::string_view text, const std::string& family);

/// All built-in papers, by file and order in it; parsed at the first call (some milliseconds). A mistake in
/// them is an internal error.
const std::vector<Paper>& built_in();

/// "2312.06635" of "arXiv:2312.06635v3" or an address of arxiv.org; "" for what holds no such number.
std::string arxiv_id(std::string_view text);

}  // namespace gabbro::library
