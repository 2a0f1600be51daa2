// Tests that the built-in papers are well formed, complete, and linked with the zoo.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "library/paper.h"
#include "paths.h"

namespace gabbro::library {
namespace {

TEST(Papers, EveryFileParses) {
  ASSERT_GE(shelves().size(), 15u);
  for (const Shelf& shelf : shelves()) {
    const auto papers = parse_papers(shelf.text, std::string(shelf.family));
    ASSERT_TRUE(papers) << format_error(std::string(shelf.family) + ".toml", papers.error());
    EXPECT_GE(papers->size(), 10u) << shelf.family;
  }
}

TEST(Papers, AreAtLeastTwoHundredUniqueAndComplete) {
  std::set<std::string> ids, titles, arxiv;
  for (const Paper& p : built_in()) {
    EXPECT_TRUE(ids.insert(p.id).second) << p.id;
    std::string title = p.title;
    std::transform(title.begin(), title.end(), title.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    EXPECT_TRUE(titles.insert(title).second) << p.title;
    EXPECT_EQ(p.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos) << p.id;
    EXPECT_GE(p.year, 1950) << p.id;
    EXPECT_LE(p.year, 2026) << p.id;
    EXPECT_GE(p.mechanism.size(), 60u) << p.id;
    EXPECT_GE(p.improves.size(), 15u) << p.id;
    EXPECT_GE(p.tags.size(), 2u) << p.id;
    EXPECT_FALSE(p.authors.empty()) << p.id;
    EXPECT_NE(p.arxiv.empty(), p.venue.empty()) << p.id << ": an arXiv id, or where it appeared";
    if (p.arxiv.empty()) continue;
    EXPECT_EQ(arxiv_id(p.arxiv), p.arxiv) << p.id;
    EXPECT_TRUE(arxiv.insert(p.arxiv).second) << p.arxiv;
    EXPECT_LE(std::abs(2000 + std::stoi(p.arxiv.substr(0, 2)) - p.year), 1) << p.id;
  }
  EXPECT_GE(built_in().size(), 200u);
}

TEST(Papers, EveryMixerOfTheZooHasItsPaper) {
  std::set<std::string> files, linked;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("/zoo")))
    if (entry.path().extension() == ".gab") files.insert(entry.path().filename().string());
  ASSERT_GE(files.size(), 30u);
  for (const Paper& p : built_in())
    for (const std::string& file : p.zoo) {
      EXPECT_TRUE(files.contains(file)) << p.id << ": " << file;
      linked.insert(file);
    }
  // These files contain functions and controls, but no mixers.
  for (const char* const file : {"prelude.gab", "local.gab", "ngram.gab"}) files.erase(file);
  EXPECT_EQ(linked, files);
}

TEST(Papers, ErrorsHaveTheirLine) {
  const auto error = [](const std::string& text) {
    const auto papers = parse_papers(text, "x");
    return papers ? "" : std::to_string(papers.error().at.line) + ": " + papers.error().message;
  };
  const std::string good =
      "[[paper]]\nkey = \"a\"\ntitle = \"T\"\nauthors = \"A\"\nyear = 2020\narxiv = "
      "\"2001.00001\"\nmechanism = \"\"\"\nM\n  "
      "m\"\"\"\nimproves = \"I\"\ntags = \"one, two\"\n";
  EXPECT_EQ(error(good), "");
  EXPECT_EQ(parse_papers(good, "my_family")->at(0).mechanism, "M m");
  EXPECT_EQ(parse_papers(good, "my_family")->at(0).tags,
            (std::vector<std::string>{"my family", "one", "two"}));
  EXPECT_EQ(error(good + "colour = 1\n"), "12: unknown key 'colour'");
  EXPECT_EQ(error(good + "formula = \" \"\n"), "12: formula must be a non-empty string");
  EXPECT_EQ(error("[[paper]]\nkey = \"a\"\n"), "1: a paper has no title");
  EXPECT_EQ(error("x = 1\n"), "0: expected only [[paper]] tables");
  EXPECT_NE(error("[[paper\n"), "");
}

TEST(Papers, ArxivIdsAreFoundInText) {
  EXPECT_EQ(arxiv_id("arXiv:2312.06635v3"), "2312.06635");
  EXPECT_EQ(arxiv_id("http://arxiv.org/abs/0704.0001"), "0704.0001");
  EXPECT_EQ(arxiv_id("abs/1706.03762"), "1706.03762");
  for (const char* no : {"", "gla", "2313.06635", "1.2312.06635", "12312.06635", "2312.066351", "2312.063"})
    EXPECT_EQ(arxiv_id(no), "") << no;
}

}  // namespace
}  // namespace gabbro::library
