#include "cli/agents_bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "agents/bench.h"
#include "cli/commands.h"
#include "cli/literature.h"
#include "cli/model_access.h"
#include "cli/terminal.h"
#include "evolve/describe.h"
#include "evolve/statistics.h"
#include "lang/parser.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace {

using nlohmann::ordered_json;

/// Statistics over a variant's designs. The vectors have one element per finished or per valid design.
struct VariantRow {
  std::string variant;
  int done = 0, valid = 0;
  std::vector<double> attempts, repairs, calls, input, output, cost;  // per finished design
  std::vector<double> novelty, size;                                  // per valid design
  std::map<std::string, int> causes;                                  // designs that failed, by cause
  std::optional<agents::PerValidDesign> per_valid;
};

// Returns the distance to the nearest design of the zoo, from 0 (equal) to 1 (no common part).
double novelty(const std::string& program) {
  static const std::vector<evolve::Shape> known = [] {
    std::vector<evolve::Shape> shapes;
    for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
      shapes.push_back(evolve::shape_of(*zoo::program(entry.file)));
    return shapes;
  }();
  const evolve::Shape shape = evolve::shape_of(lang::parse(program).program);
  double nearest = 1;
  for (const evolve::Shape& k : known) nearest = std::min(nearest, evolve::distance(shape, k));
  return nearest;
}

std::vector<VariantRow> rows_of(const std::vector<agents::PipelineVariant>& variants,
                                const std::vector<agents::PipelineBenchResult>& results) {
  std::vector<VariantRow> rows(variants.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].variant = variants[i].name;
    rows[i].per_valid = agents::per_valid_design(results, static_cast<int>(i));
  }
  for (const agents::PipelineBenchResult& r : results) {
    if (!r.done) continue;
    VariantRow& row = rows[static_cast<std::size_t>(r.variant)];
    const record::TaskReport& report = r.report;
    ++row.done;
    int repairs = 0;
    for (const record::WrittenUnit& u : report.units) repairs += u.repairs;
    row.attempts.push_back(report.attempts);
    row.repairs.push_back(repairs);
    row.calls.push_back(static_cast<double>(report.calls));
    row.input.push_back(static_cast<double>(report.input_tokens));
    row.output.push_back(static_cast<double>(report.output_tokens));
    row.cost.push_back(report.cost);
    if (report.outcome != record::TaskOutcome::kDesign) {
      ++row.causes[std::string(record::word_of(report.cause))];
      continue;
    }
    ++row.valid;
    row.novelty.push_back(novelty(report.program));
    row.size.push_back(static_cast<double>(evolve::shape_of(lang::parse(report.program).program).size()));
  }
  return rows;
}

std::vector<std::string> variant_names() {
  std::vector<std::string> out;
  for (const agents::PipelineVariant& v : agents::bench_variants({})) out.push_back(v.name);
  return out;
}

// Formats the mean and half the width of its t interval.
std::string cell(const std::vector<double>& values, int digits) {
  if (values.empty()) return "-";
  const evolve::Interval i = evolve::mean_interval(values);
  if (i.count < 2) return fmt::format("{:.{}f}", i.mean, digits);
  return fmt::format("{:.{}f} ±{:.{}f}", i.mean, digits, (i.high - i.low) / 2, digits);
}

void print_table(const std::vector<VariantRow>& rows) {
  print("{:<18}{:>8}{:>22}{:>12}{:>12}{:>12}{:>16}{:>14}{:>16}{:>14}{:>12}{:>14}{:>12}\n", "variant",
        "designs", "valid (95 %)", "attempts", "repairs", "calls", "input", "output", "cost", "novelty",
        "size", "tokens/valid", "cost/valid");
  for (const VariantRow& r : rows) {
    const agents::Share s = agents::wilson(r.valid, r.done);
    print(
        "{:<18}{:>8}{:>22}{:>12}{:>12}{:>12}{:>16}{:>14}{:>16}{:>14}{:>12}{:>14}{:>12}\n", r.variant, r.done,
        r.done == 0
            ? "-"
            : fmt::format("{:.2f} ({:.2f} to {:.2f})", static_cast<double>(r.valid) / r.done, s.low, s.high),
        cell(r.attempts, 1), cell(r.repairs, 1), cell(r.calls, 1), cell(r.input, 0), cell(r.output, 0),
        cell(r.cost, 4), cell(r.novelty, 2), cell(r.size, 0),
        r.per_valid ? fmt::format("{:.0f}", r.per_valid->tokens) : "-",
        r.per_valid ? fmt::format("{:.4f}", r.per_valid->cost) : "-");
  }
  for (const VariantRow& r : rows) {
    if (r.causes.empty()) continue;
    std::vector<std::string> causes;
    for (const auto& [cause, n] : r.causes) causes.push_back(fmt::format("{} {}", cause, n));
    print("{}: causes of missing designs: {}\n", r.variant, fmt::format("{}", fmt::join(causes, ", ")));
  }
}

