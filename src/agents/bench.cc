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

constexpr std::int64_t kMostVariants = 10;

// Returns true if the cause lies with the models or the set-up, and so says nothing about the variant.
bool says_nothing(Cause cause) {
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
  const auto add = [&](const char* name, bool AgentSettings::*flag, bool value) {
    PipelineVariant v{name, settings, static_cast<int>(out.size())};
    v.settings.*flag = value;
    out.push_back(std::move(v));
  };
  add("direct", &AgentSettings::direct, true);
  add("units", &AgentSettings::direct, false);
  add("no checker", &AgentSettings::checker, false);
  add("no planner", &AgentSettings::planner, false);
  add("no observer", &AgentSettings::observer, false);
  add("no grammar", &AgentSettings::grammar, false);
  return out;
}

std::vector<Brief> bench_briefs(int designs, std::uint64_t seed, const AgentSettings& settings) {
  const std::vector<Parent> known = zoo_designs();
  std::vector<Brief> out;
  for (int i = 0; i < designs; ++i) {
    Random random = Random(seed).split(static_cast<std::uint64_t>(i));
    Brief brief;
    brief.task = static_cast<std::int64_t>((seed % 1'000'000) * 1'000'000) + 1 + i;
    brief.seed = random.next();
    brief.mode = draw_mode(settings.modes, 2, random);
    std::vector<Parent> left = known;
    const std::size_t wanted = record::parents_of(brief.mode);
    while (brief.parents.size() < wanted) {
      const auto at = random.below(static_cast<std::int64_t>(left.size()));
      brief.parents.push_back(left[static_cast<std::size_t>(at)]);
      left.erase(left.begin() + at);
    }
    out.push_back(std::move(brief));
  }
  return out;
}

std::vector<PipelineBench> run_bench(const std::vector<PipelineVariant>& variants,
                                     const std::vector<Brief>& briefs, const Tools& tools,
                                     const std::function<bool()>& stop,
                                     const std::function<void(const PipelineBench&)>& tell) {
  std::vector<PipelineBench> results(variants.size() * briefs.size());
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> halted = false;
  std::mutex telling;
  const auto work = [&] {
    for (std::size_t i = next++; i < results.size() && !halted && !stop(); i = next++) {
      PipelineBench& r = results[i];
      const std::size_t variant = i % variants.size(), brief = i / variants.size();
      Tools mine = tools;
      mine.settings = variants[variant].settings;
      Brief order = briefs[brief];
      // Each variant gets a task number of its own, because the call log gives equal questions of one task
      // the same answer.
      order.task = order.task * kMostVariants + variants[variant].number;
      r.report = run_task(order, mine);
      r.done = !says_nothing(r.report.cause);
      if (!r.done) halted = true;
      const std::scoped_lock lock(telling);
      if (r.done && tell) tell(r);
    }
  };
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].variant = static_cast<int>(i % variants.size());
    results[i].brief = static_cast<int>(i / variants.size());
  }
  std::vector<std::jthread> threads;
  const auto count = std::min(static_cast<std::size_t>(tools.settings.tasks), results.size());
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
  threads.clear();  // The destructors join the threads.
  return results;
}

Share wilson(int count, int of) {
  if (of <= 0) return {0, 0, 0, 1};
  constexpr double kZ = 1.959963984540054;
  const double n = of, p = count / n, z2 = kZ * kZ;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {count, of, std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace gabbro::agents
