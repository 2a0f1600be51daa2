// The designs and runs of a campaign as CSV (RFC 4180, with line feeds), to read them with other programs.
#pragma once

#include <string>

#include "base/result.h"
#include "store/store.h"

namespace gabbro::campaign {

/// Returns a row for each design, with its score at each rung. Unknown numbers are empty. A text that a
/// spreadsheet would take for a formula gets an apostrophe before it. Errors: as read_record. O(designs +
/// trials).
Result<std::string> designs_csv(const store::Store& store);
/// Returns a row for each run, in order. Errors and form as above.
Result<std::string> runs_csv(const store::Store& store);

}  // namespace gabbro::campaign
