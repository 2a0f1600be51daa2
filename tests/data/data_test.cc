// Tests of corpora: documents survive a build, damage is detected, and interrupted builds leave nothing.
#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/random.h"
#include "data/build.h"
#include "data/heads.h"
#include "data/held_out.h"
#include "data/notices.h"
#include "data/tokenizer.h"

namespace gabbro::data {
namespace {

namespace fs = std::filesystem;

// Gives each test its own folder, which is removed afterwards.
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
    found_notices = notices_of(documents->findings(), options.separator);
    return out;
  }

  fs::path root;
  Error error;
  std::vector<std::string> found_notices;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Returns random letters, which hardly compress, so that a compressed file of them is long.
std::string random_letters(int letters) {
  Random random(1);
  std::string text;
  for (int i = 0; i < letters; ++i) text += static_cast<char>('a' + random.below(26));
  return text;
}

TEST_F(Data, TextIsCutAtSeparatorLines) {
  const std::string path =
      write("a.txt", "one\ntwo\n<|endoftext|>\n\nthree\r\n<|endoftext|>\n<|endoftext|>\nlast");
  EXPECT_EQ(read_all({path}), (std::vector<std::string>{"one\ntwo\n", "three\n", "last\n"}));
}

TEST_F(Data, JsonLinesHoldADocumentPerLine) {
  const std::string path = write("a.jsonl", "{\"text\": \"one\"}\n\n{\"text\": \"t\\u00e9\", \"id\": 3}\n");
  EXPECT_EQ(read_all({path}), (std::vector<std::string>{"one", "té"}));
  write("b.jsonl", "{\"body\": \"two\", \"meta\": {\"title\": \"x\"}}\n{\"text\": \"one\"}\n");
  read_all({root / "b.jsonl"});
  EXPECT_NE(error.message.find("b.jsonl:1: no text in field 'text'"), std::string::npos) << error.message;
  EXPECT_EQ(error.hint, "fields with text: body, meta.title; choose one with --field");
  EXPECT_EQ(read_all({root / "b.jsonl"}, {.field = "other"}).size(), 0U);
}

TEST_F(Data, RowsWithoutTextAreLeftOutAndCounted) {
  const std::string path = write("a.jsonl",
                                 "{\"text\": null}\n{\"text\": \"one\"}\n{\"id\": 3}\n{\"text\": \"\"}\n"
                                 "{\"text\": \"two\"}\n");
  EXPECT_EQ(read_all({path}), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(error.message, "");
  ASSERT_EQ(found_notices.size(), 1U);
  EXPECT_EQ(found_notices[0],
            "left out 3 of 5 rows without text in the field that is read (--field); the first is in " + path +
                ":1");
  // A number is an error wherever it stands, and so is a field that no row has had yet.
  for (const char* const row : {"{\"text\": \"one\"}\n{\"text\": 7}\n", "{\"text\": null}\n{\"id\": 1}\n"}) {
    error = {};
    read_all({write("b.jsonl", row)});
    EXPECT_TRUE(has(error.message, "b.jsonl:2: no text in field 'text'")) << error.message;
  }
}

TEST_F(Data, FieldsMayBeInsideOfOtherFields) {
  const auto read = [&](const std::string& line) {
    error = {};
    return read_all({write("a.jsonl", line + "\n")}, {.field = "a.b.c"});
  };
  const std::vector<std::string> want{"one"};
  EXPECT_EQ(read(R"({"a": {"b": {"c": "one"}}})"), want);
  EXPECT_EQ(read(R"({"a.b": {"c": "one"}})"), want);
  EXPECT_EQ(read(R"({"a": {"b.c": "one"}, "a.b": 3})"), want);
  EXPECT_EQ(read(R"({"a.b.c": "one", "a": {"b": {"c": "two"}}})"), want);
  EXPECT_TRUE(read(R"({"a": {"b": null}})").empty());
  EXPECT_EQ(error.message, "");
  EXPECT_TRUE(read(R"({"a": {"b": "one"}})").empty());
  EXPECT_EQ(error.hint, "fields with text: a.b; choose one with --field");
}

TEST_F(Data, PointersOfGitLfsAreNamed) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
  for (const char* const name : {"a.txt", "a.txt.xz", "a.jsonl.zst", "a.jsonl", "a.txt.gz"}) {
    error = {};
    EXPECT_TRUE(read_all({write(name, pointer)}).empty());
    EXPECT_TRUE(has(error.message, std::string(name) + " is a pointer of Git LFS")) << error.message;
    EXPECT_TRUE(has(error.hint, "git lfs pull")) << error.hint;
  }
}

TEST_F(Data, PointersOfGitAnnexAreNamed) {
  for (const char* const pointer :
       {"/annex/objects/SHA256E-s12345--4d7a.txt\n", "version https://hawser.github.com/spec/v1\n"}) {
    error = {};
    EXPECT_TRUE(read_all({write("a.txt", pointer)}).empty());
    EXPECT_TRUE(has(error.message, "in place of the file itself")) << error.message;
  }
}

// Compresses `text` with `add_filter`, a function of libarchive.
std::string packed(const std::string& text, int (*add_filter)(archive*)) {
  std::string out(text.size() + 4096, '\0');
  std::size_t used = 0;
  archive* a = archive_write_new();
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "x");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_set_format_raw(a);
  EXPECT_EQ(add_filter(a), ARCHIVE_OK);
  archive_write_set_bytes_in_last_block(a, 1);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  archive_write_header(a, entry);
  archive_write_data(a, text.data(), text.size());
  archive_write_close(a);
  archive_write_free(a);
  archive_entry_free(entry);
  out.resize(used);
  return out;
}

const std::vector<std::pair<std::string, int (*)(archive*)>> kFilters{
    {".gz", archive_write_add_filter_gzip},
    {".xz", archive_write_add_filter_xz},
    {".zst", archive_write_add_filter_zstd},
    {".bz2", archive_write_add_filter_bzip2}};

