// The commands that read a campaign's record; it may be read while a campaign writes it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// `run`: a campaign's folder, or a design of it as FOLDER#ID.
struct RecordCommand {
  std::string run, out;
  std::int64_t count = 10;
  bool json = false;
  bool talk = false;  // the conversation of agents that wrote the design
};

/// Each prints what campaign/record_text.h says. Exit 0, or 2 when there is no such campaign or design.
int run_status(const RecordCommand& c);
int run_top(const RecordCommand& c);
int run_show_design(const RecordCommand& c);
int run_tree(const RecordCommand& c);

/// The design's program as design.gab in the folder `out`, the result of its last run at its highest rung,
/// and that run's weights where they were kept. Files that are there are not overwritten.
int run_export(const RecordCommand& c);

/// One self-contained HTML file at `out`, by atomic rename; default: report.html in the campaign's folder.
int run_report(const RecordCommand& c);

/// Whether `text` names a design of a campaign: FOLDER#NUMBER.
bool names_design(const std::string& text);

/// The program of a design of a campaign (FOLDER#NUMBER). Errors: "usage", "campaign", those of store::Store.
Result<std::string> read_design(const std::string& text);

/// Whether it is the folder of a campaign.
bool is_campaign(const std::string& path);

}  // namespace gabbro::cli
