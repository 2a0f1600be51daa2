#include "chat/call_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "record/cause.h"
#include "sqlite/sqlite.h"

namespace gabbro::chat {

using nlohmann::json;
using sqlite::Connection;
using sqlite::in_transaction;
using sqlite::Rows;

namespace {

constexpr std::int64_t kApplicationId = 0x67616274;  // "gabt" in ASCII
constexpr const char* kTables = R"(
CREATE TABLE text (hash TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE call (
  id INTEGER PRIMARY KEY, time REAL NOT NULL, task INTEGER NOT NULL, role TEXT NOT NULL, variant INTEGER NOT NULL,
  key TEXT NOT NULL, nth INTEGER NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
  request TEXT NOT NULL, reply TEXT NOT NULL DEFAULT '',
  input INTEGER NOT NULL DEFAULT 0, cached INTEGER NOT NULL DEFAULT 0, written INTEGER NOT NULL DEFAULT 0,
  output INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL, money INTEGER NOT NULL,
  seconds REAL NOT NULL DEFAULT 0, cut INTEGER NOT NULL DEFAULT 0,
  code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', hint TEXT NOT NULL DEFAULT '');
CREATE INDEX call_key ON call (key, nth);
CREATE INDEX call_task ON call (task);
CREATE INDEX call_counted ON call (money, tokens);
CREATE TABLE cap (money INTEGER NOT NULL, tokens INTEGER NOT NULL);
INSERT INTO cap VALUES (0, 0);
CREATE TABLE worth (role TEXT, model TEXT, judged INTEGER NOT NULL, total REAL NOT NULL, PRIMARY KEY (role, model));
)";
constexpr const char* kCalls =
    "SELECT id, time, task, role, variant, model, state, request, reply, input, cached, written, output, "
    "money, tokens, seconds, cut, code, message, hint FROM call ORDER BY id";
constexpr const char* kCallsOf =
    "SELECT id, time, task, role, variant, model, state, request, reply, input, cached, written, output, "
    "money, tokens, seconds, cut, code, message, hint FROM call WHERE task = ? ORDER BY id";
constexpr const char* kLatestCall =
    "SELECT id, time, task, role, variant, model, state, request, reply, input, cached, written, output, "
    "money, tokens, seconds, cut, code, message, hint FROM call WHERE key = ? AND nth = ? ORDER BY id DESC "
    "LIMIT 1";

// The columns that `totals` sums, after the name of the group.
#define GABBRO_SUMS                                                                                  \
  "count(*), sum(code != ''), sum(input), sum(cached), sum(written), sum(output), sum(money) AS m, " \
  "sum(tokens), sum(CASE WHEN state != 'settled' THEN money ELSE 0 END), "                           \
  "sum(CASE WHEN state != 'settled' THEN tokens ELSE 0 END) FROM call "
constexpr const char* kByRole = "SELECT role, " GABBRO_SUMS "GROUP BY role ORDER BY m DESC, role";
constexpr const char* kByModel = "SELECT model, " GABBRO_SUMS "GROUP BY model ORDER BY m DESC, model";
constexpr const char* kByTask = "SELECT task, " GABBRO_SUMS "GROUP BY task ORDER BY task";
#undef GABBRO_SUMS

std::int64_t number_of(Connection& db, const char* sql) {
  Rows rows = db.rows(sql);
  return rows.next() ? rows.integer(0) : 0;
}

// Returns true if the file is a call log, false if it is empty. Errors: the file is something else.
Result<bool> has_call_log(Connection& db, const std::string& path) {
  if (auto ok = db.script("SELECT count(*) FROM sqlite_master"); !ok) return ok;
  const std::int64_t application = number_of(db, "PRAGMA application_id");
  const std::int64_t schema = number_of(db, "PRAGMA user_version");
  if (application == 0 && number_of(db, "SELECT count(*) FROM sqlite_master") == 0) return false;
  if (application != kApplicationId)
    return fail("store", fmt::format("{} is not a call log", path),
                "this one belongs to another program; choose another file");
  if (schema != CallLog::kSchema)
    return fail("store",
                fmt::format("{}: unknown schema {} of the call log; this program reads schema {}", path,
                            schema, CallLog::kSchema),
                "use the version of gabbro that wrote it");
  return true;
}

LoggedCall call_of(const Rows& r) {
  LoggedCall c;
  c.id = r.integer(0), c.time = r.real(1), c.task = r.integer(2), c.role = r.text(3);
  c.variant = static_cast<int>(r.integer(4)), c.model = r.text(5),
  c.state = record::parse_word<CallState>(r.text(6)).value_or(CallState::kLost);
  c.request = r.text(7), c.reply = r.text(8);
  c.usage = {r.integer(9), r.integer(10), r.integer(11), r.integer(12)};
  c.counted = {r.integer(13), r.integer(14)};
  c.seconds = r.real(15), c.was_cut = r.integer(16) != 0;
  c.error = {r.text(17), r.text(18), r.text(19), {}};
  return c;
}

std::string limit_text(const std::string& remaining, const std::string& cap, const std::string& held) {
  return fmt::format("{} of {} left ({} held by calls in progress or lost)", remaining, cap, held);
}

// Returns the error "cap" if `more`, added to the counted cost, exceeds the cap. Runs inside a transaction.
Result<bool> check_cap(Connection& db, Amount more) {
  std::int64_t money_cap = 0, token_cap = 0, money = 0, tokens = 0, money_held = 0, tokens_held = 0;
  {
    Rows r = db.rows("SELECT money, tokens FROM cap");
    if (r.next()) money_cap = r.integer(0), token_cap = r.integer(1);
  }
  if (money_cap == 0 && token_cap == 0) return true;
  {
    Rows r = db.rows("SELECT ifnull(sum(money), 0), ifnull(sum(tokens), 0) FROM call");
    if (r.next()) money = r.integer(0), tokens = r.integer(1);
  }
  const bool exceeds_money = money_cap > 0 && more.money > money_cap - money;
  if (!exceeds_money && (token_cap == 0 || more.tokens <= token_cap - tokens)) return true;
  {
    Rows r =
        db.rows("SELECT ifnull(sum(money), 0), ifnull(sum(tokens), 0) FROM call WHERE state != 'settled'");
    if (r.next()) money_held = r.integer(0), tokens_held = r.integer(1);
  }
  if (exceeds_money)
    return fail("cap",
                fmt::format("no budget for a call that may cost {}: {}", money_text(more.money),
                            limit_text(money_text(std::max<Micro>(0, money_cap - money)),
                                       money_text(money_cap), money_text(money_held))),
                "raise `money` under [cap] in agents.toml");
  return fail("cap",
              fmt::format("no budget for a call of up to {} tokens: {}", more.tokens,
                          limit_text(std::to_string(std::max<std::int64_t>(0, token_cap - tokens)),
                                     std::to_string(token_cap), std::to_string(tokens_held))),
              "raise `tokens` under [cap] in agents.toml");
}

// Stores a text and returns its hash; "" for an empty text, which is not stored.
Result<std::string> store_text(Connection& db, const std::string& text) {
  if (text.empty()) return std::string();
  std::string hash = to_hex(hash128(text));
  if (auto ok = db.run("INSERT OR IGNORE INTO text VALUES (?, ?)", hash, text); !ok)
    return tl::unexpected(ok.error());
  return hash;
}

// Stores a request as a text that refers to its parts by their hashes, so that parts shared by many requests
// are stored once. Returns the hash of that text.
Result<std::string> store_request(Connection& db, const ChatRequest& request) {
  json out{
      {"max_tokens", request.max_tokens}, {"temperature", request.temperature}, {"messages", json::array()}};
  for (const Message& m : request.messages) {
    GABBRO_TRY(hash, store_text(db, m.text));
    out["messages"].push_back({record::word_of(m.from), hash});
  }
  GABBRO_TRY(schema, store_text(db, request.schema));
  GABBRO_TRY(grammar, store_text(db, request.grammar));
  out["schema"] = schema;
  out["grammar"] = grammar;
  return store_text(db, out.dump(-1, ' ', false, json::error_handler_t::replace));
}

// Returns the text with this hash; "" if there is none.
std::string stored_text(Connection& db, const std::string& hash) {
  if (hash.empty()) return {};
  Rows rows = db.rows("SELECT body FROM text WHERE hash = ?", hash);
  return rows.next() ? rows.text(0) : std::string();
}

// Returns the request of a call; parts that cannot be read stay empty.
ChatRequest stored_request(Connection& db, const LoggedCall& call) {
  ChatRequest out;
  out.role = call.role, out.task = call.task, out.variant = call.variant;
  const json j = json::parse(stored_text(db, call.request), nullptr, /*allow_exceptions=*/false);
  if (!j.is_object()) return out;
  out.max_tokens = j.value("max_tokens", 0);
  out.temperature = j.value("temperature", 0.0);
  out.schema = stored_text(db, j.value("schema", ""));
  out.grammar = stored_text(db, j.value("grammar", ""));
  for (const json& m : j.value("messages", json::array()))
    if (m.is_array() && m.size() == 2)
      if (const auto from = record::parse_word<MessageAuthor>(m[0].get<std::string>()))
        out.messages.push_back({*from, stored_text(db, m[1].get<std::string>())});
  return out;
}

Result<bool> insert(Connection& db, const ChatRequest& r, int nth, const std::string& model, CallState state,
                    Amount cost, const Error& error, double time) {
  GABBRO_TRY(request, store_request(db, r));
  return db.run(
      "INSERT INTO call (time, task, role, variant, key, nth, model, state, request, money, tokens, code, "
      "message, hint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      time, r.task, r.role, r.variant, request_key(r), nth, model, std::string(record::word_of(state)),
      request, cost.money, cost.tokens, error.code, error.message, error.hint);
}

}  // namespace

std::string request_key(const ChatRequest& request) {
  std::string all = fmt::format("{}\n{}\n{}\n{}\n{}\n", request.role, request.task, request.variant,
                                request.max_tokens, request.temperature);
  const auto add = [&](const std::string& text) { all += fmt::format("{}\n{}", text.size(), text); };
  add(request.schema);
  add(request.grammar);
  for (const Message& m : request.messages) add(std::string(record::word_of(m.from))), add(m.text);
  return to_hex(hash128(all));
}

struct CallLog::Database {
  std::unique_ptr<Connection> connection;
  std::mutex mutex;
};

CallLog::CallLog(std::unique_ptr<Database> database) : db_(std::move(database)) {}
CallLog::~CallLog() = default;

Result<std::unique_ptr<CallLog>> CallLog::open(const std::string& path) {
  GABBRO_TRY(connection, Connection::open(path, Connection::Mode::kWrite));
  GABBRO_TRY(exists, has_call_log(*connection, path));
  if (auto ok = connection->script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"); !ok)
    return tl::unexpected(ok.error());
  const std::string tables =
      kTables + fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, kSchema);
  const auto prepared = in_transaction(*connection, [&] {
    return connection->script(exists ? "UPDATE call SET state = 'lost' WHERE state = 'open'" : tables);
  });
  if (!prepared) return tl::unexpected(prepared.error());
  auto database = std::make_unique<Database>();
  database->connection = std::move(connection);
  return std::unique_ptr<CallLog>(new CallLog(std::move(database)));
}

Result<std::unique_ptr<CallLog>> CallLog::read(const std::string& path) {
  if (!std::filesystem::exists(path))
    return fail("store", fmt::format("{} not found", path),
                "it is created when language models are called: `gabbro evolve --agents agents.toml`");
  GABBRO_TRY(connection, Connection::open(path, Connection::Mode::kRead));
  GABBRO_TRY(exists, has_call_log(*connection, path));
  if (!exists)
    return fail("store", fmt::format("{}: nothing is recorded yet", path),
                "no language model has been called");
  auto database = std::make_unique<Database>();
  database->connection = std::move(connection);
  return std::unique_ptr<CallLog>(new CallLog(std::move(database)));
}

Result<bool> CallLog::set_cap(Cap cap) {
  const std::lock_guard lock(db_->mutex);
  return db_->connection->run("UPDATE cap SET money = ?, tokens = ?", cap.money, cap.tokens);
}

Cap CallLog::cap() const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows("SELECT money, tokens FROM cap");
  return r.next() ? Cap{r.integer(0), r.integer(1)} : Cap{};
}

Amount CallLog::spent() const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows("SELECT ifnull(sum(money), 0), ifnull(sum(tokens), 0) FROM call");
  return r.next() ? Amount{r.integer(0), r.integer(1)} : Amount{};
}

