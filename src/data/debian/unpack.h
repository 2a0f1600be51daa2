// Reading packages and packed files in memory (libarchive).
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "data/debian/packages.h"

namespace gabbro::data::debian {

/// The files of the Debian package `path` (deb(5): an ar archive that holds data.tar.*) for which `wanted` is
/// true, without installing anything. Memory of those files. Errors: "io" (no package, or a damaged one).
Result<Files> read_package(const std::string& path, const std::function<bool(const std::string&)>& wanted);

/// `bytes` unpacked if they are packed (gzip, xz, ...), else as they are. Errors: "format", naming `name`.
Result<std::string> unpack(const std::string& bytes, const std::string& name);

/// A zlib stream (RFC 1950) of `size` bytes when unpacked. Errors: "format".
Result<std::string> inflate(std::string_view bytes, std::size_t size, const std::string& name);

}  // namespace gabbro::data::debian
