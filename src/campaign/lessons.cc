#include "campaign/lessons.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "campaign/format.h"
#include "edit/diff.h"
#include "edit/edit.h"
#include "evolve/adaptive.h"
#include "evolve/ladder.h"
#include "evolve/outcome.h"
#include "evolve/reviewers.h"
#include "lang/printer.h"
#include "zoo/library.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;
using evolve::Standing;
using record::Cause;

namespace {

constexpr std::size_t kRecentDesigns = 300;  // number of the latest designs that are considered
constexpr std::size_t kMaxLines = 6;         // maximum number of lines of each kind
constexpr int kGenerations = 3;              // of a design's history: itself, its parent, its grandparent
// Lengths in bytes of what is told of a design itself, of its ancestors, and of its neighbours.
constexpr std::size_t kLongestProposal = 700, kLongestOfAncestor = 350, kLongestRemark = 300,
                      kLongestIdea = 160;
constexpr std::size_t kLongestName = 70;    // bytes of a design's name
constexpr std::size_t kLongestChange = 60;  // bytes of each side of a change
constexpr std::size_t kMaxChanges = 3;      // of a design against its parent

// Calls f(design) for the latest designs, oldest first.
template <class F>
void for_recent(const Population& p, const F& f) {
  const auto& all = p.individuals();
  for (std::size_t k = all.size() > kRecentDesigns ? all.size() - kRecentDesigns : 0; k < all.size(); ++k)
    f(all[k]);
}

// Formats the mean difference from the best baseline at a rung; "" if there is none.
std::string difference_from_baseline(const Population& p, const Individual& i, int rung) {
  const std::int64_t baseline = p.best_baseline(rung);
  if (baseline == 0 || baseline == i.created.id) return "";
  const std::vector<double> d = p.differences(i.created.id, baseline, rung, evolve::RunKind::kSearch);
  if (d.empty()) return "";
  return fmt::format(", {:+.4f} against the best baseline, {}", evolve::mean_interval(d).mean,
                     p.individual(baseline).created.name);
}

// Returns the width at which a design was trained at a rung; "" if it is not known.
std::string width_text(const Population& p, const Individual& i, int rung) {
  for (const std::int64_t id : i.trials)
    if (const evolve::Trial& t = p.trial(id); t.begun.rung == rung && t.width > 0)
      return fmt::format("width {}", t.width);
  return "";
}

// Returns the report of the agents that wrote a design; null if none did.
const record::TaskReport* report_of(const Population& p, const Individual& i) {
  if (i.created.task < 1 || i.created.task > static_cast<std::int64_t>(p.tasks().size())) return nullptr;
  return &p.tasks()[static_cast<std::size_t>(i.created.task - 1)].report;
}

// Puts text on one line of at most `max_bytes`, cut between words.
std::string line_of_words(std::string_view text, std::size_t max_bytes) {
  std::string out = one_line(text, max_bytes);
  if (text.size() <= max_bytes) return out;
  const std::size_t space = out.find_last_of(' ');
  return space == std::string::npos || space < max_bytes / 2 ? out : out.substr(0, space) + " ...";
}

// Returns the name of a design in a line about other designs: that of a known one, or its id and name.
std::string named(const Population& p, const Individual& i) {
  if (evolve::is_known(i)) return name_in_prompts(p, i);
  return fmt::format("#{} {}{}", i.created.id, name_in_prompts(p, i), i.vetoed ? " (vetoed)" : "");
}

// Says what an operator changed in its parent: the places, with the text before and after; "" for a design
// that no operator made from a parent.
std::string changed_text(const Population& p, const Individual& i) {
  if (!i.created.provenance.op || i.created.parent == 0 || !i.program) return "";
  const Individual& parent = p.individual(i.created.parent);
  if (!parent.program) return "";
  lang::Program before = *parent.program;
  if (const auto own = edit::design_of(*i.program), old = edit::design_of(before); own && old)
    for (lang::Item& item : before.items)  // so that the designs are compared, whatever they are called
      if (auto* design = std::get_if<lang::Design>(&item.value); design == *old) design->name = (*own)->name;
  const std::vector<edit::Change> changes = edit::diff(before, *i.program);
  std::string out;
  for (std::size_t k = 0; k < std::min(kMaxChanges, changes.size()); ++k) {
    const edit::Change& c = changes[k];
    const auto side = [](const std::string& text) {
      return text.empty() ? "nothing" : "`" + line_of_words(text, kLongestChange) + "`";
    };
    out += fmt::format("{}{}{}{}: {} became {}", k ? "; " : "", c.item, c.place.empty() ? "" : ", ", c.place,
                       side(c.before), side(c.after));
  }
  if (changes.size() > kMaxChanges)
    out += fmt::format("; and {} more",
                       count_of(static_cast<std::int64_t>(changes.size() - kMaxChanges), "change"));
  return out;
}

// Formats how a design did against its parent, with the noise of such a difference.
std::string outcome_text(const Population& p, const evolve::Outcome& o) {
  const std::string other = named(p, p.individual(o.against));
  if (!o.bits.empty())
    return fmt::format(
        "{:+.4f} bits per byte against {} on {} (two runs of one design differ by about {:.3f})",
        evolve::mean_interval(o.bits).mean, other, count_of(static_cast<std::int64_t>(o.bits.size()), "seed"),
        std::sqrt(2.0) * evolve::seed_stddev(p, 0));
  if (o.share > 0)
    return fmt::format(
        "no score against {}, since a run was stopped early; after {:.0f} % of the tokens its training loss "
        "was {:+.3f} nats per token against it",
        other, 100 * o.share, o.loss);
  return o.better ? fmt::format("trained, while {} could not be", other)
                  : fmt::format("could not be trained, while {} could", other);
}

std::string outcome_text(const Population& p, const Individual& i) {
  const auto outcome = evolve::outcome_of(p, i);
  return outcome ? outcome_text(p, *outcome) : "no outcome against its parent yet";
}

std::string stack_of(const Individual& i) {
  const auto design = i.program ? edit::design_of(*i.program) : tl::unexpected(Error{});
  return design ? lang::print((*design)->stack) : "";
}

// Returns the names of the units that the design instantiates.
std::set<std::string> units_of(const Individual& i) {
  std::set<std::string> out;
  if (!i.program) return out;
  for (const edit::TreePlace& place : edit::places(*i.program, zoo::library()))
    if (place.instance.kind == lang::Expr::Kind::kName || place.instance.kind == lang::Expr::Kind::kCall)
      out.insert(place.instance.text);
  return out;
}

}  // namespace

