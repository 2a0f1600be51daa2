#include "campaign/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Interval;
using evolve::Phase;
using evolve::Population;
using evolve::Standing;
using evolve::Trial;

namespace {

std::string amount(double x) {
  const char* units[] = {"", "k", "M", "G", "T"};
  int unit = 0;
  while (x >= 1000 && unit < 4) x /= 1000, ++unit;
  return fmt::format("{:.3g}{}", x, units[unit]);
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string interval_text(const Interval& i) {
  if (i.count == 0) return "no common seed";
  if (!std::isfinite(i.low))
    return fmt::format("{:+.4f} ({} seed{}, no interval)", i.mean, i.count, i.count == 1 ? "" : "s");
  return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", i.mean, i.low, i.high);
}

const char* phase_name(Phase phase) {
  return phase == Phase::kSearch ? "search" : phase == Phase::kClosing ? "up the ladder" : "last comparison";
}

// Texts of users and designs, on one line and not endless.
std::string shortened(std::string text, std::size_t most) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > most) text = text.substr(0, most - 3) + "...";
  return text;
}

std::string name_of(const Individual& i) {
  return evolve::is_baseline(i) ? i.born.name : fmt::format("#{} ({})", i.born.id, i.born.op);
}

}  // namespace

std::vector<std::string> funnel_lines(const Population& p) {
  std::vector<std::string> out{fmt::format("{:<10}{:>8}{:>9}{:>7}{:>9}{:>9}  {}", "rung", "designs",
                                           "running", "done", "stopped", "failed", "best")};
  const auto& rungs = p.settings().rungs;
  for (std::size_t r = 0; r < rungs.size(); ++r) {
    int entered = 0, running = 0, done = 0, stopped = 0, failed = 0;
    double best = 0;
    for (const Individual& i : p.individuals()) {
      if (!evolve::is_candidate(i)) continue;
      const Standing s = p.standing(i, static_cast<int>(r));
      if (s.done + s.open + s.lost == 0) continue;
      ++entered;
      running += s.open > 0;
      bool hurdle = false;
      for (const std::int64_t id : i.trials)
        hurdle = hurdle || (p.trial(id).begun.rung == static_cast<int>(r) && p.trial(id).status == "hurdle");
      if (hurdle)
        ++stopped;
      else if (s.lost > 0)
        ++failed;
      else if (s.done > 0) {
        ++done;
        best = best == 0 ? s.bits : std::min(best, s.bits);
      }
    }
    out.push_back(fmt::format("{:<10}{:>8}{:>9}{:>7}{:>9}{:>9}  {}", rungs[r].name, entered, running, done,
                              stopped, failed, best > 0 ? fmt::format("{:.4f}", best) : ""));
  }
  return out;
}

std::vector<std::string> table_lines(const Population& p, std::size_t count) {
  const evolve::Leader best = evolve::leader(p);
  const int rung = std::max(0, best.rung);
  struct Row {
    double bits;
    const Individual* design;
    int seeds;
  };
  std::vector<Row> rows;
  for (const Individual& i : p.individuals()) {
    if (i.born.arm == "ablation") continue;
    const Standing s = p.standing(i, rung);
    if (s.done > 0) rows.push_back({s.bits, &i, s.done});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.bits < b.bits; });
  const std::int64_t baseline = p.best_baseline(rung);
  std::vector<std::string> out;
  if (rows.empty()) return out;
  out.push_back(fmt::format("at {}: {:<24}{:>9}{:>7}  {:<28}{:>10}{:>10}{:>9}",
                            p.settings().rungs[static_cast<std::size_t>(rung)].name, "design", "bits/byte",
                            "seeds", baseline ? "against " + p.individual(baseline).born.name : "", "train",
                            "decode", "state"));
  std::size_t shown = 0;
  for (const Row& row : rows) {
    if (!evolve::is_baseline(*row.design) && shown++ >= count) continue;
    const record::DesignBorn& b = row.design->born;
    std::string against;
    if (baseline != 0 && b.id != baseline) {
      const std::vector<double> d = p.differences(b.id, baseline, rung, false);
      if (!d.empty()) against = interval_text(evolve::anytime_interval(d));
    }
    out.push_back(fmt::format("    {:<28}{:>9.4f}{:>7}  {:<28}{:>10}{:>10}{:>8}B",
                              shortened(name_of(*row.design), 28), row.bits, row.seeds, against,
                              amount(b.train_flops), amount(b.decode_flops), amount(b.state_bytes)));
  }
  return out;
}