TEST_F(Data, CompressedFilesAreDecompressed) {
  const std::string text = "some words\n<|endoftext|>\nand more\n", line = "{\"text\": \"some words\"}\n";
  const std::string large = random_letters(700'000) + "\n";
  for (const auto& [ending, filter] : kFilters) {
    EXPECT_EQ(read_all({write("a.txt" + ending, packed(text, filter))}),
              (std::vector<std::string>{"some words\n", "and more\n"}))
        << ending;
    EXPECT_EQ(read_all({write("a.jsonl" + ending, packed(line, filter))}),
              std::vector<std::string>{"some words"})
        << ending;
    EXPECT_EQ(read_all({write("b.txt" + ending, packed(text, filter) + packed(large, filter))}),
              (std::vector<std::string>{"some words\n", "and more\n" + large}))
        << ending << ": two files, one after the other";
    EXPECT_EQ(read_all({write("c.txt" + ending, packed("", filter))}).size(), 0U) << ending;
    EXPECT_EQ(error.message, "") << ending;
  }
}

// Every byte is changed, and the file is cut at every length. The text that is read is right, or there is an
// error.
TEST_F(Data, DamageOfCompressedFilesIsNoticed) {
  const std::string text = "some words\n";
  // A file of the program `zstd`, which has a checksum. libarchive writes none.
  constexpr char kZstd[] =
      "\x28\xb5\x2f\xfd\x04\x58\x59\x00\x00\x73\x6f\x6d\x65\x20\x77\x6f\x72\x64\x73\x0a\x8a\x0b\x65\x3e";
  for (const auto& [ending, filter] : kFilters) {
    const std::string name = "a.txt" + ending;
    const std::string whole = ending == ".zst" ? std::string(kZstd, sizeof kZstd - 1) : packed(text, filter);
    const auto is_noticed = [&](const std::string& bytes) {
      error = {};
      const auto found = read_all({write(name, bytes)});
      return error.message.find(name) != std::string::npos || found == std::vector<std::string>{text};
    };
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (const char change : {'\x01', '\x80', '\xFF'}) {
        std::string bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ change);
        if (!is_noticed(bytes) && wrong++ == 0) ADD_FAILURE() << ending << ": byte " << i << " was changed";
      }
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_TRUE(is_noticed(whole.substr(0, size)) && !error.message.empty())
          << ending << ": cut at " << size;
    EXPECT_EQ(wrong, 0U) << ending;
    for (const std::string& rest :
         {std::string("and more\n"), std::string("\x1F\x8C"), std::string("\0\0\0and", 6)})
      EXPECT_TRUE(is_noticed(whole + rest) && !error.message.empty()) << ending << ": followed by " << rest;
    EXPECT_TRUE(is_noticed(text) && !error.message.empty()) << ending << ": not compressed";
  }
  error = {};
  EXPECT_EQ(read_all({write("a.txt.gz", packed(text, kFilters[0].second) + std::string(20'000, '\0'))}),
            std::vector<std::string>{text});
  EXPECT_EQ(error.message, "") << "zeros may follow gzip";
  std::string half = packed(random_letters(200'000), kFilters[0].second);
  half.resize(half.size() / 2);
  read_all({write("b.txt.gz", half)});
  EXPECT_EQ(error.message, fmt::format("cannot read {}: damaged at byte {} of its compressed data: it ends "
                                       "within the compressed text",
                                       (root / "b.txt.gz").string(), half.size()));
}

TEST_F(Data, FoldersHoldFilesOfKnownFormats) {
  write("d/b.txt", "b");
  write("d/a/z.md", "z");
  write("d/picture.png", "x");
  write("d/.git/notes.txt", "hidden");
  write("d/.draft.txt", "hidden");
  const auto sources = find_sources({root / "d"});
  ASSERT_TRUE(sources.has_value());
  EXPECT_EQ(sources->files, (std::vector<std::string>{root / "d/a/z.md", root / "d/b.txt"}));
  EXPECT_EQ(sources->skipped.at("of unknown format"), std::vector<std::string>{root / "d/picture.png"});
  EXPECT_EQ(sources->skipped.at("with a hidden name").size(), 2U);
  EXPECT_EQ(find_sources({root / "nowhere"}).error().code, "io");
}

TEST_F(Data, InvalidUtf8IsReplaced) {
  EXPECT_EQ(read_all({write("a.txt",
                            "a\xff\xfe"
                            "b\n")}),
            (std::vector<std::string>{"a\xef\xbf\xbd\xef\xbf\xbd"
                                      "b\n"}));
}

// Returns words made of syllables, from which a vocabulary can be trained.
std::string random_words(Random& random, int count) {
  static const std::vector<std::string> kSyllables{"ka", "to", "mi", "re", "son", "ul",
                                                   "fa", "be", "lo", "di", "qu",  "ez"};
  std::string out;
  for (int i = 0; i < count; ++i) {
    for (std::int64_t n = 1 + random.below(4); n > 0; --n) out += random.pick(kSyllables);
    out += random.chance(0.1) ? '\n' : ' ';
  }
  return out;
}

// Returns a text file of documents of 200 such words.
std::string random_file(int documents, std::uint64_t seed) {
  Random random(seed);
  std::string text;
  for (int i = 0; i < documents; ++i) text += random_words(random, 200) + "\n<|endoftext|>\n";
  return text;
}

TEST_F(Data, TokenizersAreLossless) {
  Random random(1);
  const auto tokenizer = Tokenizer::train({random_words(random, 5000)}, 400);
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

// Trains a vocabulary as other programs do.
std::string foreign_tokenizer(const fs::path& root, std::unordered_map<std::string, std::string> arguments,
                              bool has_spaces = true) {
  Random random(1);
  {
    std::ofstream sample(root / "sample.txt");
    for (int i = 0; i < 20; ++i) {
      std::string line = random_words(random, 400);
      if (!has_spaces) std::erase(line, ' ');
      sample << line << "\n";
    }
  }
  const std::string name = root / "foreign";
  arguments.merge(std::unordered_map<std::string, std::string>{{"input", root / "sample.txt"},
                                                               {"model_prefix", name},
                                                               {"model_type", "bpe"},
                                                               {"vocab_size", "400"},
                                                               {"hard_vocab_limit", "false"},
                                                               {"minloglevel", "3"}});
  EXPECT_TRUE(sentencepiece::SentencePieceTrainer::Train(arguments).ok());
  return name + ".model";
}

// A vocabulary that was made from text without spaces writes one as the three bytes of U+2581.
TEST_F(Data, SpacesCountAsOneByteInEveryVocabulary) {
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += "\xE6\xBC\xA2\xE5\xAD\x97";
  const auto own = Tokenizer::train({text + " " + text}, 265);
  ASSERT_TRUE(own) << own.error().message;
  const auto foreign = Tokenizer::load(foreign_tokenizer(root,
                                                         {{"byte_fallback", "true"},
                                                          {"remove_extra_whitespaces", "false"},
                                                          {"add_dummy_prefix", "false"},
                                                          {"normalization_rule_name", "identity"}},
                                                         /*has_spaces=*/false));
  ASSERT_TRUE(foreign) << foreign.error().message;
  for (const Tokenizer* tokenizer : {&*own, &*foreign}) {
    std::vector<int> ids;
    tokenizer->encode("a b  c", ids);
    EXPECT_EQ(tokenizer->decode(ids), "a b  c");
    EXPECT_EQ(tokenizer->decoded_bytes(ids), 6U);
    EXPECT_TRUE(tokenizer->reproduces("a b  c", ids));
  }
}

// Encoding takes 200 bytes of memory for each byte of text, so long texts are cut into parts. Their tokens
// change only where a word is longer than a part.
TEST_F(Data, LongTextsAreEncodedInParts) {
  Random random(4);
  std::string words, lines, wide, indented = "x\n\n";
  while (words.size() < 300'000) {
    words += random_words(random, 50);
    lines += random_letters(70) + "\n";
    wide += "\xE6\xBC\xA2\xE5\xAD\x97";
    indented += "        y\n\n\n";
  }
  std::replace(words.begin(), words.end(), '\n', ' ');
  struct Case {
    const char* what;
    std::string text;
    bool same;  // the tokens are those of the text as a whole
  };
  const std::vector<Case> cases{{"one line of words", words, true},
                                {"lines of one word each", lines, true},
                                {"wide characters without spaces", wide, false},
                                {"one word", random_letters(300'000), false},
                                {"indented lines", indented, true},
                                {"short", "a few words", true},
                                {"none", "", true}};
  for (const bool foreign : {false, true}) {
    const std::string model = foreign_tokenizer(root, {{"byte_fallback", "true"},
                                                       {"normalization_rule_name", "identity"},
                                                       {"remove_extra_whitespaces", "false"},
                                                       {"add_dummy_prefix", foreign ? "true" : "false"}});
    const auto tokenizer = Tokenizer::load(model);
    ASSERT_TRUE(tokenizer.has_value());
    for (const Case& c : cases) {
      std::string joined;
      for (const std::string_view part : Tokenizer::parts_of(c.text)) {
        EXPECT_LE(part.size(), std::size_t{256} << 10) << c.what;
        joined += part;
      }
      EXPECT_TRUE(joined == c.text) << c.what;
      std::vector<int> tokens, whole;
      tokenizer->encode(c.text, tokens);
      EXPECT_TRUE(tokenizer->decode(tokens) == c.text) << c.what;
      tokenizer->encode_part(c.text, /*first=*/true, whole);
      EXPECT_TRUE(!c.same || tokens == whole) << c.what;
    }
  }
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

// Builds a corpus and returns the notices and, if it fails, the error with its hint.
std::string notices(const BuildOptions& options) {
  std::string told;
  fs::remove_all(options.out);
  const auto built = build_corpus(options, [&](const BuildProgress& p) {
    if (!p.notice.empty()) told += p.notice + "\n";
    return true;
  });
  if (!built) told += "error: " + built.error().message + "\n" + built.error().hint + "\n";
  EXPECT_FALSE(fs::exists(options.out + ".building"));
  return told;
}

// The same text in another file is not another document, and an invisible mark does not make another text.
TEST_F(Data, HeldOutDocumentsCountOnce) {
  std::string told;
  const auto listen = [&](const BuildProgress& p) {
    told += p.notice;
    return true;
  };
  BuildOptions o = options_for(root, write("a.txt", random_file(30, 2)));
  const std::string held = "kato mire sune\nlumi taro\n";
  o.valid_sources = {write("one.txt", held), write("two.txt", held),
                     write("three.txt", "\xEF\xBB\xBF" + held), write("four.txt", "other text of its own\n")};
  const auto built = build_corpus(o, listen);
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(Corpus::open(o.out)->split("valid")->documents(), 2U);
  EXPECT_NE(told.find("2 held-out documents were repeated"), std::string::npos) << told;
}

// Documents that differ only in their first line are not independent.
TEST_F(Data, NearlyEqualHeldOutDocumentsCountOnce) {
  Random random(5);
  const std::string between = "\n<|endoftext|>\n", base = random_words(random, 200),
                    brief = random_words(random, 25);
  std::string versions;
  for (int i = 0; i < 30; ++i)
    versions += fmt::format("Release {} of day {}.\n", i, 3 * i) + (i % 2 == 0 ? base : brief) + between;
  const std::string others =
      random_words(random, 100) + between + brief + random_words(random, 200) + between;
  BuildOptions o = options_for(root, write("a.txt", random_file(30, 2)));
  o.valid_sources = {write("v.txt", versions + others)};
  std::string told = notices(o);
  EXPECT_TRUE(has(told, "28 held-out documents stood for the most part in earlier ones")) << told;
  EXPECT_EQ(Corpus::open(o.out)->split("valid")->documents(), 4U);
  o.valid_sources.clear();
  o.sources.push_back(write("b.txt", versions));
  o.valid_share = 0.5;
  told = notices(o);
  EXPECT_TRUE(has(told, "held-out documents stood for the most part in earlier ones")) << told;
}

TEST_F(Data, InvisibleMarksDoNotHideHeldOutDocuments) {
  const std::string held = "kato mire sune\nlumi taro\n";
  for (const std::string& mark :
       {std::string("\xEF\xBB\xBF"), std::string("\xC2\xA0"), std::string("\xE2\x80\x8B"),
        std::string("\xC2\x85"), std::string("\xEF\xB8\x8F"), std::string("\xE3\x85\xA4"),
        std::string("\xE2\x80\xA8"), std::string(1, '\x1A'), std::string("\r")}) {
    BuildOptions o = options_for(root, write("a/a.txt", random_file(30, 2)));
    o.sources.push_back(write("a/held.txt", mark + held + mark));
    o.valid_sources = {write("v/held.txt", held)};
    std::string told;
    fs::remove_all(o.out);
    const auto built = build_corpus(o, [&](const BuildProgress& p) {
      told += p.notice;
      return true;
    });
    ASSERT_TRUE(built) << built.error().message;
    EXPECT_NE(told.find("1 document of the training text appears verbatim"), std::string::npos) << told;
  }
}

// SentencePiece does not distinguish U+2581 from a space. Texts that differ only in this have the same
// tokens, and the mark counts as many bytes as a space.
TEST_F(Data, SpaceMarksAreSpaces) {
  const std::string held = "kato mire sune lumi taro\n";
  std::string marked = held;
  for (std::size_t at = 0; (at = marked.find(' ', at)) != std::string::npos;)
    marked.replace(at, 1, "\xE2\x96\x81");
  BuildOptions o = options_for(root, write("a/a.txt", random_file(30, 2)));
  o.sources.push_back(write("a/held.txt", marked));
  o.valid_sources = {write("v/held.txt", held)};
  std::string told;
  const auto built = build_corpus(o, [&](const BuildProgress& p) {
    told += p.notice;
    return true;
  });
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_NE(told.find("1 document of the training text appears verbatim"), std::string::npos) << told;
  const std::uint64_t bytes = Corpus::open(o.out)->split("valid")->bytes();
  fs::remove_all(o.out);
  o.valid_sources = {write("v/held.txt", marked)};
  ASSERT_TRUE(build_corpus(o, {}));
  EXPECT_EQ(Corpus::open(o.out)->split("valid")->bytes(), bytes);
}

// A small share of few documents holds out one of them.
TEST_F(Data, ChanceLeavesNoSplitWithoutDocuments) {
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    std::string text;
    for (int i = 0; i < 2; ++i) text += random_words(random, 60) + "\n<|endoftext|>\n";
    BuildOptions o = options_for(root, write("few.txt", text));
    o.valid_share = 1e-6;
    o.vocab = 300;
    fs::remove_all(o.out);
    const auto built = build_corpus(o, {});
    ASSERT_TRUE(built) << built.error().message << "; " << built.error().hint;
    EXPECT_EQ(built->splits[0].documents, 1U);
    EXPECT_EQ(built->splits[1].documents, 1U);
  }
}

// libarchive reads windows of up to 128 MB.
TEST_F(Data, LongWindowsOfZstdAreReadOrRefused) {
  if (std::system("zstd --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "zstd is not installed";
  for (const int window : {27, 28, 31}) {
    const std::string file = root / "long.txt.zst";
    ASSERT_EQ(
        std::system(
            fmt::format("printf 'kato mire' | zstd -q -f --ultra --long={} -o {}", window, file).c_str()),
        0);
    error = {};
    const std::vector<std::string> got = read_all({file});
    if (window == 27) {
      EXPECT_EQ(got, std::vector<std::string>{"kato mire\n"}) << error.message;
      continue;
    }
    EXPECT_TRUE(got.empty());
    EXPECT_TRUE(has(error.hint, "zstd -dc --long=31 " + file)) << error.message << "; " << error.hint;
  }
}

TEST_F(Data, Utf16WithoutAMarkIsNamed) {
  const std::string line = "{\"text\": \"kato mire\"}\n";
  for (const bool little : {true, false}) {
    std::string wide;
    for (const char c : line) wide += little ? std::string{c, '\0'} : std::string{'\0', c};
    for (const char* name : {"a.jsonl", "a.txt", "a.json"}) {
      BuildOptions o = options_for(root, write(name, wide));
      const auto built = build_corpus(o, {});
      ASSERT_FALSE(built) << name;
      EXPECT_NE(built.error().message.find("is text in UTF-16 instead of UTF-8"), std::string::npos)
          << name << ": " << built.error().message;
      EXPECT_NE(built.error().hint.find(little ? "UTF-16LE" : "UTF-16BE"), std::string::npos);
    }
  }
}

// Text that a vocabulary drops would be predicted at no cost.
TEST_F(Data, AVocabularyThatLosesTextIsRefused) {
  struct Case {
    std::unordered_map<std::string, std::string> arguments;
    std::string text;
    bool keeps;
  };
  const std::unordered_map<std::string, std::string> whole{{"byte_fallback", "true"},
                                                           {"normalization_rule_name", "identity"},
                                                           {"remove_extra_whitespaces", "false"}};
  const auto with = [&](const std::string& key, const std::string& value) {
    auto out = whole;
    out[key] = value;
    return out;
  };
  const std::string usual = "kato mire\n";
  for (const Case& c :
       {Case{whole, usual + "  漢字 \t🙂\n", true}, Case{whole, "a \xE2\x96\x81 mark", true},
        Case{with("add_dummy_prefix", "false"), "  " + usual, true},
        Case{with("byte_fallback", "false"), usual + "漢字", false},
        Case{with("normalization_rule_name", "nmt_nfkc"), usual + "\xEF\xBC\xA1", false},
        Case{with("normalization_rule_name", "nmt_nfkc_cf"), "Kato mire", false},
        Case{with("remove_extra_whitespaces", "true"), "kato   mire", false}}) {
    std::string text;
    for (int i = 0; i < 20; ++i) text += fmt::format("kato {}\n<|endoftext|>\n", i % 10);
    text += c.text + "\n<|endoftext|>\n";
    BuildOptions o = options_for(root, write("a.txt", text));
    o.tokenizer = foreign_tokenizer(root, c.arguments);
    fs::remove_all(o.out);
    const auto built = build_corpus(o, {});
    EXPECT_EQ(built.has_value(), c.keeps) << c.text << (built ? "" : ": " + built.error().message);
    if (!built) {
      EXPECT_EQ(built.error().code, "tokenizer");
      EXPECT_NE(built.error().message.find("are not reproduced exactly"), std::string::npos)
          << built.error().message;
    }
  }
}

// If asked for, the corpus counts the text that the vocabulary keeps, and says what it changes.
TEST_F(Data, AVocabularyThatLosesTextCountsWhatItKeeps) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += fmt::format("kato {}\n<|endoftext|>\n", i);
  const std::string plain = write("plain.txt", text), lost = write("lost.txt", text + "漢\n<|endoftext|>\n");
  const std::string held = write("held.txt",
                                 "mire  漢字 MIRE\n<|endoftext|>\nmire mire\n<|endoftext|>\n漢字漢字\n"
                                 "<|endoftext|>\n");
  BuildOptions o = options_for(root, lost);
  o.valid_sources = {held};
  o.tokenizer = foreign_tokenizer(root, {{"byte_fallback", "false"},
                                         {"normalization_rule_name", "nmt_nfkc_cf"},
                                         {"add_dummy_prefix", "false"},
                                         {"remove_extra_whitespaces", "true"}});
  EXPECT_FALSE(build_corpus(o, {}).has_value());
  o.allow_changed_text = true;
  std::vector<std::string> notices;
  const auto built = build_corpus(o, [&](const BuildProgress& p) {
    if (!p.notice.empty()) notices.push_back(p.notice);
    return true;
  });
  ASSERT_TRUE(built.has_value()) << built.error().message;
  const auto corpus = Corpus::open(o.out);
  ASSERT_TRUE(corpus.has_value());
  EXPECT_TRUE(corpus->verify().has_value());
  const auto split = corpus->split("valid");
  ASSERT_TRUE(split.has_value());
  ASSERT_EQ(split->documents(), 2U);  // Nothing is left of the third.
  const std::string first = "mire  mire", second = "mire mire";
  EXPECT_EQ(split->document(0).bytes, first.size());
  EXPECT_EQ(split->document(1).bytes, second.size());
  EXPECT_GT(corpus->manifest().changed_share(), 0);
  EXPECT_EQ(split->changed_share(), corpus->manifest().changed_share());
  const std::string all = fmt::format("{}", fmt::join(notices, "\n"));
  EXPECT_NE(all.find("left out 1 document of which the tokenizer keeps nothing"), std::string::npos) << all;
  EXPECT_NE(all.find("the tokenizer does not reproduce"), std::string::npos) << all;
}

TEST_F(Data, CorporaHoldTheirDocuments) {
  const std::string source = write("a.txt", random_file(60, 2));
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
  const std::string source = write("a.txt", random_file(40, 3));
  const auto one = build_corpus(options_for(root, source, 1), {});
  ASSERT_TRUE(one.has_value());
  fs::rename(root / "corpus", root / "first");
  const auto four = build_corpus(options_for(root, source, 4), {});
  ASSERT_TRUE(four.has_value());
  EXPECT_EQ(to_json(*one), to_json(*four));
}

TEST_F(Data, InterruptedBuildsLeaveNothing) {
  const std::string source = write("a.txt", random_file(40, 4));
  int calls = 0;
  const auto stopped =
      build_corpus(options_for(root, source), [&](const BuildProgress&) { return ++calls < 2; });
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, "stopped");
  EXPECT_FALSE(fs::exists(root / "corpus"));
  EXPECT_FALSE(fs::exists(root / "corpus.building"));
  // The files of a killed build do not prevent the next one.
  write("corpus.building/building", "");
  write("corpus.building/train-00000.tokens", "half");
  EXPECT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  EXPECT_EQ(build_corpus(options_for(root, source), {}).error().code, "exists");
}

TEST_F(Data, FoldersOfOthersAreLeftAlone) {
  const std::string source = write("a.txt", random_file(40, 4));
  write("corpus.building/precious.txt", "mine");
  EXPECT_EQ(build_corpus(options_for(root, source), {}).error().code, "exists");
  EXPECT_TRUE(fs::exists(root / "corpus.building/precious.txt"));
  fs::remove_all(root / "corpus.building");
  // A second build of the same corpus is refused while the first one runs, and does not disturb it.
  bool refused = false;
  const auto built = build_corpus(options_for(root, source), [&](const BuildProgress&) {
    const auto second = build_corpus(options_for(root, source), {});
    refused = !second && second.error().message.find("another build is running") == 0;
    return true;
  });
  EXPECT_TRUE(built.has_value());
  EXPECT_TRUE(refused);
  EXPECT_FALSE(fs::exists(root / "corpus/building"));
}

TEST_F(Data, InvalidUtf8IsReported) {
  const std::string source = write("a.txt", random_file(40, 4) + "\n\xff\xfe\n");
  std::string told;
  BuildOptions options = options_for(root, source);
  ASSERT_TRUE(build_corpus(options, [&](const BuildProgress& p) {
                told += p.notice;
                return true;
              }).has_value());
  EXPECT_NE(told.find("contained invalid UTF-8"), std::string::npos) << told;
}

// The same documents are recognised in another format: without the last line end, with carriage returns, with
// spaces.
TEST_F(Data, HeldOutDocumentsAreRecognisedInAnotherFormat) {
  std::string text, lines;
  for (int i = 0; i < 40; ++i) {
    Random random(100 + static_cast<std::uint64_t>(i));
    const std::string document = random_words(random, 200);
    text += document + "\n<|endoftext|>\n";
    if (i % 4 != 0) continue;
    nlohmann::json line;
    std::string other = document;
    if (i % 8 == 0) other = "  " + other + " \r\n";
    line["text"] = other;
    lines += line.dump() + "\n";
  }
  BuildOptions options = options_for(root, write("both.txt", text));
  options.valid_sources = {write("held.jsonl", lines)};
  const auto built = build_corpus(options, {});
  ASSERT_TRUE(built.has_value()) << built.error().message;
  EXPECT_EQ(built->splits[0].documents, 30U);
  EXPECT_EQ(built->splits[1].documents, 10U);
}

TEST_F(Data, HeldOutDocumentsAreNotTrainedOn) {
  std::string held_out, both;
  for (int i = 0; i < 40; ++i) {
    const std::string document = random_file(1, 100 + static_cast<std::uint64_t>(i)) + "<|endoftext|>\n";
    both += document;
    if (i % 4 == 0) held_out += document;
  }
  BuildOptions options = options_for(root, write("both.txt", both));
  options.valid_sources = {write("held.txt", held_out)};
  std::string told;
  const auto built = build_corpus(options, [&](const BuildProgress& p) {
    told += p.notice;
    return true;
  });
  ASSERT_TRUE(built.has_value()) << built.error().message;
  EXPECT_EQ(built->splits[0].documents, 30U);
  EXPECT_EQ(built->splits[1].documents, 10U);
  EXPECT_NE(told.find("10 documents of the training text appear verbatim in --valid-source"),
            std::string::npos)
      << told;
  // All of the text is held out.
  fs::remove_all(root / "corpus");
  options.sources = options.valid_sources;
  const auto none = build_corpus(options, {});
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().message.find("nothing is left to train on"), std::string::npos);
  EXPECT_FALSE(fs::exists(root / "corpus"));
}

TEST_F(Data, DamageIsNoticed) {
  const std::string source = write("a.txt", random_file(40, 5));
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
  const auto split = corpus->split("train");
  ASSERT_FALSE(split.has_value());
  EXPECT_NE(split.error().message.find("train-00000.tokens was changed"), std::string::npos);
  fs::resize_file(shard, fs::file_size(shard) - 2);
  EXPECT_NE(Corpus::open(root / "corpus").error().message.find("bytes instead of"), std::string::npos);
  write("corpus/manifest.json", "{\"version\": 99}");
  EXPECT_NE(Corpus::open(root / "corpus").error().message.find("version 99"), std::string::npos);
  EXPECT_EQ(Corpus::open(root / "nowhere").error().code, "corpus");
}

// The file of boundaries matches its hash in the manifest, but the documents are impossible.
TEST_F(Data, ImpossibleDocumentsAreRefused) {
  const std::string source = write("a.txt", random_file(40, 5));
  ASSERT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  const std::string folder = root / "corpus", file = folder + "/train.documents";
  const Manifest manifest = Corpus::open(folder)->manifest();
  std::vector<std::uint64_t> borders(fs::file_size(file) / sizeof(std::uint64_t));
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(borders.data()), static_cast<std::streamsize>(fs::file_size(file)));
  ASSERT_GE(borders.size(), 8U);
  const auto refused = [&](std::vector<std::uint64_t> changed, std::size_t at, std::uint64_t value) {
    changed[at] = value;
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(changed.data()),
               static_cast<std::streamsize>(changed.size() * sizeof(std::uint64_t)));
    Manifest other = manifest;
    for (SplitInfo& s : other.splits)
      if (s.name == "train") s.documents_hash = *hash_file(file);
    std::ofstream(folder + "/manifest.json") << to_json(other);
    const auto corpus = Corpus::open(folder);
    if (!corpus) return corpus.error().message;
    const auto split = corpus->split("train");
    return split ? std::string() : split.error().message;
  };
  EXPECT_EQ(refused(borders, 0, borders[0]), "");
  EXPECT_NE(refused(borders, 2, borders[0]).find("document 2 has"), std::string::npos)
      << "no token of its own";
  EXPECT_NE(refused(borders, 2, borders[4] + 1).find("document 3 has"), std::string::npos) << "it goes back";
  EXPECT_NE(refused(borders, 2, ~std::uint64_t{0}).find("document 2 has"), std::string::npos);
  EXPECT_NE(refused(borders, 3, 0).find("document 2 has 0 bytes"), std::string::npos);
  EXPECT_NE(refused(borders, 3, borders[3] - 1).find("bytes of text instead of"), std::string::npos);
  EXPECT_NE(refused(borders, 3, ~std::uint64_t{0}).find("document 2 has"), std::string::npos);
}

// Hashes and sums match, but the bytes by which scores are divided are not those of the text.
TEST_F(Data, WrongByteCountsAreRefused) {
  ASSERT_TRUE(build_corpus(options_for(root, write("a.txt", random_file(40, 5))), {}).has_value());
  const std::string folder = root / "corpus", file = folder + "/valid.documents";
  Manifest manifest = Corpus::open(folder)->manifest();
  const auto checked = [&] {
    const auto ok = Corpus::open(folder)->verify();
    return ok ? std::string() : ok.error().message;
  };
  EXPECT_EQ(checked(), "");
  std::vector<std::uint64_t> borders(fs::file_size(file) / sizeof(std::uint64_t));
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(borders.data()), static_cast<std::streamsize>(fs::file_size(file)));
  for (std::size_t i = 1; i < borders.size(); i += 2) borders[i] *= 2;
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(borders.data()),
             static_cast<std::streamsize>(borders.size() * sizeof(std::uint64_t)));
  for (SplitInfo& s : manifest.splits)
    if (s.name == "valid") s.documents_hash = *hash_file(file), s.bytes *= 2;
  write("corpus/manifest.json", to_json(manifest));
  EXPECT_NE(checked().find("document 1 is recorded with"), std::string::npos) << checked();
}

// U+FFFD is a character like others. The next one has four bytes, each a token of its own.
TEST_F(Data, HeadsCountTheBytesOfWholeCharacters) {
  std::string odd;
  for (int i = 0; i < 30; ++i) odd += "\xEF\xBF\xBD\xF0\x9F\x98\x80";
  BuildOptions o = options_for(root, write("a.txt", random_file(40, 5)));
  o.valid_sources = {write("v.txt", odd + "\n")};
  ASSERT_TRUE(build_corpus(o, {}).has_value());
  const auto split = Corpus::open(o.out)->split("valid");
  const auto tokenizer = Tokenizer::load(o.out + "/tokenizer.model");
  ASSERT_TRUE(split && tokenizer);
  ASSERT_EQ(split->document(0).end, 30U * 7 + 2) << "every byte is a token";
  for (std::uint64_t tokens = 1; tokens < 100; ++tokens) {
    const std::uint64_t in = tokens % 7, whole = tokens - in + (in == 0 ? 0 : in <= 3 ? 3 : 7);
    const Document head = heads(*split, *tokenizer, 0, tokens).front();
    EXPECT_EQ(head.end, whole) << tokens;
    EXPECT_EQ(head.bytes, whole) << tokens;
  }
}

// The pipes have no writer, so a reader would block forever.
TEST_F(Data, PipesAreNotWaitedFor) {
  const std::string source = write("a.txt", random_file(40, 5));
  ASSERT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  const auto expect_refused = [](const Error& e, const std::string& file) {
    EXPECT_NE(e.message.find(file), std::string::npos) << e.message;
    EXPECT_NE(e.message.find("not a regular file"), std::string::npos) << e.message;
  };
  const auto pipe = [&](const std::string& name) {
    fs::remove(root / name);
    ASSERT_EQ(mkfifo((root / name).c_str(), 0600), 0);
  };
  pipe("corpus/tokenizer.model");
  expect_refused(Tokenizer::load(root / "corpus/tokenizer.model").error(), "tokenizer.model");
  pipe("b.txt");
  read_all({root / "b.txt"});
  expect_refused(error, "b.txt");
  const std::string shard = root / "corpus/train-00000.tokens";
  const std::uintmax_t size = fs::file_size(shard);
  EXPECT_GT(size, 0U);
  pipe("corpus/train-00000.tokens");
  auto corpus = Corpus::open(root / "corpus");
  if (corpus)
    expect_refused(corpus->split("train").error(), "train-00000.tokens");
  else
    EXPECT_NE(corpus.error().message.find("train-00000.tokens"), std::string::npos);
  pipe("corpus/manifest.json");
  expect_refused(Corpus::open(root / "corpus").error(), "manifest.json");
}

// Tokens that change after a file is opened are detected before they are used.
TEST_F(Data, TokensOutsideTheVocabularyAreNoticed) {
  const std::string source = write("a.txt", random_file(40, 5));
  ASSERT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  const auto corpus = Corpus::open(root / "corpus");
  ASSERT_TRUE(corpus.has_value());
  const auto split = corpus->split("train");
  ASSERT_TRUE(split.has_value());
  std::vector<std::int64_t> tokens(60);
  split->read(0, tokens);
  {
    std::fstream file(root / "corpus/train-00000.tokens", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(101);
    file.put('\x7f');
  }
  try {
    split->read(0, tokens);
    ADD_FAILURE() << "it was read";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("split train: token "), std::string::npos) << e.what();
  }
  split->read(60, tokens);
}

TEST_F(Data, AnotherVocabularyIsNoticed) {
  const std::string source = write("a.txt", random_file(40, 6));
  ASSERT_TRUE(build_corpus(options_for(root, source), {}).has_value());
  Random random(9);
  const auto other = Tokenizer::train({random_words(random, 5000)}, 350);
  ASSERT_TRUE(other.has_value());
  write("corpus/tokenizer.model", other->bytes());
  const auto corpus = Corpus::open(root / "corpus");
  ASSERT_FALSE(corpus.has_value());
  EXPECT_NE(corpus.error().message.find("tokenizer.model was changed"), std::string::npos);
}

TEST_F(Data, AnExistingVocabularyCanBeUsed) {
  Random random(9);
  const auto given = Tokenizer::train({random_words(random, 5000)}, 350);
  ASSERT_TRUE(given.has_value());
  BuildOptions options = options_for(root, write("a.txt", random_file(40, 7)));
  options.tokenizer = write("tokenizer.model", given->bytes());
  const auto manifest = build_corpus(options, {});
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_EQ(manifest->vocab, 350);
  options.out = root / "other";
  options.tokenizer = write("no.model", "nonsense");
  EXPECT_EQ(build_corpus(options, {}).error().code, "tokenizer");
  EXPECT_FALSE(fs::exists(root / "other"));
}

// Files that are not text would be trained on byte by byte.
TEST_F(Data, NamedFilesOfUnknownFormatAreRefused) {
  for (const char* name : {"a.tar", "a.tar.gz", "a.TGZ", "a.zip", "a.csv", "a.html", "a.txt.lz4"}) {
    const auto sources = find_sources({write(name, "text\n")});
    ASSERT_FALSE(sources.has_value()) << name;
    EXPECT_EQ(sources.error().code, "format");
    EXPECT_TRUE(has(sources.error().message, name)) << sources.error().message;
    EXPECT_TRUE(has(sources.error().hint, has(name, ".csv") ? "rename it to .txt" : ""))
        << sources.error().hint;
  }
  for (const char* name : {"a", "a.TXT", "a.rst", "a.Md"})
    EXPECT_EQ(read_all({write(name, "text\n")}), std::vector<std::string>{"text\n"}) << name;
}

// libarchive knows uuencode, which would take an attachment for the whole of a text.
TEST_F(Data, AnAttachmentInATextIsText) {
  for (const std::string& text : {std::string("A letter.\n\nbegin 644 a.txt\n#0V%T\n`\nend\n\nIts end.\n"),
                                  std::string("begin 644 a.txt\n#0V%T\n`\nend\n"),
                                  std::string("begin-base64 644 a.txt\nQ2F0\n====\n")}) {
    const auto all = read_all({write("letter.txt", text)});
    ASSERT_EQ(all.size(), 1U) << text;
    EXPECT_EQ(all[0], text);
  }
}

// The beginning of a file shows a format that its name hides.
TEST_F(Data, NamesThatMisleadAreNoticed) {
  const std::string tar = std::string(257, 'x') + "ustar" + std::string(250, '\0');
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"\xFF\xFEt\0e\0", "UTF-16"},
           {std::string("\xFE\xFF\0t\0e", 6), "UTF-16"},
           {tar, "an archive"},
           {"PK\x03\x04 and more", "an archive"},
           {"%PDF-1.7", "a PDF"},
           {"{\"text\": \"one\"}\n{\"text\": \"two\"}\n", "JSON lines"},
           {"\xEF\xBB\xBF{\"text\": \"one\"}", "JSON lines"}}) {
    error = {};
    EXPECT_EQ(read_all({write("a.txt", text)}).size(), 0U) << why;
    EXPECT_TRUE(has(error.message, "a.txt") && has(error.message, why)) << error.message;
    EXPECT_EQ(error.code, "format");
  }
  EXPECT_EQ(read_all({write("a.txt", "{\"text\": \"one\"}\n")}, {.field = "other"}).size(), 1U);
}

TEST_F(Data, JsonFilesMayHoldJsonLines) {
  const std::string lines = "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
  const std::vector<std::string> want{"one", "two"};
  EXPECT_EQ(read_all({write("a.json", lines)}), want);
  EXPECT_EQ(read_all({write("a.JSONL", lines)}), want);
  EXPECT_EQ(read_all({write("a.json.gz", packed(lines, archive_write_add_filter_gzip))}), want);
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"[{\"text\": \"one\"}]", "one JSON array"},
           {"{\n  \"text\": \"one\"\n}\n", "one JSON object spread over several lines"},
           {"text", "a first line that is no JSON object"}}) {
    const auto sources = find_sources({write("b.json", text)});
    ASSERT_FALSE(sources.has_value());
    EXPECT_TRUE(has(sources.error().message, "b.json holds " + why)) << sources.error().message;
    EXPECT_FALSE(sources.error().hint.empty());
  }
  // In a folder, a .json file is a source if it has the field, and otherwise something else.
  write("d/a.json", lines);
  write("d/package.json", "{\n  \"name\": \"x\"\n}\n");
  write("d/setting.json", "{\"name\": \"x\"}\n");
  const auto sources = find_sources({root / "d"});
  ASSERT_TRUE(sources.has_value());
  EXPECT_EQ(sources->files, std::vector<std::string>{root / "d/a.json"});
  EXPECT_EQ(sources->skipped.at("of unknown format").size(), 2U);
}

