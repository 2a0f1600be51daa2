// The librarian: searches a library of papers for passages that the proposer should read.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agents/conversation.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kLongestQuery = 200, kLongestExcerpt = 1200;  // bytes

}  // namespace

Result<bool> find_literature(Conversation& conversation) {
  const AgentSettings& s = conversation.settings();
  if (!conversation.tools().literature || s.queries == 0) return true;
  std::vector<std::string> queries;
  const auto reply =
      conversation.ask_object({.role = "librarian",
                               .prompt = "librarian.md",
                               .schema = "librarian.json",
                               .limits = {.counts = {{"queries", {1, conversation.settings().queries}}}}},
                              "literature", [&](const std::string& json, bool) -> Result<bool> {
                                GABBRO_TRY(io, record::Reader::parse(json, "query list"));
                                io("queries", queries);
                                if (!io.error().code.empty()) return tl::unexpected(io.error());
                                return true;
                              });
  if (!reply) {
    if (!is(reply.error(), record::Cause::kLiterature)) return tl::unexpected(reply.error());
    return true;
  }
  queries.resize(std::min(queries.size(), static_cast<std::size_t>(s.queries)));
  std::set<std::string> seen;
  std::string out;
  for (const std::string& query : queries)
    for (const std::string& excerpt :
         conversation.tools().literature(shortened(query, kLongestQuery), s.excerpts))
      if (seen.insert(excerpt).second) out += quoted("literature", excerpt, kLongestExcerpt) + "\n";
  conversation.report_step("librarian", StepKind::kNote,
                           fmt::format("{} excerpts for {} queries", seen.size(), queries.size()));
  conversation.values["literature"] = out;
  return true;
}

}  // namespace gabbro::agents
