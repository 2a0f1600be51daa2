#include "data/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/lock.h"
#include "data/debian/corpus.h"
#include "data/debian/fetch.h"
#include "data/division.h"
#include "data/encoder.h"
#include "data/notices.h"
#include "data/output_file.h"
#include "data/sample.h"
#include "data/split_writer.h"
#include "data/tokenizer.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

// The sources of a build after the named corpus is replaced by its text files, which are in `folder` during
// the build.
struct ExpandedSources {
  std::vector<std::string> paths;  // files and folders; the files of the named corpus replace its name
  // Path of each file of the named corpus, and its name in the manifest.
  std::vector<std::pair<std::string, std::string>> manifest_names;
};

Result<ExpandedSources> expand(const BuildOptions& options, const std::string& folder, Ticker& ticker) {
  ExpandedSources out;
  std::error_code error;
  for (const std::string& source : options.sources) {
    if (source != "debian" || fs::exists(source, error)) {
      out.paths.push_back(source);
      continue;
    }
    const auto watch = [&](double share, const std::string&) {
      return ticker.tick({.stage = "Debian packages", .share = share});
    };
    const std::string cache = options.cache.empty() ? debian::default_cache() : options.cache;
    GABBRO_TRY(texts, debian::write_texts(folder, cache + "/debian", options.source.separator, watch));
    for (const debian::Text& text : texts.found) {
      out.paths.push_back(text.file);
      out.manifest_names.emplace_back(text.file, "debian:" + text.name);
      ticker.tell(fmt::format("{}: {} documents, {:.2f} MB of text", text.name, text.documents,
                              static_cast<double>(text.bytes) / 1e6));
    }
    for (const std::string& name : texts.missing) ticker.tell("left out, since not found: " + name);
  }
  return out;
}

void tell_all(std::vector<std::string> notices, Ticker& ticker) {
  for (std::string& notice : notices) ticker.tell(std::move(notice));
}

Result<Sources> find_and_tell(const std::vector<std::string>& paths, const BuildOptions& options,
                              Ticker& ticker) {
  auto found = find_sources(paths, options.source);
  if (found) tell_all(notices_of(*found), ticker);
  return found;
}

// Trains a vocabulary on the training text, or loads the given one. Trained on held-out text, it would fit
// that text too well.
Result<Tokenizer> make_tokenizer(const Sources& sources, const BuildOptions& options,
                                 const Division& division, Ticker& ticker) {
  if (!options.tokenizer.empty()) return Tokenizer::load(options.tokenizer);
  GABBRO_TRY(sample, sample_text(sources, options, ticker,
                                 [&](const std::string& text) { return division.trains(text); }));
  if (sample.empty()) {  // Nothing is left to train on. The build fails below and says why.
    GABBRO_TRY(all, sample_text(sources, options, ticker, [](const std::string&) { return true; }));
    sample = std::move(all);
  }
  if (std::all_of(sample.begin(), sample.end(), [](const std::string& text) { return text.empty(); }))
    return no_text();
  if (!ticker.tick({.stage = "training the tokenizer"}, /*force=*/true)) return stopped();
  return Tokenizer::train(sample, options.vocab);
}

// Calls f(text) for all documents of `sources`.
template <class F>
Result<bool> for_each_document(const Sources& sources, const BuildOptions& options, const std::string& stage,
                               Ticker& ticker, const F& f) {
  BuildProgress state{.stage = stage};
  const auto documents = open_documents(sources, options.source);
  std::string text;
  for (;;) {
    GABBRO_TRY(more, documents->next(text));
    if (!more) return true;
    f(text);
    ++state.documents;
    state.bytes += text.size();
    state.share = share_of(*documents, sources);
    if (!ticker.tick(state)) return stopped();
  }
}

// Passes all documents that may be held out to `division`. Where they are held out by name, it sees the
// training text, too, to tell what is boilerplate.
Result<bool> read_held_out(const Sources& sources, const Sources& held_out, const BuildOptions& options,
                           Ticker& ticker, Division& division) {
  constexpr double kTooMuchBoilerplate = 0.9;  // share of the held-out text
  if (auto ok =
          for_each_document(division.is_by_name() ? held_out : sources, options, "reading held-out text",
                            ticker, [&](const std::string& text) { division.add_candidate(text); });
      !ok)
    return ok;
  division.finish();
  if (!division.is_by_name()) return true;
  if (auto ok = for_each_document(sources, options, "comparing with held-out text", ticker,
                                  [&](const std::string& text) { division.observe(text); });
      !ok)
    return ok;
  division.settle();
  if (division.boilerplate_share() > kTooMuchBoilerplate)
    return mostly_boilerplate(division.boilerplate_share());
  return true;
}

