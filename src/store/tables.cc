#include "store/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "record/capability.h"
#include "record/task.h"
#include "record/trial.h"

namespace gabbro::store {

using namespace record;
using sqlite::Connection;
using sqlite::Rows;

const char* const kEventTable = R"(
CREATE TABLE event (id INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
)";

// `event`, `begun` and `ended` are ids of rows of the table of events, which alone holds programs, curves and
// whole results. `score` has a row for every design and rung with a trial. Its bits are NULL until one of
// these trials is done, so that the index holds only what can be ranked.
const char* const kResetTables = R"(
DROP TABLE IF EXISTS design;
CREATE TABLE design (id INTEGER PRIMARY KEY, event INTEGER, time REAL, attempt INTEGER, name TEXT, hash TEXT, fingerprint TEXT,
  origin TEXT, strategy TEXT, op TEXT, mode TEXT, description TEXT, parent INTEGER, second_parent INTEGER, species TEXT, train_flops REAL, decode_flops REAL, state_bytes REAL,
  rung INTEGER DEFAULT -1, bits REAL DEFAULT 0);
DROP TABLE IF EXISTS trial;
CREATE TABLE trial (id INTEGER PRIMARY KEY, ended INTEGER, design INTEGER, rung INTEGER, seed INTEGER, purpose TEXT, rate REAL DEFAULT 1,
  status TEXT DEFAULT 'running', "end" TEXT DEFAULT '', cause TEXT DEFAULT '', time_begun REAL, time_ended REAL DEFAULT 0,
  seconds REAL DEFAULT 0, bits REAL DEFAULT 0, bits_low REAL DEFAULT 0, bits_high REAL DEFAULT 0, last_loss REAL DEFAULT 0,
  tokens_per_second REAL DEFAULT 0, params INTEGER DEFAULT 0, tokens INTEGER DEFAULT 0);
CREATE INDEX trial_design ON trial (design);
DROP TABLE IF EXISTS score;
CREATE TABLE score (design INTEGER, rung INTEGER, done INTEGER DEFAULT 0, sum REAL DEFAULT 0, bits REAL,
  PRIMARY KEY (design, rung)) WITHOUT ROWID;
CREATE INDEX score_bits ON score (rung, bits, design) WHERE bits IS NOT NULL;
DROP TABLE IF EXISTS rung;
CREATE TABLE rung (rung INTEGER PRIMARY KEY, designs INTEGER DEFAULT 0, running INTEGER DEFAULT 0, done INTEGER DEFAULT 0,
  refused INTEGER DEFAULT 0, failed INTEGER DEFAULT 0, hurdle INTEGER DEFAULT 0, seconds REAL DEFAULT 0, tokens REAL DEFAULT 0);
DROP TABLE IF EXISTS promotion;
CREATE TABLE promotion (design INTEGER, rung INTEGER, event INTEGER, PRIMARY KEY (design, rung)) WITHOUT ROWID;
DROP TABLE IF EXISTS refusal;
CREATE TABLE refusal (source TEXT, cause TEXT, count INTEGER, PRIMARY KEY (source, cause)) WITHOUT ROWID;
DROP TABLE IF EXISTS failure;
CREATE TABLE failure (status TEXT, cause TEXT, count INTEGER, PRIMARY KEY (status, cause)) WITHOUT ROWID;
DROP TABLE IF EXISTS progress;
CREATE TABLE progress (last_attempt INTEGER);
INSERT INTO progress VALUES (0);
DROP TABLE IF EXISTS task;
CREATE TABLE task (id INTEGER PRIMARY KEY, begun INTEGER, ended INTEGER DEFAULT 0, time_begun REAL, time_ended REAL DEFAULT 0,
  design INTEGER DEFAULT 0, refused TEXT DEFAULT '');
DROP TABLE IF EXISTS steering;
CREATE TABLE steering (key TEXT PRIMARY KEY, event INTEGER, vetoed INTEGER) WITHOUT ROWID;
DROP TABLE IF EXISTS comparison;
CREATE TABLE comparison (id INTEGER PRIMARY KEY, event INTEGER);
DROP TABLE IF EXISTS profile;
CREATE TABLE profile (design INTEGER PRIMARY KEY, event INTEGER);
)";

