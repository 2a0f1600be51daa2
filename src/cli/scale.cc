#include "cli/scale.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "base/files.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/text.h"
#include "campaign/format.h"
#include "campaign/scale_page.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/data.h"
#include "cli/files.h"
#include "cli/record.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "data/corpus.h"
#include "evolve/common_rates.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "evolve/scale.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/job.h"
#include "zoo/library.h"
#include "zoo/sized.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

using record::ScaleRun;
using record::ScaleStudy;

namespace {

constexpr std::uint64_t kSearchSeed = 1000;  // first seed of the searches for learning rates

struct StudyDesign {
  std::string name, folder;  // `folder` is relative to the study's, and unique among the designs
  std::string program;
};

Result<std::vector<StudyDesign>> read_designs(const ScaleCommand& c) {
  std::vector<StudyDesign> out;
  for (const std::string& file : c.designs) {
    GABBRO_TRY(text, read_program(file));
    const lang::CheckReport report = lang::check(text, zoo::library());
    if (!report.valid()) return fail("design", format_error(file, report.errors.front()));
    if (!report.subjects.back().is_design)
      return fail("design", file + " contains no design", "add `design Name:` with a stack");
    const lang::Program program = evolve::as_baseline(lang::parse(text).program, c.blocks, c.spec.length);
    const std::string& name = report.subjects.back().name;
    StudyDesign design{.name = name, .folder = name, .program = lang::print(program)};
    const auto taken = [&](const std::string& folder) {
      return std::any_of(out.begin(), out.end(), [&](const StudyDesign& g) { return g.folder == folder; });
    };
    for (int k = 2; taken(design.folder); ++k) design.folder = fmt::format("{}-{}", design.name, k);
    design.name = design.folder;
    out.push_back(std::move(design));
  }
  return out;
}

// Returns true if a stored result is reused when the study resumes. Runs that failed because of the machine
// are repeated.
bool is_final(const record::TrialResult& r) {
  return r.status == record::Status::kDone || record::speaks_of_design(r);
}

class Study {
 public:
  Study(const ScaleCommand& c, std::vector<StudyDesign> designs, std::vector<std::int64_t> sizes, int vocab)
      : c_(c), designs_(std::move(designs)), sizes_(std::move(sizes)), vocab_(vocab) {
    for (const StudyDesign& g : designs_) scale_study.designs.push_back(g.name);
    scale_study.sizes = c.sizes;
    scale_study.seeds = c.seeds;
    scale_study.rate = c.spec.rate;
    scale_study.tokens = c.tokens.empty() ? fmt::format("{:g} tokens per parameter", c.per_parameter)
                                          : fmt::format("{} tokens at every size", c.tokens);
  }

  // Returns false if the study was stopped.
  Result<bool> run() {
    if (const auto ok = find_hashes(); !ok) return ok;
    announce_runs();
    GABBRO_TRY(complete, search_rates());
    if (!complete) return false;
    const std::vector<double> rates = evolve::compared_rates(evolve::rate_scores(scale_study));
    for (std::size_t s = 0; s < sizes_.size(); ++s)
      for (int seed = 1; seed <= c_.seeds; ++seed)
        for (std::size_t d = 0; d < designs_.size(); ++d) {
          GABBRO_TRY(run, train_or_read(d, s, static_cast<std::uint64_t>(seed), rates[d]));
          if (!run) return false;
          scale_study.runs.push_back(*run);
        }
    return true;
  }

  ScaleStudy scale_study;  // what has been found so far

