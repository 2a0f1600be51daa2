// Keeps what a campaign does at the moment in a file beside its record: progress of runs, time left,
// warnings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "campaign/campaign.h"

namespace gabbro::campaign {

/// A run in progress, with its training losses so far.
struct LiveRun {
  std::int64_t trial = 0;
  record::Progress progress;
  // (tokens, loss), thinned to some hundred points. A loss is the mean since the previous point.
  std::vector<std::pair<double, double>> curve;
};

/// The state that the live view shows, which is not part of the record.
struct LiveState {
  double time = 0;           // when it was written, in seconds since 1970
  bool searches = true;      // false: the final comparison
  double seconds = 0;        // elapsed in the session
  double seconds_left = -1;  // negative: there is no time budget
  std::int64_t ended_in_session = 0;
  std::string agents, warning;  // of Snapshot
  std::string left;             // left_text; "" in files of older versions
  int workers = 0, busy = 0;    // of Snapshot; 0 workers in files of older versions
  std::vector<LiveRun> runs;
  std::vector<Profiling> profiling;
};

/// Writes the live state of a campaign into its folder, at most once a second. A file that cannot be written
/// is left out: nothing depends on it.
class LiveFile {
 public:
  explicit LiveFile(std::string dir) : dir_(std::move(dir)) {}
  LiveFile(const LiveFile&) = delete;
  LiveFile& operator=(const LiveFile&) = delete;
  ~LiveFile();  // removes the file
  void operator()(const Snapshot& snapshot);

 private:
  struct Curve {
    std::vector<std::pair<double, double>> points;
    std::int64_t every = 1;  // progress reports that make one point
    std::int64_t reports = 0;
    double sum = 0, last_tokens = -1;
  };
  void note(const Running& run);

  std::string dir_;
  double last_ = -1e9;  // seconds_now() of the last write
  std::map<std::int64_t, Curve> curves_;
};

/// Returns the live state in the folder of a campaign; nothing if there is none, or it cannot be read.
std::optional<LiveState> read_live(const std::string& dir);

}  // namespace gabbro::campaign
