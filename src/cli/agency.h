// The agents of a campaign, put together: configuration, record of the talk, models, literature, team.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "campaign/agents.h"

namespace gabbro::cli {

class Agency {
 public:
  /// By the configuration in DIR/agents.toml; the talk goes to DIR/talk.db. With `replayed`, another
  /// campaign's folder, models are not asked: its talk answers. Errors: "agents" (the configuration), "chat
  /// key" (a variable is not set), "store", "io".
  static Result<std::unique_ptr<Agency>> open(const std::string& dir, const std::string& replayed,
                                              std::uint64_t seed);
  ~Agency();

  [[nodiscard]] campaign::Agents& agents();
  /// Environment variables that hold keys: workers do not get them.
  [[nodiscard]] const std::vector<std::string>& hidden() const;
  /// What a design is expected to take, and for how many the cap is enough; a line.
  [[nodiscard]] std::string estimate() const;

  /// Copies a configuration into the folder of a campaign. Errors: those of the configuration, "io".
  static Result<bool> install(const std::string& file, const std::string& dir);
  /// Whether a campaign has agents.
  static bool is_there(const std::string& dir);

 private:
  struct Parts;
  explicit Agency(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace gabbro::cli
