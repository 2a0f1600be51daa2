// The library as agents use it: excerpts for a query.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chat/call_log.h"
#include "chat/replay.h"
#include "library/library.h"

namespace gabbro::cli {

using Literature = std::function<std::vector<std::string>(const std::string& query, int limit)>;

/// Opens the built-in papers and the user's documents, if there are any; uses no network. Errors: those of
/// library::Library::open.
Result<std::shared_ptr<library::Library>> open_literature();

/// Searches `papers`.
Literature literature_of(std::shared_ptr<library::Library> papers);

/// Searches `papers` for a task of a campaign and records the results in the call log, at no cost. A replay
/// then gives the same results even if the user's documents have changed.
Literature recorded_literature(std::shared_ptr<library::Library> papers, chat::CallLog& log,
                               std::int64_t task);
/// Answers from such a record; a query that is not recorded has no results.
Literature replayed_literature(chat::Replay& replay, std::int64_t task);

}  // namespace gabbro::cli
