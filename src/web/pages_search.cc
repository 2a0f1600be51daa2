// The pages about the search: family tree, strategies, agents, literature.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "campaign/agents.h"
#include "campaign/agents_text.h"
#include "campaign/family_tree.h"
#include "campaign/literature.h"
#include "campaign/remarks.h"
#include "chat/call_log.h"
#include "evolve/adaptive.h"
#include "evolve/outcome.h"
#include "evolve/reviewers.h"
#include "web/pages.h"
#include "web/shown.h"

namespace gabbro::web {

using nlohmann::json;

namespace {

using campaign::CampaignReading;
using evolve::Individual;
using evolve::Population;

json number(double x) { return std::isfinite(x) ? json(x) : json(); }
std::string text_of(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

// Numbers words, so that they are sent once.
class WordList {
 public:
  std::size_t number_of(const std::string& word) {
    const auto [at, is_new] = numbers_.try_emplace(word, words_.size());
    if (is_new) words_.push_back(shown(word));
    return at->second;
  }
  [[nodiscard]] const json& words() const { return words_; }

 private:
  std::map<std::string, std::size_t> numbers_;
  json words_ = json::array();
};

}  // namespace

Result<std::string> tree_json(const CampaignView& view, std::int64_t root, std::size_t limit) {
  const auto& entries = view.designs.entries();
  if (root < 0 || root > static_cast<std::int64_t>(entries.size()))
    return fail("store", fmt::format("unknown design {}", root));
  std::vector<campaign::FamilyMember> members;
  members.reserve(entries.size());
  for (const DesignEntry& e : entries)
    members.push_back({.id = e.id,
                       .parent = e.parent,
                       .rung = e.rung,
                       .bits = e.bits,
                       .first = e.first,
                       .known = e.origin != record::Origin::kSearch,
                       .belongs = e.origin != record::Origin::kAblation});
  const campaign::FamilyTree tree = campaign::family_tree(members, root, limit);
  WordList species, sources;
  json rows = json::array();
  for (const campaign::FamilyNode& n : tree.nodes) {
    const DesignEntry& e = entries[static_cast<std::size_t>(n.id - 1)];
    rows.push_back({e.id, n.parent, e.first > 0 ? number(e.first) : json(), e.rung,
                    species.number_of(e.species), sources.number_of(e.source), e.generation, shown(e.label),
                    record::word_of(e.status), record::word_of(e.origin), n.column, n.row});
  }
  json rungs = json::array();
  for (const evolve::Rung& rung : view.reading.plan.settings.rungs) rungs.push_back(shown(rung.name));
  return text_of({{"rows", rows},
                  {"all", tree.all},
                  {"columns", tree.columns},
                  {"lines", tree.rows},
                  {"species", species.words()},
                  {"sources", sources.words()},
                  {"rungs", rungs},
                  {"leader", view.verdict.leader.rung < 0 ? 0 : view.verdict.leader.design}});
}

Result<std::string> strategies_json(const CampaignView& view) {
  const CampaignReading& r = view.reading;
  json rungs = json::array(), rows = json::array(), operators = json::array();
  for (const evolve::Rung& rung : r.plan.settings.rungs) rungs.push_back(shown(rung.name));
  for (const campaign::StrategyRow& s : campaign::strategies(r, view.store)) {
    json best = json::array();
    for (std::size_t k = 0; k < s.best.size(); ++k)
      best.push_back(
          s.best[k] == 0
              ? json()
              : json{{"id", s.best[k]},
                     {"bits",
                      number(r.population.standing(r.population.individual(s.best[k]), static_cast<int>(k))
                                 .bits)}});
    rows.push_back({{"name", shown_line(s.name, 40)},
                    {"designs", s.designs},
                    {"refused", s.refused},
                    {"flops", number(s.flops)},
                    {"best", best}});
    const evolve::Credits credits = evolve::credit(r.population, s.name);
    const auto add = [&](const std::string& op, const evolve::Credit& c) {
      operators.push_back({{"strategy", shown_line(s.name, 40)},
                           {"operator", op},
                           {"offspring", c.offspring},
                           {"better", c.better}});
    };
    for (const auto& [op, c] : credits.operators) add(std::string(record::word_of(op)), c);
    for (const auto& [mode, c] : credits.modes) add(fmt::format("{} by agents", mode), c);
  }
  return text_of({{"rungs", rungs},
                  {"strategies", rows},
                  {"operators", operators},
                  {"remark", campaign::kOperatorsRemark}});
}

std::string steering_list(const CampaignReading& r) {
  json out = json::array();
  for (const auto& [time, s] : r.steering)
    out.push_back({{"time", time},
                   {"what", record::word_of(s.what)},
                   {"design", s.design},
                   {"text", shown_line(s.text, 400)}});
  return text_of(out);
}

namespace {

json task_row(const CampaignReading& r, const evolve::AgentTask& t) {
  const record::TaskReport& report = t.report;
  int kept = 0;
  for (const record::Promise& promise : report.promises) kept += promise.kept;
  json reviews = json::array(), promises = json::array();
  for (const record::Review& v : report.reviews)
    reviews.push_back({{"model", shown_line(v.model, 60)},
                       {"probability", number(v.probability)},
                       {"rating", v.rating},
                       {"text", shown_line(v.text, 600)}});
  for (const record::Promise& p : report.promises)
    promises.push_back({{"property", record::word_of(p.property)},
                        {"said", shown_line(p.said, 80)},
                        {"found", shown_line(p.found, 80)},
                        {"kept", p.kept}});
  json out{{"id", t.begun.id},
           {"strategy", shown_line(t.begun.strategy, 40)},
           {"mode", record::word_of(t.begun.mode)},
           {"parent", t.begun.parent},
           {"title", shown_line(report.title, 160)},
           {"proposal", shown_line(report.proposal, 4000)},
           {"design", t.design},
           {"kept", kept},
           {"promises", promises},
           {"reviews", reviews},
           {"calls", report.calls},
           {"tokens", report.input_tokens + report.output_tokens},
           {"cost", number(report.cost)},
           {"seconds", number(report.seconds)},
           {"writing", record::word_of(report.writing)}};
  out["outcome"] = !t.ended                                         ? "in progress"
                   : report.outcome != record::TaskOutcome::kDesign ? fmt::format("gave up: {}", report.cause)
                   : t.design != 0                                  ? "design"
                   : t.refused != record::Cause::kNone              ? fmt::format("refused: {}", t.refused)
                                                                    : "waiting to be trained";
  out["detail"] = shown_line(report.detail, 300);
  if (t.design > 0) {
    const Individual& i = r.population.individual(t.design);
    out["label"] = shown(campaign::label_of(i));
    if (const auto outcome = evolve::outcome_of(r.population, i)) {
      out["better"] = outcome->better;
      out["difference"] = outcome->bits.empty() ? json() : number(outcome->bits.front());
    }
  }
  return out;
}

json totals_json(const chat::CallLog& log, chat::CallLog::By by) {
  json out = json::array();
  for (const chat::CallTotals& t : log.totals(by))
    out.push_back({{"name", shown_line(t.name, 80)},
                   {"calls", t.calls},
                   {"failed", t.failed},
                   {"input", t.usage.input},
                   {"cached", t.usage.cache_read},
                   {"output", t.usage.output},
                   {"cost", static_cast<double>(t.counted.money) / 1e6}});
  return out;
}

}  // namespace

Result<std::string> agents_json(const CampaignView& view, std::size_t offset, std::size_t limit) {
  const CampaignReading& r = view.reading;
  const Population& p = r.population;
  json outcomes = json::array(), reviewers = json::array(), tasks = json::array();
  for (const campaign::TaskOutcomeCount& o : campaign::count_task_outcomes(p))
    outcomes.push_back({{"outcome", shown(o.outcome)}, {"count", o.count}});
  const auto weights = campaign::weights_of_reviewers(p);
  for (const evolve::ReviewerScore& s : evolve::reviewer_scores(p)) {
    const auto weight = weights.find(s.model);
    reviewers.push_back({{"model", shown_line(s.model, 60)},
                         {"scored", s.scored},
                         {"brier", s.scored > 0 ? number(s.brier) : json()},
                         {"chance", s.scored > 0 ? number(s.base_rate_brier) : json()},
                         {"weight", weight == weights.end() ? 1.0 : weight->second}});
  }
  const std::size_t count = p.tasks().size();
  for (std::size_t k = offset; k < std::min(count, offset + limit); ++k)
    tasks.push_back(task_row(r, p.tasks()[count - 1 - k]));
  json out{{"outcomes", outcomes},
           {"reviewers", reviewers},
           {"tasks", tasks},
           {"count", count},
           {"steering", json::parse(steering_list(r))},
           {"by_role", json::array()},
           {"by_model", json::array()}};
  if (const auto log = chat::CallLog::read(view.dir + "/calls.db")) {
    out["by_role"] = totals_json(**log, chat::CallLog::By::kRole);
    out["by_model"] = totals_json(**log, chat::CallLog::By::kModel);
  }
  return text_of(out);
}

namespace {

// A paper that agents were given. Papers without an id are distinguished by their titles.
struct UsedPaper {
  std::string id, title, authors, excerpt;
  std::int64_t uses = 0;
  std::set<std::int64_t> designs;  // of the tasks that were given it
};

void add_paper(std::map<std::string, UsedPaper>& papers, const agents::Excerpt& e, std::int64_t design) {
  UsedPaper& paper = papers[e.id.empty() ? "title " + e.title : "id " + e.id];
  if (paper.uses++ == 0) {
    // A text begins with a line of its title and one of its authors.
    std::string_view rest = e.text;
    if (rest.starts_with(e.title)) rest.remove_prefix(std::min(e.title.size() + 1, rest.size()));
    const std::size_t line = std::min(rest.find('\n'), rest.size());
    paper.id = e.id, paper.title = e.title;
    paper.authors = rest.substr(0, line);
    paper.excerpt = rest.substr(std::min(line + 1, rest.size()));
  }
  if (design > 0) paper.designs.insert(design);
}

}  // namespace

Result<std::string> literature_json(const CampaignView& view) {
  constexpr std::size_t kMostTasks = 100, kText = 4000;
  const Population& p = view.reading.population;
  json papers = json::array(), queries = json::array();
  std::map<std::string, UsedPaper> found;
  std::int64_t nearest = 0;  // automatic searches, for the papers nearest to a proposal
  std::size_t tasks = 0;
  const auto log = chat::CallLog::read(view.dir + "/calls.db");
  for (auto t = p.tasks().rbegin(); log && t != p.tasks().rend() && tasks < kMostTasks; ++t, ++tasks)
    for (const campaign::LiteratureSearch& search :
         campaign::literature_searches((*log)->exchanges(t->begun.id))) {
      for (const agents::Excerpt& e : search.found) add_paper(found, e, t->design);
      if (search.query.empty())
        ++nearest;
      else
        queries.push_back({{"task", t->begun.id},
                           {"design", t->design},
                           {"query", shown_line(search.query, 300)},
                           {"found", search.found.size()}});
    }
  for (const auto& [key, paper] : found)
    papers.push_back({{"id", shown_line(paper.id, 80)},
                      {"title", shown_line(paper.title, 300)},
                      {"authors", shown_line(paper.authors, 300)},
                      {"excerpt", shown(paper.excerpt.substr(0, kText))},
                      {"uses", paper.uses},
                      {"designs", paper.designs}});
  std::stable_sort(papers.begin(), papers.end(), [](const json& a, const json& b) {
    return a["uses"].get<std::int64_t>() > b["uses"].get<std::int64_t>();
  });
  return text_of(
      {{"queries", queries}, {"nearest", nearest}, {"papers", papers}, {"tasks", p.tasks().size()}});
}

}  // namespace gabbro::web
