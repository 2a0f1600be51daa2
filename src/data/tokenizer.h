// Converts text to token ids and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

/// A SentencePiece model (Kudo and Richardson 2018, arXiv 1808.06226). Models made by `train` are lossless,
/// decode(encode(x)) == x, except that U+2581 becomes a space. Encoding may be called from several threads.
class Tokenizer {
 public:
  /// Loads a `tokenizer.model`. Errors: "tokenizer".
  static Result<Tokenizer> load(const std::string& path);
  static Result<Tokenizer> from_bytes(std::string bytes);
  /// Trains a byte-pair vocabulary of `vocab` tokens on the texts of `sample`, without normalisation and with
  /// byte fallback for unknown characters. Texts are used as they are and cut at line ends. Deterministic.
  /// Errors: "tokenizer" (too little text for this vocabulary size).
  static Result<Tokenizer> train(const std::vector<std::string>& sample, int vocab);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  [[nodiscard]] int vocab() const;
  /// Returns the id of the token that ends every document.
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
