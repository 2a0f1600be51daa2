// Runs of a campaign: their specs, and the handling of their results.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "campaign/fault.h"
#include "campaign/state.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/job.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using evolve::Individual;
using evolve::Rung;
using evolve::RunRequest;
using record::Cause;
using record::Event;

namespace {

constexpr std::uint64_t kMinFreeDisk = 64 << 20;  // bytes that stay free beside what a run writes
constexpr char kCheckpoint[] = "checkpoint.safetensors";
constexpr char kStoppedUnasked[] = "its worker stopped without a request";

}  // namespace

Result<record::TrialSpec> spec_of(const CampaignPlan& plan, const record::DesignCreated& created,
                                  const record::TrialBegun& begun) {
  const Rung& r = plan.settings.rungs.at(static_cast<std::size_t>(begun.rung));
  record::TrialSpec spec;
  spec.program = created.program;
  if (r.depth != 1) {
    const lang::ParseResult parsed = lang::parse(created.program);
    if (!parsed.errors.empty()) return tl::unexpected(parsed.errors.front());
    spec.program = lang::print(evolve::deepened(parsed.program, r.depth));
  }
  spec.corpus = plan.corpus;
  spec.corpus_hash = plan.corpus_hash;
  spec.params = r.params;
  spec.tokens = r.tokens;
  spec.sequences = r.sequences;
  spec.length = r.length;
  spec.rate = r.rate * begun.rate;
  spec.optimizer = plan.settings.optimizer;
  spec.input_rate = plan.settings.input_rate;
  spec.output_rate = plan.settings.output_rate;
  spec.dtype = plan.settings.dtype.value_or(record::Dtype::kFloat32);
  spec.seed = begun.seed;
  spec.engine = r.engine;
  spec.device = r.device;
  spec.gpus = r.gpus;
  spec.compile = r.compile;
  spec.threads = plan.threads;
  spec.memory = plan.settings.worker_bytes;
  spec.valid_documents = static_cast<std::uint64_t>(evolve::documents_of(r, evolve::is_verdict_run(begun)));
  spec.document_tokens = static_cast<std::uint64_t>(r.document_tokens);
  if (evolve::is_verdict_run(begun)) spec.unread_tokens = evolve::kUnreadTokens;
  spec.thorough = evolve::is_recheck(begun);
  if (created.origin == record::Origin::kAaReplicate)
    spec.start = mix(plan.seed, static_cast<std::uint64_t>(created.id)) | 1;
  return spec;
}

// Returns the mean duration of finished runs at a rung. If there are none, it is extrapolated from the
// highest rung below that has some; 0 if no rung has.
double Campaign::State::expected_seconds(int r) const {
  if (const auto own = durations.find(r); own != durations.end()) return own->second.mean();
  for (int below = r - 1; below >= 0; --below)
    if (const auto lower = durations.find(below); lower != durations.end())
      return lower->second.mean() * training_cost(r) / training_cost(below);
  return 0;
}

Result<bool> Campaign::State::start_run(const RunRequest& wanted, jobs::Executor& executor) {
  std::vector<Event> events;
  if (!wanted.promotion.empty())
    events.emplace_back(
        record::Promoted{.design = wanted.design, .rung = wanted.rung, .reason = wanted.promotion});
  const record::TrialBegun begun{.id = static_cast<std::int64_t>(population.trials().size()) + 1,
                                 .design = wanted.design,
                                 .rung = wanted.rung,
                                 .seed = wanted.seed,
                                 .purpose = wanted.purpose,
                                 .rate = wanted.rate};
  events.emplace_back(begun);
  if (const auto ok = record(events); !ok) return ok;
  return submit_run(begun, executor);
}

