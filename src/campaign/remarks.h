// Texts that the report and the dashboard both have. The dashboard's server sends them to its pages.
#pragma once

#include <string>
#include <string_view>

#include "campaign/format.h"

namespace gabbro::campaign {

// Said where there is nothing to show yet.
inline constexpr const char* kNoEntry = "No design of the search has entered a rung yet.";
inline constexpr const char* kNoScore = "No run has ended with a score yet.";
inline constexpr const char* kNoDuel = "No design has a run with the same seed as a baseline yet.";
inline constexpr const char* kNoRefusal = "No draw was refused.";
inline constexpr const char* kNoFailure = "Every run that ended has a score.";

// Said below tables.
inline constexpr const char* kOperatorsRemark =
    "Offspring with an outcome at the first rung, and those that scored better there than their parent on "
    "the same data.";
inline constexpr const char* kLineageRemark =
    "Up to its root, with bits per byte at the first rung and the difference from the parent there.";

/// Says what a column of a table holds, under the pointer.
struct Hint {
  std::string_view table, column, text;
};
inline constexpr std::string_view kGainOfContext =
    "how many bits per byte the text before the last 8 tokens is worth; near 0, the design predicts from "
    "those 8 alone";
inline constexpr std::string_view kPerToken = "per token, at the size and context of the first rung";
inline constexpr Hint kHints[] = {
    {"campaigns", "best", "bits per byte of the leader at the highest rung"},
    {"campaigns", "against baseline",
     "difference of means on the seeds of the search; see the verdict for what can be claimed"},
    {"ladder", "rate", "base learning rate; every design has a factor on it"},
    {"ladder", "promoted", "share of the designs that may enter the next rung"},
    {"ladder", "stopped", "stopped early at a hurdle"},
    {"standings", "gain of context", kGainOfContext},
    {"standings", "tokens/s", "of training, in the run that is shown"},
    {"standings", "train FLOPs", kPerToken},
    {"standings", "decode FLOPs", kPerToken},
    {"standings", "state", kPerToken},
    {"designs", "name", "title of the agents' proposal, or the name in its program"},
    {"designs", "bits per byte", "at the highest rung with a score; higher rungs come first"},
    {"designs", "gen.", "generation: ancestors along first parents"},
    {"designs", "train", "FLOPs per token, at the size and context of the first rung"},
    {"designs", "decode", "FLOPs per token, at the size and context of the first rung"},
    {"designs", "state", "bytes, at the size and context of the first rung"},
    {"reviewers", "Brier", "mean squared error of its probabilities; 0 is best"},
    {"reviewers", "by chance", "error of always predicting the share of successes"},
    {"tasks", "promises", "kept, of all"},
    {"tasks", "predicted", "mean probability of the reviewers that it beats its parent"},
};
/// Returns the hint of a column; "" if it has none.
constexpr std::string_view hint_of(std::string_view table, std::string_view column) {
  for (const Hint& h : kHints)
    if (h.table == table && h.column == column) return h.text;
  return "";
}
/// Explains the table of the best designs below it, where no pointer shows hints.
inline std::string standings_remark() {
  return "Means over the seeds of the search. Gain of context: " + std::string(kGainOfContext) +
         ". FLOPs and state: " + std::string(kPerToken) + ".";
}

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
