// Formats a campaign's record for `gabbro status`, `top`, `show RUN#ID` and `tree`, as text, and for the
// first two as JSON. The record may be read while a campaign writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "campaign/reading.h"
#include "store/store.h"

namespace gabbro::campaign {

/// Returns the state of a campaign: verdict, funnel by rung, strategies, refusals and failures by cause, and
/// the last session with how it ended. `is_running`: a process of this machine holds the campaign's lock.
/// Errors: as read_record. O(designs + trials).
Result<std::string> status_text(const store::Store& store, bool is_running = false);
/// Returns the same as one JSON object on one line. Unknown numbers are null. `cluster` says what its jobs do
/// on a cluster (jobs::slurm_status); "" becomes null.
Result<std::string> status_json(const store::Store& store, const std::string& cluster = "");
std::string status_json(const CampaignReading& reading, const store::Store& store,
                        const std::string& cluster = "");
/// Says when the last session began or how it ended.
std::string session_text(const CampaignReading& reading, bool is_running = false);

/// Returns the best `count` candidates at the highest rung where any candidate has a score, and all baselines
/// and controls there, best first, followed by known and user designs without a score. Errors: as
/// read_record.
Result<std::string> top_text(const store::Store& store, std::size_t count);
/// Returns the same as one JSON object, {"rung", "best_baseline", "designs": [...], "unscored": [...]}, on
/// one line. Unknown numbers are null.
Result<std::string> top_json(const store::Store& store, std::size_t count);

/// Describes one design: its instance tree, program, origin, runs by rung, learning curve, promotions and the
/// outcome of the final comparison. Errors: as read_record, and "store" for an unknown id.
Result<std::string> design_text(const store::Store& store, std::int64_t design);

/// Limits of a tree: its depth in generations below the roots, and its number of lines.
struct TreeLimits {
  std::size_t depth = 12, lines = 200;
};
/// Returns `root` and its descendants, or all designs if `root` is 0, indented by generation, the best
/// children first. Says how many designs the limits leave out. Errors: as design_text.
Result<std::string> tree_text(const store::Store& store, std::int64_t root, const TreeLimits& limits = {});

}  // namespace gabbro::campaign
