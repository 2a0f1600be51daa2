#include "store/store.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <type_traits>

#include "base/damaged.h"
#include "sqlite/sqlite.h"
#include "store/tables.h"

namespace gabbro::store {

using namespace record;
using sqlite::Connection;
using sqlite::in_transaction;
using sqlite::Rows;

namespace {

constexpr std::int64_t kApplication = 0x47414242;  // "GABB", in the file's header

// Returns the seconds since 1970.
double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Returns the number that a query returns, or 0 if it returns no row.
std::int64_t query_number(Connection& db, const char* sql) {
  Rows rows = db.rows(sql);
  return rows.next() ? rows.integer(0) : 0;
}

// Returns true if the file holds a record. Errors: the file is something else.
Result<bool> has_record(Connection& db, const std::string& path) {
  // This is the first statement that reads. It fails if the file is not an SQLite database.
  if (auto ok = db.script("SELECT count(*) FROM sqlite_master"); !ok) return ok;
  const std::int64_t application = query_number(db, "PRAGMA application_id");
  const std::int64_t schema = query_number(db, "PRAGMA user_version");
  if (application == 0 && query_number(db, "SELECT count(*) FROM sqlite_master") == 0) return false;
  if (application != kApplication)
    return fail("store", fmt::format("{} is not the record of a campaign", path),
                "this one belongs to another program; choose another file");
  if (schema != Store::kSchema)
    return fail("store",
                fmt::format("{}: unknown schema {} of the record; this program reads schema {}", path, schema,
                            Store::kSchema),
                "use the version of gabbro that wrote it");
  return true;
}

constexpr const char* kSessionIndex =
    "CREATE INDEX IF NOT EXISTS event_session ON event (id) WHERE kind = 'session'";
// The first 19 columns of these three queries are the same; `design_row` reads them. Columns named `event`,
// `begun` and `ended` hold ids of events, or 0.
constexpr const char* kDesigns =
    "SELECT id, attempt, name, hash, fingerprint, origin, strategy, op, mode, description, parent, "
    "second_parent, species, train_flops, decode_flops, state_bytes, time, rung, bits FROM design ORDER BY "
    "id";
constexpr const char* kDesign =
    "SELECT id, attempt, name, hash, fingerprint, origin, strategy, op, mode, description, parent, "
    "second_parent, species, train_flops, decode_flops, state_bytes, time, rung, bits, event FROM design "
    "WHERE id = ?";
constexpr const char* kBest =
    "SELECT d.id, attempt, name, hash, fingerprint, origin, strategy, op, mode, description, parent, "
    "second_parent, species, train_flops, decode_flops, state_bytes, time, s.rung, s.bits FROM score s JOIN "
    "design d ON d.id = s.design "
    "WHERE s.rung = ? AND s.bits IS NOT NULL ORDER BY s.bits, s.design LIMIT ?";

// Reports rows that do not fit together. The store wrote all of them, so the file is damaged.
[[noreturn]] void throw_damaged(const std::string& path, const std::string& what) {
  throw Damaged({"store",
                 fmt::format("{}: {}", path, what),
                 "the file is damaged, or another program wrote to it; restore a copy",
                 {}});
}

// Parses the word in a column of a table.
template <record::Spelled E>
E parsed_word(const Rows& r, int column) {
  if (const auto value = record::parse_word<E>(r.text(column))) return *value;
  throw_damaged(r.path(),
                fmt::format("unknown {} '{}' in a table", record::Spelling<E>::kWhat, r.text(column)));
}

DesignRow design_row(const Rows& r) {
  DesignRow out;
  DesignCreated& d = out.created;
  d.id = r.integer(0), d.attempt = r.integer(1);
  d.name = r.text(2), d.hash = r.text(3), d.fingerprint = r.text(4);
  d.origin = parsed_word<record::Origin>(r, 5), d.strategy = r.text(6);
  if (!r.text(7).empty()) d.provenance.op = parsed_word<record::Operator>(r, 7);
  if (!r.text(8).empty()) d.provenance.mode = parsed_word<record::Mode>(r, 8);
  d.provenance.description = r.text(9);
  d.parent = r.integer(10), d.second_parent = r.integer(11);
  d.species = r.text(12);
  d.train_flops = r.real(13), d.decode_flops = r.real(14), d.state_bytes = r.real(15);
  out.time = r.real(16);
  out.rung = static_cast<int>(r.integer(17));
  out.bits = r.real(18);
  return out;
}

std::vector<DesignRow> design_rows(Rows rows) {
  std::vector<DesignRow> out;
  while (rows.next()) out.push_back(design_row(rows));
  return out;
}

// `trial_rows` reads the columns of these two.
constexpr const char* kTrials =
    "SELECT id, design, rung, seed, purpose, status, \"end\", cause, time_begun, time_ended, seconds, bits, "
    "bits_low, bits_high, last_loss, tokens_per_second, params, tokens, rate FROM trial ORDER BY id";
constexpr const char* kTrialsOf =
    "SELECT id, design, rung, seed, purpose, status, \"end\", cause, time_begun, time_ended, seconds, bits, "
    "bits_low, bits_high, last_loss, tokens_per_second, params, tokens, rate FROM trial WHERE design = ? "
    "ORDER BY id";

std::vector<TrialRow> trial_rows(Rows r) {
  std::vector<TrialRow> out;
  while (r.next()) {
    TrialRow& t = out.emplace_back();
    t.begun = {.id = r.integer(0),
               .design = r.integer(1),
               .rung = static_cast<int>(r.integer(2)),
               .seed = static_cast<std::uint64_t>(r.integer(3)),
               .purpose = parsed_word<record::Purpose>(r, 4),
               .rate = r.real(18)};
    if (r.text(5) != "running") {
      t.status = parsed_word<record::Status>(r, 5);
      t.end = parsed_word<record::RunEnd>(r, 6);
    }
    t.cause = r.text(7);
    t.time_begun = r.real(8), t.time_ended = r.real(9), t.seconds = r.real(10);
    t.bits = r.real(11), t.bits_low = r.real(12), t.bits_high = r.real(13);
    t.last_loss = r.real(14), t.tokens_per_second = r.real(15);
    t.params = r.integer(16), t.tokens = r.integer(17);
  }
  return out;
}

std::vector<Store::Count> count_rows(Rows rows) {
  std::vector<Store::Count> out;
  while (rows.next()) out.push_back({rows.text(0), rows.text(1), rows.integer(2)});
  return out;
}

// Parses `text` as an event of `kind`, which must be one of E. Both are columns of row `id`.
template <class E>
E event_of(const Connection& db, std::int64_t id, const std::string& kind, const std::string& text) {
  auto event = parse_event(kind, text);
  if (!event) throw_damaged(db.path(), fmt::format("event {}: {}", id, event.error().message));
  if constexpr (std::is_same_v<E, Event>) {
    return std::move(*event);
  } else {
    if (!std::holds_alternative<E>(*event))
      throw_damaged(db.path(), fmt::format("event {} is of kind '{}', but a table refers to it as '{}'", id,
                                           kind, E::kKind));
    return std::get<E>(std::move(*event));
  }
}

// Reads the event of row `id`, which must be one of E.
template <class E>
E event_at(Connection& db, std::int64_t id) {
  Rows rows = db.rows("SELECT kind, data FROM event WHERE id = ?", id);
  if (!rows.next()) throw_damaged(db.path(), fmt::format("event {} is missing", id));
  return event_of<E>(db, id, rows.text(0), rows.text(1));
}

}  // namespace

struct Store::Database {
  std::unique_ptr<Connection> connection;
};

Store::Store(std::unique_ptr<Database> database) : db_(std::move(database)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& path) {
  GABBRO_TRY(connection, Connection::open(path, Connection::Mode::kWrite));
  GABBRO_TRY(known, has_record(*connection, path));
  if (auto ok = connection->script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                                   "PRAGMA temp_store = MEMORY");
      !ok)
    return tl::unexpected(ok.error());
  if (!known) {
    const std::string tables =
        std::string(kEventTable) + kResetTables +
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplication, kSchema);
    if (auto ok = in_transaction(*connection, [&] { return connection->script(tables); }); !ok)
      return tl::unexpected(ok.error());
  }
  // Older records lack this index. It only speeds up `sessions`.
  if (auto ok = connection->script(kSessionIndex); !ok) return tl::unexpected(ok.error());
  return Store(std::make_unique<Database>(Database{std::move(connection)}));
}

