// An executor without workers. Results are computed from the spec alone, so that a campaign of hundreds of
// runs takes a second.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "base/hash.h"
#include "base/random.h"
#include "campaign/campaign.h"
#include "campaign/preset.h"
#include "capability/task.h"
#include "ir/facts.h"
#include "jobs/jobs.h"
#include "lang/check.h"
#include "lang/printer.h"
#include "lang/resize.h"
#include "record/capability.h"
#include "record/job.h"
#include "record/trial.h"
#include "zoo/library.h"

namespace gabbro::campaign {

// Dozens of runs, each with a screened design, take minutes under sanitizers. The layers below have sanitizer
// tests of their own.
#ifdef __SANITIZE_ADDRESS__
#define SKIP_UNDER_SANITIZERS() GTEST_SKIP() << "takes minutes under sanitizers"
#else
#define SKIP_UNDER_SANITIZERS() static_cast<void>(0)
#endif

inline const auto kNeverStop = [] { return 0; };
inline const auto kNoView = [](const Snapshot&) {};

// Sets a score and the fields that belong to it, for one held-out document if the result has one, and
// otherwise for two.
inline void set_score(record::TrialResult& r, double bits) {
  const bool has_one_document = r.valid_documents == 1;
  r.bits_per_byte = bits;
  r.bits_low = bits - 0.01;
  r.bits_high = bits + 0.01;
  r.documents = {{bits, 1000}, {bits, 500}};
  r.valid_documents = 2;
  r.valid_bytes = 1500;
  r.held_out_hash = "held out";
  r.valid_loss = r.unread_loss = 2 * bits;
  r.bigram_bits_per_byte = bits + 1;
  if (!has_one_document) return;
  r.documents.resize(1);
  r.valid_documents = 1, r.valid_bytes = 1000;
}

class FakeExecutor : public jobs::Executor {
 public:
  /// Changes the result of a run, or how it ends.
  using Change = std::function<void(const record::TrialSpec&, record::TrialResult&, jobs::JobEnd&)>;
  /// Each job takes `microseconds`.
  explicit FakeExecutor(int slots = 1, int microseconds = 0, Change change = {})
      : slots_(slots), microseconds_(microseconds), change_(std::move(change)) {}

  /// Number of free bytes of the disk; without a value, it has room for everything.
  std::optional<std::uint64_t> free;
  /// Number of jobs that were discarded.
  std::size_t discarded = 0;

  std::optional<std::uint64_t> free_bytes(const std::string&) const override { return free; }
  int slots() const override { return slots_; }
  int running() const override { return static_cast<int>(queue_.size()); }
  Result<bool> start(const jobs::Job& job) override {
    queue_.push_back(job);
    ++started;
    return true;
  }
  void discard(std::int64_t id) override {
    discarded += std::erase_if(queue_, [&](const jobs::Job& job) { return job.id == id; });
  }
  jobs::JobEvents wait(double) override {
    if (queue_.empty()) return {};
    if (microseconds_ > 0) usleep(static_cast<useconds_t>(microseconds_));
    const jobs::Job job = queue_.front();
    queue_.pop_front();
    jobs::JobEnd ended{.id = job.id,
                       .kind = jobs::JobEnd::Kind::kResult,
                       .result = {},
                       .cause = {},
                       .seconds = 1,
                       .peak_bytes = 0};
    if (stopped_) {
      ended.kind = jobs::JobEnd::Kind::kStopped;
      return {{}, {ended}};
    }
    std::ifstream file(job.spec_file);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (record::job_of(text) == record::CapabilitySpec::kJob) {
      record::CapabilityResult profile = profile_of(*record::parse_capability_spec(text));
      if (change_profile) change_profile(profile, ended);
      if (ended.kind == jobs::JobEnd::Kind::kResult) ended.result = record::to_json(profile);
      return {{}, {ended}};
    }
    const auto spec = record::parse_spec(text);
    record::TrialResult result = result_of(*spec);
    if (change_) change_(*spec, result, ended);
    if (ended.kind == jobs::JobEnd::Kind::kResult && ended.result.empty())
      ended.result = record::to_json(result);
    return {{}, {ended}};
  }
  void stop() override { stopped_ = true; }
  void kill() override { stopped_ = true; }

  int started = 0;  // number of jobs
  // Changes a profile, or how its job ends.
  std::function<void(record::CapabilityResult&, jobs::JobEnd&)> change_profile;
  // If not 0, results have the hash and costs of their design at this vocabulary size; otherwise no hash, and
  // costs by the number of parameters.
  std::int64_t hashed_vocab = 0;

