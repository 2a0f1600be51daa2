#include "cli/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/signals.h"
#include "jobs/slurm.h"
#include "jobs/slurm_tasks.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

std::string settings_file(const std::string& dir) { return dir + "/slurm.toml"; }

// Exists if the last session of a campaign with settings of a cluster ran on this machine.
std::string local_mark(const std::string& dir) { return dir + "/local"; }

Result<jobs::SlurmSettings> read_settings(const std::string& file) {
  GABBRO_TRY(text, read_file(file, kMostText));
  auto settings = jobs::parse_slurm_settings(text);
  if (settings) return settings;
  Error error = settings.error();
  error.message = fmt::format("{}:{}:{}: {}", file, error.at.line, error.at.column, error.message);
  return tl::unexpected(std::move(error));
}

Result<std::unique_ptr<jobs::Executor>> open_slurm(const ExecutorChoice& choice, const std::string& dir) {
  GABBRO_TRY(settings, read_settings(settings_file(dir)));
  if (choice.workers > 0) settings.max_jobs = choice.workers;
  return jobs::slurm_executor(
      {.dir = dir, .settings = std::move(settings), .program = {}, .hidden = choice.hidden});
}

// Checks that settings of rungs are for rungs that the campaign has.
Result<bool> check_rungs(const std::string& file, const std::vector<std::string>& rungs) {
  GABBRO_TRY(settings, read_settings(file));
  for (const auto& [name, request] : settings.rungs)
    if (std::find(rungs.begin(), rungs.end(), name) == rungs.end())
      return fail("jobs", fmt::format("{}: the campaign has no rung '{}'", file, name),
                  fmt::format("its rungs are {}", fmt::join(rungs, ", ")));
  return true;
}

}  // namespace

bool uses_cluster(const ExecutorChoice& choice, const std::string& dir) {
  if (!choice.name.empty()) return choice.name == "slurm";
  std::error_code error;
  return !choice.settings.empty() ||
         (fs::exists(settings_file(dir), error) && !fs::exists(local_mark(dir), error));
}

Result<bool> install_executor(const ExecutorChoice& choice, const std::string& dir,
                              const std::vector<std::string>& rungs) {
  const std::string file = settings_file(dir);
  std::error_code error;
  if (!uses_cluster(choice, dir)) {
    if (!choice.settings.empty())
      return fail("usage", "--slurm has settings of a cluster, but --executor is local",
                  "leave one of them out");
    return fs::exists(file, error) ? replace_file(local_mark(dir), "") : true;
  }
  if (!choice.settings.empty()) {
    if (const auto ok = check_rungs(choice.settings, rungs); !ok) return ok;
    GABBRO_TRY(text, read_file(choice.settings, kMostText));
    if (const auto ok = replace_file(file, text); !ok) return ok;
  } else if (!fs::exists(file, error)) {
    if (const auto ok = replace_file(file, "[slurm]\n"); !ok) return ok;
  } else if (const auto ok = check_rungs(file, rungs); !ok) {
    return ok;
  }
  fs::remove(local_mark(dir), error);
  return true;
}

Result<std::unique_ptr<jobs::Executor>> open_executor(const ExecutorChoice& choice, const std::string& dir) {
  if (uses_cluster(choice, dir)) return open_slurm(choice, dir);
  std::error_code error;
  if (fs::exists(dir + "/slurm/campaign", error)) {
    GABBRO_TRY(cluster, open_slurm(choice, dir));
    for (const jobs::AttachedJob& job : cluster->attached()) cluster->discard(job.id);
  }
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int slots = choice.workers > 0 ? choice.workers : std::max(1, cores / choice.threads);
  return jobs::local_executor({.slots = slots, .worker = {}, .hidden = choice.hidden});
}

int run_slurm_job(const std::string& folder, const std::string& index) {
  const Signals signals;
  const auto done = jobs::run_slurm_task(folder, std::atoi(index.c_str()), Signals::seen);
  return done ? kValid : failed("slurm-job", done.error());
}

}  // namespace gabbro::cli
