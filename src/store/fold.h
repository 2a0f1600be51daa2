// The tables of a campaign's record: what they are, and what each event does to them.
#pragma once

#include "record/event.h"
#include "sqlite/sqlite.h"

namespace gabbro::store {

/// SQL that makes the table of events, which is the record itself.
extern const char* const kEventTable;
/// SQL that makes the others anew, empty. Whatever they held goes.
extern const char* const kFoldTables;

/// The event of number `at` (its row in the table of events, which is there already), recorded at `time`, in
/// the tables. Inside of a transaction that is rolled back on errors. Errors, "store": as Store::append.
/// O(log of the rows).
Result<bool> fold(sqlite::Connection& db, std::int64_t at, double time, const record::Event& event);

/// What causes are counted by: the code of an error ("x.gab:3:1: error[budget]: ..." is "budget"); else what
/// stands before the first digit or colon, without digits at the start.
std::string kind_of_cause(const std::string& cause);

}  // namespace gabbro::store
