// The record of calls in one SQLite file (RUN/talk.db): what was asked and answered, what it cost, and what
// may still be spent.
//
// A row is written with the most that a call may cost before it is sent, and settled with what it did cost
// afterwards. A killed process leaves the higher number, so that what is counted is never less than what was
// spent: the cap is a property of the file.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"

namespace gabbro::chat {

/// Names a question: equal for requests of equal role, task, variant, messages, schema, grammar and settings.
/// 32 hex digits.
std::string request_key(const Request& request);

struct Amount {
  Micro money = 0;
  std::int64_t tokens = 0;  // input and output
};

/// A call as it is recorded. Errors of it are in `error` (an empty code: none).
struct Call {
  std::int64_t id = 0;
  double time = 0;  // when it began, seconds since 1970
  std::int64_t task = 0;
  std::string role;
  int variant = 0;
  std::string model;
  std::string state;           // "open": under way; "settled"; "lost": its process was killed
  std::string request, reply;  // hashes of their texts
  Usage usage;
  Amount counted;  // what it cost; while open or lost, the most that it may have cost
  double seconds = 0;
  bool cut = false;
  Error error;
};

/// Sums over calls that have `name` in common.
struct Total {
  std::string name;
  std::int64_t calls = 0, failed = 0;
  Usage usage;
  Amount counted;
  Amount held;  // of these, what open and lost calls hold
};

/// One question of a conversation and what came back.
struct Exchange {
  Call call;
  Request request;
  std::string reply;
};

/// May be used from several threads of a process; one process writes, which holds the lock of PATH.lock,
/// others may read meanwhile (WAL). Each change is on disk when it returns. Errors, "store": SQLite's. A file
/// that could be opened and then cannot be read ends the process, as that of a campaign's record does.
class Journal {
 public:
  static constexpr int kSchema = 1;

  /// Opens `path` for writing, making it when there is none; calls that were open are lost from then on.
  /// Errors, "store": no such folder, another process that writes it, another program's file, another schema.
  static Result<std::unique_ptr<Journal>> open(const std::string& path);
  /// Opens an existing file for reading. Errors, "store": as above, and no such file.
  static Result<std::unique_ptr<Journal>> read(const std::string& path);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  /// A copy of the file as it is, at `path`, where there must be none. Errors, "store".
  Result<bool> copy_to(const std::string& path) const;

  /// Sets the cap, which holds for all later calls of any process. Errors, "store".
  Result<bool> set_cap(Cap cap);
  [[nodiscard]] Cap cap() const;
  /// All that is counted. O(calls), over an index.
  [[nodiscard]] Amount spent() const;

  /// Opens a call that may cost up to `most`; its id. `nth`: which of the equal questions it is, counted from
  /// 0. Errors: "cap", with the numbers, when that and what is counted exceed the cap; nothing is recorded
  /// then.
  Result<std::int64_t> begin(const Request& request, int nth, const std::string& model, Amount most,
                             double time);
  /// Adds to what an open call holds: it is sent again, and the first attempt may have to be paid. Errors:
  /// "cap".
  Result<bool> raise(std::int64_t id, Amount more);
  /// Ends a call with what it cost.
  Result<bool> settle(std::int64_t id, const Result<Reply>& reply, Amount cost, const Usage& usage,
                      double seconds);
  /// Records a call that was not sent.
  Result<bool> refuse(const Request& request, int nth, const std::string& model, const Error& error,
                      double time);

  /// What the n-th equal question got: its reply or its error. Empty: it is not recorded, or was never
  /// settled.
  [[nodiscard]] std::optional<Result<Reply>> answered(const std::string& key, int nth) const;
  /// How many questions of this key were numbered.
  [[nodiscard]] int count(const std::string& key) const;

  enum class By : std::uint8_t { kRole, kModel, kTask };
  [[nodiscard]] std::vector<Total> totals(By by) const;  // the dearest first; tasks in their order
  [[nodiscard]] std::vector<Call> calls() const;         // in their order
  [[nodiscard]] std::vector<Exchange> talk(std::int64_t task) const;

  /// What replies of a model in a role were worth (Chat::judged), for later choices.
  struct Worth {
    std::string role, model;
    std::int64_t judged = 0;
    double sum = 0;
    std::int64_t calls = 0;
    Micro cost = 0;
  };
  Result<bool> judge(const std::string& role, const std::string& model, double worth);
  [[nodiscard]] std::vector<Worth> worths() const;

 private:
  struct Database;
  explicit Journal(std::unique_ptr<Database> database);
  std::unique_ptr<Database> db_;
};

}  // namespace gabbro::chat