 private:
  // Finds the canonical hash of each design at each size, and says which designs are the same function.
  Result<bool> find_hashes() {
    for (std::size_t d = 0; d < designs_.size(); ++d) {
      std::vector<std::string>& hashes = hashes_.emplace_back();
      for (std::size_t s = 0; s < sizes_.size(); ++s) {
        auto sized = zoo::sized_design(designs_[d].program, sizes_[s], vocab_);
        if (!sized) {
          Error error = std::move(sized.error());
          error.message = fmt::format("{} at {}: {}", designs_[d].name, c_.sizes[s], error.message);
          return tl::unexpected(std::move(error));
        }
        hashes.push_back(to_hex(sized->hash));
        if (s > 0 && hashes[s] == hashes[s - 1])
          return fail("usage",
                      fmt::format("--sizes: {} is the same model at {} and {} parameters", designs_[d].name,
                                  c_.sizes[s - 1], c_.sizes[s]),
                      "choose sizes further apart");
      }
      for (std::size_t other = 0; other < d; ++other) {
        std::string same;
        for (std::size_t s = 0; s < sizes_.size(); ++s)
          if (hashes_[other][s] == hashes[s]) same += (same.empty() ? "" : ", ") + c_.sizes[s];
        if (!same.empty())
          print(stderr, "{} and {} are the same function at {}: their runs agree by construction\n",
                designs_[other].name, designs_[d].name, same);
      }
    }
    return true;
  }

  void announce_runs() const {
    const auto designs = static_cast<int>(designs_.size());
    const evolve::RateRuns rates = evolve::rate_runs(designs, c_.seeds);
    print(stderr,
          "{} to {} runs search for learning rates at {}, then come {} runs; those that have ended are not "
          "repeated\n",
          rates.least, rates.most, c_.sizes[0], sizes_.size() * designs_.size() * c_.seeds);
  }

  // Searches the learning rates at the smallest size, by the rules of campaigns (evolve/common_rates.h).
  // Returns false if the study was stopped.
  Result<bool> search_rates() {
    while (const auto next =
               evolve::next_rate_run(evolve::rate_scores(scale_study), c_.spec.rate, kSearchSeed, c_.seeds)) {
      constexpr std::size_t kSmallest = 0;
      GABBRO_TRY(run, train_or_read(next->design, kSmallest, next->seed, next->rate));
      if (!run) return false;
      if (run->status != record::Status::kDone && !last_speaks_of_design_)
        return fail("scale",
                    fmt::format("{} at {}, learning rate {:g}: {}", designs_[next->design].name, c_.sizes[0],
                                next->rate, run->cause),
                    "fix the cause, then run the same command to continue");
      scale_study.searches.push_back(*run);
    }
    const std::vector<evolve::RateScores> scores = evolve::rate_scores(scale_study);
    for (std::size_t d = 0; d < designs_.size(); ++d)
      if (!evolve::has_score(scores[d])) return no_score(d);
    return true;
  }

  [[nodiscard]] Result<bool> no_score(std::size_t d) const {
    std::size_t count = 0;
    const ScaleRun* first = nullptr;
    for (const ScaleRun& r : scale_study.searches)
      if (r.design == static_cast<std::int64_t>(d) && count++ == 0) first = &r;
    return fail(
        "score",
        fmt::format("{} at {} has no score at any of the {} learning rates tried; the run at {:g}: {}{}",
                    designs_[d].name, c_.sizes[0], count, first->rate, first->status,
                    first->cause.empty() ? "" : ", " + first->cause),
        "leave the design out, or start a new study with another --lr and --out");
  }

  // `d`: index of a design; `s`: index of a size.
  [[nodiscard]] record::TrialSpec spec_of(std::size_t d, std::size_t s, std::uint64_t seed,
                                          double rate) const {
    record::TrialSpec spec = c_.spec;
    spec.program = designs_[d].program;
    spec.params = sizes_[s];
    spec.tokens = c_.tokens.empty()
                      ? static_cast<std::int64_t>(c_.per_parameter * static_cast<double>(sizes_[s]))
                      : *parse_amount(c_.tokens);
    spec.seed = seed;
    spec.rate = rate;
    spec.memory = static_cast<std::int64_t>(c_.limits.memory_bytes);
    // Runs of the searches are not compared, so they score no unread text.
    if (seed < kSearchSeed) spec.unread_tokens = evolve::kUnreadTokens;
    std::error_code error;
    spec.folder = fs::absolute(
        fmt::format("{}/{}/{}/seed-{}-rate-{:g}", c_.out, designs_[d].folder, c_.sizes[s], seed, rate),
        error);
    return spec;
  }

