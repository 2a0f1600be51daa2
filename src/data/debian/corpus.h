// Writes the named corpus `debian` as text files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data::debian {

struct Text {
  std::string name;  // name of the package file: "anarchism_15.3-3_all.deb"
  std::string file;  // file with its documents, each ended by the separator line
  std::uint64_t documents = 0, bytes = 0;
};

/// Reports the share of finished packages and the current package. Returns false to stop.
using Watch = std::function<bool(double share, const std::string& package)>;

struct Texts {
  std::vector<Text> found;
  std::vector<std::string> missing;  // packages that are not in the machine's lists or contain no text
};

/// Fetches the packages, or takes them from `cache`, and writes one text file per package into `folder`, in
/// the order of packages.h. The files of one package are in memory at a time. Errors: those of fetch.h,
/// unpack.h and the cleaners; "fetch" if no package was found.
Result<Texts> write_texts(const std::string& folder, const std::string& cache, const std::string& separator,
                          const Watch& watch);

}  // namespace gabbro::data::debian