const std::string& Store::path() const { return db_->connection->path(); }

Result<Store> Store::read(const std::string& path) {
  if (!std::filesystem::exists(path))
    return fail("store", fmt::format("{} not found", path), "check that this is a campaign folder");
  GABBRO_TRY(connection, Connection::open(path, Connection::Mode::kRead));
  // One transaction lasts from the first read until the connection is closed. Between two queries outside of
  // a transaction, a writer may append an event that the second sees and the first lacks.
  if (auto ok = connection->script("BEGIN"); !ok) return tl::unexpected(ok.error());
  GABBRO_TRY(known, has_record(*connection, path));
  if (!known)
    return fail("store", fmt::format("{}: nothing is recorded yet", path), "the campaign has not started");
  return Store(std::make_unique<Database>(Database{std::move(connection)}));
}

Result<bool> Store::append(const Event& event) { return append(std::vector<Event>{event}); }

Result<bool> Store::append(const std::vector<Event>& events) {
  Connection& db = *db_->connection;
  return in_transaction(db, [&]() -> Result<bool> {
    const double time = now();
    for (const Event& event : events) {
      if (auto ok = db.run("INSERT INTO event (time, kind, data) VALUES (?, ?, ?)", time, kind_of(event),
                           to_json(event));
          !ok)
        return ok;
      if (auto ok = apply_to_tables(db, db.last_id(), time, event); !ok) return ok;
    }
    return true;
  });
}

