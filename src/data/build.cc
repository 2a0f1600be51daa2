#include "data/build.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <unordered_set>

#include "base/hash.h"
#include "base/lock.h"
#include "base/text.h"
#include "data/debian/corpus.h"
#include "data/debian/fetch.h"
#include "data/held_out.h"
#include "data/tokenizer.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

using Progress = std::function<bool(const BuildProgress&)>;

tl::unexpected<Error> no_text() { return fail("corpus", "the sources contain no text"); }

tl::unexpected<Error> stopped() { return fail("stopped", "the build was stopped; its files were removed"); }

std::string counted(std::uint64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string of(std::uint64_t part, std::uint64_t whole, const std::string& what) {
  return fmt::format("{} of {}", part, counted(whole, what));
}

std::string percent(double share) {
  return share >= 0.1 ? fmt::format("{:.0f} %", 100 * share) : fmt::format("{:.2g} %", 100 * share);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return percent(static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(1, whole)));
}

// Calls `progress` at most five times a second.
class Ticker {
 public:
  explicit Ticker(const Progress& progress) : progress_(progress) {}
  /// Returns false to stop the build.
  bool tick(const BuildProgress& state, bool force = false) {
    const auto now = std::chrono::steady_clock::now();
    if (!force && now - last_ < std::chrono::milliseconds(200)) return true;
    last_ = now;
    return !progress_ || progress_(state);
  }
  void tell(std::string notice) {
    if (progress_) progress_({.notice = std::move(notice)});
  }

 private:
  const Progress& progress_;
  std::chrono::steady_clock::time_point last_{};
};

