#include "agents/bench.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::agents {

namespace {

using record::Cause;

// Factors that make the number of a task from those of its seed, brief and variant. Each is greater than any
// number that it leaves room for.
constexpr std::int64_t kMaxVariants = 10, kMaxBriefs = 1'000'000;

// Returns true if the cause lies with the models or the set-up, and so says nothing about the variant.
bool is_inconclusive(Cause cause) {
  constexpr std::array kCauses{Cause::kStopped, Cause::kCap,    Cause::kChatDown,
                               Cause::kChatKey, Cause::kReplay, Cause::kStore};
  return std::find(kCauses.begin(), kCauses.end(), cause) != kCauses.end();
}

std::vector<Parent> zoo_designs() {
  std::vector<Parent> out;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items)
      if (std::holds_alternative<lang::Design>(item.value)) {
        out.push_back(
            {static_cast<std::int64_t>(out.size()) + 1, lang::item_name(item), std::string(entry.text), {}});
        break;
      }
  return out;
}

}  // namespace

std::vector<PipelineVariant> bench_variants(const AgentSettings& settings) {
  std::vector<PipelineVariant> out;
  const auto add = [&](const char* name, record::Writing writing, const auto& change) {
    PipelineVariant v{name, settings, static_cast<int>(out.size())};
    v.settings.writing = writing;
    change(v.settings);
    out.push_back(std::move(v));
  };
  using record::Writing;
  add("direct", Writing::kDirect, [](AgentSettings&) {});
  add("units", Writing::kUnits, [](AgentSettings&) {});
  add("no checker", Writing::kUnits, [](AgentSettings& s) { s.checker = false; });
  add("no planner", Writing::kUnits, [](AgentSettings& s) { s.planner = false; });
  add("no observer", Writing::kUnits, [](AgentSettings& s) { s.observer = false; });
  add("no grammar", Writing::kUnits, [](AgentSettings& s) { s.grammar = false; });
  add("program", Writing::kProgram, [](AgentSettings& s) { s.queries = s.reviewers = 0; });
  add("reviewed program", Writing::kProgram, [](AgentSettings&) {});
  add("no librarian", Writing::kUnits, [](AgentSettings& s) { s.queries = 0; });
  add("no reviewer", Writing::kUnits, [](AgentSettings& s) { s.reviewers = 0; });
  return out;
}

std::vector<Brief> bench_briefs(int designs, std::uint64_t seed, const AgentSettings& settings) {
  const std::vector<Parent> candidates = zoo_designs();
  std::vector<Brief> out;
  for (int i = 0; i < designs; ++i) {
    Random random = Random(seed).split(static_cast<std::uint64_t>(i));
    Brief brief;
    // The seed is reduced so that the number, times kMaxVariants, fits 64 bits.
    brief.task = static_cast<std::int64_t>(seed % 1'000'000) * kMaxBriefs + 1 + i;
    brief.mode = draw_mode(settings.modes, /*parents=*/2, random);
    std::vector<Parent> remaining = candidates;
    const std::size_t needed = record::parents_of(brief.mode);
    while (brief.parents.size() < needed) {
      const auto index = random.below(static_cast<std::int64_t>(remaining.size()));
      brief.parents.push_back(remaining[static_cast<std::size_t>(index)]);
      remaining.erase(remaining.begin() + index);
    }
    out.push_back(std::move(brief));
  }
  return out;
}

std::vector<PipelineBenchResult> run_bench(const std::vector<PipelineVariant>& variants,
                                           const std::vector<Brief>& briefs, const TaskResources& resources,
                                           const std::function<bool()>& stop,
                                           const std::function<void(const PipelineBenchResult&)>& on_done) {
  std::vector<PipelineBenchResult> results(variants.size() * briefs.size());
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> halted = false;
  std::mutex on_done_mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < results.size() && !halted && !stop(); i = next++) {
      PipelineBenchResult& r = results[i];
      const std::size_t variant = i % variants.size(), brief = i / variants.size();
      TaskResources variant_resources = resources;
      variant_resources.settings = variants[variant].settings;
      Brief variant_brief = briefs[brief];
      // Each variant gets a task number of its own, because the call log gives equal questions of one task
      // the same answer.
      variant_brief.task = variant_brief.task * kMaxVariants + variants[variant].number;
      r.report = run_task(variant_brief, variant_resources);
      r.done = !is_inconclusive(r.report.cause);
      if (!r.done) halted = true;
      const std::scoped_lock lock(on_done_mutex);
      if (r.done && on_done) on_done(r);
    }
  };
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].variant = static_cast<int>(i % variants.size());
    results[i].brief = static_cast<int>(i / variants.size());
  }
  std::vector<std::jthread> threads;
  const auto count = std::min(static_cast<std::size_t>(resources.settings.tasks), results.size());
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
  threads.clear();  // The destructors join the threads.
  return results;
}

std::optional<PerValidDesign> per_valid_design(const std::vector<PipelineBenchResult>& results, int variant) {
  PerValidDesign out;
  int valid = 0;
  for (const PipelineBenchResult& r : results) {
    if (!r.done || r.variant != variant) continue;
    out.tokens += static_cast<double>(r.report.input_tokens + r.report.output_tokens);
    out.cost += r.report.cost;
    valid += r.report.outcome == record::TaskOutcome::kDesign ? 1 : 0;
  }
  if (valid == 0) return std::nullopt;
  return PerValidDesign{.tokens = out.tokens / valid, .cost = out.cost / valid};
}

Share wilson(int count, int total) {
  if (total <= 0) return {};
  constexpr double kZ = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const double n = total, p = count / n, z2 = kZ * kZ;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {count, total, std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace gabbro::agents
