#include "cli/campaigns.h"

#include <CLI/CLI.hpp>

#include <memory>

#include "cli/checks.h"
#include "cli/evolve.h"
#include "cli/export.h"
#include "cli/record.h"
#include "cli/scale.h"
#include "cli/serve.h"
#include "cli/steer.h"

namespace gabbro::cli {

namespace {

CLI::App* add_command(CLI::App& app, std::vector<std::string>& names, const char* name, const char* help) {
  CLI::App* sub = app.add_subcommand(name, help);
  sub->fallthrough();
  names.emplace_back(name);
  return sub;
}

void add_budget_options(CLI::App* sub, EvolveCommand& c) {
  sub->add_option("--minutes", c.minutes, "stop after this many minutes; 0: no limit (default 0)")
      ->check(not_negative);
  sub->add_option("--trials", c.trials, "stop when the campaign has this many runs; 0: no limit (default 0)")
      ->check(not_negative);
  sub->add_option(
         "--workers", c.workers,
         "number of concurrent runs; 0: the number of cores divided by the threads of a run, or max_jobs of "
         "slurm.toml (default: as the campaign was begun, if it stays with its executor; 0 for a new one)")
      ->check(CLI::Range(0, 100'000));
  sub->add_option("--executor", c.executor,
                  "where runs are trained: local (this machine) or slurm (default: as in the campaign's last "
                  "session; local for a new one without --slurm)")
      ->check(CLI::IsMember({"local", "slurm"}));
  sub->add_option("--slurm", c.slurm,
                  "TOML file with a table [slurm], copied to slurm.toml in the campaign folder; implies "
                  "--executor slurm (default: the campaign's slurm.toml)");
}

}  // namespace

void add_campaign_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto evolve = std::make_shared<EvolveCommand>();
  CLI::App* sub = add_command(app, names, "evolve",
                              "Search for designs: start a campaign that trains them up a ladder of sizes");
  sub->add_option("--dir", evolve->dir, "campaign folder (default runs/evolve)");
  sub->add_option("--record", evolve->record,
                  "folder for the record and the log of calls, for example on a local disk if --dir is on a "
                  "shared one that keeps no locks (default: the campaign folder)");
  sub->add_option("--preset", evolve->preset,
                  "settings: laptop, demo, genesys or a TOML file (default laptop)");
  sub->add_option("--data", evolve->corpus,
                  "corpus built by `gabbro data build` (default: the debian corpus, which is built first)");
  add_budget_options(sub, *evolve);
  sub->add_option("--seed", evolve->seed,
                  "random seed for designs, weight initialisation and data order (default 1)");
  sub->add_option("--secret", evolve->secret,
                  "text from which the seeds of final comparisons are derived; makes a campaign exactly "
                  "repeatable, but its verdict then says that these seeds could be known (default: drawn at "
                  "random, so that no program can be written for them)");
  sub->add_option("--threads", evolve->threads, "number of threads of a run (default 1)")
      ->check(CLI::Range(1, 1024));
  sub->add_flag("--plan", evolve->plan, "print the estimated cost of each rung of the preset, and exit");
  sub->add_option_function<double>(
         "--cpu-speed", [evolve](double x) { evolve->speed.cpu = x * 1e9; },
         "for --plan: speed of a run on the CPU, in GFLOP/s (default 20)")
      ->check(above_zero);
  sub->add_option_function<double>(
         "--gpu-peak", [evolve](double x) { evolve->speed.gpu_peak = x * 1e12; },
         "for --plan: peak throughput of a GPU, in TFLOP/s (default 989: an H100 or H200 in bf16)")
      ->check(above_zero);
  sub->add_option("--utilisation", evolve->speed.utilisation,
                  "for --plan: share of a GPU's peak that training reaches, from 0 to 1 (default 0.4)")
      ->check(fraction);
  sub->add_option("--strategies", evolve->strategies,
                  "search strategies, at equal training FLOPs: adaptive, tournament (or gp), random, agents, "
                  "direct (default: the preset's); none: only the designs of --design")
      ->delimiter(',')
      ->check(CLI::IsMember({"adaptive", "tournament", "gp", "random", "agents", "direct", "none"}));
  sub->add_option("--design", evolve->designs,
                  "your own design, or one from another campaign (RUN#ID); it is compared with the baselines "
                  "at every rung and may become a parent; may be repeated");
  sub->add_flag(
      "--as-written", evolve->as_written,
      "keep the number of repeated blocks of each --design at the first rung, instead of the baselines'");
  sub->add_option("--agents", evolve->agents,
                  "configuration file of language models that also write designs; without --strategies, only "
                  "the agents strategy is used");
  sub->add_option("--replay", evolve->replay,
                  "replay the agent campaign recorded in this folder, without calling any model");
  sub->add_flag("--aa", evolve->aa_test,
                "run an A/A test: copies of one design, which must not differ significantly");
  sub->callback([&chosen, evolve] { chosen = [evolve] { return run_evolve(*evolve); }; });

  sub = add_command(app, names, "resume", "Continue a campaign");
  sub->add_option("DIR", evolve->dir, "campaign folder")->required();
  sub->add_option("--data", evolve->corpus, "folder of its corpus, if it has moved");
  add_budget_options(sub, *evolve);
  sub->callback([&chosen, evolve] { chosen = [evolve] { return run_resume(*evolve); }; });

  const auto steer = std::make_shared<SteerCommand>();
  sub = add_command(app, names, "steer", "Steer a campaign, while it runs or before it is resumed");
  sub->add_option("RUN", steer->run, "campaign folder")->required();
  sub->add_option("TEXT", steer->text, "direction for its agents, or the reason for a veto or promotion");
  sub->add_flag("--forget", steer->forget, "drop all earlier directions");
  sub->add_flag("--pause", steer->pause,
                "start no new runs or model calls until --resume; runs in progress finish");
  sub->add_flag("--resume", steer->resume, "end a pause");
  sub->add_option("--veto", steer->veto,
                  "number of a design to exclude from promotion, breeding and the final comparison")
      ->check(CLI::Range(1, 1 << 30));
  sub->add_option("--promote", steer->promote,
                  "number of a design to train one rung higher; the run decides nothing")
      ->check(CLI::Range(1, 1 << 30));
  sub->callback([&chosen, steer] { chosen = [steer] { return run_steer(*steer); }; });

  const auto record = std::make_shared<RecordCommand>();
  const auto add_record_command = [&](const char* name, const char* help, const char* what,
                                      int (*run)(const RecordCommand&)) {
    sub = add_command(app, names, name, help);
    sub->add_option("RUN", record->run, what)->required();
    sub->callback([&chosen, record, run] { chosen = [record, run] { return run(*record); }; });
  };
  const char* folder = "campaign folder";
  add_record_command("status", "Show the progress of a campaign, also while it runs", folder, run_status);
  auto* const as_json = sub->add_flag("--json", record->json, "print one JSON object");
  sub->add_option("--csv", record->csv, "print all designs, or all runs, as CSV: designs or runs")
      ->check(CLI::IsMember({"designs", "runs"}))
      ->excludes(as_json);
  add_record_command("top", "Show the best designs of a campaign and the baselines", folder, run_top);
  sub->add_option("-n,--count", record->count, "number of designs (default 10)")
      ->check(CLI::Range(1, 1'000'000));
  sub->add_flag("--json", record->json, "print one JSON object");
  add_record_command("tree", "Show which design descends from which",
                     "campaign folder, or one of its designs (RUN#ID)", run_tree);
  const auto exported = std::make_shared<ExportCommand>();
  sub = add_command(
      app, names, "export",
      "Write a design to a folder: its program and run, a PyTorch module, or a model for transformers");
  sub->add_option(
         "SOURCE", exported->source,
         "design of a campaign (RUN#ID); for --format torch and hf also a program or the folder of a run")
      ->required();
  sub->add_option("--format", exported->format,
                  "gab: program, result, weights and spec; torch: model.py, config.json and weights; hf: a "
                  "folder that "
                  "transformers loads, with its tokenizer (default gab)")
      ->check(CLI::IsMember({"gab", "torch", "hf"}));
  sub->add_option("--out", exported->out, "folder to create (default NAME-ID, NAME-torch or NAME-hf)");
  sub->add_option("--params", exported->params,
                  "for a program: number of parameters, such as 5M (default: as written)");
  sub->add_option("--vocab", exported->vocab,
                  "for a program: vocabulary size, in tokens (default: as written)")
      ->check(CLI::Range(1, 1 << 24));
  sub->callback([&chosen, exported] { chosen = [exported] { return run_export(*exported); }; });
  add_record_command("report", "Write everything that a campaign found to one HTML file", folder, run_report);
  sub->add_option("--out", record->out, "file to write (default report.html in the campaign folder)");

  const auto serve = std::make_shared<ServeCommand>();
  sub = add_command(app, names, "serve", "Show campaigns in a browser while they run, and steer them");
  sub->add_option("FOLDER", serve->folders,
                  "campaign folders, or folders above some (default: the current folder)");
  sub->add_option("--port", serve->port, "port to listen on; 0: any free one (default 8100)")
      ->check(CLI::Range(0, 65535));
  sub->add_option("--host", serve->host,
                  "address to listen on; any other than the default lets other machines read the campaigns "
                  "(default 127.0.0.1)");
  sub->add_flag("--open", serve->open, "open the page in the browser, without the token for steering");
  sub->callback([&chosen, serve] { chosen = [serve] { return run_serve(*serve); }; });
}

void add_scale_command(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto c = std::make_shared<ScaleCommand>();
  record::TrialSpec& s = c->spec;
  s.sequences = 8;
  s.rate = 8e-3;
  s.threads = 1;
  CLI::App* sub =
      add_command(app, names, "scale", "Train designs at several sizes and fit power laws through them");
  sub->add_option("DESIGN", c->designs,
                  "programs, or designs of campaigns (RUN#ID); the study asks how the first one's lead "
                  "changes with size")
      ->required();
  sub->add_option("--data", s.corpus, "corpus built by `gabbro data build`")->required();
  sub->add_option("--sizes", c->sizes,
                  "numbers of parameters, three or more, in ascending order (default 150k,300k,600k)")
      ->delimiter(',');
  sub->add_option("--out", c->out,
                  "study folder (default runs/scale; if the first design is RUN#ID: RUN/scale, which `gabbro "
                  "report` shows)");
  sub->add_option("--tokens-per-parameter", c->per_parameter,
                  "number of training tokens per parameter, in each run (default 20)")
      ->check(above_zero);
  sub->add_option(
      "--tokens", c->tokens,
      "number of training tokens of a run, the same at every size, instead of --tokens-per-parameter");
  sub->add_option("--seeds", c->seeds,
                  "number of runs of each design at each size; one gives no intervals (default 3)")
      ->check(CLI::Range(1, 999));
  sub->add_option("--blocks", c->blocks,
                  "number of blocks in the longest repetition; 0: as written (default 0)")
      ->check(CLI::Range(0, 1000));
  sub->add_option("--lr", s.rate,
                  "learning rate at which the search for each design's learning rate starts (default 0.008)")
      ->check(above_zero);
  sub->add_option("--seq", s.length, "sequence length, in tokens (default 256)")
      ->check(CLI::Range(2, 1 << 16));
  sub->add_option("--batch", s.sequences, "batch size, in sequences (default 8)")
      ->check(CLI::Range(1, 1 << 16));
  sub->add_option("--valid-documents", s.valid_documents,
                  "number of held-out documents to score; 0: all (default 0)");
  sub->add_option("--document-tokens", s.document_tokens,
                  "number of tokens to score of each held-out document, from its start; 0: all (default 0)");
  engine_options(sub, s.engine, s.device);
  sub->add_flag("--compile", s.compile, "use torch.compile where it is faster (pytorch engine only)");
  spelled_option(sub, "--dtype", s.dtype,
                 "data type: float32, bf16 (for matrix products with weights) or float64 (default float32)");
  sub->add_option("--threads", s.threads, "number of worker threads (default 1)")->check(CLI::Range(1, 1024));
  sub->add_flag("--json", c->json, "print all runs as JSON, as in scale.json");
  sub->callback([&chosen, c] { chosen = [c] { return run_scale(*c); }; });
}

}  // namespace gabbro::cli
