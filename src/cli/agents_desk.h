// Language models for a command: the configuration, the record of calls, and a way to stop.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "agents/settings.h"
#include "chat/desk.h"
#include "chat/journal.h"

namespace gabbro::cli {

/// The text of an agents.toml, and what it says to each of its readers.
struct AgentsConfig {
  std::string text;
  chat::Config models;
  agents::Settings settings;
};
/// Errors: those of the configuration (with its line), "io".
Result<AgentsConfig> read_agents_config(const std::string& path);

/// Opened for as long as a command asks models. Ctrl-C ends calls under way with "stopped".
class AgentsDesk {
 public:
  /// `config`: an agents.toml; `dir`: the folder whose talk.db is the record, made when there is none.
  /// Errors: those of the configuration (with its line), "chat key", "store", "io".
  static Result<std::unique_ptr<AgentsDesk>> open(const std::string& config, const std::string& dir);
  AgentsDesk(const AgentsDesk&) = delete;
  AgentsDesk& operator=(const AgentsDesk&) = delete;
  ~AgentsDesk();

  [[nodiscard]] chat::Chat& chat() { return *desk_; }
  [[nodiscard]] const agents::Settings& settings() const { return settings_; }
  /// Whether Ctrl-C was pressed.
  [[nodiscard]] bool stopped() const { return stopped_; }
  /// A number that no task in the record has.
  [[nodiscard]] std::int64_t new_task() const;

 private:
  AgentsDesk() = default;
  agents::Settings settings_;
  std::unique_ptr<chat::Journal> journal_;
  std::unique_ptr<chat::Desk> desk_;
  std::atomic<bool> stopped_ = false;
  std::jthread watch_;  // signals set a flag; a desk is stopped from a thread
};

}  // namespace gabbro::cli