std::string name_in_prompts(const Population& p, const Individual& i) {
  if (evolve::is_known(i)) return one_line(i.created.name, kLongestName);
  if (const record::TaskReport* report = report_of(p, i); report && !report->title.empty())
    return line_of_words(report->title, kLongestName);
  // A child of an operator has the name of its parent in its program, which is no longer true of it.
  if (const auto& op = i.created.provenance.op; op && i.created.parent != 0) {
    const Individual& parent = p.individual(i.created.parent);
    return parent.created.provenance.op && parent.created.parent != 0
               ? fmt::format("{} of #{}", *op, parent.created.id)
               : fmt::format("{} of {}", *op, named(p, parent));
  }
  return line_of_words(i.created.name, kLongestName);
}

std::vector<const Individual*> best_designs(const Population& p, std::size_t count) {
  std::vector<std::pair<double, const Individual*>> found;
  for (const Individual& i : p.individuals()) {
    if (!i.program || i.vetoed || (!evolve::is_candidate(i) && !evolve::is_baseline(i))) continue;
    const Standing s = p.standing(i, 0);
    if (s.done > 0 && s.unscored == 0 && std::isfinite(s.bits)) found.emplace_back(s.bits, &i);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const Individual*> out;
  for (std::size_t k = 0; k < std::min(count, found.size()); ++k) out.push_back(found[k].second);
  return out;
}

std::vector<std::string> ladder_lines(const Population& p) {
  std::vector<std::string> out;
  const evolve::SearchSettings& s = p.settings();
  for (std::size_t r = 0; r < s.rungs.size(); ++r) {
    const evolve::Rung& rung = s.rungs[r];
    std::string line = fmt::format(
        "rung {} of {}: {} parameters, {} training tokens, batches of {} x {} tokens, a vocabulary of {}",
        r + 1, s.rungs.size(), amount(static_cast<double>(rung.params)),
        amount(static_cast<double>(rung.tokens)), rung.sequences, rung.length, s.vocab);
    if (const std::int64_t best = p.best_baseline(static_cast<int>(r)); best != 0) {
      const Individual& baseline = p.individual(best);
      const std::string width = width_text(p, baseline, static_cast<int>(r));
      line += fmt::format("; best baseline {}: {:.4f} bits per byte{}{}, stack {}", baseline.created.name,
                          p.standing(baseline, static_cast<int>(r)).bits, width.empty() ? "" : " at ", width,
                          one_line(stack_of(baseline), kLongestIdea));
    }
    out.push_back(line);
  }
  return out;
}

std::vector<std::string> evidence_lines(const Population& p, const Individual& i) {
  std::vector<std::string> out;
  const auto& rungs = p.settings().rungs;
  for (int r = 0; r < static_cast<int>(rungs.size()); ++r) {
    const Standing s = p.standing(i, r);
    const std::string width = width_text(p, i, r);
    const std::string where = fmt::format(
        "{} parameters{}{}, {} tokens", rungs[static_cast<std::size_t>(r)].name, width.empty() ? "" : ", ",
        width, amount(static_cast<double>(rungs[static_cast<std::size_t>(r)].tokens)));
    if (s.done > 0)
      out.push_back(fmt::format("{}: {:.4f} bits per byte on {}{}", where, s.bits, count_of(s.done, "seed"),
                                difference_from_baseline(p, i, r)));
    for (const std::int64_t id : i.trials) {
      const evolve::Trial& t = p.trial(id);
      if (t.begun.rung != r || !t.ended || t.status == record::Status::kDone || !evolve::guides_search(t))
        continue;
      out.push_back(t.status == record::Status::kHurdle
                        ? where + ": stopped early, its loss was among the worst"
                        : fmt::format("{}: {}: {}", where, t.status, one_line(t.cause, kLongestIdea)));
    }
  }
  if (!i.trials.empty())
    if (const auto& curve = p.trial(i.trials.front()).curve; !curve.empty()) {
      std::string line = "training loss at every eighth of the first run:";
      for (const double loss : curve) line += fmt::format(" {:.3f}", loss);
      out.push_back(line);
    }
  out.push_back(
      fmt::format("costs: {} FLOPs a token in training, {} in decoding, {} bytes of state; it mixes by {}",
                  amount(i.created.train_flops), amount(i.created.decode_flops),
                  amount(i.created.state_bytes), i.created.species));
  const int rung = evolve::leader(p).rung;
  for (const Individual& a : p.individuals()) {
    if (!is_ablation(a) || a.created.parent != i.created.id) continue;
    const std::vector<double> d = p.differences(a.created.id, i.created.id, rung, evolve::RunKind::kVerdict);
    if (d.empty()) continue;
    const evolve::Interval mean = evolve::mean_interval(d);
    out.push_back(fmt::format("{}: {} bits per byte on {}", a.created.provenance.description,
                              interval_text(mean), count_of(static_cast<std::int64_t>(d.size()), "seed")));
  }
  return out;
}

std::vector<std::string> history_lines(const Population& p, const Individual& design) {
  std::vector<std::string> out;
  const Individual* i = &design;
  for (int generation = 0; generation < kGenerations; ++generation) {
    if (evolve::is_known(*i)) break;  // Nobody proposed a baseline.
    const bool own = generation == 0;
    const std::string who = own ? "" : fmt::format("of #{}: ", i->created.id);
    std::string line = fmt::format("{}: {}", named(p, *i), evolve::maker_of(i->created));
    if (i->created.second_parent != 0)
      line += ", second parent " + named(p, p.individual(i->created.second_parent));
    if (const std::string width = width_text(p, *i, 0); !width.empty()) line += ", trained at " + width;
    const record::TaskReport* report = report_of(p, *i);
    if (report) line += "; " + line_of_words(report->proposal, own ? kLongestProposal : kLongestOfAncestor);
    if (const std::string changed = changed_text(p, *i); !changed.empty()) line += "; " + changed;
    out.push_back(line + "; outcome: " + outcome_text(p, *i));
    if (report) {
      const std::size_t longest = own ? kLongestRemark : kLongestIdea;
      for (const record::Promise& promise : report->promises)
        if (!promise.kept)
          out.push_back(fmt::format("{}broken promise: {} {}, found {}", who,
                                    record::word_of(promise.property), promise.said, promise.found));
      for (const record::Review& review : report->reviews)
        out.push_back(fmt::format("{}its reviewer ({:.0f} % to beat its parent) objected: {}", who,
                                  100 * review.probability, line_of_words(review.text, longest)));
      if (!report->observed.empty())
        out.push_back(who +
                      "the program departs from the proposal: " + line_of_words(report->observed, longest));
    }
    if (i->created.parent == 0) break;
    i = &p.individual(i->created.parent);
  }
  return out;
}

std::vector<std::string> neighbour_lines(const Population& p, const Individual* parent) {
  std::vector<std::pair<double, const Individual*>> near;  // with the distance or the score to sort by
  constexpr double kNoScore = 100;                         // greater than any score
  for_recent(p, [&](const Individual& i) {
    if (&i == parent || !i.program || (!evolve::is_candidate(i) && !evolve::is_known(i))) return;
    const Standing s = p.standing(i, 0);
    const double bits = s.done > 0 && s.unscored == 0 ? s.bits : kNoScore;
    near.emplace_back(parent ? evolve::distance(parent->shape, i.shape) : bits, &i);
  });
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (std::size_t k = 0; k < std::min(kMaxLines, near.size()); ++k) {
    const Individual& i = *near[k].second;
    const Standing s = p.standing(i, 0);
    std::string line =
        fmt::format("{}: {}{}", named(p, i), line_of_words(stack_of(i), kLongestIdea),
                    s.done > 0 && s.unscored == 0 ? fmt::format(" ({:.4f} bits per byte)", s.bits)
                    : s.unscored > 0              ? " (lost)"
                                                  : "");
    if (const std::string changed = changed_text(p, i); !changed.empty()) line += "; " + changed;
    if (!evolve::is_known(i) && (i.created.parent != 0 || report_of(p, i)))
      line += "; outcome: " + outcome_text(p, i);
    out.push_back(line);
  }
  return out;
}

std::vector<std::string> unit_worth_lines(const Population& p, const std::set<std::string>& known) {
  constexpr std::size_t kMostDifferent = 3;  // units in which a pair differs; of more, none is to be credited
  constexpr std::size_t kLeastPairs = 2;
  std::map<std::string, std::vector<double>> worth;  // by unit, in bits per byte
  for_recent(p, [&](const Individual& i) {
    if (i.created.parent == 0 || i.vetoed || !evolve::is_candidate(i)) return;
    const std::vector<double> d = p.differences(i.created.id, i.created.parent, 0, evolve::RunKind::kSearch);
    if (d.empty()) return;
    const std::set<std::string> own = units_of(i), parents = units_of(p.individual(i.created.parent));
    std::vector<std::string> added, removed;
    std::set_difference(own.begin(), own.end(), parents.begin(), parents.end(), std::back_inserter(added));
    std::set_difference(parents.begin(), parents.end(), own.begin(), own.end(), std::back_inserter(removed));
    if (added.size() + removed.size() > kMostDifferent) return;
    const double mean = evolve::mean_interval(d).mean;
    for (const std::string& name : added) worth[name].push_back(mean);
    for (const std::string& name : removed) worth[name].push_back(-mean);
  });
  std::vector<std::pair<double, std::string>> found;
  for (const auto& [name, pairs] : worth) {
    if (pairs.size() < kLeastPairs || (!known.contains(name) && !zoo::library().unit(name))) continue;
    const evolve::Interval mean = evolve::mean_interval(pairs);
    found.emplace_back(
        mean.mean,
        fmt::format("{}: {} bits per byte in {} of a design with it and one without", name,
                    interval_text(mean), count_of(static_cast<std::int64_t>(pairs.size()), "pair")));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return std::abs(a.first) > std::abs(b.first); });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(kMaxLines, found.size()); ++i) out.push_back(found[i].second);
  return out;
}