  // Trains one run, or reads its result if it is final. Returns nullopt if it was stopped.
  Result<std::optional<ScaleRun>> train_or_read(std::size_t d, std::size_t s, std::uint64_t seed,
                                                double rate) {
    const record::TrialSpec spec = spec_of(d, s, seed, rate);
    const std::string spec_file = spec.folder + "/spec.json", result_file = spec.folder + "/result.json";
    std::error_code error;
    fs::create_directories(spec.folder, error);
    if (error) return fail("io", fmt::format("cannot create {}: {}", spec.folder, error.message()));
    std::optional<record::TrialResult> result;
    if (const auto before = read_file(spec_file, kMostText); before) {
      if (*before != to_json(spec))
        return fail("exists", spec.folder + " holds a run with other options",
                    "continue it with its original options, or start a new study with another --out");
      if (const auto text = read_file(result_file, kMostText); text)
        if (auto known = record::parse_result(*text);
            known && is_final(*known) && misfit(spec, hashes_[d][s], *known).empty())
          result = std::move(*known);
    }
    if (!result) {
      if (const auto ok = replace_file(spec_file, to_json(spec)); !ok) return tl::unexpected(ok.error());
      ProgressLine line;
      const std::string what =
          fmt::format("{} at {}, learning rate {:g}, seed {}", designs_[d].name, c_.sizes[s], rate, seed);
      GABBRO_TRY(
          end, run_worker(spec_file, result_file, c_.limits,
                          {.reads = {spec.corpus}, .engine = {.engine = spec.engine, .device = spec.device}},
                          [&](const record::Progress& p) {
                            line.show(fmt::format("{}: {}", what, progress_text(p)));
                            return true;
                          }));
      if (end.kind == jobs::JobEnd::Kind::kStopped) return std::nullopt;
      if (end.kind == jobs::JobEnd::Kind::kResult) {
        GABBRO_TRY(read, record::parse_result(end.result));
        if (read.status == record::Status::kStopped) return std::nullopt;
        result = std::move(read);
      } else {
        // This failure is not stored, so the run is repeated when the study resumes.
        result.emplace().cause = end.cause;
        result->error = record::Cause::kWorker;
      }
    }
    if (const std::string why = misfit(spec, hashes_[d][s], *result); !why.empty()) {
      result.emplace().cause = record::inconsistent(why).message;
      result->error = record::Cause::kWorker;
    }
    if (result->status == record::Status::kDone) {
      const TrainedRun own{.design = d, .size = s, .seed = seed, .rate = rate, .folder = spec.folder};
      const auto [entry, is_new] = runs_of_weights_.emplace(result->weights_hash, own);
      if (const TrainedRun& other = entry->second;
          !is_new && other.folder != own.folder && !agree_by_construction(own, other))
        return fail(
            "scale", fmt::format("{} has the same weights as {}", own.folder, other.folder),
            "only runs of the same function, size, seed and learning rate can end with the same weights; "
            "remove the wrong result, or one of the designs if both define the same function");
    }
    last_speaks_of_design_ = record::speaks_of_design(*result);
    ScaleRun out{.design = static_cast<std::int64_t>(d), .size = static_cast<std::int64_t>(s)};
    out.seed = seed;
    out.rate = rate;
    out.status = result->status;
    out.cause = result->cause;
    out.params = static_cast<double>(result->params);
    out.tokens = static_cast<double>(result->tokens);
    out.flops = result->train_flops_per_token * out.tokens;
    out.bits = result->bits_per_byte;
    out.documents = std::move(result->documents);
    out.text_hash = result->text_hash;
    out.held_out_hash = result->held_out_hash;
    out.hash = hashes_[d][s];
    out.unread_bits = record::unread_bits(*result);
    out.unread_tokens = result->unread_tokens;
    out.build = result->build;
    return out;
  }