Result<std::int64_t> CallLog::begin(const ChatRequest& request, int nth, const std::string& model,
                                    Amount max_cost, double time) {
  const std::lock_guard lock(db_->mutex);
  Connection& db = *db_->connection;
  std::int64_t id = 0;
  const auto begun = in_transaction(db, [&]() -> Result<bool> {
    if (auto ok = check_cap(db, max_cost); !ok) return ok;
    if (auto ok = insert(db, request, nth, model, CallState::kOpen, max_cost, {}, time); !ok) return ok;
    id = db.last_id();
    return true;
  });
  if (!begun) return tl::unexpected(begun.error());
  return id;
}

Result<bool> CallLog::raise(std::int64_t id, Amount more) {
  const std::lock_guard lock(db_->mutex);
  Connection& db = *db_->connection;
  return in_transaction(db, [&]() -> Result<bool> {
    if (auto ok = check_cap(db, more); !ok) return ok;
    return db.run("UPDATE call SET money = money + ?, tokens = tokens + ? WHERE id = ?", more.money,
                  more.tokens, id);
  });
}

Result<bool> CallLog::settle(std::int64_t id, const Result<Reply>& reply, Amount cost,
                             const TokenUsage& usage, double seconds) {
  const std::lock_guard lock(db_->mutex);
  Connection& db = *db_->connection;
  const Error error = reply ? Error{} : reply.error();
  return in_transaction(db, [&]() -> Result<bool> {
    GABBRO_TRY(text, store_text(db, reply ? reply->text : std::string()));
    return db.run(
        "UPDATE call SET state = 'settled', reply = ?, input = ?, cached = ?, written = ?, output = ?, "
        "money = ?, tokens = ?, seconds = ?, cut = ?, code = ?, message = ?, hint = ? WHERE id = ?",
        text, usage.input, usage.cache_read, usage.cache_written, usage.output, cost.money, cost.tokens,
        seconds, reply && reply->was_cut ? 1 : 0, error.code, error.message, error.hint, id);
  });
}

