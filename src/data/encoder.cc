#include "data/encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/text.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kBatchBytes = 8 << 20;  // text of a batch

// U+2581: SentencePiece encodes a space as this, and cannot distinguish it from one in the text.
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Replaces space marks by spaces, as decoding does.
std::string with_spaces(std::string text) {
  for (std::size_t at = 0; (at = text.find(kSpaceMark, at)) != std::string::npos;)
    text.replace(at, kSpaceMark.size(), " ");
  return text;
}

// Returns the bytes of a text in which a space mark counts as the space that it becomes.
std::size_t bytes_of(std::string_view text) {
  std::size_t out = text.size();
  for (std::size_t at = 0; (at = text.find(kSpaceMark, at)) != text.npos; at += kSpaceMark.size())
    out -= kSpaceMark.size() - 1;
  return out;
}

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
    if (const auto ok = check_lossless(texts, tokens); !ok) return tl::unexpected(ok.error());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (SplitWriter* writer = choose(texts[i]))
        if (auto ok = writer->add(tokens[i], bytes_of(texts[i])); !ok) return tl::unexpected(ok.error());
      state.tokens += tokens[i].size();
    }
    state.documents += texts.size();
    state.bytes += bytes;
    state.share = share_of(*documents, sources);
    if (!ticker_.tick(state, /*force=*/!more)) return stopped();
  }
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

// Checks that documents survive encoding and decoding. A score counts the bytes of the original text, so text
// that a vocabulary from elsewhere drops would cost no bits. Errors: "tokenizer".
Result<bool> Encoder::check_lossless(const std::vector<std::string>& texts,
                                     const std::vector<std::vector<int>>& tokens) const {
  if (options_.tokenizer.empty()) return true;
  std::atomic<std::size_t> lossy{0}, first{texts.size()};  // lossy documents, and the index of the first
  parallel(texts.size(), [&](std::size_t i) {
    if (with_spaces(tokenizer_.decode(tokens[i])) == with_spaces(texts[i])) return;
    ++lossy;
    for (std::size_t before = first; i < before && !first.compare_exchange_weak(before, i);) {
    }
  });
  if (lossy == 0) return true;
  return fail("tokenizer",
              fmt::format("{} of {} documents are not reproduced exactly by the tokenizer {}; one begins: {}",
                          lossy.load(), texts.size(), options_.tokenizer, beginning(texts[first])),
              "use a tokenizer with byte fallback and without normalisation, or leave --tokenizer out to "
              "train one; otherwise scores would leave out what was lost");
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
