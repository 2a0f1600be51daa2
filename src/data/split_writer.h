// Writes the shards and document boundaries of one split.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/corpus.h"
#include "data/output_file.h"

namespace gabbro::data {

/// Writes documents one after another. Errors: "io".
class SplitWriter {
 public:
  /// `wide`: tokens take 4 bytes instead of 2. A shard ends with the document that brings it to
  /// `shard_tokens`.
  SplitWriter(std::string folder, std::string name, bool wide, std::uint64_t shard_tokens);
  /// Adds a document: its tokens, including the end token, and the number of bytes of its text. `changed`:
  /// the tokens decode to another text.
  Result<bool> add(const std::vector<int>& tokens, std::uint64_t bytes, bool changed = false);
  /// Closes all files and returns what was written, with hashes.
  Result<SplitInfo> close();
  [[nodiscard]] const SplitInfo& info() const { return info_; }

 private:
  Result<bool> close_shard();
  Result<bool> next_shard();
  template <class Token>
  Result<bool> write(const std::vector<int>& tokens);

  std::string folder_;
  bool wide_;
  std::uint64_t shard_tokens_;
  SplitInfo info_;
  OutputFile shard_, borders_;  // the current shard, and NAME.documents
};

}  // namespace gabbro::data
