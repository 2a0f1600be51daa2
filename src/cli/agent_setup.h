// Sets up the agents of a campaign: configuration, call log, models, literature and the pool of tasks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "campaign/agents.h"

namespace gabbro::cli {

class AgentSetup {
 public:
  /// Opens the agents of a campaign with the configuration DIR/agents.toml and the call log DIR/calls.db. If
  /// `replayed` names the folder of another campaign, that campaign's call log answers instead of models.
  /// Errors: "agents" (the configuration), "chat key" (an environment variable is not set), "store", "io".
  static Result<std::unique_ptr<AgentSetup>> open(const std::string& dir, const std::string& replayed,
                                                  std::uint64_t seed);
  ~AgentSetup();

  [[nodiscard]] campaign::Agents& agents();
  /// Returns the names of the environment variables that hold keys; workers do not inherit them.
  [[nodiscard]] const std::vector<std::string>& hidden() const;
  /// Describes in one line the expected cost of a design (agents::design_cost) and the number of designs that
  /// the rest of the cap allows.
  [[nodiscard]] std::string estimate(const agents::TaskCosts& so_far) const;

  /// Copies the configuration `file` to DIR/agents.toml. Errors: those of the configuration, "io".
  static Result<bool> install(const std::string& file, const std::string& dir);
  /// Returns true if the campaign in `dir` has agents.
  static bool has_agents(const std::string& dir);

 private:
  struct Parts;
  explicit AgentSetup(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace gabbro::cli
