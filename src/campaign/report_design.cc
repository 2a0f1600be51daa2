// Sections of a report about single designs: the leader and its ancestors.
#include <algorithm>
#include <set>

#include "campaign/design_view.h"
#include "campaign/remarks.h"
#include "campaign/report_page.h"
#include "lang/parser.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

ProgramView program_view(const store::Store& store, const Population& population,
                         const record::DesignCreated& created) {
  ProgramView out;
  std::set<int> new_lines;
  if (created.parent > 0)
    if (const auto before = store.design(created.parent)) {
      const lang::ParseResult old_parsed = lang::parse(before->created.program),
                              new_parsed = lang::parse(created.program);
      if (old_parsed.errors.empty() && new_parsed.errors.empty())
        out.changes = edit::diff(old_parsed.program, new_parsed.program);
      out.parent = label_of(population.individual(created.parent));
    }
  for (const edit::Change& change : out.changes) {
    const int lines = 1 + static_cast<int>(std::count(change.after.begin(), change.after.end(), '\n'));
    for (int k = 0; change.at_after.line > 0 && !change.after.empty() && k < lines; ++k)
      new_lines.insert(change.at_after.line + k);
  }
  std::string_view rest = created.program;
  for (int line = 1; !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    out.lines.push_back({std::string(rest.substr(0, end)), new_lines.contains(line)});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

namespace {

// Adds the program of a design, with marks on lines that its parent does not have, and a table of the
// changes.
void program(Content& c, const store::DesignRow& design) {
  const ProgramView view = program_view(c.store, c.population(), design.created);
  c.add("<pre><code>");
  for (const ProgramView::Line& line : view.lines)
    c.add("<span{}>{}</span>", line.is_new ? " class=\"new\"" : "", escape(line.text));
  c.add("</code></pre>\n");
  if (view.changes.empty()) return;
  c.remark(changes_text(view.parent));
  Table t({"where", "before", "now"});
  constexpr std::size_t kShown = 20, kText = 160;
  for (std::size_t k = 0; k < std::min(kShown, view.changes.size()); ++k) {
    const edit::Change& change = view.changes[k];
    t.row({one_line(change.item + (change.place.empty() ? "" : " · " + change.place), 80),
           one_line(change.before, kText), one_line(change.after, kText)});
  }
  c.out += t.str();
  if (view.changes.size() > kShown)
    c.remark(fmt::format("The first {} of {} changes.", kShown, view.changes.size()));
}

}  // namespace

void winner_section(Content& c) {
  const evolve::Leader& leader = c.verdict.leader;
  if (leader.rung < 0) return;
  c.heading(fmt::format("Design {}", label_of(c.population().individual(leader.design))));
  const auto design = c.store.design(leader.design);
  if (!design) return;
  const record::DesignCreated& b = design->created;
  c.paragraph(fmt::format(
      "It mixes tokens by {}. At the size of the first rung, a token costs {} FLOPs in training and {} in "
      "decoding, which carries {} bytes of state.",
      one_line(b.species, 80), amount(b.train_flops), amount(b.decode_flops), amount(b.state_bytes)));
  for (const record::Promoted& p : c.store.promotions_of(leader.design))
    if (p.rung >= 0 && p.rung < static_cast<int>(c.reading.plan.settings.rungs.size()))
      c.remark(entered_text(c.reading.rung(p.rung).name, p.reason));
  program(c, *design);
  const std::vector<AblatedPart> all = ablated_parts(c.population(), leader);
  const Figure f = parts_figure(all);
  c.add("<h3>Its parts, one at a time</h3>\n");
  if (f.svg.empty())
    c.remark(
        "Its ablation has not been run yet: it follows when the comparison is complete and the design is "
        "ahead.");
  c.figure(f);
  const auto group = [&](AblatedPart::Effect effect, const char* title) {
    std::string names;
    for (const AblatedPart& part : all)
      if (part.effect == effect) names += (names.empty() ? "" : "; ") + one_line(part.what, 80);
    if (!names.empty()) c.paragraph(fmt::format("{}: {}.", title, names));
  };
  group(AblatedPart::Effect::kHelps, "Helps");
  group(AblatedPart::Effect::kHurts, "Better without");
  if (const std::string advice = advice_on_parts(all); !advice.empty()) c.remark(advice);
  group(AblatedPart::Effect::kUnclear, "Unclear");
  group(AblatedPart::Effect::kWaits, "Not yet decided");
  group(AblatedPart::Effect::kUntrainable, "Could not be trained without");
}

void family_section(Content& c) {
  const Figure generations = generations_figure(c.reading, c.verdict.leader.design);
  if (generations.svg.empty()) return;
  c.heading("Where it came from");
  c.figure(generations);
  c.figure(family_figure(c.reading, c.verdict.leader.rung < 0 ? 0 : c.verdict.leader.design));
  if (c.verdict.leader.rung < 0) return;
  const Population& p = c.population();
  const std::vector<std::int64_t> line = lineage(p, c.verdict.leader.design, 100'000);
  constexpr std::size_t kEnds = 20;  // designs that are shown at either end of a long lineage
  c.add("<ol class=\"lineage\">\n");
  for (std::size_t k = 0; k < line.size(); ++k) {
    if (line.size() > 2 * kEnds && k == kEnds) {
      c.add("<li class=\"soft\">{} generations not shown</li>\n", line.size() - 2 * kEnds);
      k = line.size() - kEnds;
    }
    const Individual& i = p.individual(line[k]);
    const evolve::Standing s = p.standing(i, 0);
    c.add("<li{}><strong>{}</strong>", k == 0 ? " class=\"own\"" : "", escape(label_of(i)));
    if (i.created.second_parent > 0)
      c.add(" with {}", escape(label_of(p.individual(i.created.second_parent))));
    if (s.done > 0) c.add(" · <span class=\"n\">{:.4f}</span>", s.bits);
    if (i.created.parent > 0) {
      const std::vector<double> d =
          p.differences(i.created.id, i.created.parent, /*rung=*/0, evolve::RunKind::kSearch);
      if (!d.empty()) {
        const double mean = evolve::mean_interval(d).mean;
        c.add(" <span class=\"n {}\">{:+.4f}</span> against its parent", mean < 0 ? "better" : "worse", mean);
      }
    }
    c.add("<br/><span class=\"soft\">{}</span></li>\n",
          escape(fmt::format(
              "{}, {}, highest rung {}", one_line(i.created.species, 60),
              one_line(evolve::source_of(i.created), 20),
              one_line(c.reading.rung(std::clamp(i.entered, 0, static_cast<int>(c.funnel.size()) - 1)).name,
                       20))));
  }
  c.add("</ol>\n");
  c.remark(kLineageRemark);
}

}  // namespace gabbro::campaign
