// Tests of connectors and embeddings against loopback servers that speak their formats, correctly or not.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "library/library.h"
#include "library/online.h"
#include "server.h"

namespace gabbro::library {
namespace {

namespace fs = std::filesystem;

std::string feed(const std::string& entries) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed "
         "xmlns=\"http://www.w3.org/2005/Atom\"><title>ArXiv Query</title>" +
         entries + "</feed>";
}
std::string entry(const std::string& id, const std::string& title) {
  return "<entry><id>http://arxiv.org/abs/" + id +
         "v2</id><published>2029-05-01T00:00:00Z</published><title>" + title +
         "</title><summary>  A numbat\n  gate. </summary><author><name>Ada B. Lovelace</name></author>"
         "<author><name>Alan Turing</name></author></entry>";
}
const char* const kScholar =
    R"({"total":2,"offset":0,"data":[{"paperId":"abcdef0123456789","title":"Bilby Mixers","abstract":null,"year":2031,
"authors":[{"authorId":"1","name":"Grace Hopper"}],"externalIds":{"DOI":"10/x"},"venue":"ICML"},
{"paperId":"ffff","title":"GLA again","abstract":"x","year":2024,"authors":[],"externalIds":{"ArXiv":"2312.06635"}}]})";

class Online : public testing::Test {
 protected:
  void SetUp() override {
    file_ = testing::TempDir() + "online-" + std::to_string(getpid()) + ".db";
    fs::remove(file_);
    options_.file = file_;
    options_.arxiv = options_.semantic_scholar = "";
    options_.seconds = 2;
    options_.now = [this] { return now_; };
    options_.sleep = [this](double s) {
      now_ += s;
      slept_ += s;
    };
  }
  void TearDown() override { fs::remove(file_); }
  std::unique_ptr<Library> open() {
    auto library = Library::open(options_);
    if (!library) ADD_FAILURE() << library.error().message;
    return std::move(*library);
  }
  LibraryOptions options_;
  std::string file_;
  double now_ = 1e9, slept_ = 0;
};

TEST_F(Online, ArxivResultsAreFoundAndStored) {
  Server server([](const std::string&, const std::string&) {
    return Answer{.body = feed(entry("2905.00001", "Numbat &amp; Gates") + entry("2312.06635", "GLA"))};
  });
  options_.arxiv = server.url();
  const auto found = open()->look_up("numbat: gates (ti:x)", 5, /*online=*/true);
  EXPECT_TRUE(found.notices.empty());
  ASSERT_GE(found.hits.size(), 2u);
  const auto at =
      std::find_if(found.hits.begin(), found.hits.end(), [](const Hit& h) { return h.id == "2905.00001"; });
  ASSERT_NE(at, found.hits.end());
  EXPECT_EQ(at->title, "Numbat & Gates");
  EXPECT_EQ(at->authors, "Lovelace, Turing");
  EXPECT_EQ(at->year, 2029);
  EXPECT_EQ(at->text, "A numbat gate.");
  EXPECT_EQ(at->source, "arXiv");
  EXPECT_TRUE(std::any_of(found.hits.begin(), found.hits.end(), [](const Hit& h) { return h.id == "gla"; }))
      << "what is built in is known by its id";
  ASSERT_EQ(server.paths().size(), 1u);
  EXPECT_EQ(
      server.paths()[0],
      "/api/query?search_query=all:numbat+AND+all:gates+AND+all:ti&start=0&max_results=5&sortBy=relevance");

  // The same query later is answered from the file, even without a network; a search by words finds the
  // paper, too.
  options_.arxiv = "http://127.0.0.1:1";
  const auto local = open()->search("numbat", 1);
  ASSERT_EQ(local.size(), 1u);
  EXPECT_EQ(local[0].id, "2905.00001");
  EXPECT_EQ(open()->find("2905.00001")->title, "Numbat & Gates");
}

TEST_F(Online, TheCacheIsUsedUntilItIsTooOld) {
  Server server([](const std::string&, const std::string&) { return Answer{.body = feed("")}; });
  options_.arxiv = server.url();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(open()->look_up("numbat", 5, /*online=*/true).notices.empty());
  EXPECT_EQ(server.paths().size(), 1u);
  now_ += 8 * 86400;
  (void)open()->look_up("numbat", 5, /*online=*/true);
  EXPECT_EQ(server.paths().size(), 2u);
}

TEST_F(Online, RequestsKeepTheRequiredPause) {
  Server server([](const std::string&, const std::string&) { return Answer{.body = feed("")}; });
  options_.arxiv = server.url();
  const auto library = open();
  (void)library->look_up("one", 5, /*online=*/true);
  EXPECT_EQ(slept_, 0);
  (void)library->look_up("two", 5, /*online=*/true);
  EXPECT_NEAR(slept_, 3, 1e-6);
  (void)open()->look_up("three", 5, /*online=*/true);  // as another process would
  EXPECT_NEAR(slept_, 6, 1e-6);
  now_ += 100;
  (void)library->look_up("four", 5, /*online=*/true);
  EXPECT_NEAR(slept_, 6, 1e-6);
}

