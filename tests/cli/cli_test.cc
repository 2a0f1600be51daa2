// The program as its users meet it: exit codes, messages, JSON.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace gabbro {
namespace {

struct Output {
  int code;
  std::string text;
};

Output gabbro(const std::string& arguments) {
  Output out{-1, {}};
  std::FILE* pipe = popen((GABBRO_BINARY " " + arguments + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, n);
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

std::string write_program(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

const std::string kGood = "unit A(x: [t, D]) -> [t, D]:\n    return x + shift(x, 1)\n";
const std::string kBad = "unit A(x: [t, D]) -> [t, D]:\n    return shift(x, -1)\n";

TEST(Cli, CheckSaysWhatIsWrongAndWhere) {
  const std::string path = write_program("bad.gab", kBad);
  const Output out = gabbro("check " + path);
  EXPECT_EQ(out.code, 1);
  EXPECT_EQ(out.text, path +
                          ":2:21: error[future]: shift by -1 would read 1 position ahead\n  hint: n >= 0 "
                          "looks back: shift(x, 1)\n");
}

TEST(Cli, CheckJsonHasEveryField) {
  const std::string path = write_program("good.gab", kGood);
  const Output out = gabbro("check --json " + path);
  EXPECT_EQ(out.code, 0);
  const auto json = nlohmann::json::parse(out.text);
  for (const char* key : {"file", "valid", "causal", "prefix_consistent", "batch_independent", "mixes_tokens",
                          "receptive_field", "params", "train_flops_per_token", "decode_flops_per_token",
                          "state_bytes", "state_grows", "complexity", "hash", "errors"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json["receptive_field"], 2);
  EXPECT_EQ(json["state_bytes"], 4 * 256);
  EXPECT_EQ(json["state_grows"], false);
}

TEST(Cli, CheckJsonReportsErrors) {
  const Output out = gabbro("check --json " + write_program("bad.gab", kBad));
  EXPECT_EQ(out.code, 1);
  const auto json = nlohmann::json::parse(out.text);
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["errors"][0]["line"], 2);
  EXPECT_EQ(json["errors"][0]["code"], "future");
}

TEST(Cli, ExitCodes) {
  EXPECT_EQ(gabbro("check " + write_program("good.gab", kGood)).code, 0);
  EXPECT_EQ(gabbro("check /nowhere.gab").code, 2);
  EXPECT_EQ(gabbro("check " + testing::TempDir()).code, 2);
  EXPECT_EQ(gabbro("chekc").code, 2);
  EXPECT_EQ(gabbro("").code, 2);
  EXPECT_EQ(gabbro("--version").code, 0);
  EXPECT_EQ(gabbro("check --params many " + write_program("good.gab", kGood)).code, 2);
}

TEST(Cli, FmtRewritesOnceAndChecks) {
  const std::string path = write_program("loose.gab", "unit A(x:[t,D])->[t,D]:\n  return x+shift( x,1 )\n");
  EXPECT_EQ(gabbro("fmt --check " + path).code, 1);
  EXPECT_EQ(gabbro("fmt " + path).code, 0);
  EXPECT_EQ(gabbro("fmt --check " + path).code, 0);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), kGood);
}

TEST(Cli, ResizesToABudget) {
  const Output out =
      gabbro("check --json --params 2M " +
             write_program("m.gab", "design M:\n    vocab = 512\n    stack = [4 * Block, RMSNorm]\n"));
  EXPECT_EQ(out.code, 0);
  EXPECT_NEAR(nlohmann::json::parse(out.text)["params"].get<double>(), 2e6, 2e4);
}

TEST(Cli, HugeAndBinaryFilesAreRefused) {
  const std::string path = write_program("zeros.gab", std::string(16, '\0'));
  EXPECT_NE(gabbro("check " + path).text.find("error[encoding]"), std::string::npos);
  std::filesystem::resize_file(path, 100'000'000);
  const Output out = gabbro("check " + path);
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("longer than 1048576 bytes"), std::string::npos);
}

}  // namespace
}  // namespace gabbro
