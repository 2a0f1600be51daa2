// The named corpus `debian`: a table of packages, the files that are used, and the cleaner of each format. To
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
/// Converts files to documents in valid UTF-8. Errors: "format", with the name of the file.
using Cleaner = Result<bool> (*)(const Files&, const Emit&);

struct Part {
  std::string_view package;
  std::string_view folder;  // only files with this path prefix are used
  std::string_view ending;  // only files with this suffix are used
  // Files with one of these words (separated by blanks) in the path after the prefix are not used.
  std::string_view without;
  Cleaner clean;
};

/// Returns the rows in the order of their documents in the corpus; rows of a package are adjacent.
std::span<const Part> parts();

[[nodiscard]] bool takes(const Part& part, std::string_view path);

}  // namespace gabbro::data::debian