// Writes the documents of `sources` to `train` and `valid`, and those of `held_out` to `valid`.
Result<bool> write_splits(const Sources& sources, const Sources& held_out, const BuildOptions& options,
                          const Tokenizer& tokenizer, Division& division, Ticker& ticker, SplitWriter& train,
                          SplitWriter& valid) {
  const bool by_name = division.is_by_name();
  Encoder encoder(options, tokenizer, ticker);
  const auto encode = [&](const Sources& from, const std::string& stage,
                          const std::function<SplitWriter*(const std::string&)>& choose) -> Result<bool> {
    GABBRO_TRY(findings, encoder.run(from, stage, choose));
    tell_all(notices_of(findings, options.source.separator), ticker);
    return true;
  };
  const auto writer_for = [&](const std::string& text) -> SplitWriter* {
    switch (division.side_of(text)) {
      case Side::kTrain:
        return &train;
      case Side::kHeldOut:
        return &valid;
      case Side::kNeither:
        break;
    }
    return nullptr;
  };
  if (auto ok = encode(sources, "encoding train", writer_for); !ok) return ok;
  tell_all(training_notices(division.counts(), by_name, train.info().documents), ticker);
  if (by_name) {
    const auto once = [&](const std::string& text) {
      return division.hold_out_once(text) ? &valid : nullptr;
    };
    if (auto ok = encode(held_out, "encoding valid", once); !ok) return ok;
  }
  const Division::Counts counts = division.counts();
  tell_all(held_out_notices(counts), ticker);
  const std::uint64_t trained = train.info().documents, held = valid.info().documents;
  if (trained + held == 0) return no_text();
  if (trained == 0 || held == 0) return one_sided(counts, by_name, trained, held);
  if (!options.tokenizer.empty()) ticker.tell(vocabulary_notice(train.info(), valid.info()));
  ticker.tell(changed_notice(train.info(), valid.info()));
  return true;
}

Result<Manifest> build_in(const std::string& folder, const BuildOptions& options, Ticker& ticker) {
  const std::string text_folder = folder + "/text";
  GABBRO_TRY(expanded, expand(options, text_folder, ticker));
  GABBRO_TRY(sources, find_and_tell(expanded.paths, options, ticker));
  Sources held_out;
  if (!options.valid_sources.empty()) {
    GABBRO_TRY(found, find_and_tell(options.valid_sources, options, ticker));
    held_out = std::move(found);
  }
  const bool by_name = !options.valid_sources.empty();
  Division division(by_name ? std::nullopt : std::optional(options.valid_share));
  if (auto ok = read_held_out(sources, held_out, options, ticker, division); !ok)
    return tl::unexpected(ok.error());
  GABBRO_TRY(tokenizer, make_tokenizer(sources, options, division, ticker));
  Manifest manifest;
  manifest.vocab = tokenizer.vocab();
  manifest.sources = sources.files;
  for (const auto& [file, name] : expanded.manifest_names)
    std::replace(manifest.sources.begin(), manifest.sources.end(), file, name);
  const std::string model = folder + "/tokenizer.model";
  if (auto ok = write_whole(model, tokenizer.bytes()); !ok) return tl::unexpected(ok.error());
  GABBRO_TRY(hash, hash_file(model));
  manifest.tokenizer_hash = hash;
  const bool wide = manifest.vocab > kMaxVocabOf16Bits;
  SplitWriter train(folder, "train", wide, options.shard_tokens),
      valid(folder, "valid", wide, options.shard_tokens);
  if (auto ok = write_splits(sources, held_out, options, tokenizer, division, ticker, train, valid); !ok)
    return tl::unexpected(ok.error());
  for (SplitWriter* writer : {&train, &valid}) {
    GABBRO_TRY(info, writer->close());
    manifest.splits.push_back(std::move(info));
  }
  std::error_code error;
  fs::remove_all(text_folder, error);
  if (auto ok = write_whole(folder + "/manifest.json", to_json(manifest)); !ok)
    return tl::unexpected(ok.error());
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
Result<Lock> begin_build(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", folder, error.message()));
  auto lock = Lock::take(folder);
  if (!lock && lock.error().code == "locked")
    return fail("exists", fmt::format("another build is running in {}", folder),
                "wait for it, or choose another --out");
  if (!lock) return lock;
  if (!fs::is_empty(folder, error) && !fs::exists(folder + kMark, error))
    return fail("exists", fmt::format("{} contains files that do not come from a build", folder),
                "move them (a build clears this folder), or choose another --out");
  Remover remover(folder);
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path() != folder + kMark) fs::remove_all(entry.path(), error);
  if (auto ok = write_whole(folder + kMark, ""); !ok) return tl::unexpected(ok.error());
  remover.keep();
  return lock;
}

}  // namespace

Result<Manifest> build_corpus(const BuildOptions& options,
                              const std::function<bool(const BuildProgress&)>& progress) {
  std::error_code error;
  if (fs::exists(options.out, error))
    return fail("exists", fmt::format("{} already exists", options.out),
                "choose another --out, or remove it");
  const std::string folder = options.out + ".building";
  GABBRO_TRY(lock, begin_build(folder));
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
