// Describes one design of a record: `design_text` of campaign/record_text.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "campaign/agents_text.h"
#include "campaign/design_view.h"
#include "campaign/format.h"
#include "campaign/reading.h"
#include "campaign/record_text.h"
#include "evolve/depth.h"
#include "lang/check.h"
#include "lang/library.h"
#include "lang/resize.h"
#include "zoo/library.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

// Lists instances as a tree. Equal neighbours take one row, with their number.
class InstanceTree {
 public:
  explicit InstanceTree(const std::vector<lang::InstanceInfo>& all) : all_(all) {}
  std::vector<UnitRow> rows() {
    list(0, all_.size());
    return std::move(out_);
  }

 private:
  // Returns the end of the subtree that begins at `i`.
  [[nodiscard]] std::size_t end_of(std::size_t i) const {
    const auto from = all_.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    return static_cast<std::size_t>(
        std::find_if(from, all_.end(), [&](const auto& x) { return x.depth <= all_[i].depth; }) -
        all_.begin());
  }
  [[nodiscard]] bool are_equal(std::size_t a, std::size_t b, std::size_t length) const {
    if (b + length > all_.size()) return false;
    return std::equal(
        all_.begin() + static_cast<std::ptrdiff_t>(a), all_.begin() + static_cast<std::ptrdiff_t>(a + length),
        all_.begin() + static_cast<std::ptrdiff_t>(b), [](const auto& x, const auto& y) {
          return x.unit == y.unit && x.hypers == y.hypers && x.depth == y.depth && x.params == y.params;
        });
  }
  void list(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to;) {
      const std::size_t length = end_of(i) - i;
      std::size_t next = i + length;
      int count = 1;
      for (; next < to && are_equal(i, next, length); next += length) ++count;
      const lang::InstanceInfo& x = all_[i];
      out_.push_back({.depth = std::max(0, x.depth),
                      .count = count,
                      .unit = x.unit,
                      .hypers = x.hypers,
                      .params = x.params});
      list(i + 1, i + length);
      i = next;
    }
  }

  const std::vector<lang::InstanceInfo>& all_;
  std::vector<UnitRow> out_;
};

// Plots losses against the logarithm of tokens, in characters; "" for fewer than two points.
std::string plot(const std::vector<record::Point>& curve) {
  constexpr int kWidth = 64, kHeight = 10;
  std::vector<std::pair<double, double>> points;
  for (const record::Point& p : curve)
    if (const double y = p.recent > 0 ? p.recent : p.loss; std::isfinite(y) && p.tokens > 0)
      points.emplace_back(std::log(static_cast<double>(p.tokens)), y);
  if (points.size() < 2) return "";
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const double least = low->second, range = std::max(high->second - least, 1e-9), from = points.front().first,
               span = std::max(points.back().first - from, 1e-9);
  std::vector<std::string> rows(kHeight, std::string(kWidth, ' '));
  for (const auto& [x, y] : points) {
    const auto column = static_cast<std::size_t>(std::clamp((x - from) / span, 0.0, 1.0) * (kWidth - 1));
    const auto row =
        static_cast<std::size_t>(std::clamp((least + range - y) / range, 0.0, 1.0) * (kHeight - 1));
    rows[row][column] = '*';
  }
  std::string out;
  for (int k = 0; k < kHeight; ++k) {
    const double value = least + range * (kHeight - 1 - k) / (kHeight - 1);
    std::string row = rows[static_cast<std::size_t>(k)];
    row.erase(row.find_last_not_of(' ') + 1);
    out += fmt::format("  {:>8} |{}\n", k % 3 == 0 ? fmt::format("{:.3f}", value) : "", row);
  }
  return out + fmt::format("  {:>8} +{}\n  {:>8}  {:<{}}{:>8} tokens\n", "", std::string(kWidth, '-'), "",
                           amount(std::exp(from)), kWidth - 8, amount(std::exp(from + span)));
}

