// A corpus on disk: token shards, memory-mapped, with the borders of its documents.
//
// A corpus is a folder with manifest.json, tokenizer.model and, for each split (train, valid), shards
// NAME-00000.tokens (16-bit token ids in the order of the documents, each ended by the end piece; 32-bit when
// the vocabulary is larger) and NAME.documents (per document two 64-bit numbers: the tokens up to its end,
// counted over all shards, and its bytes of text). All numbers little-endian.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

/// A document of a split: its tokens are [begin, end), the end piece included.
struct Document {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bytes = 0;
};

/// One split, mapped into memory; what is not read is not loaded.
class Split {
 public:
  [[nodiscard]] std::uint64_t tokens() const;
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t documents() const;
  [[nodiscard]] Document document(std::size_t index) const;
  /// The document that token `position` belongs to. O(log documents).
  [[nodiscard]] std::size_t document_of(std::uint64_t position) const;
  /// From here on the split has these documents and no others: a view of its tokens (data/heads.h). tokens()
  /// and bytes() stay those of the whole.
  void keep(std::vector<Document> documents);
  /// Tokens [from, from + out.size()), which must lie in the split. Throws std::runtime_error at one that the
  /// vocabulary does not have: of a file that is too large to be compared with its hash whenever it is
  /// opened, or that changed since.
  void read(std::uint64_t from, std::span<std::int64_t> out) const;

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
  std::string file;
  std::uint64_t tokens = 0;
  std::string hash;  // XXH3, 128 bits, of the file
};

struct SplitInfo {
  std::string name;
  std::uint64_t documents = 0, tokens = 0, bytes = 0;
  std::vector<ShardInfo> shards;
  std::string documents_hash;
};

/// What manifest.json says.
struct Manifest {
  static constexpr int kVersion = 1;
  int vocab = 0;
  std::string tokenizer_hash;
  std::vector<std::string> sources;
  std::vector<SplitInfo> splits;
};

std::string to_json(const Manifest& manifest);
/// A hash of all that a run reads of a corpus: its texts and how they are cut.
std::string hash_of(const Manifest& manifest);
Result<Manifest> parse_manifest(const std::string& json, const std::string& path);

class Corpus {
 public:
  /// Errors: "corpus" (no corpus there, another version, a file missing or of the wrong size, another
  /// vocabulary than it was built with), each with the file and the numbers.
  static Result<Corpus> open(const std::string& folder);

  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Files of up to 1 GiB are compared with their hashes on the way, at the speed of memory; larger ones when
  /// `verify` is asked. Errors: "corpus" when there is no such split, a file of it is damaged, or its
  /// documents cannot be: every one has a token and a byte or more, and together they have those that the
  /// manifest says.
  [[nodiscard]] Result<Split> split(const std::string& name) const;
  /// The files that `split` does not compare with their hashes.
  [[nodiscard]] std::vector<std::string> unchecked() const;
  /// Reads every file and compares its hash with the manifest. Errors: "corpus", naming the file.
  [[nodiscard]] Result<bool> verify() const;

 private:
  [[nodiscard]] Result<Split> map(const std::string& name) const;
  [[nodiscard]] Result<bool> check(const std::string& file, const std::string& hash) const;

  std::string folder_;
  Manifest manifest_;
};

/// XXH3 of a file. Errors: "io".
Result<std::string> hash_file(const std::string& path);

}  // namespace gabbro::data
