// The named corpus `debian` as text files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data::debian {

struct Text {
  std::string name;  // of the package file: "anarchism_15.3-3_all.deb"
  std::string file;  // its documents, each ended by the separator line
  std::uint64_t documents = 0, bytes = 0;
};

/// How far it is: the share of packages that are done, the one at work. False: stop.
using Watch = std::function<bool(double share, const std::string& package)>;

struct Texts {
  std::vector<Text> found;
  std::vector<std::string> missing;  // packages that the machine's lists do not have
};

/// Fetches the packages (from `cache` where they are there) and writes one text file each into `folder`, in
/// the order of packages.h. Memory: the files of one package. Errors: those of fetch.h, unpack.h and the
/// cleaners; "fetch" when no package was found.
Result<Texts> write_texts(const std::string& folder, const std::string& cache, const std::string& separator,
                          const Watch& watch);

}  // namespace gabbro::data::debian
