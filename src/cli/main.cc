// The gabbro command: options, help, and suggestions for misspelt names. Exit codes are those of
// cli/commands.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <system_error>
#include <utility>

#include "base/damaged.h"
#include "campaign/screener.h"
#include "cli/agents.h"
#include "cli/bench.h"
#include "cli/campaigns.h"
#include "cli/capabilities.h"
#include "cli/checks.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/data.h"
#include "cli/eval.h"
#include "cli/generate.h"
#include "cli/library.h"
#include "cli/probe.h"
#include "cli/propose.h"
#include "cli/terminal.h"
#include "cli/train.h"
#include "lang/library.h"

namespace gabbro::cli {

namespace {

using Run = int (*)(const CommonOptions&);

constexpr int kMaxAxisSize = 1 << 24;

class Program {
 public:
  Program()
      : app_{
            "Gabbro discovers language-model architectures. Designs are programs in Gab: see `gabbro "
            "reference`."} {
    app_.set_version_flag("--version", "gabbro " GABBRO_VERSION);
    app_.require_subcommand(1);
    app_.footer(
        "Exit codes: 0 success; 1 invalid design, difference found, run without a score, or stopped by a "
        "signal; 2 usage or I/O error.");
    app_.add_option_function<std::string>(
            "--color",
            [this](const std::string& text) {
              static const std::map<std::string, Colour> known{
                  {"auto", Colour::kAuto}, {"always", Colour::kAlways}, {"never", Colour::kNever}};
              const auto found = known.find(text);
              if (found == known.end())
                throw CLI::ValidationError("--color",
                                           "unknown colour mode '" + text + "' (use auto, always or never)");
              colour_ = found->second;
            },
            "colour the output: auto, always or never; auto: on terminals unless NO_COLOR is set (default "
            "auto)")
        ->option_text("auto|always|never");

    CLI::App* check =
        add_command("check", "Check programs; print their proofs, sizes and costs, or errors", run_check);
    check->add_flag("--json", common_.json, "print one JSON object per file, one per line");
    check->add_option(
        "--params", common_.params,
        "resize the design to this many parameters, within 1 %, such as 350k or 14M (default: as written)");
    check->add_option("--width", common_.width, "width D (default: the design's)")
        ->check(CLI::Range(1, kMaxAxisSize));
    check->add_option("--vocab", common_.vocab, "vocabulary size V, in tokens (default: the design's)")
        ->transform(expand_unit)
        ->check(CLI::Range(1, kMaxAxisSize));
    add_context_option(check);
    add_command("fmt", "Rewrite programs in canonical form", run_fmt)
        ->add_flag("--check", common_.only_check, "report which files would change, and write nothing");
    CLI::App* show = add_command(
        "show",
        "Show a program's tree of units, types of values and facts, or a design of a campaign (RUN#ID)",
        run_show);
    add_context_option(show);
    show->add_flag("--talk", common_.talk,
                   "show the conversation of the agents that wrote the design RUN#ID");
    CLI::App* diff = add_command("diff", "Show what changed between two programs, and how their facts differ",
                                 run_diff, 2);
    diff->add_flag("--json", common_.json, "print one JSON object");
    add_context_option(diff);
    add_command("hash", "Print canonical hashes, equal for programs that define the same function", run_hash);
    add_command("reference", "Print the language, its functions and the units of the library", run_reference,
                0)
        ->add_flag("--core", common_.core, "print only the language, about 1,600 tokens, for a prompt");
    add_data();
    add_train();
    add_eval();
    add_compare();
    add_generate();
    add_probe();
    add_bench();
    add_capabilities();
    add_campaign_commands(app_, command_names_, chosen_);
    add_scale_command(app_, command_names_, chosen_);
    add_agent_commands(app_, command_names_, chosen_);
    add_propose_commands(app_, command_names_, chosen_);
    add_library_commands(app_, command_names_, subcommand_names_["library"], chosen_);
    add_command("grammar", "Print the grammar for constrained decoding", run_grammar, 0)
        ->add_flag("--gbnf", common_.gbnf, "print GBNF (the only format)");
  }

