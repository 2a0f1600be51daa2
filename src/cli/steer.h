// `gabbro steer`: a person's word to a campaign.
#pragma once

#include <cstdint>
#include <string>

namespace gabbro::cli {

struct SteerCommand {
  std::string run, text;
  bool forget = false, pause = false, resume = false;
  std::int64_t veto = 0;  // a design; 0: none
};

/// Puts what is asked into the campaign's inbox, where the process that works on it takes it up within a
/// second and records it; without one, the next `gabbro resume` does. Exit 0, or 2 for no such campaign or
/// design, or nothing to say.
int run_steer(const SteerCommand& c);

}  // namespace gabbro::cli
