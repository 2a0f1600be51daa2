// The check of the machine: a few training steps of a known architecture, which distinguish a design that
// fails from a machine on which every run would.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "campaign/state.h"
#include "evolve/comparison.h"
#include "record/job.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using evolve::Individual;

// Returns the known architecture that a check after `run` trains; null if there is none. After wrong numbers,
// it is another design that has a score at the rung, since a known architecture may compute wrong numbers of
// its own there.
const Individual* Campaign::State::check_design_for(const EndedRun& run) const {
  const record::TrialBegun& begun = population.trial(run.event.id).begun;
  const auto& trials = population.trials();
  const auto is_suitable = [&](const Individual& i) {
    if (!evolve::is_known(i)) return false;
    if (run.fault != Fault::kNumbers) return true;
    return i.created.id != begun.design && std::any_of(trials.begin(), trials.end(), [&](const auto& t) {
             return t.begun.design == i.created.id && t.begun.rung == begun.rung &&
                    t.status == record::Status::kDone;
           });
  };
  const auto& designs = population.individuals();
  const auto found = std::find_if(designs.begin(), designs.end(), is_suitable);
  return found == designs.end() ? nullptr : &*found;
}

// Holds the end of a run back until a check of the machine has decided what is at fault.
Result<bool> Campaign::State::hold_for_check(EndedRun run) {
  // A checkpoint of wrong numbers would repeat them on a machine that works.
  if (run.fault == Fault::kNumbers)
    if (const auto ok = remove_checkpoint(run.event.id); !ok) return ok;
  if (check_design_for(run) == nullptr) return restart_or_record(std::move(run));
  const std::int64_t id = run.event.id;
  tidy_folder(population.trial(id));  // the check needs space on the same disk
  running[id] = {.trial = id, .progress = {}};
  runs_to_check.push_back(std::move(run));
  return true;
}

// Starts a few steps of a known architecture at the rung of the first run that waits. They take the memory of
// a whole run, and some seconds. The check judges all waiting runs at this rung for which it trains the same
// design and, like the first one, that are verdict runs or not. The others wait for a check of their own.
Result<bool> Campaign::State::start_machine_check(jobs::Executor& executor) {
  constexpr std::int64_t kSteps = 4;
  const auto begun_of = [&](const EndedRun& run) -> const record::TrialBegun& {
    return population.trial(run.event.id).begun;
  };
  const record::TrialBegun first = begun_of(runs_to_check.front());
  const Individual* known = check_design_for(runs_to_check.front());
  GABBRO_CHECK(known != nullptr);
  const auto others =
      std::stable_partition(runs_to_check.begin(), runs_to_check.end(), [&](const EndedRun& run) {
        return begun_of(run).rung == first.rung && check_design_for(run) == known &&
               evolve::is_verdict_run(begun_of(run)) == evolve::is_verdict_run(first);
      });
  machine_check =
      MachineCheck{.begun = {},
                   .spec = {},
                   .first_run = first,
                   .runs = {std::move_iterator(runs_to_check.begin()), std::move_iterator(others)}};
  runs_to_check.erase(runs_to_check.begin(), others);
  const record::TrialBegun begun{.id = kMachineCheck,
                                 .design = known->created.id,
                                 .rung = first.rung,
                                 .seed = plan.seed,
                                 .purpose = record::Purpose::kBaseline,
                                 .rate = population.rate_of(*known, first.rung)};
  GABBRO_TRY(spec, spec_of(plan, known->created, begun));
  std::error_code error;
  spec.folder = fs::absolute(paths.trial(kMachineCheck), error);
  fs::remove_all(spec.folder, error);  // an earlier process may have left it
  spec.tokens = std::min(spec.tokens, kSteps * spec.sequences * spec.length);
  // Hashes of held-out text are those of the scored documents, so the check scores the same documents.
  const bool compares_text = std::any_of(machine_check->runs.begin(), machine_check->runs.end(),
                                         [](const EndedRun& run) { return run.has_other_held_out_text; });
  spec.valid_documents =
      compares_text
          ? static_cast<std::uint64_t>(evolve::documents_of(rung(first.rung), evolve::is_verdict_run(first)))
          : 1;
  machine_check->begun = begun;
  machine_check->spec = spec;
  return submit_job(kMachineCheck, spec.folder, to_json(spec), seconds_limit(begun), {plan.corpus},
                    rung(first.rung).name, executor);
}

