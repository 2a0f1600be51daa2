// Reads whole files, and writes files that appear completely or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro {

/// A limit in bytes above the size of any settings, spec or list of files.
constexpr std::uint64_t kMostText = 64 << 20;

/// Returns the content of a regular file, or of a link to one. Other kinds of files are refused: a pipe would
/// block, and a device has no end. Errors: "io" with the system's message; "limit" if the file is larger than
/// `max_bytes`.
Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes = ~std::uint64_t{0});

/// Checks that `path` is a regular file or a link to one, before a library opens it by name. Errors: "io"
/// with the reason.
Result<bool> check_regular_file(const std::string& path);

/// Does the same for a file that an untrusted program may have written: links are refused, too.
Result<std::string> read_untrusted_file(const std::string& path, std::uint64_t max_bytes);

/// Writes `text` to disk next to `path` and renames it, so that a reader sees either the old or the new file,
/// even if the process is killed. Errors: "io" with the system's message; the old file stays.
Result<bool> replace_file(const std::string& path, const std::string& text);

/// Removes the file or folder `path`, whatever an untrusted program put there. If that fails, as for folders
/// nested deeper than the limit of open files, it is renamed to a new name next to it. Nothing is done if it
/// does not exist. Errors: "io".
Result<bool> clear_path(const std::string& path);

}  // namespace gabbro