Result<bool> CallLog::refuse(const ChatRequest& request, int nth, const std::string& model,
                             const Error& error, double time) {
  const std::lock_guard lock(db_->mutex);
  Connection& db = *db_->connection;
  return in_transaction(
      db, [&] { return insert(db, request, nth, model, CallState::kSettled, {}, error, time); });
}

std::optional<Result<Reply>> CallLog::recorded_reply(const std::string& key, int nth) const {
  const std::lock_guard lock(db_->mutex);
  Connection& db = *db_->connection;
  LoggedCall c;
  {
    Rows r = db.rows(kLatestCall, key, nth);
    if (!r.next()) return std::nullopt;
    c = call_of(r);
  }
  if (c.state != CallState::kSettled) return std::nullopt;
  if (!c.error.code.empty()) return Result<Reply>(tl::unexpected(c.error));
  return Reply{.text = stored_text(db, c.reply),
               .was_cut = c.was_cut,
               .model = c.model,
               .usage = c.usage,
               .cost = static_cast<double>(c.counted.money) / 1e6,
               .seconds = c.seconds};
}

int CallLog::count(const std::string& key) const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows("SELECT ifnull(max(nth) + 1, 0) FROM call WHERE key = ?", key);
  return r.next() ? static_cast<int>(r.integer(0)) : 0;
}

