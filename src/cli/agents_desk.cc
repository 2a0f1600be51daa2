#include "cli/agents_desk.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/files.h"

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

Result<std::unique_ptr<AgentsDesk>> AgentsDesk::open(const std::string& config, const std::string& dir) {
  std::unique_ptr<AgentsDesk> out(new AgentsDesk);
  GABBRO_TRY(read, read_agents_config(config));
  out->settings_ = read.settings;
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail("io", fmt::format("cannot create folder {}: {}", dir, error.message()));
  GABBRO_TRY(journal, chat::Journal::open(dir + "/talk.db"));
  out->journal_ = std::move(journal);
  GABBRO_TRY(desk, chat::Desk::open(std::move(read.models), *out->journal_));
  out->desk_ = std::move(desk);
  g_interrupts = 0;
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { ++g_interrupts; });
  out->watch_ = std::jthread([self = out.get()](const std::stop_token& stop) {
    while (!stop.stop_requested() && g_interrupts == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (g_interrupts == 0) return;
    self->stopped_ = true;
    self->desk_->stop();
  });
  return out;
}

AgentsDesk::~AgentsDesk() {
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
}

std::int64_t AgentsDesk::new_task() const {
  std::int64_t last = 0;
  for (const chat::Call& call : journal_->calls()) last = std::max(last, call.task);
  return last + 1;
}

}  // namespace gabbro::cli
