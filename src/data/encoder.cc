#include "data/encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/text.h"
#include "data/notices.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kBatchBytes = 8 << 20;  // text of a batch

// Returns the beginning of a text for an error message.
std::string beginning(const std::string& text) {
  constexpr std::size_t kMaxBytes = 60;
  std::size_t end = std::min(kMaxBytes, text.size());
  while (end < text.size() && end > 0 && (text[end] & '\xC0') == '\x80') --end;
  return printable_line(text.substr(0, end));
}

}  // namespace

Result<Findings> Encoder::run(const Sources& sources, const std::string& stage,
                              const std::function<SplitWriter*(const std::string&)>& choose) {
  BuildProgress state{.stage = stage};
  const auto documents = open_documents(sources, options_.source);
  std::uint64_t lost = 0;  // documents of which the tokenizer keeps nothing
  for (bool more = true; more;) {
    std::vector<std::string> texts;
    std::size_t bytes = 0;
    while (more && bytes < kBatchBytes) {
      std::string text;
      GABBRO_TRY(found, documents->next(text));
      more = found;
      if (!found) break;
      bytes += text.size();
      texts.push_back(std::move(text));
    }
    const std::vector<std::vector<int>> tokens = encode(texts);
    GABBRO_TRY(changed, changed_by_tokenizer(texts, tokens));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      state.tokens += tokens[i].size();
      SplitWriter* writer = choose(texts[i]);
      if (!writer) continue;
      const std::size_t kept =
          changed[i] ? tokenizer_.decoded_bytes(tokens[i]) : Tokenizer::reproduced_bytes(texts[i]);
      lost += kept == 0;
      if (kept == 0) continue;
      if (auto ok = writer->add(tokens[i], kept, changed[i]); !ok) return tl::unexpected(ok.error());
    }
    state.documents += texts.size();
    state.bytes += bytes;
    state.share = share_of(*documents, sources);
    if (!ticker_.tick(state, /*force=*/!more)) return stopped();
  }
  ticker_.tell(lost_notice(lost));
  return documents->findings();
}

// Returns the tokens of each text, with the token that ends a document. Long documents are divided over the
// threads.
std::vector<std::vector<int>> Encoder::encode(const std::vector<std::string>& texts) const {
  struct Part {
    std::size_t document;
    std::string_view text;
    std::vector<int> tokens;
  };
  std::vector<Part> parts;
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (const std::string_view text : Tokenizer::parts_of(texts[i])) parts.push_back({i, text, {}});
  parallel(parts.size(), [&](std::size_t i) {
    const bool first = i == 0 || parts[i - 1].document != parts[i].document;
    tokenizer_.encode_part(parts[i].text, first, parts[i].tokens);
  });
  std::vector<std::vector<int>> out(texts.size());
  for (Part& part : parts) {
    std::vector<int>& tokens = out[part.document];
    if (tokens.empty())
      tokens = std::move(part.tokens);
    else
      tokens.insert(tokens.end(), part.tokens.begin(), part.tokens.end());
    part.tokens = {};
  }
  for (std::vector<int>& tokens : out) tokens.push_back(tokenizer_.end());
  return out;
}

// Says of each document whether decoding its tokens gives another text. Errors: "tokenizer", if there is such
// a document and the options do not allow it.
Result<std::vector<bool>> Encoder::changed_by_tokenizer(const std::vector<std::string>& texts,
                                                        const std::vector<std::vector<int>>& tokens) const {
  if (options_.tokenizer.empty()) return std::vector<bool>(texts.size(), false);
  std::vector<char> changed(texts.size());  // Threads cannot write neighbours of a vector<bool>.
  parallel(texts.size(), [&](std::size_t i) { changed[i] = !tokenizer_.reproduces(texts[i], tokens[i]); });
  const auto first = std::find(changed.begin(), changed.end(), true);
  if (first != changed.end() && !options_.allow_changed_text)
    return fail(
        "tokenizer",
        fmt::format("{} of {} documents are not reproduced exactly by the tokenizer {}; one begins: {}",
                    std::count(changed.begin(), changed.end(), true), texts.size(), options_.tokenizer,
                    beginning(texts[static_cast<std::size_t>(first - changed.begin())])),
        "use a tokenizer with byte fallback and without normalisation, or leave --tokenizer out to "
        "train one; with --allow-changed-text the corpus is built, and its scores count the text that "
        "the tokenizer keeps, and say so");
  return std::vector<bool>(changed.begin(), changed.end());
}

// Calls `work` for each index below `count`, on all threads.
void Encoder::parallel(std::size_t count, const std::function<void(std::size_t)>& work) const {
  const auto threads = static_cast<std::size_t>(std::max(1, options_.threads));
  std::vector<std::jthread> running;
  for (std::size_t k = 0; k < threads; ++k)
    running.emplace_back([&work, count, threads, k] {
      for (std::size_t i = k; i < count; i += threads) work(i);
    });
}

}  // namespace gabbro::data