// Takes over the jobs that an earlier process has started and that still run, or have ended meanwhile. What a
// check of the machine was to judge is not recorded, so its job is of no use, and neither is one whose end is
// recorded.
void Campaign::State::attach(jobs::Executor& executor) {
  const auto is_open_run = [&](std::int64_t id) {
    return id > 0 && id <= static_cast<std::int64_t>(population.trials().size()) &&
           !population.trial(id).ended;
  };
  const auto is_open_profile = [&](std::int64_t design) {
    return design > 0 && design <= static_cast<std::int64_t>(population.individuals().size()) &&
           !population.individual(design).profile;
  };
  for (const auto& [id, continues] : executor.attached()) {
    if (is_open_run(id)) {
      running[id] = {.trial = id, .progress = {}};
      if (continues && !population.trial(id).begun.anew) continued_runs.insert(id);
      std::erase_if(restarts, [run = id](const record::TrialBegun& begun) { return begun.id == run; });
    } else if (is_open_profile(-id)) {
      profiling[-id] = {.design = -id, .progress = {}};
    } else {
      executor.discard(id);
    }
  }
}

// Submits a job of the worker in a folder of its own.
Result<bool> Campaign::State::submit_job(std::int64_t id, const std::string& folder, const std::string& spec,
                                         double seconds, const std::vector<std::string>& reads,
                                         const std::string& rung_name, jobs::Executor& executor) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", folder, error.message()));
  const std::string spec_file = folder + "/spec.json", log = folder + "/log";
  // An earlier worker may have left anything under these names.
  for (const std::string& file : {spec_file, log})
    if (!fs::is_regular_file(fs::symlink_status(file, error)))
      if (const auto ok = clear_path(file); !ok) return ok;
  if (const auto ok = replace_file(spec_file, spec); !ok) return ok;
  GABBRO_TRY(engine, record::engine_of(spec));
  return executor.start(
      {.id = id,
       .spec_file = spec_file,
       .result_file = folder + "/result.json",
       .limits = {.seconds = seconds, .memory_bytes = static_cast<std::uint64_t>(plan.settings.worker_bytes)},
       .log_file = log,
       .reads = reads,
       .devices = engine.device != "cpu",
       .python = engine.engine == record::Engine::kPyTorch,
       .multi_process = engine.gpus > 1,
       .rung = rung_name,
       .threads = plan.threads,
       .gpus = engine.device != "cpu" ? engine.gpus : 0,
       .continues = continued_runs.contains(id)});
}

bool Campaign::State::has_free_disk() const {
  std::error_code error;
  const fs::space_info disk = fs::space(paths.dir, error);
  return error || disk.available >= kMinFreeDisk;
}

// Returns why the disk has no room for a run beside those in progress, or "". A checkpoint holds each
// parameter and its two moments, and a new one is written before the previous one is removed.
std::string Campaign::State::why_no_room(const record::TrialBegun& begun,
                                         const jobs::Executor& executor) const {
  constexpr std::uint64_t kBytesPerParameter = 3 * sizeof(float);
  const auto free = executor.free_bytes(paths.dir);
  if (!free) return "";
  // With room for two checkpoints of each run, nothing is looked up on a file system that may be slow.
  std::uint64_t most =
      kMinFreeDisk + 2 * kBytesPerParameter * static_cast<std::uint64_t>(rung(begun.rung).params);
  for (const auto& [id, run] : running)
    most += 2 * kBytesPerParameter * static_cast<std::uint64_t>(rung(population.trial(id).begun.rung).params);
  if (*free >= most) return "";
  std::uint64_t needed = kMinFreeDisk;
  const auto add = [&](const record::TrialBegun& run) {
    std::error_code error;
    const bool has_checkpoint = fs::is_regular_file(
        fs::symlink_status(fmt::format("{}/{}", paths.trial(run.id), kCheckpoint), error));
    needed +=
        (has_checkpoint ? 1 : 2) * kBytesPerParameter * static_cast<std::uint64_t>(rung(run.rung).params);
  };
  add(begun);
  bool is_alone = true;
  for (const auto& [id, run] : running) {
    if (id == begun.id) continue;
    add(population.trial(id).begun);
    is_alone = false;
  }
  if (*free >= needed) return "";
  return fmt::format("only {} MiB are left on the disk of {}, but run {}{} needs {} MiB", *free >> 20,
                     paths.dir, begun.id, is_alone ? "" : " beside those in progress", needed >> 20);
}