  // Returns why a result is impossible, or "". Also checks what all runs share: the number of nats per token
  // of the held-out text that are one bit per byte.
  std::string misfit(const record::TrialSpec& spec, const std::string& hash,
                     const record::TrialResult& result) {
    constexpr double kTolerance = 1e-6;  // relative, for rounding
    if (std::string why = record::misfit(spec, hash, result); !why.empty()) return why;
    if (result.status != record::Status::kDone) return "";
    const double ratio = record::nats_per_bit(result);
    if (ratio_ == 0) ratio_ = ratio;
    return std::abs(ratio - ratio_) <= kTolerance * ratio_
               ? ""
               : fmt::format("one bit per byte is {} nats per token instead of {}", ratio, ratio_);
  }

  struct TrainedRun {
    std::size_t design = 0, size = 0;
    std::uint64_t seed = 0;
    double rate = 0;
    std::string folder;
  };
  // Returns true if two runs end with the same weights by construction.
  [[nodiscard]] bool agree_by_construction(const TrainedRun& a, const TrainedRun& b) const {
    return a.design != b.design && a.size == b.size && a.seed == b.seed && a.rate == b.rate &&
           hashes_[a.design][a.size] == hashes_[b.design][b.size];
  }

  const ScaleCommand& c_;
  std::vector<StudyDesign> designs_;
  std::vector<std::int64_t> sizes_;
  int vocab_;
  std::vector<std::vector<std::string>> hashes_;       // canonical, by design, then size
  std::map<std::string, TrainedRun> runs_of_weights_;  // by the hash of the weights
  double ratio_ = 0;                                   // nats per bit of the first scored run; 0: none yet
  bool last_speaks_of_design_ = true;                  // record::speaks_of_design of the last run
};

Result<std::vector<std::int64_t>> read_sizes(const ScaleCommand& c) {
  std::vector<std::int64_t> out;
  for (const std::string& text : c.sizes) {
    const auto size = parse_amount(text);
    if (!size || *size < 1)
      return fail("usage", "--sizes: invalid number '" + text + "'", "write them like 150k,300k,600k");
    if (!out.empty() && *size <= out.back())
      return fail("usage", fmt::format("--sizes: {} comes after {}", text, c.sizes[out.size() - 1]),
                  "list sizes in ascending order, each once");
    out.push_back(*size);
  }
  if (out.size() < 3)
    return fail("usage", "--sizes: a fit needs at least three sizes", "write them like 150k,300k,600k");
  if (!c.tokens.empty() && !parse_amount(c.tokens))
    return fail("usage", "--tokens: invalid number '" + c.tokens + "'", "write it like 350k, 5M or 1.5M");
  return out;
}

// Returns what a study had chosen otherwise; "" if it had the same choices.
std::string other_choices(const ScaleStudy& before, const ScaleStudy& now) {
  if (before.seeds != now.seeds) return fmt::format("{} seeds, but --seeds is {}", before.seeds, now.seeds);
  if (before.rate != now.rate)
    return fmt::format("learning rates from {:g}, but --lr is {:g}", before.rate, now.rate);
  const auto joined = [](const std::vector<std::string>& x) { return fmt::format("{}", fmt::join(x, ",")); };
  if (before.sizes != now.sizes)
    return fmt::format("the sizes {}, but --sizes is {}", joined(before.sizes), joined(now.sizes));
  if (before.designs != now.designs)
    return fmt::format("the designs {}, but now they are {}", joined(before.designs), joined(now.designs));
  if (before.tokens != now.tokens)
    return fmt::format("runs of {}, but now they have {}", before.tokens, now.tokens);
  return "";
}

}  // namespace

