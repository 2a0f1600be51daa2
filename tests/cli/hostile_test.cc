// Tests that commands which read hostile programs end with an error within limits of time and memory.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "../lang/hostile.h"
#include "folder.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

struct Output {
  int code = -1;
  std::string text;
  double seconds = 0;
};

// Runs gabbro with a limit of memory like that of a small machine.
Output gabbro(const std::string& arguments) {
  Output out;
  const auto begun = std::chrono::steady_clock::now();
#if defined(__SANITIZE_ADDRESS__)  // The sanitizer reserves terabytes.
  const std::string limit;
#else
  const std::string limit = "ulimit -v 4000000; ";
#endif
  std::FILE* pipe = popen((limit + GABBRO_BINARY " " + arguments + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, n);
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return out;
}

class HostileCli : public FolderTest {
 protected:
  HostileCli() : FolderTest("hostile_cli") {}
};

TEST_F(HostileCli, CheckRefusesTexts) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "its bounds of time are those of a program without sanitizers";
#endif
  for (const Hostile& h : hostile_texts()) {
    const Output out = gabbro("check " + file("hostile.gab", h.text));
    EXPECT_EQ(out.code, 1) << h.kind << ": " << out.text.substr(0, 500);
    EXPECT_NE(out.text.find("error["), std::string::npos) << h.kind;
    EXPECT_LT(out.text.size(), 100'000U) << h.kind;
    EXPECT_LT(out.seconds, 60) << h.kind;
  }
}

TEST_F(HostileCli, CampaignsOutliveDesigns) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "its bounds of time are those of a program without sanitizers";
#endif
  if (!fs::exists(std::string(GABBRO_BINARY "-worker")))
    GTEST_SKIP() << "gabbro-worker is not built here: it needs libtorch";
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += fmt::format("the stone of number {} lies under the old bridge\n<|endoftext|>\n", i * 7919);
  ASSERT_EQ(
      gabbro("data build --vocab 320 --valid 0.1 --out " + dir + "/corpus " + file("text.txt", text)).code,
      0);
  const std::string preset =
      file("preset.toml", "baselines = [\"llama\"]\n[[rung]]\nparams = \"100k\"\ntokens = \"50k\"\n");
  for (const Hostile& h : hostile_designs()) {
    const Output out =
        gabbro("evolve --minutes 0.0001 --strategies none --dir " + dir + "/run --data " + dir +
               "/corpus --preset " + preset + " --design " + file("hostile.gab", h.text));
    // A program that is small at the first rung is trained by a worker, which has its own limits.
    EXPECT_TRUE(out.code == 0 || out.text.find("error[") != std::string::npos) << h.kind << ": " << out.text;
    EXPECT_GE(out.code, 0) << h.kind << " killed it: " << out.text;
    EXPECT_LT(out.seconds, 200) << h.kind;
    fs::remove_all(dir + "/run");
  }
}

}  // namespace
}  // namespace gabbro
