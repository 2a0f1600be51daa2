// `gabbro evolve` and `gabbro resume`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "campaign/forecast.h"

namespace gabbro::cli {

struct EvolveCommand {
  std::string dir = "runs/evolve", preset = "laptop", corpus;
  std::string record;                   // folder of the record; empty: `dir`
  std::string agents, replay;           // path of a configuration; folder of a campaign
  std::vector<std::string> strategies;  // replace the preset's; "none" alone: no search
  std::vector<std::string> designs;     // user designs: files, or designs of other campaigns as RUN#ID
  double minutes = 0;                   // 0: no limit
  std::int64_t trials = 0;              // of the whole campaign; 0: no limit
  std::uint64_t seed = 1;
  std::string secret;  // text from which the seeds of comparisons follow; empty: drawn at random
  int workers = -1;    // 0: the number of cores divided by `threads`, or a cluster's `max_jobs`; -1: as begun
  std::string executor;  // "local" or "slurm"; empty: as the campaign's last session
  std::string slurm;     // file with the table [slurm]; empty: the campaign's own
  int threads = 1;       // of one run
  bool aa_test = false;
  bool as_written = false;  // keeps the number of repeated blocks of `designs`
  bool plan = false;        // only print the forecast of the preset's ladder
  campaign::AssumedSpeed speed;
};

/// run_evolve begins a campaign in a new folder; run_resume continues the one in `dir`. Without a corpus, the
/// corpus `debian` is built in the folder. Ctrl-C stops the runs at their next step, and a second one kills
/// them; the record stays consistent in both cases. Exit codes: 0 the budget is spent or nothing is left to
/// do; 1 stopped, or an invalid design; 2 usage, I/O, or workers that cannot work.
int run_evolve(const EvolveCommand& c);
int run_resume(const EvolveCommand& c);

}  // namespace gabbro::cli