// Returns the time limit of a run in seconds. It grows with the work of its rung, and with thorough checks.
double Campaign::State::seconds_limit(const record::TrialBegun& begun) const {
  constexpr double kRecheckCost = 4;
  return plan.settings.worker_seconds * std::max(1.0, training_cost(begun.rung) / training_cost(0)) *
         (evolve::is_recheck(begun) ? kRecheckCost : 1);
}

// Returns true if hurdles (early-stopping thresholds) apply to a run. They apply to runs of the search whose
// design a strategy proposed.
bool Campaign::State::may_be_stopped_early(const record::TrialBegun& begun) const {
  const Individual& design = population.individual(begun.design);
  return is_candidate(design) && !is_user_design(design) && !evolve::is_verdict_run(begun) &&
         begun.purpose != record::Purpose::kRate && begun.purpose != record::Purpose::kByHand;
}

Result<bool> Campaign::State::submit_run(const record::TrialBegun& begun, jobs::Executor& executor) {
  std::error_code error;
  if (const std::string why = why_no_room(begun, executor); !why.empty())
    return fail(
        "io", why,
        fmt::format("free some space, then continue with `gabbro resume {}`; nothing was lost", paths.dir));
  const Rung& r = rung(begun.rung);
  GABBRO_TRY(spec, spec_of(plan, population.individual(begun.design).created, begun));
  spec.folder = fs::absolute(paths.trial(begun.id), error);
  const std::vector<double> losses = evolve::hurdles(population, begun.rung, begun.seed);
  for (std::size_t h = 0; h < losses.size(); ++h)
    if (may_be_stopped_early(begun) && std::isfinite(losses[h]))
      spec.hurdles.push_back(
          {.tokens = static_cast<std::int64_t>(plan.settings.hurdles[h] * static_cast<double>(r.tokens)),
           .loss = losses[h]});
  // Runs of one rung and seed read the same text. The first run of a known architecture determines which.
  for (const evolve::Trial& t : population.trials())
    if (t.begun.rung == begun.rung && t.begun.seed == begun.seed && t.ended &&
        t.status == record::Status::kDone && is_trusted(t)) {
      spec.text_hash = t.text_hash;
      break;
    }
  if (!population.trial(begun.id).begun.anew && fs::exists(spec.folder + "/" + kCheckpoint, error))
    continued_runs.insert(begun.id);
  else
    continued_runs.erase(begun.id);
  if (const auto ok = submit_job(begun.id, spec.folder, to_json(spec), seconds_limit(begun), {plan.corpus},
                                 r.name, executor);
      !ok)
    return ok;
  running[begun.id] = {.trial = begun.id, .progress = {}};
  return true;
}

namespace {

// Returns why the documents of a result differ from those of `trusted`; "" if they agree. `trusted` may lack
// the first documents of its run (evolve::Trial::documents).
std::string why_other_documents(const std::vector<record::DocumentScore>& documents,
                                const evolve::Trial& trusted) {
  const std::size_t kept = trusted.documents.size();
  if (kept > documents.size())
    return fmt::format("scored on {} documents, but run {} on {} or more", documents.size(), trusted.begun.id,
                       kept);
  for (std::size_t k = 0; k < kept; ++k) {
    const std::size_t index = documents.size() - kept + k;
    if (documents[index].bytes != trusted.documents[k].bytes)
      return fmt::format("document {} has {} bytes, but in run {} it has {}", index + 1,
                         documents[index].bytes, trusted.begun.id, trusted.documents[k].bytes);
  }
  return "";
}

}  // namespace