// A file that is written once. Its content is hashed when it is closed.
class File {
 public:
  static Result<File> create(const std::string& path) {
    File out;
    out.path_ = path;
    out.fd_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
    if (out.fd_ < 0) return out.failure();
    return out;
  }
  File() = default;
  File(File&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  File& operator=(File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<bool> write(const void* data, std::size_t size) {
    buffer_.append(static_cast<const char*>(data), size);
    return buffer_.size() < (1 << 20) ? Result<bool>(true) : flush();
  }
  Result<bool> close() {
    if (auto ok = flush(); !ok) return ok;
    const bool synced = ::fsync(fd_) == 0;
    const bool closed = ::close(std::exchange(fd_, -1)) == 0;
    if (!synced || !closed) return failure();
    return true;
  }

 private:
  Result<bool> flush() {
    for (std::size_t done = 0; done < buffer_.size();) {
      const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return failure();
      done += static_cast<std::size_t>(n);
    }
    buffer_.clear();
    return true;
  }
  [[nodiscard]] tl::unexpected<Error> failure() const {
    return fail("io", fmt::format("cannot write {}: {}", path_, std::strerror(errno)));
  }

  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

// Writes the shards and document boundaries of one split.
class SplitWriter {
 public:
  SplitWriter(std::string folder, std::string name, bool wide, std::uint64_t shard_tokens)
      : folder_(std::move(folder)), wide_(wide), shard_tokens_(shard_tokens) {
    info_.name = std::move(name);
  }

  Result<bool> add(const std::vector<int>& tokens, std::uint64_t bytes) {
    if (info_.documents == 0) {
      GABBRO_TRY(file, File::create(folder_ + "/" + info_.name + ".documents"));
      borders_ = std::move(file);
    }
    if (info_.shards.empty() || info_.shards.back().tokens >= shard_tokens_)
      if (auto ok = next_shard(); !ok) return ok;
    narrow_.assign(tokens.begin(), tokens.end());
    wide_tokens_.assign(tokens.begin(), tokens.end());
    auto ok = wide_ ? shard_.write(wide_tokens_.data(), wide_tokens_.size() * 4)
                    : shard_.write(narrow_.data(), narrow_.size() * 2);
    if (!ok) return ok;
    info_.shards.back().tokens += tokens.size();
    info_.tokens += tokens.size();
    info_.bytes += bytes;
    ++info_.documents;
    const std::uint64_t border[2] = {info_.tokens, bytes};
    return borders_.write(border, sizeof border);
  }

  Result<SplitInfo> close() {
    if (info_.documents == 0) return info_;
    if (auto ok = close_shard(); !ok) return tl::unexpected(ok.error());
    if (auto ok = borders_.close(); !ok) return tl::unexpected(ok.error());
    GABBRO_TRY(hash, hash_file(folder_ + "/" + info_.name + ".documents"));
    info_.documents_hash = hash;
    return info_;
  }
  [[nodiscard]] const SplitInfo& info() const { return info_; }

 private:
  Result<bool> close_shard() {
    if (auto ok = shard_.close(); !ok) return ok;
    GABBRO_TRY(hash, hash_file(folder_ + "/" + info_.shards.back().file));
    info_.shards.back().hash = hash;
    return true;
  }
  Result<bool> next_shard() {
    if (!info_.shards.empty())
      if (auto ok = close_shard(); !ok) return ok;
    info_.shards.push_back({fmt::format("{}-{:05}.tokens", info_.name, info_.shards.size()), 0, ""});
    GABBRO_TRY(file, File::create(folder_ + "/" + info_.shards.back().file));
    shard_ = std::move(file);
    return true;
  }

  std::string folder_;
  bool wide_;
  std::uint64_t shard_tokens_;
  SplitInfo info_;
  File shard_, borders_;
  std::vector<std::uint16_t> narrow_;
  std::vector<std::uint32_t> wide_tokens_;
};

double share_of(const Documents& documents, const Sources& sources) {
  return sources.bytes == 0
             ? 1
             : std::min(1.0, static_cast<double>(documents.consumed()) / static_cast<double>(sources.bytes));
}

// Returns a sample of about `limit` bytes of text, spread over all sources. Pieces of text with a small hash
// are kept, and the bound on the hash is halved whenever there are too many. The choice depends only on the
// text.
Result<std::vector<std::string>> sample_text(const Sources& sources, const BuildOptions& options,
                                             Ticker& ticker) {
  constexpr std::size_t kPiece = 4096;
  struct Piece {
    std::uint64_t hash;
    std::string text;
  };
  std::vector<Piece> kept;
  std::uint64_t bound = ~std::uint64_t{0}, bytes = 0;
  BuildProgress state{.stage = "reading a sample"};
  const auto documents = open_documents(sources, options.source);
  std::string text;
  for (;;) {
    GABBRO_TRY(more, documents->next(text));
    if (!more) break;
    ++state.documents;
    state.bytes += text.size();
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t line = text.find('\n', std::min(from + kPiece, text.size() - 1));
      const std::size_t end = line == std::string::npos ? text.size() : line + 1;
      const std::uint64_t hash = hash64(std::string_view(text).substr(from, end - from));
      if (hash <= bound) {
        kept.push_back({hash, text.substr(from, end - from)});
        bytes += end - from;
      }
      from = end;
      while (bytes > options.sample_bytes && kept.size() > 1) {
        bound /= 2;
        std::erase_if(kept, [&](const Piece& p) { return p.hash > bound; });
        bytes = 0;
        for (const Piece& p : kept) bytes += p.text.size();
      }
    }
    state.share = share_of(*documents, sources);
    if (!ticker.tick(state)) return stopped();
  }
  std::vector<std::string> out;
  for (Piece& p : kept) out.push_back(std::move(p.text));
  return out;
}

// Encodes documents in batches: one thread reads a batch, all threads encode it, and it is written in order.
class Encoder {
 public:
  Encoder(const BuildOptions& options, const Tokenizer& tokenizer, Ticker& ticker)
      : options_(options), tokenizer_(tokenizer), ticker_(ticker) {}

  /// Writes each document to the writer that `choose` returns; null skips it.
  Result<bool> run(const Sources& sources, const std::string& stage,
                   const std::function<SplitWriter*(const std::string&)>& choose) {
    constexpr std::size_t kBatch = 8 << 20;  // bytes
    BuildProgress state{.stage = stage};
    const auto documents = open_documents(sources, options_.source);
    for (bool more = true; more;) {
      std::vector<std::string> texts;
      std::size_t bytes = 0;
      while (more && bytes < kBatch) {
        std::string text;
        GABBRO_TRY(found, documents->next(text));
        more = found;
        if (!found) break;
        bytes += text.size();
        texts.push_back(std::move(text));
      }
      const std::vector<std::vector<int>> tokens = encode(texts);
      if (const auto ok = keeps(texts, tokens); !ok) return ok;
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (SplitWriter* writer = choose(texts[i]))
          if (auto ok = writer->add(tokens[i], without_marks(texts[i]).size()); !ok) return ok;
        state.tokens += tokens[i].size();
      }
      state.documents += texts.size();
      state.bytes += bytes;
      state.share = share_of(*documents, sources);
      if (!ticker_.tick(state, !more)) return stopped();
    }
    tell_findings(documents->findings());
    return true;
  }

 private:
  // Encodes texts in parallel. Long documents are cut at line ends to divide the work; no token of a
  // vocabulary that we train crosses a line end. A foreign tokenizer may add a token at the start of each
  // text, so it gets every document whole.
  std::vector<std::vector<int>> encode(const std::vector<std::string>& texts) {
    const std::size_t kPart = options_.tokenizer.empty() ? 1 << 16 : std::string::npos;
    struct Part {
      std::size_t document;
      std::string_view text;
      std::vector<int> tokens;
    };
    std::vector<Part> parts;
    for (std::size_t i = 0; i < texts.size(); ++i)
      for (std::size_t from = 0; from < texts[i].size();) {
        const std::size_t line =
            kPart < texts[i].size() - from ? texts[i].find('\n', from + kPart) : std::string::npos;
        const std::size_t end = line == std::string::npos ? texts[i].size() : line + 1;
        parts.push_back({i, std::string_view(texts[i]).substr(from, end - from), {}});
        from = end;
      }
    std::vector<std::jthread> threads;
    const std::size_t count = static_cast<std::size_t>(std::max(1, options_.threads));
    for (std::size_t k = 0; k < count; ++k)
      threads.emplace_back([&, k] {
        for (std::size_t i = k; i < parts.size(); i += count)
          tokenizer_.encode(parts[i].text, parts[i].tokens);
      });
    threads.clear();
    std::vector<std::vector<int>> out(texts.size());
    for (const Part& part : parts)
      out[part.document].insert(out[part.document].end(), part.tokens.begin(), part.tokens.end());
    for (std::vector<int>& tokens : out) tokens.push_back(tokenizer_.end());
    return out;
  }

  // Checks that documents survive encoding and decoding. A score counts the bytes of the original text, so
  // text that a foreign vocabulary drops would cost no bits. Errors: "tokenizer".
  Result<bool> keeps(const std::vector<std::string>& texts,
                     const std::vector<std::vector<int>>& tokens) const {
    if (options_.tokenizer.empty()) return true;
    std::atomic<std::size_t> lost{0}, first{texts.size()};
    {
      std::vector<std::jthread> threads;
      const std::size_t count = static_cast<std::size_t>(std::max(1, options_.threads));
      for (std::size_t k = 0; k < count; ++k)
        threads.emplace_back([&, k] {
          for (std::size_t i = k; i < texts.size(); i += count) {
            if (without_marks(tokenizer_.decode(tokens[i])) == without_marks(texts[i])) continue;
            ++lost;
            for (std::size_t before = first; i < before && !first.compare_exchange_weak(before, i);) {
            }
          }
        });
    }
    if (lost == 0) return true;
    return fail(
        "tokenizer",
        fmt::format("{} of {} documents are not reproduced exactly by the tokenizer {}; one begins: {}",
                    lost.load(), texts.size(), options_.tokenizer, beginning(texts[first])),
        "use a tokenizer with byte fallback and without normalisation, or leave --tokenizer out to train "
        "one; otherwise scores would leave out what was lost");
  }

  // Replaces each U+2581 by a space. SentencePiece encodes a space as U+2581 and cannot distinguish it from
  // one in the text; it counts as one byte.
  static std::string without_marks(std::string text) {
    constexpr std::string_view kMark = "\xE2\x96\x81";
    for (std::size_t at = 0; (at = text.find(kMark, at)) != std::string::npos;)
      text.replace(at, kMark.size(), " ");
    return text;
  }

  static std::string beginning(const std::string& text) {
    constexpr std::size_t kMost = 60;
    std::size_t end = std::min(kMost, text.size());
    while (end < text.size() && end > 0 && (text[end] & '\xC0') == '\x80') --end;
    return printable_line(text.substr(0, end));
  }

  void tell_findings(const Findings& f) const {
    constexpr std::uint64_t kOftenInvalid = 200;  // one invalid byte in so many is hardly damage
    if (f.mended > 0)
      ticker_.tell(fmt::format(
          "{} ({}) contained invalid UTF-8; each invalid byte, {} ({}), became U+FFFD, which counts as "
          "text{}",
          of(f.mended, f.documents, "document"), percent(f.mended, f.documents),
          of(f.mended_bytes, f.bytes, "byte"), percent(f.mended_bytes, f.bytes),
          f.mended_bytes * kOftenInvalid > f.bytes
              ? ". Is the text in another encoding? Convert it, for example with `iconv -f LATIN1 -t UTF-8`"
              : ""));
    if (f.nul > 0)
      ticker_.tell(fmt::format("left out {} with NUL characters, which {} no text; the first is in {}",
                               counted(f.nul, "document"), f.nul == 1 ? "is" : "are", f.nul_file));
    if (f.separators > 0)
      ticker_.tell(fmt::format(
          "the separator {} occurs {} inside of {}, where it separates nothing, since it is not on a line of "
          "its own in a text file; the first is in {}",
          options_.source.separator, counted(f.separators, "time"),
          counted(f.separator_documents, "document"), f.separator_file));
    if (!f.undivided.empty())
      ticker_.tell(fmt::format(
          "{} of more than 1 MB {} one document: {}{}. If it holds several, separate them by lines {}, or "
          "name the line that does with --separator",
          counted(f.undivided.size(), "source"), f.undivided.size() == 1 ? "is" : "are each",
          f.undivided.front(), f.undivided.size() == 1 ? "" : ", ...", options_.source.separator));
  }

  const BuildOptions& options_;
  const Tokenizer& tokenizer_;
  Ticker& ticker_;
};

Result<Tokenizer> make_tokenizer(const Sources& sources, const BuildOptions& options, Ticker& ticker) {
  if (!options.tokenizer.empty()) return Tokenizer::load(options.tokenizer);
  GABBRO_TRY(sample, sample_text(sources, options, ticker));
  if (std::all_of(sample.begin(), sample.end(), [](const std::string& text) { return text.empty(); }))
    return no_text();
  if (!ticker.tick({.stage = "training the tokenizer"}, true)) return stopped();
  return Tokenizer::train(sample, options.vocab);
}

// The sources of a build after the named corpus is replaced by its text files, which are in `folder` during
// the build.
struct Named {
  std::vector<std::string> sources;  // files; those of the named corpus replace its name
  // Path of each such file, and its name in the manifest.
  std::vector<std::pair<std::string, std::string>> names;
};

Result<Named> expand(const BuildOptions& options, const std::string& folder, Ticker& ticker) {
  Named out;
  std::error_code error;
  for (const std::string& source : options.sources) {
    if (source != "debian" || fs::exists(source, error)) {
      out.sources.push_back(source);
      continue;
    }
    const auto watch = [&](double share, const std::string&) {
      return ticker.tick({.stage = "Debian packages", .share = share});
    };
    const std::string cache = options.cache.empty() ? debian::default_cache() : options.cache;
    GABBRO_TRY(texts, debian::write_texts(folder, cache + "/debian", options.source.separator, watch));
    for (const debian::Text& text : texts.found) {
      out.sources.push_back(text.file);
      out.names.emplace_back(text.file, "debian:" + text.name);
      ticker.tell(fmt::format("{}: {} documents, {:.2f} MB of text", text.name, text.documents,
                              static_cast<double>(text.bytes) / 1e6));
    }
    for (const std::string& name : texts.missing) ticker.tell("left out, since not found: " + name);
  }
  return out;
}

void tell_skipped(const Sources& sources, Ticker& ticker) {
  for (const auto& [reason, files] : sources.skipped)
    ticker.tell(fmt::format("left out {} {}: {}{}", counted(files.size(), "path"), reason, files.front(),
                            files.size() == 1 ? "" : ", ..."));
}

// Reads all documents and adds those to `held_out` of which `is_held_out` says so. Returns the identities of
// those that are nearly earlier ones.
Result<std::unordered_set<std::uint64_t>> find_held_out(
    const Sources& sources, const BuildOptions& options, Ticker& ticker,
    const std::function<bool(const std::string&)>& is_held_out, HeldOutText& held_out) {
  std::unordered_set<std::uint64_t> near;
  BuildProgress state{.stage = "reading held-out text"};
  const auto documents = open_documents(sources, options.source);
  std::string text;
  for (;;) {
    GABBRO_TRY(more, documents->next(text));
    if (!more) break;
    const std::string plain = plain_of(text);
    if (is_held_out(plain) && !held_out.add(plain)) near.insert(identity_of(plain));
    ++state.documents;
    state.bytes += text.size();
    state.share = share_of(*documents, sources);
    if (!ticker.tick(state)) return stopped();
  }
  held_out.finish();
  return near;
}

std::uint64_t count_repeated(std::vector<std::uint64_t> identities) {
  std::sort(identities.begin(), identities.end());
  return static_cast<std::uint64_t>(identities.end() - std::unique(identities.begin(), identities.end()));
}

Result<Manifest> build_in(const std::string& folder, const BuildOptions& options, Ticker& ticker) {
  const std::string text_folder = folder + "/text";
  GABBRO_TRY(named, expand(options, text_folder, ticker));
  GABBRO_TRY(sources, find_sources(named.sources, options.source));
  tell_skipped(sources, ticker);
  Sources held_out;
  if (!options.valid_sources.empty()) {
    GABBRO_TRY(found, find_sources(options.valid_sources, options.source));
    held_out = std::move(found);
    tell_skipped(held_out, ticker);
  }
  GABBRO_TRY(tokenizer, make_tokenizer(sources, options, ticker));
  Manifest manifest;
  manifest.vocab = tokenizer.vocab();
  manifest.sources = sources.files;
  for (const auto& [file, name] : named.names)
    std::replace(manifest.sources.begin(), manifest.sources.end(), file, name);
  {
    GABBRO_TRY(file, File::create(folder + "/tokenizer.model"));
    if (auto ok = file.write(tokenizer.bytes().data(), tokenizer.bytes().size()); !ok)
      return tl::unexpected(ok.error());
    if (auto ok = file.close(); !ok) return tl::unexpected(ok.error());
    GABBRO_TRY(hash, hash_file(folder + "/tokenizer.model"));
    manifest.tokenizer_hash = hash;
  }
  const bool wide = manifest.vocab > 65536;
  SplitWriter train(folder, "train", wide, options.shard_tokens),
      valid(folder, "valid", wide, options.shard_tokens);
  Encoder encoder(options, tokenizer, ticker);
  const bool split_here = options.valid_sources.empty();
  const auto bound = static_cast<std::uint64_t>(options.valid_share * 0x1p63) * 2;
  const auto is_held_out = [&](const std::string& plain) {
    return !split_here || identity_of(plain) < bound;
  };
  // Held-out text is never trained on. If one source is split, equal texts fall into the same split.
  HeldOutText known;
  GABBRO_TRY(near, find_held_out(split_here ? sources : held_out, options, ticker, is_held_out, known));
  std::uint64_t left_out = 0, inside = 0, repeated = 0, nearly_repeated = 0;
  std::vector<std::uint64_t> trained;  // identities of training documents
  // A held-out text that occurs twice, or nearly so, would count as two independent documents that agree.
  std::unordered_set<std::uint64_t> held;
  const auto hold = [&](std::uint64_t hash) -> SplitWriter* {
    if (near.contains(hash)) return ++nearly_repeated, nullptr;
    return held.insert(hash).second ? &valid : (++repeated, nullptr);
  };
  const auto choose = [&](const std::string& text) -> SplitWriter* {
    const std::string plain = plain_of(text);
    if (split_here && is_held_out(plain)) return hold(identity_of(plain));
    const HeldOutText::Found found = known.find(plain);
    switch (found.overlap) {
      case Overlap::kSame:
        return ++left_out, nullptr;
      case Overlap::kInside:
        ++inside;
        if (!split_here) return nullptr;
        break;
      case Overlap::kNone:
        break;
    }
    known.train(found);
    trained.push_back(identity_of(plain));
    return &train;
  };
  if (auto ok = encoder.run(sources, "encoding train", choose); !ok) return tl::unexpected(ok.error());
  if (left_out > 0)
    ticker.tell(fmt::format(
        "{} document{} of the training text appear{} verbatim in --valid-source and {} left out of training",
        left_out, left_out == 1 ? "" : "s", left_out == 1 ? "s" : "", left_out == 1 ? "is" : "are"));
  if (inside > 0)
    ticker.tell(fmt::format("{} of the training text contain{} a held-out document or part of one, and {}",
                            counted(inside, "document"), inside == 1 ? "s" : "",
                            !split_here ? inside == 1 ? "is left out of training" : "are left out of training"
                            : inside == 1 ? "is kept; with --valid-source it would be left out"
                                          : "are kept; with --valid-source they would be left out"));
  constexpr double kWorthSaying = 0.01;
  if (const auto [documents, all, share] = known.trained(); documents > 0 || share >= kWorthSaying)
    ticker.tell(fmt::format(
        "{} of the held-out text also stands in training documents that are kept; {} {} there for the "
        "most part. For scores on new text alone, hold out other documents",
        percent(share), of(documents, all, "held-out document"), documents == 1 ? "stands" : "stand"));
  if (const std::uint64_t again = count_repeated(std::move(trained)); again > 0)
    ticker.tell(fmt::format(
        "{} ({}) repeat{} an earlier one; {} kept", of(again, train.info().documents, "training document"),
        percent(again, train.info().documents), again == 1 ? "s" : "", again == 1 ? "it is" : "they are"));
  if (!split_here) {
    const auto once = [&](const std::string& text) { return hold(identity_of(plain_of(text))); };
    if (auto ok = encoder.run(held_out, "encoding valid", once); !ok) return tl::unexpected(ok.error());
  }
  if (repeated > 0)
    ticker.tell(fmt::format("{} held-out document{} repeated and left out: each text counts once", repeated,
                            repeated == 1 ? " was" : "s were"));
  if (nearly_repeated > 0)
    ticker.tell(fmt::format(
        "{} held-out document{} for the most part in earlier ones and left out: they would not count as "
        "independent",
        nearly_repeated, nearly_repeated == 1 ? " stood" : "s stood"));
  if (train.info().documents + valid.info().documents == 0) return no_text();
  if (train.info().documents == 0 && !split_here)
    return fail(
        "corpus",
        fmt::format("each of {} is, contains or is part of a held-out document: nothing is left to train on",
                    counted(left_out + inside, "document")),
        "hold out other documents; if the sources are many documents in one, separate them (see "
        "--separator)");
  if (train.info().documents == 0)
    return fail("corpus", fmt::format("all of {} documents were held out", valid.info().documents),
                "give --valid a smaller share, or add documents");
  if (valid.info().documents == 0)
    return fail("corpus", fmt::format("none of {} documents was held out", train.info().documents),
                train.info().documents == 1
                    ? "separate the documents (see --separator), or name held-out files with --valid-source"
                    : "give --valid a larger share, or name held-out files with --valid-source");
  constexpr double kMuchLonger = 1.25;
  const auto bytes_a_token = [](const SplitInfo& s) {
    return static_cast<double>(s.bytes) / static_cast<double>(std::max<std::uint64_t>(1, s.tokens));
  };
  if (!options.tokenizer.empty() && bytes_a_token(valid.info()) > kMuchLonger * bytes_a_token(train.info()))
    ticker.tell(fmt::format(
        "the tokenizer fits the held-out text better than the training text ({:.2f} bytes per token, {:.2f} "
        "in training): was it trained on it? Scores would then not only reflect what the model learned",
        bytes_a_token(valid.info()), bytes_a_token(train.info())));
  for (SplitWriter* writer : {&train, &valid}) {
    GABBRO_TRY(info, writer->close());
    manifest.splits.push_back(std::move(info));
  }
  std::error_code error;
  fs::remove_all(text_folder, error);
  GABBRO_TRY(file, File::create(folder + "/manifest.json"));
  const std::string json = to_json(manifest);
  if (auto ok = file.write(json.data(), json.size()); !ok) return tl::unexpected(ok.error());
  if (auto ok = file.close(); !ok) return tl::unexpected(ok.error());
  return manifest;
}

// Marks the folder of a build in progress. A folder without this file was not made by a build and is never
// removed.
constexpr const char* kMark = "/building";

// Removes the folder of a build that failed, also when an exception ends it.
class Remover {
 public:
  explicit Remover(std::string folder) : folder_(std::move(folder)) {}
  ~Remover() {
    std::error_code error;
    if (!folder_.empty()) fs::remove_all(folder_, error);
  }
  Remover(const Remover&) = delete;
  Remover& operator=(const Remover&) = delete;
  void keep() { folder_.clear(); }

