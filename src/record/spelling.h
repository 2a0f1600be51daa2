// Enums whose values have exactly one spelling, in records, messages and options.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::record {

/// Specialised for each enum. `kWhat` names the enum in errors. `kWords` holds the spellings in the order of
/// the values, which count from 0.
template <class E>
struct Spelling;

/// An enum with a Spelling.
template <class E>
concept Spelled = requires {
  { Spelling<E>::kWhat } -> std::convertible_to<std::string_view>;
  Spelling<E>::kWords.size();
};

/// Returns the spelling of a value.
template <Spelled E>
constexpr std::string_view word_of(E e) {
  return Spelling<E>::kWords[static_cast<std::size_t>(e)];
}

/// Returns all spellings of an enum, for options.
template <Spelled E>
std::vector<std::string> words() {
  return {Spelling<E>::kWords.begin(), Spelling<E>::kWords.end()};
}

/// Returns the value with this spelling; nullopt if there is none.
template <Spelled E>
constexpr std::optional<E> parse_word(std::string_view word) {
  const auto& words = Spelling<E>::kWords;
  const auto at = std::find(words.begin(), words.end(), word);
  if (at == words.end()) return std::nullopt;
  return static_cast<E>(at - words.begin());
}

/// Returns an error message for a word that is not a spelling of the enum.
template <Spelled E>
std::string unknown_word(std::string_view word) {
  return fmt::format("unknown {} '{:.80}' (use {})", Spelling<E>::kWhat, word,
                     fmt::join(Spelling<E>::kWords, ", "));
}

/// The way a job ended.
enum class Status : std::uint8_t {
  kFailed,   // without a result; the cause says why
  kDone,     // with a result, all of whose checks hold
  kRefused,  // a check does not hold
  kHurdle,   // a training loss was above a hurdle
  kStopped,  // from outside; it can be resumed, unless a veto of its design is the reason
};
template <>
struct Spelling<Status> {
  static constexpr std::string_view kWhat = "status";
  static constexpr std::array<std::string_view, 5> kWords{"failed", "done", "refused", "hurdle", "stopped"};
};

/// The origin of a design.
enum class Origin : std::uint8_t {
  kSearch,       // drawn by a strategy
  kBaseline,     // a known architecture of the preset
  kControl,      // a known architecture of the preset that sees few tokens
  kUser,         // a user's design
  kAblation,     // a winner without one of its parts
  kAaReplicate,  // a copy in an A/A test
};
template <>
struct Spelling<Origin> {
  static constexpr std::string_view kWhat = "origin";
  static constexpr std::array<std::string_view, 6> kWords{"search", "baseline", "control",
                                                          "user",   "ablation", "aa"};
};

/// The rule by which training updates the weights.
enum class Optimizer : std::uint8_t {
  kAdamW,
  kMuon,  // of the matrices within the stack; AdamW for all other parameters
};
template <>
struct Spelling<Optimizer> {
  static constexpr std::string_view kWhat = "optimizer";
  static constexpr std::array<std::string_view, 2> kWords{"adamw", "muon"};
};

/// The engine of a run: the backend on libtorch, or the design as a PyTorch module in Python (exec/pytorch).
enum class Engine : std::uint8_t { kCpu, kPyTorch };
template <>
struct Spelling<Engine> {
  static constexpr std::string_view kWhat = "engine";
  static constexpr std::array<std::string_view, 2> kWords{"cpu", "pytorch"};
};

/// The purpose of a training run.
enum class Purpose : std::uint8_t {
  kRung,         // a design's first run at a rung
  kBaseline,     // a known architecture at a rung
  kReplicate,    // a further seed of a design at a rung
  kRate,         // a search for a learning rate
  kFinal,        // the final comparison, on fresh seeds
  kAblation,     // the winner without one of its parts, on the comparison's seeds
  kRecheck,      // repeats the checks of an implausible lead
  kAaReplicate,  // a copy in an A/A test
  kByHand,       // asked for by the user; it decides nothing
};
template <>
struct Spelling<Purpose> {
  static constexpr std::string_view kWhat = "purpose";
  static constexpr std::array<std::string_view, 9> kWords{
      "rung", "baseline", "replicate", "rate", "final", "ablation", "check", "aa", "by hand"};
};

/// The way a worker's run ended.
enum class RunEnd : std::uint8_t {
  kResult,
  kCrash,
  kTimeLimit,
  kMemoryLimit,
  kLimit,  // a limit on processes or files
};
template <>
struct Spelling<RunEnd> {
  static constexpr std::string_view kWhat = "end of a run";
  static constexpr std::array<std::string_view, 5> kWords{"result", "crash", "time limit", "memory limit",
                                                          "limit"};
};

