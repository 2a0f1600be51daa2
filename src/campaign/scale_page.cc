#include "campaign/scale_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "campaign/format.h"
#include "campaign/report_style.h"
#include "campaign/svg.h"

namespace gabbro::campaign {

using evolve::ScaleEstimate;
using record::ScaleRun;
using record::ScaleStudy;

namespace {

constexpr double kTenfold = 10;  // lines are drawn to this multiple of the largest run

// Formats an estimate as "value [low, high]", each number in `format`; only the value if the interval is
// unknown.
std::string in_brackets(const ScaleEstimate& e, const char* format) {
  if (!std::isfinite(e.low)) return fmt::format(fmt::runtime(format), e.value);
  return fmt::format("{} [{}, {}]", fmt::format(fmt::runtime(format), e.value),
                     fmt::format(fmt::runtime(format), e.low), fmt::format(fmt::runtime(format), e.high));
}

// Returns the mean of a design's scores at a size; 0 if there is none.
double score_at(const ScaleStudy& study, std::size_t design, std::size_t size) {
  double sum = 0, count = 0;
  for (const ScaleRun& r : study.runs)
    if (r.status == record::Status::kDone && r.design == static_cast<std::int64_t>(design) &&
        r.size == static_cast<std::int64_t>(size))
      sum += r.bits, ++count;
  return count > 0 ? sum / count : 0;
}

std::string largest_size(const ScaleStudy& study) { return study.sizes.empty() ? "" : study.sizes.back(); }

// Describes how the first design's lead over another changes with size, in a sentence.
std::string lead_sentence(const ScaleStudy& study, const evolve::LeadAtScale& lead) {
  const std::string &name = study.designs[0], &other = study.designs[static_cast<std::size_t>(lead.against)];
  const evolve::SizeLead& at = lead.by_size.back();
  const ScaleEstimate& last = at.lead;  // at the largest size
  std::string out;
  if (!std::isfinite(last.value))
    return fmt::format("{} and {} have no scores at {} to compare.", name, other, largest_size(study));
  if (at.same_function)
    return last.value == 0
               ? fmt::format("{} and {} are the same function at {}: their runs agree by construction.", name,
                             other, largest_size(study))
               : fmt::format(
                     "{} and {} are the same function at {}: that their runs differ by {:+.4f} bits per byte "
                     "says nothing about the designs.",
                     name, other, largest_size(study), last.value);
  if (!std::isfinite(last.low))
    return fmt::format(
        "{} differs by {:+.4f} bits per byte from {} at {}; how much other seeds and texts would change is "
        "not known, so nothing follows.",
        name, last.value, other, largest_size(study));
  if (at.failed)
    return fmt::format(
        "{} differs by {} bits per byte from {} at {} in the runs with a score; a run of {} has none, so "
        "nothing follows.",
        name, in_brackets(last, "{:+.4f}"), other, largest_size(study),
        study.designs[static_cast<std::size_t>(*at.failed)]);
  if (lead.at_edge)
    return fmt::format(
        "{} differs by {} bits per byte from {} at {}; the best learning rate of {} lies at the edge of its "
        "search and a better one may lie beyond, so nothing follows. Start a new study with another --lr.",
        name, in_brackets(last, "{:+.4f}"), other, largest_size(study),
        study.designs[static_cast<std::size_t>(*lead.at_edge)]);
  if (at.is_unconfirmed())
    return fmt::format(
        "{} is {} {} at {} only on the held-out text: {} bits per byte there, but {} on training text that "
        "no "
        "run has read. That text may be of another kind, or a program may contain the held-out documents, so "
        "nothing follows.",
        name, last.high < 0 ? "ahead of" : "behind", other, largest_size(study), in_brackets(last, "{:+.4f}"),
        in_brackets(at.unread, "{:+.4f}"));
  if (last.high < 0)
    out = fmt::format("{} is ahead of {} at {}", name, other, largest_size(study));
  else if (last.low > 0)
    out = fmt::format("{} is behind {} at {}", name, other, largest_size(study));
  else
    out = fmt::format("{} and {} are not significantly different at {}", name, other, largest_size(study));
  out += fmt::format(": {} bits per byte. ", in_brackets(last, "{:+.4f}"));
  if (at.is_significant() && std::isfinite(at.unread.value))
    out +=
        fmt::format("On training text that no run has read, it is {}. ", in_brackets(at.unread, "{:+.4f}"));
  if (const auto failed = lead.failed())
    return out +
           fmt::format("A run of {} at another size has no score, so nothing is said of how it changes.",
                       study.designs[static_cast<std::size_t>(*failed)]);
  const ScaleEstimate& change = lead.per_tenfold;
  const bool shrinks = change.value * last.value < 0;
  const ScaleEstimate percent{100 * change.value, 100 * change.low, 100 * change.high};
  if (change.low > 0 || change.high < 0)
    out += fmt::format("For ten times as many parameters, the ratio of the two changes by {} %{}. ",
                       in_brackets(percent, "{:+.2f}"),
                       last.low <= 0 && last.high >= 0 ? ""
                       : shrinks                       ? ": the difference shrinks"
                                                       : ": the difference grows");
  else
    out += fmt::format(
        "It is unclear whether it grows or shrinks: their ratio changes by {} % for ten times as many "
        "parameters. ",
        in_brackets(percent, "{:+.2f}"));
  if (lead.meets)
    out += fmt::format("The lines meet at {} parameters [{}, {}].", amount(lead.meeting.value),
                       amount(lead.meeting.low),
                       std::isfinite(lead.meeting.high) ? amount(lead.meeting.high) : "open");
  return out;
}

std::vector<std::string> remarks(const ScaleStudy& study, const evolve::ScaleFit& fit) {
  std::vector<std::string> out;
  if (study.changed_share > 0) out.push_back(record::changed_text_note(study.changed_share));
  std::set<std::string> builds;
  for (const ScaleRun& r : study.runs)
    if (!r.build.empty()) builds.insert(r.build);
  if (builds.size() > 1)
    out.push_back(fmt::format(
        "Its runs were computed by {} different builds of the worker, or on different processors: "
        "differences may come from that.",
        builds.size()));
  if (fit.freedom == 0)
    out.emplace_back(
        "With one seed each, it is not known how far other seeds would move the numbers; use --seeds 3.");
  if (fit.freedom > 0 && fit.seeds == 2)
    out.emplace_back(
        "With two seeds, a lead is found only where it is a dozen times the standard deviation of a run or "
        "more; three seeds find leads of four times between two designs.");
  if (fit.too_few_documents)
    out.push_back(
        fmt::format("The held-out documents are worth {:.1f} of equal length, too few to say how far others "
                    "would move the numbers; use a corpus with more of them, or a larger --valid-documents.",
                    fit.documents));
  if (std::any_of(fit.leads.begin(), fit.leads.end(), [](const evolve::LeadAtScale& lead) {
        const evolve::SizeLead& at = lead.by_size.back();
        return at.is_significant() && !at.same_function && std::isnan(at.unread.value);
      }))
    out.emplace_back(
        "The runs have no score on training text that they have not read: the corpus is no longer than what "
        "they read, or an earlier version trained them. A lead may come from a program that contains the "
        "held-out documents.");
  for (const evolve::LeadAtScale& lead : fit.leads) {
    std::vector<std::string> same;
    for (std::size_t s = 0; s < lead.by_size.size(); ++s)
      if (lead.by_size[s].same_function) same.push_back(study.sizes[s]);
    if (!same.empty() && same.size() < lead.by_size.size())
      out.push_back(fmt::format("{} and {} are the same function at {}, but not at every size.",
                                study.designs[0], study.designs[static_cast<std::size_t>(lead.against)],
                                fmt::join(same, ", ")));
  }
  for (const ScaleRun& r : study.runs) {
    if (r.status == record::Status::kDone) continue;
    out.push_back(fmt::format("{} at {} with seed {}: {}, left out of the fit: {}",
                              study.designs[static_cast<std::size_t>(r.design)],
                              study.sizes[static_cast<std::size_t>(r.size)], r.seed, r.status,
                              one_line(r.cause, 200)));
  }
  out.emplace_back(
      "A line through few sizes describes what holds between them; beyond the largest, it is an "
      "extrapolation.");
  return out;
}

}  // namespace

std::string scale_text(const ScaleStudy& study, const evolve::ScaleFit& fit) {
  std::size_t width = std::string_view("design").size();
  for (const std::string& name : study.designs) width = std::max(width, one_line(name, 30).size());
  std::string out =
      fmt::format("{} of {}, {}\n", count_of(static_cast<std::int64_t>(study.designs.size()), "design"),
                  count_of(fit.seeds, "seed"), study.tokens);
  out += fmt::format("  {:<{}}", "design", width);
  for (const std::string& size : study.sizes) out += fmt::format("  {:>8}", size);
  out += "   exponent, by parameters    by FLOPs\n";
  for (std::size_t d = 0; d < study.designs.size(); ++d) {
    out += fmt::format("  {:<{}}", one_line(study.designs[d], 30), width);
    for (std::size_t s = 0; s < study.sizes.size(); ++s) {
      const double bits = score_at(study, d, s);
      out += bits > 0 ? fmt::format("  {:8.4f}", bits) : fmt::format("  {:>8}", "-");
    }
    out += fmt::format("   {}   {}\n", in_brackets(fit.by_params[d].exponent, "{:.4f}"),
                       in_brackets(fit.by_flops[d].exponent, "{:.4f}"));
  }
  for (const evolve::LeadAtScale& lead : fit.leads) out += "  " + lead_sentence(study, lead) + "\n";
  for (const std::string& remark : remarks(study, fit)) out += "  " + remark + "\n";
  return out;
}

Figure scale_figure(const ScaleStudy& study, const evolve::ScaleFit& fit) {
  constexpr double kWidth = 900, kTop = 30, kBottom = 380, kLeft = 60, kRight = 690;
  constexpr std::size_t kLineStyles = 8;  // in the style sheet
  double low = std::numeric_limits<double>::infinity(), high = 0, first = low, last = 0;
  for (const ScaleRun& r : study.runs) {
    if (r.status != record::Status::kDone) continue;
    low = std::min(low, r.bits), high = std::max(high, r.bits);
    first = std::min(first, r.flops), last = std::max(last, r.flops);
  }
  if (!(last > 0)) return {};
  for (const evolve::PowerLaw& law : fit.by_flops)
    low = std::min(low, std::isfinite(law.beyond.low) ? law.beyond.low : law.beyond.value);
  const Scale x{.low = first / 1.3, .high = kTenfold * last, .from = kLeft, .to = kRight, .log = true},
      y = scale_of(low, high, kBottom, kTop);
  Picture out(kWidth, kBottom + 44, "Bits per byte by training FLOPs");
  out.y_axis(y, kLeft, kRight, "held-out bits per byte", 6);
  out.x_axis(x, kTop, kBottom, "training FLOPs");
  std::vector<double> wanted;
  for (const evolve::PowerLaw& law : fit.by_flops) wanted.push_back(y.at(law.beyond.value) + 4);
  const std::vector<double> places = spread_labels(wanted, 15, kTop + 6, kBottom);
  for (std::size_t d = 0; d < study.designs.size(); ++d) {
    const evolve::PowerLaw& law = fit.by_flops[d];
    const std::string style = d == 0 ? "winner" : fmt::format("line{}", (d - 1) % kLineStyles);
    std::vector<std::pair<double, double>> line;
    constexpr int kSteps = 40;
    for (int k = 0; k <= kSteps; ++k) {
      const double flops = first * std::pow(kTenfold * last / first, static_cast<double>(k) / kSteps);
      line.emplace_back(x.at(flops), y.at(law.at_one * std::pow(flops, -law.exponent.value)));
    }
    out.polyline(line, "curve " + style);
    out.line(x.at(kTenfold * last), y.at(law.beyond.low), x.at(kTenfold * last), y.at(law.beyond.high),
             "whisker inconclusive");
    for (const ScaleRun& r : study.runs)
      if (r.status == record::Status::kDone && r.design == static_cast<std::int64_t>(d))
        out.dot(x.at(r.flops), y.at(r.bits), 3.2, d == 0 ? "front" : "baseline",
                fmt::format("{} at {}: {:.4f}", study.designs[d],
                            study.sizes[static_cast<std::size_t>(r.size)], r.bits));
    out.text(kRight + 10, places[d], one_line(study.designs[d], 24), "label text-" + style);
  }
  return {out.str(), fmt::format("Each point is a run, each line a power law fitted to a design's runs and "
                                 "drawn to ten times the largest; whiskers: 95 % intervals there. {}.",
                                 study.tokens)};
}

std::string scale_html(const ScaleStudy& study, const evolve::ScaleFit& fit) {
  const Figure figure = scale_figure(study, fit);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta "
      "charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\"/>\n<title>gabbro: "
      "scale</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n<h1>Scale</h1>\n",
      kReportStyle);
  out +=
      fmt::format("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n", figure.svg, escape(figure.caption));
  return out + fmt::format("<pre>{}</pre>\n</main>\n</body>\n</html>\n", escape(scale_text(study, fit)));
}

}  // namespace gabbro::campaign
