// What `gabbro status`, `top`, `show RUN#ID` and `tree` say of a campaign's record, as text and as JSON. The
// record may be read while a campaign writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace gabbro::campaign {

/// How far it is: verdict, funnel by rung, strategies, refusals and failures by cause, the last session and
/// whether it ended in order. Errors: as read_record. O(designs + trials).
Result<std::string> status_text(const store::Store& store);
/// The same as one JSON object on one line; numbers that are not known are null.
Result<std::string> status_json(const store::Store& store);

/// The best `count` candidates at the highest rung that one reached, and all baselines there, best first.
/// Errors: as read_record.
Result<std::string> top_text(const store::Store& store, std::size_t count);
/// {"rung", "designs": [...]}, as top_text, on one line.
Result<std::string> top_json(const store::Store& store, std::size_t count);

/// One design: its tree of instances, its program, where it came from, its runs by rung, its learning curve,
/// why it went up and what the last comparison says of it. Errors: as read_record, and "store" for an id that
/// is not there.
Result<std::string> design_text(const store::Store& store, std::int64_t design);

/// Who descends from whom, indented, best children first: what grew from `root`, or from all roots (0). At
/// most `depth` steps down and `lines` lines; what is left out is counted. Errors: as design_text.
struct TreeLimits {
  std::size_t depth = 12, lines = 200;
};
Result<std::string> tree_text(const store::Store& store, std::int64_t root, const TreeLimits& limits = {});

}  // namespace gabbro::campaign
