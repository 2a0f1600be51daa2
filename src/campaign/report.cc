#include "campaign/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "campaign/agents_text.h"
#include "campaign/preset.h"
#include "campaign/remarks.h"
#include "campaign/report_page.h"
#include "campaign/report_style.h"
#include "campaign/scale_page.h"
#include "evolve/adaptive.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

// Returns the last name in a path, without trailing slashes.
std::string last_part(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  const std::size_t from = path.find_last_of('/', end);
  return path.substr(from == std::string::npos ? 0 : from + 1,
                     end + 1 - (from == std::string::npos ? 0 : from + 1));
}

// ---- Sections ----

void head(Content& c) {
  const CampaignReading& r = c.reading;
  std::int64_t designs = 0, baselines = 0;
  for (const Individual& i : r.population.individuals()) {
    designs += evolve::is_candidate(i) || evolve::is_replicate(i);
    baselines += evolve::is_baseline(i);
  }
  const std::string corpus = one_line(last_part(r.plan.corpus), 40);
  c.add("<header>\n<p class=\"kicker\">gabbro · {}</p>\n<h1>{}</h1>\n",
        r.plan.aa_test ? "A/A test" : "search for language-model architectures",
        escape(r.plan.aa_test ? "Copies of one design on " + corpus
                              : fmt::format("{} on {}", count_of(designs, "design"), corpus)));
  c.add("<p class=\"verdict\">{}</p>\n<dl class=\"facts\">\n", prose(c.verdict.sentence));
  const auto fact = [&](std::string_view name, const std::string& value, const std::string& more = {}) {
    c.add("<div><dt>{}</dt><dd>{}{}</dd></div>\n", escape(name), escape(value),
          more.empty() ? "" : " <small>" + escape(more) + "</small>");
  };
  fact("preset", one_line(r.plan.settings.preset, 30));
  fact("seed", std::to_string(r.plan.seed));
  fact("designs", std::to_string(designs), count_of(baselines, "baseline"));
  fact("runs", std::to_string(r.population.trials().size()));
  fact("worked", duration(r.seconds), date(r.begun).substr(0, 10));
  fact("training", duration(r.worker_seconds), "of workers");
  fact("text", amount(r.tokens), "tokens");
  const int top = c.verdict.leader.rung;
  fact("highest rung", top < 0 ? "-" : one_line(r.rung(top).name, 20),
       top < 0 ? "" : fmt::format("{} of {}", top + 1, r.plan.settings.rungs.size()));
  c.add("</dl>\n</header>\n<main>\n");
}

void ladder(Content& c) {
  if (c.reading.plan.aa_test) return;
  c.heading("The ladder");
  const Figure f = funnel_figure(c.reading, c.funnel);
  if (f.svg.empty()) c.remark(kNoEntry);
  c.figure(f);
  Table t({"rung", ">parameters", ">tokens", ">rate", ">promoted", ">designs", ">done", ">stopped", ">failed",
           ">best", ">best baseline", "baselines and controls"},
          "ladder");
  for (std::size_t k = 0; k < c.funnel.size(); ++k) {
    const int rung = static_cast<int>(k);
    const evolve::Rung& r = c.reading.rung(rung);
    const Funnel& n = c.funnel[k];
    t.row({one_line(r.name, 30), amount(static_cast<double>(r.params)), amount(static_cast<double>(r.tokens)),
           fmt::format("{:g}", r.rate),
           k + 1 < c.funnel.size() ? fmt::format("{:.0f} %", 100 * r.promote_fraction) : "",
           std::to_string(n.entered), std::to_string(n.done), std::to_string(n.stopped),
           std::to_string(n.failed), bits_text(n.best),
           bits_at(c.population(), c.population().best_baseline(rung), rung), known_text(n.known)});
  }
  c.out += t.str();
}

