#include "cli/campaigns.h"

#include <CLI/CLI.hpp>

#include <memory>

#include "cli/evolve.h"

namespace gabbro::cli {

namespace {

CLI::App* add(CLI::App& app, std::vector<std::string>& names, const char* name, const char* help) {
  CLI::App* sub = app.add_subcommand(name, help);
  sub->fallthrough();
  names.emplace_back(name);
  return sub;
}

void budget(CLI::App* sub, EvolveCommand& c) {
  sub->add_option("--minutes", c.minutes, "stop after so many minutes; 0: no limit (0)")
      ->check(CLI::NonNegativeNumber);
  sub->add_option("--trials", c.trials, "stop when the campaign has so many runs; 0: no limit (0)")
      ->check(CLI::NonNegativeNumber);
  sub->add_option("--workers", c.workers, "runs at a time; 0: the cores by the threads of a run (0)")
      ->check(CLI::Range(0, 4096));
}

}  // namespace

void add_campaign_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto evolve = std::make_shared<EvolveCommand>();
  CLI::App* sub = add(app, names, "evolve", "Search: a campaign of designs, trained up a ladder of sizes");
  sub->add_option("--dir", evolve->dir, "the campaign's folder (runs/evolve)");
  sub->add_option("--preset", evolve->preset, "laptop, genesys, or a TOML file (laptop)");
  sub->add_option("--data", evolve->corpus,
                  "a corpus made by gabbro data build; without it the corpus debian is built");
  budget(sub, *evolve);
  sub->add_option("--seed", evolve->seed, "of designs, first weights and data order (1)");
  sub->add_option("--threads", evolve->threads, "of a run (1)")->check(CLI::Range(1, 1024));
  sub->add_option("--device", evolve->device, "cpu, cuda, cuda:1 (cpu)");
  sub->add_option("--arms", evolve->arms,
                  "strategies at equal training FLOPs: adaptive, tournament, random (the preset's)")
      ->delimiter(',')
      ->check(CLI::IsMember({"adaptive", "tournament", "random"}));
  sub->add_flag("--aa", evolve->twins, "the A/A test: copies of one design, which nothing may tell apart");
  sub->callback([&chosen, evolve] { chosen = [evolve] { return run_evolve(*evolve); }; });

  sub = add(app, names, "resume", "Go on with a campaign");
  sub->add_option("DIR", evolve->dir, "the campaign's folder")->required();
  budget(sub, *evolve);
  sub->callback([&chosen, evolve] { chosen = [evolve] { return run_resume(*evolve); }; });
}

}  // namespace gabbro::cli
