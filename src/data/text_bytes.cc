#include "data/text_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace gabbro::data {

Result<bool> check_bytes(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents) {
  const std::size_t count = split.documents_up_to(documents);
  for (std::size_t d = 0; d < count; ++d) {
    const Document document = split.document(d);
    std::vector<std::int64_t> tokens;
    split.append(document, tokens);
    const std::size_t bytes = tokenizer.decoded_bytes({tokens.begin(), tokens.end()});
    if (bytes != document.bytes)
      return fail("corpus",
                  fmt::format("document {} is recorded with {} bytes of text, but its tokens decode to {}",
                              d + 1, document.bytes, bytes),
                  "build the corpus again; otherwise bits per byte would be wrong");
  }
  return true;
}

}  // namespace gabbro::data
