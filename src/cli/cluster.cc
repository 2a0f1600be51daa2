#include "cli/cluster.h"

#include <fmt/core.h>

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

bool uses_cluster(const ExecutorChoice& choice, const std::string& dir) {
  std::error_code error;
  return choice.name.empty() ? !choice.settings.empty() || fs::exists(settings_file(dir), error)
                             : choice.name == "slurm";
}

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

}  // namespace

Result<bool> install_executor(const ExecutorChoice& choice, const std::string& dir) {
  if (!uses_cluster(choice, dir)) {
    if (choice.settings.empty()) return true;
    return fail("usage", "--slurm has settings of a cluster, but --executor is local",
                "leave one of them out");
  }
  const std::string file = settings_file(dir);
  std::error_code error;
  if (choice.settings.empty()) return fs::exists(file, error) ? true : replace_file(file, "[slurm]\n");
  if (const auto settings = read_settings(choice.settings); !settings)
    return tl::unexpected(settings.error());
  GABBRO_TRY(text, read_file(choice.settings, kMostText));
  return replace_file(file, text);
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