// Formats the units of a design as an indented tree; "" if there are none.
std::string tree_text(const CampaignReading& r, std::int64_t design, lang::Program program) {
  const UnitTree tree = unit_tree(r, design, std::move(program));
  if (tree.rows.empty()) return "";
  std::string out = fmt::format("  {:<60}{:>10}\n", tree.where, "parameters");
  for (const UnitRow& row : tree.rows) {
    const std::string label =
        fmt::format("{}{}{}{}", std::string(2 * static_cast<std::size_t>(row.depth), ' '),
                    row.count > 1 ? fmt::format("{} x ", row.count) : "", row.unit,
                    row.hypers.empty() ? "" : "(" + row.hypers + ")");
    out += fmt::format("  {:<60}{:>10}\n", label, amount(static_cast<double>(row.params)));
  }
  return out;
}

std::string indented(std::string_view text) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    if (end > from) out += "  ";
    out += text.substr(from, end - from);
    out += '\n';
    from = end + 1;
  }
  return out;
}

// Removes trailing blanks, which empty last columns leave, and ends the line.
std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

void add_lineage(std::string& out, const CampaignReading& r, std::int64_t design) {
  const Population& p = r.population;
  constexpr std::size_t kShown = 40;
  const std::vector<std::int64_t> line = lineage(p, design, p.individuals().size());
  out += "\nlineage, bits per byte at the first rung\n";
  for (std::size_t k = 0; k < std::min(kShown, line.size()); ++k) {
    const Individual& i = p.individual(line[k]);
    const evolve::Standing s = p.standing(i, 0);
    out += fmt::format("  {:<44}{:>9}  {}{}\n", label_of(i), s.done > 0 ? fmt::format("{:.4f}", s.bits) : "-",
                       one_line(i.created.species, 40),
                       i.created.second_parent > 0 ? fmt::format(", with #{}", i.created.second_parent) : "");
  }
  if (line.size() > kShown) out += fmt::format("  and {} earlier ones\n", line.size() - kShown);
}

void add_runs(std::string& out, const CampaignReading& r, const std::vector<store::TrialRow>& runs) {
  if (runs.empty()) {
    out += "\nno run yet\n";
    return;
  }
  out += fmt::format("\n  {:>6} {:<12}{:>8} {:<11}{:>8}  {:<9}{:>9}{:>20}{:>9}{:>9}  {}\n", "run", "rung",
                     "seed", "purpose", "rate", "status", "bits", "interval", "loss", "seconds", "cause");
  for (const store::TrialRow& t : runs) {
    const bool done = t.status == record::Status::kDone;
    out += trimmed(fmt::format(
        "  {:>6} {:<12}{:>8} {:<11}{:>8.2g}  {:<9}{:>9}{:>20}{:>9}{:>9.1f}  {}", t.begun.id,
        one_line(r.rung(t.begun.rung).name, 11), t.begun.seed, record::word_of(t.begun.purpose),
        r.rung(t.begun.rung).rate * t.begun.rate, t.status ? record::word_of(*t.status) : "running",
        done ? fmt::format("{:.4f}", t.bits) : "",
        done ? fmt::format("[{:.4f}, {:.4f}]", t.bits_low, t.bits_high) : "",
        t.last_loss > 0 ? fmt::format("{:.3f}", t.last_loss) : "", t.seconds, one_line(t.cause, 80)));
  }
}

}  // namespace

UnitTree unit_tree(const CampaignReading& r, std::int64_t design, lang::Program program) {
  int rung = static_cast<int>(r.plan.settings.rungs.size()) - 1;
  while (rung > 0 && r.population.standing(r.population.individual(design), rung).done == 0) --rung;
  program = evolve::deepened(program, r.rung(rung).depth);
  lang::Library library = zoo::library();
  library.add(program);
  const lang::Design* last = lang::last_design(program);
  if (!last) return {};
  const std::int64_t vocab = r.plan.settings.vocab;
  const auto size = lang::resize(library, *last, r.rung(rung).params, vocab);
  lang::ElaborateOptions options;
  if (size) options = lang::options_at(*size, vocab);
  const lang::CheckReport report = lang::check(std::move(program), zoo::library(), options);
  if (!report.valid() || report.subjects.empty()) return {};
  return {.where = size ? fmt::format("at {}, D = {}", one_line(r.rung(rung).name, 30), size->width)
                        : "as written",
          .rows = InstanceTree(report.subjects.back().elaboration.instances).rows()};
}

