// The librarian: searches a library of papers for passages that the proposer should read.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agents/conversation.h"
#include "record/fields.h"

namespace gabbro::agents {

Result<std::string> find_literature(Conversation& talk) {
  const AgentSettings& s = talk.settings();
  if (!talk.tools().literature || s.queries == 0) return std::string();
  std::vector<std::string> queries;
  const auto asked = talk.ask_object({.role = "librarian",
                                      .prompt = "librarian.md",
                                      .schema = "librarian.json",
                                      .limits = {.counts = {{"queries", {1, talk.settings().queries}}}}},
                                     "literature", [&](const std::string& json, bool) -> Result<bool> {
                                       GABBRO_TRY(io, record::Reader::parse(json, "query list"));
                                       io("queries", queries);
                                       if (!io.error().code.empty()) return tl::unexpected(io.error());
                                       return true;
                                     });
  if (!asked) {
    if (!is(asked.error(), record::Cause::kLiterature)) return tl::unexpected(asked.error());
    return std::string();
  }
  queries.resize(std::min(queries.size(), static_cast<std::size_t>(s.queries)));
  std::set<std::string> seen;
  std::string out;
  for (const std::string& query : queries)
    for (const std::string& excerpt : talk.tools().literature(shortened(query, 200), s.excerpts))
      if (seen.insert(excerpt).second) out += quoted("literature", excerpt, 1200) + "\n";
  talk.tell("librarian", StepKind::kNote,
            fmt::format("{} excerpts for {} queries", seen.size(), queries.size()));
  return out;
}

}  // namespace gabbro::agents