 private:
  // Returns the design at the size of the run, as a worker builds it.
  [[nodiscard]] lang::Subject sized(const record::TrialSpec& spec) const {
    lang::CheckReport report = lang::check(spec.program, zoo::library());
    lang::Library library = zoo::library();
    library.add(report.program);
    const auto size = lang::resize(library, *lang::last_design(report.program), spec.params, hashed_vocab);
    GABBRO_CHECK(size.has_value());
    report = lang::check(std::move(report.program), zoo::library(), lang::options_at(*size, hashed_vocab));
    return std::move(report.subjects.back());
  }
  static record::CapabilityResult profile_of(const record::CapabilitySpec& spec) {
    record::CapabilityResult out;
    out.status = record::Status::kDone;
    out.design = spec.file;
    out.hash = to_hex(lang::check(spec.program, zoo::library()).subjects.back().hash);
    for (const std::string& name : spec.tasks) {
      const capability::Task& task = *capability::find_task(name);
      record::CapabilityTask done{.task = name, .outcome = record::CapabilityOutcome::kDone};
      for (const std::int64_t length : task.lengths)
        done.scores.push_back({.task = name,
                               .length = length,
                               .accuracy = 0.75,
                               .error = 0.01,
                               .chance = task.chance,
                               .answers = 100});
      out.tasks.push_back(std::move(done));
    }
    return out;
  }
  [[nodiscard]] record::TrialResult result_of(const record::TrialSpec& spec) const {
    record::TrialResult r;
    r.status = record::Status::kDone;
    Random random(mix(hash64(spec.program), spec.seed + spec.start));
    r.valid_documents = spec.valid_documents;
    set_score(r, 2 + 0.5 * Random(hash64(spec.program)).uniform() + 0.01 * random.normal());
    for (const std::string_view name : record::kAnchors)
      r.anchors.push_back({std::string(name), true, "pretended"});
    r.width = 16;
    r.params = spec.params;
    r.tokens = spec.tokens;
    r.rate = spec.rate;
    r.input_rate = spec.input_rate;
    r.output_rate = spec.output_rate;
    r.first_loss = 6;
    r.last_loss = 2 * r.bits_per_byte;
    r.unread_tokens = spec.unread_tokens;
    r.train_flops_per_token = 6 * static_cast<double>(spec.params);
    if (hashed_vocab != 0) {
      const lang::Subject design = sized(spec);
      r.hash = to_hex(design.hash);
      r.train_flops_per_token =
          ir::token_costs(design.facts, design.elaboration.graph.env, spec.sequences, spec.length)
              .train_flops;
    }
    r.text_hash = std::to_string(spec.seed);
    r.weights_hash =
        std::to_string(mix(mix(random.next(), static_cast<std::uint64_t>(spec.params)),
                           hash64(fmt::format("{} {} {}", spec.rate, spec.length, spec.tokens))));
    constexpr int kPoints = 20;
    for (int i = 1; i <= kPoints; ++i) {
      const double loss = r.bits_per_byte + 3.0 / i;
      const record::Point p{.step = i,
                            .tokens = spec.tokens * i / kPoints,
                            .loss = loss,
                            .gradient_norm = 1,
                            .rate = 1,
                            .recent = loss};
      for (const record::Hurdle& h : spec.hurdles)
        if (p.tokens >= h.tokens && p.tokens < h.tokens + spec.tokens / kPoints && p.recent > h.loss)
          r.status = record::Status::kHurdle;
      r.curve.push_back(p);
      r.tokens = p.tokens;
      if (r.status == record::Status::kHurdle) break;
    }
    return r;
  }

  int slots_, microseconds_;
  Change change_;
  bool stopped_ = false;
  std::deque<jobs::Job> queue_;
};

// A screener that only checks types, for tests of what a campaign does with any designs.
class QuickScreener : public Screener {
 public:
  Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                       const evolve::Population& population) override {
    GABBRO_TRY(created, measure(offspring.program, population.settings()));
    if (const auto* known = population.design_with_identity(created.trained))
      return fail("duplicate", known->name + " has the same structure");
    created.provenance = offspring.provenance;
    created.parent = offspring.parent;
    created.second_parent = offspring.second_parent;
    return created;
  }
  Result<record::DesignCreated> measure(const lang::Program& program,
                                        const evolve::SearchSettings& settings) override {
    const lang::CheckReport report = lang::check(program, zoo::library());
    if (!report.valid()) return tl::unexpected(report.errors.front());
    const lang::Subject& subject = report.subjects.back();
    if (!subject.is_design) return fail("design", "the program contains no design");
    record::DesignCreated created;
    created.name = subject.name;
    created.program = lang::print(program);
    created.hash = created.trained = to_hex(subject.hash);
    created.species = evolve::species_of(subject.elaboration.graph);
    created.train_flops =
        6 * static_cast<double>(settings.rungs.front().params);  // as in results of FakeExecutor
    return created;
  }
  Result<std::string> find_equal(const record::DesignCreated& created,
                                 const evolve::Population& population) override {
    const auto* known = population.design_with_identity(created.trained);
    return known ? known->name : "";
  }
  Result<std::vector<evolve::Ablation>> ablations(const lang::Program& program,
                                                  const lang::Program* ancestor) override {
    return evolve::ablations(program, ancestor, zoo::library());
  }
};
inline std::shared_ptr<Screener> quick_screener() { return std::make_shared<QuickScreener>(); }

inline evolve::SearchSettings small_settings() {
  auto s = parse_settings(R"(
vocab = 64
blocks = 1
baselines = ["gpt2", "retnet"]
strategies = ["adaptive", "random"]
hurdle_runs = 4
tune_rates = false
final_seeds = 3
search_share = 0.6
[[rung]]
name = "low"
params = "20k"
tokens = "10k"
promote_fraction = 0.34
stop_fraction = 0.25
[[rung]]
name = "high"
params = "40k"
tokens = "20k"
depth = 2
designs = 6
promote_fraction = 0.5
[[rung]]
name = "top"
params = "60k"
tokens = "30k"
depth = 2
designs = 2
seeds = 2
)",
                          "small");
  GABBRO_CHECK(s.has_value());
  return *s;
}

inline CampaignPlan small_plan(std::uint64_t seed = 1) {
  CampaignPlan plan;
  plan.settings = small_settings();
  plan.corpus = "nowhere";
  plan.seed = seed;
  return plan;
}

// A temporary folder that is removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "gabbro-campaign-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace gabbro::campaign
