// A campaign with real workers: runs the program as a user does, kills it and resumes it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agents/pieces.h"
#include "base/random.h"
#include "chat/server.h"
#include "cli/run.h"
#include "paths.h"
#include "record/event.h"
#include "store/store.h"
#include "worker/real_campaign.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

using testing::finish;

class RealCampaign : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_campaign" + std::to_string(getpid()));
    testing::make_corpus(root, testing::noun_text());
    std::ofstream(root / "small.toml") << R"(
blocks = 1
baselines = ["llama", "mamba2"]
hurdle_runs = 3
final_seeds = 3
tune_rates = false
search_share = 0.7
[[rung]]
name = "low"
params = "40k"
tokens = "8k"
sequences = 4
length = 32
rate = 0.005
promote_fraction = 0.34
stop_fraction = 0.25
documents = 8
[[rung]]
name = "high"
params = "60k"
tokens = "12k"
sequences = 4
length = 32
depth = 2
rate = 0.005
documents = 8
)";
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static pid_t start(const std::string& arguments) { return testing::start_gabbro(arguments, root / "log"); }
  // Returns the arguments of a campaign in `root`/`dir`.
  static std::string evolve(const std::string& dir, int trials = 16,
                            const std::string& preset = "small.toml") {
    return testing::evolve_arguments(root, dir, trials, preset);
  }
  static void expect_survives(int trials, int most_kills, const std::string& preset = "small.toml");
  // Returns designs, scores and hashes of weights and texts, without times.
  static std::string story(const std::string& dir) { return testing::story_of(root / dir); }

  static inline fs::path root;
};

// Answers as the model of every role. The beginning of a prompt tells which role must answer.
chat::ScriptedResponse play_roles(const chat::ReceivedRequest& seen) {
  using namespace agents::testing;
  const nlohmann::json request = nlohmann::json::parse(seen.body);
  const std::string prompt = request["messages"][1]["content"];
  std::string answer = "?";
  if (prompt.starts_with("Propose one new design")) answer = kProposal;
  if (prompt.starts_with("You review a proposal")) answer = review_reply(4);
  if (prompt.starts_with("Turn the proposal into units")) answer = kPlan;
  if (prompt.starts_with("You write units")) answer = kUnit;
  if (prompt.starts_with("You compare a finished program")) answer = agents::testing::observation_reply(4);
  if (prompt.starts_with("You search a library")) answer = R"({"queries": ["linear attention"]})";
  const nlohmann::json reply{
      {"choices", {{{"message", {{"role", "assistant"}, {"content", answer}}}, {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 1000}, {"completion_tokens", 100}}}};
  return {200, reply.dump(), "Content-Type: application/json\r\n"};
}

// A server plays the models and workers train. Designs written by agents are trained, can be read, and are
// reproduced from the record without the server.
TEST_F(RealCampaign, AgentsWriteDesignsAndTheRecordReplaysThem) {
  std::string key = "sk-very-secret-0123456789";
  setenv("GABBRO_TEST_KEY", key.c_str(), 1);
  {
    chat::Server server{play_roles};
    std::ofstream(root / "agents.toml")
        << "[cap]\nmoney = 1.0\n[[endpoint]]\nname = \"here\"\nurl = \"" << server.url()
        << "\"\nkey = \"GABBRO_TEST_KEY\"\n[[model]]\nname = \"m\"\nendpoint = \"here\"\nmodel = \"m\"\n"
           "input = 1.0\noutput = 2.0\n[pipeline]\nmutation = 1.0\ncrossover = 0.0\nscratch = 0.0\ntasks = "
           "1\n";
    // The place that the model proposes is one of Llama's. The first task has no other parent.
    std::ifstream small(root / "small.toml");
    std::string preset{std::istreambuf_iterator<char>(small), {}};
    const std::string both = R"(["llama", "mamba2"])";
    preset.replace(preset.find(both), both.size(), R"(["llama"])");
    std::ofstream(root / "llama.toml") << preset;
    ASSERT_EQ(
        finish(start(evolve("talked", 9, "llama.toml") + " --agents " + (root / "agents.toml").string())), 0)
        << gabbro("status " + (root / "talked").string()).text;
    EXPECT_GT(server.request_count(), 0);
  }
  const std::string run = (root / "talked").string();
  std::int64_t written = 0;
  {
    const auto store = store::Store::read(run + "/campaign.db");
    ASSERT_TRUE(store);
    for (const store::DesignRow& d : store->designs())
      if (const auto row = store->design(d.created.id); row && row->created.task != 0) written = d.created.id;
    EXPECT_EQ(store->trials().size(), 9U);
  }
  ASSERT_GT(written, 0) << gabbro("status " + run).text;
  const std::string design = "'" + run + "#" + std::to_string(written) + "'";
  EXPECT_NE(gabbro("show " + design).text.find("Leaky memory in place of attention"), std::string::npos);
  const std::string talk = gabbro("show --talk " + design).text;
  EXPECT_NE(talk.find("as reviewer"), std::string::npos) << talk;
  EXPECT_NE(talk.find("scan S: [k] = 0:"), std::string::npos) << talk;
  EXPECT_NE(gabbro("cost " + run).text.find("proposer"), std::string::npos);
  EXPECT_NE(gabbro("status " + run).text.find("agents:"), std::string::npos);
  // The server is gone, and so is the key.
  unsetenv("GABBRO_TEST_KEY");
  ASSERT_EQ(finish(start("evolve --dir " + (root / "again").string() + " --replay " + run)), 0)
      << gabbro("status " + (root / "again").string()).text;
  EXPECT_EQ(story("again"), story("talked"));
  EXPECT_EQ(gabbro("show --talk '" + (root / "again").string() + "#" + std::to_string(written) + "'").text,
            talk);
  EXPECT_EQ(gabbro("cost " + (root / "again").string()).text, gabbro("cost " + run).text);
  gabbro("report " + run).text;
  std::ifstream report(run + "/report.html");
  const std::string page{std::istreambuf_iterator<char>(report), {}};
  EXPECT_NE(page.find("Conversation"), std::string::npos);
  EXPECT_NE(page.find("as reviewer: "), std::string::npos);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(text.find(key), std::string::npos) << entry.path();
  }
}

