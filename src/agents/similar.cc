#include "agents/similar.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

namespace gabbro::agents {

namespace {

using Counts = std::map<std::string, double>;

std::string singular(const std::string& word) {
  const bool is_plural = word.size() > 3 && word.ends_with('s') && !word.ends_with("ss");
  return is_plural ? word.substr(0, word.size() - 1) : word;
}

// Returns the sublinear term frequency, 1 + log(count), of each word.
Counts term_frequencies(std::string_view text) {
  static const std::set<std::string, std::less<>> stop_words{
      "a",    "an",   "and",  "are",  "as",   "at",  "be",    "by",   "can",  "for",
      "from", "in",   "into", "is",   "it",   "its", "of",    "on",   "or",   "so",
      "than", "that", "the",  "then", "this", "to",  "which", "with", "will", "we"};
  Counts counts;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const auto c = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';
    if (std::isalnum(c)) {
      word += static_cast<char>(std::tolower(c));
      continue;
    }
    if (!word.empty() && !stop_words.contains(word)) ++counts[singular(word)];
    word.clear();
  }
  for (auto& [w, n] : counts) n = 1 + std::log(n);
  return counts;
}

// Returns the cosine of two vectors of term frequencies times the inverse document frequencies of their
// words.
double cosine(const Counts& a, const Counts& b, const std::map<std::string, double>& idf) {
  double ab = 0, aa = 0, bb = 0;
  const auto weighted = [&](const std::string& word, double n) { return n * idf.at(word); };
  for (const auto& [word, n] : a) {
    const double x = weighted(word, n);
    aa += x * x;
    if (const auto found = b.find(word); found != b.end()) ab += x * weighted(word, found->second);
  }
  for (const auto& [word, n] : b) bb += weighted(word, n) * weighted(word, n);
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace

Nearest nearest(std::string_view text, std::span<const std::string> known) {
  std::vector<Counts> all{term_frequencies(text)};
  for (const std::string& k : known) all.push_back(term_frequencies(k));
  std::map<std::string, double> idf;
  for (const Counts& counts : all)
    for (const auto& [word, n] : counts) ++idf[word];
  for (auto& [word, documents] : idf)
    documents = std::log((1.0 + static_cast<double>(all.size())) / (1 + documents)) + 1;
  Nearest best;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const double s = cosine(all[0], all[i], idf);
    if (best.index < 0 || s > best.similarity) best = {static_cast<int>(i) - 1, s};
  }
  return best;
}

}  // namespace gabbro::agents
