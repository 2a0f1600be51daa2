// `gabbro evolve` and `gabbro resume`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gabbro::cli {

struct EvolveCommand {
  std::string dir = "runs/evolve", preset = "laptop", corpus, device = "cpu";
  std::string agents, replay;           // a file, a folder
  std::vector<std::string> strategies;  // instead of the preset's; "none" alone: no search
  std::vector<std::string> designs;     // files of a person's designs
  double minutes = 0;
  std::int64_t trials = 0;
  std::uint64_t seed = 1;
  int workers = 0, threads = 1;
  bool aa_test = false, as_written = false;
};

/// Begins a campaign in a new folder, or goes on with the one in `dir`. Without a corpus, the corpus `debian`
/// is built in the folder. Ctrl-C stops the runs at their next step; a second one kills them; either way the
/// record is whole. Exit 0 when the budget was spent or nothing is left to do, 1 when it was stopped, 2 for
/// usage, I/O, or workers that cannot work.
int run_evolve(const EvolveCommand& c);
int run_resume(const EvolveCommand& c);

}  // namespace gabbro::cli
