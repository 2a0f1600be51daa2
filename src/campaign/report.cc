#include "campaign/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "campaign/figures.h"
#include "campaign/preset.h"
#include "campaign/reading.h"
#include "campaign/report_style.h"
#include "campaign/svg.h"
#include "campaign/words.h"
#include "edit/diff.h"
#include "evolve/adaptive.h"
#include "lang/parser.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

// Running text: a number and its percent sign stay on one line.
std::string prose(std::string_view text) {
  std::string out = escape(text);
  for (std::size_t at = 0; (at = out.find(" %", at)) != std::string::npos;) out.replace(at, 1, "\u00a0");
  return out;
}

// Everything that the sections say, read once.
struct Content {
  const store::Store& store;
  Reading reading;
  std::vector<Funnel> funnel;
  std::vector<Arm> arms;
  Verdict verdict;
  std::string dir;
  std::string out{};

  [[nodiscard]] const Population& population() const { return reading.population; }

  template <class... A>
  void add(fmt::format_string<A...> format, A&&... values) {
    fmt::format_to(std::back_inserter(out), format, std::forward<A>(values)...);
  }
  void heading(std::string_view text) { add("<h2>{}</h2>\n", escape(text)); }
  void paragraph(std::string_view text) { add("<p>{}</p>\n", prose(text)); }
  void soft(std::string_view text) { add("<p class=\"soft\">{}</p>\n", prose(text)); }
  void figure(const Figure& f) {
    if (!f.svg.empty()) add("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n", f.svg, prose(f.caption));
  }
};

// Columns whose title begins with ">" are numbers, to the right. Cells are plain text.
class Table {
 public:
  explicit Table(const std::vector<std::string>& titles) {
    text_ = "<div class=\"wide\"><table>\n<thead><tr>";
    for (const std::string& t : titles) {
      numeric_.push_back(t.starts_with('>'));
      text_ += fmt::format("<th{}>{}</th>", numeric_.back() ? " class=\"n\"" : "",
                           escape(numeric_.back() ? t.substr(1) : t));
    }
    text_ += "</tr></thead>\n<tbody>\n";
  }
  void row(const std::vector<std::string>& cells, bool own = false) {
    text_ += own ? "<tr class=\"own\">" : "<tr>";
    for (std::size_t k = 0; k < cells.size(); ++k)
      text_ += fmt::format("<td{}>{}</td>", numeric_[k] ? " class=\"n\"" : "", escape(cells[k]));
    text_ += "</tr>\n";
    ++rows_;
  }
  [[nodiscard]] bool empty() const { return rows_ == 0; }
  [[nodiscard]] std::string str() const { return text_ + "</tbody></table></div>\n"; }

 private:
  std::string text_;
  std::vector<bool> numeric_;
  int rows_ = 0;
};

std::string bits_text(double bits) { return bits > 0 ? fmt::format("{:.4f}", bits) : "-"; }

std::string bits_at(const Population& p, std::int64_t design, int rung) {
  if (design == 0) return "-";
  const evolve::Standing s = p.standing(p.individual(design), rung);
  return s.done > 0 ? bits_text(s.bits) : "-";
}

std::string last_part(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  const std::size_t from = path.find_last_of('/', end);
  return path.substr(from == std::string::npos ? 0 : from + 1,
                     end + 1 - (from == std::string::npos ? 0 : from + 1));
}

// ---- sections ---------------------------------------------------------------------------------------------------------------

void head(Content& c) {
  const Reading& r = c.reading;
  std::int64_t designs = 0, baselines = 0;
  for (const Individual& i : r.population.individuals()) {
    designs += evolve::is_candidate(i);
    baselines += evolve::is_baseline(i);
  }
  const std::string corpus = shortened(last_part(r.plan.corpus), 40);
  c.add("<header>\n<p class=\"kicker\">gabbro · {}</p>\n<h1>{}</h1>\n",
        r.plan.twins ? "A/A test" : "search for language-model architectures",
        escape(r.plan.twins ? "Copies of one design on " + corpus
                            : fmt::format("{} on {}", count_of(designs, "design"), corpus)));
  c.add("<p class=\"verdict\">{}</p>\n<dl class=\"facts\">\n", prose(c.verdict.sentence));
  const auto fact = [&](std::string_view name, const std::string& value, const std::string& more = {}) {
    c.add("<div><dt>{}</dt><dd>{}{}</dd></div>\n", escape(name), escape(value),
          more.empty() ? "" : " <small>" + escape(more) + "</small>");
  };
  fact("preset", shortened(r.plan.settings.preset, 30));
  fact("seed", std::to_string(r.plan.seed));
  fact("designs", std::to_string(designs), count_of(baselines, "baseline"));
  fact("runs", std::to_string(r.population.trials().size()));
  fact("worked", duration(r.seconds), date(r.begun).substr(0, 10));
  fact("training", duration(r.worker_seconds), "of workers");
  fact("text", amount(r.tokens), "tokens");
  const int top = c.verdict.leader.rung;
  fact("highest rung", top < 0 ? "-" : shortened(r.rung(top).name, 20),
       top < 0 ? "" : fmt::format("{} of {}", top + 1, r.plan.settings.rungs.size()));
  c.add("</dl>\n</header>\n<main>\n");
}

