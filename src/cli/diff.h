// `gabbro diff`: shows the changes between two programs and their effect on the facts.
#pragma once

#include <string>
#include <vector>

#include "edit/diff.h"
#include "lang/check.h"

namespace gabbro::cli {

/// The comparison of two checked programs. `before` and `after` are the designs (or units) whose facts are
/// compared: the last of each program, or null if the program is not valid. They point into the reports.
struct DesignDiff {
  std::vector<edit::Change> changes;
  const lang::Subject* before = nullptr;
  const lang::Subject* after = nullptr;
  /// Returns true if the canonical hashes are equal; different hashes do not prove different functions.
  [[nodiscard]] bool same_function() const { return before && after && before->hash == after->hash; }
};

DesignDiff compare(const lang::CheckReport& before, const lang::CheckReport& after);

/// Formats the changes as a diff, followed by the facts that differ, with costs at `context` tokens. `before`
/// and `after` are the names of the two files.
std::string comparison_text(const DesignDiff& c, const std::string& before, const std::string& after,
                            double context);

/// Returns one JSON object, as described in docs/commands.md.
std::string comparison_json(const DesignDiff& c);

}  // namespace gabbro::cli
