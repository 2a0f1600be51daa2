// Parts of the description of one design that the report, `gabbro show` and the dashboard share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "campaign/reading.h"
#include "edit/diff.h"

namespace gabbro::campaign {

/// The program of a design, with marks on the lines that its parent does not have.
struct ProgramView {
  struct Line {
    std::string text;
    bool is_new = false;
  };
  std::vector<Line> lines;
  std::string parent;                 // label of the parent; "" if there is none
  std::vector<edit::Change> changes;  // from the parent
};
ProgramView program_view(const store::Store& store, const evolve::Population& population,
                         const record::DesignCreated& created);

/// A unit in the tree of a design; equal neighbours take one row.
struct UnitRow {
  int depth = 0, count = 1;
  std::string unit, hypers;
  std::int64_t params = 0;  // of one of them
};
/// The units of a design. `where` says the size: "at 150k, D = 64", or "as written".
struct UnitTree {
  std::string where;
  std::vector<UnitRow> rows;
};
/// Returns the units of a design with their parameters, at the size of the highest rung where it has a score,
/// or as written if it has no size there. It has no rows if the program is invalid.
UnitTree unit_tree(const CampaignReading& reading, std::int64_t design, lang::Program program);

/// Describes the verdict on a leader, or the difference of another candidate from the best baseline at the
/// highest rung at which it has one; "" if there is none.
std::string standing_text(const CampaignReading& reading, std::int64_t design);

}  // namespace gabbro::campaign