// Runs a campaign of `trials` trials whole, and once more with at most `most_kills` kills at random moments.
// Expects the same designs and results from both.
void RealCampaign::expect_survives(int trials, int most_kills, const std::string& preset) {
  const std::string untouched = fmt::format("whole-{}-{}", trials, preset),
                    killed = fmt::format("killed-{}-{}", trials, preset);
  ASSERT_EQ(finish(start(evolve(untouched, trials, preset))), 0);
  const std::string whole = story(untouched);
  EXPECT_NE(whole.find(" done "), std::string::npos) << whole;

  Random random(9);
  pid_t child = start(evolve(killed, trials, preset));
  int kills = 0;
  for (int round = 0; round < 200; ++round) {
    usleep(static_cast<useconds_t>(300'000 + random.below(1'500'000)));
    ::kill(child, SIGKILL);
    if (finish(child) == 0) break;
    if (kills < most_kills) ++kills;
    child = start(fs::exists(root / killed / "campaign.db")
                      ? fmt::format("resume {} --trials {} --workers 1", (root / killed).string(), trials)
                      : evolve(killed, trials, preset));
    if (kills == most_kills) {
      ASSERT_EQ(finish(child), 0);
      break;
    }
  }
  EXPECT_GT(kills, most_kills / 3);
  EXPECT_EQ(story(killed), whole);

  // The other commands work on its record.
  for (const char* command : {"status", "top", "tree", "report"})
    EXPECT_EQ(finish(start(command + (" " + (root / killed).string()))), 0) << command;
  EXPECT_EQ(finish(start("show " + (root / killed).string() + "#3")), 0);
  EXPECT_EQ(finish(start("export " + (root / killed).string() + "#3 --out " +
                         (root / (killed + "-third")).string())),
            0);
  EXPECT_TRUE(fs::exists(root / (killed + "-third") / "design.gab"));
  EXPECT_EQ(finish(start(evolve(killed))), 2) << "there is a campaign already";
  EXPECT_EQ(finish(start("show " + (root / killed).string() + "#999")), 2);
}

TEST_F(RealCampaign, KilledAtAnyInstantItContinuesWithTheSameDesignsAndWeights) { expect_survives(6, 2); }
TEST_F(RealCampaign, KilledManyTimesItContinuesWithTheSameDesignsAndWeightsSlow) { expect_survives(16, 6); }

// The second rung trains PyTorch modules, in processes of Python that die with the campaign.
TEST_F(RealCampaign, KilledWithARungOfModulesItContinuesWithTheSameDesignsAndWeightsSlow) {
  std::ifstream small(root / "small.toml");
  std::ofstream(root / "modules.toml") << small.rdbuf() << "engine = \"pytorch\"\n";
  expect_survives(16, 8, "modules.toml");
  const auto store = store::Store::read((root / "killed-16-modules.toml" / "campaign.db").string());
  ASSERT_TRUE(store);
  int modules = 0;
  for (const store::TrialRow& t : store->trials())
    if (const auto result = store->result(t.begun.id); result && result->status == record::Status::kDone) {
      EXPECT_EQ(result->engine.empty(), t.begun.rung == 0) << result->engine;
      modules += result->engine.empty() ? 0 : 1;
    }
  EXPECT_GE(modules, 3) << "two baselines and a design that was promoted";
}

TEST_F(RealCampaign, CtrlCStopsAndResumeContinues) {
  const pid_t child = start(evolve("stopped"));
  for (int i = 0; i < 400 && !fs::exists(root / "stopped" / "trials" / "2" / "spec.json"); ++i)
    usleep(25'000);
  ::kill(child, SIGINT);
  EXPECT_EQ(finish(child), 1);
  EXPECT_EQ(finish(start("resume " + (root / "stopped").string() + " --trials 6 --workers 1")), 0);
  const auto store = store::Store::read((root / "stopped" / "campaign.db").string());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->trials().size(), 6U);
}

// Capabilities (rung 0) and scale are run and shown as the preset asks.
TEST_F(RealCampaign, ItsReportShowsCapabilitiesAndScaleSlow) {
  std::ifstream small(root / "small.toml");
  std::ofstream(root / "asks.toml") << "capabilities = [\"memorisation\"]\n" << small.rdbuf();
  ASSERT_EQ(finish(start(evolve("asks", 16, "asks.toml"))), 0);
  const std::string run = root / "asks";
  const auto store = store::Store::read(run + "/campaign.db");
  ASSERT_TRUE(store);
  EXPECT_GE(store->profiles().size(), 3U) << "the baselines and one that was promoted";
  for (const record::Profiled& p : store->profiles())
    EXPECT_NE(p.result.find("\"status\": \"done\""), std::string::npos) << p.result;
  const std::string scale = "scale " + run + "#1 " + run +
                            "#2 --sizes 20k,30k,40k --tokens 8k --seq 32 --batch 4 --seeds 2 --lr 0.005 "
                            "--valid-documents 8 --data ";
  const std::string first = gabbro(scale + (root / "corpus").string()).text;
  EXPECT_NE(first.find("2 designs of 2 seeds"), std::string::npos) << first;
  const std::string report = gabbro("report " + run).text;
  std::ifstream file(run + "/report.html");
  const std::string html{std::istreambuf_iterator<char>(file), {}};
  for (const char* part :
       {"What promoted designs can learn without any text", "memorisation", "At other sizes"})
    EXPECT_NE(html.find(part), std::string::npos) << report << part;
  // Runs on other texts are not joined with these.
  std::ofstream(root / "more.txt") << "the well is called well by all\n<|endoftext|>\n";
  data::BuildOptions options;
  options.out = root / "other";
  options.sources = {root / "a.txt", root / "more.txt"};
  options.tokenizer = root / "corpus/tokenizer.model";
  options.valid_share = 0.1;
  ASSERT_TRUE(data::build_corpus(options, {}));
  const std::string exchanged = gabbro(scale + (root / "other").string()).text;
  EXPECT_NE(exchanged.find("holds a study on another corpus"), std::string::npos) << exchanged;
}

}  // namespace
}  // namespace gabbro
