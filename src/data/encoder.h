// Turns documents into tokens.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/progress.h"
#include "data/split_writer.h"
#include "data/tokenizer.h"

namespace gabbro::data {

/// Encodes documents in batches: one thread reads a batch, all threads encode it, and it is written in order.
class Encoder {
 public:
  Encoder(const BuildOptions& options, const Tokenizer& tokenizer, Ticker& ticker)
      : options_(options), tokenizer_(tokenizer), ticker_(ticker) {}

  /// Writes each document of `sources` to the writer that `choose` returns for its text; null leaves it out.
  /// `stage` is that of the progress. The bytes of a document are those of its decoded tokens, so that text
  /// which a vocabulary from elsewhere drops does not count as predicted. Returns what was found in the
  /// documents. Errors: "stopped", "tokenizer" (the vocabulary changes text), "io", and those of documents.h.
  Result<Findings> run(const Sources& sources, const std::string& stage,
                       const std::function<SplitWriter*(const std::string&)>& choose);

 private:
  [[nodiscard]] std::vector<std::vector<int>> encode(const std::vector<std::string>& texts) const;
  [[nodiscard]] Result<std::vector<bool>> changed_by_tokenizer(
      const std::vector<std::string>& texts, const std::vector<std::vector<int>>& tokens) const;
  void parallel(std::size_t count, const std::function<void(std::size_t)>& work) const;

  const BuildOptions& options_;
  const Tokenizer& tokenizer_;
  Ticker& ticker_;
};

}  // namespace gabbro::data
