// Follows the record of a campaign while it grows.
#pragma once

#include <cstdint>
#include <set>

#include "campaign/reading.h"

namespace gabbro::campaign {

/// A reading that is brought up to date with a record. It equals what read_record returns for the same
/// events, except that it may hold the documents of more runs, and that it counts draws and failures only
/// since it was read.
class RecordFollower {
 public:
  /// Reads a record as it is now. Errors: as read_record.
  static Result<RecordFollower> read(const store::Store& store);
  /// Applies the events that `store` has beyond those seen, and returns the designs that they concern. After
  /// an error the reading is incomplete and must not be used. Errors: as read_record. O(new events).
  Result<std::set<std::int64_t>> catch_up(const store::Store& store);
  /// Returns true if `store` holds the record that was read, with the same events or more: a folder may be
  /// replaced by another campaign, or by an older copy.
  [[nodiscard]] bool follows(const store::Store& store) const;
  [[nodiscard]] const CampaignReading& reading() const { return reading_; }
  /// Returns the number of events seen.
  [[nodiscard]] std::int64_t events() const { return events_; }

 private:
  RecordFollower(CampaignReading reading, std::int64_t events)
      : reading_(std::move(reading)), events_(events) {}
  CampaignReading reading_;
  std::int64_t events_;
};

}  // namespace gabbro::campaign
