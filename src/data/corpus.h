// A corpus on disk: memory-mapped token shards with document boundaries.
//
// A corpus is a folder with manifest.json and tokenizer.model. For each split (train, valid) it has two kinds
// of files. The shards NAME-00000.tokens hold 16-bit token ids in the order of the documents, each followed
// by the end token; ids have 32 bits if the vocabulary is larger. NAME.documents holds two 64-bit numbers per
// document: the number of tokens up to its end, counted over all shards, and its bytes of text. All numbers
// are little-endian.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

/// A document of a split. Its tokens are [begin, end) of the split, including the end token; `bytes` are
/// those of its text.
struct Document {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bytes = 0;
};

/// A split, mapped into memory; pages are loaded when they are read.
class Split {
 public:
  [[nodiscard]] std::uint64_t tokens() const;
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t documents() const;
  /// Returns the share of the split's documents of which the tokenizer keeps another text.
  [[nodiscard]] double changed_share() const;
  /// Returns the number of documents to read if at most `limit` are wanted; 0 means all.
  [[nodiscard]] std::size_t documents_up_to(std::uint64_t limit) const;
  [[nodiscard]] Document document(std::size_t index) const;
  /// Returns the index of the document to which token `position` of the split belongs. O(log documents).
  [[nodiscard]] std::size_t document_of(std::uint64_t position) const;
  /// Restricts documents() and document() to these, which are parts of the split's (data/heads.h). All other
  /// functions remain those of the whole split.
  void restrict_to(std::vector<Document> documents);
  /// Reads tokens [from, from + out.size()), which must be in the split. Throws std::runtime_error at a token
  /// that is not in the vocabulary. This can occur if a file is too large to be hashed when it is opened, or
  /// if it has changed since.
  void read(std::uint64_t from, std::span<std::int64_t> out) const;
  /// Appends the tokens of a document. Throws as read does.
  void append(const Document& document, std::vector<std::int64_t>& tokens) const;

  Split(Split&&) noexcept;
  Split& operator=(Split&&) noexcept;
  ~Split();

 private:
  friend class Corpus;
  struct State;
  explicit Split(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ShardInfo {
  std::string file;  // name in the folder of the corpus
  std::uint64_t tokens = 0;
  std::string hash;  // 128-bit XXH3 hash of the file
};

struct SplitInfo {
  std::string name;  // "train" or "valid"
  std::uint64_t documents = 0, tokens = 0, bytes = 0;
  std::vector<ShardInfo> shards;
  std::string documents_hash;  // hash of NAME.documents, as those of shards
  // Documents of which the tokenizer keeps another text; their bytes are those of the text that it keeps.
  std::uint64_t changed_documents = 0;
  [[nodiscard]] double changed_share() const;  // of the documents
};

/// The largest vocabulary size whose token ids have 16 bits; ids of larger ones have 32.
inline constexpr int kMaxVocabOf16Bits = 1 << 16;

/// The content of manifest.json.
struct Manifest {
  static constexpr int kVersion = 1;
  int vocab = 0;                     // tokens
  std::string tokenizer_hash;        // hash of tokenizer.model, as those of shards
  std::vector<std::string> sources;  // the files from which the corpus was built
  std::vector<SplitInfo> splits;
  /// Returns the share of the held-out documents of which the tokenizer keeps another text.
  [[nodiscard]] double changed_share() const;
};

std::string to_json(const Manifest& manifest);
/// Returns a hash of everything that a run reads of a corpus: its texts and their boundaries.
std::string hash_of(const Manifest& manifest);
/// Parses a manifest; `path` is named in errors. Errors: "corpus" (not a manifest, or another version).
Result<Manifest> parse_manifest(const std::string& json, const std::string& path);

class Corpus {
 public:
  /// Opens a corpus. Errors, "corpus", each with the file and the numbers: no corpus, another version, a file
  /// that is missing or has the wrong size, or a tokenizer.model that is not the manifest's.
  static Result<Corpus> open(const std::string& folder);

  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Opens a split. Files of up to 1 GiB are compared with their hashes; larger ones only by
  /// `verify`. Errors, "corpus": no such split, a damaged file, or impossible documents: each must
  /// have at least one token and one byte, and their totals must be those of the manifest.
  [[nodiscard]] Result<Split> split(const std::string& name) const;
  /// Returns the files that `split` does not compare with their hashes.
  [[nodiscard]] std::vector<std::string> files_too_large_to_check() const;
  /// Reads every file and compares its hash with the manifest, and the bytes of held-out documents with their
  /// text (text_bytes.h). Errors: "corpus", with the name of the file or the number of the document.
  [[nodiscard]] Result<bool> verify() const;

 private:
  [[nodiscard]] Result<Split> map(const std::string& name) const;
  [[nodiscard]] Result<bool> check(const std::string& file, const std::string& hash) const;

  std::string folder_;
  Manifest manifest_;
};

/// Returns the 128-bit XXH3 hash of a file in hex. Errors: "corpus".
Result<std::string> hash_file(const std::string& path);

}  // namespace gabbro::data
