// Reads what a user keeps: BibTeX, Markdown, plain text, and PDF through the program pdftotext.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "library/paper.h"

namespace gabbro::library {

/// One file's papers: one per entry of a .bib, else one. `notes` says what could not be used: "refs.bib:12:
/// an entry that does not end".
struct Reading {
  std::vector<Paper> papers;
  std::vector<std::string> notes;
};

/// Whether the name ends as a file that `read_file` knows.
bool is_readable(const std::filesystem::path& path);

/// By the name's end: .bib, .md, .txt, .pdf. Ids are the keys of BibTeX or the file's name without its end;
/// texts are clean (text.h). Errors: "io" (the system's reason; larger than 64 MiB), "pdf" (no pdftotext on
/// the PATH, with a hint; it failed or took longer than two minutes), "library" (another end).
Result<Reading> read_file(const std::filesystem::path& path);

/// The entries of a BibTeX file; @comment, @string and @preamble are passed over.
Reading read_bibtex(std::string_view text, const std::string& name);

/// The files below `path` that can be read, sorted; hidden ones and links to folders left out. A file is
/// itself. Errors: "io".
Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& path);

}  // namespace gabbro::library
