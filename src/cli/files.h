// Programs and runs that a command is given.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// The text of `path` ("-": standard input), at most the parser's limit of 1 MiB; a longer file is not read
/// to its end. Errors: "io" with the reason of the system, "limit".
Result<std::string> read_program(const std::string& path);

/// The whole path of a run's folder. Errors, "io": there is no folder, or no run in it.
Result<std::string> run_folder(const std::string& path);

}  // namespace gabbro::cli