// Returns why `r` cannot be the result of `trial`, or "". A worker wrote it, so its numbers are checked
// against independent sources.
std::string Campaign::State::why_implausible(const record::TrialResult& r, const evolve::Trial& trial) const {
  auto spec = spec_of(plan, population.individual(trial.begun.design).created, trial.begun);
  if (!spec) return spec.error().message;
  // The hurdles that the run had are not recorded; any hurdle makes an early stop plausible.
  if (may_be_stopped_early(trial.begun)) spec->hurdles.emplace_back();
  if (std::string why = record::misfit(*spec, r); !why.empty()) return why;
  if (r.status == record::Status::kStopped || r.status == record::Status::kFailed) return "";
  if (std::string why = why_wrong_cost(r, trial); !why.empty()) return why;
  if (std::string why = why_wrong_design(r, trial); !why.empty()) return why;
  if (r.status != record::Status::kDone) return "";
  if (std::string why = why_repeated(r, trial); !why.empty()) return why;
  // Only known architectures are trusted: otherwise the first run to finish would determine which text is
  // correct.
  for (const evolve::Trial& t : population.trials()) {
    if (t.begun.rung != trial.begun.rung || !t.ended || t.status != record::Status::kDone || !is_trusted(t))
      continue;
    if (t.begun.seed == trial.begun.seed && t.text_hash != r.text_hash)
      return fmt::format("it was trained on text {}, but run {} on {}", r.text_hash, t.begun.id, t.text_hash);
    // Verdict runs are scored on more documents.
    if (evolve::is_verdict_run(t) != evolve::is_verdict_run(trial)) continue;
    if (t.valid_documents != r.valid_documents || t.valid_bytes != r.valid_bytes)
      return fmt::format("scored on {} documents of {} bytes, but run {} on {} of {}", r.valid_documents,
                         r.valid_bytes, t.begun.id, t.valid_documents, t.valid_bytes);
    if (std::string why = why_other_documents(r.documents, t); !why.empty()) return why;
  }
  return "";
}

// Returns why `r` is the result of another run of the same design, on another seed or text or at another
// learning rate, or "". Training is deterministic, so a run that is repeated gives the same weights.
std::string Campaign::State::why_repeated(const record::TrialResult& r, const evolve::Trial& trial) const {
  // Different seeds read different texts, unless the corpus is almost empty.
  const auto seeds_have_different_texts = [&] {
    for (const evolve::Trial& a : population.trials())
      for (const evolve::Trial& b : population.trials())
        if (a.status == record::Status::kDone && b.status == record::Status::kDone && is_trusted(a) &&
            is_trusted(b) && a.begun.rung == b.begun.rung && a.text_hash != b.text_hash)
          return true;
    return false;
  };
  for (const std::int64_t id : population.individual(trial.begun.design).trials) {
    const evolve::Trial& t = population.trial(id);
    if (id == trial.begun.id || !t.ended || t.status != record::Status::kDone ||
        t.begun.rung != trial.begun.rung)
      continue;
    const bool is_same = t.begun.seed == trial.begun.seed && t.begun.rate == trial.begun.rate;
    if (!is_same && t.weights_hash == r.weights_hash)
      return fmt::format("it has the weights of run {}: {}", id, r.weights_hash);
    if (t.begun.seed != trial.begun.seed && t.text_hash == r.text_hash && seeds_have_different_texts())
      return fmt::format("it was trained on the text of run {}: {}", id, r.text_hash);
  }
  return "";
}

// Returns why the design cannot have the cost that `r` reports, or "". The screen measured the cost per token
// at the first rung. At higher rungs it grows at most in proportion to parameters, length and depth, and
// inversely to the tokens of a step, which share the work that depends on parameters alone.
std::string Campaign::State::why_wrong_cost(const record::TrialResult& r, const evolve::Trial& trial) const {
  // Earlier versions of the program counted FLOPs differently. This tolerance does no harm, since strategies
  // are charged `known`, not what workers report.
  constexpr double kTolerance = 8;
  const double known = population.individual(trial.begun.design).created.train_flops;
  if (!(known > 0)) return "";
  const Rung &first = this->rung(0), &own = this->rung(trial.begun.rung);
  const double params = static_cast<double>(own.params) / static_cast<double>(first.params),
               length = static_cast<double>(own.length) / static_cast<double>(first.length),
               fewer_tokens = static_cast<double>(first.sequences * first.length) /
                              static_cast<double>(own.sequences * own.length);
  const double most = known * kTolerance * std::max(1.0, params) * std::max(1.0, length) *
                      std::max(1.0, own.depth) * std::max(1.0, fewer_tokens);
  const double least = trial.begun.rung == 0 ? known / kTolerance : 0;
  if (r.train_flops_per_token >= least && r.train_flops_per_token <= most) return "";
  return fmt::format("{:.3g} FLOPs per token, but the design has {:.3g} at {}", r.train_flops_per_token,
                     known, first.name);
}