 private:
  std::string folder_;
};

// Creates the folder of a build, empties it and locks it.
Result<Lock> begin(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", folder, error.message()));
  auto lock = Lock::take(folder);
  if (!lock && lock.error().code == "locked")
    return fail("exists", fmt::format("another build is running in {}", folder),
                "wait for it, or choose another --out");
  if (!lock) return lock;
  if (!fs::is_empty(folder, error) && !fs::exists(folder + kMark, error))
    return fail("exists", fmt::format("{} contains files that no build left there", folder),
                "move them, since a build needs that folder, or choose another --out");
  Remover remover(folder);
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path() != folder + kMark) fs::remove_all(entry.path(), error);
  GABBRO_TRY(mark, File::create(folder + kMark));
  if (auto ok = mark.close(); !ok) return tl::unexpected(ok.error());
  remover.keep();
  return lock;
}

}  // namespace

Result<Manifest> build_corpus(const BuildOptions& options, const Progress& progress) {
  std::error_code error;
  if (fs::exists(options.out, error))
    return fail("exists", fmt::format("{} already exists", options.out),
                "choose another --out, or remove it");
  const std::string folder = options.out + ".building";
  GABBRO_TRY(lock, begin(folder));
  Remover remover(folder);
  Ticker ticker(progress);
  auto manifest = build_in(folder, options, ticker);
  if (!manifest) return manifest;
  fs::remove(folder + kMark, error);
  fs::rename(folder, options.out, error);
  if (error)
    return fail("io", fmt::format("cannot rename {} to {}: {}", folder, options.out, error.message()));
  remover.keep();
  return manifest;
}

}  // namespace gabbro::data
