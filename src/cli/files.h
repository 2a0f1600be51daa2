// Reads programs and run folders that are given to a command.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// Returns the text of `path` ("-": standard input), at most 1 MiB, the parser's limit. A longer file is not
/// read to its end. Errors: "io" with the system's message, "limit".
Result<std::string> read_program(const std::string& path);

/// Returns the absolute path of a run's folder. Errors: "io" if the folder does not exist, "run" if it has no
/// spec (record::read_run_spec).
Result<std::string> run_folder(const std::string& path);

}  // namespace gabbro::cli
