// Builds a corpus from files, or from the named corpus `debian`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/corpus.h"
#include "data/documents.h"

namespace gabbro::data {

struct BuildOptions {
  std::string out;  // folder to create
  // Files and folders, or `debian` if there is no file of that name (debian/packages.h).
  std::vector<std::string> sources;
  // Held-out documents. Documents of `sources` that overlap with them are left out (held_out.h). If empty, a
  // share of `sources` is held out, and documents that overlap in part are counted and kept.
  std::vector<std::string> valid_sources;
  double valid_share = 0.01;  // share of held-out documents, chosen by the hash of their text
  SourceOptions source;
  int vocab = 4096;       // tokens of the vocabulary to train
  std::string tokenizer;  // path of a tokenizer.model to use instead of training one
  // Also build if that tokenizer does not reproduce the text; the manifest counts such documents.
  bool allow_changed_text = false;
  std::uint64_t sample_bytes = 16 << 20;  // bytes of training text from which the vocabulary is trained
  std::uint64_t shard_tokens = 1 << 27;   // tokens at which a shard ends, with its last document
  int threads = 2;                        // threads that encode
  std::string cache;                      // folder for packages of `debian`; empty: see debian/fetch.h
};

/// The progress of a build: `share` is the completed share of the stage in [0, 1]; `bytes` are those of text.
/// The counts are those of the stage so far.
struct BuildProgress {
  // "Debian packages", "reading held-out text", "comparing with held-out text", "reading a sample", "training
  // the tokenizer", "encoding train" or "encoding valid"
  std::string stage;
  double share = 0;
  std::uint64_t documents = 0, bytes = 0, tokens = 0;
  std::string notice;  // a message for the user, such as documents that were left out
};

/// Builds the corpus next to `out` and renames it when it is complete: `out` is either a whole corpus or does
/// not exist. The next build removes the files of an interrupted one. The same sources and options give the
/// same files, regardless of the number of threads. Apart from the sample for the vocabulary, only a batch of
/// documents is in memory at a time.
/// `progress` is called a few times a second and returns false to stop. Errors: "exists" (`out` exists
/// already), "stopped", "corpus" (no documents, or none held out), "io" (a full disk), and those of
/// sources.h, documents.h, tokenizer.h and debian/corpus.h.
Result<Manifest> build_corpus(const BuildOptions& options,
                              const std::function<bool(const BuildProgress&)>& progress);

}  // namespace gabbro::data