  int run(int argc, char** argv) {
    if (argc > 1 && argv[1][0] != '-' && !is_command(argv[1])) {
      print(stderr, "gabbro: unknown command '{}'{}\nRun `gabbro --help` for a list of commands.\n", argv[1],
            suggestion(argv[1], command_names_));
      return kUsage;
    }
    if (argc > 2 && argv[2][0] != '-')
      if (const auto found = subcommand_names_.find(argv[1]); found != subcommand_names_.end()) {
        const std::vector<std::string>& subcommands = found->second;
        if (std::find(subcommands.begin(), subcommands.end(), argv[2]) == subcommands.end()) {
          print(stderr, "gabbro {}: unknown command '{}'{}\nRun `gabbro {} --help` for a list of commands.\n",
                argv[1], argv[2], suggestion(argv[2], subcommands), argv[1]);
          return kUsage;
        }
      }
    if (argc == 1) {
      print(stderr, "{}", app_.help());
      return kUsage;
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ExtrasError&) {
      return unexpected_arguments();
    } catch (const CLI::ParseError& e) {
      if (e.get_exit_code() == 0) return app_.exit(e) == 0 ? kValid : kUsage;
      const auto subs = app_.get_subcommands();
      const std::string name = subs.empty() ? "gabbro" : "gabbro " + subs[0]->get_name();
      print(stderr, "{}: {}\nRun `{} --help` for its options.\n", name, e.what(), name);
      return kUsage;
    }
    set_colour(colour_);
    return chosen_ ? chosen_() : common_run_(common_);
  }

 private:
  void add_data() {
    CLI::App* data = app_.add_subcommand("data", "Build and inspect corpora: token shards made from text");
    data->fallthrough()->require_subcommand(1);
    command_names_.emplace_back("data");
    CLI::App* build = data->add_subcommand("build", "Build a corpus from files, folders or Debian packages");
    build->add_option(
        "SOURCE", data_.build.sources,
        "text files (.txt, .md), JSON lines (.jsonl, .json), also compressed, Parquet files, folders, "
        "or debian, the corpus of Debian packages (default debian)");
    build->add_option("--out", data_.build.out, "folder to create")->required();
    build->add_option("--vocab", data_.build.vocab, "vocabulary size, in tokens (default 4096)")
        ->transform(expand_unit)
        ->check(CLI::Range(260, 1 << 20));
    build->add_option("--tokenizer", data_.build.tokenizer, "tokenizer.model to use (default: train one)");
    build->add_flag("--allow-changed-text", data_.build.allow_changed_text,
                    "build the corpus even if the tokenizer does not reproduce the text; its scores say so");
    build->add_option("--valid", data_.build.valid_share, "share of the documents to hold out (default 0.01)")
        ->check(CLI::Range(1e-6, 0.5));
    build
        ->add_option("--valid-source", data_.build.valid_sources,
                     "file or folder of the held-out documents; may be repeated")
        ->allow_extra_args(false);  // The next argument is a source.
    build->add_option("--field", data_.build.source.field,
                      "field of JSON lines or column of Parquet files that holds the text (default text)");
    build->add_option("--separator", data_.build.source.separator,
                      "line that ends a document in text files (default <|endoftext|>)");
    build->add_option("--threads", data_.build.threads, "number of tokenizer threads (default 2)")
        ->check(CLI::Range(1, 256));
    build->add_option(
        "--cache", data_.build.cache,
        "folder in which the packages of the debian corpus are cached (default ~/.cache/gabbro)");
    build->callback([this] {
      if (data_.build.sources.empty()) data_.build.sources = {"debian"};
      chosen_ = [this] { return run_data_build(data_); };
    });
    CLI::App* info = data->add_subcommand("info", "Show what a corpus contains");
    info->add_option("FOLDER", data_.folder, "corpus folder")->required();
    info->add_flag("--verify", data_.verify, "read every file and compare its hash with the recorded one");
    info->add_flag("--json", data_.json, "print the manifest as JSON");
    info->callback([this] { chosen_ = [this] { return run_data_info(data_); }; });
  }

