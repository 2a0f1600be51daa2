// Reads the user's documents: BibTeX, Markdown, plain text, and PDF through the program pdftotext.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "library/paper.h"

namespace gabbro::library {

/// The papers of one file: one per entry of a .bib file, else one. `notes` lists what could not be used:
/// "refs.bib:12: skipped an invalid entry".
struct FilePapers {
  std::vector<Paper> papers;
  std::vector<std::string> notes;
};

/// Returns true if `read_file` knows the file's extension.
bool is_readable(const std::filesystem::path& path);

/// Reads a file by its extension, in any case: .bib, .md, .txt or .pdf. Ids are BibTeX keys, or the file's
/// name without extension. Texts are cleaned (text.h). Errors: "io" (the system's message, or a file above 64
/// MiB), those of pdf_text, "library" (unknown extension).
Result<FilePapers> read_file(const std::filesystem::path& path);

/// Returns the entries of a BibTeX file; @comment, @string and @preamble are skipped. `file_name` begins the
/// notes.
FilePapers read_bibtex(std::string_view text, const std::string& file_name);

/// Returns the readable files below `path`, sorted; hidden files and links to folders are skipped. For a
/// file, returns the file itself. Errors: "io".
Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& path);

}  // namespace gabbro::library
