// Tests of commands that are given files and folders of other kinds than they need.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/lock.h"
#include "campaign/record_builder.h"
#include "folder.h"
#include "run.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

class Folders : public FolderTest {
 protected:
  Folders() : FolderTest("gabbro_folders") {}
  void SetUp() override {
    FolderTest::SetUp();
    std::string text;
    for (int i = 0; i < 300; ++i)
      text += fmt::format("the stone of number {} lies under the old bridge\n<|endoftext|>\n", i * 7919);
    text_file = file("text.txt", text);
    ASSERT_EQ(gabbro("data build --vocab 320 --valid 0.1 --out " + dir + "/corpus " + text_file).code, 0);
    for (const char* name : {"campaign", "study", "run"}) fs::create_directories(dir + "/" + name);
    (void)file("campaign/campaign.db", "");
    (void)file("study/scale.json", "{}");
    (void)file("run/spec.json", "{}");
  }
  void expect_refused(const std::string& arguments, const std::string& says) const {
    const Output out = gabbro(arguments);
    EXPECT_EQ(out.code, 2) << arguments << "\n" << out.text;
    EXPECT_NE(out.text.find(says), std::string::npos) << arguments << "\n" << out.text;
  }
  std::string text_file;
};

TEST_F(Folders, OfOtherKindsAreNotWrittenTo) {
  const std::string data = " --data " + dir + "/corpus", zoo = source_path("/zoo/llama.gab");
  const std::vector<std::pair<std::string, std::string>> kinds{{"campaign", "is the folder of a campaign"},
                                                               {"corpus", "is a corpus"},
                                                               {"study", "is a study of scales"},
                                                               {"run", "is the folder of a run"}};
  for (const auto& [name, says] : kinds) {
    const std::string folder = dir + "/" + name;
    if (name != "run") expect_refused("train " + zoo + data + " --params 60k --out " + folder, says);
    if (name != "study") expect_refused("scale " + zoo + data + " --sizes 30k,60k,90k --out " + folder, says);
    if (name != "campaign") expect_refused("evolve --preset laptop --dir " + folder + data, says);
    if (name != "run" && name != "campaign") expect_refused("eval " + folder, says);
    EXPECT_FALSE(fs::exists(folder + "/trials"));
  }
}

TEST_F(Folders, ACampaignForAMachineWithoutAGpuBeginsNothing) {
  for (const char* gpu : {"/dev/nvidiactl", "/dev/kfd", "/dev/dxg"})
    if (fs::exists(gpu)) GTEST_SKIP() << "this machine has a GPU";
  const std::string preset = file("preset.toml",
                                  "baselines = [\"llama\"]\n[[rung]]\nname = \"only\"\nparams = \"100k\"\n"
                                  "tokens = \"50k\"\nengine = \"pytorch\"\ndevice = \"cuda\"\n");
  expect_refused("evolve --preset " + preset + " --dir " + dir + "/new --data " + dir + "/corpus",
                 "rung only: the device is cuda, but this machine has no GPU");
  EXPECT_FALSE(fs::exists(dir + "/new"));
  expect_refused("train " + source_path("/zoo/llama.gab") +
                     " --params 60k --engine pytorch --device cuda:1 --out " + dir + "/new --data " + dir +
                     "/corpus",
                 "this machine has no GPU");
  EXPECT_FALSE(fs::exists(dir + "/new"));
}

// Whoever takes the lock of a campaign runs it, as far as `status` can see.
TEST_F(Folders, StatusAsksWhetherACampaignRuns) {
  campaign::RecordBuilder m;
  m.session(true);
  m.run(m.baseline("llama"), 0, 7, 2.5, record::Purpose::kBaseline);
  const campaign::TemporaryFolder folder;
  { const store::Store store = m.store(folder); }
  EXPECT_NE(gabbro("status " + folder.file("")).text.find("not ended: killed"), std::string::npos);
  const auto lock = Lock::take(folder.file(""));
  ASSERT_TRUE(lock) << lock.error().message;
  const std::string text = gabbro("status " + folder.file("")).text;
  EXPECT_NE(text.find("UTC, running; last event"), std::string::npos) << text;
}

