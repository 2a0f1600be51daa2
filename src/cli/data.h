// `gabbro data`: builds and inspects corpora.
#pragma once

#include <string>
#include <vector>

#include "data/build.h"
#include "data/corpus.h"

namespace gabbro::cli {

struct DataOptions {
  data::BuildOptions build;
  std::string folder;   // info: the corpus
  bool verify = false;  // info: checks the hash of every file
  bool json = false;    // info: prints the manifest
};

/// Exit codes are those of cli/commands.h. Progress goes to standard error: on a terminal one line that is
/// rewritten, otherwise a line every ten seconds. Ctrl-C stops a build cleanly.
int run_data_build(const DataOptions& o);
int run_data_info(const DataOptions& o);

/// Warns on standard error if training on `tokens` tokens reads the corpus more than twice, if it has too
/// little held-out text to distinguish designs, or if its tokenizer does not reproduce all of that text.
void warn_of_corpus(const data::Manifest& corpus, std::int64_t tokens);

}  // namespace gabbro::cli