void standings(Content& c) {
  const Population& p = c.population();
  const int rung = std::max(0, c.verdict.leader.rung);
  const std::vector<Ranked> all = ranking(p, rung);
  c.heading(fmt::format("{} at {}", c.reading.plan.aa_test ? "Copies" : "Best designs",
                        one_line(c.reading.rung(rung).name, 30)));
  if (all.empty()) {
    c.remark(kNoScore);
    return;
  }
  Table t({"design", "mixes tokens by", ">bits per byte", ">seeds", ">gain of context", ">parameters",
           ">tokens/s", ">train FLOPs", ">decode FLOPs", ">state", "strategy"},
          "standings");
  std::size_t shown = 0;
  constexpr std::size_t kShown = 12;
  std::string resized;
  for (const Ranked& k : all) {
    const Individual& i = p.individual(k.design);
    if (!evolve::is_known(i) && shown++ >= kShown) continue;
    const Measured m = measured(c.store, p, k.design, rung);
    t.row({label_of(i), one_line(i.created.species, 40), bits_text(k.bits), std::to_string(k.seeds),
           context_text(c.store, p, k.design, rung), amount(static_cast<double>(m.params)),
           m.tokens_per_second > 0 ? amount(m.tokens_per_second) : "-", amount(i.created.train_flops),
           amount(i.created.decode_flops), amount(i.created.state_bytes) + "B",
           one_line(evolve::source_of(i.created), 20)},
          k.design == c.verdict.leader.design);
    if (const std::string hypers = changed_hypers_text(c.store, p, k.design, rung); !hypers.empty())
      resized += fmt::format("{}{} ({})", resized.empty() ? "" : "; ", label_of(i), one_line(hypers, 80));
  }
  for (const Unscored& u : unscored(p, rung)) {
    const Individual& i = p.individual(u.design);
    t.row({label_of(i), one_line(i.created.species, 40), "-", one_line(u.why, 120), "", "", "",
           amount(i.created.train_flops), amount(i.created.decode_flops), amount(i.created.state_bytes) + "B",
           one_line(evolve::source_of(i.created), 20)});
  }
  c.out += t.str();
  c.remark(fmt::format(
      "{} {}", standings_remark(),
      shown > kShown ? fmt::format("The best {} of {} designs, and all baselines.", kShown, shown) : ""));
  if (!resized.empty())
    c.remark(fmt::format("Hyperparameters changed to reach the rung's number of parameters: {}.", resized));
  c.figure(learning_figure(c.reading, c.store, c.verdict));
}

void cost(Content& c) {
  const int top = std::max(0, c.verdict.leader.rung);
  const Figure first = cost_figure(c.reading, 0, c.verdict.leader.design);
  if (first.svg.empty()) return;
  c.heading("Quality against cost");
  if (top > 0) c.figure(cost_figure(c.reading, top, c.verdict.leader.design));
  c.figure(first);
}

void comparison(Content& c) {
  if (c.reading.plan.aa_test) return;
  c.heading("The leader against the baselines");
  if (c.verdict.duels.empty()) c.remark(kNoDuel);
  c.figure(forest_figure(c.reading, c.verdict));
  if (!c.verdict.sensitivity.empty()) c.paragraph(c.verdict.sensitivity);
  for (const EarlierComparison& e : c.verdict.earlier) c.paragraph(e.text);
  const int rung = std::max(0, c.verdict.leader.rung);
  Table rates({"design", "learning rates tried, with their bits per byte"});
  for (const Individual& i : c.population().individuals())
    if (evolve::is_known(i) || i.created.id == c.verdict.leader.design)
      if (const std::string text = rates_text(c.reading, i.created.id, rung); !text.empty())
        rates.row({label_of(i), text}, i.created.id == c.verdict.leader.design);
  if (!rates.empty()) {
    c.add("<h3>Learning rates</h3>\n");
    c.out += rates.str();
    c.remark(fmt::format("At {}, by factors of two, on a seed that no verdict uses.",
                         one_line(c.reading.rung(rung).name, 30)));
  }
  if (c.verdict.has_comparison) c.remark(started_text(c.verdict.outcome.begun->reason));
}

