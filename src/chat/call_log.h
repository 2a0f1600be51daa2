// The log of model calls in one SQLite file (RUN/calls.db): requests, replies, costs, and the cap on
// spending.
//
// Before a call is sent, a row is written with its maximum cost; afterwards the row is settled with the true
// cost. If the process is killed, the maximum stays. The counted cost is thus never less than the true cost,
// and the cap holds for the file.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"

namespace gabbro::chat {

/// Returns a key of 32 hex digits that identifies a question. Keys are equal for requests with equal role,
/// task, variant, messages, schema, grammar, max_tokens and temperature.
std::string request_key(const ChatRequest& request);

/// An amount of money and tokens that calls cost.
struct Amount {
  Micro money = 0;
  std::int64_t tokens = 0;  // input and output
};

/// The state of a recorded call.
enum class CallState : std::uint8_t {
  kOpen,     // in progress
  kSettled,  // ended; its cost is known
  kLost,     // its process was killed
};

/// A recorded call. If it failed, `error` has a code.
struct LoggedCall {
  std::int64_t id = 0;
  double time = 0;  // start, in seconds since 1970
  std::int64_t task = 0;
  std::string role;
  int variant = 0;
  std::string model;
  CallState state = CallState::kOpen;
  std::string request, reply;  // hashes of the stored texts; empty: no reply
  TokenUsage usage;
  Amount counted;        // true cost if settled; maximum cost if open or lost
  double seconds = 0;    // from the first attempt to the reply
  bool was_cut = false;  // the reply reached max_tokens
  Error error;
};

/// Sums over the calls of one group; `name` is the role, the model or the number of the task.
struct CallTotals {
  std::string name;
  std::int64_t calls = 0, failed = 0;  // failed: calls that ended with an error
  TokenUsage usage;
  Amount counted;
  Amount held;  // part of `counted` that belongs to open and lost calls
};

/// A question of a conversation with its reply.
struct Exchange {
  LoggedCall call;
  ChatRequest request;
  std::string reply;
};

/// Reads and writes the call log. May be used from several threads of a process. One process writes, which
/// locks the folder (base/lock.h); others may read at the same time (WAL). Each change is on disk when the
/// function returns. Errors, "store": those of SQLite. All members throw Damaged (base/damaged.h) if a file
/// that was opened later cannot be read.
class CallLog {
 public:
  static constexpr int kSchema = 1;

  /// Opens `path` for writing and creates it if it does not exist. Calls that are still open become lost, so
  /// the caller must hold the lock of the folder. Errors, "store": missing folder, a file of another program,
  /// another schema version.
  static Result<std::unique_ptr<CallLog>> open(const std::string& path);
  /// Opens an existing file for reading. Errors, "store": as for `open`, and a missing file.
  static Result<std::unique_ptr<CallLog>> read(const std::string& path);
  CallLog(const CallLog&) = delete;
  CallLog& operator=(const CallLog&) = delete;
  ~CallLog();

  /// Copies the current file to `path`, which must not exist. Errors, "store".
  Result<bool> copy_to(const std::string& path) const;

  /// Sets the cap for all later calls of any process. Errors, "store".
  Result<bool> set_cap(Cap cap);
  [[nodiscard]] Cap cap() const;
  /// Returns the counted cost of all calls. O(calls), over an index.
  [[nodiscard]] Amount spent() const;

  /// Opens a call with a maximum cost of `max_cost` and returns its id. `nth` is its index among equal
  /// questions, from 0; `time` is in seconds since 1970. Errors: "cap", with the numbers, if `max_cost` plus
  /// the counted cost exceeds the cap; then nothing is recorded.
  Result<std::int64_t> begin(const ChatRequest& request, int nth, const std::string& model, Amount max_cost,
                             double time);
  /// Adds to the maximum cost of an open call that is sent again, since the first attempt may have to be
  /// paid. Errors: "cap".
  Result<bool> raise(std::int64_t id, Amount more);
  /// Ends a call with its reply or error and its true cost.
  Result<bool> settle(std::int64_t id, const Result<Reply>& reply, Amount cost, const TokenUsage& usage,
                      double seconds);
  /// Records a call that was not sent because of `error`; it costs nothing.
  Result<bool> refuse(const ChatRequest& request, int nth, const std::string& model, const Error& error,
                      double time);

  /// Returns the reply or the error of the question with this key and index `nth`, the last one if it was
  /// asked several times; empty if it is not recorded or was never settled.
  [[nodiscard]] std::optional<Result<Reply>> recorded_reply(const std::string& key, int nth) const;
  /// Returns the number of equal questions with this key: the largest recorded `nth`, plus 1.
  [[nodiscard]] int count(const std::string& key) const;

  enum class By : std::uint8_t { kRole, kModel, kTask };
  [[nodiscard]] std::vector<CallTotals> totals(By by) const;  // by descending cost; tasks in ascending order
  [[nodiscard]] std::vector<LoggedCall> calls() const;        // in ascending order of id
  /// Returns the sums over the settled calls of a task that ended with an error. O(calls of the task).
  [[nodiscard]] FailedCalls failed_calls(std::int64_t task) const;
  /// Returns the largest number of tokens of output of any call, by model.
  [[nodiscard]] std::map<std::string, std::int64_t> largest_outputs() const;
  /// Returns the calls of a task with their texts, in ascending order of id.
  [[nodiscard]] std::vector<Exchange> exchanges(std::int64_t task) const;

  /// The worth of a model's replies in a role (Chat::report_worth), for the choice of models.
  struct Worth {
    std::string role, model;
    std::int64_t judged = 0;  // number of replies whose worth was reported
    double sum = 0;           // sum of their worths, each from 0 to 1
    std::int64_t calls = 0;   // settled calls that cost tokens
    Micro cost = 0;           // cost of these calls
  };
  /// Adds the worth of one reply, limited to 0 to 1.
  Result<bool> record_worth(const std::string& role, const std::string& model, double worth);
  /// Returns one element for each role and model with settled calls that cost tokens.
  [[nodiscard]] std::vector<Worth> worths() const;

 private:
  struct Database;
  explicit CallLog(std::unique_ptr<Database> database);
  std::unique_ptr<Database> db_;
};

}  // namespace gabbro::chat

template <>
struct gabbro::record::Spelling<gabbro::chat::CallState> {
  static constexpr std::string_view kWhat = "state of a call";
  static constexpr std::array<std::string_view, 3> kWords{"open", "settled", "lost"};
};
