// `gabbro diff`: the changes between two programs, and what they do to the facts.
#pragma once

#include <string>
#include <vector>

#include "edit/diff.h"
#include "lang/check.h"

namespace gabbro::cli {

/// Two checked programs side by side. `before` and `after` are the designs (or units) that the facts are
/// about: the last of each program; null when that program is not valid. They live as long as the reports.
struct Comparison {
  std::vector<edit::Change> changes;
  const lang::Subject* before = nullptr;
  const lang::Subject* after = nullptr;
  [[nodiscard]] bool same_function() const { return before && after && before->hash == after->hash; }
};

Comparison compare(const lang::CheckReport& before, const lang::CheckReport& after);

/// Changes as a diff, then the facts that differ, at `context` tokens.
std::string comparison_text(const Comparison& c, const std::string& before, const std::string& after,
                            double context);

/// One JSON object, as docs/commands.md lists it.
std::string comparison_json(const Comparison& c);

}  // namespace gabbro::cli
