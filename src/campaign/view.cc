#include "campaign/view.h"

#include <fmt/format.h>

#include <algorithm>

#include "campaign/format.h"
#include "evolve/comparison.h"
#include "evolve/replicates.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Interval;
using evolve::Phase;
using evolve::Population;
using evolve::Trial;

namespace {

// Numbers of candidates in the table of the live view and in that of the summary.
constexpr std::size_t kLiveDesigns = 3, kSummaryDesigns = 5;

// Names the phase. For an A/A test it also counts the runs: its copies are not candidates, so the funnel does
// not show them.
std::string phase_text(const Snapshot& s) {
  const Population& p = s.population;
  if (std::none_of(p.individuals().begin(), p.individuals().end(), evolve::is_replicate))
    return s.phase == Phase::kSearch ? "search" : "final comparison";
  const auto ended =
      std::count_if(p.trials().begin(), p.trials().end(), [](const Trial& t) { return t.ended; });
  return fmt::format("A/A test, {} of {} runs", ended, evolve::kReplicates * evolve::kReplicateSeeds);
}

void add_funnel(const Population& p, std::vector<std::string>& out) {
  const auto row = [](auto rung, auto designs, auto running, auto done, auto stopped, auto failed, auto best,
                      const std::string& known) {
    return fmt::format("{:<10}{:>8}{:>9}{:>7}{:>9}{:>9}  {:<8}{}", rung, designs, running, done, stopped,
                       failed, best, known);
  };
  out.push_back(
      row("rung", "designs", "running", "done", "stopped", "failed", "best", "baselines and controls"));
  const std::vector<Funnel> rows = funnel(p);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Funnel& f = rows[r];
    out.push_back(row(p.settings().rungs[r].name, f.entered, f.running, f.done, f.stopped, f.failed,
                      f.best > 0 ? fmt::format("{:.4f}", f.best) : "", known_text(f.known)));
  }
}

// Adds the best `count` candidates at the highest rung where any candidate has a score, and the known designs
// there.
void add_ranking(const Population& p, std::size_t count, std::vector<std::string>& out) {
  const int rung = std::max(0, evolve::leader(p).rung);
  const std::int64_t baseline = p.best_baseline(rung);
  std::size_t shown = 0;
  for (const Ranked& row : ranking(p, rung)) {
    const Individual& i = p.individual(row.design);
    if (!evolve::is_known(i) && shown++ >= count) continue;
    const Interval difference = baseline != 0 && row.design != baseline
                                    ? evolve::search_interval(p, row.design, baseline, rung)
                                    : Interval{};
    out.push_back(fmt::format("{:<8}{:<28}{:.4f}  {:<32}{:>9} FLOPs{:>9}B state",
                              p.settings().rungs[static_cast<std::size_t>(rung)].name,
                              one_line(label_of(i), 27), row.bits,
                              difference.count == 0 ? "" : interval_text(difference),
                              amount(i.created.decode_flops), amount(i.created.state_bytes)));
  }
  for (const Unscored& u : unscored(p, rung))
    out.push_back(fmt::format("{:<8}{:<28}{}", p.settings().rungs[static_cast<std::size_t>(rung)].name,
                              one_line(label_of(p.individual(u.design)), 27), one_line(u.why, 100)));
}

void add_failures(const Population& p, std::vector<std::string>& out) {
  constexpr int kShown = 3;
  int failures = 0;
  for (auto t = p.trials().rbegin(); t != p.trials().rend() && failures < kShown; ++t) {
    if (!t->ended || (t->status != record::Status::kFailed && t->status != record::Status::kRefused))
      continue;
    if (failures++ == 0) out.emplace_back("last failures");
    out.push_back(fmt::format("  {}: {}", one_line(label_of(p.individual(t->begun.design)), 24),
                              one_line(t->cause, 100)));
  }
}

std::string run_line(const Population& p, const Running& r) {
  const Trial& t = p.trial(r.trial);
  std::string state = r.progress.stage.empty() ? "starting" : r.progress.stage;
  if (r.progress.stage == "training")
    state += fmt::format(" {}/{}  loss {:.3f}  {} tokens/s", r.progress.step, r.progress.steps,
                         r.progress.loss, amount(r.progress.tokens_per_second));
  return fmt::format("run {:<5}{:<28} {}, {}", r.trial, one_line(label_of(p.individual(t.begun.design)), 27),
                     p.settings().rungs[static_cast<std::size_t>(t.begun.rung)].name, state);
}

std::string workers_text(const Snapshot& s) {
  return fmt::format("{} ({} idle)", count_of(s.workers, "worker"), std::max(0, s.workers - s.busy));
}

}  // namespace