std::string standing_text(const CampaignReading& r, std::int64_t design) {
  std::string out;
  const CampaignVerdict v = verdict(r);
  if (v.leader.design == design) {
    out += v.sentence + "\n";
    if (!v.sensitivity.empty()) out += v.sensitivity + "\n";
    for (const Duel& d : v.duels) out += duel_line(r.population, d) + "\n";
    const std::vector<AblatedPart> parts = ablated_parts(r.population, v.leader);
    for (const AblatedPart& part : parts) out += part_line(part) + "\n";
    if (const std::string advice = advice_on_parts(parts); !advice.empty()) out += advice + "\n";
    return out;
  }
  const Individual& i = r.population.individual(design);
  if (!evolve::is_candidate(i)) return out;
  for (int rung = static_cast<int>(r.plan.settings.rungs.size()) - 1; rung >= 0; --rung) {
    const std::int64_t baseline = r.population.best_baseline(rung);
    if (baseline == 0) continue;
    const auto d = evolve::search_interval(r.population, design, baseline, rung);
    if (d.count == 0) continue;
    out += fmt::format("against {} at {}, on the seeds of the search: {}\n",
                       one_line(r.population.individual(baseline).created.name, 40),
                       one_line(r.rung(rung).name, 30), interval_text(d));
    break;
  }
  return out;
}

Result<std::string> design_text(const store::Store& store, std::int64_t design) {
  GABBRO_TRY(row, store.design(design));
  GABBRO_TRY(r, read_record(store));
  const record::DesignCreated& b = row.created;
  const std::string by = b.origin == record::Origin::kSearch ? " by " + one_line(b.strategy, 30) : "";
  std::string out = fmt::format("#{} {}  {}{}, created {} UTC\n", b.id, one_line(b.name, 60),
                                one_line(evolve::maker_of(b), 80), by, date(row.time));
  out += fmt::format("mixes tokens by {}; training {} FLOPs per token, decoding {}, state {}B; hash {}\n",
                     one_line(b.species, 80), amount(b.train_flops), amount(b.decode_flops),
                     amount(b.state_bytes), one_line(b.hash, 40));
  lang::CheckReport report = lang::check(b.program, zoo::library());
  if (report.valid() && !report.subjects.empty())
    out += "\n" + tree_text(r, design, std::move(report.program));
  else if (!report.errors.empty())
    out += "\n" + format_error("program", report.errors.front()) + "\n";
  out += "\n" + indented(b.program);
  add_lineage(out, r, design);
  out += task_text(r, design);
  add_runs(out, r, store.trials_of(design));
  for (int rung = 0; rung < static_cast<int>(r.plan.settings.rungs.size()); ++rung)
    if (const std::string changed = changed_hypers_text(store, r.population, design, rung); !changed.empty())
      out += fmt::format("resized to {} with {}\n", one_line(r.rung(rung).name, 30), one_line(changed, 120));
  for (int rung = static_cast<int>(r.plan.settings.rungs.size()) - 1; rung >= 0; --rung)
    if (const std::int64_t trial = scored_trial(r.population, design, rung); trial > 0) {
      if (const auto result = store.result(trial))
        if (const std::string curve = plot(result->curve); !curve.empty())
          out += fmt::format("\ntraining loss of run {} at {}\n{}", trial, one_line(r.rung(rung).name, 30),
                             curve);
      break;
    }
  for (const record::Promoted& promoted : store.promotions_of(design))
    if (promoted.rung >= 0 && promoted.rung < static_cast<int>(r.plan.settings.rungs.size()))
      out += fmt::format("\nentered {}: {}", one_line(r.rung(promoted.rung).name, 30),
                         one_line(promoted.reason, 200));
  if (!out.ends_with('\n')) out += '\n';
  if (const auto& profile = r.population.individual(design).profile)
    out += fmt::format("\ncapabilities before any text: {}\n", profile_text(*profile));
  if (const std::string standing = standing_text(r, design); !standing.empty()) out += "\n" + standing;
  return out;
}

}  // namespace gabbro::campaign
