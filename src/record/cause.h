// The codes of errors, as one closed set: why a draw was refused, and why a task or a run failed.
#pragma once

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

/// The codes of all errors (Error::code). tools/messages.py checks that the sources use no others.
enum class Cause : std::uint8_t {
  kNone,  // no error

  // The language and its graphs
  kSyntax,
  kEncoding,  // not a text file
  kName,      // unknown, or not available in Gab
  kType,
  kShape,
  kTime,      // an axis of time that is missing or superfluous
  kRange,     // a number out of range
  kLength,    // a value that depends on the length of the text
  kBatch,     // a value that depends on the batch
  kCall,      // wrong arguments
  kMissing,   // an argument or part that is not given
  kReserved,  // a name that is taken
  kShare,     // a wrong `share`
  kUnused,
  kFuture,     // it would read a later position
  kGrad,       // a wrong `grad`
  kInterface,  // inputs and outputs that do not fit
  kWindow,
  kRecursion,
  kVerify,  // a graph that contradicts itself
  kLimit,   // longer, deeper or larger than allowed
  kDesign,  // no design in the program
  kBudget,  // no size with this number of parameters

  // Edits and the screen
  kEdit,          // no place for the operator
  kPlace,         // a path that does not exist
  kDuplicate,     // a known structure
  kSameFunction,  // a known function
  kNoMixing,      // no output reads an earlier token
  kNoGradient,    // parameters that are not trained
  kNotFinite,
  kCost,        // more work than the preset allows
  kSize,        // not measurable at the size of a rung
  kScreenDied,  // the process that screened it ended
  kScreener,    // an answer of that process that cannot be read

  // Training and scoring
  kCorpus,
  kTokenizer,
  kFormat,  // a file of another format than its name says
  kCheckpoint,
  kWeights,
  kMemory,
  kDevice,
  kPython,     // an interpreter or a package that is missing
  kException,  // an error of a library
  kSpec,
  kResult,
  kRun,   // a run folder
  kTask,  // a benchmark, or a report of agents
  kEval,
  kBench,
  kGenerate,
  kText,    // runs on different texts
  kScore,   // no score at any learning rate
  kWorker,  // the worker or its result
  kJobs,    // a worker that cannot be started
  kSandbox,

  // Agents and language models
  kBrief,
  kProposal,
  kReview,
  kPlan,
  kUnit,
  kAssembly,
  kObservation,
  kProgram,  // a given program does not pass the checker
  kLiterature,
  kJson,         // no JSON object in a reply
  kInternal,     // a library threw
  kAgents,       // the configuration
  kChatContext,  // longer than what the model reads
  kChatDown,     // a server that does not answer
  kChatKey,      // a key that is missing or refused
  kChatReply,    // a reply that cannot be used
  kCap,          // the spending cap is reached
  kStopped,      // from outside
  kReplay,       // the record has no such reply, or differs

  // Records, files and the network
  kStore,
  kEvent,
  kProgress,
  kPreset,
  kCampaign,
  kScale,
  kExport,
  kIo,  // with the message of the system
  kExists,
  kLocked,  // another process works on it
  kUsage,
  kLibrary,
  kPdf,
  kParquet,
  kFetch,
  kNet,
  kNetConnect,  // nothing was sent
  kNetTime,
};
template <>
struct Spelling<Cause> {
  static constexpr std::string_view kWhat = "cause";
  static constexpr std::array<std::string_view, 93> kWords{
      "",           "syntax",      "encoding",     "name",          "type",       "shape",
      "time",       "range",       "length",       "batch",         "call",       "missing",
      "reserved",   "share",       "unused",       "future",        "grad",       "interface",
      "window",     "recursion",   "verify",       "limit",         "design",     "budget",
      "edit",       "place",       "duplicate",    "same function", "no mixing",  "no gradient",
      "not finite", "cost",        "size",         "screen died",   "screener",   "corpus",
      "tokenizer",  "format",      "checkpoint",   "weights",       "memory",     "device",
      "python",     "exception",   "spec",         "result",        "run",        "task",
      "eval",       "bench",       "generate",     "text",          "score",      "worker",
      "jobs",       "sandbox",     "brief",        "proposal",      "review",     "plan",
      "unit",       "assembly",    "observation",  "program",       "literature", "json",
      "internal",   "agents",      "chat context", "chat down",     "chat key",   "chat reply",
      "cap",        "stopped",     "replay",       "store",         "event",      "progress",
      "preset",     "campaign",    "scale",        "export",        "io",         "exists",
      "locked",     "usage",       "library",      "pdf",           "parquet",    "fetch",
      "net",        "net connect", "net time"};
};

/// Returns true if the error has this code.
inline bool is(const Error& error, Cause cause) { return error.code == word_of(cause); }

/// Returns the cause that an error's code spells; kInternal for a code that is not in the table, which is a
/// bug.
inline Cause cause_of(const Error& error) { return parse_word<Cause>(error.code).value_or(Cause::kInternal); }

}  // namespace gabbro::record