Result<bool> Store::rebuild() {
  Connection& db = *db_->connection;
  return in_transaction(db, [&]() -> Result<bool> {
    if (auto ok = db.script(std::string(kResetTables)); !ok) return ok;
    Rows rows = db.rows("SELECT id, time, kind, data FROM event ORDER BY id");
    while (rows.next()) {
      auto event = parse_event(rows.text(2), rows.text(3));
      const auto applied =
          event ? apply_to_tables(db, rows.integer(0), rows.real(1), *event) : tl::unexpected(event.error());
      if (!applied)
        return fail("store", fmt::format("event {}: {}", rows.integer(0), applied.error().message),
                    "the record was modified by another program; its tables were left unchanged");
    }
    return true;
  });
}

std::int64_t Store::event_count() const {
  return query_number(*db_->connection, "SELECT ifnull(max(id), 0) FROM event");
}

std::vector<std::pair<double, Event>> Store::events(std::int64_t from, std::int64_t limit) const {
  std::vector<std::pair<double, Event>> out;
  Connection& db = *db_->connection;
  Rows rows =
      db.rows("SELECT time, kind, data, id FROM event WHERE id >= ? ORDER BY id LIMIT ?", from, limit);
  while (rows.next())
    out.emplace_back(rows.real(0), event_of<Event>(db, rows.integer(3), rows.text(1), rows.text(2)));
  return out;
}

Result<CampaignBegun> Store::campaign() const {
  if (event_count() == 0)
    return fail("store", path() + ": nothing is recorded yet", "the campaign has not started");
  return event_at<CampaignBegun>(*db_->connection, 1);
}

std::int64_t Store::design_count() const {
  return query_number(*db_->connection, "SELECT ifnull(max(id), 0) FROM design");
}

std::vector<DesignRow> Store::designs() const { return design_rows(db_->connection->rows(kDesigns)); }

Result<DesignRow> Store::design(std::int64_t id) const {
  Rows rows = db_->connection->rows(kDesign, id);
  if (!rows.next())
    return fail("store", fmt::format("unknown design {}", id),
                fmt::format("the campaign has designs 1 to {}", design_count()));
  DesignRow out = design_row(rows);
  out.created = event_at<DesignCreated>(*db_->connection, rows.integer(19));
  return out;
}

std::vector<DesignRow> Store::best(int rung, std::int64_t limit) const {
  return design_rows(db_->connection->rows(kBest, rung, limit));
}

std::vector<TrialRow> Store::trials() const { return trial_rows(db_->connection->rows(kTrials)); }

std::vector<TrialRow> Store::trials_of(std::int64_t design) const {
  return trial_rows(db_->connection->rows(kTrialsOf, design));
}

Result<TrialResult> Store::result(std::int64_t trial) const {
  Rows rows = db_->connection->rows("SELECT ifnull(ended, 0) FROM trial WHERE id = ?", trial);
  if (!rows.next()) return fail("store", fmt::format("unknown run {}", trial));
  if (rows.integer(0) == 0) return fail("store", fmt::format("run {} has no result yet", trial));
  return parse_result(event_at<TrialEnded>(*db_->connection, rows.integer(0)).result);
}