TEST_F(Online, RetryAfterIsObeyed) {
  std::atomic<int> calls{0};
  Server server([&](const std::string&, const std::string&) {
    return ++calls < 3 ? Answer{.status = 429, .body = "slow down", .headers = "Retry-After: 7\r\n"}
                       : Answer{.body = kScholar};
  });
  options_.semantic_scholar = server.url();
  const auto found = open()->look_up("bilby mixers", 5, /*online=*/true);
  EXPECT_TRUE(found.notices.empty());
  EXPECT_EQ(calls, 3);
  EXPECT_GE(slept_, 14 - 1e-6);
  const auto at = std::find_if(found.hits.begin(), found.hits.end(),
                               [](const Hit& h) { return h.title == "Bilby Mixers"; });
  ASSERT_NE(at, found.hits.end());
  EXPECT_EQ(at->id, "s2-abcdef012345");
  EXPECT_EQ(at->authors, "Hopper");
  EXPECT_EQ(server.paths()[0],
            "/graph/v1/paper/"
            "search?query=bilby%20mixers&limit=5&fields=title,abstract,year,authors,externalIds,venue");
}

TEST_F(Online, ServerErrorsAreReported) {
  const struct {
    Answer answer;
    const char* words;
  } rows[] = {
      {{.status = 429, .body = "", .headers = "Retry-After: 3600\r\n"}, "retry after 3600 s"},
      {{.status = 500, .body = "oops"}, "status 500"},
      {{.status = 403, .body = "no"}, "status 403"},
      {{.body = "<feed><entry>"}, "not well-formed"},
      {{.body = ""}, "not well-formed"},
      {{.body = "<html><body/></html>"}, "not an Atom feed"},
      {{.body = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><feed>&e;"}, "not well-formed"},
      {{.body = feed(
            "<entry><id>http://arxiv.org/api/errors#incorrect_id</id><title>Error</title><summary>incorrect "
            "id "
            "format</summary></entry>")},
       "incorrect id format"},
  };
  for (const auto& row : rows) {
    Server server([&](const std::string&, const std::string&) { return row.answer; });
    options_.arxiv = server.url();
    fs::remove(file_);
    const auto found = open()->look_up("linear attention", 5, /*online=*/true);
    ASSERT_EQ(found.notices.size(), 1u) << row.words;
    EXPECT_NE(found.notices[0].find(row.words), std::string::npos) << found.notices[0];
    EXPECT_EQ(found.hits.size(), 5u) << "local results stay";
    EXPECT_LE(server.paths().size(), 3u);
  }
}

TEST_F(Online, HangingAndMissingServersAreReported) {
  Server server([](const std::string&, const std::string&) { return Answer{.hang = true}; });
  options_.arxiv = server.url();
  options_.semantic_scholar = "http://127.0.0.1:1";
  options_.seconds = 0.3;
  const auto found = open()->look_up("linear attention", 5, /*online=*/true);
  ASSERT_EQ(found.notices.size(), 2u);
  EXPECT_NE(found.notices[0].find("no response within"), std::string::npos) << found.notices[0];
  EXPECT_EQ(found.hits.size(), 5u);
  std::atomic<bool> stop{true};
  EXPECT_NE(open()->look_up("linear", 5, /*online=*/true, &stop).notices.at(0).find("stopped"),
            std::string::npos);
}

TEST_F(Online, OnlineSearchWorksWithoutAFile) {
  Server server([](const std::string&, const std::string&) {
    return Answer{.body = feed(entry("2905.00001", "Numbat"))};
  });
  options_.arxiv = server.url();
  options_.file = "";
  EXPECT_EQ(open()->look_up("numbat", 5, /*online=*/true).hits.at(0).id, "2905.00001");
}

TEST(Parsers, SemanticScholarOddities) {
  EXPECT_EQ(parse_semantic_scholar(kScholar)->size(), 2u);
  EXPECT_EQ(parse_semantic_scholar(R"({"total":0,"offset":0})")->size(), 0u);
  EXPECT_EQ(
      parse_semantic_scholar(
          R"({"data":[null,1,{},{"title":7},{"title":"x","authors":{},"year":"y","paperId":"1","externalIds":null}]})")
          ->size(),
      1u);
  EXPECT_EQ(parse_semantic_scholar(R"({"message":"Too Many Requests"})").error().message,
            "Too Many Requests");
  for (const char* bad : {"", "[]", "null", "{", R"({"data":3})", R"({"x":1})"})
    EXPECT_FALSE(parse_semantic_scholar(bad)) << bad;
}

TEST(Parsers, AtomOddities) {
  EXPECT_EQ(parse_atom(feed(""))->size(), 0u);
  EXPECT_EQ(
      parse_atom(feed("<entry/><entry><title>no id</title></entry>" + entry("2905.00001", "x")))->size(), 1u);
  std::string authors;
  for (int i = 0; i < 30; ++i) authors += "<author><name>A Name" + std::to_string(i) + "</name></author>";
  EXPECT_EQ(parse_atom(feed("<entry><id>http://arxiv.org/abs/2905.00002</id><title>t</title>" + authors +
                            "</entry>"))
                ->at(0)
                .authors,
            "Name0, Name1, Name2, Name3, Name4, Name5 et al.");
  // Entities that expand exponentially are not expanded.
  EXPECT_FALSE(parse_atom(
      "<!DOCTYPE f [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
      "\"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><x>&c;</x>"));
}

// Answers as an embedding model that only distinguishes texts about animals from others.
Answer animal_vectors(const std::string& body) {
  const auto request = nlohmann::json::parse(body);
  nlohmann::json data = nlohmann::json::array();
  const auto& texts = request["input"];
  for (std::size_t i = texts.size(); i-- > 0;) {  // The order is reversed; each vector has its index.
    const auto text = texts[i].get<std::string>();
    const bool animal = text.find("marsupial") != std::string::npos ||
                        text.find("wombat") != std::string::npos || text.find("Hippo") != std::string::npos;
    data.push_back({{"index", i}, {"embedding", {animal ? 2.0 : 0.1, animal ? 0.1 : 2.0}}});
  }
  return {.body = nlohmann::json{{"data", data}}.dump()};
}

TEST_F(Online, VectorsFindWhatWordsDoNot) {
  std::atomic<int> texts{0};
  Server server([&](const std::string&, const std::string& body) {
    texts += static_cast<int>(nlohmann::json::parse(body)["input"].size());
    return animal_vectors(body);
  });
  options_.embedding = {.url = server.url() + "/v1", .model = "animals", .key_env = "", .seconds = 20};
  const std::string path = testing::TempDir() + "wombat-" + std::to_string(getpid()) + ".txt";
  std::ofstream(path) << "Wombat\n\nA wombat digs.\n";
  const auto library = open();
  EXPECT_NE(library->look_up("marsupial", 3, /*online=*/false).notices.at(0).find("no vectors"),
            std::string::npos);
  ASSERT_TRUE(library->add({path}));
  fs::remove(path);
  const auto made = library->embed_missing();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(static_cast<std::size_t>(*made), built_in().size() + 1);
  EXPECT_EQ(server.paths().at(0), "/v1/embeddings");
  const int before = texts;
  EXPECT_EQ(*open()->embed_missing(), 0);
  EXPECT_EQ(texts, before) << "vectors are kept in the file";

  const auto found = open()->look_up("marsupial", 40, /*online=*/false);  // No text contains this word.
  EXPECT_TRUE(found.notices.empty());
  ASSERT_FALSE(found.hits.empty());
  EXPECT_TRUE(std::any_of(found.hits.begin(), found.hits.begin() + 8,
                          [](const Hit& h) { return h.title == "Wombat"; }));
}

TEST_F(Online, WithABrokenEndpointTheSearchUsesWords) {
  const char* const bodies[] = {"",
                                "{}",
                                R"({"data":[]})",
                                R"({"data":[{"embedding":[]}]})",
                                R"({"data":[{"embedding":["a"]}]})",
                                R"({"data":[{"index":9,"embedding":[1,2]}]})",
                                R"({"data":[3]})"};
  for (const char* body : bodies) {
    Server server([&](const std::string&, const std::string&) { return Answer{.body = body}; });
    const EmbeddingEndpoint endpoint{.url = server.url() + "/v1", .model = "m", .key_env = "", .seconds = 5};
    EXPECT_FALSE(embed(endpoint, {"x"})) << body;
  }
  Server server(
      [&](const std::string&, const std::string&) { return Answer{.status = 500, .body = "sorry"}; });
  options_.embedding = {.url = server.url() + "/v1", .model = "m", .key_env = "", .seconds = 5};
  const auto library = open();
  EXPECT_NE(library->embed_missing().error().message.find("status 500: sorry"), std::string::npos);
  EXPECT_EQ(library->search("linear attention", 5).size(), 5u);
  options_.embedding.key_env = "GABBRO_TEST_NO_SUCH_KEY";
  EXPECT_NE(open()->embed_missing().error().message.find("GABBRO_TEST_NO_SUCH_KEY"), std::string::npos);
}

}  // namespace
}  // namespace gabbro::library
