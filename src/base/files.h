// Reads whole files, and writes files that appear completely or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro {

/// Maximum number of bytes to read of a settings, spec or result file; far above the size of any real one.
constexpr std::uint64_t kMostText = 64 << 20;

/// Returns the content of a regular file, or of a link to one. Other kinds of files are refused: a pipe would
/// block, and a device has no end. Errors: "io" with the system's message; "limit" if the file is larger than
/// `max_bytes`; by default there is no limit.
Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes = ~std::uint64_t{0});

/// Returns true if `path` is a regular file or a link to one, for callers whose library opens it by name.
/// Otherwise returns the error "io" with the reason; never false.
Result<bool> check_regular_file(const std::string& path);

/// Returns the content of a regular file that an untrusted program may have written, as read_file does, but
/// refuses links as well. Errors: as read_file.
Result<std::string> read_untrusted_file(const std::string& path, std::uint64_t max_bytes);

/// Writes `text` to a temporary file next to `path` and renames that to `path`, so that a reader sees either
/// the old or the new file, even if the process is killed. Errors: "io" with the system's message; the old
/// file stays.
Result<bool> replace_file(const std::string& path, const std::string& text);

/// Removes the file or folder `path`, whatever an untrusted program put there. If that fails, for
/// example because its folders are nested too deeply to be walked, it is renamed to a new name next to it.
/// Nothing is done if it does not exist. Errors: "io".
Result<bool> clear_path(const std::string& path);

/// Returns the home folder of the user: HOME if it is an absolute path, or else what the system knows; "." if
/// there is none.
std::string home_folder();

}  // namespace gabbro
