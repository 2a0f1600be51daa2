// Texts that the report and the dashboard both have. The dashboard's server sends them to its pages.
#pragma once

#include <string>

#include "campaign/format.h"

namespace gabbro::campaign {

// Said where there is nothing to show yet.
inline constexpr const char* kNoEntry = "No design of the search has entered a rung yet.";
inline constexpr const char* kNoScore = "No run has ended with a score yet.";
inline constexpr const char* kNoDuel = "No design has a run with the same seed as a baseline yet.";
inline constexpr const char* kNoRefusal = "No draw was refused.";
inline constexpr const char* kNoFailure = "Every run that ended has a score.";

// Said below tables.
inline constexpr const char* kStandingsRemark =
    "Means over the seeds of the search. Gain of context: how many bits per byte the text before the last 8 "
    "tokens is worth; near 0, the design predicts from those 8 alone. FLOPs and state are per token, at the "
    "size and context of the first rung.";
inline constexpr const char* kOperatorsRemark =
    "Offspring with an outcome at the first rung, and those that scored better there than their parent on "
    "the same data.";
inline constexpr const char* kLineageRemark =
    "Up to its root, with bits per byte at the first rung and the difference from the parent there.";

/// Says why a comparison began with this number of seeds.
inline std::string started_text(const std::string& reason) {
  return "When it started: " + one_line(reason, 300) + ".";
}
/// Says that a design entered a rung, and why.
inline std::string entered_text(const std::string& rung, const std::string& reason) {
  return "It entered " + one_line(rung, 30) + ": " + one_line(reason, 200) + ".";
}
/// Introduces the changes of a design from its parent.
inline std::string changes_text(const std::string& parent) {
  return "Marked lines are not in its parent, " + parent + ":";
}

}  // namespace gabbro::campaign
