// Tests of the corpus debian: cleaners on small files of each format, packages made by the tests, and a fake
// apt-get.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "data/debian/clean.h"
#include "data/debian/corpus.h"
#include "data/debian/fetch.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

Strings cleaned(Cleaner cleaner, const Files& files) {
  Strings out;
  const auto ok = cleaner(files, [&](std::string text) { out.push_back(std::move(text)); });
  EXPECT_TRUE(ok.has_value()) << ok.error().message;
  return out;
}

TEST(DebianClean, PagesKeepTheirProse) {
  const std::string page =
      "<!DOCTYPE html><html lang=en><head><title>no</title></head><body><div class='navheader'>Prev "
      "Next</div>"
      "<h1>Of\n stones<a class=\"headerlink\" href='#'>¶</a></h1><p>A <b>stone</b>&nbsp;is "
      "&lt;hard&gt;<sup>1</sup>.</p>"
      "<pre>int main;</pre><ul><li>one</li><li>two</li></ul><table><tr><td>cell</td></tr></table>"
      "<p>Copyright © 2001 A. Mason</p><script>x()</script><p>The end.</body></html>";
  EXPECT_EQ(text_of_markup(page, Markup::kHtml), "Of stones\n\nA stone is <hard>.\n\none\ntwo\n\nThe end.\n");
  EXPECT_EQ(text_of_markup("<html lang='pt-br'><p>pedra</p></html>", Markup::kHtml), "");
  EXPECT_EQ(text_of_markup("", Markup::kHtml), "");
  EXPECT_EQ(cleaned(clean_html, {{"short.html", "<p>too short</p>"}}), Strings{});
}

TEST(DebianClean, EntriesOfWebsterLoseTheirApparatus) {
  EXPECT_EQ(
      clean_entry(
          "Cot \\Cot\\ (k[o^]t), n. [OE. cot, cote; akin to\n   D. [a] kot. Cf. {Coat}.]\n   1. A small "
          "house; a\n      cottage or caf['e].\n      [1913 Webster]\n\n   2. A thing.\n      [WordNet "
          "1.5]\n\n"
          "   3. See {Bell}. [Obs.] --Gray.\n",
          /*is_webster=*/true),
      "Cot, n. 1. A small house; a cottage or café.\n3. See Bell. --Gray.\n");
  EXPECT_EQ(clean_entry("bit\n\n   <unit> A {binary} digit.\n\n   (2001-01-31)\n\n   [Jargon File]\n",
                        /*is_webster=*/false),
            "bit\nA binary digit.\n");
}

TEST(DebianClean, DictionariesFollowTheirIndex) {
  const std::string body = "00-database-info\nnothing\nant\n  An insect.\nbee\n  Another.\n";
  const auto base64 = [](std::size_t value) {
    return std::string(1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[value]);
  };
  const std::size_t ant = body.find("ant\n"), bee = body.find("bee\n");
  const std::string index = "00-database-info\tA\t" + base64(ant) + "\nant\t" + base64(ant) + "\t" +
                            base64(bee - ant) + "\nbee\t" + base64(bee) + "\t" + base64(body.size() - bee) +
                            "\nbees\t" + base64(bee) + "\t" + base64(body.size() - bee) + "\n";
  EXPECT_EQ(cleaned(clean_dictionary, {{"d/x.dict.dz", body}, {"d/x.index", index}}),
            Strings{"ant An insect.\n\nbee Another.\n"});
  const auto past =
      clean_dictionary({{"d/x.dict.dz", body}, {"d/x.index", "ant\tB\tBAA\n"}}, [](std::string) {});
  ASSERT_FALSE(past.has_value());
  EXPECT_NE(past.error().message.find("x.dict.dz: invalid entry at byte 4097 of"), std::string::npos);
}

TEST(DebianClean, SynsetsBecomeLines) {
  EXPECT_EQ(
      cleaned(clean_wordnet,
              {{"data.adj",
                "  1 licence | no\n00908483 00 a 02 euphemistic 0 well_put(p) 5 001 + 06605046 n 0101 |  "
                "mild; \"a word\"  \n"}}),
      Strings{"euphemistic, well put: mild; \"a word\"\n"});
}

TEST(DebianClean, FortunesAreJoined) {
  EXPECT_EQ(cleaned(clean_fortunes, {{"f", "One\n\t-- A\n%\nTwo\n%\n%\n"}}),
            Strings{"One\n        -- A\n\nTwo\n"});
}

