// The events of a campaign. The record is the sequence of these events, and the state of a campaign is
// computed from them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "record/cause.h"
#include "record/spelling.h"

namespace gabbro::record {

/// The first event. `config` is the complete configuration as TOML. A campaign that is resumed uses this
/// text.
struct CampaignBegun {
  static constexpr const char* kKind = "campaign";
  std::string config;
  std::uint64_t seed = 1;
  std::string version;  // version of the program
};

/// A process starts to work on the campaign (`begins`), or has ended its work properly.
struct Session {
  static constexpr const char* kKind = "session";
  bool begins = true;
  SessionEnd end = SessionEnd::kDone;  // reason of the end, unless it begins
  std::string sandbox;  // sandbox around its workers (sandbox::Machine::text); empty: not known
};

/// The way a program was made. An offspring of the search without an operator and a mode was generated
/// afresh.
struct Provenance {
  std::optional<Operator> op;  // the edit of a strategy
  std::optional<Mode> mode;    // the mode of the agents that wrote it
  std::string description;     // the file of a known design; the part that an ablation removes or reverts
};

/// A design was created: a baseline, an offspring, an ablation, ... Ids count from 1 without gaps.
struct DesignCreated {
  static constexpr const char* kKind = "design";
  std::int64_t id = 0;
  std::int64_t attempt = 0;  // number of the draw that it came from; 0: none
  std::string name, program;
  std::string hash, fingerprint;  // hashes of its structure, and of its first updates when run small
  Origin origin = Origin::kSearch;
  std::string strategy;  // the strategy that drew it; "" for other origins
  Provenance provenance;
  std::int64_t parent = 0, second_parent = 0;  // ids of designs; 0: none
  std::string species;                         // how it mixes tokens: "attention", "recurrence + shift" ...
  // FLOPs per token, at the size, batch size and context of the first rung (ir::token_costs).
  double train_flops = 0, decode_flops = 0;
  double state_bytes = 0;  // state of decoding
  std::int64_t task = 0;   // task of the agents that wrote it; 0: none
  double rate = 1;         // initial learning rate, as a factor on the rungs' rates
  // Hashes of what is trained at each rung, joined (evolve::trained_identity); "" in older records.
  std::string trained;
  // A design of the same fingerprint that could not be compared with it within the bounds of work; 0: none.
  std::int64_t undecided = 0;
  // Structural hashes at the sizes of the first rungs, or of all rungs if it has a size at each. Workers
  // report the same hashes (TrialResult::hash). Empty in older records.
  std::vector<std::string> sized;
};

/// A draw that led to no design.
struct Refused {
  static constexpr const char* kKind = "refusal";
  std::int64_t attempt = 0;  // number of the draw
  std::string strategy;
  Provenance provenance;
  Cause cause = Cause::kNone;
  std::string detail;       // the reason, with its numbers
  std::int64_t parent = 0;  // id of a design; 0: none
  std::int64_t task = 0;    // task of the agents that wrote it; 0: none
  // Origin that the design would have had; an ablation has no strategy.
  Origin origin = Origin::kSearch;
};

/// A training run was given to a worker. Ids count from 1 without gaps. A trial that was lost with its
/// process begins again under its id. `anew`: an earlier end of it did not count, because it had continued
/// from a checkpoint of an earlier process; it was then trained from its start.
struct TrialBegun {
  static constexpr const char* kKind = "trial";
  std::int64_t id = 0, design = 0;
  int rung = 0;
  std::uint64_t seed = 1;
  Purpose purpose = Purpose::kRung;
  double rate = 1;  // learning rate, as a factor on the rung's
  bool anew = false;
};

/// A training run ended. `end` says how the worker ended. `result` is its TrialResult as JSON; if the worker
/// left none, it is a failure with the cause (record::failure).
struct TrialEnded {
  static constexpr const char* kKind = "result";
  std::int64_t id = 0;
  RunEnd end = RunEnd::kResult;
  double seconds = 0;  // duration of the worker's run
  std::string result;
};

/// A design may enter a rung; `reason` contains the numbers.
struct Promoted {
  static constexpr const char* kKind = "promotion";
  std::int64_t design = 0;
  int rung = 0;
  std::string reason;
};

/// Agents were given a task: to make a design. Ids count from 1 without gaps. A task that was lost with its
/// process begins again under its id with the same brief, so that recorded replies are not requested again.
struct TaskBegun {
  static constexpr const char* kKind = "task";
  std::int64_t id = 0;
  std::string strategy;
  Mode mode = Mode::kMutation;
  std::int64_t parent = 0, second_parent = 0;  // ids of designs; 0: none
  std::string brief;                           // agents::Brief as JSON
};

/// Agents ended a task; `report` is their TaskReport as JSON. A design that they made is created or refused
/// by a later event.
struct TaskEnded {
  static constexpr const char* kKind = "report";
  std::int64_t id = 0;
  std::string report;
};

/// A user's steering request. `key` is unique, so that a request delivered twice counts once.
struct Steered {
  static constexpr const char* kKind = "steering";
  std::string key;
  Steering what = Steering::kDirection;
  std::string text;         // of a direction, or the reason of a veto or promotion
  std::int64_t design = 0;  // the design of a veto or promotion; otherwise 0
  int rung = 0;             // of a promotion: the rung at which it is trained; the campaign sets it
};

/// A leader will be compared with the known designs on `seeds` seeds, starting at `seed`, which no run has
/// used. This event fixes everything that the comparison will claim; nothing is decided before all its runs
/// have ended. Ids count from 1 without gaps.
struct ComparisonBegun {
  static constexpr const char* kKind = "comparison";
  std::int64_t id = 0, design = 0;
  int rung = 0;
  std::uint64_t seed = 0;
  int seeds = 0;
  // Significance level of its intervals, at most 0.05, such that all comparisons of a campaign together err
  // with a probability of 5 %.
  double level = 0;
  std::string reason;  // why this number of seeds, with the numbers
};

/// The capabilities of a design before it reads any text (record/capability.h): the worker's CapabilityResult
/// as JSON; if it left none, a failure with the cause. There is at most one for each design. It does not
/// influence the search.
struct Profiled {
  static constexpr const char* kKind = "profile";
  std::int64_t design = 0;
  double seconds = 0;  // duration of the worker's run
  std::string result;
};

using Event = std::variant<CampaignBegun, Session, DesignCreated, Refused, TrialBegun, TrialEnded, Promoted,
                           TaskBegun, TaskEnded, Steered, ComparisonBegun, Profiled>;

/// Returns the name of the event's type, as in the record (kKind).
std::string kind_of(const Event& event);
/// Returns the event as JSON on one line.
std::string to_json(const Event& event);
/// Parses an event. Errors: "event" for an unknown kind, invalid JSON, or a field that is missing or of
/// another type, with its name.
Result<Event> parse_event(const std::string& kind, const std::string& json);

}  // namespace gabbro::record