ordered_json json_of(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const evolve::Interval i = evolve::mean_interval(values);
  ordered_json out{{"mean", i.mean}, {"count", i.count}};
  if (i.count >= 2) {
    out["low"] = i.low;
    out["high"] = i.high;
  }
  return out;
}

// `whole`: every variant finished every design.
void print_json(const std::vector<VariantRow>& rows, bool whole) {
  ordered_json out{{"whole", whole}, {"variants", ordered_json::array()}};
  for (const VariantRow& r : rows) {
    const agents::Share s = agents::wilson(r.valid, r.done);
    out["variants"].push_back(
        {{"variant", r.variant},
         {"designs", r.done},
         {"valid", {{"count", r.valid}, {"low", s.low}, {"high", s.high}}},
         {"attempts", json_of(r.attempts)},
         {"repairs", json_of(r.repairs)},
         {"calls", json_of(r.calls)},
         {"input_tokens", json_of(r.input)},
         {"output_tokens", json_of(r.output)},
         {"cost", json_of(r.cost)},
         {"novelty", json_of(r.novelty)},
         {"size", json_of(r.size)},
         {"tokens_per_valid", r.per_valid ? ordered_json(r.per_valid->tokens) : nullptr},
         {"cost_per_valid", r.per_valid ? ordered_json(r.per_valid->cost) : nullptr},
         {"causes", r.causes}});
  }
  print("{}\n", out.dump());
}

}  // namespace

int agents_bench_with(chat::Chat& chat, const agents::AgentSettings& settings, const AgentsBenchCommand& c,
                      const std::function<bool()>& stopped) {
  std::vector<agents::PipelineVariant> variants = agents::bench_variants(settings);
  std::erase_if(variants, [&](const agents::PipelineVariant& v) {
    return std::find(c.variants.begin(), c.variants.end(), v.name) == c.variants.end();
  });
  const auto briefs = agents::bench_briefs(c.designs, c.seed, settings);
  agents::TaskResources resources{chat, zoo::library(), settings};
  const auto papers = open_literature();
  if (!papers) return failed_in("gabbro agents bench: library", papers.error());
  resources.literature = literature_of(*papers);
  std::size_t done = 0;
  const auto results =
      agents::run_bench(variants, briefs, resources, stopped, [&](const agents::PipelineBenchResult& r) {
        ++done;
        print(stderr, "{} of {}: {}, design {}: {}\n", done, variants.size() * briefs.size(),
              variants[static_cast<std::size_t>(r.variant)].name, r.brief + 1,
              r.report.outcome == record::TaskOutcome::kDesign
                  ? "valid"
                  : fmt::format("{}: {}", r.report.cause, r.report.detail));
      });
  const auto rows = rows_of(variants, results);
  const bool whole = done == results.size();
  for (const agents::PipelineBenchResult& r : results)
    if (!r.done && r.report.cause != record::Cause::kNone) {
      print(stderr, "stopped by {}: {}\n", r.report.cause, r.report.detail);
      break;
    }
  if (c.json)
    print_json(rows, whole);
  else
    print_table(rows);
  return whole ? kValid : kInvalid;
}

int run_agents_bench(const AgentsBenchCommand& c) {
  auto access = ModelAccess::open(c.agents, c.dir);
  if (!access) {
    print(stderr, "gabbro agents bench: {}\n", format_error(c.agents, access.error()));
    return kUsage;
  }
  const int code =
      agents_bench_with((*access)->chat(), (*access)->settings(), c, [&] { return (*access)->stopped(); });
  for (const std::string& doubt : (*access)->doubts()) print(stderr, "note: {}\n", doubt);
  return code;
}

void add_agents_bench(CLI::App& agents, std::function<int()>& chosen) {
  const auto c = std::make_shared<AgentsBenchCommand>();
  CLI::App* sub = agents.add_subcommand("bench",
                                        "Compare ways of writing designs: the pipeline, whole programs, one "
                                        "reply, the pipeline without a part");
  sub->fallthrough();
  sub->add_option("--agents", c->agents, "configuration file (default agents.toml)");
  sub->add_option("--dir", c->dir, "folder of the call log, to which the cap applies (default runs/bench)");
  sub->add_option(
         "--variants", c->variants,
         "comma-separated list of variants (default: all but 'reviewed program' and 'no grammar', which "
         "needs a server that accepts grammars)")
      ->delimiter(',')
      ->check(CLI::IsMember(variant_names()));
  sub->add_option("--designs", c->designs, "number of designs of each variant (default 10)")
      ->check(CLI::Range(1, 100'000));
  sub->add_option("--seed", c->seed, "random seed for parents and modes (default 1)");
  sub->add_flag("--json", c->json, "print one JSON object");
  sub->callback([&chosen, c] { chosen = [c] { return run_agents_bench(*c); }; });
}

}  // namespace gabbro::cli
