#include "data/heads.h"

#include <algorithm>

namespace gabbro::data {

namespace {

// SentencePiece decodes bytes that are not a character to this.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::uint64_t kCharacter = 4;  // maximum bytes of a character

}  // namespace

std::vector<Document> heads(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents,
                            std::uint64_t tokens) {
  const std::size_t count =
      documents == 0 ? split.documents() : std::min<std::size_t>(documents, split.documents());
  std::vector<Document> out;
  for (std::size_t d = 0; d < count; ++d) {
    Document document = split.document(d);
    if (document.end - document.begin > tokens + kCharacter) {
      std::vector<std::int64_t> wide(tokens + kCharacter - 1);
      split.read(document.begin, wide);
      std::vector<int> ids(wide.begin(), wide.begin() + static_cast<std::ptrdiff_t>(tokens));
      std::string text = tokenizer.decode(ids);
      while (text.ends_with(kReplacement) && ids.size() < wide.size()) {
        ids.push_back(static_cast<int>(wide[ids.size()]));
        text = tokenizer.decode(ids);
      }
      document.end = document.begin + ids.size();
      document.bytes = text.size();
    }
    out.push_back(document);
  }
  return out;
}

}  // namespace gabbro::data