std::vector<std::string> verdict_lines(const Population& p) {
  const evolve::Leader best = evolve::leader(p);
  if (best.rung < 0) return {};
  const Individual& winner = p.individual(best.design);
  std::vector<std::string> out;
  for (const Individual& i : p.individuals()) {
    if (!evolve::is_baseline(i)) continue;
    const Interval d = evolve::compare(p, best.design, i.born.id, best.rung, Phase::kFinal);
    if (d.count == 0) continue;
    out.push_back(fmt::format("  against {:<20}{:<36}{}", i.born.name, interval_text(d),
                              d.high < 0  ? "better"
                              : d.low > 0 ? "worse"
                                          : "undecided"));
  }
  if (out.empty()) return {};
  out.insert(out.begin(),
             fmt::format("#{} at {}, bits per byte on seeds that did not choose it (negative: it is better; "
                         "intervals of 95 %, valid at any time):",
                         winner.born.id, p.settings().rungs[static_cast<std::size_t>(best.rung)].name));
  bool first = true;
  for (const Individual& i : p.individuals()) {
    if (i.born.arm != "ablation" || i.born.parent != best.design) continue;
    const std::vector<double> d = p.differences(i.born.id, best.design, best.rung, true);
    if (d.empty()) continue;
    if (first) out.emplace_back("  its parts, one at a time (positive: the part helps; one seed):");
    first = false;
    out.push_back(fmt::format("    {:+.4f}  {}", d.front(), shortened(i.born.op, 90)));
  }
  return out;
}

std::vector<std::string> view_lines(const Snapshot& s) {
  const Population& p = s.population;
  std::vector<std::string> out;
  std::int64_t candidates = 0;
  for (const Individual& i : p.individuals()) candidates += evolve::is_candidate(i);
  std::string head =
      fmt::format("{}  {} designs, {} runs", phase_name(s.phase), candidates, p.trials().size());
  if (s.seconds > 60)
    head += fmt::format(", {:.0f} runs an hour", 3600 * static_cast<double>(s.trials_here) / s.seconds);
  head += fmt::format("  {}", duration(s.seconds));
  if (s.left >= 0) head += fmt::format(", {} left", duration(s.left));
  out.push_back(head);
  for (std::string& line : funnel_lines(p)) out.push_back("  " + std::move(line));
  for (std::string& line : table_lines(p, 3)) out.push_back("  " + std::move(line));
  for (const Running& r : s.running) {
    const Trial& t = p.trial(r.trial);
    std::string state = r.progress.stage.empty() ? "starting" : r.progress.stage;
    if (r.progress.stage == "training")
      state += fmt::format(" {}/{}  loss {:.3f}  {} tokens/s", r.progress.step, r.progress.steps,
                           r.progress.loss, amount(r.progress.tokens_per_second));
    out.push_back(fmt::format("  run {:<5}{:<28} {}, {}", r.trial,
                              shortened(name_of(p.individual(t.begun.design)), 28),
                              p.settings().rungs[static_cast<std::size_t>(t.begun.rung)].name, state));
  }
  int failures = 0;
  for (auto t = p.trials().rbegin(); t != p.trials().rend() && failures < 3; ++t)
    if (t->ended && (t->status == "failed" || t->status == "refused")) {
      if (failures++ == 0) out.emplace_back("  last failures");
      out.push_back(fmt::format("    #{} {}", t->begun.design, shortened(t->cause, 100)));
    }
  return out;
}

std::string plain_line(const Snapshot& s) {
  const Population& p = s.population;
  std::string out = fmt::format("{} {}:", duration(s.seconds), phase_name(s.phase));
  const auto& rungs = p.settings().rungs;
  for (std::size_t r = 0; r < rungs.size(); ++r) {
    int done = 0;
    for (const Individual& i : p.individuals())
      if (evolve::is_candidate(i)) done += p.standing(i, static_cast<int>(r)).done > 0;
    out += fmt::format(" {} {} done,", rungs[r].name, done);
  }
  out.pop_back();
  const evolve::Leader best = evolve::leader(p);
  if (best.rung >= 0) {
    out += fmt::format("; best #{} {:.4f} at {}", best.design,
                       p.standing(p.individual(best.design), best.rung).bits,
                       rungs[static_cast<std::size_t>(best.rung)].name);
    if (const std::int64_t b = p.best_baseline(best.rung); b != 0)
      out +=
          fmt::format(" ({} {:.4f})", p.individual(b).born.name, p.standing(p.individual(b), best.rung).bits);
  }
  if (s.left >= 0) out += fmt::format("; {} left", duration(s.left));
  return out;
}

}  // namespace gabbro::campaign
