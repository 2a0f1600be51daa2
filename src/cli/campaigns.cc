#include "cli/campaigns.h"

#include <CLI/CLI.hpp>

#include <memory>

#include "cli/checks.h"
#include "cli/evolve.h"
#include "cli/record.h"
#include "cli/scale.h"
#include "cli/steer.h"

namespace gabbro::cli {

namespace {

CLI::App* add(CLI::App& app, std::vector<std::string>& names, const char* name, const char* help) {
  CLI::App* sub = app.add_subcommand(name, help);
  sub->fallthrough();
  names.emplace_back(name);
  return sub;
}

void budget(CLI::App* sub, EvolveCommand& c) {
  sub->add_option("--minutes", c.minutes, "stop after so many minutes; 0: no limit (0)")->check(not_negative);
  sub->add_option("--trials", c.trials, "stop when the campaign has so many runs; 0: no limit (0)")
      ->check(not_negative);
  sub->add_option("--workers", c.workers, "runs at a time; 0: the cores by the threads of a run (0)")
      ->check(CLI::Range(0, 4096));
}

}  // namespace

void add_campaign_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto evolve = std::make_shared<EvolveCommand>();
  CLI::App* sub = add(app, names, "evolve", "Search: a campaign of designs, trained up a ladder of sizes");
  sub->add_option("--dir", evolve->dir, "the campaign's folder (runs/evolve)");
  sub->add_option("--preset", evolve->preset, "laptop, demo, genesys, or a TOML file (laptop)");
  sub->add_option("--data", evolve->corpus,
                  "a corpus made by gabbro data build; without it the corpus debian is built");
  budget(sub, *evolve);
  sub->add_option("--seed", evolve->seed, "of designs, first weights and data order (1)");
  sub->add_option("--threads", evolve->threads, "of a run (1)")->check(CLI::Range(1, 1024));
  sub->add_option("--device", evolve->device, "cpu, cuda, cuda:1 (cpu)")->check(known_device);
  sub->add_option(
         "--strategies", evolve->strategies,
         "strategies at equal training FLOPs: adaptive, tournament (or gp), random, agents, direct (the "
         "preset's); none: the designs of --design alone")
      ->delimiter(',')
      ->check(CLI::IsMember({"adaptive", "tournament", "gp", "random", "agents", "direct", "none"}));
  sub->add_option("--design", evolve->designs,
                  "your own design, held against the baselines on every rung; may be given several times")
      ->check(CLI::ExistingFile);
  sub->add_flag("--as-written", evolve->as_written,
                "designs of --design keep their repetitions at the first rung");
  sub->add_option(
      "--agents", evolve->agents,
      "agents.toml: language models write designs too; without --strategies, the strategy agents alone");
  sub->add_option("--replay", evolve->replay,
                  "a campaign with agents that is run again from its record, without any model");
  sub->add_flag("--aa", evolve->aa_test, "the A/A test: copies of one design, which nothing may tell apart");
  sub->callback([&chosen, evolve] { chosen = [evolve] { return run_evolve(*evolve); }; });

  sub = add(app, names, "resume", "Go on with a campaign");
  sub->add_option("DIR", evolve->dir, "the campaign's folder")->required();
  sub->add_option("--data", evolve->corpus, "where its corpus lies now, if it has moved");
  budget(sub, *evolve);
  sub->callback([&chosen, evolve] { chosen = [evolve] { return run_resume(*evolve); }; });

  const auto steer = std::make_shared<SteerCommand>();
  sub = add(app, names, "steer", "Tell a campaign what to do, while it works or before it goes on");
  sub->add_option("RUN", steer->run, "the campaign's folder")->required();
  sub->add_option("TEXT", steer->text, "a direction for its agents, or the reason of a veto");
  sub->add_flag("--forget", steer->forget, "no earlier direction holds any more");
  sub->add_flag("--pause", steer->pause, "begin no run and ask no model until --resume; what runs ends");
  sub->add_flag("--resume", steer->resume, "end a pause");
  sub->add_option("--veto", steer->veto, "a design that goes no further, breeds no more and wins nothing")
      ->check(CLI::Range(1, 1 << 30));
  sub->callback([&chosen, steer] { chosen = [steer] { return run_steer(*steer); }; });