std::vector<CallTotals> CallLog::totals(By by) const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows(by == By::kRole ? kByRole : by == By::kModel ? kByModel : kByTask);
  std::vector<CallTotals> out;
  while (r.next()) {
    CallTotals& t = out.emplace_back();
    t.name = r.text(0), t.calls = r.integer(1), t.failed = r.integer(2);
    t.usage = {r.integer(3), r.integer(4), r.integer(5), r.integer(6)};
    t.counted = {r.integer(7), r.integer(8)};
    t.held = {r.integer(9), r.integer(10)};
  }
  return out;
}

FailedCalls CallLog::failed_calls(std::int64_t task) const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows(
      "SELECT count(*), ifnull(sum(tokens - output), 0), ifnull(sum(output), 0), ifnull(sum(money), 0) FROM "
      "call "
      "WHERE task = ? AND state = 'settled' AND code != ''",
      task);
  if (!r.next()) return {};
  return {.calls = r.integer(0),
          .input_tokens = r.integer(1),
          .output_tokens = r.integer(2),
          .cost = static_cast<double>(r.integer(3)) / 1e6};
}

std::map<std::string, std::int64_t> CallLog::largest_outputs() const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows("SELECT model, max(output) FROM call GROUP BY model");
  std::map<std::string, std::int64_t> out;
  while (r.next()) out[r.text(0)] = r.integer(1);
  return out;
}

