// The check of the machine: a few steps of a known architecture, which tell a design that fails from a
// machine on which every run would.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "campaign/state.h"
#include "evolve/comparison.h"
#include "record/job.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using evolve::Individual;

// Returns the known architecture whose training tells a design from the machine, or null. Numbers are
// compared with those of another design that was done at the rung, since a known architecture may have wrong
// ones of its own there.
const Individual* Campaign::State::witness_of(const RunFailure& failure) const {
  const record::TrialBegun& begun = population.trial(failure.event.id).begun;
  const auto& trials = population.trials();
  const auto can_tell = [&](const Individual& i) {
    if (!evolve::is_known(i)) return false;
    if (failure.fault != Fault::kNumbers) return true;
    return i.created.id != begun.design && std::any_of(trials.begin(), trials.end(), [&](const auto& t) {
             return t.begun.design == i.created.id && t.begun.rung == begun.rung &&
                    t.status == record::Status::kDone;
           });
  };
  const auto& designs = population.individuals();
  const auto found = std::find_if(designs.begin(), designs.end(), can_tell);
  return found == designs.end() ? nullptr : &*found;
}

// Holds a failure back until a check of the machine has decided whose it is.
Result<bool> Campaign::State::doubt(RunFailure failure) {
  if (witness_of(failure) == nullptr) return settle(std::move(failure));
  const std::int64_t id = failure.event.id;
  tidy_folder(population.trial(id));  // the check needs space on the same disk
  // A checkpoint of wrong numbers would repeat them on a machine that works.
  if (failure.fault == Fault::kNumbers)
    if (const auto ok = remove_checkpoint(id); !ok) return ok;
  running[id] = {id, {}};
  doubted.push_back(std::move(failure));
  return true;
}

// Starts a few steps of a known architecture at the rung of the first failure that waits. They take the
// memory of a whole run, and some seconds. The check judges the failures that are like the first one and
// happened before it began; the others wait for a check of their own.
Result<bool> Campaign::State::start_machine_check(jobs::Executor& executor) {
  constexpr std::int64_t kSteps = 4;
  const auto begun_of = [&](const RunFailure& d) -> const record::TrialBegun& {
    return population.trial(d.event.id).begun;
  };
  const record::TrialBegun first = begun_of(doubted.front());
  const Individual* known = witness_of(doubted.front());
  GABBRO_CHECK(known != nullptr);
  const auto waits = std::stable_partition(doubted.begin(), doubted.end(), [&](const RunFailure& d) {
    return begun_of(d).rung == first.rung && witness_of(d) == known &&
           evolve::is_verdict_run(begun_of(d)) == evolve::is_verdict_run(first);
  });
  machine_check = {{}, {}, first, {std::move_iterator(doubted.begin()), std::move_iterator(waits)}};
  doubted.erase(doubted.begin(), waits);
  const record::TrialBegun begun{
      kMachineCheck, known->created.id,          first.rung,
      plan.seed,     record::Purpose::kBaseline, population.rate_of(*known, first.rung)};
  GABBRO_TRY(spec, spec_of(plan, known->created, begun));
  std::error_code error;
  spec.folder = fs::absolute(paths.trial(kMachineCheck), error);
  fs::remove_all(spec.folder, error);  // an earlier process may have left it
  spec.tokens = std::min(spec.tokens, kSteps * spec.sequences * spec.length);
  // The hash of the held-out text is that of the documents that were scored.
  const bool is_of_text = std::any_of(machine_check->runs.begin(), machine_check->runs.end(),
                                      [](const RunFailure& d) { return d.is_of_held_out_text; });
  spec.valid_documents =
      is_of_text
          ? static_cast<std::uint64_t>(evolve::documents_of(rung(first.rung), evolve::is_verdict_run(first)))
          : 1;
  machine_check->own = begun;
  machine_check->spec = spec;
  return submit_job(kMachineCheck, spec.folder, to_json(spec), seconds_limit(begun), {plan.corpus}, executor);
}

// Returns why a check has failed, or "": its worker has to train the design that it was asked for, and to
// leave a result that can be, with finite losses and weights that pass every check but that of the score.
std::string Campaign::State::why_not_trained(const MachineCheck& check, const jobs::JobEnd& ended) const {
  if (ended.kind != jobs::JobEnd::Kind::kResult)
    return ended.cause.empty() ? "its worker stopped without a request" : ended.cause;
  const auto result = record::parse_result(ended.result);
  if (!result) return result.error().message;
  if (result->status == record::Status::kStopped) return "its worker stopped without a request";
  if (!record::speaks_of_design(*result) || record::is_lost_for_numbers(*result))
    return result->cause.empty() ? "the worker reported no cause" : result->cause;
  std::string why = record::misfit(check.spec, *result);
  const evolve::Trial trial{.begun = check.own};
  if (why.empty()) why = why_wrong_cost(*result, trial);
  if (why.empty()) why = why_wrong_design(*result, trial);
  return why.empty() ? "" : record::inconsistent(why).message;
}

// Handles the end of a check. If its worker trained and read the right text, and the disk has room for the
// runs that it judges, their ends are those of their designs.
Result<bool> Campaign::State::handle_machine_check_end(const jobs::JobEnd& ended, bool stop_requested,
                                                       const jobs::Executor& executor) {
  MachineCheck check = std::move(machine_check).value();
  machine_check.reset();
  std::error_code error;
  fs::remove_all(paths.trial(kMachineCheck), error);
  if (stop_requested) {  // a later check judges them, or a later session begins them again
    doubted.insert(doubted.begin(), std::move_iterator(check.runs.begin()),
                   std::move_iterator(check.runs.end()));
    return true;
  }
  std::string cause = why_not_trained(check, ended);
  const RunFailure* failed = &check.runs.front();
  const auto of_text = std::find_if(check.runs.begin(), check.runs.end(),
                                    [](const RunFailure& d) { return d.is_of_held_out_text; });
  if (cause.empty() && of_text != check.runs.end()) {
    failed = &*of_text;
    const std::string hash = record::parse_result(ended.result)->held_out_hash;
    if (!why_wrong_held_out_text(hash, check.begun).empty())
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
  for (RunFailure& d : check.runs) {
    // A run may need more of the disk than a few steps.
    if (const std::string why = why_no_room(population.trial(d.event.id).begun, executor); !why.empty())
      return fail(
          "io", fmt::format("{}; the run failed ({})", why, d.cause),
          fmt::format("free some space, then continue with `gabbro resume {}`; nothing was lost", paths.dir));
    running.erase(d.event.id);
    if (const auto ok = settle(std::move(d)); !ok) return ok;
  }
  return true;
}

// Begins a run again where the machine works, or records its end as its design's.
Result<bool> Campaign::State::settle(RunFailure failure) {
  const std::int64_t id = failure.event.id;
  const bool judges = is_verdict_run(population.trial(id));
  if (end_counts[{id, failure.fault}] >= tries_of(failure.fault, judges).most)
    return record_end(std::move(failure.event));
  restarts.push_back(population.trial(id).begun);
  return true;
}

}  // namespace gabbro::campaign