void strategies(Content& c) {
  if (c.strategies.empty() || c.reading.plan.aa_test) return;
  c.heading("Strategies at equal budget");
  c.figure(strategies_figure(c.reading, c.strategies));
  std::vector<std::string> titles{"strategy", ">designs", ">refused draws", ">FLOPs at the first rung"};
  for (const evolve::Rung& r : c.reading.plan.settings.rungs)
    titles.push_back(">best at " + one_line(r.name, 20));
  Table t(titles);
  for (const StrategyRow& a : c.strategies) {
    std::vector<std::string> cells{one_line(a.name, 30), std::to_string(a.designs), std::to_string(a.refused),
                                   amount(a.flops)};
    for (std::size_t k = 0; k < a.best.size(); ++k)
      cells.push_back(
          a.best[k] == 0
              ? "-"
              : fmt::format("{} (#{})", bits_at(c.population(), a.best[k], static_cast<int>(k)), a.best[k]));
    t.row(cells);
  }
  c.out += t.str();
  Table credits({"strategy", "operator", ">offspring", ">better than their parent", ">share"});
  for (const StrategyRow& a : c.strategies) {
    const evolve::Credits credit = evolve::credit(c.population(), a.name);
    std::vector<std::pair<std::string, evolve::Credit>> order;
    for (const auto& [op, k] : credit.operators) order.emplace_back(record::word_of(op), k);
    for (const auto& [mode, k] : credit.modes) order.emplace_back(fmt::format("{} by agents", mode), k);
    // The largest share of better offspring comes first; both sides are multiplied by both numbers of
    // offspring.
    std::stable_sort(order.begin(), order.end(), [](const auto& x, const auto& y) {
      return x.second.better * y.second.offspring > y.second.better * x.second.offspring;
    });
    for (const auto& [op, k] : order)
      credits.row({one_line(a.name, 30), one_line(op, 40), std::to_string(k.offspring),
                   std::to_string(k.better), fmt::format("{:.0f} %", 100.0 * k.better / k.offspring)});
  }
  if (credits.empty()) return;
  c.add("<h3>Operators</h3>\n");
  c.out += credits.str();
  c.remark(kOperatorsRemark);
}

void capabilities(Content& c) {
  const std::vector<std::int64_t> all = profiled(c.population());
  if (all.empty()) return;
  c.heading("What promoted designs can learn without any text");
  c.figure(profiles_figure(c.population(), all, c.verdict.leader.design));
}

void scale(Content& c) {
  if (!c.study) return;
  c.heading("At other sizes");
  const auto fit = evolve::fit_scale(*c.study);
  if (c.study->status != record::Status::kDone)
    c.remark("The study is not complete; `gabbro scale` continues it.");
  else if (!fit)
    c.remark(fmt::format("The study could not be fitted: {}.", one_line(fit.error().message, 200)));
  if (c.study->status != record::Status::kDone || !fit) return;
  if (c.study->corpus_hash != c.reading.plan.corpus_hash) c.remark("Its corpus differs from the campaign's.");
  c.figure(scale_figure(*c.study, *fit));
  c.add("<pre>{}</pre>\n", escape(scale_text(*c.study, *fit)));
}

void refusals_and_failures(Content& c) {
  c.heading("Refusals and failures");
  constexpr std::size_t kShown = 25;
  const auto counts = [&](const char* title, const char* none, const std::vector<store::Store::Count>& all,
                          const char* first) {
    c.add("<h3>{}</h3>\n", title);
    if (all.empty()) {
      c.remark(none);
      return;
    }
    Table t({first, "cause", ">count"});
    for (std::size_t k = 0; k < std::min(kShown, all.size()); ++k)
      t.row({one_line(all[k].what, 30), one_line(all[k].cause, 120), std::to_string(all[k].count)});
    c.out += t.str();
    if (all.size() > kShown) c.remark(fmt::format("The first {} of {} causes.", kShown, all.size()));
  };
  counts("Refused before training", kNoRefusal, c.store.refusals(), "strategy");
  counts("Runs without a score", kNoFailure, c.store.failures(), "end");
}

