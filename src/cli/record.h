// The commands that read a campaign's record. It may be read while a campaign writes it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// `run` is a campaign's folder, or a design of it as FOLDER#ID.
struct RecordCommand {
  std::string run;
  std::string out;          // export: folder to create; report: file to write; empty: their defaults
  std::int64_t count = 10;  // top: number of designs
  bool json = false;
  std::string csv;    // status: "designs" or "runs" as CSV; empty: the status
  bool talk = false;  // show: the conversation that led to the design
};

/// Each command prints the text of campaign/record_text.h. Exit codes: 0; 2 the campaign or design does not
/// exist.
int run_status(const RecordCommand& c);
int run_top(const RecordCommand& c);
int run_show_design(const RecordCommand& c);
int run_tree(const RecordCommand& c);

/// Writes the design's program as design.gab into the folder `out` (default: NAME-ID), with the result of one
/// run, and that run's weights and spec if its weights were kept. The run is the last scored one at the
/// highest rung, except that no run without weights replaces an earlier one with weights. An existing `out`
/// is an error.
int run_export_gab(const RecordCommand& c);

/// Writes one self-contained HTML file to `out` by atomic rename; default: report.html in the campaign's
/// folder.
int run_report(const RecordCommand& c);

/// Returns true if `text` names a design of a campaign: FOLDER#NUMBER.
bool names_design(const std::string& text);

/// Returns the program of a campaign's design (FOLDER#NUMBER). Errors: "usage", "campaign", those of
/// store::Store.
Result<std::string> read_design(const std::string& text);

/// Returns the folder of a design's run (FOLDER#NUMBER): the first that was done at the highest rung. Errors:
/// as for read_design, and "campaign" if no run of it was done.
Result<std::string> run_of_design(const std::string& text);

/// Returns what run_show_design prints of a campaign's design. Errors as for read_design.
Result<std::string> show_design(const std::string& text);

/// Returns true if `path` is the folder of a campaign.
bool is_campaign(const std::string& path);

}  // namespace gabbro::cli
