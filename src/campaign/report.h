// A campaign as one page that stands for itself.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "record/scale.h"
#include "store/store.h"

namespace gabbro::campaign {

/// One HTML file, well formed as XML, with its styles and pictures inside and nothing fetched: verdict,
/// funnel, curves, cost, families, comparison, ablation, strategies, refusals and failures, and how it was
/// measured. It says so where there is nothing to say yet. `dir` is how the campaign is named in the commands
/// that it shows; `talk` gives the conversation of a task of agents; `scale` is the study of its designs at
/// several sizes, where there is one. Errors: "store", "preset", "event": as read_record. O(designs +
/// trials), and the full results of some ten runs.
Result<std::string> report_html(const store::Store& store, const std::string& dir = "RUN",
                                const std::function<std::string(std::int64_t task)>& talk = {},
                                const std::optional<record::ScaleStudy>& scale = {});

}  // namespace gabbro::campaign
