// Faults to which the end of a job may be due, and how often a job that ends so is tried.
#pragma once

#include <cstdint>

#include "jobs/jobs.h"
#include "record/cause.h"

namespace gabbro::campaign {

enum class Fault : std::uint8_t {
  kDesign,      // none: it has a result, or is worse than bigrams
  kNumbers,     // its losses are not finite, or a check of its weights fails
  kLimit,       // a limit of the plan
  kLate,        // a limit of time, which a busy machine reaches earlier, of a run that can go on
  kWorker,      // a process was killed, left no result, or stopped without a request
  kCheckpoint,  // a file that the run can do without cannot be read
  kReport,  // what its worker reports: the disk, the memory, the device, the corpus, an exception, a spec or
            // a result that cannot be
};

/// Limits the ends of one kind. A machine that breaks, an exchanged worker and a design may look
/// alike, so a few steps of a known architecture tell them apart before an end counts against a design. A
/// known architecture is its own check: where a check is due, it ends the session instead, and loses nothing.
/// Only its numbers are checked by another one, since they may be those of a rate that is too large.
struct Tries {
  int unchecked = 0;  // Beyond this number of ends, each is followed by a check of the machine.
  int most = 0;       // The last of this number of ends is the run's, if the machine works.
};

/// A run that judges trains anew, from the start, after numbers that may have been the machine's once:
/// training is deterministic, so a design has them again.
constexpr Tries tries_of(Fault fault, bool judges = false) {
  switch (fault) {
    case Fault::kDesign:
    case Fault::kLimit:
      return {.unchecked = 1, .most = 1};
    case Fault::kNumbers:
      return {.unchecked = 0, .most = judges ? 2 : 1};
    case Fault::kLate:
    case Fault::kWorker:
    case Fault::kCheckpoint:
      return {.unchecked = 2, .most = 3};
    case Fault::kReport:
      return {.unchecked = 0, .most = 2};
  }
  return {};
}

/// Returns true if the job ended in between, as one does that is asked to stop.
constexpr bool is_interruption(Fault fault) {
  return fault == Fault::kLate || fault == Fault::kWorker || fault == Fault::kCheckpoint;
}

/// Returns the fault of a worker that left no result. `goes_on`: what it was late for can go on.
constexpr Fault fault_of(jobs::JobEnd::Kind kind, bool goes_on) {
  using Kind = jobs::JobEnd::Kind;
  switch (kind) {
    case Kind::kResult:
      return Fault::kDesign;
    case Kind::kTimeLimit:
      return goes_on ? Fault::kLate : Fault::kLimit;
    case Kind::kMemoryLimit:
    case Kind::kLimit:
      return Fault::kLimit;
    case Kind::kCrash:
    case Kind::kStopped:
      return Fault::kWorker;
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
    case record::Cause::kWorker:  // a process of it has ended
      return Fault::kWorker;
    case record::Cause::kCheckpoint:
      return Fault::kCheckpoint;
    default:
      return Fault::kReport;
  }
}

}  // namespace gabbro::campaign
