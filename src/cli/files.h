// Reads programs and run folders that are given to a command.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// Returns the text of `path` ("-": standard input; RUN#ID: a design of a campaign), at most 1 MiB, the
/// parser's limit. A longer file is not read to its end. Errors: "io" with the system's message, "limit",
/// those of read_design.
Result<std::string> read_program(const std::string& path);

/// Returns the absolute path of a run's folder; RUN#ID names the run of a design (run_of_design). Errors:
/// "io" if the folder does not exist, "usage" if it is a campaign's, "run" if it has no spec
/// (record::read_run_spec).
Result<std::string> run_folder(const std::string& path);

/// The kinds of folders that commands write, by the file that tells them.
enum class FolderKind : std::uint8_t { kNone, kCampaign, kCorpus, kStudy, kRun };

/// Checks that a command may write a folder of `kind` to `path`: it holds nothing of another kind. `option`
/// is the one that names it. Errors: "exists".
Result<bool> check_output(const std::string& path, FolderKind kind, const std::string& option);

}  // namespace gabbro::cli