  void add_train() {
    CLI::App* train =
        app_.add_subcommand("train", "Train a design on a corpus and score it on held-out text");
    train->fallthrough();
    command_names_.emplace_back("train");
    record::TrialSpec& s = train_.spec;
    train->add_option("FILE", train_.file, "program; its last design is trained")->required();
    train->add_option("--data", s.corpus, "corpus built by `gabbro data build`")->required();
    train->add_option("--params", train_.params,
                      "resize the design to this many parameters, such as 1M (default: as written)");
    train
        ->add_option("--blocks", train_.blocks,
                     "number of blocks in the longest repetition, as at a rung of a campaign; 0: as written "
                     "(default 0)")
        ->check(CLI::Range(0, 1000));
    train->add_option("--tokens", train_.tokens, "number of training tokens (default 5M)");
    train->add_option("--lr", s.rate, "peak learning rate at fan-in 256 (default 0.003)")->check(above_zero);
    spelled_option(train, "--optimizer", s.optimizer,
                   "optimizer: adamw, or muon for the matrices in the stack (default adamw)");
    train
        ->add_option("--input-rate", s.input_rate,
                     "multiplier for the learning rate of the input embedding table (default 1)")
        ->check(above_zero);
    train
        ->add_option("--output-rate", s.output_rate,
                     "multiplier for the learning rate of the output embedding table (default 1)")
        ->check(above_zero);
    train->add_option("--decay", s.decay, "weight decay (default 0.1)")->check(not_negative);
    spelled_option(train, "--schedule", s.schedule, "learning-rate schedule, cosine or wsd (default cosine)");
    train->add_option("--seed", s.seed, "random seed for weight initialisation and data order (default 1)");
    train->add_option("--seq", s.length, "sequence length, in tokens (default 256)")
        ->transform(expand_unit)
        ->check(CLI::Range(2, 1 << 16));
    train->add_option("--batch", s.sequences, "batch size, in sequences (default 16)")
        ->check(CLI::Range(1, 1 << 16));
    train
        ->add_option(
            "--rows", s.rows,
            "micro-batch size, in sequences; smaller values save memory; 0: the whole batch (default 0)")
        ->check(not_negative);
    train->add_option("--valid-documents", s.valid_documents,
                      "number of held-out documents to score; 0: all (default 0)");
    train->add_option(
        "--document-tokens", s.document_tokens,
        "number of tokens to score of each held-out document, from its start; 0: all (default 0)");
    train
        ->add_option("--valid-points", s.valid_points,
                     "number of evenly spaced points of training at which the held-out text is scored, "
                     "recorded as `valid_curve`; 0: only at the end (default 0)")
        ->check(CLI::Range(0, 1000));
    engine_options(train, s.engine, s.device);
    train
        ->add_option("--gpus", s.gpus,
                     "number of GPUs to train on, each with its own pytorch process (default 1)")
        ->check(CLI::Range(1, 64));
    train->add_flag("--compile", s.compile, "use torch.compile where it is faster (pytorch engine only)");
    spelled_option(
        train, "--dtype", s.dtype,
        "data type: float32, bf16 (for matrix products with weights) or float64 (default float32)");
    train->add_option("--threads", s.threads, "number of worker threads (default 2)")
        ->check(CLI::Range(1, 1024));
    train->add_flag(
        "--thorough", s.thorough,
        "check the trained weights at every position, as is done before an implausible lead is accepted");
    train->add_option("--out", train_.out, "run folder (default runs/NAME)");
    train->add_option("--task", s.tasks, "benchmark to score as well, FILE or NAME=FILE; may be repeated");
    add_worker_limits(train, train_.limits);
    train->add_flag("--json", train_.json, "print the result as JSON");
    train->callback([this] { chosen_ = [this] { return run_train(train_); }; });
  }

  void add_eval() {
    CLI::App* eval =
        app_.add_subcommand("eval", "Score the weights of a run on held-out text and benchmarks");
    eval->fallthrough();
    command_names_.emplace_back("eval");
    record::EvalSpec& s = eval_.spec;
    eval->add_option("RUN", s.run, "run folder, created by `gabbro train`")->required();
    eval->add_option("--data", s.corpus, "corpus with the same vocabulary as the run's (default: the run's)");
    eval->add_option("--task", s.tasks, "benchmark to score, FILE or NAME=FILE; may be repeated");
    eval->add_flag("--tasks-only", eval_.tasks_only, "score no held-out text");
    eval->add_flag(
        "--whole", s.whole,
        "score all held-out documents from beginning to end, instead of what the run was scored on");
    eval->add_option("--valid-documents", s.valid_documents,
                     "number of held-out documents to score; 0: as in training (default 0)");
    eval->add_option("--document-tokens", s.document_tokens,
                     "number of tokens to score of each held-out document, from its start; 0: as in training "
                     "(default 0)")
        ->check(not_negative);
    eval->add_option("--limit", s.limit, "number of items to score of each benchmark; 0: all (default 0)");
    eval->add_option("--seq", s.length,
                     "maximum number of tokens that the model reads; 0: as in training (default 0)")
        ->transform(expand_unit)
        ->check(CLI::Range(0, 1 << 20));
    eval->add_option("--batch-tokens", s.batch, "batch size, in tokens (default 8192)")
        ->check(CLI::Range(1, 1 << 24));
    engine_options(eval, s.engine, s.device);
    eval->add_option("--threads", s.threads, "number of worker threads (default 2)")
        ->check(CLI::Range(1, 1024));
    add_worker_limits(eval, eval_.limits);
    eval->add_flag("--json", eval_.json, "print the result as JSON");
    eval->callback([this] { chosen_ = [this] { return run_eval(eval_); }; });
  }

