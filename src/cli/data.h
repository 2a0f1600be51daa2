// `gabbro data`: making and inspecting corpora.
#pragma once

#include <string>
#include <vector>

#include "data/build.h"
#include "data/corpus.h"

namespace gabbro::cli {

struct DataOptions {
  data::BuildOptions build;
  std::string folder;
  bool verify = false, json = false;
};

/// Exit codes as in cli/commands.h. Progress goes to standard error: a line that is rewritten on a terminal,
/// a line now and then elsewhere. Ctrl-C stops a build cleanly.
int run_data_build(const DataOptions& o);
int run_data_info(const DataOptions& o);

/// Says on standard error what `tokens` of training on a corpus would be read several times, and where there
/// is too little held-out text to tell designs apart.
void warn_of_size(const data::Manifest& corpus, std::int64_t tokens);

}  // namespace gabbro::cli