void ladder(Content& c) {
  c.heading("The ladder");
  const Figure f = funnel_figure(c.reading, c.funnel);
  if (f.svg.empty()) c.soft("No design of the search has entered a rung yet.");
  c.figure(f);
  Table t({"rung", ">parameters", ">tokens", ">rate", ">may go on", ">designs", ">done", ">stopped",
           ">failed", ">best", ">best baseline"});
  for (std::size_t k = 0; k < c.funnel.size(); ++k) {
    const int rung = static_cast<int>(k);
    const evolve::Rung& r = c.reading.rung(rung);
    const Funnel& n = c.funnel[k];
    t.row({shortened(r.name, 30), amount(static_cast<double>(r.params)),
           amount(static_cast<double>(r.tokens)), fmt::format("{:g}", r.rate),
           k + 1 < c.funnel.size() ? fmt::format("{:.0f} %", 100 * r.keep) : "", std::to_string(n.entered),
           std::to_string(n.done), std::to_string(n.stopped), std::to_string(n.failed), bits_text(n.best),
           bits_at(c.population(), c.population().best_baseline(rung), rung)});
  }
  c.out += t.str();
}

void standings(Content& c) {
  const Population& p = c.population();
  const int rung = std::max(0, c.verdict.leader.rung);
  const std::vector<Ranked> all = ranking(p, rung);
  c.heading(fmt::format("Best designs at {}", shortened(c.reading.rung(rung).name, 30)));
  if (all.empty()) {
    c.soft("No run has ended with a score yet.");
    return;
  }
  Table t({"design", "mixes tokens by", ">bits per byte", ">seeds", ">train FLOPs", ">decode FLOPs", ">state",
           "arm"});
  std::size_t shown = 0;
  constexpr std::size_t kShown = 12;
  for (const Ranked& k : all) {
    const Individual& i = p.individual(k.design);
    if (!evolve::is_baseline(i) && shown++ >= kShown) continue;
    t.row({label_of(i), shortened(i.born.species, 40), bits_text(k.bits), std::to_string(k.seeds),
           amount(i.born.train_flops), amount(i.born.decode_flops), amount(i.born.state_bytes) + "B",
           shortened(i.born.arm, 20)},
          k.design == c.verdict.leader.design);
  }
  c.out += t.str();
  c.soft(fmt::format(
      "Means over the seeds of the search. Costs per token at the size and context of the first rung. {}",
      shown > kShown ? fmt::format("The best {} of {} designs, and all baselines.", kShown, shown) : ""));
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
  if (c.reading.plan.twins) return;
  c.heading("The leader against the baselines");
  if (c.verdict.duels.empty()) c.soft("No design has a run of the same seed as a baseline yet.");
  c.figure(forest_figure(c.reading, c.verdict));
}