  void add_compare() {
    CLI::App* compare = app_.add_subcommand("compare", "Compare finished runs, paired by held-out document");
    compare->fallthrough();
    command_names_.emplace_back("compare");
    compare->add_option("RUN", compare_.runs, "run folders; the others are compared with the first")
        ->required()
        ->expected(2, 1000);
    compare->add_flag("--json", compare_.json, "print a JSON array with one object per run");
    compare->callback([this] { chosen_ = [this] { return run_compare(compare_); }; });
  }

  void add_generate() {
    CLI::App* generate = app_.add_subcommand("generate", "Continue a text with a trained design");
    generate->fallthrough();
    command_names_.emplace_back("generate");
    record::GenerateSpec& s = generate_.spec;
    generate->add_option("RUN", s.run, "run folder, created by `gabbro train`")->required();
    generate->add_option("--data", s.corpus,
                         "corpus with the same vocabulary as the run's (default: the run's)");
    generate->add_option("--prompt", s.prompt, "text to continue (default: none)");
    generate->add_option("--tokens", s.tokens, "maximum number of tokens to generate (default 200)")
        ->transform(expand_unit)
        ->check(CLI::Range(1, 1 << 24));
    generate
        ->add_option("--temperature", s.temperature,
                     "sampling temperature; 0: always the likeliest token (default 0.8)")
        ->check(not_negative);
    generate
        ->add_option("--top-k", s.top_k,
                     "sample only from this many of the likeliest tokens; 0: all (default 0)")
        ->check(not_negative);
    generate
        ->add_option("--top-p", s.top_p,
                     "sample only from the likeliest tokens that together have this probability (default 1)")
        ->check(fraction);
    generate->add_option("--seed", s.seed, "random seed for sampling (default 1)");
    generate->add_option("--threads", s.threads, "number of worker threads (default 1)")
        ->check(CLI::Range(1, 1024));
    add_worker_limits(generate, generate_.limits);
    generate->add_flag("--json", generate_.json, "print the result as JSON, at the end");
    generate->callback([this] { chosen_ = [this] { return run_generate(generate_); }; });
  }

  void add_probe() {
    CLI::App* probe =
        app_.add_subcommand("probe", "Run designs on random inputs and check that the proofs hold");
    probe->fallthrough();
    command_names_.emplace_back("probe");
    probe->add_option("FILE", probe_.files, "programs; the last design of each is probed")->required();
    probe->add_option("--seed", probe_.spec.seed, "random seed for texts and parameters (default 1)");
    probe
        ->add_option(
            "--seconds", probe_.spec.seconds,
            "repeat the probe with other random values for this many seconds per design (default: one pass)")
        ->check(not_negative);
    probe->add_option("--threads", probe_.spec.threads, "number of worker threads (default 1)")
        ->check(CLI::Range(1, 1024));
    add_worker_limits(probe, probe_.limits);
    probe->add_flag("--json", probe_.json, "print the reports as JSON");
    probe->callback([this] { chosen_ = [this] { return run_probe(probe_); }; });
  }

