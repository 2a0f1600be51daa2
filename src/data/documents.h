// Reads documents from files and folders: text, JSON lines and Parquet, compressed or not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

struct SourceOptions {
  std::string field = "text";  // field of JSON lines, or column of Parquet ("a.b" inside structures)
  std::string separator = "<|endoftext|>";  // line that ends a document of a text file
};

/// Reads documents one after the other in one pass, with one document in memory at a time.
class Documents {
 public:
  virtual ~Documents() = default;
  /// Reads the next document as valid UTF-8 (invalid bytes become U+FFFD); it is never empty. Returns false
  /// at the end. Errors: "io", "format" (a damaged archive, a line that is not a JSON object or lacks the
  /// field; with file and line).
  virtual Result<bool> next(std::string& text) = 0;
  /// Returns the number of documents so far that contained invalid UTF-8.
  [[nodiscard]] virtual std::uint64_t mended() const = 0;
  /// Returns the number of bytes read from disk so far, out of the total in `Sources`.
  [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

/// The files that a list of paths names. A folder stands for all files below it with a known format, ordered
/// by path; hidden files and folders are skipped.
struct Sources {
  std::vector<std::string> files;
  std::uint64_t bytes = 0;           // total size on disk
  std::vector<std::string> skipped;  // files of folders without a known format
};

/// Errors: "io" (no such file, an empty folder), "parquet" (a Parquet file that this build cannot read; see
/// parquet.h).
Result<Sources> find_sources(const std::vector<std::string>& paths);

/// Starts a pass over all documents of `sources`. Text files (.txt, .md, or without a known extension) are
/// split at separator lines. JSON lines (.jsonl, .ndjson) have a document per line, Parquet files (.parquet)
/// one per row. Files with .gz, .xz, .zst or .bz2 are decompressed. A text without separators is one
/// document, cut at a line end every 16 MiB.
std::unique_ptr<Documents> open_documents(const Sources& sources, const SourceOptions& options);

}  // namespace gabbro::data
