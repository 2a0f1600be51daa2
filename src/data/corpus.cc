#include "data/corpus.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/files.h"
#include "base/hash.h"
#include "data/text_bytes.h"
#include "data/tokenizer.h"

namespace gabbro::data {

static_assert(std::endian::native == std::endian::little, "shards are little-endian");

namespace {

// A file that is mapped for reading.
class Mapping {
 public:
  static Result<Mapping> open(const std::string& path) {
    // Without O_NONBLOCK, opening a pipe waits for a writer.
    const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return fail("corpus", fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    struct stat info {};
    if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
      ::close(file);
      return fail("corpus", fmt::format("cannot read {}: it is not a regular file", path),
                  "build a corpus with `gabbro data build`");
    }
    Mapping out;
    out.size_ = static_cast<std::size_t>(info.st_size);
    if (out.size_ > 0) out.data_ = ::mmap(nullptr, out.size_, PROT_READ, MAP_PRIVATE, file, 0);
    ::close(file);
    if (out.data_ == MAP_FAILED) {
      out.data_ = nullptr;
      return fail("corpus", fmt::format("cannot map {}: {}", path, std::strerror(errno)));
    }
    return out;
  }
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (data_) ::munmap(data_, size_);
  }

  template <class T>
  [[nodiscard]] std::span<const T> as() const {
    return {static_cast<const T*>(data_), size_ / sizeof(T)};
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// Largest file, in bytes, that is hashed whenever its split is opened.
constexpr std::uint64_t kMostHashedBytes = 1 << 30;

// A document in NAME.documents: the token of the split at which it ends, and the bytes of its text.
struct DocumentEnd {
  std::uint64_t end;
  std::uint64_t bytes;
};

}  // namespace

struct Split::State {
  SplitInfo info;
  int vocab = 0;
  bool wide = false;  // token ids have 32 bits
  std::vector<Mapping> shards;
  std::vector<std::uint64_t> starts;                // first token of each shard, and the total
  Mapping borders;                                  // NAME.documents
  std::optional<std::vector<Document>> restricted;  // the documents to use instead of those of the file
  [[nodiscard]] std::span<const DocumentEnd> ends() const { return borders.as<DocumentEnd>(); }
};

Split::Split(std::unique_ptr<State> state) : state_(std::move(state)) {}
Split::Split(Split&&) noexcept = default;
Split& Split::operator=(Split&&) noexcept = default;
Split::~Split() = default;

std::uint64_t Split::tokens() const { return state_->info.tokens; }
std::uint64_t Split::bytes() const { return state_->info.bytes; }
double Split::changed_share() const { return state_->info.changed_share(); }
std::size_t Split::documents() const {
  return state_->restricted ? state_->restricted->size() : state_->ends().size();
}

std::size_t Split::documents_up_to(std::uint64_t limit) const {
  return limit == 0 ? documents() : std::min<std::size_t>(limit, documents());
}

void Split::restrict_to(std::vector<Document> documents) { state_->restricted = std::move(documents); }

Document Split::document(std::size_t index) const {
  if (state_->restricted) return (*state_->restricted)[index];
  const auto ends = state_->ends();
  return {index == 0 ? 0 : ends[index - 1].end, ends[index].end, ends[index].bytes};
}

std::size_t Split::document_of(std::uint64_t position) const {
  const auto ends = state_->ends();
  const auto at = std::upper_bound(ends.begin(), ends.end(), position,
                                   [](std::uint64_t p, const DocumentEnd& b) { return p < b.end; });
  return static_cast<std::size_t>(at - ends.begin());
}

void Split::read(std::uint64_t from, std::span<std::int64_t> out) const {
  GABBRO_CHECK(from + out.size() <= tokens());
  const auto& starts = state_->starts;
  std::size_t shard =
      static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), from) - starts.begin()) - 1;
  for (std::size_t done = 0; done < out.size(); ++shard) {
    const std::uint64_t at = from + done - starts[shard];
    const std::size_t count =
        std::min<std::size_t>(out.size() - done, starts[shard + 1] - starts[shard] - at);
    if (state_->wide)
      std::copy_n(state_->shards[shard].as<std::uint32_t>().data() + at, count, out.data() + done);
    else
      std::copy_n(state_->shards[shard].as<std::uint16_t>().data() + at, count, out.data() + done);
    done += count;
  }
  const auto beyond =
      std::find_if(out.begin(), out.end(), [&](std::int64_t id) { return id >= state_->vocab; });
  if (beyond != out.end())
    throw std::runtime_error(
        fmt::format("split {}: token {} is outside the vocabulary of {}: a file of the corpus is damaged; "
                    "find it with `gabbro data info --verify`",
                    state_->info.name, *beyond, state_->vocab));
}