  void add_bench() {
    CLI::App* bench =
        app_.add_subcommand("bench", "Measure how fast designs run on this machine, without a corpus");
    bench->fallthrough();
    command_names_.emplace_back("bench");
    record::BenchSpec& s = bench_.spec;
    bench->add_option("FILE", bench_.files, "programs; the last design of each is measured")->required();
    bench->add_option("--params", bench_.params,
                      "resize the design to this many parameters, such as 1M (default: as written)");
    bench->add_option("--vocab", s.vocab, "vocabulary size V, in tokens (default: the design's)")
        ->transform(expand_unit)
        ->check(CLI::Range(2, kMaxAxisSize));
    bench->add_option("--seq", s.length, "sequence length, in tokens (default 256)")
        ->transform(expand_unit)
        ->check(CLI::Range(2, 1 << 16));
    bench->add_option("--batch", s.sequences, "batch size, in sequences (default 16)")
        ->check(CLI::Range(1, 1 << 16));
    bench->add_option("--steps", s.steps, "number of timed steps (default 8)")->check(CLI::Range(1, 1 << 20));
    bench->add_option("--decode", s.decode, "number of tokens to decode; 0: none (default 64)")
        ->check(CLI::Range(0, 1 << 20));
    spelled_option(
        bench, "--dtype", s.dtype,
        "data type: float32, bf16 (for matrix products with weights) or float64 (default float32)");
    bench->add_option("--threads", s.threads, "number of worker threads (default 2)")
        ->check(CLI::Range(1, 1024));
    add_worker_limits(bench, bench_.limits);
    bench->add_flag("--json", bench_.json, "print one JSON object per file, one per line");
    bench->callback([this] { chosen_ = [this] { return run_bench(bench_); }; });
  }

  void add_capabilities() {
    CLI::App* sub = app_.add_subcommand(
        "capabilities",
        "Measure what designs learn on synthetic tasks: recall, copying, state tracking, induction");
    sub->fallthrough();
    command_names_.emplace_back("capabilities");
    record::CapabilitySpec& s = capabilities_.spec;
    sub->add_option("FILE", capabilities_.files,
                    "programs; the last design of each is trained on every task, at a small size")
        ->required();
    sub->add_option("--tasks", s.tasks, "comma-separated list of tasks (default: all)")
        ->delimiter(',')
        ->allow_extra_args(false);  // The next argument is a file.
    sub->add_option("--seed", s.seed, "random seed for weight initialisation and sequences (default 1)");
    sub->add_option(
           "--steps", s.steps,
           fmt::format("maximum number of training steps for each task and learning rate (default {})",
                       s.steps))
        ->check(CLI::Range(1, 1 << 20));
    sub->add_option("--threads", s.threads, "number of worker threads (default 1)")
        ->check(CLI::Range(1, 1024));
    add_worker_limits(sub, capabilities_.limits);
    sub->add_flag("--json", capabilities_.json, "print one JSON object per file, one per line");
    sub->callback([this] { chosen_ = [this] { return run_capabilities(capabilities_); }; });
  }

  static void add_worker_limits(CLI::App* sub, jobs::WorkerLimits& limits) {
    sub->add_option("--time-limit", limits.seconds,
                    "time limit of the worker, in seconds, after which it is asked to stop, then killed; 0: "
                    "none (default 0)")
        ->check(not_negative);
    sub->add_option("--memory-limit", limits.memory_bytes,
                    "memory limit of the worker, such as 4GB; 0: none (default 0)")
        ->transform(CLI::AsSizeValue(false));
  }

  // `files`: number of files that the command takes; -1: any number.
  CLI::App* add_command(const char* name, const char* help, Run run, int files = -1) {
    CLI::App* sub = app_.add_subcommand(name, help);
    sub->fallthrough();  // Allows options of gabbro itself after the command.
    command_names_.emplace_back(name);
    if (files != 0) {
      CLI::Option* option =
          sub->add_option("FILE", common_.files, "programs; - reads standard input")->required();
      if (files > 0) option->expected(files);
    }
    sub->callback([this, run] { common_run_ = run; });
    return sub;
  }

  void add_context_option(CLI::App* sub) {
    sub->add_option("--context", common_.context,
                    "context length T for which costs are given, in tokens (default 2048)")
        ->check(above_zero)  // refuses NaN, which Range accepts
        ->transform(expand_unit)
        ->check(CLI::Range(1.0, 1e15));
  }

  [[nodiscard]] bool is_command(const std::string& name) const {
    return std::find(command_names_.begin(), command_names_.end(), name) != command_names_.end();
  }

  static std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
    const std::string near = lang::closest(word, known);
    return near.empty() ? "" : "; did you mean '" + near + "'?";
  }

  // The commands that have an option.
  struct OtherCommands {
    std::vector<std::string> names;
    bool takes_value = false;
  };
  [[nodiscard]] OtherCommands commands_with(const std::string& option) const {
    OtherCommands out;
    if (!option.starts_with("--")) return out;
    for (const CLI::App* sub : app_.get_subcommands([](const CLI::App*) { return true; }))
      if (const CLI::Option* found = sub->get_option_no_throw(option)) {
        out.names.push_back(sub->get_name());
        out.takes_value = out.takes_value || found->get_items_expected_max() > 0;
      }
    return out;
  }

