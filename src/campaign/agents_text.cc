#include "campaign/agents_text.h"

#include <algorithm>
#include <map>
#include <set>

#include "campaign/agents.h"
#include "campaign/format.h"
#include "campaign/task_draws.h"
#include "evolve/outcome.h"
#include "evolve/reviewers.h"

namespace gabbro::campaign {

using evolve::AgentTask;
using evolve::Population;

namespace {

const AgentTask* task_of(const Population& p, std::int64_t design) {
  for (const AgentTask& t : p.tasks())
    if (t.design == design) return &t;
  return nullptr;
}

std::string steering_text(const record::Steered& s) {
  if (s.what == record::Steering::kDirection) return "direction: " + s.text;
  if (s.what == record::Steering::kVeto)
    return fmt::format("veto of #{}{}", s.design, s.text.empty() ? "" : ": " + s.text);
  if (s.what == record::Steering::kPromote)
    return fmt::format("promotion by hand of #{}{}", s.design, s.text.empty() ? "" : ": " + s.text);
  if (s.what == record::Steering::kForget) return "all directions forgotten";
  return fmt::format("{}{}{}", s.what, s.text.empty() ? "" : ": ", s.text);
}

// Returns the weight of a reviewer model; 1 if none of its reviews has an outcome.
double weight_of(const std::map<std::string, double>& weights, const std::string& model) {
  const auto found = weights.find(model);
  return found == weights.end() ? 1 : found->second;
}

std::string money(double cost) { return fmt::format("{:.4f}", cost); }

// Lists the ways of writing with their success per cost: in money or, where nothing costs money, in millions
// of tokens.
std::string variants_text(const Population& p) {
  const auto records = variant_records(p);
  if (records.empty()) return "";
  double all_money = 0;
  for (const auto& [name, r] : records) all_money += r.money;
  std::string out = fmt::format("\n{:<40}{:>7}{:>8}{:>14}{:>18}\n", "written by", "tasks", "better",
                                "cost a task", all_money > 0 ? "better per money" : "better per Mtoken");
  for (const auto& [name, r] : records) {
    const double cost = all_money > 0 ? r.money : r.tokens / 1e6;
    out += fmt::format("{:<40}{:>7}{:>8}{:>14}{:>18}\n", one_line(name, 39), r.tasks, r.better,
                       all_money > 0 ? money(r.money / r.tasks) : amount(r.tokens / r.tasks) + " tokens",
                       cost > 0 ? fmt::format("{:.3g}", r.better / cost) : "-");
  }
  return out;
}

}  // namespace

std::vector<TaskOutcomeCount> count_task_outcomes(const Population& p) {
  std::map<std::string, std::int64_t> counts;
  for (const AgentTask& t : p.tasks())
    ++counts[!t.ended                                           ? "in progress"
             : t.report.outcome != record::TaskOutcome::kDesign ? fmt::format("gave up: {}", t.report.cause)
             : t.design != 0                                    ? "design"
             : t.refused != record::Cause::kNone                ? fmt::format("refused: {}", t.refused)
                                                                : "waiting to be trained"];
  std::vector<TaskOutcomeCount> out;
  for (const auto& [outcome, count] : counts) out.push_back({outcome, count});
  std::stable_sort(out.begin(), out.end(),
                   [](const TaskOutcomeCount& a, const TaskOutcomeCount& b) { return a.count > b.count; });
  return out;
}

std::string agents_text(const CampaignReading& r) {
  const Population& p = r.population;
  std::string out;
  if (!p.tasks().empty()) {
    double cost = 0;
    std::int64_t tokens = 0;
    for (const AgentTask& t : p.tasks())
      cost += t.report.cost, tokens += t.report.input_tokens + t.report.output_tokens;
    out += fmt::format("\nagents: {}, {} tokens, cost {}; `gabbro cost` lists the cost by role and model\n",
                       count_of(static_cast<std::int64_t>(p.tasks().size()), "task"),
                       amount(static_cast<double>(tokens)), money(cost));
    for (const TaskOutcomeCount& o : count_task_outcomes(p))
      out += fmt::format("  {:>8}  {}\n", o.count, one_line(o.outcome, 80));
    out += variants_text(p);
    const auto reviewers = evolve::reviewer_scores(p);
    if (!reviewers.empty())
      out += fmt::format("\n{:<24}{:>9}{:>9}{:>10}{:>9}\n", "reviewer", "scored", "Brier", "by chance",
                         "weight");
    const auto weights = weights_of_reviewers(p);
    for (const auto& v : reviewers)
      out += fmt::format("{:<24}{:>9}{:>9}{:>10}{:>9.2f}\n", one_line(v.model, 23), v.scored,
                         v.scored > 0 ? fmt::format("{:.3f}", v.brier) : "-",
                         v.scored > 0 ? fmt::format("{:.3f}", v.base_rate_brier) : "-",
                         weight_of(weights, v.model));
  }
  if (!r.steering.empty()) out += "\nsteering\n";
  for (const auto& [time, s] : r.steering)
    out += fmt::format("  {}  {}\n", date(time), one_line(steering_text(s), 100));
  return out;
}

std::string papers_text(const record::TaskReport& report) {
  std::string out, ids;
  for (const record::FoundPaper& p : report.papers)
    ids += (ids.empty() ? "" : ", ") + one_line(p.id.empty() ? p.title : p.id, 60);
  if (!ids.empty()) out += fmt::format("  papers found: {}\n", ids);
  bool is_known = false;
  for (const record::Review& review : report.reviews) {
    if (review.known.empty()) continue;
    is_known = true;
    const auto paper = std::find_if(report.papers.begin(), report.papers.end(),
                                    [&](const record::FoundPaper& p) { return p.id == review.known; });
    const std::string title =
        paper == report.papers.end() ? "" : fmt::format(" ({})", one_line(paper->title, 80));
    out += fmt::format("  idea known from {}{}, says {}\n", one_line(review.known, 120), title,
                       one_line(review.model, 30));
  }
  if (!is_known && !report.papers.empty() && !report.reviews.empty())
    out += "  idea in none of these papers, say its reviewers\n";
  return out;
}

std::string task_text(const CampaignReading& r, std::int64_t design) {
  const AgentTask* t = task_of(r.population, design);
  if (!t) return "";
  const record::TaskReport& report = t->report;
  std::string out = fmt::format("\nwritten by agents in task {} ({}): {}\n  {}\n", t->begun.id, t->begun.mode,
                                one_line(report.title, 80), one_line(report.proposal, 2000));
  for (const record::Promise& promise : report.promises)
    out += fmt::format("  {:<8}{}: promised {}, found {}\n", promise.kept ? "kept" : "broken",
                       record::word_of(promise.property), one_line(promise.said, 60),
                       one_line(promise.found, 60));
  const auto outcome = evolve::outcome_of(r.population, r.population.individual(design));
  for (const record::Review& review : report.reviews)
    out += fmt::format("  review by {}: {} of 5, {:.0f} % chance to beat its parent{}\n    {}\n",
                       one_line(review.model, 30), review.rating, 100 * review.probability,
                       !outcome          ? ""
                       : outcome->better ? " (it did)"
                                         : " (it did not)",
                       one_line(review.text, 600));
  out += papers_text(report);
  for (const record::WrittenUnit& u : report.units)
    out += fmt::format("  unit {}: {}, {} valid, {}\n", one_line(u.name, 40),
                       count_of(u.candidates, "candidate"), u.valid, count_of(u.repairs, "repair"));
  if (report.observation > 0)
    out += fmt::format("  observer: {} of 5; {}\n", report.observation, one_line(report.observed, 400));
  out += fmt::format("  {}, {}, {} tokens in, {} out, cost {}\n", count_of(report.attempts, "proposal"),
                     count_of(report.calls, "call"), amount(static_cast<double>(report.input_tokens)),
                     amount(static_cast<double>(report.output_tokens)), money(report.cost));
  return out;
}

namespace {

// Adds the leader, its ancestors and the latest designs of agents, each with its conversation; very long
// conversations are cut.
void designs_of_agents(Content& c) {
  const Population& p = c.population();
  constexpr std::size_t kShown = 12, kMaxBytes = 60'000;  // designs; bytes of a conversation
  std::vector<std::int64_t> designs;
  if (c.verdict.leader.rung >= 0) designs = lineage(p, c.verdict.leader.design, kShown);
  for (auto t = p.tasks().rbegin(); t != p.tasks().rend(); ++t) designs.push_back(t->design);
  std::set<std::int64_t> shown;
  for (const std::int64_t design : designs) {
    const AgentTask* const t = design > 0 ? task_of(p, design) : nullptr;
    if (!t || shown.size() == kShown || !shown.insert(design).second) continue;
    if (shown.size() == 1) c.add("<h3>Designs written by agents</h3>\n");
    c.add("<details><summary>#{} {}</summary>\n<pre>{}</pre>\n", design,
          escape(one_line(t->report.title, 100)), escape(task_text(c.reading, design)));
    if (const std::string conversation = c.conversation_of ? c.conversation_of(t->begun.id) : "";
        !conversation.empty())
      c.add("<details><summary>Conversation</summary>\n<pre>{}{}</pre>\n</details>\n",
            escape(conversation.substr(0, kMaxBytes)),
            conversation.size() > kMaxBytes ? "\n(the rest is omitted)" : "");
    c.add("</details>\n");
  }
  if (!shown.empty())
    c.remark(
        "The leader's lineage and the latest ones; `gabbro show RUN#ID --talk` prints each conversation.");
}

}  // namespace

void agents_section(Content& c) {
  const Population& p = c.population();
  if (p.tasks().empty() && c.reading.steering.empty()) return;
  c.heading("Agents");
  if (!p.tasks().empty()) {
    Table counts({"outcome of their tasks", ">count"});
    for (const TaskOutcomeCount& o : count_task_outcomes(p))
      counts.row({one_line(o.outcome, 100), std::to_string(o.count)});
    c.out += counts.str();
    Table reviewers({"reviewer", ">scored", ">Brier", ">by chance", ">weight"});
    const auto weights = weights_of_reviewers(p);
    for (const auto& v : evolve::reviewer_scores(p))
      reviewers.row({one_line(v.model, 40), std::to_string(v.scored),
                     v.scored > 0 ? fmt::format("{:.3f}", v.brier) : "-",
                     v.scored > 0 ? fmt::format("{:.3f}", v.base_rate_brier) : "-",
                     fmt::format("{:.2f}", weight_of(weights, v.model))});
    if (!reviewers.empty()) {
      c.out += reviewers.str();
      c.remark(
          "Reviewers give the probability that a design beats its parent at the first rung. Brier: its mean "
          "squared error; by chance: the error of always predicting the share of successes.");
    }
    designs_of_agents(c);
  }
  if (c.reading.steering.empty()) return;
  c.add("<h3>Steering</h3>\n");
  Table steering({"time (UTC)", "what"});
  for (const auto& [time, s] : c.reading.steering)
    steering.row({date(time), one_line(steering_text(s), 200)});
  c.out += steering.str();
}

}  // namespace gabbro::campaign