// Returns why a run was scored on the wrong held-out text, or "". The text must be that of the runs of known
// architectures on the same documents. Without such a run, nothing is refused.
std::string Campaign::State::why_wrong_held_out_text(const std::string& hash,
                                                     const record::TrialBegun& begun) const {
  if (hash.empty()) return "";
  // Verdict runs are scored on more documents than those of the search. Rungs may use the same ones.
  const auto documents_scored = [&](const record::TrialBegun& b) {
    const Rung& own = this->rung(b.rung);
    return std::pair(evolve::documents_of(own, evolve::is_verdict_run(b)), own.document_tokens);
  };
  for (const evolve::Trial& t : population.trials()) {
    // Results of older versions have no such hashes.
    if (t.status != record::Status::kDone || t.held_out_hash.empty() || !is_trusted(t) ||
        documents_scored(t.begun) != documents_scored(begun))
      continue;
    if (t.held_out_hash != hash)
      return fmt::format("run {} was scored on held-out text {}, but run {} on {}", begun.id, hash,
                         t.begun.id, t.held_out_hash);
  }
  return "";
}

// Returns why `r` is the result of another design than the requested one, or "". Without a hash to compare
// with, nothing is refused.
std::string Campaign::State::why_wrong_design(const record::TrialResult& r,
                                              const evolve::Trial& trial) const {
  const record::DesignCreated& created = population.individual(trial.begun.design).created;
  const auto rung_index = static_cast<std::size_t>(trial.begun.rung);
  const bool is_recorded = rung_index < created.sized.size();
  if (is_recorded && r.hash == created.sized[rung_index]) return "";
  // The record may be older than these hashes, or an earlier version of the program may have given the design
  // another size.
  const auto now = screener->measure(*population.individual(trial.begun.design).program, plan.settings);
  const bool is_measured = now && rung_index < now->sized.size();
  if ((!is_recorded && !is_measured) || (is_measured && r.hash == now->sized[rung_index])) return "";
  return fmt::format("it trained the design with hash {}, but {} has {} at {}", r.hash, created.name,
                     is_measured ? now->sized[rung_index] : created.sized[rung_index],
                     rung(trial.begun.rung).name);
}

// Returns true for a run of a known architecture or a copy of one, whose program is not from an untrusted
// source.
bool Campaign::State::is_trusted(const evolve::Trial& trial) const {
  const Individual& design = population.individual(trial.begun.design);
  return is_known(design) || is_replicate(design);
}

// Records the end of a run, begins the run again, or holds it for a check of the machine (tries_of).
Result<bool> Campaign::State::handle_run_end(const jobs::JobEnd& ended, bool stop_requested) {
  running.erase(ended.id);
  const evolve::Trial& trial = population.trial(ended.id);
  EndedRun end = read_end(ended, trial);
  if (end.fault == Fault::kDesign && !end.cause.empty() && continued_runs.contains(ended.id))
    end.fault = Fault::kContinued;
  end.event.seconds = run_seconds[ended.id] += ended.seconds;
  if (evolve::is_by_hand(trial)) return handle_end_by_hand(std::move(end), stop_requested);
  const Tries tries = tries_of(end.fault, trains_anew(trial));
  if (is_interruption(end.fault)) {
    tidy_folder(trial);
    if (end.fault == Fault::kCheckpoint)
      if (const auto ok = remove_checkpoint(ended.id); !ok) return ok;
    if (stop_requested) return true;  // a later session resumes it
  }
  const int count = ++end_counts[{ended.id, end.fault}];
  if (end.fault == Fault::kCluster && count >= tries.max_ends)
    return fail_for_cluster(fmt::format("run {}", ended.id), count, end.cause);
  const bool is_check_due = count > tries.unchecked_ends;
  // A known architecture needs no separate check, except for wrong numbers: its learning rate may be too
  // large.
  if (is_trusted(trial) && end.fault != Fault::kNumbers && (is_check_due || end.fault == Fault::kLimit))
    return fail_for_known_design(trial, end);
  if (is_check_due) return hold_for_check(std::move(end));
  if (count >= tries.max_ends) return record_end(std::move(end.event));
  if (end.fault == Fault::kContinued) {
    // Once only, so that a run which never fits into one session ends all the same.
    continued_runs.erase(ended.id);
    if (const auto ok = remove_checkpoint(ended.id); !ok) return ok;
    record::TrialBegun again = trial.begun;
    again.anew = true;
    if (const auto ok = record({again}); !ok) return ok;
  }
  restarts.push_back(trial.begun);
  return true;
}

