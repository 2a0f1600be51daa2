#include "data/sources.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "data/format.h"
#include "data/parquet.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

tl::unexpected<Error> unreadable(const fs::path& path, const std::string& why) {
  return fail("io", fmt::format("cannot read {}: {}", path.string(), why),
              "make it readable, or name the files to read");
}

// Checks that this build can read Parquet. Skipping the file silently would be worse than an error.
Result<bool> check_parquet(const fs::path& path) {
  auto ok = load_parquet();
  if (!ok) ok.error().message = path.string() + " is a Parquet file, and " + ok.error().message;
  return ok;
}

// Checks a file that the user named. Errors: those of find_sources.
Result<bool> check_named(const std::string& path) {
  switch (format_of(path)) {
    case Format::kText:
    case Format::kLines:
      return true;
    case Format::kJson:
      return holds_json_lines(path);
    case Format::kParquet:
      return check_parquet(path);
    case Format::kArchive:
      return fail("format", fmt::format("{} is an archive, which is not read", path),
                  "unpack it, and pass the folder");
    case Format::kUnknown:
      break;
  }
  return fail("format", fmt::format("{} has an unknown format", path),
              "rename it to .txt if it is plain text, or convert it to text, JSON lines (.jsonl) or Parquet");
}

// Collects files, and recognises a file that is found again under another name.
class Finder {
 public:
  explicit Finder(const SourceOptions& options) : options_(options) {}

  Result<bool> add(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
      if (errno == ENOENT && path == "-")
        return fail("io",
                    "the standard input can be read only once, and a build reads its sources more often",
                    "write it to a file, and name that");
      if (errno == ENOENT) return fail("io", fmt::format("{} not found", path), "name files or folders");
      return unreadable(path, std::strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
      if (auto ok = check_named(path); !ok) return ok;
      if (auto ok = add_file(path); !ok) return ok;
    } else if (auto ok = add_folder(path); !ok) {
      return ok;
    }
    ++path_;
    return true;
  }

  Sources out;

 private:
  Result<bool> add_file(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return unreadable(path, std::strerror(errno));
    const auto [known, is_new] = known_.try_emplace({status.st_dev, status.st_ino}, out.files.size());
    if (!is_new && out.path_of[known->second] == path_) {
      out.skipped["with the same file behind it as another"].push_back(path);
      return true;
    }
    if (!is_new)
      return fail("io",
                  fmt::format("{} is named twice: it is the same file as {}", path, out.files[known->second]),
                  "name it once");
    out.files.push_back(path);
    out.path_of.push_back(path_);
    out.bytes += static_cast<std::uint64_t>(status.st_size);
    return true;
  }

  Result<bool> add_folder(const std::string& folder) {
    std::vector<fs::path> found;
    if (auto ok = walk(folder, found); !ok) return ok;
    std::sort(found.begin(), found.end());
    const std::size_t before = out.files.size();
    for (const fs::path& file : found) {
      GABBRO_TRY(wanted, is_wanted(file));
      if (!wanted)
        out.skipped["of unknown format"].push_back(file.string());
      else if (auto ok = add_file(file.string()); !ok)
        return ok;
    }
    if (out.files.size() == before)
      return fail("io", fmt::format("{} contains no file of a known format", folder),
                  "use .txt, .md or .jsonl, also compressed (.gz, .xz, .zst, .bz2), or .parquet; a .json "
                  "file needs JSON lines with text in the field that --field names");
    return true;
  }

  // Returns true if a file in a folder is a source; folders may contain other files than text.
  Result<bool> is_wanted(const fs::path& file) const {
    const Format format = format_of(file);
    if (format == Format::kJson) return has_json_field(file.string(), options_.field);
    if (format == Format::kParquet) return check_parquet(file);
    // Without an extension, a file in a folder may be anything.
    return (format == Format::kText && file.has_extension()) || format == Format::kLines;
  }

  // Lists the files below `folder` in `found`.
  Result<bool> walk(const fs::path& folder, std::vector<fs::path>& found) {
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const fs::path& path = entry->path();
      if (path.filename().string().starts_with('.')) {  // .git and similar folders
        out.skipped["with a hidden name"].push_back(path.string());
        continue;
      }
      std::error_code why, own_why;
      const fs::file_status target = entry->status(why), own = entry->symlink_status(own_why);
      const bool dangling = why == std::errc::too_many_symbolic_link_levels;  // a link to itself
      if (own_why || (why && target.type() == fs::file_type::none && !dangling))
        return unreadable(path, (own_why ? own_why : why).message());
      if (fs::is_directory(target)) {
        if (fs::is_symlink(own))
          out.skipped["behind a link to a folder"].push_back(path.string());
        else if (auto ok = walk(path, found); !ok)
          return ok;
      } else if (fs::is_regular_file(target)) {
        found.push_back(path);
      } else {
        out.skipped["other than plain files"].push_back(path.string());
      }
    }
    if (error) return unreadable(folder, error.message());
    return true;
  }

  const SourceOptions& options_;
  std::size_t path_ = 0;                                  // index of the path that is being added
  std::map<std::pair<dev_t, ino_t>, std::size_t> known_;  // the index in `files` by the file's identity
};

}  // namespace

Result<Sources> find_sources(const std::vector<std::string>& paths, const SourceOptions& options) {
  Finder finder(options);
  for (const std::string& path : paths)
    if (auto ok = finder.add(path); !ok) return tl::unexpected(ok.error());
  for (auto& [reason, files] : finder.out.skipped) std::sort(files.begin(), files.end());
  return std::move(finder.out);
}

}  // namespace gabbro::data
