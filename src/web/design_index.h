// The designs of a campaign in a form that is quickly filtered and sorted, for the table of designs.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "campaign/reading.h"
#include "store/store.h"

namespace gabbro::web {

/// Says what became of a design at the highest rung that it entered.
enum class DesignStatus : std::uint8_t { kWaiting, kRunning, kDone, kStopped, kFailed, kVetoed };

/// A row of the table.
struct DesignEntry {
  std::int64_t id = 0, parent = 0;
  std::string label, species, source, maker;  // label_of, source_of and maker_of
  std::string name;                           // title of the agents' proposal, or the name in its program
  record::Origin origin = record::Origin::kSearch;
  DesignStatus status = DesignStatus::kWaiting;
  int entered = -1;  // highest rung with a run; -1: none
  int rung = -1;     // highest rung with a score; -1: none
  double bits = 0;   // there
  double first = 0;  // at the first rung; 0: no score
  double train = 0, decode = 0, state = 0;
  int generation = 0;                // number of ancestors along first parents
  std::string folded;                // label, names, species, source and maker in lower case
  std::vector<std::uint32_t> units;  // numbers of the names of units in its program, sorted
};

/// Says which designs are wanted, in which order.
struct DesignQuery {
  std::string text;                             // words that must all be found in a design's names or units
  std::string unit;                             // name of a unit
  std::string origin, source, status, species;  // "": any
  int rung = -1;                                // designs that entered it; -1: any
  std::string sort = "bits";  // bits, id, first, train, decode, state, generation, rung, status, label, name
  bool descending = false;
  std::size_t offset = 0, limit = 100;
};

/// Numbers of the designs that match a query: of all of them, and of one page in order.
struct DesignPage {
  std::size_t matches = 0;
  std::vector<std::size_t> rows;  // indices into DesignIndex::entries()
};

class DesignIndex {
 public:
  /// Adds new designs, and computes the entries of `touched` again. O(touched + new designs).
  void update(const campaign::CampaignReading& reading, const std::set<std::int64_t>& touched);
  /// Reads the programs of at most `most` further designs, and returns the names of their units, one list for
  /// each design. It changes nothing, so that others may read meanwhile.
  [[nodiscard]] std::vector<std::vector<std::string>> read_units(const store::Store& store,
                                                                 std::size_t most) const;
  /// Adds names that `read_units` has returned.
  void add_units(const std::vector<std::vector<std::string>>& names);

  [[nodiscard]] const std::vector<DesignEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::vector<std::string>& units() const { return units_; }
  /// Returns the number of designs whose units are known: the first ones.
  [[nodiscard]] std::size_t with_units() const { return with_units_; }
  /// Finds the designs that match. O(designs).
  [[nodiscard]] DesignPage find(const DesignQuery& query) const;

 private:
  void fill(const campaign::CampaignReading& reading, DesignEntry& entry) const;

  std::vector<DesignEntry> entries_;  // by id
  std::vector<std::string> units_, folded_units_;
  std::map<std::string, std::uint32_t, std::less<>> number_of_unit_;
  std::size_t with_units_ = 0;
};

}  // namespace gabbro::web

template <>
struct gabbro::record::Spelling<gabbro::web::DesignStatus> {
  static constexpr std::string_view kWhat = "status of a design";
  static constexpr std::array<std::string_view, 6> kWords{"waiting", "running", "done",
                                                          "stopped", "failed",  "vetoed"};
};
