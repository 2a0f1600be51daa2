// The tables of a campaign's record, and the changes that each event makes to them.
#pragma once

#include "record/event.h"
#include "record/trial.h"
#include "sqlite/sqlite.h"

namespace gabbro::store {

/// SQL that creates the table of events, which is the record itself.
extern const char* const kEventTable;
/// SQL that drops all other tables and creates them empty.
extern const char* const kResetTables;

/// Applies an event to the tables. `event_id` is its row in the table of events, which exists already; `time`
/// is in seconds since 1970. Runs inside a transaction that is rolled back on errors. Errors: "store", as
/// Store::append. O(log of the rows).
Result<bool> apply_to_tables(sqlite::Connection& db, std::int64_t event_id, double time,
                             const record::Event& event);

/// Returns the text by which a run without a score is counted: the code of its error, or else its cause
/// before the first digit or colon, without digits at the start.
std::string group_of(const record::TrialResult& result);

}  // namespace gabbro::store
