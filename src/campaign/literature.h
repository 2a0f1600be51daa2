// Searches of the literature by agents, as the call log keeps them: written by the command line, read by
// replays and by the dashboard.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agents/task_resources.h"
#include "chat/call_log.h"

namespace gabbro::campaign {

/// Returns a search as a request to a model, which is how the call log stores it.
chat::ChatRequest literature_request(const std::string& query, int limit, std::int64_t task);
/// Returns what a search found, as the text of a reply.
std::string literature_text(const std::vector<agents::Excerpt>& found);
/// Reads such a text. Older records have excerpts without id and title; the title is the first line of these.
/// Items of another form are left out.
std::vector<agents::Excerpt> parse_literature(std::string_view text);

/// A search of a task. `query` is the librarian's; "" if the search was automatic, for the papers nearest to
/// a proposal.
struct LiteratureSearch {
  std::string query;
  std::vector<agents::Excerpt> found;
};
/// Returns the searches among the calls of one task, in their order.
std::vector<LiteratureSearch> literature_searches(const std::vector<chat::Exchange>& calls);

}  // namespace gabbro::campaign