// Records the end of a run by hand, or leaves it open for another try. It decides nothing, so its failure is
// recorded as it is: no check of the machine follows, and no session ends.
Result<bool> Campaign::State::handle_end_by_hand(EndedRun end, bool stop_requested) {
  const evolve::Trial& trial = population.trial(end.event.id);
  if (is_interruption(end.fault)) {
    tidy_folder(trial);
    if (end.fault == Fault::kCheckpoint)
      if (const auto ok = remove_checkpoint(end.event.id); !ok) return ok;
    if (stop_requested || ++end_counts[{end.event.id, end.fault}] < tries_of(end.fault).max_ends) return true;
  }
  return record_end(std::move(end.event));
}

// Returns the event that records the end of a run, and what may be at fault.
Campaign::State::EndedRun Campaign::State::read_end(const jobs::JobEnd& ended,
                                                    const evolve::Trial& trial) const {
  const auto failure = [&](Fault fault, record::RunEnd end, const std::string& cause) {
    return EndedRun{.event = {.id = ended.id,
                              .end = end,
                              .seconds = ended.seconds,
                              .result = record::failure("train", cause, Cause::kWorker)},
                    .cause = cause,
                    .fault = fault};
  };
  using Kind = jobs::JobEnd::Kind;
  using record::RunEnd;
  if (ended.kind != Kind::kResult)
    return failure(fault_of(ended.kind, is_verdict_run(trial)),
                   ended.kind == Kind::kTimeLimit     ? RunEnd::kTimeLimit
                   : ended.kind == Kind::kMemoryLimit ? RunEnd::kMemoryLimit
                   : ended.kind == Kind::kLimit       ? RunEnd::kLimit
                                                      : RunEnd::kCrash,
                   ended.kind == Kind::kStopped ? kStoppedUnasked : ended.cause);
  const auto result = record::parse_result(ended.result);
  if (!result) return failure(Fault::kReport, RunEnd::kCrash, result.error().message);
  if (result->status == record::Status::kStopped)
    return failure(Fault::kWorker, RunEnd::kCrash, kStoppedUnasked);
  if (result->status == record::Status::kDone)
    if (const std::string why = why_wrong_held_out_text(result->held_out_hash, trial.begun); !why.empty()) {
      EndedRun out = failure(Fault::kReport, RunEnd::kCrash, record::inconsistent(why).message);
      out.cause = "the held-out text changed: " + why;
      out.has_other_held_out_text = true;
      return out;
    }
  if (const std::string why = why_implausible(*result, trial); !why.empty())
    return failure(Fault::kReport, RunEnd::kCrash, record::inconsistent(why).message);
  // The result is written anew, without unknown fields that the file may hold.
  EndedRun out{
      .event = {.id = ended.id, .end = RunEnd::kResult, .seconds = ended.seconds, .result = to_json(*result)},
      .cause = result->cause,
      .fault = Fault::kDesign};
  if (result->status == record::Status::kFailed) {
    out.fault = fault_of(result->error, plan.settings.worker_bytes > 0);
    if (out.cause.empty()) out.cause = "the worker reported no cause";
  } else if (!record::speaks_of_design(*result)) {
    out.fault = Fault::kReport;
  }
  if (out.fault == Fault::kDesign && record::is_lost_for_numbers(*result)) out.fault = Fault::kNumbers;
  return out;
}

