// Renders a campaign as one self-contained page.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "record/scale.h"
#include "store/store.h"

namespace gabbro::campaign {

/// Returns one HTML file, well formed as XML, with styles and figures inside and no external resources and
/// one script, which sorts tables: verdict, funnel, curves, cost, families, comparison, ablation, strategies,
/// refusals and failures, and the method of measurement. Sections without content say so or are left out.
/// `dir` is the campaign's folder in the commands that are shown. `conversation_of` returns the conversation
/// of an agents' task. `scale` is a study of its designs at several sizes, if there is one. Errors: "store",
/// "preset", "event": as read_record. O(designs + trials); the full results of some ten runs are read too.
Result<std::string> report_html(const store::Store& store, const std::string& dir = "RUN",
                                const std::function<std::string(std::int64_t task)>& conversation_of = {},
                                const std::optional<record::ScaleStudy>& scale = {});

}  // namespace gabbro::campaign