TEST_F(Folders, RungsOnAClusterNeedNoGpuHereAndMustExist) {
  const std::string preset = file("cuda.toml",
                                  "baselines = [\"llama\"]\n[[rung]]\nname = \"only\"\nparams = \"100k\"\n"
                                  "tokens = \"50k\"\nengine = \"pytorch\"\ndevice = \"cuda\"\n"),
                    data = " --data " + dir + "/corpus";
  const std::string other = file("other.toml", "[slurm]\n[slurm.rungs.Only]\npartition = \"gpu\"\n");
  expect_refused("evolve --preset " + preset + " --dir " + dir + "/a" + data + " --slurm " + other,
                 "the campaign has no rung 'Only'");
  const std::string mine = file("mine.toml", "[slurm]\n[slurm.rungs.only]\npartition = \"gpu\"\n");
  const Output out = gabbro("evolve --preset " + preset + " --dir " + dir + "/b" + data + " --slurm " + mine +
                            " --minutes 0.01");
  EXPECT_EQ(out.text.find("has no GPU"), std::string::npos) << out.text;
  EXPECT_TRUE(fs::exists(dir + "/b/slurm.toml")) << out.text;
  expect_refused("resume " + dir + "/b --executor local --slurm " + mine, "--executor is local");
  (void)gabbro("resume " + dir + "/b --executor local --minutes 0.001");
  EXPECT_TRUE(fs::exists(dir + "/b/local"));
  (void)gabbro("resume " + dir + "/b --executor slurm --minutes 0.001");
  EXPECT_FALSE(fs::exists(dir + "/b/local"));
}

TEST_F(Folders, ACorpusThatIsMissingIsReportedBeforeTheFolderIsMade) {
  expect_refused("evolve --preset laptop --dir " + dir + "/new --data " + dir + "/nothing", "nothing");
  EXPECT_FALSE(fs::exists(dir + "/new"));
}

TEST_F(Folders, APlanHasTheVocabularyOfItsCorpus) {
  const Output out = gabbro("evolve --preset laptop --plan --data " + dir + "/corpus");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_NE(out.text.find("a vocabulary of 320 tokens"), std::string::npos) << out.text;
  expect_refused("evolve --preset laptop --plan --data " + dir + "/nothing", "nothing");
}

// Folders that cannot be written: files stand in their places, since the tests may run as root.
TEST_F(Folders, CampaignsThatCannotBeWrittenAreReadAndNotSteered) {
  campaign::RecordBuilder m;
  m.session(true);
  m.run(m.baseline("llama"), 0, 7, 2.5, record::Purpose::kBaseline);
  m.session(false);
  const campaign::TemporaryFolder folder;
  { const store::Store store = m.store(folder); }
  fs::create_directories(folder.file("report.html"));
  std::ofstream(folder.file("inbox")) << "";
  expect_refused("report " + folder.file(""), "hint: write it elsewhere with --out FILE");
  EXPECT_EQ(gabbro("report " + folder.file("") + " --out " + dir + "/report.html").code, 0);
  expect_refused("steer " + folder.file("") + " --pause", "steer it from where that can be written");
}

TEST_F(Folders, SourcesThatCannotBeSplitOrReadTwiceSaySo) {
  std::string one;
  for (int i = 0; i < 300; ++i) one += fmt::format("the stone of number {} lies there\n", i * 7919);
  expect_refused("data build --vocab 320 --out " + dir + "/c --valid 0.5 " + file("one.txt", one),
                 "which cannot be both trained on and held out");
  expect_refused("data build --vocab 320 --out " + dir + "/c -", "the standard input can be read only once");
  ASSERT_EQ(mkfifo((dir + "/pipe").c_str(), 0600), 0);
  expect_refused("train " + source_path("/zoo/llama.gab") + " --params 60k --data " + dir +
                     "/corpus --task gold=" + dir + "/pipe",
                 "not a regular file");
}

}  // namespace
}  // namespace gabbro
