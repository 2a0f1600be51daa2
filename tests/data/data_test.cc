// Corpora: what goes in comes out, damage is noticed, interruptions leave nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "data/build.h"
#include "data/tokenizer.h"

namespace gabbro::data {
namespace {

namespace fs = std::filesystem;

// A folder of its own for each test, gone afterwards.
class Data : public ::testing::Test {
 protected:
  void SetUp() override {
    root = fs::path(::testing::TempDir()) /
           ("gabbro_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
            std::to_string(getpid()));
    fs::create_directories(root);
  }
  void TearDown() override { fs::remove_all(root); }

  std::string write(const std::string& name, const std::string& text) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name, std::ios::binary) << text;
    return root / name;
  }

  std::vector<std::string> read_all(const std::vector<std::string>& paths,
                                    const SourceOptions& options = {}) {
    std::vector<std::string> out;
    const auto sources = find_sources(paths);
    EXPECT_TRUE(sources.has_value()) << sources.error().message;
    if (!sources) return out;
    const auto documents = open_documents(*sources, options);
    std::string text;
    for (;;) {
      const auto more = documents->next(text);
      if (!more) {
        error = more.error();
        return out;
      }
      if (!*more) break;
      out.push_back(text);
    }
    EXPECT_EQ(documents->consumed(), sources->bytes);
    return out;
  }

  fs::path root;
  Error error;
};

TEST_F(Data, TextIsCutAtSeparatorLines) {
  const std::string path =
      write("a.txt", "one\ntwo\n<|endoftext|>\n\nthree\r\n<|endoftext|>\n<|endoftext|>\nlast");
  EXPECT_EQ(read_all({path}), (std::vector<std::string>{"one\ntwo\n", "three\n", "last\n"}));
}

TEST_F(Data, JsonLinesGiveAFieldALine) {
  const std::string path = write("a.jsonl", "{\"text\": \"one\"}\n\n{\"text\": \"t\\u00e9\", \"id\": 3}\n");
  EXPECT_EQ(read_all({path}), (std::vector<std::string>{"one", "té"}));
  write("b.jsonl", "{\"text\": \"one\"}\n{\"body\": \"two\"}\n");
  read_all({root / "b.jsonl"});
  EXPECT_NE(error.message.find("b.jsonl:2: no text in field text"), std::string::npos) << error.message;
  EXPECT_EQ(error.hint, "fields with text: body; choose with --field");
  EXPECT_EQ(read_all({root / "b.jsonl"}, {.field = "other"}).size(), 0U);
}

TEST_F(Data, PackedFilesAreUnpacked) {
  const std::string text = "some words\n<|endoftext|>\nand more\n";
  for (const char* pack : {"gzip", "xz", "bzip2"}) {
    const std::string path = write(std::string(pack) + ".txt", text);
    if (std::system((std::string(pack) + " " + path).c_str()) != 0) continue;
  }
  int packed = 0;
  for (const char* name : {"gzip.txt.gz", "xz.txt.xz", "bzip2.txt.bz2"}) {
    if (!fs::exists(root / name)) continue;
    ++packed;
    EXPECT_EQ(read_all({root / name}), (std::vector<std::string>{"some words\n", "and more\n"})) << name;
  }
  EXPECT_GE(packed, 1);
}

TEST_F(Data, DamagedArchivesAreNoticed) {
  std::string text;
  Random random(1);
  for (int i = 0; i < 200000; ++i) text += static_cast<char>('a' + random.below(26));
  const std::string path = write("a.txt", text);
  ASSERT_EQ(std::system(("gzip " + path).c_str()), 0);
  fs::resize_file(path + ".gz", fs::file_size(path + ".gz") / 2);
  read_all({path + ".gz"});
  EXPECT_EQ(error.code, "io");
  EXPECT_NE(error.message.find("a.txt.gz"), std::string::npos);
}

TEST_F(Data, FoldersHoldFilesOfKnownFormats) {
  write("d/b.txt", "b");
  write("d/a/z.md", "z");
  write("d/picture.png", "x");
  const auto sources = find_sources({root / "d"});
  ASSERT_TRUE(sources.has_value());
  EXPECT_EQ(sources->files, (std::vector<std::string>{root / "d/a/z.md", root / "d/b.txt"}));
  EXPECT_EQ(sources->skipped.size(), 1U);
  EXPECT_EQ(find_sources({root / "nowhere"}).error().code, "io");
}

TEST_F(Data, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(read_all({write("a.txt",
                            "a\xff\xfe"
                            "b\n")}),
            (std::vector<std::string>{"a\xef\xbf\xbd\xef\xbf\xbd"
                                      "b\n"}));
}

// Words made of syllables: text that a vocabulary can be made of.
std::string babble(Random& random, int words) {
  static const std::vector<std::string> kSyllables{"ka", "to", "mi", "re", "son", "ul",
                                                   "fa", "be", "lo", "di", "qu",  "ez"};
  std::string out;
  for (int i = 0; i < words; ++i) {
    for (std::int64_t n = 1 + random.below(4); n > 0; --n) out += random.pick(kSyllables);
    out += random.chance(0.1) ? '\n' : ' ';
  }
  return out;
}

