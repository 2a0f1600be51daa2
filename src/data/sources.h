// Finds the files that the sources of a corpus name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

struct SourceOptions {
  std::string field = "text";  // field of JSON lines, or column of Parquet ("a.b" inside structures)
  std::string separator = "<|endoftext|>";  // line that ends a document of a text file
};

/// The files that a list of paths names. A folder stands for all files below it with a known format, ordered
/// by path. Links to files are followed, links to folders are not.
struct Sources {
  std::vector<std::string> files;
  std::vector<std::size_t> path_of;  // for each file, the index of the path that named it
  std::uint64_t bytes = 0;           // total size on disk
  // The paths that were left out of folders, by reason, such as "of unknown format".
  std::map<std::string, std::vector<std::string>> skipped;
};

/// Finds the files that `paths` name, in their order. Errors: "io" (no such file, an empty folder, a folder
/// that cannot be read, a file that is named twice), "format" (a named file that is neither text nor JSON
/// lines nor Parquet), "parquet" (a Parquet file that this build cannot read; see parquet.h).
Result<Sources> find_sources(const std::vector<std::string>& paths, const SourceOptions& options = {});

}  // namespace gabbro::data
