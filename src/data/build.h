// Makes a corpus from files, or from the named corpus `debian`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/corpus.h"
#include "data/documents.h"

namespace gabbro::data {

struct BuildOptions {
  std::string out;
  std::vector<std::string>
      sources;  // files, folders; `debian`, where no file has that name: debian/packages.h
  std::vector<std::string>
      valid_sources;          // held-out documents, which are left out of `sources`; empty: some of `sources`
  double valid_share = 0.01;  // of the documents, chosen by the hash of their text
  SourceOptions source;
  int vocab = 4096;
  std::string tokenizer;                  // a tokenizer.model to use instead of training one
  std::uint64_t sample_bytes = 16 << 20;  // of text, for the vocabulary
  std::uint64_t shard_tokens = 1 << 27;
  int threads = 2;
  std::string cache;  // where packages of `debian` are kept; empty: debian/fetch.h
};

/// How far a build is: `share` of the stage in [0, 1], counts so far.
struct BuildProgress {
  std::string stage;  // "packages of debian", "reading a sample", "making the vocabulary", "encoding train",
                      // "encoding valid"
  double share = 0;
  std::uint64_t documents = 0, bytes = 0, tokens = 0;
  std::string notice;  // something to tell a person: what was left out, what a package held
};

/// Builds the corpus beside `out` and renames it into place when everything is written: `out` is either a
/// whole corpus or not there. What an interrupted build left is removed by the next one. The same sources and
/// options give the same files, whatever the number of threads. Documents are kept in memory some at a time.
/// `progress` is called a few times a second, and may return false to stop. Errors: "exists" (there is
/// something at `out`), "stopped", "corpus" (no documents, none held out), and those of documents.h,
/// tokenizer.h and debian/corpus.h, "io" (a full disk).
Result<Manifest> build_corpus(const BuildOptions& options,
                              const std::function<bool(const BuildProgress&)>& progress);

}  // namespace gabbro::data