void Split::append(const Document& document, std::vector<std::int64_t>& tokens) const {
  const std::size_t before = tokens.size();
  tokens.resize(before + document.end - document.begin);
  read(document.begin, {tokens.data() + before, tokens.size() - before});
}

double SplitInfo::changed_share() const {
  return documents == 0 ? 0 : static_cast<double>(changed_documents) / static_cast<double>(documents);
}

double Manifest::changed_share() const {
  const auto valid =
      std::find_if(splits.begin(), splits.end(), [](const SplitInfo& s) { return s.name == "valid"; });
  return valid == splits.end() ? 0 : valid->changed_share();
}

std::string to_json(const Manifest& m) {
  nlohmann::ordered_json out{{"version", Manifest::kVersion},
                             {"vocab", m.vocab},
                             {"tokenizer_hash", m.tokenizer_hash},
                             {"sources", m.sources}};
  for (const SplitInfo& s : m.splits) {
    nlohmann::ordered_json split{{"documents", s.documents},
                                 {"tokens", s.tokens},
                                 {"bytes", s.bytes},
                                 {"documents_hash", s.documents_hash},
                                 {"shards", nlohmann::json::array()}};
    if (s.changed_documents > 0) split["changed_documents"] = s.changed_documents;
    for (const ShardInfo& shard : s.shards)
      split["shards"].push_back({{"file", shard.file}, {"tokens", shard.tokens}, {"hash", shard.hash}});
    out["splits"][s.name] = split;
  }
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string hash_of(const Manifest& manifest) {
  std::string all = manifest.tokenizer_hash;
  for (const SplitInfo& split : manifest.splits) {
    all += fmt::format("\n{} {}", split.name, split.documents_hash);
    for (const ShardInfo& shard : split.shards)
      all += fmt::format("\n{} {} {}", shard.file, shard.tokens, shard.hash);
  }
  return to_hex(hash128(all));
}

Result<Manifest> parse_manifest(const std::string& text, const std::string& path) {
  const auto wrong = [&](const std::string& why) {
    return fail("corpus", fmt::format("{} is not the manifest of a corpus: {}", path, why),
                "build it again with `gabbro data build`");
  };
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong("not a JSON object");
  try {
    const int version = json.at("version");
    if (version != Manifest::kVersion)
      return wrong(
          fmt::format("unknown version {}; this program reads version {}", version, Manifest::kVersion));
    Manifest m;
    m.vocab = json.at("vocab");
    m.tokenizer_hash = json.at("tokenizer_hash");
    m.sources = json.at("sources").get<std::vector<std::string>>();
    for (const auto& [name, split] : json.at("splits").items()) {
      SplitInfo s{.name = name,
                  .documents = split.at("documents"),
                  .tokens = split.at("tokens"),
                  .bytes = split.at("bytes"),
                  .shards = {},
                  .documents_hash = split.at("documents_hash"),
                  .changed_documents = split.value("changed_documents", std::uint64_t{0})};
      for (const auto& shard : split.at("shards"))
        s.shards.push_back({shard.at("file"), shard.at("tokens"), shard.at("hash")});
      m.splits.push_back(std::move(s));
    }
    return m;
  } catch (const nlohmann::json::exception& e) {
    return wrong(e.what());
  }
}

Result<std::string> hash_file(const std::string& path) {
  GABBRO_TRY(mapping, Mapping::open(path));
  const auto bytes = mapping.as<char>();
  return to_hex(hash128({bytes.data(), bytes.size()}));
}

Result<Corpus> Corpus::open(const std::string& folder) {
  Corpus out;
  out.folder_ = folder;
  const std::string path = folder + "/manifest.json";
  const auto text = read_file(path);
  if (std::error_code error; !text && std::filesystem::exists(path, error))
    return fail("corpus", text.error().message, "build it with `gabbro data build`");
  if (!text)
    return fail("corpus", fmt::format("there is no corpus in {}: manifest.json is missing", folder),
                "build one: gabbro data build --out " + folder);
  GABBRO_TRY(manifest, parse_manifest(*text, path));
  out.manifest_ = std::move(manifest);
  for (const SplitInfo& s : out.manifest_.splits)
    if (auto ok = out.map(s.name); !ok) return tl::unexpected(ok.error());
  if (auto ok = out.check("tokenizer.model", out.manifest_.tokenizer_hash); !ok)
    return tl::unexpected(ok.error());
  return out;
}

Result<bool> Corpus::check(const std::string& file, const std::string& hash) const {
  GABBRO_TRY(got, hash_file(folder_ + "/" + file));
  if (got == hash) return true;
  return fail("corpus",
              fmt::format("{}/{} was changed: its hash is {} instead of {}", folder_, file, got, hash),
              "the file is damaged or belongs to another corpus; build the corpus again");
}

Result<Split> Corpus::split(const std::string& name) const {
  GABBRO_TRY(out, map(name));
  const SplitInfo& info = out.state_->info;
  const std::uint64_t width = out.state_->wide ? 4 : 2;
  for (const ShardInfo& shard : info.shards)
    if (shard.tokens * width <= kMostHashedBytes)
      if (auto ok = check(shard.file, shard.hash); !ok) return tl::unexpected(ok.error());
  if (info.documents * sizeof(DocumentEnd) <= kMostHashedBytes)
    if (auto ok = check(name + ".documents", info.documents_hash); !ok) return tl::unexpected(ok.error());
  std::uint64_t end = 0, bytes = 0;
  const auto ends = out.state_->ends();
  for (std::size_t d = 0; d < ends.size(); ++d) {
    const DocumentEnd& document = ends[d];
    if (document.end <= end || document.end > info.tokens || document.bytes == 0 ||
        document.bytes > info.bytes - bytes)
      return fail(
          "corpus",
          fmt::format(
              "{}/{}.documents: document {} has {} bytes of text and ends at token {}; the one before it "
              "ends at {}, and {} tokens and {} bytes are left for it",
              folder_, name, d + 1, document.bytes, document.end, end, info.tokens - end, info.bytes - bytes),
          "the file is damaged; build the corpus again");
    end = document.end, bytes += document.bytes;
  }
  if (end != info.tokens || bytes != info.bytes)
    return fail("corpus",
                fmt::format("{}/{}.documents contains {} tokens and {} bytes of text instead of {} and {}",
                            folder_, name, end, bytes, info.tokens, info.bytes),
                "the file is damaged; build the corpus again");
  return out;
}

std::vector<std::string> Corpus::files_too_large_to_check() const {
  std::vector<std::string> out;
  const std::uint64_t width = manifest_.vocab > kMaxVocabOf16Bits ? 4 : 2;
  for (const SplitInfo& s : manifest_.splits) {
    for (const ShardInfo& shard : s.shards)
      if (shard.tokens * width > kMostHashedBytes) out.push_back(shard.file);
    if (s.documents * sizeof(DocumentEnd) > kMostHashedBytes) out.push_back(s.name + ".documents");
  }
  return out;
}

Result<Split> Corpus::map(const std::string& name) const {
  const auto info = std::find_if(manifest_.splits.begin(), manifest_.splits.end(),
                                 [&](const SplitInfo& s) { return s.name == name; });
  if (info == manifest_.splits.end())
    return fail("corpus", fmt::format("{} has no split {}", folder_, name),
                "the corpus is damaged; build it again");
  auto state = std::make_unique<Split::State>();
  state->info = *info;
  state->vocab = manifest_.vocab;
  state->wide = manifest_.vocab > kMaxVocabOf16Bits;
  const std::size_t width = state->wide ? 4 : 2;
  std::uint64_t total = 0;
  for (const ShardInfo& shard : info->shards) {
    GABBRO_TRY(mapping, Mapping::open(folder_ + "/" + shard.file));
    if (mapping.size() != shard.tokens * width)
      return fail("corpus",
                  fmt::format("{}/{} has {} bytes instead of {}", folder_, shard.file, mapping.size(),
                              shard.tokens * width),
                  "the file is damaged; build the corpus again");
    state->starts.push_back(total);
    total += shard.tokens;
    state->shards.push_back(std::move(mapping));
  }
  state->starts.push_back(total);
  const std::string borders = folder_ + "/" + name + ".documents";
  GABBRO_TRY(mapping, Mapping::open(borders));
  if (mapping.size() != info->documents * sizeof(DocumentEnd))
    return fail("corpus",
                fmt::format("{} has {} bytes instead of {}", borders, mapping.size(),
                            info->documents * sizeof(DocumentEnd)),
                "the file is damaged; build the corpus again");
  state->borders = std::move(mapping);
  if (total != info->tokens || (info->documents > 0 && state->ends().back().end != total))
    return fail(
        "corpus",
        fmt::format("split {} of {} contains {} tokens instead of {}", name, folder_, total, info->tokens),
        "the corpus is damaged; build it again");
  return Split(std::move(state));
}

Result<bool> Corpus::verify() const {
  if (auto ok = check("tokenizer.model", manifest_.tokenizer_hash); !ok) return ok;
  for (const SplitInfo& s : manifest_.splits) {
    for (const ShardInfo& shard : s.shards)
      if (auto ok = check(shard.file, shard.hash); !ok) return ok;
    if (auto ok = check(s.name + ".documents", s.documents_hash); !ok) return ok;
  }
  GABBRO_TRY(held_out, split("valid"));
  GABBRO_TRY(tokenizer, Tokenizer::load(folder_ + "/tokenizer.model"));
  return check_bytes(held_out, tokenizer, /*documents=*/0);
}

}  // namespace gabbro::data
