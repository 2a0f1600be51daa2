#include "cli/files.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "cli/record.h"
#include "lang/parser.h"
#include "record/trial.h"

namespace gabbro::cli {

namespace {

const char* word_of(FolderKind kind) {
  switch (kind) {
    case FolderKind::kCampaign:
      return "the folder of a campaign";
    case FolderKind::kCorpus:
      return "a corpus";
    case FolderKind::kStudy:
      return "a study of scales";
    case FolderKind::kRun:
      return "the folder of a run";
    case FolderKind::kNone:
      break;
  }
  return "another folder";
}

FolderKind kind_of_folder(const std::string& path) {
  std::error_code error;
  const auto has = [&](const char* file) { return std::filesystem::exists(path + file, error); };
  if (is_campaign(path)) return FolderKind::kCampaign;
  if (has("/manifest.json")) return FolderKind::kCorpus;
  if (has("/scale.json")) return FolderKind::kStudy;
  return has("/spec.json") || has("/result.json") ? FolderKind::kRun : FolderKind::kNone;
}

Result<std::string> read_input(std::uint64_t max_bytes) {
  std::string text(max_bytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stdin));
  if (std::ferror(stdin))
    return fail("io", fmt::format("cannot read standard input: {}", std::strerror(errno)));
  if (text.size() > max_bytes)
    return fail("limit", fmt::format("cannot read standard input: it is larger than {} bytes", max_bytes));
  return text;
}

}  // namespace

Result<std::string> read_program(const std::string& path) {
  if (names_design(path)) return read_design(path);
  const std::size_t limit = lang::ParseLimits{}.bytes;
  auto text = path == "-" ? read_input(limit) : read_file(path, limit);
  if (text) return text;
  Error error = text.error();
  std::error_code ignored;
  if (is(error, record::Cause::kLimit))
    error = {"limit",
             fmt::format("{} is larger than {} bytes", path, limit),
             "split the program into several files",
             {1, 1}};
  else if (std::filesystem::is_directory(path, ignored))
    error = {"io", fmt::format("{} is a folder, not a file", path), "name the files: " + path + "/*.gab", {}};
  else if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    error.hint = "read a pipe with -: ... | gabbro check -";
  return tl::unexpected(error);
}

Result<bool> check_output(const std::string& path, FolderKind kind, const std::string& option) {
  const FolderKind found = kind_of_folder(path);
  if (found == FolderKind::kNone || found == kind) return true;
  return fail("exists", fmt::format("{} is {}", path, word_of(found)), "choose another " + option);
}

Result<std::string> run_folder(const std::string& path) {
  std::error_code error;
  if (names_design(path)) {
    GABBRO_TRY(run, run_of_design(path));
    return run_folder(run);
  }
  if (!std::filesystem::is_directory(path, error))
    return fail("io", fmt::format("folder {} not found", path), "name a run folder, or a design as RUN#ID");
  const FolderKind kind = kind_of_folder(path);
  if (kind == FolderKind::kCampaign)
    return fail("usage", path + " is a campaign, not a run",
                fmt::format("name a design of it, such as {}#17, or a run, such as {}/trials/1", path, path));
  if (kind != FolderKind::kRun && kind != FolderKind::kNone)
    return fail("usage", fmt::format("{} is {}, not a run", path, word_of(kind)),
                "name a folder made by `gabbro train --out`");
  if (const auto spec = record::read_run_spec(path); !spec) return tl::unexpected(spec.error());
  return std::filesystem::absolute(path, error).string();
}

}  // namespace gabbro::cli