std::vector<Promoted> Store::promotions() const {
  std::vector<Promoted> out;
  Rows rows = db_->connection->rows("SELECT event FROM promotion ORDER BY event");
  while (rows.next()) out.push_back(event_at<Promoted>(*db_->connection, rows.integer(0)));
  return out;
}

std::vector<Promoted> Store::promotions_of(std::int64_t design) const {
  std::vector<Promoted> out;
  Rows rows = db_->connection->rows("SELECT event FROM promotion WHERE design = ? ORDER BY rung", design);
  while (rows.next()) out.push_back(event_at<Promoted>(*db_->connection, rows.integer(0)));
  return out;
}

std::vector<SessionRow> Store::sessions() const {
  std::vector<SessionRow> out;
  Connection& db = *db_->connection;
  Rows rows = db.rows("SELECT id, time, kind, data FROM event WHERE kind = 'session' ORDER BY id");
  while (rows.next())
    out.push_back({.event_id = rows.integer(0),
                   .time = rows.real(1),
                   .session = event_of<Session>(db, rows.integer(0), rows.text(2), rows.text(3))});
  return out;
}

std::vector<TaskRow> Store::tasks() const {
  std::vector<TaskRow> out;
  Connection& db = *db_->connection;
  Rows rows = db.rows("SELECT begun, ended, time_begun, time_ended, design, refused FROM task ORDER BY id");
  while (rows.next()) {
    TaskRow& t = out.emplace_back();
    t.begun = event_at<TaskBegun>(db, rows.integer(0));
    t.ended = rows.integer(1) > 0;
    if (t.ended) {
      auto report = parse_task_report(event_at<TaskEnded>(db, rows.integer(1)).report);
      if (!report)
        throw_damaged(db.path(), fmt::format("event {}: {}", rows.integer(1), report.error().message));
      t.report = std::move(*report);
    }
    t.time_begun = rows.real(2), t.time_ended = rows.real(3);
    t.design = rows.integer(4);
    t.refused = parsed_word<record::Cause>(rows, 5);  // "" is the word of kNone
  }
  return out;
}

std::vector<std::pair<double, Steered>> Store::steering() const {
  std::vector<std::pair<double, Steered>> out;
  Connection& db = *db_->connection;
  Rows rows =
      db.rows("SELECT e.time, e.data, e.id FROM steering s JOIN event e ON e.id = s.event ORDER BY e.id");
  while (rows.next())
    out.emplace_back(rows.real(0), event_of<Steered>(db, rows.integer(2), Steered::kKind, rows.text(1)));
  return out;
}

std::vector<ComparisonBegun> Store::comparisons() const {
  std::vector<ComparisonBegun> out;
  Connection& db = *db_->connection;
  Rows rows = db.rows("SELECT event FROM comparison ORDER BY id");
  while (rows.next()) out.push_back(event_at<ComparisonBegun>(db, rows.integer(0)));
  return out;
}

std::vector<Profiled> Store::profiles() const {
  std::vector<Profiled> out;
  Connection& db = *db_->connection;
  Rows rows = db.rows("SELECT event FROM profile ORDER BY design");
  while (rows.next()) out.push_back(event_at<Profiled>(db, rows.integer(0)));
  return out;
}

std::vector<RungRow> Store::rungs() const {
  std::vector<RungRow> out;
  Rows r = db_->connection->rows(
      "SELECT rung, designs, running, done, refused, failed, hurdle, seconds, tokens FROM rung ORDER BY "
      "rung");
  while (r.next())
    out.push_back({.rung = static_cast<int>(r.integer(0)),
                   .designs = r.integer(1),
                   .running = r.integer(2),
                   .done = r.integer(3),
                   .refused = r.integer(4),
                   .failed = r.integer(5),
                   .hurdle = r.integer(6),
                   .seconds = r.real(7),
                   .tokens = r.real(8)});
  return out;
}

std::vector<Store::Count> Store::refusals() const {
  return count_rows(
      db_->connection->rows("SELECT source, cause, count FROM refusal ORDER BY count DESC, source, cause"));
}

std::vector<Store::Count> Store::failures() const {
  return count_rows(
      db_->connection->rows("SELECT status, cause, count FROM failure ORDER BY count DESC, status, cause"));
}

std::int64_t Store::last_attempt() const {
  return query_number(*db_->connection, "SELECT last_attempt FROM progress");
}

}  // namespace gabbro::store