  // Returns "`gabbro a`, `gabbro b` and 3 more".
  static std::string quoted_commands(const std::vector<std::string>& names) {
    constexpr std::size_t kMost = 3;
    std::string out;
    for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
      out += fmt::format("{}`gabbro {}`", i == 0 ? "" : i + 1 == names.size() ? " and " : ", ", names[i]);
    return names.size() > kMost ? out + fmt::format(" and {} more", names.size() - kMost) : out;
  }

  int unexpected_arguments() {
    std::vector<std::string> options{"--color", "--help", "--version"};
    const CLI::App* sub = &app_;
    std::string name = "gabbro";
    for (auto subs = sub->get_subcommands(); !subs.empty(); subs = sub->get_subcommands()) {
      sub = subs[0];
      name += " " + sub->get_name();
    }
    for (const CLI::Option* option : sub->get_options())
      for (const std::string& known : option->get_lnames()) options.push_back("--" + known);
    bool is_value = false;  // the word is the value of the option before it
    for (const std::string& word : app_.remaining(true)) {
      if (word == "--" || (std::exchange(is_value, false) && !word.starts_with("-"))) continue;
      const std::string option = word.substr(0, word.find('='));
      const OtherCommands others = commands_with(option);
      is_value = others.takes_value && option == word;
      if (others.names.empty())
        print(stderr, "{}: unexpected argument '{}'{}\n", name, word,
              word.starts_with("-") ? suggestion(word, options) : "");
      else
        print(stderr, "{}: unexpected option '{}'; {}\n", name, option,
              name == "gabbro resume" &&
                      std::find(others.names.begin(), others.names.end(), "evolve") != others.names.end()
                  ? "a campaign continues as `gabbro evolve` began it"
                  : "it belongs to " + quoted_commands(others.names));
    }
    print(stderr, "Run `{} --help` for its options.\n", name);
    return kUsage;
  }

  CLI::App app_;
  CommonOptions common_;
  Colour colour_ = Colour::kAuto;
  Run common_run_ = nullptr;  // the chosen command, if it takes CommonOptions
  DataOptions data_;
  TrainCommand train_;
  EvalCommand eval_;
  CompareCommand compare_;
  GenerateCommand generate_;
  ProbeCommand probe_;
  BenchCommand bench_;
  CapabilitiesCommand capabilities_;
  std::function<int()> chosen_;             // the chosen command, if it has options of its own
  std::vector<std::string> command_names_;  // of all commands, for suggestions
  // The subcommands of each command that has some.
  std::map<std::string, std::vector<std::string>> subcommand_names_{{"data", {"build", "info"}}};
};

}  // namespace

// Printing throws if the output cannot be written. Standard error may then be full as well.
int main(int argc, char** argv) {
  int code = kUsage;
  bool written = true;
  try {
    code = Program().run(argc, argv);
  } catch (const std::system_error&) {
    written = false;
  } catch (const Damaged& e) {
    print(stderr, "{}\n", format_error("gabbro", e.error()));
    return kUsage;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "gabbro: out of memory\n");
    return kUsage;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gabbro: %s: one of its files was changed, or this is a bug; please report it\n",
                 e.what());
    return kUsage;
  }
  if (written && std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  std::fprintf(stderr, "gabbro: cannot write the output: %s\n", std::strerror(errno));
  return kUsage;
}

}  // namespace gabbro::cli

int main(int argc, char** argv) {
  // The hidden command `screener SECONDS` starts the process that screens programs for campaigns, with this
  // limit of processor time per program (campaign/screener.h).
  if (argc == 3 && std::strcmp(argv[1], "screener") == 0)
    return gabbro::campaign::serve_screener(std::atof(argv[2]));
  // The hidden command `slurm-job BATCH INDEX` is what a job of a campaign on a Slurm cluster runs.
  if (argc == 4 && std::strcmp(argv[1], "slurm-job") == 0)
    return gabbro::cli::run_slurm_job(argv[2], argv[3]);
  // Beyond the shell's limit of file sizes (`ulimit -f`), writes fail and are reported with the file's name.
  std::signal(SIGXFSZ, SIG_IGN);
  return gabbro::cli::main(argc, argv);
}
