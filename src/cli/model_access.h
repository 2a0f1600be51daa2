// Language models for a command: the configuration, the call log, and a way to stop.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agents/settings.h"
#include "base/lock.h"
#include "chat/call_log.h"
#include "chat/client.h"

namespace gabbro::cli {

/// An agents.toml: its text, the tables on models, and the table on the pipeline of agents.
struct AgentsConfig {
  std::string text;
  chat::Config models;
  agents::AgentSettings settings;
};
/// Errors: those of the configuration (with its line), "io".
Result<AgentsConfig> read_agents_config(const std::string& path);

/// Gives a command access to models while it exists. After Ctrl-C no call begins, and those in progress have
/// agents::kSecondsForLastCalls to end, unless it is pressed again.
class ModelAccess {
 public:
  /// `config` is the path of an agents.toml. `dir` is the folder of the call log calls.db, which is created
  /// if it does not exist. Errors: those of the configuration (with its line), "chat key", "store", "io".
  static Result<std::unique_ptr<ModelAccess>> open(const std::string& config, const std::string& dir);
  ModelAccess(const ModelAccess&) = delete;
  ModelAccess& operator=(const ModelAccess&) = delete;
  ~ModelAccess();

  [[nodiscard]] chat::Chat& chat() { return *client_; }
  [[nodiscard]] const agents::AgentSettings& settings() const { return settings_; }
  /// Returns true if Ctrl-C was pressed.
  [[nodiscard]] bool stopped() const { return stopped_; }
  /// Returns what is doubtful about the models' replies so far (chat/client.h).
  [[nodiscard]] std::vector<std::string> doubts() const { return client_->doubts(); }
  /// Returns an id that no task in the call log has.
  [[nodiscard]] std::int64_t new_task() const;

 private:
  ModelAccess() = default;
  agents::AgentSettings settings_;
  std::optional<Lock> lock_;  // on the folder of the call log
  std::unique_ptr<chat::CallLog> log_;
  std::unique_ptr<chat::ChatClient> client_;
  std::atomic<bool> stopped_ = false;
  std::jthread watch_;  // A signal handler only sets a flag; this thread stops the client.
};

}  // namespace gabbro::cli
