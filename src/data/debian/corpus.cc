#include "data/debian/corpus.h"

#include <fmt/format.h>
#include <utf8.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_set>

#include "base/hash.h"
#include "data/debian/fetch.h"
#include "data/debian/packages.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {

namespace fs = std::filesystem;

namespace {

using PackageParts = std::vector<Part>;  // rows of one package

std::vector<PackageParts> by_package() {
  std::vector<PackageParts> out;
  for (const Part& part : parts()) {
    if (out.empty() || out.back().front().package != part.package) out.emplace_back();
    out.back().push_back(part);
  }
  return out;
}

// Replaces invalid UTF-8 by U+FFFD.
std::string to_valid_utf8(std::string text) {
  if (utf8::is_valid(text.begin(), text.end())) return text;
  std::string out;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

// Replaces blanks of other widths by spaces.
std::string plain_blanks(std::string text) {
  for (const std::string_view blank : {"\u00a0", "\u202f", "\u2009"})
    for (std::size_t at = text.find(blank); at != std::string::npos; at = text.find(blank, at))
      text.replace(at, blank.size(), " ");
  return text;
}

// Cuts a long text between paragraphs into parts of similar size.
std::vector<std::string> cut(const std::string& text) {
  constexpr std::size_t kMaxBytes = 1 << 16;  // of a part, approximately
  const std::size_t target = text.size() / (text.size() / kMaxBytes + 1);
  std::vector<std::string> out;
  for (std::size_t from = 0; from < text.size();) {
    std::size_t end = text.size();
    if (text.size() - from > target + target / 4)
      if (const std::size_t gap = text.find("\n\n", from + target); gap != std::string::npos) end = gap + 1;
    out.push_back(text.substr(from, end - from));
    from = std::min(text.find_first_not_of('\n', end), text.size());
  }
  return out;
}

// Writes the documents of the package file `deb` to a file in `folder`.
Result<Text> write_text(const std::string& deb, const PackageParts& rows, const std::string& folder,
                        const std::string& separator) {
  Text out{fs::path(deb).filename(), folder + "/" + std::string(rows.front().package) + ".txt"};
  std::ofstream file(out.file, std::ios::binary);
  std::unordered_set<std::uint64_t> seen;  // A page that occurs twice is used once.
  const Emit emit = [&](std::string text) {
    text = plain_blanks(to_valid_utf8(std::move(text)));
    if (text.empty() || !seen.insert(hash64(text)).second) return;
    if (text.back() != '\n') text += '\n';
    for (const std::string& part : cut(text)) {
      file << part << separator << '\n';
      ++out.documents;
      out.bytes += part.size();
    }
  };
  const auto wanted = [&](const std::string& path) {
    for (const Part& part : rows)
      if (takes(part, path)) return true;
    return false;
  };
  GABBRO_TRY(files, read_package(deb, wanted));
  for (const Part& part : rows) {
    Files taken;
    for (const auto& [path, bytes] : files)
      if (takes(part, path)) taken.emplace(path, bytes);
    if (auto ok = part.clean(taken, emit); !ok) {
      ok.error().message = out.name + ": " + ok.error().message;
      return tl::unexpected(ok.error());
    }
  }
  file.close();
  if (!file) return fail("io", fmt::format("cannot write {}: {}", out.file, std::strerror(errno)));
  return out;
}

}  // namespace

Result<Texts> write_texts(const std::string& folder, const std::string& cache, const std::string& separator,
                          const Watch& watch) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", folder, error.message()));
  const std::vector<PackageParts> packages = by_package();
  Texts out;
  for (std::size_t i = 0; i < packages.size(); ++i) {
    const std::string name(packages[i].front().package);
    const auto keep_going = [&] {
      return watch(static_cast<double>(i) / static_cast<double>(packages.size()), name);
    };
    if (!keep_going()) return fail("stopped", "the build was stopped; its files were removed");
    GABBRO_TRY(deb, fetch_package(name, cache, keep_going));
    if (!deb) {
      out.missing.push_back(name);
      continue;
    }
    GABBRO_TRY(text, write_text(*deb, packages[i], folder, separator));
    if (text.documents == 0)
      out.missing.push_back(name + " (no text in " + text.name + ")");
    else
      out.found.push_back(std::move(text));
  }
  if (out.found.empty())
    return fail("fetch", "the package lists of this machine have none of the packages of the debian corpus",
                "update the lists with `apt-get update`, or build from your own files: gabbro data build "
                "--out FOLDER FILE...");
  return out;
}

}  // namespace gabbro::data::debian