// The program of a design, lines that its parent does not have marked, and what changed in words.
void program(Content& c, const store::DesignRow& design) {
  std::set<int> fresh;
  std::vector<edit::Change> changes;
  std::string parent;
  if (design.born.parent > 0)
    if (const auto before = c.store.design(design.born.parent)) {
      const lang::ParseResult a = lang::parse(before->born.program), b = lang::parse(design.born.program);
      if (a.errors.empty() && b.errors.empty()) changes = edit::diff(a.program, b.program);
      parent = label_of(c.population().individual(design.born.parent));
    }
  for (const edit::Change& change : changes) {
    const int lines = 1 + static_cast<int>(std::count(change.after.begin(), change.after.end(), '\n'));
    for (int k = 0; change.at_after.line > 0 && !change.after.empty() && k < lines; ++k)
      fresh.insert(change.at_after.line + k);
  }
  c.add("<pre><code>");
  std::string_view rest = design.born.program;
  for (int line = 1; !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    c.add("<span{}>{}</span>", fresh.contains(line) ? " class=\"new\"" : "", escape(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  c.add("</code></pre>\n");
  if (changes.empty()) return;
  c.soft(fmt::format("Marked lines are those that its parent, {}, does not have:", parent));
  Table t({"where", "before", "now"});
  constexpr std::size_t kShown = 20, kText = 160;
  for (std::size_t k = 0; k < std::min(kShown, changes.size()); ++k)
    t.row({shortened(changes[k].item + (changes[k].place.empty() ? "" : " · " + changes[k].place), 80),
           shortened(changes[k].before, kText), shortened(changes[k].after, kText)});
  c.out += t.str();
  if (changes.size() > kShown) c.soft(fmt::format("The first {} of {} changes.", kShown, changes.size()));
}

void winner(Content& c) {
  const evolve::Leader& leader = c.verdict.leader;
  if (leader.rung < 0) return;
  c.heading(fmt::format("Design {}", label_of(c.population().individual(leader.design))));
  const auto design = c.store.design(leader.design);
  if (!design) return;
  const record::DesignBorn& b = design->born;
  c.paragraph(fmt::format(
      "It mixes tokens by {}. At the size of the first rung a token costs {} FLOPs in training and {} in "
      "decoding, which carries {} bytes of state.",
      shortened(b.species, 80), amount(b.train_flops), amount(b.decode_flops), amount(b.state_bytes)));
  for (const record::Promoted& p : c.store.promotions_of(leader.design))
    if (p.rung < static_cast<int>(c.reading.plan.settings.rungs.size()))
      c.soft(fmt::format("It entered {}: {}.", shortened(c.reading.rung(p.rung).name, 30),
                         shortened(p.reason, 200)));
  program(c, *design);
  const Figure f = parts_figure(parts(c.population(), leader));
  c.add("<h3>Why it is good: its parts, one at a time</h3>\n");
  if (f.svg.empty()) c.soft("Its ablation has not been run.");
  c.figure(f);
}

void family(Content& c) {
  const Figure generations = generations_figure(c.reading, c.verdict.leader.design);
  if (generations.svg.empty()) return;
  c.heading("Where it came from");
  c.figure(generations);
  if (c.verdict.leader.rung < 0) return;
  const Population& p = c.population();
  const std::vector<std::int64_t> line = lineage(p, c.verdict.leader.design, 100'000);
  constexpr std::size_t kEnds = 20;
  c.add("<ol class=\"line\">\n");
  for (std::size_t k = 0; k < line.size(); ++k) {
    if (line.size() > 2 * kEnds && k == kEnds) {
      c.add("<li class=\"soft\">{} generations that are not shown</li>\n", line.size() - 2 * kEnds);
      k = line.size() - kEnds;
    }
    const Individual& i = p.individual(line[k]);
    const evolve::Standing s = p.standing(i, 0);
    c.add("<li{}><strong>{}</strong>", k == 0 ? " class=\"own\"" : "", escape(label_of(i)));
    if (i.born.mate > 0) c.add(" with {}", escape(label_of(p.individual(i.born.mate))));
    if (s.done > 0) c.add(" · <span class=\"n\">{:.4f}</span>", s.bits);
    if (i.born.parent > 0) {
      const std::vector<double> d = p.differences(i.born.id, i.born.parent, 0, false);
      if (!d.empty()) {
        const double mean = evolve::mean_interval(d).mean;
        c.add(" <span class=\"n {}\">{:+.4f}</span> to its parent", mean < 0 ? "down" : "up", mean);
      }
    }
    c.add("<br/><span class=\"soft\">{}</span></li>\n",
          escape(fmt::format(
              "{}, {}, highest rung {}", shortened(i.born.species, 60), shortened(i.born.arm, 20),
              shortened(c.reading.rung(std::clamp(i.entered, 0, static_cast<int>(c.funnel.size()) - 1)).name,
                        20))));
  }
  c.add("</ol>\n");
  c.soft("From the leader up to its root, bits per byte at the first rung.");
}

void strategies(Content& c) {
  if (c.arms.empty() || c.reading.plan.twins) return;
  c.heading("Strategies at equal budget");
  c.figure(arms_figure(c.reading, c.arms));
  std::vector<std::string> titles{"arm", ">designs", ">refused draws", ">FLOPs at the first rung"};
  for (const evolve::Rung& r : c.reading.plan.settings.rungs)
    titles.push_back(">best at " + shortened(r.name, 20));
  Table t(titles);
  for (const Arm& a : c.arms) {
    std::vector<std::string> cells{shortened(a.name, 30), std::to_string(a.designs),
                                   std::to_string(a.refused), amount(a.flops)};
    for (std::size_t k = 0; k < a.best.size(); ++k)
      cells.push_back(
          a.best[k] == 0
              ? "-"
              : fmt::format("{} (#{})", bits_at(c.population(), a.best[k], static_cast<int>(k)), a.best[k]));
    t.row(cells);
  }
  c.out += t.str();
  Table credits({"arm", "operator", ">offspring", ">better than their parent", ">share"});
  for (const Arm& a : c.arms) {
    const auto credit = evolve::credit(c.population(), a.name);
    std::vector<std::pair<std::string, evolve::Credit>> order(credit.begin(), credit.end());
    std::stable_sort(order.begin(), order.end(), [](const auto& x, const auto& y) {
      return x.second.better * y.second.offspring > y.second.better * x.second.offspring;
    });
    for (const auto& [op, k] : order)
      credits.row({shortened(a.name, 30), shortened(op, 40), std::to_string(k.offspring),
                   std::to_string(k.better), fmt::format("{:.0f} %", 100.0 * k.better / k.offspring)});
  }
  if (credits.empty()) return;
  c.add("<h3>Operators</h3>\n");
  c.out += credits.str();
  c.soft(
      "Offspring with an outcome at the first rung, and those that did better there than their parent on the "
      "same data.");
}

void losses(Content& c) {
  c.heading("What did not get far");
  constexpr std::size_t kShown = 25;
  const auto counts = [&](const char* title, const char* none, const std::vector<store::Store::Count>& all,
                          const char* first) {
    c.add("<h3>{}</h3>\n", title);
    if (all.empty()) {
      c.soft(none);
      return;
    }
    Table t({first, "cause", ">count"});
    for (std::size_t k = 0; k < std::min(kShown, all.size()); ++k)
      t.row({shortened(all[k].arm, 30), shortened(all[k].cause, 120), std::to_string(all[k].count)});
    c.out += t.str();
    if (all.size() > kShown) c.soft(fmt::format("The first {} of {} causes.", kShown, all.size()));
  };
  counts("Refused before any training", "No draw was refused.", c.store.refusals(), "arm");
  counts("Runs without a score", "Every run that ended has a score.", c.store.failures(), "end");
}

void method(Content& c) {
  const Plan& plan = c.reading.plan;
  c.heading("How it was measured");
  c.paragraph(
      "Every design is a program that was proved causal before it was trained. At a rung all designs and all "
      "baselines have the same number of parameters, the same "
      "tokens in the same order for a seed, and the same learning rate, which is fitted to the width. Bits "
      "per byte are of whole held-out documents. Designs go "
      "up by their rank among those whose runs are over (asynchronous successive halving); what is clearly "
      "behind earlier runs on the same data is stopped "
      "on the way.");
  if (!plan.twins)
    c.paragraph(
        "The last comparison trains the leader and every baseline again at the highest rung that a design "
        "reached, with seeds that chose nothing. Differences are "
        "paired by seed; the intervals are confidence sequences, which hold however often one looks.");
  const std::string dir = shortened(c.dir, 80);
  c.add("<pre><code><span>{}</span><span>{}</span><span>{}</span></code></pre>\n",
        escape(fmt::format("gabbro evolve --dir {} --preset {} --data {} --seed {}{}", dir,
                           shortened(plan.settings.preset, 60), shortened(plan.corpus, 120), plan.seed,
                           plan.twins ? " --aa" : "")),
        escape("gabbro resume " + dir),
        escape(fmt::format("gabbro show {}#{}", dir, std::max<std::int64_t>(1, c.verdict.leader.design))));
  std::string sessions;
  std::size_t ended = 0, began = 0;
  for (const store::SessionRow& s : c.reading.sessions) s.session.begins ? ++began : ++ended;
  c.soft(fmt::format("Begun {} UTC, last event {} UTC; {}, {} of them ended in order. Workers of {} on {}.",
                     date(c.reading.begun), date(c.reading.last),
                     count_of(static_cast<std::int64_t>(began), "session"), ended,
                     count_of(plan.threads, "thread"), shortened(plan.device, 20)));
  c.add("<details><summary>Settings</summary>\n<pre><code>");
  const std::string settings = to_toml(plan);
  std::string_view rest = settings;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    c.add("<span>{}</span>", escape(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  c.add("</code></pre>\n</details>\n");
}

}  // namespace

Result<std::string> report_html(const store::Store& store, const std::string& dir) {
  GABBRO_TRY(campaign, store.campaign());
  GABBRO_TRY(reading, read_record(store));
  Content c{store, std::move(reading), {}, {}, {}, dir};
  c.funnel = funnel(c.population());
  c.arms = arms(c.reading, store);
  c.verdict = verdict(c.reading);
  c.add(
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta "
      "charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\"/>\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
      escape(fmt::format("gabbro: {} on {}", shortened(c.reading.plan.settings.preset, 30),
                         shortened(last_part(c.reading.plan.corpus), 40))),
      kReportStyle);
  for (const auto section :
       {head, comparison, ladder, standings, cost, winner, family, strategies, losses, method})
    section(c);
  c.add("</main>\n<footer>Made by gabbro {} from the record of the campaign.</footer>\n</body>\n</html>\n",
        escape(shortened(campaign.version, 30)));
  return std::move(c.out);
}

}  // namespace gabbro::campaign
