#include "cli/model_access.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "agents/task_pool.h"
#include "base/files.h"
#include "record/cause.h"

namespace gabbro::cli {

namespace {

std::atomic<int> g_interrupts{0};

}  // namespace

Result<AgentsConfig> read_agents_config(const std::string& path) {
  auto text = read_file(path, kMostText);
  if (!text) return fail("io", text.error().message, "see docs/agents.md for the format of agents.toml");
  GABBRO_TRY(settings, agents::parse_settings(*text));
  GABBRO_TRY(models, chat::parse_config(*text));
  return AgentsConfig{std::move(*text), std::move(models), settings};
}

Result<std::unique_ptr<ModelAccess>> ModelAccess::open(const std::string& config, const std::string& dir) {
  std::unique_ptr<ModelAccess> out(new ModelAccess);
  GABBRO_TRY(read, read_agents_config(config));
  out->settings_ = read.settings;
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail("io", fmt::format("cannot create folder {}: {}", dir, error.message()));
  auto lock = Lock::take(dir);
  if (!lock && is(lock.error(), record::Cause::kLocked))
    return fail("store", fmt::format("{}: another process is using it for calls", dir),
                "wait for it, stop it, or choose another folder");
  if (!lock) return tl::unexpected(lock.error());
  out->lock_.emplace(std::move(*lock));
  GABBRO_TRY(log, chat::CallLog::open(dir + "/calls.db"));
  out->log_ = std::move(log);
  GABBRO_TRY(client, chat::ChatClient::open(std::move(read.models), *out->log_));
  out->client_ = std::move(client);
  g_interrupts = 0;
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { ++g_interrupts; });
  out->watch_ = std::jthread([self = out.get()](const std::stop_token& stop) {
    for (int seen = 0; !stop.stop_requested() && seen < 2;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (g_interrupts == seen) continue;
      seen = g_interrupts;
      self->stopped_ = true;
      self->client_->stop(seen == 1 ? agents::kSecondsForLastCalls : 0);
    }
  });
  return out;
}

ModelAccess::~ModelAccess() {
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
}

std::int64_t ModelAccess::new_task() const {
  std::int64_t last = 0;
  for (const chat::LoggedCall& call : log_->calls()) last = std::max(last, call.task);
  return last + 1;
}

}  // namespace gabbro::cli
