// Reads Debian packages, and decompresses bytes, with libarchive and zlib.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "data/debian/packages.h"

namespace gabbro::data::debian {

/// Returns the files of a Debian package (deb(5): an ar archive that contains data.tar.*) for which `wanted`
/// is true, without installing anything. Paths, also those for `wanted`, have no leading "./". Only those
/// files are held in memory, by path. Errors: "io" (not a package, or damaged).
Result<Files> read_package(const std::string& path, const std::function<bool(const std::string&)>& wanted);

/// Returns `bytes` decompressed if they are compressed (gzip, xz or bzip2), or else unchanged. Errors: "io".
/// Errors name the file as `name`.
Result<std::string> decompressed(const std::string& bytes, const std::string& name);

/// Decompresses a zlib stream (RFC 1950) whose content has `size` bytes. Errors: "format", as for the
/// rest of the file that contains it.
Result<std::string> zlib_decompressed(std::string_view bytes, std::size_t size, const std::string& name);

}  // namespace gabbro::data::debian