void method(Content& c) {
  const CampaignPlan& plan = c.reading.plan;
  c.heading("How it was measured");
  c.paragraph(
      fmt::format("Every design is a program that was proved causal before it was trained. At a rung, all "
                  "designs and all baselines have the same number of parameters, the same tokens in the same "
                  "order for a given seed, and {}. Bits per byte are measured on whole held-out documents. "
                  "Designs are promoted by their rank among those whose runs have ended (asynchronous "
                  "successive halving); runs clearly behind earlier ones on the same data are stopped early.",
                  plan.settings.tune_rates
                      ? "a learning rate of their own, inherited with variation and tuned before a comparison"
                      : "the same learning rate, scaled with the width"));
  if (!plan.aa_test)
    c.paragraph(
        "The final comparison trains the leader and every baseline again at the highest rung that a design "
        "reached, on seeds that were not used for any choice and whose number is fixed in advance. "
        "Differences are paired by seed and by document; intervals use the t distribution, with the standard "
        "deviation of a run pooled over designs and no smaller than the pair's own, and widen with every "
        "leader that is compared, so that all claims of a campaign together are wrong in at most 5 % of "
        "campaigns.");
  const std::string dir = one_line(c.dir, 80);
  c.add("<pre><code><span>{}</span><span>{}</span><span>{}</span></code></pre>\n",
        escape(fmt::format("gabbro evolve --dir {} --preset {} --data {} --seed {}{}", dir,
                           one_line(plan.settings.preset, 60), one_line(plan.corpus, 120), plan.seed,
                           plan.aa_test ? " --aa" : "")),
        escape("gabbro resume " + dir),
        escape(fmt::format("gabbro show {}#{}", dir, std::max<std::int64_t>(1, c.verdict.leader.design))));
  std::string sessions;
  std::size_t ended = 0, began = 0;
  for (const store::SessionRow& s : c.reading.sessions) s.session.begins ? ++began : ++ended;
  c.remark(fmt::format("Started {} UTC, last event {} UTC; {}, {} of them ended normally. Workers with {}.",
                       date(c.reading.begun), date(c.reading.last),
                       count_of(static_cast<std::int64_t>(began), "session"), ended,
                       count_of(plan.threads, "thread")));
  c.add("<details><summary>Settings</summary>\n<pre><code>");
  const std::string settings = public_toml(plan);
  std::string_view rest = settings;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    c.add("<span>{}</span>", escape(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  c.add("</code></pre>\n</details>\n");
}

}  // namespace

Result<std::string> report_html(const store::Store& store, const std::string& dir,
                                const std::function<std::string(std::int64_t)>& conversation_of,
                                const std::optional<record::ScaleStudy>& study) {
  GABBRO_TRY(campaign, store.campaign());
  GABBRO_TRY(reading, read_record(store));
  Content c{.store = store,
            .reading = std::move(reading),
            .funnel = {},
            .strategies = {},
            .verdict = {},
            .dir = dir,
            .conversation_of = conversation_of,
            .study = study};
  c.funnel = funnel(c.population());
  c.strategies = strategies(c.reading, store);
  c.verdict = verdict(c.reading);
  c.add(
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta "
      "charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\"/>\n<title>{}</title>\n<style>{}{}</style>\n<meta "
      "http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src '{}'\"/>\n</head>\n<body>\n",
      escape(fmt::format("gabbro: {} on {}", one_line(c.reading.plan.settings.preset, 30),
                         one_line(last_part(c.reading.plan.corpus), 40))),
      kFigureStyle, kReportStyle, kReportScriptHash);
  for (const auto section : {head, comparison, ladder, standings, cost, capabilities, winner_section, scale,
                             family_section, strategies, agents_section, refusals_and_failures, method})
    section(c);
  c.add(
      "</main>\n<footer>Made by gabbro {} from the record of the "
      "campaign.</footer>\n<script>{}</script>\n</body>\n</html>\n",
      escape(one_line(campaign.version, 30)), kReportScript);
  return std::move(c.out);
}

}  // namespace gabbro::campaign
