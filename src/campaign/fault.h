// Classifies the ends of jobs by what may be at fault, and says how often a job is tried.
#pragma once

#include <cstdint>

#include "jobs/jobs.h"
#include "record/cause.h"

namespace gabbro::campaign {

/// Says what may be at fault for the end of a job.
enum class Fault : std::uint8_t {
  kDesign,      // nothing but the design: the result counts, whether it has a score or not
  kNumbers,     // its losses diverged or are not finite, or a check of its weights fails
  kContinued,   // it has no score, and continued from a checkpoint, which may hold the wrong numbers of an
                // earlier process
  kLimit,       // a limit of the plan
  kLate,        // the time limit of a run that can continue; a busy machine reaches it earlier
  kCluster,     // the cluster ended the job: a node failed, a preemption, its time limit, scancel
  kWorker,      // a process was killed, left no result, or stopped without a request
  kCheckpoint,  // its checkpoint cannot be read; the run can start again without it
  kReport,      // the machine, as its worker reports (disk, memory, device, corpus, an exception), or the
                // worker itself, whose result is invalid or contradicts its spec
};

/// Limits how often a job may end by one fault. A broken machine, a replaced worker and a bad design look
/// alike, so a check of the machine (a few training steps of a known architecture) distinguishes them before
/// an end counts against a design. A known architecture is its own check: where a check is due, its failure
/// ends the session and is not recorded. Only its wrong numbers are checked by another known architecture,
/// since its learning rate may be too large.
struct Tries {
  int unchecked_ends = 0;  // Every end after this many is followed by a check of the machine.
  int max_ends = 0;        // The end of this number is recorded as the job's, if the machine works.
};

/// A job that the cluster has ended this often in a session ends the session. It never counts against a
/// design.
inline constexpr int kMostClusterEnds = 100;

/// Returns the limits for one fault. After wrong numbers, a run that `trains_anew` is trained once more, from
/// its start: training is deterministic, so a design would compute them again. So is a run that continued
/// from a checkpoint and ended without a score for any other reason.
constexpr Tries tries_of(Fault fault, bool trains_anew = false) {
  switch (fault) {
    case Fault::kDesign:
    case Fault::kLimit:
      return {.unchecked_ends = 1, .max_ends = 1};
    case Fault::kContinued:
      return {.unchecked_ends = 1, .max_ends = 2};
    case Fault::kNumbers:
      return {.unchecked_ends = 0, .max_ends = trains_anew ? 2 : 1};
    case Fault::kLate:
    case Fault::kWorker:
    case Fault::kCheckpoint:
      return {.unchecked_ends = 2, .max_ends = 3};
    case Fault::kReport:
      return {.unchecked_ends = 0, .max_ends = 2};
    case Fault::kCluster:
      return {.unchecked_ends = kMostClusterEnds, .max_ends = kMostClusterEnds};
  }
  return {};
}

/// Returns true if the job was cut short, like one that is asked to stop, so that starting it again may
/// finish it.
constexpr bool is_interruption(Fault fault) {
  return fault == Fault::kLate || fault == Fault::kCluster || fault == Fault::kWorker ||
         fault == Fault::kCheckpoint;
}

/// Returns the fault by how a worker ended. `can_continue`: after its time limit, the job can continue from a
/// checkpoint.
constexpr Fault fault_of(jobs::JobEnd::Kind kind, bool can_continue) {
  using Kind = jobs::JobEnd::Kind;
  switch (kind) {
    case Kind::kResult:
      return Fault::kDesign;
    case Kind::kTimeLimit:
      return can_continue ? Fault::kLate : Fault::kLimit;
    case Kind::kMemoryLimit:
    case Kind::kLimit:
      return Fault::kLimit;
    case Kind::kCrash:
    case Kind::kStopped:
      return Fault::kWorker;
    case Kind::kCluster:
      return Fault::kCluster;
  }
  return Fault::kWorker;
}

/// Returns the fault of an error that a worker reports. `has_memory_limit`: the plan limits its memory;
/// without a limit, its memory is what the machine has left at that moment.
constexpr Fault fault_of(record::Cause error, bool has_memory_limit) {
  switch (error) {
    case record::Cause::kNone:
      return Fault::kDesign;
    case record::Cause::kMemory:
      return has_memory_limit ? Fault::kLimit : Fault::kReport;
    case record::Cause::kWorker:  // one of the worker's processes has ended
      return Fault::kWorker;
    case record::Cause::kCheckpoint:
      return Fault::kCheckpoint;
    default:
      return Fault::kReport;
  }
}

}  // namespace gabbro::campaign
