// Language models for a command: the configuration, the call log, and a way to stop.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "agents/settings.h"
#include "chat/desk.h"
#include "chat/journal.h"

namespace gabbro::cli {

/// The text of an agents.toml and its parsed parts.
struct AgentsConfig {
  std::string text;
  chat::Config models;
  agents::Settings settings;
};
/// Errors: those of the configuration (with its line), "io".
Result<AgentsConfig> read_agents_config(const std::string& path);

/// Gives a command access to models while it exists. Ctrl-C ends calls in progress with "stopped".
class AgentsDesk {
 public:
  /// `config` is the path of an agents.toml. `dir` is the folder of the call log talk.db, which is created if
  /// it does not exist. Errors: those of the configuration (with its line), "chat key", "store", "io".
  static Result<std::unique_ptr<AgentsDesk>> open(const std::string& config, const std::string& dir);
  AgentsDesk(const AgentsDesk&) = delete;
  AgentsDesk& operator=(const AgentsDesk&) = delete;
  ~AgentsDesk();

  [[nodiscard]] chat::Chat& chat() { return *desk_; }
  [[nodiscard]] const agents::Settings& settings() const { return settings_; }
  /// Returns true if Ctrl-C was pressed.
  [[nodiscard]] bool stopped() const { return stopped_; }
  /// Returns an id that no task in the call log has.
  [[nodiscard]] std::int64_t new_task() const;

 private:
  AgentsDesk() = default;
  agents::Settings settings_;
  std::unique_ptr<chat::Journal> journal_;
  std::unique_ptr<chat::Desk> desk_;
  std::atomic<bool> stopped_ = false;
  std::jthread watch_;  // A signal handler only sets a flag; this thread stops the desk.
};

}  // namespace gabbro::cli