std::string left_text(const Snapshot& s) {
  std::string out = s.seconds_left >= 0 ? duration(s.seconds_left) + " left" : "";
  if (s.trials_limit == 0) return out.empty() ? "no limit set" : out;
  const auto begun = static_cast<std::int64_t>(s.population.trials().size());
  const std::int64_t left =
      std::max<std::int64_t>(0, s.trials_limit - begun) + static_cast<std::int64_t>(s.running.size());
  out += fmt::format("{}{} of {} left", out.empty() ? "" : ", ", left, count_of(s.trials_limit, "run"));
  if (s.ended_in_session > 0 && left > 0 && s.seconds_left < 0)
    out += ", about " +
           duration(s.seconds * static_cast<double>(left) / static_cast<double>(s.ended_in_session));
  return out;
}

std::vector<std::string> view_lines(const Snapshot& s) {
  const Population& p = s.population;
  std::vector<std::string> out;
  const auto candidates = std::count_if(p.individuals().begin(), p.individuals().end(), evolve::is_candidate);
  std::string title = fmt::format("{}: {}, {}", phase_text(s), count_of(candidates, "design"),
                                  count_of(static_cast<std::int64_t>(p.trials().size()), "run"));
  if (s.seconds > 60)
    title +=
        fmt::format(", {:.0f} runs per hour", 3600 * static_cast<double>(s.ended_in_session) / s.seconds);
  title += "; " + duration(s.seconds);
  title += ", " + left_text(s);
  if (s.workers > 0) title += ", " + workers_text(s);
  out.push_back(title);
  if (!s.warning.empty()) out.push_back(s.warning);
  add_funnel(p, out);
  add_ranking(p, kLiveDesigns, out);
  constexpr std::size_t kMostRuns = 16;
  for (std::size_t i = 0; i < std::min(s.running.size(), kMostRuns); ++i)
    out.push_back(run_line(p, s.running[i]));
  if (s.running.size() > kMostRuns)
    out.push_back(fmt::format("and {} more runs", s.running.size() - kMostRuns));
  for (const Profiling& r : s.profiling)
    out.push_back(fmt::format("rung 0   {:<28} {}", one_line(label_of(p.individual(r.design)), 27),
                              r.progress.stage.empty() ? "starting" : r.progress.stage));
  if (!s.agents.empty()) out.push_back("agents: " + one_line(s.agents, 180));
  if (!s.cluster.empty()) out.push_back(one_line(s.cluster, 180));
  add_failures(p, out);
  return out;
}

std::string log_line(const Snapshot& s) {
  const Population& p = s.population;
  std::string out = fmt::format("{:>8}  {}:", duration(s.seconds), phase_text(s));
  const std::vector<Funnel> rows = funnel(p);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::string& rung = p.settings().rungs[r].name;
    if (rows[r].entered > 0)
      out += fmt::format(" {} of {} judged at {},", rows[r].done + rows[r].stopped + rows[r].failed,
                         rows[r].entered, rung);
    if (rows[r].known.running > 0)
      out += fmt::format(" baselines and controls at {}: {},", rung, known_text(rows[r].known));
  }
  out.pop_back();
  if (const evolve::Leader leader = evolve::leader(p); leader.rung >= 0) {
    const double bits = p.standing(p.individual(leader.design), leader.rung).bits;
    out += fmt::format("; best {} {:.4f}", one_line(label_of(p.individual(leader.design)), 24), bits);
    if (const std::int64_t baseline = p.best_baseline(leader.rung); baseline != 0)
      out += fmt::format(" ({} {:.4f})", p.individual(baseline).created.name,
                         p.standing(p.individual(baseline), leader.rung).bits);
  }
  if (!s.agents.empty()) out += "; agents: " + one_line(s.agents, 180);
  if (!s.cluster.empty()) out += "; " + one_line(s.cluster, 180);
  out += "; " + left_text(s);
  return out;
}

std::vector<std::string> summary_lines(const CampaignReading& reading) {
  const Population& p = reading.population;
  std::vector<std::string> out;
  add_funnel(p, out);
  out.emplace_back();
  add_ranking(p, kSummaryDesigns, out);
  const CampaignVerdict v = verdict(reading);
  out.emplace_back();
  out.push_back(v.sentence);
  if (!v.sensitivity.empty()) out.push_back(v.sensitivity);
  for (const Duel& d : v.duels) out.push_back(duel_line(p, d));
  for (const EarlierComparison& c : v.earlier) out.push_back(c.text);
  const std::vector<AblatedPart> ablated = ablated_parts(p, v.leader);
  if (!ablated.empty()) out.emplace_back("  bits per byte it loses without one of its parts:");
  for (const AblatedPart& part : ablated) out.push_back(part_line(part));
  if (std::string advice = advice_on_parts(ablated); !advice.empty()) out.push_back(std::move(advice));
  return out;
}

}  // namespace gabbro::campaign
