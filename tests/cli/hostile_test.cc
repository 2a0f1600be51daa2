// Tests that commands which read hostile programs end with an error within limits of time and memory.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "../lang/hostile.h"
#include "cli/run.h"
#include "folder.h"
#include "paths.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

// Runs gabbro with a limit of memory like that of a small machine, and of processor time.
Output limited(const std::string& arguments, int seconds) {
#if defined(__SANITIZE_ADDRESS__)  // The sanitizer reserves terabytes.
  const std::string memory;
#else
  const std::string memory = "ulimit -v 4000000; ";
#endif
  return run_command(fmt::format("{}ulimit -t {}; {} {} 2>&1", memory, seconds, gabbro_path(), arguments));
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
    const Output out = limited("check " + file("hostile.gab", h.text), 60);
    EXPECT_EQ(out.code, 1) << h.kind << ": " << out.text.substr(0, 500);
    EXPECT_NE(out.text.find("error["), std::string::npos) << h.kind;
    EXPECT_LT(out.text.size(), 100'000U) << h.kind;
  }
}

TEST_F(HostileCli, CampaignsSurviveHostileDesigns) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "its bounds of time are those of a program without sanitizers";
#endif
  if (!fs::exists(worker_path())) GTEST_SKIP() << "gabbro-worker is not built here: it needs libtorch";
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
        limited("evolve --minutes 0.0001 --strategies none --dir " + dir + "/run --data " + dir +
                    "/corpus --preset " + preset + " --design " + file("hostile.gab", h.text),
                200);
    // A program that is small at the first rung is trained by a worker, which has its own limits.
    EXPECT_TRUE(out.code == 0 || out.text.find("error[") != std::string::npos) << h.kind << ": " << out.text;
    EXPECT_TRUE(out.code >= 0 && out.code < 128) << h.kind << " killed it: " << out.text;
    fs::remove_all(dir + "/run");
  }
}

}  // namespace
}  // namespace gabbro