std::string babble_file(int documents, std::uint64_t seed) {
  Random random(seed);
  std::string text;
  for (int i = 0; i < documents; ++i) text += babble(random, 200) + "\n<|endoftext|>\n";
  return text;
}

TEST_F(Data, TokenizersLoseNothing) {
  Random random(1);
  const auto tokenizer = Tokenizer::train({babble(random, 5000)}, 400);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->vocab(), 400);
  for (const std::string text :
       {"kato mire\n", "  two spaces\n\n\nlines\t", "unseen: ÄÖ 漢字 🙂 0123", " ", "\n"}) {
    std::vector<int> ids;
    tokenizer->encode(text, ids);
    EXPECT_EQ(tokenizer->decode(ids), text);
  }
  const auto again = Tokenizer::from_bytes(tokenizer->bytes());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(Tokenizer::from_bytes("nonsense").error().code, "tokenizer");
  EXPECT_EQ(Tokenizer::train({"ab"}, 4000).error().code, "tokenizer");
}

BuildOptions options_for(const fs::path& root, const std::string& source, int threads = 2) {
  BuildOptions o;
  o.out = root / "corpus";
  o.sources = {source};
  o.valid_share = 0.2;
  o.vocab = 400;
  o.threads = threads;
  o.shard_tokens = 5000;
  return o;
}

TEST_F(Data, CorporaHoldTheirDocuments) {
  const std::string source = write("a.txt", babble_file(60, 2));
  const auto manifest = build_corpus(options_for(root, source), {});
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  const auto corpus = Corpus::open(root / "corpus");
  ASSERT_TRUE(corpus.has_value()) << corpus.error().message;
  EXPECT_TRUE(corpus->verify().has_value());
  const auto tokenizer = Tokenizer::load(root / "corpus/tokenizer.model");
  ASSERT_TRUE(tokenizer.has_value());
  std::vector<std::string> found;
  for (const char* name : {"train", "valid"}) {
    const auto split = corpus->split(name);
    ASSERT_TRUE(split.has_value());
    EXPECT_GT(split->documents(), 3U);
    std::uint64_t bytes = 0;
    for (std::size_t d = 0; d < split->documents(); ++d) {
      const Document document = split->document(d);
      EXPECT_EQ(split->document_of(document.begin), d);
      EXPECT_EQ(split->document_of(document.end - 1), d);
      std::vector<std::int64_t> tokens(document.end - document.begin);
      split->read(document.begin, tokens);
      ASSERT_EQ(tokens.back(), tokenizer->end());
      found.push_back(tokenizer->decode({tokens.begin(), tokens.end() - 1}));
      EXPECT_EQ(found.back().size(), document.bytes);
      bytes += document.bytes;
    }
    EXPECT_EQ(bytes, split->bytes());
  }
  EXPECT_GT(manifest->splits[0].shards.size(), 1U) << "reading across shards was not tried";
  std::vector<std::string> all = read_all({source});
  std::sort(all.begin(), all.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, all);
}

TEST_F(Data, ThreadsDoNotMatter) {
  const std::string source = write("a.txt", babble_file(40, 3));
  const auto one = build_corpus(options_for(root, source, 1), {});
  ASSERT_TRUE(one.has_value());
  fs::rename(root / "corpus", root / "first");
  const auto four = build_corpus(options_for(root, source, 4), {});
  ASSERT_TRUE(four.has_value());
  EXPECT_EQ(to_json(*one), to_json(*four));
}

TEST_F(Data, InterruptedBuildsLeaveNothing) {
  const std::string source = write("a.txt", babble_file(40, 4));
  int calls = 0;
  const auto stopped =
      build_corpus(options_for(root, source), [&](const BuildProgress&) { return ++calls < 2; });
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, "stopped");
  EXPECT_FALSE(fs::exists(root / "corpus"));
  EXPECT_FALSE(fs::exists(root / "corpus.building"));
  // What a killed build left is no hindrance.
  write("corpus.building/train-00000.tokens", "half");
  EXPECT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  EXPECT_EQ(build_corpus(options_for(root, source), {}).error().code, "exists");
}

TEST_F(Data, DamageIsNoticed) {
  const std::string source = write("a.txt", babble_file(40, 5));
  ASSERT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  const std::string shard = root / "corpus/train-00000.tokens";
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.put('\x7f');
  }
  auto corpus = Corpus::open(root / "corpus");
  ASSERT_TRUE(corpus.has_value());
  EXPECT_NE(corpus->verify().error().message.find("train-00000.tokens"), std::string::npos);
  fs::resize_file(shard, fs::file_size(shard) - 2);
  EXPECT_NE(Corpus::open(root / "corpus").error().message.find("bytes instead of"), std::string::npos);
  write("corpus/manifest.json", "{\"version\": 99}");
  EXPECT_NE(Corpus::open(root / "corpus").error().message.find("version 99"), std::string::npos);
  EXPECT_EQ(Corpus::open(root / "nowhere").error().code, "corpus");
}

TEST_F(Data, NoTextIsAnError) {
  EXPECT_FALSE(build_corpus(options_for(root, write("a.txt", "\n\n")), {}).has_value());
}

}  // namespace
}  // namespace gabbro::data