TEST_F(Data, WrongJsonHasAReason) {
  for (const auto& [line, why, hint] : std::vector<std::array<std::string, 3>>{
           {"{\"text\": \"one\", \"score\": NaN}", "invalid literal", "allow_nan=False"},
           {"{\"text\": \"a\\ud83d b\"}", "surrogate", "lone surrogate"},
           {"{\"text\": \"a\"", "unexpected end of input", "per line"},
           {"[1]", "of type array", "per line"}}) {
    error = {};
    read_all({write("a.jsonl", "{\"text\": \"one\"}\n" + line + "\n")});
    EXPECT_TRUE(has(error.message, "a.jsonl:2: ") && has(error.message, why)) << error.message;
    EXPECT_TRUE(has(error.hint, hint)) << error.hint;
  }
  read_all({write("a.jsonl", "{\"text\": \"" + std::string(100'000, 'x') + "\\ud83d b\"}")});
  EXPECT_LT(error.message.size() - root.string().size(), 300U);
}

TEST_F(Data, DocumentsWithNulCharactersAreLeftOut) {
  const std::string bad = std::string("kato") + '\0' + "mire\n<|endoftext|>\n";
  const std::string told = notices(options_for(root, write("a.txt", random_file(40, 4) + bad)));
  EXPECT_TRUE(has(told, "left out 1 document with NUL characters, which is no text")) << told;
  EXPECT_FALSE(has(told, "error")) << told;
  const std::string none = notices(options_for(root, write("b.txt", bad + bad + "kato\n")));
  EXPECT_TRUE(has(none, "2 of 3 documents contain NUL characters") && has(none, "b.txt")) << none;
}

TEST_F(Data, InvalidBytesAreCounted) {
  const auto sources = find_sources({write("a.txt", "good \xEF\xBF\xBD\n<|endoftext|>\nb\xff\xe2\x82 d\n")});
  const auto documents = open_documents(*sources, {});
  std::string text;
  while (*documents->next(text)) {
  }
  EXPECT_EQ(documents->findings().mended, 1U);
  EXPECT_EQ(documents->findings().mended_bytes, 3U);
  std::string latin;
  for (const char c : random_file(40, 4)) latin += c == 'a' ? '\xe9' : c;
  const std::string told = notices(options_for(root, write("a.txt", latin)));
  EXPECT_TRUE(has(told, "40 of 40 documents (100 %)") && has(told, "iconv")) << told;
}

TEST_F(Data, SeparatorsThatSeparateNothingAreCounted) {
  EXPECT_EQ(read_all({write("a.txt", "one\n<|endoftext|> \t\ntwo\n<|endoftext|>\r\nthree\n")}).size(), 3U);
  const std::string told = notices(
      options_for(root, write("a.txt", random_file(40, 4) + "one <|endoftext|> two\n  <|endoftext|>\n")));
  EXPECT_TRUE(has(told, "the separator <|endoftext|> occurs 2 times inside of 1 document")) << told;
}

TEST_F(Data, LargeSourcesOfOneDocumentAreReported) {
  Random random(5);
  std::string catalogue = random_words(random, 250'000);
  ASSERT_GT(catalogue.size(), 1'000'000U);
  BuildOptions o = options_for(root, write("a.txt", random_file(40, 4)));
  o.sources.push_back(write("catalogue.txt", catalogue));
  const std::string told = notices(o);
  EXPECT_TRUE(has(told, "1 source of more than 1 MB is one document: ") && has(told, "catalogue.txt"))
      << told;
  o.sources[1] = write("catalogue.txt", catalogue + "\n<|endoftext|>\n" + catalogue);
  EXPECT_FALSE(has(notices(o), "more than 1 MB"));
  // A document that is cut for its length counts as one.
  while (catalogue.size() < 17 << 20) catalogue += catalogue;
  const auto sources = find_sources({write("catalogue.txt", catalogue)});
  const auto documents = open_documents(*sources, {});
  std::string text;
  while (*documents->next(text)) {
  }
  EXPECT_EQ(documents->findings().documents, 2U);
  EXPECT_EQ(documents->findings().undivided.size(), 1U);
}

// A folder that cannot be read would end the source silently.
TEST_F(Data, FoldersThatCannotBeReadAreErrors) {
  write("d/a.txt", "a");
  write("d/b/b.txt", "b");
  write("d/c.txt", "c");
  const bool is_root = geteuid() == 0;
  for (const fs::perms allowed : {fs::perms::none, fs::perms::owner_read | fs::perms::others_read}) {
    fs::permissions(root / "d/b", allowed);
    if (is_root && seteuid(65534) != 0) GTEST_SKIP() << "root can read every folder";
    const auto sources = find_sources({root / "d"});
    if (is_root) {
      ASSERT_EQ(seteuid(0), 0);
    }
    fs::permissions(root / "d/b", fs::perms::owner_all);
    ASSERT_FALSE(sources.has_value());
    EXPECT_EQ(sources.error().code, "io");
    EXPECT_TRUE(has(sources.error().message, "d/b")) << sources.error().message;
  }
}

TEST_F(Data, LinksThatAreNotFollowedAreReported) {
  write("d/a.txt", "a");
  write("other/b.txt", "b");
  fs::create_directory_symlink(root / "other", root / "d/link");
  fs::create_directory_symlink("..", root / "d/up");
  fs::create_symlink("nowhere", root / "d/gone.txt");
  fs::create_symlink("loop.txt", root / "d/loop.txt");
  fs::create_symlink("../other/b.txt", root / "d/b.txt");
  fs::create_symlink("b.txt", root / "d/c.txt");
  const auto sources = find_sources({root / "d"});
  ASSERT_TRUE(sources.has_value()) << sources.error().message;
  EXPECT_EQ(sources->files, (std::vector<std::string>{root / "d/a.txt", root / "d/b.txt"}));
  EXPECT_EQ(sources->skipped.at("behind a link to a folder").size(), 2U);
  EXPECT_EQ(sources->skipped.at("other than plain files").size(), 2U);
  EXPECT_EQ(sources->skipped.at("with the same file behind it as another").size(), 1U);
  // It is reported of held-out sources, too.
  BuildOptions o = options_for(root, write("a.txt", random_file(40, 4)));
  o.valid_sources = {root / "d"};
  EXPECT_TRUE(has(notices(o), "left out 2 paths behind a link to a folder")) << notices(o);
}

TEST_F(Data, FilesNamedTwiceAreRefused) {
  const std::string path = write("d/a.txt", "a");
  fs::create_symlink("d/a.txt", root / "link.txt");
  for (const std::vector<std::string>& paths : {std::vector<std::string>{path, path},
                                                {path, root / "d/../d/a.txt"},
                                                {path, root / "link.txt"},
                                                {path, root / "d"},
                                                {root / "d", root / "d"}}) {
    const auto sources = find_sources(paths);
    ASSERT_FALSE(sources.has_value());
    EXPECT_TRUE(has(sources.error().message, "is named twice")) << sources.error().message;
  }
}

TEST_F(Data, RepeatedTrainingDocumentsAreKeptAndReported) {
  BuildOptions o = options_for(root, write("a.txt", random_file(40, 4)));
  o.sources.push_back(write("b.txt", random_file(40, 4)));
  o.valid_sources = {write("v.txt", random_file(5, 7))};
  const std::string told = notices(o);
  EXPECT_TRUE(has(told, "40 of 80 training documents (50 %) repeat an earlier one; they are kept")) << told;
}

// SentencePiece crashes at a word of more than 32,767 characters and ends the process beyond 65,535.
TEST_F(Data, LongWordsDoNotEndTheTraining) {
  std::string accents;
  for (int i = 0; i < 100'000; ++i) accents += "\xC3\xA9";
  for (const std::string& word :
       {random_letters(40'000), random_letters(200'000), accents, std::string(200'000, ' ')}) {
    const std::string told = notices(options_for(root, write("a.txt", random_file(40, 4) + word + "\n")));
    EXPECT_EQ(told.find("error"), std::string::npos) << told;
  }
}

// Held-out text is recognised with a title before it, among other text, and where it is cut into pieces.
TEST_F(Data, HeldOutTextInsideOfDocumentsIsNotTrainedOn) {
  Random random(3);
  std::vector<std::string> held;
  for (int i = 0; i < 10; ++i) held.push_back(random_words(random, 200));
  const std::string boilerplate = random_words(random, 30), between = "\n<|endoftext|>\n";
  std::string valid;
  for (const std::string& text : held) valid += text + boilerplate + between;
  BuildOptions o = options_for(root, write("a.txt", random_file(30, 2)));
  o.valid_sources = {write("v.txt", valid)};
  const auto inside = [&](const std::string& text) {
    o.sources.resize(1);
    o.sources.push_back(write("b.txt", text));
    const std::string told = notices(o);
    const auto at = told.find(" of the training text contain");
    EXPECT_EQ(Corpus::open(o.out)->split("train")->documents(), at == std::string::npos ? 31U : 30U) << told;
    return at != std::string::npos;
  };
  EXPECT_TRUE(inside("A title\n\n" + held[0] + boilerplate));
  EXPECT_TRUE(inside(held[0].substr(0, held[0].size() * 9 / 10) + random_words(random, 20)));
  EXPECT_TRUE(inside(random_words(random, 2000) + held[3] + held[4])) << "joined";
  EXPECT_TRUE(inside(held[0].substr(held[0].size() / 2))) << "a part of it";
  EXPECT_FALSE(inside(random_words(random, 200) + held[0].substr(0, held[0].size() / 4))) << "a quotation";
  EXPECT_FALSE(inside(boilerplate)) << "boilerplate";
  EXPECT_FALSE(inside(boilerplate + random_words(random, 100))) << "boilerplate";
  // Where the sources are split, such documents are kept and counted.
  std::string twins;
  for (const std::string& text : held) twins += text + between + "A title\n" + text + between;
  o.sources = {write("b.txt", twins)};
  o.valid_sources.clear();
  const std::string told = notices(o);
  EXPECT_TRUE(has(told, "with --valid-source")) << told;
}

// Text that is most of many held-out documents is not boilerplate.
TEST_F(Data, ManyVersionsOfATextDoNotHideIt) {
  Random random(6);
  const std::string between = "\n<|endoftext|>\n", base = random_words(random, 150);
  std::string valid;
  for (int i = 0; i < 20; ++i) valid += base + random_words(random, 150) + between;
  BuildOptions o = options_for(root, write("a.txt", random_file(30, 2)));
  o.sources.push_back(write("b.txt", "A title\n" + base + random_words(random, 10)));
  o.valid_sources = {write("v.txt", valid)};
  const std::string told = notices(o);
  EXPECT_TRUE(has(told, "1 document of the training text contains a held-out document or part")) << told;
  EXPECT_EQ(Corpus::open(o.out)->split("valid")->documents(), 20U) << told;
}

TEST_F(Data, HeldOutTextDividedOverTrainingDocumentsIsReported) {
  Random random(7);
  const std::string between = "\n<|endoftext|>\n";
  std::string valid, train;
  for (int i = 0; i < 10; ++i) {
    const std::string text = random_words(random, 200);
    valid += text + between;
    for (int half = 0; i < 5 && half < 2; ++half)
      train += random_words(random, 200) + text.substr(text.size() / 2 * half, text.size() / 2) + between;
  }
  BuildOptions o = options_for(root, write("a.txt", random_file(30, 2)));
  o.valid_sources = {write("v.txt", valid)};
  EXPECT_FALSE(has(notices(o), "of the held-out text also stands in training documents"));
  o.sources.push_back(write("b.txt", train));
  const std::string told = notices(o);
  EXPECT_TRUE(has(told,
                  "% of the held-out text also stands in training documents that are kept; "
                  "5 of 10 held-out documents stand there for the most part"))
      << told;
}

// A licence that is held out would cost all documents that begin with it.
TEST_F(Data, HeldOutBoilerplateIsReportedAndAllOfItIsAnError) {
  Random random(20);
  const std::string between = "\n<|endoftext|>\n", licence = random_words(random, 80);
  std::string train;
  for (int i = 0; i < 20; ++i) train += licence + random_words(random, 200) + between;
  BuildOptions o = options_for(root, write("a.txt", train));
  o.valid_sources = {write("v.txt", licence + between + random_words(random, 200))};
  const std::string told = notices(o);
  EXPECT_TRUE(has(told, "1 held-out document consisted for the most part of text that more than eight"))
      << told;
  EXPECT_EQ(Corpus::open(o.out)->split("train")->documents(), 20U) << told;
  EXPECT_EQ(Corpus::open(o.out)->split("valid")->documents(), 1U) << told;
  o.valid_sources = {write("w.txt", licence)};
  const std::string failed = notices(o);
  EXPECT_TRUE(has(failed, "error: 100 % of the held-out text is in documents that consist")) << failed;
  EXPECT_TRUE(has(failed, "hold out other documents")) << failed;
}

TEST_F(Data, ShortHeldOutDocumentsAreRecognisedInsideOthers) {
  HeldOutText held;
  Random random(8);
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) {
    std::string text;
    while (text.size() < 75) text += static_cast<char>('a' + random.below(26));
    EXPECT_TRUE(held.add(comparable_text(text)));
    texts.push_back(text);
  }
  held.finish();
  for (const std::string& text : texts) {
    EXPECT_EQ(held.find(comparable_text("AB" + text)).overlap, Overlap::kInside);
    EXPECT_EQ(held.find(comparable_text("AB" + text.substr(60))).overlap, Overlap::kNone);
  }
}

// Returns a text in lines of at most 40 characters, each between `before` and `after`. {} in `before` is the
// number of the line.
std::string in_lines(const std::string& text, const std::string& before, const std::string& after) {
  std::string out;
  int number = 0;
  for (std::size_t from = 0; from < text.size(); from += 40)
    out += fmt::format(fmt::runtime(before), ++number) + text.substr(from, 40) +
           fmt::format(fmt::runtime(after), number) + "\n";
  return out;
}

// Returns a text in which every third word stands between `before` and `after`.
std::string in_tags(const std::string& text, const std::string& before, const std::string& after) {
  std::istringstream words(text);
  std::string out;
  int number = 0;
  for (std::string word; words >> word; ++number)
    out += number % 3 == 0 ? fmt::format(fmt::runtime(before), number) + word +
                                 fmt::format(fmt::runtime(after), number) + " "
                           : word + " ";
  return out;
}

// Returns a text in which each letter from a to z is replaced by the one as far from `first` as it is from a.
std::string shifted(const std::string& text, char32_t first) {
  std::string out;
  for (const char c : text)
    if (c >= 'a' && c <= 'z')
      out += {static_cast<char>(0xf0), static_cast<char>(0x80 | ((first + c - 'a') >> 12 & 63)),
              static_cast<char>(0x80 | ((first + c - 'a') >> 6 & 63)),
              static_cast<char>(0x80 | ((first + c - 'a') & 63))};
    else
      out += c;
  return out;
}

// No line of these copies has a window of 64 bytes as it stands in the original.
TEST_F(Data, HeldOutDocumentsAreRecognisedHoweverTheyAreWritten) {
  Random random(9);
  const std::string text = random_words(random, 300);
  HeldOutText held, independent;
  EXPECT_TRUE(held.add(comparable_text(text)));
  EXPECT_TRUE(independent.add(comparable_text(text)));
  held.finish();
  std::string accents, letters = text;
  const auto joined = [](std::string lines) {
    std::replace(lines.begin(), lines.end(), '\n', ' ');
    return lines;
  };
  for (const char c : text) accents += c == 'e' ? "\xC3\xA9" : c == 'a' ? "a\xCC\x80" : std::string(1, c);
  std::transform(letters.begin(), letters.end(), letters.begin(), [](char c) { return std::toupper(c); });
  for (const auto& [what, copy] : std::vector<std::pair<std::string, std::string>>{
           {"quoted", in_lines(text, "> ", "")},
           {"a comment", in_lines(text, "// ", "")},
           {"a table", in_lines(text, "| ", " |")},
           {"hyphenated", in_lines(text, "", "-")},
           {"numbered", in_lines(text, "{:>4} ", "")},
           {"numbered in a quotation", in_lines(text, "> {}. ", "")},
           {"numbered and joined", joined(in_lines(text, "{}) ", ""))},
           {"verses", joined(in_lines(text, "1:{} ", ""))},
           {"times", in_lines(text, "[00:01:{:02}] ", "")},
           {"numbered at the ends", in_lines(text, "", " {}")},
           {"notes", in_lines(text, "", "[{}]")},
           {"line breaks of HTML", in_lines(text, "", "<br/>")},
           {"paragraphs of HTML", in_lines(text, "<p class=\"line\">", "</p>")},
           {"words in tags", in_tags(text, "<em>", "</em>")},
           {"words in commands", in_tags(text, "\\textit{{", "}}")},
           {"entities", in_tags(text, "&ldquo;", "&#8221;")},
           {"commands", in_lines(text, "", "\\par")},
           {"a string", joined(in_lines(text, "", "\\n"))},
           {"a string with escapes", joined(in_lines(text, "\\u2019", "\\n"))},
           {"remarks", in_lines(text, "REM ", "")},
           {"sentences of a table", in_lines(text, "{},en,\"", "\"")},
           {"subtitles", in_lines(text, "Dialogue: 0,0:00:{:02}.00,Default,,0,0,0,,", "")},
           {"upper case", letters},
           {"accents", accents},
           {"noncharacters", in_lines(text, "\xF0\x9F\xBF\xBE", "")},
           {"blank Braille patterns", in_lines(text, "\xE2\xA0\x80", "")},
           {"mathematical letters", shifted(text, 0x1d41a)}}) {
    EXPECT_EQ(held.find(comparable_text(copy)).overlap, Overlap::kInside) << what;
    EXPECT_FALSE(independent.add(comparable_text(copy))) << what << " counts as an independent document";
  }
  // Words with numbers between them stand beside tables that make digits the most of the document, and a
  // table stands inside of text.
  std::string numbers, words;
  for (int i = 0; i < 100; ++i) numbers += fmt::format("{} or {}: {}\n", 131 * i, 7'193 * i, i);
  for (std::size_t i = 0; i < text.size(); ++i) {
    words += text[i];
    if (text[i] == ' ' && i % 5 == 0) words += std::to_string(i) + " ";
  }
  std::string appendix;
  while (appendix.size() < 4 * words.size()) appendix += numbers;
  HeldOutText both, alone;
  for (const std::string& document : {words, numbers}) {
    EXPECT_TRUE(both.add(comparable_text(document)));
    EXPECT_TRUE(alone.add(comparable_text(document)));
  }
  both.finish();
  for (const std::string& document : {words + appendix, random_words(random, 900) + numbers})
    EXPECT_EQ(both.find(comparable_text(document)).overlap, Overlap::kInside);
  EXPECT_FALSE(alone.add(comparable_text(words + appendix)));
  // The tatweel stretches words.
  std::string arabic, stretched;
  for (int i = 0; i < 600; ++i) {
    const char letter = static_cast<char>(0xa8 + random.below(16));
    arabic += std::string("\xd8") + letter + (i % 6 == 5 ? " " : "");
    stretched += std::string("\xd8") + letter + (i % 6 == 5 ? " " : i % 6 == 2 ? "\xd9\x80" : "");
  }
  HeldOutText right_to_left;
  EXPECT_TRUE(right_to_left.add(comparable_text(arabic)));
  right_to_left.finish();
  EXPECT_EQ(right_to_left.find(comparable_text(stretched)).overlap, Overlap::kInside);
  EXPECT_TRUE(independent.add(comparable_text(numbers)));
  for (char& c : numbers) c = c >= '0' && c <= '8' ? static_cast<char>(c + 1) : c;
  EXPECT_TRUE(independent.add(comparable_text(numbers))) << "other numbers are another document";
}

// A table is recognised wherever its lines are broken, and numbered or not; but not by the little text in it.
TEST_F(Data, HeldOutTablesAreRecognisedHoweverTheyAreWritten) {
  Random random(19);
  const auto table = [&](const std::string& note) {
    std::string out = note;
    for (int i = 0; i < 400; ++i)
      out += std::to_string(10'000 + random.below(90'000)) + (i % 10 == 9 ? "\n" : " ");
    return out;
  };
  const auto broken_after = [](std::string text, std::size_t numbers) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::size_t count = 0;
    for (char& c : text)
      if (c == ' ' && ++count % numbers == 0) c = '\n';
    return text;
  };
  const auto numbered = [](const std::string& text, const char* format) {
    std::string out;
    std::istringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);)
      out += fmt::format(fmt::runtime(format), ++number) + line + "\n";
    return out;
  };
  const auto is_known = [](const std::string& held, const std::string& document) {
    HeldOutText text;
    EXPECT_TRUE(text.add(comparable_text(held)));
    text.finish();
    HeldOutText earlier;
    EXPECT_TRUE(earlier.add(comparable_text(held)));
    const bool is_copy = !earlier.add(comparable_text(document));
    EXPECT_EQ(text.find(comparable_text(document)).overlap == Overlap::kInside, is_copy);
    return is_copy;
  };
  const std::string plain = table(""), more = "1234567 and another table\n";
  for (const std::string& a : {plain, numbered(plain, "{:>4}: ")})
    for (const std::string& b : {plain, broken_after(plain, 7), broken_after(plain, 1000),
                                 numbered(plain, "{}: "), numbered(broken_after(plain, 3), "{}. ")})
      EXPECT_TRUE(is_known(a, b + more)) << a.substr(0, 200) << "\n" << b.substr(0, 200);
  // In other layouts. The numbers of lines may also stand at their ends.
  const auto cells = [&](const char* row, const char* cell) {
    std::string out;
    std::istringstream lines(plain);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream values(line);
      std::string row_text;
      for (std::string value; values >> value;) row_text += fmt::format(fmt::runtime(cell), value);
      out += fmt::format(fmt::runtime(row), row_text, ++number) + "\n";
    }
    return out;
  };
  for (const auto& [row, cell] :
       std::vector<std::pair<const char*, const char*>>{{"<tr>{}</tr>", "<td>{}</td>"},
                                                        {"[{}],", "\"{}\", "},
                                                        {"{{{}}},", "\"value\": {}, "},
                                                        {"{}\\\\", "\\num{{{}}} & "},
                                                        {"{}", "{}m "},
                                                        {"AA {}", "{} "},
                                                        {"{} {}", "{} "},
                                                        {"| {}", "{} | "}})
    EXPECT_TRUE(is_known(plain, cells(row, cell))) << row << cell;
  // Tables with one note are not copies of each other, nor are those of other counts for the same dates.
  for (const int words_of_note : {10, 40, 120, 250}) {
    const std::string note = random_words(random, words_of_note) + "\n";
    EXPECT_FALSE(is_known(table(note), table(note))) << words_of_note;
  }
  const auto counts_of_days = [&](bool label) {
    std::string out;
    for (int i = 0; i < 200; ++i)
      out += fmt::format("{}{} 2019-{:02}-{:02}\n", label ? "Andorra la Vella, total: " : "",
                         random.below(100'000), 1 + i / 28, 1 + i % 28);
    return out;
  };
  EXPECT_FALSE(is_known(counts_of_days(false), counts_of_days(false)));
  // The words of subtitles are much of them, although digits are most.
  std::string words, subtitles;
  for (int i = 0; i < 100; ++i) {
    const std::string line = random_words(random, 4);
    words += line + "\n";
    subtitles += fmt::format("{}\n00:{:02}:{:02},{:03} --> 00:{:02}:{:02},{:03}\n{}\n\n", i, i / 60, i % 60,
                             i * 7 % 1000, i / 60, i % 60, i * 11 % 1000, line);
  }
  EXPECT_TRUE(is_known(subtitles, words));
}

// A progress callback that throws stands for memory that runs out.
TEST_F(Data, ExceptionsLeaveNoFolder) {
  const BuildOptions o = options_for(root, write("a.txt", random_file(40, 4)));
  EXPECT_THROW((void)build_corpus(o, [](const BuildProgress&) -> bool { throw std::bad_alloc(); }),
               std::bad_alloc);
  EXPECT_FALSE(fs::exists(o.out + ".building"));
}

TEST_F(Data, NoTextIsAnError) {
  EXPECT_FALSE(build_corpus(options_for(root, write("a.txt", "\n\n")), {}).has_value());
}

}  // namespace
}  // namespace gabbro::data