std::vector<std::string> forecast_lines(const Population& p) {
  struct Sum {
    double probability = 0;
    std::int64_t count = 0, beat = 0;
  };
  std::map<std::string, Sum> models;
  const std::vector<evolve::Prediction> all = evolve::predictions(p);
  for (const evolve::Prediction& f : all) {
    Sum& sum = models[f.model];
    sum.probability += f.probability, ++sum.count, sum.beat += f.beat ? 1 : 0;
  }
  std::vector<std::string> out;
  for (const auto& [model, sum] : models)
    out.push_back(fmt::format("{}: {:.0f} % on average over {}; {} of them beat their parent",
                              one_line(model, 40), 100 * sum.probability / static_cast<double>(sum.count),
                              count_of(sum.count, "forecast"), sum.beat));
  for (std::size_t i = all.size() > kMaxLines ? all.size() - kMaxLines : 0; i < all.size(); ++i) {
    const evolve::AgentTask& task = p.tasks()[static_cast<std::size_t>(all[i].task - 1)];
    out.push_back(fmt::format("{}: {} said {:.0f} %; it {}: {}", named(p, p.individual(task.design)),
                              one_line(all[i].model, 40), 100 * all[i].probability,
                              all[i].beat ? "did" : "did not", outcome_text(p, p.individual(task.design))));
  }
  return out;
}

std::vector<std::string> failure_lines(const Population& p) {
  std::vector<std::pair<std::int64_t, std::string>> found;
  const auto add = [&](const std::string& what, const evolve::Failures& f) {
    found.emplace_back(f.count, fmt::format("{}: {}; the last: {}", what, count_of(f.count, "time"),
                                            one_line(f.last, kLongestIdea)));
  };
  for (const auto& [cause, f] : p.failures().draws) {
    // Edit operators guess, so these causes say nothing to agents.
    if (cause == Cause::kDuplicate || cause == Cause::kEdit) continue;
    add(fmt::format("{}", cause), f);
  }
  for (const auto& [cause, f] : p.failures().tasks) add(fmt::format("agents: {}", cause), f);
  for (const auto& [status, f] : p.failures().runs) add(fmt::format("run {}", status), f);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(kMaxLines, found.size()); ++i) out.push_back(found[i].second);
  return out;
}

}  // namespace gabbro::campaign