namespace {

template <record::Spelled E>
std::string text_of(E e) {
  return std::string(record::word_of(e));
}

template <record::Spelled E>
std::string text_of(const std::optional<E>& e) {
  return e ? text_of(*e) : "";
}

// The tables that an event changes, and its row in the table of events.
struct EventContext {
  Connection& db;
  std::int64_t event_id;
  double time;  // seconds since 1970
};

// Returns the error of an event that does not follow from the previous ones.
tl::unexpected<Error> does_not_follow(std::string message) {
  return fail("store", std::move(message), "nothing was recorded");
}

// Checks that a design is recorded. `what` precedes "unknown design" in the error: "trial of".
Result<bool> check_design(Connection& db, const char* what, std::int64_t design) {
  if (db.rows("SELECT 1 FROM design WHERE id = ?", design).next()) return true;
  return does_not_follow(fmt::format("{} unknown design {}", what, design));
}

// Checks that a parent is recorded; 0 means no parent.
Result<bool> check_parent(Connection& db, std::int64_t design) {
  return design == 0 ? true : check_design(db, "child of", design);
}

bool is_vetoed(Connection& db, std::int64_t design) {
  return db.rows("SELECT 1 FROM steering WHERE vetoed = ?", design).next();
}

// Checks that an id is the next one; ids count from 1 without gaps. `last_id` is SQL that returns the last
// one.
Result<bool> check_next_id(Connection& db, const char* what, const char* last_id, std::int64_t id) {
  Rows rows = db.rows(last_id);
  rows.next();
  const std::int64_t next = rows.integer(0) + 1;
  if (id == next) return true;
  return does_not_follow(fmt::format("{} {} is out of order: expected {}", what, id, next));
}

Result<bool> record_attempt(Connection& db, std::int64_t attempt) {
  return db.run("UPDATE progress SET last_attempt = max(last_attempt, ?)", attempt);
}

Result<bool> apply(const EventContext& c, const CampaignBegun&) {
  if (c.event_id == 1) return true;
  return does_not_follow("the campaign has already started");
}

Result<bool> apply(const EventContext&, const Session&) { return true; }

// Records that the design of a task was created, or refused for `refused`. A task of 0 means that no agents
// wrote the design.
Result<bool> record_outcome(const EventContext& c, std::int64_t task, std::int64_t design,
                            record::Cause refused) {
  if (task == 0) return true;
  if (!c.db.rows("SELECT 1 FROM task WHERE id = ? AND ended > 0 AND design = 0 AND refused = ''", task)
           .next())
    return does_not_follow(fmt::format("design of task {}, which produced none", task));
  return c.db.run("UPDATE task SET design = ?, refused = ? WHERE id = ?", design, text_of(refused), task);
}

Result<bool> apply(const EventContext& c, const DesignCreated& e) {
  if (auto ok = check_next_id(c.db, "design", "SELECT ifnull(max(id), 0) FROM design", e.id); !ok) return ok;
  for (const std::int64_t parent : {e.parent, e.second_parent})
    if (auto ok = check_parent(c.db, parent); !ok) return ok;
  if (auto ok = record_attempt(c.db, e.attempt); !ok) return ok;
  if (auto ok = record_outcome(c, e.task, e.id, record::Cause::kNone); !ok) return ok;
  return c.db.run(
      "INSERT INTO design (id, event, time, attempt, name, hash, fingerprint, origin, strategy, op, mode, "
      "description, parent, second_parent, species, train_flops, decode_flops, state_bytes) "
      "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      e.id, c.event_id, c.time, e.attempt, e.name, e.hash, e.fingerprint,
      std::string(record::word_of(e.origin)), e.strategy, text_of(e.provenance.op),
      text_of(e.provenance.mode), e.provenance.description, e.parent, e.second_parent, e.species,
      e.train_flops, e.decode_flops, e.state_bytes);
}

Result<bool> apply(const EventContext& c, const Refused& e) {
  if (auto ok = check_parent(c.db, e.parent); !ok) return ok;
  if (auto ok = record_attempt(c.db, e.attempt); !ok) return ok;
  if (auto ok = record_outcome(c, e.task, 0, e.cause); !ok) return ok;
  return c.db.run(
      "INSERT INTO refusal VALUES (?, ?, 1) ON CONFLICT (source, cause) DO UPDATE SET count = count + 1",
      e.origin == record::Origin::kSearch ? e.strategy : std::string(record::word_of(e.origin)),
      text_of(e.cause));
}

// Restarts a trial that was lost with its process. Any other trial under a recorded id is an error.
Result<bool> restart_trial(const EventContext& c, const TrialBegun& e) {
  Rows rows = c.db.rows("SELECT status, design, rung, seed, purpose, rate FROM trial WHERE id = ?", e.id);
  rows.next();
  if (rows.text(0) != "running")
    return does_not_follow(fmt::format("run {} has already ended ({})", e.id, rows.text(0)));
  if (rows.integer(1) != e.design || rows.integer(2) != e.rung ||
      rows.integer(3) != static_cast<std::int64_t>(e.seed) || rows.text(4) != record::word_of(e.purpose) ||
      rows.real(5) != e.rate)
    return does_not_follow(
        fmt::format("run {} restarts as another one: design {} at rung {} instead of design {} at rung {}",
                    e.id, e.design, e.rung, rows.integer(1), rows.integer(2)));
  return c.db.run("UPDATE trial SET time_begun = ? WHERE id = ?", c.time, e.id);
}

Result<bool> apply(const EventContext& c, const TrialBegun& e) {
  if (c.db.rows("SELECT 1 FROM trial WHERE id = ?", e.id).next()) return restart_trial(c, e);
  if (auto ok = check_next_id(c.db, "trial", "SELECT ifnull(max(id), 0) FROM trial", e.id); !ok) return ok;
  if (auto ok = check_design(c.db, "trial of", e.design); !ok) return ok;
  if (auto ok = c.db.run(
          "INSERT INTO trial (id, design, rung, seed, purpose, rate, time_begun) VALUES (?,?,?,?,?,?,?)",
          e.id, e.design, e.rung, static_cast<std::int64_t>(e.seed), text_of(e.purpose), e.rate, c.time);
      !ok)
    return ok;
  bool is_first = false;
  if (e.purpose != record::Purpose::kByHand) {
    GABBRO_TRY(inserted, c.db.run("INSERT INTO score (design, rung) VALUES (?, ?) ON CONFLICT DO NOTHING",
                                  e.design, e.rung));
    is_first = inserted;
  }
  return c.db.run(
      "INSERT INTO rung (rung, designs, running) VALUES (?, ?, 1) "
      "ON CONFLICT (rung) DO UPDATE SET designs = designs + excluded.designs, running = running + 1",
      e.rung, is_first ? 1 : 0);
}

// Adds a score to the mean of a design at a rung. A score that is not finite is skipped, since it cannot be
// ranked.
Result<bool> add_score(Connection& db, std::int64_t design, std::int64_t rung, double bits) {
  if (!std::isfinite(bits)) return true;
  if (auto ok = db.run("UPDATE score SET done = done + 1, sum = sum + ?1, bits = (sum + ?1) / (done + 1) "
                       "WHERE design = ?2 AND rung = ?3",
                       bits, design, rung);
      !ok)
    return ok;
  return db.run(
      "UPDATE design SET rung = ?2, bits = (SELECT bits FROM score WHERE design = ?1 AND rung = ?2) "
      "WHERE id = ?1 AND rung <= ?2",
      design, rung);
}

Result<bool> apply(const EventContext& c, const TrialEnded& e) {
  std::int64_t design = 0, rung = 0;
  bool by_hand = false;
  {
    Rows rows = c.db.rows("SELECT status, design, rung, purpose FROM trial WHERE id = ?", e.id);
    if (!rows.next()) return does_not_follow(fmt::format("result of unknown run {}", e.id));
    if (rows.text(0) != "running")
      return does_not_follow(fmt::format("run {} already has a result ({})", e.id, rows.text(0)));
    design = rows.integer(1), rung = rows.integer(2);
    by_hand = rows.text(3) == record::word_of(record::Purpose::kByHand);
  }
  const auto result = parse_result(e.result);
  if (!result) return does_not_follow(fmt::format("run {}: {}", e.id, result.error().message));
  const TrialResult& r = *result;
  const bool done = r.status == record::Status::kDone, stopped = r.status == record::Status::kStopped;
  if (stopped && !is_vetoed(c.db, design))
    return does_not_follow(fmt::format("run {}: status '{}' is not a final status", e.id, r.status));
  if (auto ok = c.db.run(
          "UPDATE trial SET ended = ?, status = ?, \"end\" = ?, cause = ?, time_ended = ?, seconds = ?, "
          "bits = ?, bits_low = ?, bits_high = ?, last_loss = ?, tokens_per_second = ?, params = ?, "
          "tokens = ? WHERE id = ?",
          c.event_id, text_of(r.status), text_of(e.end), r.cause, c.time, e.seconds, r.bits_per_byte,
          r.bits_low, r.bits_high, r.last_loss, r.tokens_per_second, r.params, r.tokens, e.id);
      !ok)
    return ok;
  if (auto ok = c.db.run(
          "UPDATE rung SET running = running - 1, done = done + (?1 = 'done'), "
          "refused = refused + (?1 = 'refused'), failed = failed + (?1 = 'failed'), "
          "hurdle = hurdle + (?1 = 'hurdle'), seconds = seconds + ifnull(?2, 0), tokens = tokens + ?3 "
          "WHERE rung = ?4",
          text_of(r.status), e.seconds, static_cast<double>(r.tokens), rung);
      !ok)
    return ok;
  if (stopped || (done && by_hand)) return true;  // it decides nothing
  if (done) return add_score(c.db, design, rung, r.bits_per_byte);
  return c.db.run(
      "INSERT INTO failure VALUES (?, ?, 1) ON CONFLICT (status, cause) DO UPDATE SET count = count + 1",
      text_of(r.status), group_of(r));
}

Result<bool> apply(const EventContext& c, const Promoted& e) {
  if (auto ok = check_design(c.db, "promotion of", e.design); !ok) return ok;
  GABBRO_TRY(is_first, c.db.run("INSERT INTO promotion VALUES (?, ?, ?) ON CONFLICT DO NOTHING", e.design,
                                e.rung, c.event_id));
  if (!is_first)
    return does_not_follow(fmt::format("design {} was already promoted to rung {}", e.design, e.rung));
  return true;
}

Result<bool> apply(const EventContext& c, const TaskBegun& e) {
  for (const std::int64_t parent : {e.parent, e.second_parent})
    if (auto ok = check_parent(c.db, parent); !ok) return ok;
  if (Rows rows = c.db.rows("SELECT ended FROM task WHERE id = ?", e.id); rows.next()) {
    if (rows.integer(0) == 0) return true;  // lost with its process, and begun again
    return does_not_follow(fmt::format("task {} has already ended", e.id));
  }
  if (auto ok = check_next_id(c.db, "task", "SELECT ifnull(max(id), 0) FROM task", e.id); !ok) return ok;
  return c.db.run("INSERT INTO task (id, begun, time_begun) VALUES (?, ?, ?)", e.id, c.event_id, c.time);
}

Result<bool> apply(const EventContext& c, const TaskEnded& e) {
  if (!c.db.rows("SELECT 1 FROM task WHERE id = ? AND ended = 0", e.id).next())
    return does_not_follow(fmt::format("report of task {}, which is not in progress", e.id));
  if (const auto report = parse_task_report(e.report); !report)
    return does_not_follow(fmt::format("task {}: {}", e.id, report.error().message));
  return c.db.run("UPDATE task SET ended = ?, time_ended = ? WHERE id = ?", c.event_id, c.time, e.id);
}

Result<bool> apply(const EventContext& c, const Steered& e) {
  if (e.what == record::Steering::kVeto || e.what == record::Steering::kPromote)
    if (auto ok =
            check_design(c.db, e.what == record::Steering::kVeto ? "veto of" : "promotion of", e.design);
        !ok)
      return ok;
  GABBRO_TRY(is_first, c.db.run("INSERT INTO steering VALUES (?, ?, ?) ON CONFLICT DO NOTHING", e.key,
                                c.event_id, e.what == record::Steering::kVeto ? e.design : 0));
  if (!is_first) return does_not_follow(fmt::format("request {} is already recorded", e.key));
  return true;
}

Result<bool> apply(const EventContext& c, const ComparisonBegun& e) {
  if (auto ok = check_design(c.db, "comparison of", e.design); !ok) return ok;
  if (auto ok = check_next_id(c.db, "comparison", "SELECT ifnull(max(id), 0) FROM comparison", e.id); !ok)
    return ok;
  return c.db.run("INSERT INTO comparison VALUES (?, ?)", e.id, c.event_id);
}

Result<bool> apply(const EventContext& c, const Profiled& e) {
  if (auto ok = check_design(c.db, "capability profile of", e.design); !ok) return ok;
  if (const auto result = parse_capability_result(e.result); !result)
    return does_not_follow(
        fmt::format("capability profile of design {}: {}", e.design, result.error().message));
  GABBRO_TRY(is_first,
             c.db.run("INSERT INTO profile VALUES (?, ?) ON CONFLICT DO NOTHING", e.design, c.event_id));
  if (!is_first) return does_not_follow(fmt::format("second capability profile of design {}", e.design));
  return true;
}

}  // namespace

Result<bool> apply_to_tables(Connection& db, std::int64_t event_id, double time, const Event& event) {
  if (event_id == 1 && !std::holds_alternative<CampaignBegun>(event))
    return does_not_follow(
        fmt::format("a record must start with its campaign, not with a {}", kind_of(event)));
  return std::visit(
      [&](const auto& e) { return apply(EventContext{.db = db, .event_id = event_id, .time = time}, e); },
      event);
}

std::string group_of(const TrialResult& result) {
  // An error is identified by its code, since its position differs in every design.
  if (result.error != Cause::kNone && result.error != Cause::kWorker) return text_of(result.error);
  const std::string& cause = result.cause;
  const auto is_number = [](char c) { return (c >= '0' && c <= '9') || c == ':'; };
  const auto is_filler = [&](char c) { return is_number(c) || c == '.' || c == ' '; };
  const auto first = std::find_if_not(cause.begin(), cause.end(), is_filler);
  std::string out(first, std::find_if(first, cause.end(), is_number));
  while (!out.empty() && (out.back() == ' ' || out.back() == '\n')) out.pop_back();
  return out;
}

}  // namespace gabbro::store
