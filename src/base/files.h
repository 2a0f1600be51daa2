// Files that are read whole, and appear whole or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro {

/// More than any settings, spec or list of files holds.
constexpr std::uint64_t kMostText = 64 << 20;

/// The whole of a plain file, also behind a link, of at most `most` bytes. Nothing else is opened for
/// reading: a pipe would be waited for, a device read without end. Errors: "io" with the reason of the
/// system, "limit".
Result<std::string> read_file(const std::string& path, std::uint64_t most = ~std::uint64_t{0});

/// For libraries that open by name: whether `path` is a plain file, also behind a link. Errors: "io" with the
/// reason.
Result<bool> is_plain_file(const std::string& path);

/// The same as read_file of a file that somebody else made: one that is a link is not read either.
Result<std::string> read_stranger(const std::string& path, std::uint64_t most);

/// Writes `text` beside `path`, on disk, and renames it into place, so that a reader sees the old file or the
/// new one, whatever kills the process. Errors, "io": the reason of the system; the old file stays.
Result<bool> replace_file(const std::string& path, const std::string& text);

/// After it nothing has the name `path`, whatever a stranger laid there: it is removed or, where it cannot be
/// (folders nested deeper than files may be open), renamed to a fresh name beside it. Errors: "io".
Result<bool> clear_path(const std::string& path);

}  // namespace gabbro
