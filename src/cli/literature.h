// The library as agents use it: excerpts of papers for a query.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agents/task_resources.h"
#include "chat/call_log.h"
#include "chat/replay.h"
#include "library/library.h"

namespace gabbro::cli {

/// Returns at most `limit` excerpts, the best first.
using Literature = std::function<std::vector<agents::Excerpt>(const std::string& query, int limit)>;

/// Opens the built-in papers and the user's documents, if there are any; uses no network. Errors: those of
/// library::Library::open.
Result<std::shared_ptr<library::Library>> open_literature();

/// Returns a search of `papers` for ideas (Library::ideas).
Literature literature_of(std::shared_ptr<library::Library> papers);

/// Returns a search of `papers` for a task of a campaign (its id) that records the results in the call log,
/// at no cost. A replay then gives the same results even if the user's documents have changed.
Literature recorded_literature(std::shared_ptr<library::Library> papers, chat::CallLog& log,
                               std::int64_t task);
/// Returns a search that answers from such a record; a query that is not recorded has no results.
Literature replayed_literature(chat::ReplayedChat& replay, std::int64_t task);

}  // namespace gabbro::cli
