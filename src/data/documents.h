// Reads documents from files and folders: text, JSON lines and Parquet, compressed or not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/sources.h"

namespace gabbro::data {

/// Counts of a pass over documents so far, and of what may make them unfit as text.
struct Findings {
  std::uint64_t documents = 0, bytes = 0;      // documents returned, and bytes of their text
  std::uint64_t mended = 0, mended_bytes = 0;  // documents with invalid UTF-8, and the invalid bytes
  std::uint64_t rows = 0, empty_rows = 0;  // rows of JSON lines and Parquet, and those left out without text
  std::string empty_row;                   // place of the first of them
  std::uint64_t nul = 0;                   // documents left out for their NUL characters
  std::string nul_file;                    // file of the first of them
  std::uint64_t separators = 0,
                separator_documents = 0;  // separators that cut nothing, and documents with them
  std::string separator_file;             // file of the first of them
  std::vector<std::string> undivided;     // sources of more than 1 MB that are one document: the file of each
};

/// Reads documents one after the other in one pass, with one document in memory at a time.
class Documents {
 public:
  virtual ~Documents() = default;
  /// Reads the next document as valid UTF-8 (invalid bytes become U+FFFD); it is never empty. Documents with
  /// NUL characters are no text and are left out. Returns false at the end. Errors: "io", "format" (a damaged
  /// archive; text in UTF-16; JSON lines in a text file; a line that is not a JSON object, or has something
  /// else than text in the field, with file and line; NUL characters in most documents).
  virtual Result<bool> next(std::string& text) = 0;
  /// Returns what was found in the documents so far.
  [[nodiscard]] virtual const Findings& findings() const = 0;
  /// Returns the number of bytes read from disk so far, out of the total in `Sources`.
  [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

/// Starts a pass over all documents of `sources`. Text files (.txt, .md and similar, or no extension) are
/// split at separator lines, which may end in white space. JSON lines (.jsonl, .ndjson, .json) have a
/// document per line, Parquet files (.parquet) one per row; rows with null or an empty text are left out, and
/// so are lines without the field after the first text of their file. Files with .gz, .xz, .zst or .bz2 are
/// decompressed. A text without separators is one document, cut at a line end every 16 MiB.
std::unique_ptr<Documents> open_documents(const Sources& sources, const SourceOptions& options);

}  // namespace gabbro::data
