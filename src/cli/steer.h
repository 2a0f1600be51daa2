// `gabbro steer`: sends a user's instructions to a campaign.
#pragma once

#include <cstdint>
#include <string>

namespace gabbro::cli {

struct SteerCommand {
  std::string run;   // folder of the campaign
  std::string text;  // direction for the agents; reason of a veto or promotion
  bool forget = false, pause = false, resume = false;  // `forget` drops earlier directions
  std::int64_t veto = 0, promote = 0;                  // ids of designs; 0: none
};

/// Puts the instruction into the campaign's inbox. The process that runs the campaign reads it within a
/// second and records it; if none runs, the next `gabbro resume` does. Exit codes: 0; 2 the campaign or
/// design does not exist, or there is no instruction.
int run_steer(const SteerCommand& c);

}  // namespace gabbro::cli
