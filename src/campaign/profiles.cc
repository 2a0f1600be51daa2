// Rung 0: promoted designs, baselines and controls run the capability tasks, as jobs of the worker. The
// results do not influence the search.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "campaign/fault.h"
#include "campaign/state.h"
#include "capability/profile.h"
#include "evolve/comparison.h"
#include "record/job.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using evolve::Individual;
using record::CapabilityResult;

// Returns the designs that still need a profile: those that entered the second rung and a leader whose
// comparison has begun. As soon as there is one of these, all baselines and controls need one too.
std::vector<std::int64_t> Campaign::State::designs_to_profile() const {
  std::vector<std::int64_t> out;
  if (plan.settings.capabilities.empty() || plan.aa_test) return out;
  const evolve::Leader leader = evolve::leader(population);
  const bool has_comparison = evolve::comparison_of(population, leader) != nullptr;
  const auto chosen = [&](const Individual& i) {
    return !is_known(i) && !i.vetoed && !is_ablation(i) &&
           (i.entered > 0 || (has_comparison && i.created.id == leader.design));
  };
  const auto& all = population.individuals();
  if (std::none_of(all.begin(), all.end(), chosen)) return out;
  for (const Individual& i : all)
    if (!i.profile && !profiling.contains(i.created.id) && (is_known(i) || chosen(i)))
      out.push_back(i.created.id);
  return out;
}

// Returns the mean duration of the finished profiles; 0 if there is none.
double Campaign::State::mean_profile_seconds() const {
  double seconds = 0;
  int count = 0;
  for (const Individual& i : population.individuals())
    if (i.profile && i.profile->status == record::Status::kDone) seconds += i.profile->seconds, ++count;
  return count > 0 ? seconds / count : 0;
}

Result<bool> Campaign::State::start_profile(std::int64_t id, jobs::Executor& executor) {
  const Individual& design = population.individual(id);
  record::CapabilitySpec spec;
  spec.file = design.created.name;
  spec.program = design.created.program;
  spec.tasks = plan.settings.capabilities;
  spec.seed = plan.seed;
  spec.threads = plan.threads;
  spec.memory = plan.settings.worker_bytes;
  std::error_code error;
  const std::string folder = fs::absolute(paths.profile(id), error).string();
  if (const auto ok = submit_job(-id, folder, to_json(spec), plan.settings.worker_seconds, {}, "", executor);
      !ok)
    return ok;
  profiling[id] = {.design = id, .progress = {}};
  return true;
}

// Handles the end of a profile's job, which is tried as often as a run (tries_of). No check of the machine
// follows, since a profile decides nothing.
Result<bool> Campaign::State::handle_profile_end(const jobs::JobEnd& ended, bool stop_requested) {
  const std::int64_t id = -ended.id;
  profiling.erase(id);
  record::Profiled event{.design = id, .seconds = ended.seconds, .result = ended.result};
  std::string cause =
      ended.kind == jobs::JobEnd::Kind::kStopped ? "its worker stopped without a request" : ended.cause;
  Fault fault = fault_of(ended.kind, /*can_continue=*/false);
  if (ended.kind == jobs::JobEnd::Kind::kResult) {
    const auto result = record::parse_capability_result(ended.result);
    const std::string why = result ? capability::misfit(plan.settings.capabilities,
                                                        population.individual(id).created.hash, *result)
                                   : "";
    if (!result)
      fault = Fault::kReport, cause = result.error().message;
    else if (result->status == record::Status::kStopped)
      fault = Fault::kWorker, cause = "its worker stopped without a request";
    else if (!why.empty())
      fault = Fault::kReport, cause = record::inconsistent(why).message;
    else if (result->status == record::Status::kFailed)
      fault = Fault::kReport;
  }
  if (stop_requested && is_interruption(fault)) return true;
  const int count = ++end_counts[{ended.id, fault}];
  if (count < tries_of(fault).max_ends) return true;  // designs_to_profile returns it again
  if (fault == Fault::kCluster)
    return fail_for_cluster(fmt::format("the capabilities of design {}", id), count, cause);
  if (!cause.empty()) event.result = record::failure(CapabilityResult::kJob, cause, record::Cause::kWorker);
  return record({event});
}

}  // namespace gabbro::campaign
