// Documents from files: text and JSON lines, compressed or not, Parquet, and folders of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

struct SourceOptions {
  std::string field = "text";               // of JSON lines; a column of Parquet, "a.b" inside of structures
  std::string separator = "<|endoftext|>";  // a line that ends a document of a text file
};

/// Documents one after the other, in one pass, in memory of one document at a time.
class Documents {
 public:
  virtual ~Documents() = default;
  /// The next document as valid UTF-8 (bytes that are none become U+FFFD), never empty; false at the end.
  /// Errors: "io", "format" (a damaged archive, a line that is no JSON object or lacks the field: with file
  /// and line).
  virtual Result<bool> next(std::string& text) = 0;
  /// Documents so far that held bytes which were no UTF-8.
  [[nodiscard]] virtual std::uint64_t mended() const = 0;
  /// Bytes read from disk so far; of the total in `Sources`.
  [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

/// The files that a list of paths names: files as they are, folders with all files below them whose format is
/// known, in order of their paths; hidden ones are passed over.
struct Sources {
  std::vector<std::string> files;
  std::uint64_t bytes = 0;           // on disk
  std::vector<std::string> skipped;  // files of folders that have no known format
};

/// Errors: "io" (no such file, an empty folder), "parquet" (a Parquet file that this build does not read:
/// parquet.h).
Result<Sources> find_sources(const std::vector<std::string>& paths);

/// A pass over all documents of `sources`. Text files (.txt, .md, or no known ending) are cut at separator
/// lines, JSON lines (.jsonl, .ndjson) give a document a line, Parquet files (.parquet) one a row; .gz, .xz,
/// .zst, .bz2 are unpacked on the way. A text without separator is one document, cut at line ends every 16
/// MiB.
std::unique_ptr<Documents> open_documents(const Sources& sources, const SourceOptions& options);

}  // namespace gabbro::data
