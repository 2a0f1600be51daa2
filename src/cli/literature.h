// The library as agents ask it: excerpts for a query.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chat/journal.h"
#include "chat/replay.h"
#include "library/library.h"

namespace gabbro::cli {

using Literature = std::function<std::vector<std::string>(const std::string& query, int limit)>;

/// The papers that come with the program, and the user's own documents where there are some; no network.
/// Errors: those of library::Library::open.
Result<std::shared_ptr<library::Library>> open_literature();

/// Searches `papers`.
Literature literature_of(std::shared_ptr<library::Library> papers);

/// The same for a task of a campaign, written into its record of calls, at no cost: a user's documents
/// change, a replay does not.
Literature recorded_literature(std::shared_ptr<library::Library> papers, chat::Journal& journal,
                               std::int64_t task);
/// From such a record; nothing for what is not in it.
Literature replayed_literature(chat::Replay& replay, std::int64_t task);

}  // namespace gabbro::cli
