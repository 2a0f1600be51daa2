#include "data/heads.h"

#include <algorithm>

namespace gabbro::data {

namespace {

constexpr std::uint64_t kCharacter = 4;  // maximum bytes of a character

// Returns how many tokens that stand for bytes the last character of `ids` still lacks.
std::size_t lacking(const std::vector<int>& ids, const Tokenizer& tokenizer) {
  std::size_t out = 0;
  for (const int id : ids) {
    const int byte = tokenizer.byte_of(id).value_or(0);
    if (byte >= 0xC0)
      out = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    else
      out -= out > 0;
  }
  return out;
}

}  // namespace

std::vector<Document> heads(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents,
                            std::uint64_t tokens) {
  const std::size_t count = split.first(documents);
  std::vector<Document> out;
  for (std::size_t d = 0; d < count; ++d) {
    Document document = split.document(d);
    if (document.end - document.begin > tokens + kCharacter) {
      std::vector<std::int64_t> wide(tokens + kCharacter - 1);
      split.read(document.begin, wide);
      std::vector<int> ids(wide.begin(), wide.begin() + static_cast<std::ptrdiff_t>(tokens));
      for (std::size_t more = lacking(ids, tokenizer); more > 0; --more)
        ids.push_back(static_cast<int>(wide[ids.size()]));
      document.end = document.begin + ids.size();
      document.bytes = tokenizer.decode(ids).size();
    }
    out.push_back(document);
  }
  return out;
}

}  // namespace gabbro::data
