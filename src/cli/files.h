// Reading programs.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// The text of `path` ("-": standard input), at most the parser's limit of 1 MiB; a longer file is not read to its end.
/// Errors: "io" with the reason of the system, "limit".
Result<std::string> read_program(const std::string& path);

}  // namespace gabbro::cli
