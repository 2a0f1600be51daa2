// Tests of `gabbro library` through the program.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "paths.h"
#include "server.h"

namespace gabbro::library {
namespace {

struct Output {
  int code;
  std::string out, err;
};

class Command : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "library-command-" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Output run(const std::string& arguments) {
    const std::string command = "XDG_DATA_HOME=" + folder_ + "/data NO_COLOR=1 " + gabbro_path() +
                                " library " + arguments + " >" + folder_ + "/out 2>" + folder_ + "/err";
    const int status = std::system(command.c_str());
    const auto read = [&](const char* name) {
      std::ifstream in(folder_ + "/" + name);
      return std::string{std::istreambuf_iterator<char>(in), {}};
    };
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
  }
  std::string folder_;
};

TEST_F(Command, SearchPrintsATable) {
  const Output o = run("search 'gated linear attention' -n 3");
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), 3);
  EXPECT_NE(o.out.find("gla "), std::string::npos);
  EXPECT_NE(o.out.find("2023  Gated Linear Attention Transformers"), std::string::npos) << o.out;
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/data")) << "a search keeps nothing";
  const Output none = run("search '\"*'");
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("nothing found"), std::string::npos);
}

TEST_F(Command, JsonHasEveryField) {
  const auto list = nlohmann::json::parse(run("search mamba --json -n 2").out);
  ASSERT_EQ(list.size(), 2u);
  for (const char* key : {"id", "title", "authors", "year", "text", "score", "source"})
    EXPECT_TRUE(list[0].contains(key)) << key;
  const auto paper = nlohmann::json::parse(run("show 2312.00752 --json").out);
  EXPECT_EQ(paper["id"], "mamba");
  EXPECT_EQ(paper["zoo"][0], "mamba.gab");
  EXPECT_EQ(nlohmann::json::parse(run("search '(' --json").out).size(), 0u);
}

TEST_F(Command, ShowPrintsAllFacts) {
  const Output o = run("show gla");
  EXPECT_EQ(o.code, 0);
  for (const char* part :
       {"Gated Linear Attention Transformers", "Yang, Wang, Shen, Panda, Kim", "2312.06635", "zoo/gla.gab",
        "S_t = diag(a_t) S_{t-1} + k_t v_t^T", "linear attention, gate"})
    EXPECT_NE(o.out.find(part), std::string::npos) << part;
}

TEST_F(Command, TyposGetASuggestion) {
  Output o = run("show gated-deltant");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.err.find("unknown paper 'gated-deltant'; did you mean 'gated-deltanet'?"), std::string::npos)
      << o.err;
  o = run("show 'forgetting attention'");
  EXPECT_NE(o.err.find("did you mean 'fox'?"), std::string::npos) << o.err;
  o = run("serch x");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.err.find("unknown command 'serch'; did you mean 'search'?"), std::string::npos) << o.err;
  EXPECT_EQ(run("search").code, 2);
  EXPECT_EQ(run("").code, 2);
  EXPECT_EQ(run("search x --embed-model m").code, 2);  // a model without an endpoint
}

TEST_F(Command, AddedDocumentsAreFoundAndShown) {
  std::ofstream(folder_ + "/note.md") << "# Quokka gates\n\nA ``` quokka ``` forgets.\n";
  Output o = run("add " + folder_ + "/note.md");
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.out, "1 papers added, 0 updated from changed files, 0 already known\n");
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/data/gabbro/library.db"));
  EXPECT_EQ(run("add " + folder_ + "/note.md").out,
            "0 papers added, 0 updated from changed files, 1 already known\n");
  EXPECT_EQ(run("search quokka -n 1").out, "note        Quokka gates\n");
  EXPECT_NE(run("search quokka -n 1 --quoted").out.find("``` "), 0u);
  EXPECT_NE(run("show note").out.find("forgets."), std::string::npos);
  EXPECT_EQ(run("search quokka --library " + folder_ + "/other.db -n 1").out, "");
  o = run("add " + folder_ + "/nowhere");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.err.find("not found"), std::string::npos);
}

TEST_F(Command, OnlineWithoutNetworkGivesLocalResults) {
  const Output o = run("search 'linear attention' --online --arxiv http://127.0.0.1:1 --semantic-scholar ''");
  EXPECT_EQ(o.code, 0);
  EXPECT_NE(o.err.find("arXiv: "), std::string::npos) << o.err;
  EXPECT_NE(o.out.find("linear-attention"), std::string::npos);
  Server server([](const std::string&, const std::string&) {
    return Answer{.body =
                      "<feed><entry><id>http://arxiv.org/abs/2905.00001v1</id><title>Quokka "
                      "online</title></entry></feed>"};
  });
  EXPECT_EQ(run("search quokka --online --semantic-scholar '' --arxiv " + server.url()).out,
            "2905.00001        Quokka online\n");
}

}  // namespace
}  // namespace gabbro::library
