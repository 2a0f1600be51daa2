// The record of a campaign in one SQLite file: an append-only list of events, and tables computed by
// replaying them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "record/event.h"
#include "record/task.h"
#include "record/trial.h"

namespace gabbro::store {

/// A design with a summary of its trials.
struct DesignRow {
  record::DesignCreated created;
  double time = 0;  // time of its event, seconds since 1970; informational
  int rung = -1;    // highest rung at which a trial of it was done; -1: none
  double bits = 0;  // mean bits per byte there
};

/// A trial, with the main numbers of its result, which are 0 before it has ended.
struct TrialRow {
  record::TrialBegun begun;
  // Status of its result; nullopt: it is running, or was lost with its process.
  std::optional<record::Status> status;
  record::RunEnd end = record::RunEnd::kResult;
  std::string cause;
  double time_begun = 0, time_ended = 0;         // seconds since 1970
  double seconds = 0;                            // duration of the worker's run
  double bits = 0, bits_low = 0, bits_high = 0;  // held-out bits per byte
  double last_loss = 0, tokens_per_second = 0;
  std::int64_t params = 0, tokens = 0;
};

/// Counts of one rung: designs with a trial, trials by status, and the seconds and tokens of their workers.
struct RungRow {
  int rung = 0;
  std::int64_t designs = 0, running = 0, done = 0, refused = 0, failed = 0, hurdle = 0;
  double seconds = 0, tokens = 0;
};

/// The start or end of a process that works on the campaign.
struct SessionRow {
  std::int64_t event_id = 0;
  double time = 0;  // seconds since 1970
  record::Session session;
};

/// A task of agents and its outcome.
struct TaskRow {
  record::TaskBegun begun;
  double time_begun = 0, time_ended = 0;  // seconds since 1970
  bool ended = false;
  record::TaskReport report;                     // valid once it has ended
  std::int64_t design = 0;                       // the resulting design; 0: none, or not yet
  record::Cause refused = record::Cause::kNone;  // why its design was refused before training
};

/// The file of one campaign. Every append is one transaction that holds the events and the changes of the
/// tables. It is on disk when the call returns (WAL, synchronous = FULL), so that a killed process loses
/// nothing that was appended. There is one writer, which locks the folder (base/lock.h), and there may be
/// readers at any time, each of which sees the record as it was when it opened it. If a file was opened but
/// then cannot be read (a failing disk, changes by hand), any query throws Damaged.
class Store {
 public:
  static constexpr int kSchema = 9;

  /// Opens `path` for writing, and creates it if it does not exist. The caller holds the lock of the folder.
  /// Errors: "store" if it is not the file of a campaign, has another schema (both numbers are given), or if
  /// there is no disk space or no permission.
  static Result<Store> open(const std::string& path);
  /// Opens an existing file for reading, as it is now: all queries see the same events, whatever a writer
  /// appends meanwhile. The writer does not wait for readers. Errors: "store".
  static Result<Store> read(const std::string& path);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Appends events in one transaction, all or none. A trial that is running may begin again under its id;
  /// this changes its time. Errors: "store" if the disk is full, or if an event does not follow from the
  /// previous ones:
  /// - the first event is not the campaign, or a later one is;
  /// - a parent, trial, promotion, veto, comparison or profile refers to an unknown design;
  /// - an id is not the next one;
  /// - a trial begins again with other values, or after its end;
  /// - a trial already has a result (the first one stays), or its result is invalid or has status "stopped";
  /// - the report of a task has no task in progress, or a design has no finished task without a design;
  /// - a promotion, a profile or the key of a request is repeated.
  Result<bool> append(const record::Event& event);
  Result<bool> append(const std::vector<record::Event>& events);

  [[nodiscard]] const std::string& path() const;

  // Queries are O(rows returned), up to logarithms.
  /// Returns the number of events, which is the id of the last one.
  [[nodiscard]] std::int64_t event_count() const;
  /// Returns at most `limit` events with their times, starting at id `from`; ids count from 1.
  [[nodiscard]] std::vector<std::pair<double, record::Event>> events(std::int64_t from,
                                                                     std::int64_t limit) const;
  /// Errors: "store" if nothing is recorded.
  [[nodiscard]] Result<record::CampaignBegun> campaign() const;
  [[nodiscard]] std::int64_t design_count() const;
  [[nodiscard]] std::vector<DesignRow> designs() const;  // without their programs
  /// Returns a design with its program. Errors: "store" if there is none.
  [[nodiscard]] Result<DesignRow> design(std::int64_t id) const;
  /// Returns at most `limit` designs with the best mean bits at `rung`, best first; their `rung` and `bits`
  /// are those of this ranking. Results that are not finite are not ranked.
  [[nodiscard]] std::vector<DesignRow> best(int rung, std::int64_t limit) const;
  [[nodiscard]] std::vector<TrialRow> trials() const;
  [[nodiscard]] std::vector<TrialRow> trials_of(std::int64_t design) const;
  /// Returns the result of a trial as recorded. Errors: "store" if it has none.
  [[nodiscard]] Result<record::TrialResult> result(std::int64_t trial) const;
  [[nodiscard]] std::vector<record::Promoted> promotions() const;                        // in order
  [[nodiscard]] std::vector<record::Promoted> promotions_of(std::int64_t design) const;  // by rung
  [[nodiscard]] std::vector<SessionRow> sessions() const;                                // in order
  [[nodiscard]] std::vector<TaskRow> tasks() const;                                      // by id
  // In order, with times.
  [[nodiscard]] std::vector<std::pair<double, record::Steered>> steering() const;
  [[nodiscard]] std::vector<record::ComparisonBegun> comparisons() const;  // by id
  [[nodiscard]] std::vector<record::Profiled> profiles() const;            // by design
  [[nodiscard]] std::vector<RungRow> rungs() const;
  /// The number of draws refused before training, by strategy (or by origin, if no strategy drew them) and
  /// cause; or of trials that ended without a score, by status and cause (store::group_of).
  struct Count {
    std::string what;  // a strategy, an origin or a status
    std::string cause;
    std::int64_t count = 0;
  };
  /// Return the counts, largest first.
  [[nodiscard]] std::vector<Count> refusals() const;
  [[nodiscard]] std::vector<Count> failures() const;
  /// Returns the largest number of a draw (DesignCreated::attempt); 0: none was drawn.
  [[nodiscard]] std::int64_t last_attempt() const;
  /// Recomputes the tables from the events; their previous content does not matter. O(events).
  Result<bool> rebuild();

 private:
  struct Database;
  explicit Store(std::unique_ptr<Database> database);
  std::unique_ptr<Database> db_;
};

}  // namespace gabbro::store
