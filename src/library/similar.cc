// Search by embeddings: computes missing vectors and finds those nearest to a query.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "library/inside.h"
#include "library/text.h"

namespace gabbro::library {

namespace {

constexpr std::size_t kBatch = 64;

std::string hash_of(const std::string& text) { return to_hex(hash128(text)); }

}  // namespace

std::string embedded_text(const Paper& p) { return p.title + "\n" + p.body(); }

std::map<std::string, std::string> Library::Inside::without_vector() {
  std::map<std::string, std::string> out;
  const auto known = file == nullptr ? std::set<std::string>() : file->vector_hashes(options.embedding.model);
  const auto offer = [&](std::string text) {
    std::string hash = hash_of(text);
    if (!text.empty() && !known.contains(hash)) out.emplace(std::move(hash), std::move(text));
  };
  for (const Paper& p : built_in()) offer(embedded_text(p));
  if (file != nullptr)
    for (Passage& passage : file->all_passages()) offer(std::move(passage.text));
  return out;
}

const std::vector<Placed>& Library::Inside::place() {
  if (placed) return *placed;
  placed.emplace();
  if (file == nullptr) return *placed;
  std::unordered_map<std::string, std::vector<float>> by_hash;
  for (auto& [hash, vector] : file->vectors(options.embedding.model))
    by_hash.emplace(hash, std::move(vector));
  for (std::size_t i = 0; i < built_in().size(); ++i)
    if (const auto found = by_hash.find(hash_of(embedded_text(built_in()[i]))); found != by_hash.end())
      placed->push_back({found->second, i, 0, {}});
  for (Passage& passage : file->all_passages())
    if (const auto found = by_hash.find(hash_of(passage.text)); found != by_hash.end())
      placed->push_back({found->second, 0, passage.document, std::move(passage.text)});
  return *placed;
}

Result<List> Library::Inside::by_vectors(const std::string& query, std::size_t limit,
                                         const std::atomic<bool>* stop) {
  {
    const std::lock_guard lock(mutex);
    if (place().empty()) return fail("library", "there are no vectors of this model yet");
  }
  GABBRO_TRY(vectors, embed(options.embedding, {query}, stop));
  const std::vector<float>& wanted = vectors[0];
  const std::lock_guard lock(mutex);
  const std::vector<Placed>& all = place();
  std::vector<std::pair<float, std::size_t>> near;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].vector.size() == wanted.size())
      near.emplace_back(std::inner_product(wanted.begin(), wanted.end(), all[i].vector.begin(), 0.0F), i);
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  List out;
  std::set<std::int64_t> seen;  // documents already found: each contributes only its best passage
  for (const auto& [likeness, i] : near) {
    if (out.size() >= limit) break;
    const Placed& x = all[i];
    if (x.document == 0) {
      out.push_back(hit_of(built_in()[x.paper], built_in()[x.paper].body()));
    } else if (seen.insert(x.document).second) {
      if (const auto p = file->document(x.document)) out.push_back(hit_of(*p, x.passage));
    }
  }
  return out;
}

Result<std::int64_t> Library::embed_missing(const std::atomic<bool>* stop) {
  Inside& in = *in_;
  if (in.options.embedding.url.empty()) return fail("library", "no embedding endpoint is configured");
  std::map<std::string, std::string> missing;
  {
    const std::lock_guard lock(in.mutex);
    GABBRO_TRY(file, in.keep());
    (void)file;
    missing = in.without_vector();
  }
  std::int64_t made = 0;
  for (auto at = missing.begin(); at != missing.end();) {
    std::vector<std::string> hashes, texts;
    for (; at != missing.end() && texts.size() < kBatch; ++at) {
      hashes.push_back(at->first);
      texts.push_back(at->second);
    }
    GABBRO_TRY(vectors, embed(in.options.embedding, texts, stop));
    std::map<std::string, std::vector<float>> rows;
    for (std::size_t i = 0; i < texts.size(); ++i) rows.emplace(hashes[i], std::move(vectors[i]));
    const std::lock_guard lock(in.mutex);
    if (auto ok = in.file->put_vectors(in.options.embedding.model, rows); !ok)
      return tl::unexpected(ok.error());
    in.placed.reset();
    made += static_cast<std::int64_t>(texts.size());
  }
  return made;
}

}  // namespace gabbro::library