// Returns a number in `bytes` bytes, little-endian.
std::string little_endian(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// Makes a SWORD module with one block whose entries are `verses`; an empty verse has no text. The size of a
// verse takes `size_bytes`.
Files module_of(const Strings& verses, int size_bytes) {
  std::string block, index;
  for (const std::string& v : verses) {
    index += little_endian(0, 4) + little_endian(static_cast<std::uint32_t>(block.size()), 4) +
             little_endian(static_cast<std::uint32_t>(v.size()), size_bytes);
    block += v;
  }
  uLongf packed_size = compressBound(block.size());
  std::string packed(packed_size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &packed_size,
           reinterpret_cast<const Bytef*>(block.data()), block.size());
  packed.resize(packed_size);
  const std::string table = little_endian(0, 4) +
                            little_endian(static_cast<std::uint32_t>(packed.size()), 4) +
                            little_endian(static_cast<std::uint32_t>(block.size()), 4);
  return {{"m/ot.bzs", table}, {"m/ot.bzv", index}, {"m/ot.bzz", packed}};
}

TEST(DebianClean, SwordModulesBecomeChapters) {
  const std::string filler(220, 'x');
  for (const int size_bytes : {2, 4}) {
    const Files files =
        module_of({"", "<chapter n=\"1\" sID=\"a\"/>", "<w lemma=\"1\">In</w> the<note>n</note> " + filler,
                   "<div type=\"x-p\" sID=\"b\"/>and", "<chapter n=\"2\" sID=\"c\"/>So " + filler},
                  size_bytes);
    EXPECT_EQ(cleaned(clean_sword, files),
              (Strings{"In the " + filler + "\n\nand\n", "So " + filler + "\n"}));
    Files damaged = files;
    damaged["m/ot.bzz"].resize(10);
    EXPECT_FALSE(clean_sword(damaged, [](std::string) {}).has_value());
  }
}

// Sets up a folder for a fake apt-get. It makes packages with fortunes of one word; other packages do not
// exist.
class DebianFetch : public ::testing::Test {
 protected:
  void SetUp() override {
    root = fs::path(::testing::TempDir()) / ("gabbro_debian" + std::to_string(getpid()));
    fs::create_directories(root / "bin");
    path = std::getenv("PATH");
  }
  void TearDown() override {
    ::setenv("PATH", path.c_str(), 1);
    fs::remove_all(root);
  }
  // Makes `script` the fake apt-get, with the package in $name.
  void set_apt_get(const std::string& script) {
    std::ofstream(root / "bin/apt-get")
        << "#!/bin/sh\nfor name; do :; done\necho \"$name\" >> " + (root / "calls").string() + "\n" + script;
    fs::permissions(root / "bin/apt-get", fs::perms::owner_all);
    ::setenv("PATH", ((root / "bin").string() + ":" + path).c_str(), 1);
  }
  // Returns how often apt-get was called.
  std::size_t calls() {
    std::ifstream in(root / "calls");
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
  }
  Result<Texts> texts() {
    return write_texts(root / "text", root / "cache", "<sep>",
                       [](double, const std::string&) { return true; });
  }
  fs::path root;
  std::string path;
};

constexpr const char* kMakesFortunes =
    "[ $name = fortunes ] || { echo \"E: Unable to locate package $name\"; exit 100; }\n"
    "mkdir -p t/usr/share/games/fortunes && printf 'Be brief.\\n%%\\nBe kind.\\n' > "
    "t/usr/share/games/fortunes/wisdom\n"
    "tar -C t -czf data.tar.gz ./usr && echo 2.0 > debian-binary && ar rc fortunes_1_all.deb debian-binary "
    "data.tar.gz\n";

TEST_F(DebianFetch, PackagesAreFetchedOnceAndMissingOnesAreReported) {
  set_apt_get(kMakesFortunes);
  const auto first = texts();
  ASSERT_TRUE(first.has_value()) << first.error().message;
  ASSERT_EQ(first->found.size(), 1U);
  EXPECT_EQ(first->found[0].name, "fortunes_1_all.deb");
  EXPECT_GT(first->missing.size(), 10U);
  std::ifstream in(first->found[0].file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "Be brief.\n\nBe kind.\n<sep>\n");
  const std::size_t before = calls();
  ASSERT_TRUE(texts().has_value());
  EXPECT_EQ(calls(), 2 * before - 1) << "the package in the cache was fetched again";
  int files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(root / "cache")) ++files;
  EXPECT_EQ(files, 1) << "something but the package was left in the cache";
}

TEST_F(DebianFetch, ErrorsOfAptGetAreReported) {
  set_apt_get("echo 'E: Failed to fetch it  Temporary failure resolving'; exit 100\n");
  const auto no_network = texts();
  ASSERT_FALSE(no_network.has_value());
  EXPECT_EQ(no_network.error().code, "fetch");
  EXPECT_EQ(no_network.error().message,
            "apt-get download anarchism failed: Failed to fetch it  Temporary failure resolving");
  set_apt_get("echo \"E: Unable to locate package $name\"; exit 100\n");
  EXPECT_NE(texts().error().message.find("none of the packages"), std::string::npos);
  ::setenv("PATH", (root / "text").c_str(), 1);
  EXPECT_EQ(texts().error().message, "cannot run apt-get: No such file or directory");
}

TEST_F(DebianFetch, StopsWhileAptGetRuns) {
  set_apt_get("exec sleep 60\n");
  int calls_of_watch = 0;
  const auto stopped = fetch_package("anarchism", root / "cache", [&] { return ++calls_of_watch < 3; });
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, "stopped");
  EXPECT_TRUE(fs::is_empty(root / "cache"));
}

TEST_F(DebianFetch, DamagedPackagesAreNamed) {
  fs::create_directories(root / "cache");
  std::ofstream(root / "cache/anarchism_1_all.deb") << "!<arch>\nbroken";
  const auto out = texts();
  ASSERT_FALSE(out.has_value());
  EXPECT_NE(out.error().message.find("anarchism_1_all.deb"), std::string::npos) << out.error().message;
}

}  // namespace
}  // namespace gabbro::data::debian
