#include "cli/steer.h"

#include <fmt/core.h>

#include <utility>
#include <vector>

#include "campaign/agents.h"
#include "campaign/campaign.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace gabbro::cli {

namespace {

// Returns the instructions of the command, without keys.
Result<std::vector<record::Steered>> instructions_of(const SteerCommand& c) {
  std::vector<record::Steered> out;
  if (c.pause && c.resume)
    return fail("usage", "--pause and --resume cannot be combined", "give only one of them");
  if (c.forget) out.push_back({.what = record::Steering::kForget});
  if (c.veto > 0) out.push_back({.what = record::Steering::kVeto, .text = c.text, .design = c.veto});
  if (c.promote > 0) out.push_back({.what = record::Steering::kPromote, .text = c.text, .design = c.promote});
  if (c.pause) out.push_back({.what = record::Steering::kPause});
  if (c.resume) out.push_back({.what = record::Steering::kResume});
  if (!c.text.empty() && c.veto == 0 && c.promote == 0)
    out.push_back({.what = record::Steering::kDirection, .text = c.text});
  if (out.empty())
    return fail("usage", "no request was given",
                "give a direction in quotes, --forget, --veto ID, --promote ID, --pause or --resume");
  return out;
}

}  // namespace

int run_steer(const SteerCommand& c) {
  auto instructions = instructions_of(c);
  if (!instructions) return failed("steer", instructions.error());
  if (const auto ok = campaign::steer(c.run, std::move(*instructions)); !ok)
    return failed("steer", ok.error());
  const bool is_running = campaign::Campaign::is_open({c.run});
  print("{}\n", is_running ? "delivered; the campaign applies it within a second"
                           : "stored; `gabbro resume` applies it");
  return kValid;
}

}  // namespace gabbro::cli
