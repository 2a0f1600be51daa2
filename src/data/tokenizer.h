// Text to token ids and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

/// A SentencePiece model (Kudo and Richardson 2018, arXiv 1808.06226). Models that `train` makes lose
/// nothing, decode(encode(x)) == x, but that U+2581 comes back as a space. Encoding is safe from several
/// threads.
class Tokenizer {
 public:
  /// From a `tokenizer.model`. Errors: "tokenizer".
  static Result<Tokenizer> load(const std::string& path);
  static Result<Tokenizer> from_bytes(std::string bytes);
  /// A byte-pair vocabulary of `vocab` pieces from `sample` (texts, each used as it is, cut at line ends),
  /// with bytes for what it does not know, without normalisation. Deterministic. Errors: "tokenizer" (too
  /// little text for so many pieces).
  static Result<Tokenizer> train(const std::vector<std::string>& sample, int vocab);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  [[nodiscard]] int vocab() const;
  /// Ends every document.
  [[nodiscard]] int end() const;
  void encode(std::string_view text, std::vector<int>& out) const;
  [[nodiscard]] std::string decode(const std::vector<int>& ids) const;
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  struct Model;
  Tokenizer(std::unique_ptr<Model> model, std::string bytes);
  std::unique_ptr<Model> model_;
  std::string bytes_;
};

}  // namespace gabbro::data
