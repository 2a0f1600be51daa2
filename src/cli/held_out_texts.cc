#include "cli/held_out_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "data/corpus.h"
#include "data/tokenizer.h"

namespace gabbro::cli {

struct HeldOutTexts::Open {
  std::string hash;
  data::Split split;
  data::Tokenizer tokenizer;
};

HeldOutTexts::HeldOutTexts() = default;
HeldOutTexts::~HeldOutTexts() = default;

Result<HeldOutTexts::Open*> HeldOutTexts::open(const web::HeldOutDocument& document) {
  if (const auto found = open_.find(document.corpus); found != open_.end()) return found->second.get();
  GABBRO_TRY(corpus, data::Corpus::open(document.corpus));
  GABBRO_TRY(split, corpus.split("valid"));
  GABBRO_TRY(tokenizer, data::Tokenizer::load(document.corpus + "/tokenizer.model"));
  auto opened =
      std::make_unique<Open>(Open{data::hash_of(corpus.manifest()), std::move(split), std::move(tokenizer)});
  return open_.emplace(document.corpus, std::move(opened)).first->second.get();
}

Result<std::string> HeldOutTexts::operator()(const web::HeldOutDocument& document) {
  constexpr std::uint64_t kTokens = 160;
  const std::lock_guard lock(mutex_);
  GABBRO_TRY(corpus, open(document));
  if (corpus->hash != document.corpus_hash)
    return fail("corpus", fmt::format("{} is not the corpus of the campaign", document.corpus));
  if (document.index >= corpus->split.documents())
    return fail("corpus", fmt::format("{} has no document {}", document.corpus, document.index + 1));
  data::Document part = corpus->split.document(document.index);
  part.end = std::min(part.end - 1, part.begin + kTokens);  // without the end token
  std::vector<std::int64_t> tokens;
  try {
    corpus->split.append(part, tokens);
  } catch (const std::exception& e) {
    return fail("corpus", e.what());
  }
  return corpus->tokenizer.decode({tokens.begin(), tokens.end()});
}

}  // namespace gabbro::cli