/// The reason why a session of a campaign ended.
enum class SessionEnd : std::uint8_t {
  kDone,    // nothing is left to do
  kBudget,  // its time or its runs are spent
  kSignal,  // a person asked for it
  kError,   // something outside a design failed; `gabbro resume` goes on
};
template <>
struct Spelling<SessionEnd> {
  static constexpr std::string_view kWhat = "end of a session";
  static constexpr std::array<std::string_view, 4> kWords{"done", "budget", "signal", "error"};
};

/// The edit by which a strategy makes an offspring (edit/vary.h).
enum class Operator : std::uint8_t {
  kReplaceSubtree,  // replaces a place by another unit of the catalogue
  kCrossover,       // replaces a place by a subtree of the second parent
  kWrap,            // moves a unit into a slot of another unit
  kInsert,          // adds an element to the stack
  kRemove,
  kDuplicate,
  kShare,              // makes two places, or all repetitions of one, share parameters
  kSetHyper,           // sets a hyperparameter to another allowed value
  kHybrid,             // turns n * X into a stack that mixes X with another block
  kNewUnit,            // replaces a place by a newly generated unit
  kReplaceExpression,  // replaces an expression by a new one of its type
  kReplaceStatement,   // replaces the value of a statement by a new one
  kInsertStatement,    // transforms a value before it is used
  kDeleteStatement,    // replaces a value by another of its type
  kSwapOperator,       // replaces + by *, tanh by sigmoid ...
  kStepConstant,
};
template <>
struct Spelling<Operator> {
  static constexpr std::string_view kWhat = "operator";
  static constexpr std::array<std::string_view, 16> kWords{"replace_subtree",
                                                           "crossover",
                                                           "wrap",
                                                           "insert",
                                                           "remove",
                                                           "duplicate",
                                                           "share",
                                                           "set_hyper",
                                                           "hybrid",
                                                           "new_unit",
                                                           "replace_expression",
                                                           "replace_statement",
                                                           "insert_statement",
                                                           "delete_statement",
                                                           "swap_operator",
                                                           "step_constant"};
};

/// The way agents make a design: by changing one parent, by combining two, or from scratch.
enum class Mode : std::uint8_t { kMutation, kCrossover, kScratch };
template <>
struct Spelling<Mode> {
  static constexpr std::string_view kWhat = "mode";
  static constexpr std::array<std::string_view, 3> kWords{"mutation", "crossover", "scratch"};
};
/// Returns the number of parents that a mode uses.
constexpr std::size_t parents_of(Mode mode) {
  return mode == Mode::kMutation ? 1 : mode == Mode::kCrossover ? 2 : 0;
}

/// The outcome of a task of agents.
enum class TaskOutcome : std::uint8_t { kFailed, kDesign };
template <>
struct Spelling<TaskOutcome> {
  static constexpr std::string_view kWhat = "outcome";
  static constexpr std::array<std::string_view, 2> kWords{"failed", "design"};
};

/// The type of matrix products with weights.
enum class Dtype : std::uint8_t { kFloat32, kBf16, kFloat64 };
template <>
struct Spelling<Dtype> {
  static constexpr std::string_view kWhat = "dtype";
  static constexpr std::array<std::string_view, 3> kWords{"float32", "bf16", "float64"};
};

/// A schedule of the learning rate (train/schedule.h): a cosine, or warm-up, a constant rate, and decay.
enum class RateSchedule : std::uint8_t { kCosine, kWsd };
template <>
struct Spelling<RateSchedule> {
  static constexpr std::string_view kWhat = "schedule";
  static constexpr std::array<std::string_view, 2> kWords{"cosine", "wsd"};
};

/// The outcome of a capability task: scores, or why there are none.
enum class CapabilityOutcome : std::uint8_t { kFailed, kDone, kNotFinite, kDiverged, kMemory };
template <>
struct Spelling<CapabilityOutcome> {
  static constexpr std::string_view kWhat = "outcome of a task";
  static constexpr std::array<std::string_view, 5> kWords{"failed", "done", "not finite", "diverged",
                                                          "memory"};
};

/// A user's request to a campaign.
enum class Steering : std::uint8_t {
  kDirection,  // a direction for agents, in words
  kForget,     // discard all directions so far
  kPause,      // begin no runs and tasks
  kResume,     // begin runs and tasks again
  kVeto,       // exclude a design from promotion, breeding and the final comparison
  kPromote,    // train a design one rung higher, where it decides nothing
};
template <>
struct Spelling<Steering> {
  static constexpr std::string_view kWhat = "request";
  static constexpr std::array<std::string_view, 6> kWords{"direction", "forget", "pause",
                                                          "resume",    "veto",   "promote"};
};

}  // namespace gabbro::record

template <gabbro::record::Spelled E>
struct fmt::formatter<E, char> : fmt::formatter<std::string_view, char> {
  auto format(E e, fmt::format_context& context) const {
    return fmt::formatter<std::string_view, char>::format(gabbro::record::word_of(e), context);
  }
};
