// Writes the corpus `debian`, English text from Debian packages, as text files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data::debian {

/// The text file that was made of a package.
struct Text {
  std::string name;  // name of the package file: "anarchism_15.3-3_all.deb"
  std::string file;  // path of the text file: documents, each followed by the separator line
  std::uint64_t documents = 0, bytes = 0;  // number of documents; their bytes, without separators
};

/// Called with the share of packages that are finished and the current package; returns false to stop.
using Watch = std::function<bool(double share, const std::string& package)>;

struct Texts {
  std::vector<Text> found;
  std::vector<std::string> missing;  // packages that apt does not know; also "NAME (no text in FILE.deb)"
};

/// Fetches all packages of packages.h with apt-get, or takes them from the folder `cache`, and writes one
/// text file per package into `folder`. `found` has the order of packages.h. Only the files of one package
/// are in memory at a time. Errors: those of fetch.h ("stopped" if `watch` returns false), unpack.h and
/// clean.h; "fetch" if no package was found.
Result<Texts> write_texts(const std::string& folder, const std::string& cache, const std::string& separator,
                          const Watch& watch);

}  // namespace gabbro::data::debian
