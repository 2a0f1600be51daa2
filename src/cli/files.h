// Reading programs and replacing files.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// The text of `path` ("-": standard input), at most the parser's limit of 1 MiB; a longer file is not read to its end.
/// Errors: "io" with the reason of the system, "limit".
Result<std::string> read_program(const std::string& path);

/// Writes `text` beside `path` and renames it into place, so that a reader sees the old file or the new one. Errors: "io".
Result<bool> replace_file(const std::string& path, const std::string& text);

}  // namespace gabbro::cli
