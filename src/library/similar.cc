// Search by embeddings: computes missing vectors and finds those nearest to a query.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "library/impl.h"
#include "library/text.h"

namespace gabbro::library {

namespace {

constexpr std::size_t kBatch = 64;  // texts per request

std::string hash_of(const std::string& text) { return to_hex(hash128(text)); }

}  // namespace

std::string embedded_text(const Paper& p) { return p.title + "\n" + p.body(); }

std::map<std::string, std::string> Library::Impl::texts_without_vector() {
  std::map<std::string, std::string> out;
  const auto known = file == nullptr ? std::set<std::string>() : file->vector_hashes(options.embedding.model);
  const auto add_if_missing = [&](std::string text) {
    std::string hash = hash_of(text);
    if (!text.empty() && !known.contains(hash)) out.emplace(std::move(hash), std::move(text));
  };
  for (const Paper& p : built_in()) add_if_missing(embedded_text(p));
  if (file != nullptr)
    for (Passage& passage : file->all_passages()) add_if_missing(std::move(passage.text));
  return out;
}

const std::vector<EmbeddedText>& Library::Impl::load_embedded_texts() {
  if (embedded_texts) return *embedded_texts;
  embedded_texts.emplace();
  if (file == nullptr) return *embedded_texts;
  std::unordered_map<std::string, std::vector<float>> by_hash;
  for (auto& [hash, vector] : file->vectors(options.embedding.model))
    by_hash.emplace(hash, std::move(vector));
  for (std::size_t i = 0; i < built_in().size(); ++i)
    if (const auto found = by_hash.find(hash_of(embedded_text(built_in()[i]))); found != by_hash.end())
      embedded_texts->push_back({.vector = found->second, .paper = i});
  for (Passage& passage : file->all_passages())
    if (const auto found = by_hash.find(hash_of(passage.text)); found != by_hash.end())
      embedded_texts->push_back(
          {.vector = found->second, .document = passage.document, .passage = std::move(passage.text)});
  return *embedded_texts;
}

Result<HitList> Library::Impl::search_vectors(const std::string& query, std::size_t limit,
                                              const std::atomic<bool>* stop) {
  {
    const std::lock_guard lock(mutex);
    if (load_embedded_texts().empty()) return fail("library", "there are no vectors of this model yet");
  }
  GABBRO_TRY(vectors, embed(options.embedding, {query}, stop));
  const std::vector<float>& query_vector = vectors[0];
  const std::lock_guard lock(mutex);
  const std::vector<EmbeddedText>& all = load_embedded_texts();
  std::vector<std::pair<float, std::size_t>> by_similarity;  // cosine, index into `all`
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].vector.size() == query_vector.size())
      by_similarity.emplace_back(
          std::inner_product(query_vector.begin(), query_vector.end(), all[i].vector.begin(), 0.0F), i);
  std::stable_sort(by_similarity.begin(), by_similarity.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  HitList out;
  std::set<std::int64_t> seen;  // documents already found: each contributes only its best passage
  for (const auto& [similarity, i] : by_similarity) {
    if (out.size() >= limit) break;
    const EmbeddedText& x = all[i];
    if (x.document == 0) {
      out.push_back(hit_of(built_in()[x.paper], built_in()[x.paper].body()));
    } else if (seen.insert(x.document).second) {
      if (const auto p = file->document(x.document)) out.push_back(hit_of(*p, x.passage));
    }
  }
  return out;
}

Result<std::int64_t> Library::embed_missing(const std::atomic<bool>* stop) {
  Impl& impl = *impl_;
  if (impl.options.embedding.url.empty()) return fail("library", "no embedding endpoint is configured");
  std::map<std::string, std::string> missing;
  {
    const std::lock_guard lock(impl.mutex);
    // The vectors are stored in the file, so it has to exist before they are computed.
    GABBRO_TRY(file, impl.open_or_create_file());
    (void)file;
    missing = impl.texts_without_vector();
  }
  std::int64_t computed = 0;
  for (auto next = missing.begin(); next != missing.end();) {
    std::vector<std::string> hashes, texts;
    for (; next != missing.end() && texts.size() < kBatch; ++next) {
      hashes.push_back(next->first);
      texts.push_back(next->second);
    }
    GABBRO_TRY(vectors, embed(impl.options.embedding, texts, stop));
    std::map<std::string, std::vector<float>> rows;
    for (std::size_t i = 0; i < texts.size(); ++i) rows.emplace(hashes[i], std::move(vectors[i]));
    const std::lock_guard lock(impl.mutex);
    if (auto ok = impl.file->put_vectors(impl.options.embedding.model, rows); !ok)
      return tl::unexpected(ok.error());
    impl.embedded_texts.reset();
    computed += static_cast<std::int64_t>(texts.size());
  }
  return computed;
}

}  // namespace gabbro::library