  const auto record = std::make_shared<RecordCommand>();
  const auto reads = [&](const char* name, const char* help, const char* what,
                         int (*run)(const RecordCommand&)) {
    sub = add(app, names, name, help);
    sub->add_option("RUN", record->run, what)->required();
    sub->callback([&chosen, record, run] { chosen = [record, run] { return run(*record); }; });
  };
  const char *folder = "the campaign's folder",
             *design = "a design: the campaign's folder, #, its number (runs/evolve#17)";
  reads("status", "How far a campaign is; also while it works", folder, run_status);
  sub->add_flag("--json", record->json, "one JSON object");
  reads("top", "The best designs of a campaign, and the baselines", folder, run_top);
  sub->add_option("-n,--count", record->count, "designs (10)")->check(CLI::Range(1, 1'000'000));
  sub->add_flag("--json", record->json, "one JSON object");
  reads("tree", "Who descends from whom", "the campaign's folder, or a design of it (RUN#ID)", run_tree);
  reads("export", "A design's program, result and weights, into a folder", design, run_export);
  sub->add_option("--out", record->out, "the folder to make (NAME-ID)");
  reads("report", "One HTML file with all that a campaign found", folder, run_report);
  sub->add_option("--out", record->out, "the file (report.html in the campaign's folder)");
}

void add_scale_command(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto c = std::make_shared<ScaleCommand>();
  record::TrialSpec& s = c->spec;
  s.sequences = 8;
  s.rate = 8e-3;
  s.threads = 1;
  CLI::App* sub = add(app, names, "scale", "Train designs at several sizes and fit power laws through them");
  sub->add_option("DESIGN", c->designs,
                  "programs, or designs of campaigns (RUN#ID); what the first one's lead comes to is asked")
      ->required();
  sub->add_option("--data", s.corpus, "a corpus made by gabbro data build")->required();
  sub->add_option("--sizes", c->sizes, "parameters, three or more, the smallest first (150k,300k,600k)")
      ->delimiter(',');
  sub->add_option(
      "--out", c->out,
      "the study's folder (runs/scale; where the first is RUN#ID: RUN/scale, which gabbro report shows)");
  sub->add_option("--tokens-per-parameter", c->per_parameter, "budget of a run (20)")->check(above_zero);
  sub->add_option("--tokens", c->tokens, "a budget that is the same at every size, instead");
  sub->add_option("--seeds", c->seeds, "runs of a design at a size; with one there are no intervals (3)")
      ->check(CLI::Range(1, 1000));
  sub->add_option("--blocks", c->blocks, "blocks of the longest repetition; 0: as written (0)")
      ->check(CLI::Range(0, 1000));
  sub->add_option("--lr", s.rate, "where the search for each design's rate begins (0.008)")
      ->check(above_zero);
  sub->add_option("--seq", s.length, "tokens of a sequence (256)")->check(CLI::Range(2, 1 << 16));
  sub->add_option("--batch", s.sequences, "sequences of a step (8)")->check(CLI::Range(1, 1 << 16));
  sub->add_option("--valid-documents", s.valid_documents, "held-out documents scored; 0: all (0)");
  sub->add_option("--document-tokens", s.document_tokens,
                  "of each held-out document its first tokens; 0: all (0)");
  sub->add_option("--device", s.device, "cpu, cuda, cuda:1 (cpu)")->check(known_device);
  sub->add_option("--dtype", s.dtype, "float32, bf16 (products with weights), float64 (float32)")
      ->check(CLI::IsMember({"float32", "bf16", "float64"}));
  sub->add_option("--threads", s.threads, "threads of the worker (1)")->check(CLI::Range(1, 1024));
  sub->add_flag("--json", c->json, "all runs as JSON, as in scale.json");
  sub->callback([&chosen, c] { chosen = [c] { return run_scale(*c); }; });
}

}  // namespace gabbro::cli
