// Measures how many of the offspring that pass the screen fail the probe. The goal is 1 in 1,000. Each one
// that fails is printed.
//
// bench_probe --designs N --seed S: parents are drawn from the zoo and from offspring that passed, and every
// operator is used. A new design is screened (exec/reference/screen.h) and probed (trial/probe.h) in this
// process.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <map>
#include <set>

#include "edit/vary.h"
#include "exec/reference/screen.h"
#include "lang/check.h"
#include "lang/printer.h"
#include "trial/backend.h"
#include "trial/probe.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

// Offspring that the population holds beside the zoo; further ones replace random ones.
constexpr std::int64_t kMostOffspring = 200;

// The words for each exec::Lack, in its order.
constexpr const char* kLacks[] = {"none", "size", "not finite", "no mixing", "no gradient"};

// Returns the name of the first check that fails, and its detail after a colon; or "".
std::string failure(const std::vector<record::Anchor>& checks) {
  for (const record::Anchor& check : checks)
    if (!check.holds) return check.name + ": " + check.detail;
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t designs = 1000;
  std::uint64_t seed = 1;
  CLI::App app("Offspring that pass the screen and fail the probe.");
  app.add_option("--designs", designs, "new designs that pass the screen")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", seed, "random seed of all draws")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  edit::UnitCatalogue catalogue(zoo::library());
  std::vector<lang::Program> population;
  std::set<Hash128> seen;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (const lang::Program* program = zoo::program(entry.file))
      if (lang::CheckReport report = lang::check(*program, zoo::library());
          report.valid() && report.subjects.size() == 1 && report.subjects[0].is_design) {
        seen.insert(report.subjects[0].hash);
        population.push_back(std::move(report.program));
      }
  const std::size_t zoo_designs = population.size();
  std::map<std::string, std::int64_t> screened_out, failed;
  std::int64_t passed = 0, draws = 0;
  for (; passed < designs; ++draws) {
    Random random = Random(seed).split(static_cast<std::uint64_t>(draws));
    const lang::Program& parent = random.pick(population);
    const lang::Program& second_parent = random.pick(population);
    auto child =
        edit::vary_checked(random.pick(edit::all_operators()), parent, &second_parent, catalogue, random);
    if (!child || !seen.insert(child->subject.hash).second) continue;
    const ir::Graph graph = trial::small_graph(child->subject.elaboration.graph);
    if (const exec::Screening screening = exec::screen(graph); !screening.passes()) {
      ++screened_out[kLacks[static_cast<std::size_t>(screening.lack)]];
      continue;
    }
    ++passed;
    if (const std::string why = failure(trial::probe(graph, trial::torch_backend())); !why.empty()) {
      ++failed[why.substr(0, why.find(':'))];
      fmt::print("{}\n{}\n", why, lang::print(child->program));
      std::fflush(stdout);
    }
    if (passed % 50 == 0) fmt::print(stderr, "{} of {}\n", passed, designs);
    if (population.size() < zoo_designs + static_cast<std::size_t>(kMostOffspring))
      population.push_back(std::move(child->program));
    else
      population[zoo_designs + static_cast<std::size_t>(random.below(kMostOffspring))] =
          std::move(child->program);
  }
  fmt::print("{} draws, {} new designs passed the screen\n", draws, passed);
  for (const auto& [cause, count] : screened_out) fmt::print("  screened out, {}: {}\n", cause, count);
  std::int64_t all_failed = 0;
  for (const auto& [cause, count] : failed) {
    fmt::print("  failed the probe, {}: {}\n", cause, count);
    all_failed += count;
  }
  fmt::print("{} of {} failed the probe\n", all_failed, passed);
  return 0;
}