// Ends the open runs of designs that were vetoed, whether they are in progress or still to be continued.
Result<bool> Campaign::State::end_vetoed_runs(jobs::Executor& executor) {
  std::vector<std::int64_t> vetoed;
  for (const evolve::Trial& t : population.trials())
    if (!t.ended && population.individual(t.begun.design).vetoed) vetoed.push_back(t.begun.id);
  for (const std::int64_t id : vetoed) {
    executor.discard(id);
    running.erase(id);
    std::erase_if(restarts, [&](const record::TrialBegun& begun) { return begun.id == id; });
    std::erase_if(runs_to_check, [&](const EndedRun& run) { return run.event.id == id; });
    if (machine_check) {
      std::erase_if(machine_check->runs, [&](const EndedRun& run) { return run.event.id == id; });
      if (machine_check->runs.empty()) {
        executor.discard(kMachineCheck);
        machine_check.reset();
      }
    }
    record::TrialResult result;
    result.status = record::Status::kStopped;
    result.cause = "its design was vetoed";
    result.design = population.individual(population.trial(id).begun.design).created.name;
    if (const auto ok = record_end({.id = id,
                                    .end = record::RunEnd::kResult,
                                    .seconds = run_seconds[id],
                                    .result = to_json(result)});
        !ok)
      return ok;
  }
  return true;
}

// Returns the error that ends the session when the cluster ends a job again and again. Nothing is recorded.
Result<bool> Campaign::State::fail_for_cluster(const std::string& job, int ends,
                                               const std::string& cause) const {
  return fail(
      "campaign", fmt::format("the cluster ended {} {} times; last: {}", job, ends, cause),
      fmt::format("give its rung a longer `time` or another partition in {}/slurm.toml, then continue "
                  "with `gabbro resume {}`; nothing was lost",
                  paths.dir, paths.dir));
}

// Returns the error that ends the session when a known architecture fails. Its end is not recorded, and the
// run begins again when the campaign resumes.
Result<bool> Campaign::State::fail_for_known_design(const evolve::Trial& trial, const EndedRun& run) const {
  return fail(
      "campaign",
      fmt::format("no run can be trained: run {} of {} failed: {}", trial.begun.id,
                  population.individual(trial.begun.design).created.name, run.cause),
      fmt::format("fix the cause, then continue with `gabbro resume {}`; nothing was lost{}", paths.dir,
                  run.fault == Fault::kLimit
                      ? "; if a limit of the preset is the cause, start another campaign"
                      : ""));
}

// Records the end of a run. Without a result, its folder is tidied first, since the record needs space on the
// same disk.
Result<bool> Campaign::State::record_end(record::TrialEnded event) {
  const std::int64_t id = event.id;
  const evolve::Trial& trial = population.trial(id);
  if (event.end != record::RunEnd::kResult) tidy_folder(trial);
  if (const auto ok = record({std::move(event)}); !ok) return ok;
  tidy_folder(trial);
  return true;
}

Result<bool> Campaign::State::remove_checkpoint(std::int64_t trial) const {
  return clear_path(fmt::format("{}/{}", paths.trial(trial), kCheckpoint));
}

// Removes what nobody reads from the folder of a run: the checkpoint once the run has ended or if the disk is
// full, the weights if it has no score or is at the first of several rungs, and all other files, with which a
// malicious worker may fill the disk.
void Campaign::State::tidy_folder(const evolve::Trial& trial) const {
  const bool has_score =
      trial.ended && (trial.status == record::Status::kDone || trial.status == record::Status::kRefused);
  std::set<std::string> kept{"spec.json", "log", "result.json", "curve.jsonl"};
  if (has_score && (trial.begun.rung > 0 || plan.settings.rungs.size() == 1))
    kept.insert("weights.safetensors");
  if (!trial.ended && has_free_disk()) kept.insert(kCheckpoint);
  std::error_code error;
  std::vector<fs::path> removed;
  for (fs::directory_iterator entry(paths.trial(trial.begun.id), error), end; !error && entry != end;
       entry.increment(error))
    if (!kept.contains(entry->path().filename()) || fs::is_directory(entry->symlink_status(error)))
      removed.push_back(entry->path());
  for (const fs::path& path : removed) fs::remove_all(path, error);
}

}  // namespace gabbro::campaign