std::vector<LoggedCall> CallLog::calls() const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows(kCalls);
  std::vector<LoggedCall> out;
  while (r.next()) out.push_back(call_of(r));
  return out;
}

Result<bool> CallLog::copy_to(const std::string& path) const {
  const std::lock_guard lock(db_->mutex);
  return db_->connection->copy_to(path);
}

std::vector<Exchange> CallLog::exchanges(std::int64_t task) const {
  const std::lock_guard lock(db_->mutex);
  Connection& db = *db_->connection;
  std::vector<Exchange> out;
  {
    Rows r = db.rows(kCallsOf, task);
    while (r.next()) out.push_back({call_of(r), {}, {}});
  }
  for (Exchange& e : out) {
    e.request = stored_request(db, e.call);
    e.reply = stored_text(db, e.call.reply);
  }
  return out;
}

Result<bool> CallLog::record_worth(const std::string& role, const std::string& model, double worth) {
  const std::lock_guard lock(db_->mutex);
  return db_->connection->run(
      "INSERT INTO worth VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET judged = judged + 1, total = total + "
      "excluded.total",
      role, model, std::clamp(worth, 0.0, 1.0));
}

std::vector<CallLog::Worth> CallLog::worths() const {
  const std::lock_guard lock(db_->mutex);
  Rows r = db_->connection->rows(
      "SELECT c.role, c.model, ifnull(w.judged, 0), ifnull(w.total, 0), count(*), sum(c.money) FROM call c "
      "LEFT JOIN worth w ON w.role = c.role AND w.model = c.model WHERE c.state = 'settled' AND c.tokens > 0 "
      "GROUP BY c.role, c.model");
  std::vector<Worth> out;
  while (r.next()) out.push_back({r.text(0), r.text(1), r.integer(2), r.real(3), r.integer(4), r.integer(5)});
  return out;
}

}  // namespace gabbro::chat
