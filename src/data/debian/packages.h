// The corpus `debian`: a table of packages, the files that are used, and the cleaner of each format. To
// add a package, add a row in packages.cc.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gabbro::data::debian {

/// The files of a package that are in memory: their bytes by path, without a leading "./", in order.
using Files = std::map<std::string, std::string>;
/// Receives a document.
using Emit = std::function<void(std::string)>;
/// Converts files to documents. Errors: "format" and "io", with the name of the file.
using Cleaner = Result<bool> (*)(const Files&, const Emit&);

/// A row of the table: some files of a package, and their cleaner.
struct Part {
  std::string_view package;
  std::string_view prefix;  // only files with this path prefix are used
  std::string_view suffix;  // only files with this suffix are used
  // A file is left out if its path after the prefix contains one of these strings (separated by blanks).
  std::string_view without;
  Cleaner clean;
};

/// Returns the rows in the order of their documents in the corpus; rows of a package are adjacent.
std::span<const Part> parts();

/// Returns true if `part` uses the file at `path`, given as in Files.
[[nodiscard]] bool takes(const Part& part, std::string_view path);

}  // namespace gabbro::data::debian