int run_scale(const ScaleCommand& command) {
  ScaleCommand c = command;
  if (const auto ok = record::check_engine({.engine = c.spec.engine, .device = c.spec.device}); !ok)
    return failed("scale", ok.error());
  if (c.out.empty()) {
    const std::string& first = c.designs.front();
    c.out = names_design(first) ? first.substr(0, first.rfind('#')) + "/scale" : "runs/scale";
  }
  const auto sizes = read_sizes(c);
  if (!sizes) return failed("scale", sizes.error());
  auto designs = read_designs(c);
  if (!designs) return failed("scale", designs.error());
  const auto corpus = data::Corpus::open(c.spec.corpus);
  if (!corpus) return failed("scale", corpus.error());
  std::error_code error;
  c.spec.corpus = fs::absolute(c.spec.corpus, error);
  c.spec.corpus_hash = data::hash_of(corpus->manifest());
  if (const auto ok = check_gpu(c.spec.device); !ok) return failed("scale", ok.error());
  if (const auto ok = check_output(c.out, FolderKind::kStudy, "--out"); !ok)
    return failed("scale", ok.error());
  fs::create_directories(c.out, error);
  const auto lock = Lock::take(c.out);
  if (!lock) return failed("scale", lock.error());
  Study study(c, std::move(*designs), *sizes, corpus->manifest().vocab);
  study.scale_study.corpus_hash = data::hash_of(corpus->manifest());
  study.scale_study.changed_share = corpus->manifest().changed_share();
  // Runs of an earlier call count only if they used the same texts.
  if (const auto text = read_file(c.out + "/scale.json", kMostText)) {
    const auto before = record::parse_scale(*text);
    if (!before) return failed("scale", before.error());
    if (const std::string what = other_choices(*before, study.scale_study); !what.empty())
      return failed("scale", {"exists",
                              fmt::format("{} holds a study with {}", c.out, what),
                              "start a new study with another --out: choices made after seeing results "
                              "invalidate the intervals",
                              {}});
    if (before->corpus_hash != study.scale_study.corpus_hash)
      return failed("scale",
                    {"exists",
                     c.out + " holds a study on another corpus",
                     "continue it with the corpus it started with, or start a new study with another --out",
                     {}});
  } else {
    record::ScaleStudy begun = study.scale_study;
    begun.status = record::Status::kStopped, begun.cause = "under way";
    if (const auto ok = replace_file(c.out + "/scale.json", to_json(begun)); !ok)
      return failed("scale", ok.error());
  }
  const auto ended = study.run();
  if (!ended) {
    const int code = failed("scale", ended.error());
    return is(ended.error(), record::Cause::kScore) ? kInvalid : code;
  }
  ScaleStudy& s = study.scale_study;
  if (!*ended) s.status = record::Status::kStopped, s.cause = "stopped from outside";
  if (const auto ok = replace_file(c.out + "/scale.json", to_json(s)); !ok)
    return failed("scale", ok.error());
  if (!*ended) {
    print(stderr, "stopped; run the same command to continue\n");
    return kInvalid;
  }
  const auto fit = evolve::fit_scale(s);
  if (!fit) {
    for (const ScaleRun& r : s.runs)
      if (r.status != record::Status::kDone)
        print("{} at {}: {}: {}\n", s.designs[static_cast<std::size_t>(r.design)],
              s.sizes[static_cast<std::size_t>(r.size)], r.status, printable_line(r.cause));
    print(stderr, "{}\n", format_error("gabbro scale", fit.error()));
    return kInvalid;
  }
  if (const auto ok = replace_file(c.out + "/scale.html", campaign::scale_html(s, *fit)); !ok)
    return failed("scale", ok.error());
  if (c.json)
    print("{}", to_json(s));
  else
    print("{}", campaign::scale_text(s, *fit));
  print(stderr, "see {}/scale.html for the plot\n", printable_line(c.out));
  return kValid;
}

}  // namespace gabbro::cli
