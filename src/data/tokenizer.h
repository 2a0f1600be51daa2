// Converts text to token ids and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::data {

/// A SentencePiece model (Kudo and Richardson 2018, arXiv 1808.06226). Models made by `train` are lossless,
/// decode(encode(x)) == x, except that U+2581 becomes a space. Others may
/// lose text (`reproduces`). Encoding may be called from several threads.
class Tokenizer {
 public:
  /// Loads a `tokenizer.model`. Errors: "tokenizer" (not a SentencePiece model, or one without an end token),
  /// and those of read_file.
  static Result<Tokenizer> load(const std::string& path);
  /// Does the same for the content of such a file. Errors: "tokenizer".
  static Result<Tokenizer> from_bytes(std::string bytes);
  /// Trains a byte-pair vocabulary of `vocab` tokens on the texts of `sample`, without normalisation and with
  /// byte fallback for unknown characters. Texts are used as they are and cut at line ends. Deterministic.
  /// Errors: "tokenizer" (too little text for this vocabulary size).
  static Result<Tokenizer> train(const std::vector<std::string>& sample, int vocab);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Returns the number of tokens.
  [[nodiscard]] int vocab() const;
  /// Returns the id of the token that ends every document.
  [[nodiscard]] int end() const;
  /// Appends the tokens of a text.
  void encode(std::string_view text, std::vector<int>& out) const;
  /// Cuts a text into parts of at most 256 KiB, since encoding takes 200 bytes of memory for each byte of
  /// text. The tokens of the parts, one after another, are those of the text: it is cut before a space or
  /// after a line end, where no token of a usual vocabulary crosses. Only a word of more than 192 KiB is cut
  /// inside, and tokens end there.
  static std::vector<std::string_view> parts_of(std::string_view text);
  /// Appends the tokens of a part. `first`: it is the first part of its text.
  void encode_part(std::string_view part, bool first, std::vector<int>& out) const;
  [[nodiscard]] std::string decode(const std::vector<int>& ids) const;
  /// Returns the number of bytes of the decoded text, in which unknown tokens count nothing.
  [[nodiscard]] std::size_t decoded_bytes(std::vector<int> ids) const;
  /// Returns the bytes of a text that the tokens reproduce. O(bytes).
  [[nodiscard]] static std::size_t reproduced_bytes(std::string_view text);
  /// Returns true if the tokens decode to this text, without unknown tokens.
  [[nodiscard]] bool reproduces(const std::string& text, const std::vector<int>& ids) const;
  /// Returns the byte of a token of the byte fallback, or nullopt for other tokens.
  [[nodiscard]] std::optional<unsigned char> byte_of(int id) const;
  /// Returns the content of its `tokenizer.model`.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  struct Model;
  Tokenizer(std::unique_ptr<Model> model, std::string bytes);
  std::unique_ptr<Model> model_;
  std::string bytes_;
};

}  // namespace gabbro::data