// Returns why a check has failed, or "". Its worker has to train the requested design, and to leave a result
// that fits its spec, with finite losses, and with weights that pass every anchor but that of the score.
std::string Campaign::State::why_not_trained(const MachineCheck& check, const jobs::JobEnd& ended) const {
  if (ended.kind != jobs::JobEnd::Kind::kResult)
    return ended.cause.empty() ? "its worker stopped without a request" : ended.cause;
  const auto result = record::parse_result(ended.result);
  if (!result) return result.error().message;
  if (result->status == record::Status::kStopped) return "its worker stopped without a request";
  if (!record::speaks_of_design(*result) || record::is_lost_for_numbers(*result))
    return result->cause.empty() ? "the worker reported no cause" : result->cause;
  std::string why = record::misfit(check.spec, *result);
  const evolve::Trial trial{.begun = check.begun};
  if (why.empty()) why = why_wrong_cost(*result, trial);
  if (why.empty()) why = why_wrong_design(*result, trial);
  return why.empty() ? "" : record::inconsistent(why).message;
}

// Handles the end of a check. The machine works if the worker trained and read the right text, and if the
// disk has room for the judged runs. Each of them is then started again, or recorded as its design's failure.
// Otherwise the session ends with an error.
Result<bool> Campaign::State::handle_machine_check_end(const jobs::JobEnd& ended, bool stop_requested,
                                                       const jobs::Executor& executor) {
  MachineCheck check = std::move(machine_check).value();
  machine_check.reset();
  std::error_code error;
  fs::remove_all(paths.trial(kMachineCheck), error);
  const bool by_cluster = ended.kind == jobs::JobEnd::Kind::kCluster;
  if (const int count = by_cluster ? ++end_counts[{ended.id, Fault::kCluster}] : 0; count >= kMostClusterEnds)
    return fail_for_cluster("the check of the machine", count, ended.cause);
  if (stop_requested || by_cluster) {  // a later check judges them, or a later session begins them again
    runs_to_check.insert(runs_to_check.begin(), std::move_iterator(check.runs.begin()),
                         std::move_iterator(check.runs.end()));
    return true;
  }
  std::string cause = why_not_trained(check, ended);
  const EndedRun* failed = &check.runs.front();
  const auto with_other_text = std::find_if(check.runs.begin(), check.runs.end(),
                                            [](const EndedRun& run) { return run.has_other_held_out_text; });
  if (cause.empty() && with_other_text != check.runs.end()) {
    failed = &*with_other_text;
    const std::string hash = record::parse_result(ended.result)->held_out_hash;
    if (!why_wrong_held_out_text(hash, check.first_run).empty())
      cause = "they were scored on held-out text " + hash;
  }
  distrusts_numbers = distrusts_numbers || (!cause.empty() && failed->fault == Fault::kNumbers);
  if (!cause.empty())
    return fail(
        "campaign",
        fmt::format("no run can be trained: run {} of design {} failed ({}), and a short test run of a "
                    "baseline failed too: {}",
                    failed->event.id, population.trial(failed->event.id).begun.design, failed->cause, cause),
        fmt::format("check the corpus, the free disk space and memory, and the worker and its libraries, "
                    "then continue with `gabbro resume {}`; nothing was lost",
                    paths.dir));
  for (EndedRun& run : check.runs) {
    // A run may need more of the disk than a few steps.
    if (const std::string why = why_no_room(population.trial(run.event.id).begun, executor); !why.empty())
      return fail(
          "io", fmt::format("{}; the run failed ({})", why, run.cause),
          fmt::format("free some space, then continue with `gabbro resume {}`; nothing was lost", paths.dir));
    running.erase(run.event.id);
    if (const auto ok = restart_or_record(std::move(run)); !ok) return ok;
  }
  return true;
}

// Returns true if a run with wrong numbers waits for a check, or is being checked.
bool Campaign::State::awaits_check_of_numbers() const {
  const auto has_wrong_numbers = [](const EndedRun& run) { return run.fault == Fault::kNumbers; };
  return std::any_of(runs_to_check.begin(), runs_to_check.end(), has_wrong_numbers) ||
         (machine_check &&
          std::any_of(machine_check->runs.begin(), machine_check->runs.end(), has_wrong_numbers));
}

// Returns true if wrong numbers of a run do not count against its design at once: one that judges, and one
// that continued from a checkpoint, which may hold the wrong numbers of an earlier process.
bool Campaign::State::trains_anew(const evolve::Trial& trial) const {
  return !trial.begun.anew && (is_verdict_run(trial) || continued_runs.contains(trial.begun.id));
}

// Begins a run again, or records its end if it has no tries left.
Result<bool> Campaign::State::restart_or_record(EndedRun run) {
  const std::int64_t id = run.event.id;
  if (end_counts[{id, run.fault}] >= tries_of(run.fault, trains_anew(population.trial(id))).max_ends)
    return record_end(std::move(run.event));
  record::TrialBegun again = population.trial(id).begun;
  if (run.fault == Fault::kNumbers) {  // its checkpoint is gone
    // Once only, in all sessions: a run that none of them can both continue and train anew ends all the same.
    again.anew = true;
    continued_runs.erase(id);
    if (const auto ok = record({again}); !ok) return ok;
  }
  restarts.push_back(again);
  return true;
}

}  // namespace gabbro::campaign
