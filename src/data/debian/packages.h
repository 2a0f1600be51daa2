// The named corpus `debian`: which files of which packages, and how each becomes text. A package more is a
// row more in packages.cc.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gabbro::data::debian {

/// Files of a package that are in memory at a time: their paths without a leading "./", in order, and their
/// bytes.
using Files = std::map<std::string, std::string>;
/// Takes a document.
using Emit = std::function<void(std::string)>;
/// Turns files into documents of valid UTF-8. Errors: "format", naming the file.
using Cleaner = Result<bool> (*)(const Files&, const Emit&);

struct Part {
  std::string_view package;
  std::string_view folder;   // the files taken lie below this one
  std::string_view ending;   // and end so,
  std::string_view without;  // and their paths contain none of these words (separated by blanks)
  Cleaner clean;
};

/// In the order in which their documents stand in the corpus; rows of a package follow each other.
std::span<const Part> parts();

[[nodiscard]] bool takes(const Part& part, std::string_view path);

}  // namespace gabbro::data::debian
