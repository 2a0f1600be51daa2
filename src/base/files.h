// Files that are read whole, and appear whole or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro {

/// The whole of a file. Errors, "io": the reason of the system.
Result<std::string> read_file(const std::string& path);

/// The same of a file that somebody else made: one that is a link, a device, a pipe or a folder, and one of
/// more than `most` bytes, is not read.
Result<std::string> read_stranger(const std::string& path, std::uint64_t most);

/// Writes `text` beside `path`, on disk, and renames it into place, so that a reader sees the old file or the new one, whatever kills the process. Errors,
/// "io": the reason of the system; the old file stays.
Result<bool> replace_file(const std::string& path, const std::string& text);

}  // namespace gabbro
