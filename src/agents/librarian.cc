// The librarian: searches a library of papers for passages that the proposer should read.
#include <fmt/format.h>

#include <algorithm>

#include "agents/interview.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kLongestQuery = 200, kLongestExcerpt = 1200;  // bytes
constexpr std::size_t kLongestIdea = 1200;  // bytes of a proposal that are searched for
constexpr std::size_t kLongestFound = 500;  // bytes of an excerpt that a reviewer is shown
constexpr std::size_t kMostPapers = 12;     // papers that a reviewer is shown, the latest
constexpr int kNearest = 2;                 // papers nearest to a proposal

// Adds excerpts of papers that the task does not have yet. Returns their text for prompts.
std::string add_excerpts(Interview& interview, const std::vector<Excerpt>& excerpts) {
  std::string out;
  for (const Excerpt& e : excerpts) {
    std::vector<record::FoundPaper>& papers = interview.report().papers;
    const auto is_same = [&](const record::FoundPaper& p) { return p.id == e.id && p.title == e.title; };
    if (std::any_of(papers.begin(), papers.end(), is_same)) continue;
    papers.push_back({e.id, e.title});
    interview.literature.push_back(e);
    out += quoted("paper " + e.id, e.text, kLongestExcerpt) + "\n";
  }
  std::string& found = interview.values["found"];
  found.clear();
  const std::vector<Excerpt>& all = interview.literature;
  for (std::size_t i = all.size() - std::min(all.size(), kMostPapers); i < all.size(); ++i)
    found += quoted("paper " + all[i].id, all[i].text, kLongestFound) + "\n";
  return out;
}

}  // namespace

Result<bool> find_literature(Interview& interview) {
  const AgentSettings& s = interview.settings();
  if (!interview.resources().literature || s.queries == 0) return true;
  std::vector<std::string> queries;
  const auto reply =
      interview.ask_object({.role = "librarian",
                            .prompt = "librarian.md",
                            .schema = "librarian.json",
                            .limits = {.counts = {{"queries", {1, interview.settings().queries}}}}},
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
  std::string out;
  for (const std::string& query : queries)
    out += add_excerpts(interview,
                        interview.resources().literature(shortened(query, kLongestQuery), s.excerpts));
  interview.report_step(
      "librarian", StepKind::kNote,
      fmt::format("{} excerpts for {} queries", interview.report().papers.size(), queries.size()));
  interview.values["literature"] = out;
  return true;
}

void find_nearest_papers(Interview& interview, const std::string& proposal) {
  if (!interview.resources().literature || interview.settings().queries == 0) return;
  (void)add_excerpts(interview, interview.resources().literature(proposal.substr(0, kLongestIdea), kNearest));
}

}  // namespace gabbro::agents
