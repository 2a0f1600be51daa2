#include "cli/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/student.h"
#include "campaign/format.h"
#include "cli/commands.h"
#include "cli/record.h"
#include "cli/terminal.h"
#include "evolve/comparison.h"
#include "evolve/statistics.h"
#include "record/trial.h"

namespace gabbro::cli {

namespace {

constexpr double kLevel = 0.05;  // significance level: intervals have 95 % confidence
// Relative difference of parameters up to which designs count as equally large.
constexpr double kSameSize = 0.01;

struct Run {
  std::string folder;  // its path, as given
  record::TrialResult result;
  std::optional<record::TrialSpec> spec;  // empty if the folder has no spec.json, or none that can be parsed
};

Result<Run> read_run(const std::string& folder) {
  if (is_campaign(folder))
    return fail("usage", folder + " is a campaign, not a run",
                fmt::format("export a design of it with `gabbro export {}#17`, and compare that", folder));
  const std::string file = folder + "/result.json";
  const auto text = read_file(file, kMostText);
  if (!text)
    return fail("run", fmt::format("there is no finished run in {}: result.json is missing", folder),
                "create one with `gabbro train --out FOLDER`, or export a design of a campaign with `gabbro "
                "export RUN#ID`");
  auto result = record::parse_result(*text);
  if (!result) return fail(result.error().code, fmt::format("{}: {}", file, result.error().message));
  Run out{folder, std::move(*result), {}};
  if (const auto spec_text = read_file(folder + "/spec.json", kMostText))
    if (auto spec = record::parse_spec(*spec_text)) out.spec = std::move(*spec);
  // A result without a score, or one that contradicts itself, is reported by run_compare.
  if (out.spec && out.result.status == record::Status::kDone && record::misfit(out.result).empty())
    if (const std::string why = record::misfit(*out.spec, out.result); !why.empty())
      return fail("run",
                  fmt::format("{}: spec.json and result.json belong to different runs: {}", folder, why),
                  "train the run again");
  return out;
}

// Returns the first score minus the second, in bits per byte (negative: the first is better), with a 95 %
// interval over documents; unbounded if there is a single document.
evolve::Interval difference(const record::TrialResult& of, const record::TrialResult& against) {
  evolve::Trial a, b;
  a.bits = of.bits_per_byte, a.documents = of.documents;
  b.bits = against.bits_per_byte, b.documents = against.documents;
  const evolve::Paired pair = evolve::pair_runs({&a}, {&b});
  evolve::Interval out{.mean = pair.differences.front(), .low = -INFINITY, .high = INFINITY, .count = 1};
  if (pair.documents.freedom <= 0) return out;  // A single document allows no interval.
  const double half = t_quantile(1 - kLevel / 2, pair.documents.freedom) * std::sqrt(pair.documents.value);
  out.low = out.mean - half, out.high = out.mean + half;
  return out;
}

std::string verdict(const evolve::Interval& i) {
  if (!std::isfinite(i.low)) return "one document: no interval";
  return i.high < 0 ? "ahead" : i.low > 0 ? "behind" : "no significant difference";
}

// Returns the difference in bits per byte on training text that neither run has read. Returns nothing if no
// such text was scored in both runs, as for runs that were trained on different text.
std::optional<double> unread_difference(const record::TrialResult& of, const record::TrialResult& against) {
  const double own = record::unread_bits(of), other = record::unread_bits(against);
  if (!(own > 0) || !(other > 0) || of.unread_tokens != against.unread_tokens ||
      of.text_hash != against.text_hash)
    return std::nullopt;
  return own - other;
}

// Returns true if the difference is significant and unread text shows less than the share kLeastUnread of it.
// Without unread text, the result is false.
bool is_unconfirmed(const evolve::Interval& i, const std::optional<double>& unread) {
  return i.excludes_zero() && unread && *unread / i.mean < evolve::kLeastUnread;
}

// Returns what else may explain a difference in score: differences between the runs other than the design,
// and that unread text does not confirm it. Returns "" if there is nothing.
std::string caveat(const Run& run, const Run& first) {
  const record::TrialResult &of = run.result, &against = first.result;
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  const auto differ = [&](const char* what, const auto& own, const auto& other) {
    if (own != other) add(fmt::format("{} {} instead of {}", what, own, other));
  };
  const double size =
      static_cast<double>(of.params) / static_cast<double>(std::max<std::int64_t>(1, against.params));
  if (std::abs(size - 1) > kSameSize) add(fmt::format("{:+.1f} % parameters", 100 * (size - 1)));
  if (of.tokens != against.tokens)
    add(fmt::format("{} tokens instead of {}", campaign::amount(static_cast<double>(of.tokens)),
                    campaign::amount(static_cast<double>(against.tokens))));
  else if (of.text_hash != against.text_hash)
    add("other training text, or another order of it");
  const auto unread = unread_difference(of, against);
  const evolve::Interval gap = difference(of, against);
  if (gap.excludes_zero() && !unread)
    add("no training text that both runs left unread was scored, so a program that contains the held-out "
        "documents would not be noticed");
  else if (is_unconfirmed(gap, unread))
    add(
        fmt::format("only {:+.4f} on training text that neither has read: by chance, because that text is of "
                    "another kind, "
                    "or because one program contains the held-out documents",
                    *unread));
  if (!of.build.empty() && !against.build.empty()) differ("worker", of.build, against.build);
  differ("optimizer", of.optimizer, against.optimizer);
  differ("learning rate", of.rate, against.rate);
  differ("input rate", of.input_rate, against.input_rate);
  differ("output rate", of.output_rate, against.output_rate);
  if (!run.spec || !first.spec) {
    add("a spec.json is missing or invalid, so schedule, weight decay, dtype, engine and batches are not "
        "compared");
    return out;
  }
  const record::TrialSpec &own = *run.spec, &other = *first.spec;
  differ("schedule", own.schedule, other.schedule);
  differ("weight decay", own.decay, other.decay);
  differ("dtype", own.dtype, other.dtype);
  differ("engine", own.engine, other.engine);
  differ("device", own.device, other.device);
  differ("compile", own.compile, other.compile);
  differ("rows", own.rows, other.rows);
  differ("tokens per batch", own.sequences * own.length, other.sequences * other.length);
  differ("sequence length", own.length, other.length);
  return out;
}

// Returns why the runs cannot be paired by document, as a predicate whose subject is the two runs ("were
// scored on ..."); "" if they can.
std::string unpaired(const record::TrialResult& of, const record::TrialResult& against) {
  if (!record::same_documents(of.documents, against.documents))
    return "were scored on different held-out texts";
  if (of.held_out_hash != against.held_out_hash)
    return "were scored on documents of equal length, but of different text or with different vocabularies";
  return "";
}

std::string row(const Run& run, const Run& first) {
  const record::TrialResult& r = run.result;
  std::string out =
      fmt::format("{:<24} {:<20} {:>7} {:>7} {:>9.4f}", campaign::one_line(run.folder, 24),
                  campaign::one_line(r.design, 20), campaign::amount(static_cast<double>(r.params)),
                  campaign::amount(static_cast<double>(r.tokens)), r.bits_per_byte);
  if (&run == &first) return out;
  const evolve::Interval d = difference(r, first.result);
  out += fmt::format("  {}  {}",
                     std::isfinite(d.low) ? campaign::interval_text(d) : fmt::format("{:+.4f}", d.mean),
                     verdict(d));
  if (const std::string text = caveat(run, first); !text.empty()) out += fmt::format(" ({})", text);
  return out;
}

nlohmann::ordered_json json_of(const Run& run, const Run& first) {
  const record::TrialResult& r = run.result;
  nlohmann::ordered_json out{{"run", run.folder},
                             {"design", r.design},
                             {"params", r.params},
                             {"tokens", r.tokens},
                             {"bits_per_byte", r.bits_per_byte}};
  if (r.changed_share > 0) out["changed_share"] = r.changed_share;
  if (&run == &first) return out;
  const evolve::Interval d = difference(r, first.result);
  out["difference"] = d.mean;
  const auto bound = [](double x) { return std::isfinite(x) ? nlohmann::ordered_json(x) : nullptr; };
  out["low"] = bound(d.low), out["high"] = bound(d.high);
  const auto unread = unread_difference(r, first.result);
  out["unread_difference"] = unread ? nlohmann::ordered_json(*unread) : nullptr;
  out["verdict"] = verdict(d);
  out["caveat"] = caveat(run, first);
  return out;
}

}  // namespace

int run_compare(const CompareCommand& c) {
  std::vector<Run> runs;
  for (const std::string& folder : c.runs) {
    auto run = read_run(folder);
    if (!run) return failed("compare", run.error());
    runs.push_back(std::move(*run));
  }
  const Run& first = runs.front();
  for (const Run& run : runs) {
    const record::TrialResult& r = run.result;
    if (r.status != record::Status::kDone) {
      print(stderr, "gabbro compare: {} has no score: {}{}{}\n", run.folder, r.status,
            r.cause.empty() ? "" : ", ", r.cause);
      return kInvalid;
    }
    if (const std::string why = record::misfit(r); !why.empty())
      return failed(
          "compare",
          {"run", fmt::format("{}: inconsistent result: {}", run.folder, why), "train the run again", {}});
    if (const std::string why = unpaired(r, first.result); !why.empty())
      return failed(
          "compare",
          {"text",
           fmt::format("{} and {} {}", first.folder, run.folder, why),
           "train the runs again on one corpus, with the same --valid-documents and --document-tokens",
           {}});
  }
  if (c.json) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const Run& run : runs) out.push_back(json_of(run, first));
    print("{}\n", out.dump(2));
    return kValid;
  }
  print("{:<24} {:<20} {:>7} {:>7} {:>9}  difference to the first [95 % interval over {}]\n", "run", "design",
        "params", "tokens", "bits/byte",
        campaign::count_of(static_cast<std::int64_t>(first.result.documents.size()), "document"));
  for (const Run& run : runs) print("{}\n", row(run, first));
  if (const std::string note = record::changed_text_note(first.result.changed_share); !note.empty())
    print("{}\n", note);
  print(
      "Each row is a single run: the intervals do not include the variation between seeds. To compare on "
      "fresh seeds, use `gabbro evolve --strategies none --design FILE`.\n");
  return kValid;
}

}  // namespace gabbro::cli
