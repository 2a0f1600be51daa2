#include "data/heads.h"

#include <algorithm>
#include <utility>

namespace gabbro::data {

namespace {

constexpr std::uint64_t kMaxCharacterBytes = 4;

// Returns how many byte tokens the last character of `ids` still lacks: 0 if it is complete.
std::size_t missing_bytes(const std::vector<int>& ids, const Tokenizer& tokenizer) {
  std::size_t missing = 0;
  for (const int id : ids) {
    const int byte = tokenizer.byte_of(id).value_or(0);
    if (byte >= 0xC0)
      missing = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    else
      missing -= missing > 0;
  }
  return missing;
}

}  // namespace

std::vector<Document> heads(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents,
                            std::uint64_t tokens) {
  const std::size_t count = split.documents_up_to(documents);
  std::vector<Document> out;
  for (std::size_t d = 0; d < count; ++d) {
    Document document = split.document(d);
    if (document.end - document.begin > tokens + kMaxCharacterBytes) {
      std::vector<std::int64_t> wide(tokens + kMaxCharacterBytes - 1);
      split.read(document.begin, wide);
      std::vector<int> ids(wide.begin(), wide.begin() + static_cast<std::ptrdiff_t>(tokens));
      for (std::size_t missing = missing_bytes(ids, tokenizer); missing > 0; --missing)
        ids.push_back(static_cast<int>(wide[ids.size()]));
      document.end = document.begin + ids.size();
      document.bytes = tokenizer.decoded_bytes(std::move(ids));
    }
    out.push_back(document);
  }
  return out;
}

}  // namespace gabbro::data
