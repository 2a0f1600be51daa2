#include "cli/evolve.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "campaign/campaign.h"
#include "campaign/format.h"
#include "campaign/live.h"
#include "campaign/preset.h"
#include "campaign/reading.h"
#include "campaign/view.h"
#include "chat/call_log.h"
#include "cli/agent_setup.h"
#include "cli/checks.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/data.h"
#include "cli/files.h"
#include "cli/record.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "data/corpus.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "evolve/replicates.h"
#include "jobs/jobs.h"
#include "lang/check.h"
#include "lang/printer.h"
#include "sandbox/sandbox.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

using record::SessionEnd;

namespace {

// Returns the numbers of columns and rows of the terminal on standard error, at least 10 and 3.
std::pair<std::size_t, std::size_t> terminal_size() {
  constexpr std::size_t kLeastColumns = 10, kLeastRows = 3;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  return {std::max<std::size_t>(size.ws_col, kLeastColumns), std::max<std::size_t>(size.ws_row, kLeastRows)};
}

// Shows the live view: on a terminal it is redrawn in place; otherwise a line is printed twice a minute.
class LiveView {
 public:
  void operator()(const campaign::Snapshot& s) {
    if (!terminal_ && s.warning != std::exchange(warning_, s.warning) && !s.warning.empty())
      print(stderr, "{}\n", s.warning);
    const double interval = terminal_ ? 0.5 : 30;  // seconds
    if (seconds_now() - last_ < interval) return;
    last_ = seconds_now();
    if (!terminal_) {
      print(stderr, "{}\n", campaign::log_line(s));
      return;
    }
    rewind_rows(rows_);
    // A line that wraps, or a view that scrolls, could not be rewound.
    const auto [columns, rows] = terminal_size();
    std::string text;
    auto lines = campaign::view_lines(s);
    lines.resize(std::min(lines.size(), rows - 1));
    for (const std::string& line : lines)
      text += campaign::one_line(printable_line(campaign::one_line(line, columns - 1)), columns - 1) + "\n";
    rows_ = lines.size();
    print(stderr, "{}", text);
    std::fflush(stderr);
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  double last_ = -1e9;    // seconds_now() of the last output
  std::size_t rows_ = 0;  // lines of the view on the terminal
  std::string warning_;   // last warning that was printed
};

void print_aa_test(const campaign::Campaign& c, const std::string& dir) {
  const evolve::ReplicateReport t = evolve::replicate_report(c.population(), c.plan().seed);
  const std::string& name = c.population().individual(1).created.name;
  if (t.seeds == 0) {
    print(
        "A/A test: nothing was compared, since no seed has scores of all {} copies of {}\n  `gabbro status "
        "{}` lists the causes of runs without a score\n",
        t.copies, name, dir);
    return;
  }
  print(
      "A/A test: {} copies of {}, {} seeds each\n  significantly different: {} of {} pairs; at least as many "
      "in {:.0f} % of random permutations of the runs among the copies\n  false-positive rate over these "
      "permutations: {:.1f} % (should be at most 5 %)\n  standard deviation between copies on the same text: "
      "{:.4f} bits per byte\n",
      t.copies, name, t.seeds, t.significant, t.pairs, 100 * t.p_value, 100 * t.false_positive_rate,
      t.seed_stddev);
}

Result<bool> print_summary(const std::string& dir) {
  GABBRO_TRY(store, store::Store::read(campaign::CampaignPaths{dir}.store()));
  GABBRO_TRY(reading, campaign::read_record(store));
  for (const std::string& line : campaign::summary_lines(reading)) print("{}\n", line);
  return true;
}

void print_end(record::SessionEnd end, const std::string& dir, bool searches, bool has_compared) {
  if (end == SessionEnd::kDone && !searches) print("nothing is left to do\n");
  if (end == SessionEnd::kDone && searches && !has_compared)
    print("the search found no design that can be compared; go on with `gabbro resume {} --minutes N`\n",
          dir);
  if (end == SessionEnd::kDone && searches && has_compared)
    print("the final comparison is done; continue the search with `gabbro resume {} --minutes N`\n", dir);
  if (end == SessionEnd::kSignal) print("stopped; continue with `gabbro resume {}`\n", dir);
  if (end == SessionEnd::kBudget)
    print("the budget is spent; continue with a new one with `gabbro resume {}`\n", dir);
}

bool asks_agents(const campaign::Campaign& c) {
  const auto& strategies = c.plan().settings.strategies;
  return std::any_of(strategies.begin(), strategies.end(),
                     [](const std::string& a) { return evolve::asks_agents(a); });
}

// Returns a factory of screeners. A screener is this program, started again only to screen programs; the
// argument of its hidden command `screener` is its limit of processor time.
campaign::MakeScreener screener_factory(const std::string& dir) {
  return [dir] {
    constexpr const char* kCpuSeconds = "60";
    campaign::ScreenerOptions options;
    // This is the program that runs, even if its file has been replaced since.
    options.command = {"/proc/self/exe", "screener", kCpuSeconds};
    options.log = dir + "/screener.log";
    options.cpu_seconds = std::atof(kCpuSeconds);
    return campaign::screener_process(options);
  };
}

void print_sandbox(bool has_jobs_elsewhere) {
  const sandbox::Machine& m = sandbox::machine();
  print(stderr, "sandbox of {}: {}\n",
        has_jobs_elsewhere ? "screens on this machine (results report that of their jobs)"
                           : "workers and screens",
        m.text());
  if (const std::string missing = m.missing(); !missing.empty()) print(stderr, "  missing: {}\n", missing);
}

// Runs the campaign until its budget is spent or it is stopped, and prints what it found.
std::vector<std::string> rung_names(const evolve::SearchSettings& settings) {
  std::vector<std::string> out;
  for (const evolve::Rung& rung : settings.rungs) out.push_back(rung.name);
  return out;
}

int run_campaign(campaign::Campaign& c, const EvolveCommand& o) {
  if (o.minutes == 0 && o.trials == 0 && !c.plan().settings.strategies.empty() && !c.plan().aa_test)
    print(stderr,
          "neither --minutes nor --trials is given: the search runs until Ctrl-C, and no time is reserved "
          "for the final comparison\n");
  std::unique_ptr<AgentSetup> agent_setup;
  if (asks_agents(c)) {
    auto opened = AgentSetup::open(o.dir, o.replay, c.plan().seed);
    if (!opened) return failed("evolve", opened.error());
    agent_setup = std::move(*opened);
    c.use_agents(&agent_setup->agents());
    if (o.replay.empty()) print(stderr, "{}\n", agent_setup->estimate(campaign::task_costs(c.population())));
  }
  const bool is_as_begun = o.workers < 0 && o.executor.empty() && o.slurm.empty();
  ExecutorChoice choice{.name = o.executor,
                        .settings = o.slurm,
                        .workers = is_as_begun ? c.plan().workers : o.workers,
                        .threads = c.plan().threads};
  if (agent_setup) choice.hidden = agent_setup->hidden();
  if (const auto ok = install_executor(choice, o.dir, rung_names(c.plan().settings)); !ok)
    return failed("evolve", ok.error());
  auto executor = open_executor(choice, o.dir);
  if (!executor) return failed("evolve", executor.error());
  print_sandbox((*executor)->sandbox().empty());
  const Signals signals;
  std::string warning;
  const auto end = [&] {
    LiveView live;
    campaign::LiveFile file(o.dir);
    return c.run({.minutes = o.minutes, .trials = o.trials}, **executor, Signals::seen,
                 [&](const campaign::Snapshot& s) { live(s), file(s), warning = s.warning; });
  }();
  if (!end) return failed("evolve", end.error());
  if (c.plan().aa_test)
    print_aa_test(c, o.dir);
  else if (const auto ok = print_summary(o.dir); !ok)
    return failed("evolve", ok.error());
  if (!warning.empty()) print("{}\n", warning);
  const evolve::Population& p = c.population();
  print_end(*end, o.dir, !c.plan().aa_test && !c.plan().settings.strategies.empty(),
            evolve::comparison_of(p, evolve::leader(p)) != nullptr);
  return *end == SessionEnd::kSignal ? kInvalid : kValid;
}

// Returns the corpus of a campaign without --data. It is built in the campaign's folder, unless it exists.
Result<std::string> build_own_corpus(const EvolveCommand& o, std::int64_t vocab) {
  const std::string folder = o.dir + "/corpus";
  std::error_code error;
  if (fs::exists(folder + "/manifest.json", error)) return folder;
  print(
      stderr,
      "no corpus was given (--data): building the debian corpus, English text from Debian packages, in {}\n",
      folder);
  DataOptions data;
  data.build.sources = {"debian"};
  data.build.out = folder;
  data.build.vocab = static_cast<int>(vocab);
  if (run_data_build(data) != kValid)
    return fail("corpus", "the corpus was not built",
                "build one from your own text with `gabbro data build`, and pass its folder with --data");
  return folder;
}

// Checks that `corpus` is the one with which the campaign began. Files are compared with their hashes, except
// for the largest, which are listed on standard error.
Result<bool> check_corpus(const campaign::CampaignPlan& plan, const data::Corpus& corpus) {
  if (!plan.corpus_hash.empty() && plan.corpus_hash != data::hash_of(corpus.manifest()))
    return fail("corpus", corpus.folder() + " is not the corpus of this campaign",
                "use the corpus it started with: runs on other texts cannot be compared with its runs");
  for (const data::SplitInfo& split : corpus.manifest().splits)
    if (const auto read = corpus.split(split.name); !read) return tl::unexpected(read.error());
  for (const std::string& file : corpus.files_too_large_to_check())
    print(
        stderr,
        "{}/{} is too large to be checked against its hash here; check it with `gabbro data info --verify`\n",
        corpus.folder(), file);
  return true;
}

// Returns the corpus of a campaign that is resumed or replayed: the one given by --data, the recorded one, or
// the one in the campaign's folder `dir`, which may have moved.
Result<std::string> find_corpus(const EvolveCommand& o, const std::string& dir,
                                const campaign::CampaignPlan& plan) {
  std::error_code error;
  const std::string own = dir + "/corpus";
  std::string folder = o.corpus.empty() ? plan.corpus : o.corpus;
  if (o.corpus.empty() && !fs::exists(folder, error) && fs::exists(own, error)) folder = own;
  auto corpus = data::Corpus::open(folder);
  if (!corpus && o.corpus.empty() && o.replay.empty())
    corpus.error().hint =
        fmt::format("if the corpus has moved, pass its folder with `gabbro resume {} --data DIR`", o.dir);
  if (!corpus) return tl::unexpected(corpus.error());
  if (const auto ok = check_corpus(plan, *corpus); !ok) return tl::unexpected(ok.error());
  return fs::absolute(folder, error).string();
}

// Returns true if the processor multiplies bf16. Then training in bf16 is faster than in float32
// (docs/benchmarks.md).
bool multiplies_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

// Returns the settings of a new campaign: those of the preset, with the strategies and agents given on the
// command line.
Result<evolve::SearchSettings> settings_of(const EvolveCommand& o) {
  GABBRO_TRY(settings, campaign::load_settings(o.preset));
  // Runs on another machine must compute identically, so the record stores the dtype that is chosen here.
  if (!settings.dtype) settings.dtype = multiplies_bf16() ? record::Dtype::kBf16 : record::Dtype::kFloat32;
  if (!o.strategies.empty()) settings.strategies = o.strategies;
  if (settings.strategies == std::vector<std::string>{"none"}) settings.strategies.clear();
  if (std::find(settings.strategies.begin(), settings.strategies.end(), "none") != settings.strategies.end())
    return fail("usage", "--strategies none cannot be combined with other strategies");
  for (std::string& strategy : settings.strategies)
    if (strategy == "gp") strategy = "tournament";
  if (o.strategies.empty() && !o.agents.empty()) settings.strategies = {"agents"};
  const bool asks = std::any_of(settings.strategies.begin(), settings.strategies.end(),
                                [](const std::string& a) { return evolve::asks_agents(a); });
  if (asks && o.agents.empty())
    return fail("usage", "the agents and direct strategies need language models, but none are configured",
                "pass --agents agents.toml; see docs/agents.md for its format");
  if (!asks && !o.agents.empty())
    return fail("usage", "no strategy uses the agents of --agents", "add agents or direct to --strategies");
  return settings;
}

// Returns the checked programs of --design with `blocks` blocks in their longest repetition (0: as written).
// After an error, prints it, sets `code` to the exit code and returns nullopt.
std::optional<std::vector<std::string>> given_designs(const EvolveCommand& o, std::int64_t blocks,
                                                      int& code) {
  code = kInvalid;
  std::vector<std::string> out;
  for (const std::string& file : o.designs) {
    const auto text = read_program(file);
    if (!text) {
      code = failed_in(file, text.error());
      return std::nullopt;
    }
    const lang::CheckReport report = lang::check(*text, zoo::library());
    for (const Error& e : report.errors) print(stderr, "{}\n", format_error(file, e));
    if (!report.valid()) return std::nullopt;
    if (!report.subjects.back().is_design) {
      failed_in(file, {"design", "the program contains no design", "add `design Name:` with a stack", {}});
      return std::nullopt;
    }
    const lang::Program program = evolve::with_blocks(report.program, blocks);
    const int before = evolve::repetitions(report.program), now = evolve::repetitions(program);
    out.push_back(before == now ? *text : lang::print(program));
    if (before != now)
      print(stderr,
            "{}: its longest repetition has {} blocks at the first rung instead of {}, as the baselines' "
            "have; keep it with --as-written\n",
            file, now, before);
  }
  return out;
}

int refuse_existing_campaign(const EvolveCommand& o) {
  print(stderr,
        "gabbro evolve: there is already a campaign in {}; continue it with `gabbro resume`, or choose "
        "another --dir\n",
        o.dir);
  return kUsage;
}

// Draws the text from which the seeds of the final comparison follow, so that nobody can know them when
// programs are written (CampaignPlan::secret).
std::string draw_secret() {
  std::random_device device;
  const auto word = [&] { return std::uint64_t{device()} << 32 | device(); };
  const std::uint64_t high = word();
  return to_hex({high, word()});
}

// Repeats a recorded campaign in a new folder. The agents' replies are read from its call log.
int run_replay(EvolveCommand o) {
  const auto record = store::Store::read(campaign::CampaignPaths{o.replay}.store());
  if (!record) return failed("evolve", record.error());
  const auto recorded = record->campaign();
  if (!recorded) return failed("evolve", recorded.error());
  auto plan = campaign::parse_plan(*recorded);
  if (!plan) return failed("evolve", plan.error());
  if (!AgentSetup::has_agents(o.replay))
    return failed("evolve", {"usage",
                             o.replay + " is a campaign without agents, which cannot be replayed",
                             "repeat such a campaign with the same seed and one worker; it needs no record",
                             {}});
  const auto folder = find_corpus(o, o.replay, *plan);
  if (!folder) return failed("evolve", folder.error());
  plan->corpus = *folder;
  if (const auto ok = AgentSetup::install(o.replay + "/agents.toml", o.dir); !ok)
    return failed("evolve", ok.error());
  if (const auto ok = o.record.empty() ? true : campaign::link_record({o.dir}, o.record); !ok)
    return failed("evolve", ok.error());
  auto c = campaign::Campaign::create({o.dir}, *plan, screener_factory(o.dir));
  if (!c) return failed("evolve", c.error());
  // The conversations and their cost belong to the new campaign, which can then be read without the recorded
  // one.
  const auto calls = chat::CallLog::read(o.replay + "/calls.db");
  if (!calls) return failed("evolve", calls.error());
  if (const auto ok = (*calls)->copy_to(o.dir + "/calls.db"); !ok) return failed("evolve", ok.error());
  c->replay(campaign::recorded_actions(*record));
  o.workers = 1;  // With several, the order in which runs end would change the designs.
  if (o.trials == 0) o.trials = static_cast<std::int64_t>(record->trials().size());
  return run_campaign(*c, o);
}

int run_plan(const EvolveCommand& o) {
  if (o.aa_test || !o.designs.empty())
    return failed("evolve", {"usage",
                             "--plan counts the runs of a search by its preset, without --aa and --design",
                             "leave them out",
                             {}});
  auto settings = settings_of(o);
  if (!settings && is(settings.error(), record::Cause::kUsage)) return failed("evolve", settings.error());
  if (!settings) return failed_in(o.preset, settings.error());
  if (!o.corpus.empty()) {
    const auto corpus = data::Corpus::open(o.corpus);
    if (!corpus) return failed("evolve", corpus.error());
    settings->vocab = corpus->manifest().vocab;
  }
  const auto rungs = campaign::forecast(*settings, o.speed);
  if (!rungs) return failed("evolve", rungs.error());
  print("{}", campaign::forecast_text(*settings, o.speed, *rungs));
  return kValid;
}

}  // namespace

int run_evolve(const EvolveCommand& o) {
  if (o.plan) return run_plan(o);
  const campaign::CampaignPaths paths{o.dir};
  std::error_code error;
  if (fs::exists(paths.store(), error)) return refuse_existing_campaign(o);
  if (const auto ok = check_output(o.dir, FolderKind::kCampaign, "--dir"); !ok)
    return failed("evolve", ok.error());
  if (!o.replay.empty()) return run_replay(o);
  const auto settings = settings_of(o);
  if (!settings && is(settings.error(), record::Cause::kUsage)) return failed("evolve", settings.error());
  if (!settings) return failed_in(o.preset, settings.error());
  if (o.aa_test && !o.designs.empty())
    return failed(
        "evolve",
        {"usage", "--aa trains copies of the first baseline and cannot be combined with --design", "", {}});
  int code = kValid;
  const auto given = given_designs(o, o.as_written ? 0 : settings->blocks, code);
  if (!given) return code;
  if (settings->strategies.empty() && given->empty() && !o.aa_test)
    return failed("evolve", {"usage",
                             "nothing to train: no search strategy and no design was given",
                             "search with --strategies adaptive, or give a design with --design FILE",
                             {}});
  campaign::CampaignPlan plan{.settings = *settings,
                              .corpus = o.corpus,
                              .seed = o.seed,
                              .threads = o.threads,
                              .workers = std::max(o.workers, 0),
                              .aa_test = o.aa_test,
                              .user_programs = *given};
  if (!uses_cluster({.name = o.executor, .settings = o.slurm}, o.dir))
    for (const evolve::Rung& rung : settings->rungs)
      if (auto ok = check_gpu(rung.device); !ok) {
        ok.error().message = fmt::format("{}: rung {}: {}", o.preset, rung.name, ok.error().message);
        return failed("evolve", ok.error());
      }
  if (!plan.corpus.empty())
    if (const auto corpus = data::Corpus::open(plan.corpus); !corpus) return failed("evolve", corpus.error());
  fs::create_directories(o.dir, error);
  // Wrong settings are reported before a corpus is built.
  if (const auto ok =
          install_executor({.name = o.executor, .settings = o.slurm}, o.dir, rung_names(*settings));
      !ok)
    return failed("evolve", ok.error());
  if (!o.agents.empty())
    if (const auto ok = AgentSetup::install(o.agents, o.dir); !ok) return failed_in(o.agents, ok.error());
  if (plan.corpus.empty()) {
    const auto corpus = build_own_corpus(o, settings->vocab);
    if (!corpus) return failed("evolve", corpus.error());
    plan.corpus = *corpus;
  }
  const auto corpus = data::Corpus::open(plan.corpus);
  if (!corpus) return failed("evolve", corpus.error());
  std::int64_t max_tokens = 0;
  for (const evolve::Rung& r : settings->rungs) max_tokens = std::max(max_tokens, r.tokens);
  warn_of_corpus(corpus->manifest(), max_tokens);
  plan.settings.vocab = corpus->manifest().vocab;
  plan.corpus_hash = data::hash_of(corpus->manifest());
  plan.secret = o.secret.empty() ? draw_secret() : o.secret;
  plan.secret_given = !o.secret.empty();
  plan.corpus = fs::absolute(plan.corpus, error);
  if (const auto ok = o.record.empty() ? true : campaign::link_record(paths, o.record); !ok)
    return failed("evolve", ok.error());
  auto c = campaign::Campaign::create(paths, plan, screener_factory(o.dir));
  if (!c && is(c.error(), record::Cause::kBudget) && plan.settings.vocab != settings->vocab)
    c.error().hint = fmt::format(
        "the corpus has a vocabulary of {} tokens, but the preset is made for {}; build one with `gabbro "
        "data build --vocab {}`",
        plan.settings.vocab, settings->vocab, settings->vocab);
  if (!c) return failed("evolve", c.error());
  return run_campaign(*c, o);
}

int run_resume(const EvolveCommand& o) {
  auto c = campaign::Campaign::open({o.dir}, screener_factory(o.dir));
  if (!c) return failed("resume", c.error());
  const auto folder = find_corpus(o, o.dir, c->plan());
  if (!folder) return failed("resume", folder.error());
  c->set_corpus_folder(*folder);
  return run_campaign(*c, o);
}

}  // namespace gabbro::cli
