// What a campaign writes down. The record is the sequence of these events; everything else that is known of a
// campaign follows from them.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

/// The first event: what the campaign is. `config` is its settings as TOML, complete: a campaign goes on by
/// what was written here.
struct CampaignBegun {
  static constexpr const char* kKind = "campaign";
  std::string config;
  std::uint64_t seed = 1;
  std::string version;  // of the program
};

/// A process works on the campaign from here on (`begins`), or has left it in good order.
struct Session {
  static constexpr const char* kKind = "session";
  bool begins = true;
  SessionEnd end = SessionEnd::kDone;  // unless it begins
  std::string sandbox;  // what stood around its workers (sandbox::Machine::text); empty: not known
};

/// A design came into being: a baseline, an offspring, an ablation. Ids count from 1 without gaps.
struct DesignCreated {
  static constexpr const char* kKind = "design";
  std::int64_t id = 0;
  std::int64_t attempt = 0;  // which draw of the campaign's random stream it came from; 0: none
  std::string name, program;
  std::string hash, fingerprint;  // of its structure, and of its first updates
  Origin origin = Origin::kSearch;
  std::string strategy;  // that drew it; "" of other origins
  std::string op;        // the operator, or the name of what a baseline or an ablation is
  std::int64_t parent = 0, second_parent = 0;  // designs; 0: none
  std::string species;                         // how it mixes tokens: "attention", "recurrence + shift" ...
  double train_flops = 0;                      // per token, at the size and context of the first rung
  double decode_flops = 0, state_bytes = 0;
  std::int64_t task = 0;  // of agents that wrote it; 0: none did
  double rate = 1;        // that it begins at, as a factor on the rungs' rates
  // Identity at the sizes of all rungs (evolve/identity.h); "" in records that did not have it yet.
  std::string trained;
  std::int64_t undecided =
      0;  // a design of one fingerprint with which it could not be compared within bounds; 0: none
  // Structural hashes at the sizes of the first rungs, of all where it has them: what workers report
  // (TrialResult::hash). Empty in records that did not have them yet.
  std::vector<std::string> sized;
};

/// A draw that became no design. `cause`: "edit" (no place for the operator), "duplicate", "fingerprint" (the
/// same function), "mixes nothing", "cost", "size" ...
struct Refused {
  static constexpr const char* kKind = "refusal";
  std::int64_t attempt = 0;
  std::string strategy, op, cause, detail;
  std::int64_t parent = 0;
  std::int64_t task = 0;
  Origin origin = Origin::kSearch;  // of what it would have become: an ablation has no strategy
};

/// A training run was given to a worker. Ids count from 1 without gaps; a trial that was lost with its
/// campaign is begun again under its id.
struct TrialBegun {
  static constexpr const char* kKind = "trial";
  std::int64_t id = 0, design = 0;
  int rung = 0;
  std::uint64_t seed = 1;
  Purpose purpose = Purpose::kRung;
  double rate = 1;  // factor on the rung's
};

/// It ended. `end` is how the worker ended ("result", "crash", "time limit", "memory limit", "limit" of
/// processes or files), `result` its TrialResult as JSON (made of the cause where the worker left none).
struct TrialEnded {
  static constexpr const char* kKind = "result";
  std::int64_t id = 0;
  RunEnd end = RunEnd::kResult;
  double seconds = 0;  // of the worker
  std::string result;
};

/// A design may enter a rung; `reason` gives the numbers.
struct Promoted {
  static constexpr const char* kKind = "promotion";
  std::int64_t design = 0;
  int rung = 0;
  std::string reason;
};

/// Agents were given a design to make. Ids count from 1 without gaps; a task that was lost with its campaign
/// is begun again under its id with its brief, so that what was answered already is not asked again.
struct TaskBegun {
  static constexpr const char* kKind = "task";
  std::int64_t id = 0;
  std::string strategy;
  Mode mode = Mode::kMutation;
  std::int64_t parent = 0, second_parent = 0;  // designs; 0: none
  std::string brief;                           // agents::Brief as JSON
};

/// They are done with it; `report` is their TaskReport as JSON. A design that they made comes into being by a
/// later event, or is refused.
struct TaskEnded {
  static constexpr const char* kKind = "report";
  std::int64_t id = 0;
  std::string report;
};

/// A person steers. `key` is unique: what is delivered twice counts once.
struct Steered {
  static constexpr const char* kKind = "steering";
  std::string key;
  Steering what = Steering::kDirection;
  std::string text;
  std::int64_t design = 0;
};

/// A leader is to be compared with the baselines, on `seeds` seeds from `seed` on, which no run has used yet.
/// All that the comparison will claim is fixed here: nothing of it is decided before all its runs have ended.
/// Ids count from 1 without gaps.
struct ComparisonBegun {
  static constexpr const char* kKind = "comparison";
  std::int64_t id = 0, design = 0;
  int rung = 0;
  std::uint64_t seed = 0;
  int seeds = 0;
  double level =
      0;  // of its intervals: 0.05 and less, so that all comparisons of a campaign err in 5 % together
  std::string reason;  // why so many seeds, with the numbers
};

/// What a design can do before it reads any text (record/capability.h): the worker's CapabilityResult as
/// JSON, made of the cause where it left none. One for each design. Nothing is decided by it.
struct Profiled {
  static constexpr const char* kKind = "profile";
  std::int64_t design = 0;
  double seconds = 0;  // of the worker
  std::string result;
};

using Event = std::variant<CampaignBegun, Session, DesignCreated, Refused, TrialBegun, TrialEnded, Promoted,
                           TaskBegun, TaskEnded, Steered, ComparisonBegun, Profiled>;

std::string kind_of(const Event& event);
/// On one line.
std::string to_json(const Event& event);
/// Errors: "event": an unknown kind, not JSON, a field that is missing or of another type, by its name.
Result<Event> parse_event(const std::string& kind, const std::string& json);

}  // namespace gabbro::record
