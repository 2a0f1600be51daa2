// The record of a campaign in one SQLite file: events appended, and tables that are their fold.
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

/// A design with what is known of its trials.
struct DesignRow {
  record::DesignCreated created;
  double time = 0;  // of its event, seconds since 1970; informational
  int rung = -1;    // the highest at which a trial of it was done; -1: none
  double bits = 0;  // mean bits per byte there
};

struct TrialRow {
  record::TrialBegun begun;
  std::optional<record::Status> status;  // of its result; nothing: it runs, or was lost with its campaign
  record::RunEnd end = record::RunEnd::kResult;
  std::string cause;
  double time_begun = 0, time_ended = 0, seconds = 0;
  double bits = 0, bits_low = 0, bits_high = 0;
  double last_loss = 0, tokens_per_second = 0;
  std::int64_t params = 0, tokens = 0;
};

/// Counts of one rung: designs with a trial, trials, and what their workers took.
struct RungRow {
  int rung = 0;
  std::int64_t designs = 0, running = 0, done = 0, refused = 0, failed = 0, hurdle = 0;
  double seconds = 0, tokens = 0;
};

/// A process came to the campaign or left it; `at` is the number of the event.
struct SessionRow {
  std::int64_t at = 0;
  double time = 0;
  record::Session session;
};

/// What agents were asked to make, and what became of it.
struct TaskRow {
  record::TaskBegun begun;
  double time_begun = 0, time_ended = 0;
  bool ended = false;
  record::TaskReport report;  // when it ended
  std::int64_t design = 0;    // that came of it; 0: none, or not yet
  std::string refused;        // why its design was refused before training
};

/// One campaign's file. Every append is one transaction that holds the event and the change of the tables, on
/// disk when it returns (WAL, synchronous = FULL): a killed process loses nothing that was appended. One
/// writer, which holds the lock of PATH.lock; readers at any time. A file that could be opened and then
/// cannot be read (a failing disk, changed by hand) throws Damaged, from any query.
class Store {
 public:
  static constexpr int kSchema = 7;

  /// Opens `path` for writing, making it when there is none. Errors, "store": not a campaign's file, another
  /// schema (with both numbers), another writer, no place on the disk, no permission.
  static Result<Store> open(const std::string& path);
  /// Whether a process has it open for writing.
  static bool is_written(const std::string& path);
  /// Opens an existing file for reading.
  static Result<Store> read(const std::string& path);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Appends in one transaction: all or none. Errors, "store": the disk is full, an event that does not
  /// follow (the first is not the campaign or a later one is; an unknown design as parent, in a trial or a
  /// promotion; an id that is not the next; a trial that begins again otherwise than before, or after its
  /// end; a second result of a trial: the first one stays; a result that is none, or of a trial that was
  /// stopped; a second promotion). A trial that is running may begin again under its id: its time changes.
  Result<bool> append(const record::Event& event);
  Result<bool> append(const std::vector<record::Event>& events);

  [[nodiscard]] const std::string& path() const;

  // Queries. All but `events` and `rebuild` are O(rows returned) or use an index.
  [[nodiscard]] std::int64_t event_count() const;
  /// Events `from` (counted from 1) and later, at most `limit`, with their times.
  [[nodiscard]] std::vector<std::pair<double, record::Event>> events(std::int64_t from,
                                                                     std::int64_t limit) const;
  [[nodiscard]] Result<record::CampaignBegun> campaign() const;
  [[nodiscard]] std::int64_t design_count() const;
  [[nodiscard]] std::vector<DesignRow> designs() const;  // without their programs
  [[nodiscard]] Result<DesignRow> design(std::int64_t id) const;
  /// The designs with the best mean bits at `rung`, best first; their `rung` and `bits` are those. Results
  /// that are not finite are not ranked.
  [[nodiscard]] std::vector<DesignRow> best(int rung, std::int64_t limit) const;
  [[nodiscard]] std::vector<TrialRow> trials() const;
  [[nodiscard]] std::vector<TrialRow> trials_of(std::int64_t design) const;
  /// The result of a trial as it was recorded.
  [[nodiscard]] Result<record::TrialResult> result(std::int64_t trial) const;
  [[nodiscard]] std::vector<record::Promoted> promotions() const;                        // in their order
  [[nodiscard]] std::vector<record::Promoted> promotions_of(std::int64_t design) const;  // by rung
  [[nodiscard]] std::vector<SessionRow> sessions() const;                                // in their order
  [[nodiscard]] std::vector<TaskRow> tasks() const;                                      // by id
  [[nodiscard]] std::vector<std::pair<double, record::Steered>> steering()
      const;                                                               // in their order, with times
  [[nodiscard]] std::vector<record::ComparisonBegun> comparisons() const;  // by id
  [[nodiscard]] std::vector<record::Profiled> profiles() const;            // by design
  [[nodiscard]] std::vector<RungRow> rungs() const;
  /// How often each cause refused a draw before training, by strategy (or "ablation"), and how often each
  /// status and cause ended a trial; most often first. Causes without their numbers: what stands before the
  /// first digit or colon.
  struct Count {
    std::string what, cause;  // a strategy or a status
    std::int64_t count = 0;
  };
  [[nodiscard]] std::vector<Count> refusals() const;
  [[nodiscard]] std::vector<Count> failures() const;
  [[nodiscard]] std::int64_t last_attempt() const;
  /// The tables made anew from the events; what they held before does not matter. O(events).
  Result<bool> rebuild();

 private:
  struct Database;
  explicit Store(std::unique_ptr<Database> database);
  std::unique_ptr<Database> db_;
};

}  // namespace gabbro::store
