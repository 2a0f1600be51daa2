// Tests of the program as users run it: exit codes, messages, JSON.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.h"
#include "cli/run.h"
#include "paths.h"
#include "record/trial.h"

namespace gabbro {
namespace {

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
  for (const char* key :
       {"file", "valid", "causal", "prefix_consistent", "batch_independent", "mixes_tokens",
        "receptive_field", "params", "train_flops_per_token", "train_flops_per_step",
        "decode_flops_per_token", "state_bytes", "state_grows", "complexity", "hash", "errors"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json["receptive_field"], 2);
  EXPECT_EQ(json["state_bytes"], 4 * 256);
  EXPECT_EQ(json["state_grows"], false);
}

// The text states the work per step on parameters only if it is at least 1/1000 of the work per token.
TEST(Cli, CheckStatesWorkOnParameters) {
  const std::string design =
      "design M:\n    width = 64\n    vocab = 100\n    stack = [Block(mlp=U), RMSNorm]\n";
  const auto check = [&](const std::string& body, const std::string& options) {
    return gabbro("check " + options +
                  write_program("work.gab", "unit U(x: [t, D]) -> [t, D]:\n" + body + "\n\n" + design))
        .text;
  };
  const std::string much =
                        "    axis j = D\n    return x * dot(param([D, j], init=normal(1)), param([D, j], "
                        "init=normal(1)), over=j)",
                    little = "    return x * exp(param([D], init=0))";
  EXPECT_NE(check(much, "").find("FLOPs/step train    24.67k, on parameters and constants alone = 6·D² + "),
            std::string::npos)
      << check(much, "");
  EXPECT_EQ(check(little, "").find("FLOPs/step"), std::string::npos);
  EXPECT_GT(nlohmann::json::parse(check(little, "--json "))["train_flops_per_step"], 0);
}

TEST(Cli, CheckJsonReportsErrors) {
  const Output out = gabbro("check --json " + write_program("bad.gab", kBad));
  EXPECT_EQ(out.code, 1);
  const auto json = nlohmann::json::parse(out.text);
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["errors"][0]["line"], 2);
  EXPECT_EQ(json["errors"][0]["code"], "future");
  const auto good = nlohmann::json::parse(gabbro("check --json " + write_program("good.gab", kGood)).text);
  for (const auto& [key, value] : good.items()) EXPECT_TRUE(json.contains(key)) << key;
}

TEST(Cli, ShowRejectsWhatItCannotShow) {
  const std::string path = write_program("good.gab", kGood);
  for (const auto& [arguments, message] :
       {std::pair<std::string, const char*>{path + " --talk", "--talk needs a design of a campaign"},
        {"runs/none#x", "'runs/none#x' does not name a design"},
        {"runs/none#3", "there is no campaign in runs/none"}}) {
    const Output out = gabbro("show " + arguments);
    EXPECT_EQ(out.code, 2) << arguments;
    EXPECT_NE(out.text.find(message), std::string::npos) << out.text;
  }
}

TEST(Cli, CheckJsonReportsFilesThatCannotBeRead) {
  const Output out = gabbro("check --json /nowhere.gab");
  EXPECT_EQ(out.code, 2);
  const std::size_t start = out.text.find('{');  // The message on standard error may come first.
  ASSERT_NE(start, std::string::npos) << out.text;
  const auto json = nlohmann::json::parse(out.text.substr(start, out.text.find('\n', start) - start));
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["errors"][0]["code"], "io");
}

TEST(Cli, UsageErrorsNameCommandAndRange) {
  EXPECT_EQ(gabbro("check --width -1 x").text,
            "gabbro check: --width: Value -1 not in range 1 to 16777216\nRun `gabbro check --help` for its "
            "options.\n");
  EXPECT_EQ(gabbro("check").text,
            "gabbro check: FILE is required\nRun `gabbro check --help` for its options.\n");
}

TEST(Cli, NumbersOfTokensMayHaveAUnit) {
  const std::string check = "check " + source_path("/zoo/llama.gab") + " --width 128";
  const Output out = gabbro(check + " --vocab 32000 --context 4000");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_EQ(gabbro(check + " --vocab 32k --context 4k").text, out.text);
  EXPECT_NE(gabbro(check + " --vocab 32x").text.find("--vocab"), std::string::npos);
}

TEST(Cli, ImpossibleBudgetsSayWhyAndWhere) {
  const std::string path = write_program("m.gab", "design M:\n    stack = [4 * Block, RMSNorm]\n");
  const Output out = gabbro("check --params 10 " + path);
  EXPECT_EQ(out.code, 1);
  EXPECT_TRUE(out.text.starts_with(path + ":2:13: error[budget]: M cannot have 10 parameters")) << out.text;
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
  EXPECT_TRUE(nlohmann::json::parse(out.text)["moved"].empty());
}

TEST(Cli, ResizingSaysWhatItMoved) {
  const std::string path = write_program(
      "mamba.gab", "design M:\n    vocab = 512\n    stack = [16 * Residual(inner=Mamba2), RMSNorm]\n");
  const Output text = gabbro("check --params 150k " + path);
  EXPECT_NE(text.text.find("D = 30, free hyperparameters x 1, Mamba2.state 16 to 23\n"), std::string::npos)
      << text.text;
  const auto moved = nlohmann::json::parse(gabbro("check --json --params 150k " + path).text)["moved"];
  EXPECT_EQ(moved, nlohmann::json::parse(R"([{"unit": "Mamba2", "hyper": "state", "from": 16, "to": 23}])"));
}

TEST(Cli, HugeAndBinaryFilesAreRefused) {
  const std::string path = write_program("zeros.gab", std::string(16, '\0'));
  EXPECT_NE(gabbro("check " + path).text.find("error[encoding]"), std::string::npos);
  std::filesystem::resize_file(path, 100'000'000);
  const Output out = gabbro("check " + path);
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("larger than 1048576 bytes"), std::string::npos);
}

TEST(Cli, SuggestsCorrectionsOfMistypedWords) {
  EXPECT_EQ(
      gabbro("chek x").text,
      "gabbro: unknown command 'chek'; did you mean 'check'?\nRun `gabbro --help` for a list of commands.\n");
  EXPECT_EQ(
      gabbro("check --jsno x").text,
      "gabbro check: unexpected argument '--jsno'; did you mean '--json'?\nRun `gabbro check --help` for its "
      "options.\n");
  EXPECT_EQ(gabbro("check --jsno x").code, 2);
}

TEST(Cli, OptionsOfOtherCommandsAreNamedWithoutTheirValues) {
  EXPECT_EQ(
      gabbro("resume x --threads 1").text,
      "gabbro resume: unexpected option '--threads'; a campaign continues as `gabbro evolve` began it\nRun "
      "`gabbro resume --help` for its options.\n");
  EXPECT_EQ(gabbro("resume x --aa --preset=laptop").text,
            "gabbro resume: unexpected option '--aa'; a campaign continues as `gabbro evolve` began it\n"
            "gabbro resume: unexpected option '--preset'; a campaign continues as `gabbro evolve` began it\n"
            "Run `gabbro resume --help` for its options.\n");
  EXPECT_EQ(
      gabbro("status --minutes 3 x").text,
      "gabbro status: unexpected option '--minutes'; it belongs to `gabbro evolve` and `gabbro resume`\nRun "
      "`gabbro status --help` for its options.\n");
  EXPECT_EQ(gabbro("check --seed 3 x").code, 2);
}

TEST(Cli, DiffTellsWhatChanged) {
  const std::string a = write_program("a.gab", "design M:\n    stack = [4 * Block(mixer=GLA), RMSNorm]\n");
  const std::string b =
      write_program("b.gab", "design M:\n    stack = [4 * Block(mixer=GLA(heads=8)), RMSNorm]\n");
  const Output same = gabbro("diff " + a + " " + a);
  EXPECT_EQ(same.code, 0);
  EXPECT_EQ(same.text, "same tree\n");
  const Output out = gabbro("diff " + a + " " + b);
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find("stack.0.*.mixer.heads (" + b + ":2)\n+ 8\n"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("parameters"), std::string::npos) << out.text;
  const auto json = nlohmann::json::parse(gabbro("diff --json " + a + " " + b).text);
  EXPECT_EQ(json["same_tree"], false);
  EXPECT_EQ(json["same_function"], false);
  EXPECT_EQ(json["changes"][0]["after"], "8");
  EXPECT_EQ(gabbro("diff " + a).code, 2);
  EXPECT_EQ(gabbro("diff " + a + " /nowhere.gab").code, 2);
  EXPECT_EQ(gabbro("diff " + a + " " + write_program("broken.gab", "design M\n")).code, 2);
}

TEST(Cli, DiffRecognisesTheSameFunction) {
  const std::string a =
      write_program("a.gab", "unit A(x: [t, D]) -> [t, D]:\n    y = linear(x, D)\n    return y + x\n");
  const std::string b =
      write_program("b.gab", "unit A(x: [t, D]) -> [t, D]:\n    z = linear(x, D)\n    return x + z\n");
  const Output out = gabbro("diff " + a + " " + b);
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find("same function"), std::string::npos) << out.text;
}

TEST(Cli, ColoursOnlyOnRequest) {
  const std::string path = write_program("good.gab", kGood);
  EXPECT_EQ(gabbro("show " + path).text.find('\x1b'), std::string::npos);
  EXPECT_NE(gabbro("show --color always " + path).text.find('\x1b'), std::string::npos);
  EXPECT_EQ(gabbro("show --color never " + path).text.find('\x1b'), std::string::npos);
}

TEST(Cli, ReportsAFullDisk) {
  const Output out = gabbro("check " + write_program("good.gab", kGood) + " > /dev/full");
  EXPECT_EQ(out.code, 2);
}

// Beyond a limit of file sizes, the kernel sends a signal that ends a program unless it is ignored.
TEST(Cli, ReportsALimitOfFileSizes) {
  const std::string folder = testing::TempDir() + "gabbro_limited";
  std::filesystem::remove_all(folder);
  const std::string design =
      write_program("limited.gab", "design M:\n    stack = [Block(mixer=Attention)]\n");
  const Output out = run_command("(ulimit -f 0; " + gabbro_path() + " export --format torch --out " + folder +
                                 " " + design + ") 2>&1");
  EXPECT_EQ(out.code, 2) << out.text;
  EXPECT_NE(out.text.find("cannot write " + folder), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("File too large"), std::string::npos) << out.text;
  std::filesystem::remove_all(folder);
}

TEST(Cli, ReferenceContainsLanguageFunctionsAndUnits) {
  const std::string core = gabbro("reference --core").text, all = gabbro("reference").text;
  EXPECT_TRUE(all.starts_with(core));
  EXPECT_TRUE(core.starts_with("# Gab"));
  for (const char* part : {"- linear(x, out", "- `fn softmax(x, over)`", "- `unit GLA(x: [t, D]"})
    EXPECT_NE(all.find(part), std::string::npos) << part;
}

TEST(Cli, DataBuildsAndInspectsCorpora) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += "the stone of number " + std::to_string(i * 7919) +
            " lies under the old bridge of the town\n<|endoftext|>\n";
  const std::string source = write_program("stones.txt", text), folder = testing::TempDir() + "stones_corpus";
  std::filesystem::remove_all(folder);
  const std::string build = "data build --vocab 320 --valid 0.1 --out " + folder + " " + source;
  const Output built = gabbro(build);
  EXPECT_EQ(built.code, 0) << built.text;
  EXPECT_NE(built.text.find("vocabulary of 320"), std::string::npos) << built.text;
  EXPECT_EQ(gabbro("data info --verify " + folder).code, 0);
  EXPECT_EQ(nlohmann::json::parse(gabbro("data info --json " + folder).text)["vocab"], 320);
  EXPECT_EQ(gabbro(build).code, 2) << "a corpus is not written over";
  EXPECT_EQ(gabbro("data info /nowhere").code, 2);
  EXPECT_EQ(gabbro("data").code, 2);
  EXPECT_EQ(gabbro("data biuld x").code, 2);
  EXPECT_NE(gabbro("data biuld x").text.find("unknown command 'biuld'; did you mean 'build'?"),
            std::string::npos);
  const Output small = gabbro("data build --vocab 4096 --out " + folder + "_small " + source);
  EXPECT_EQ(small.code, 2);
  EXPECT_NE(small.text.find("cannot train a vocabulary of 4096 tokens: Vocabulary size too high"),
            std::string::npos)
      << small.text;
  std::filesystem::remove_all(folder);
}

TEST(Cli, ResumesWithACorpusThatHasMoved) {
  if (!std::filesystem::exists(worker_path()))
    GTEST_SKIP() << "gabbro-worker is not built here: it needs libtorch";
  const std::string dir = testing::TempDir() + "moved_corpus", run = dir + "/run";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  for (const char* name : {"bridge", "harbour"}) {
    std::string text;
    for (int i = 0; i < 300; ++i)
      text += "the stone of number " + std::to_string(i * 7919) + " lies under the old " + name +
              " of the town\n<|endoftext|>\n";
    const std::string source = write_program(std::string(name) + ".txt", text);
    ASSERT_EQ(gabbro("data build --vocab 320 --valid 0.1 --out " + dir + "/" + name + " " + source).code, 0);
  }
  const std::string preset = write_program(
      "one_rung.toml", "baselines = [\"llama\"]\n[[rung]]\nparams = \"100k\"\ntokens = \"50k\"\n");
  const std::string briefly = " --minutes 0.0001 --workers 1";
  const Output begun =
      gabbro("evolve --dir " + run + " --data " + dir + "/bridge --preset " + preset + briefly);
  ASSERT_EQ(begun.code, 0) << begun.text;
  EXPECT_EQ(gabbro("show " + run).text.find(run + " is a campaign"),
            std::string("gabbro show: error[usage]: ").size());
  std::filesystem::rename(dir + "/bridge", dir + "/moved");
  Output out = gabbro("resume " + run + briefly);
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("pass its folder with"), std::string::npos) << out.text;
  out = gabbro("resume " + run + " --data " + dir + "/harbour" + briefly);
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("is not the corpus of this campaign"), std::string::npos) << out.text;
  out = gabbro("resume " + run + " --data " + dir + "/moved" + briefly);
  EXPECT_EQ(out.code, 0) << out.text;
  std::filesystem::remove_all(dir);
}

// A design compared with a copy of itself is trained, and nothing is claimed.
TEST(Cli, ScaleOfOneFunctionClaimsNothing) {
  if (!std::filesystem::exists(worker_path()))
    GTEST_SKIP() << "gabbro-worker is not built here: it needs libtorch";
  const std::string dir = testing::TempDir() + "scale_copy";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  std::string text;
  for (int i = 0; i < 1500; ++i)
    text += "the stone of number " + std::to_string(i * 7919) +
            " lies under the old bridge of the town\n<|endoftext|>\n";
  ASSERT_EQ(gabbro("data build --vocab 320 --valid 0.02 --out " + dir + "/corpus " +
                   write_program("stones.txt", text))
                .code,
            0);
  const std::string llama = source_path("/zoo/llama.gab");
  std::string copy = *read_file(llama, 1 << 20);
  copy.replace(copy.find("design Llama"), 12, "design Copy");
  const std::string options =
                        " --data " + dir + "/corpus --tokens 2048 --seq 32 --batch 4 --blocks 1 --seeds 1",
                    study = "scale " + llama + " " + write_program("copy.gab", copy) + options +
                            " --sizes 12k,16k,20k --out " + dir + "/study";
  Output out = gabbro(study);
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_NE(out.text.find("Llama and Copy are the same function at 12k, 16k, 20k"), std::string::npos);
  EXPECT_NE(out.text.find("6 to 16 runs search for learning rates at 12k, then come 6 runs"),
            std::string::npos)
      << out.text;
  EXPECT_NE(out.text.find("the same function at 20k: their runs agree by construction."), std::string::npos)
      << out.text;
  // The choices of a study cannot be made again after its results were seen.
  const std::string base = "scale " + llama + " " + write_program("copy.gab", copy) + " --data " + dir +
                           "/corpus --seq 32 --batch 4 --blocks 1 --out " + dir + "/study";
  for (const auto& [choices, says] :
       {std::pair{" --tokens 2048 --seeds 1 --sizes 12k,16k,24k",
                  "the sizes 12k,16k,20k, but --sizes is 12k,16k,24k"},
        {" --tokens 2048 --seeds 1 --sizes 12k,16k,20k --lr 0.02",
         "learning rates from 0.008, but --lr is 0.02"},
        {" --tokens 2048 --seeds 2 --sizes 12k,16k,20k", "1 seeds, but --seeds is 2"},
        {" --tokens 4096 --seeds 1 --sizes 12k,16k,20k", "runs of 2048 tokens at every size, but now"}}) {
    out = gabbro(base + choices);
    EXPECT_EQ(out.code, 2) << out.text;
    EXPECT_NE(out.text.find(says), std::string::npos) << out.text;
  }
  out = gabbro("scale " + llama + options + " --sizes 12k,16k,20k --out " + dir + "/study");
  EXPECT_NE(out.text.find("the designs Llama,Copy, but now they are Llama"), std::string::npos) << out.text;
  const auto runs = nlohmann::json::parse(*read_file(dir + "/study/scale.json", 1 << 24))["runs"];
  ASSERT_EQ(runs.size(), 6U);
  for (const auto& run : runs) {
    EXPECT_EQ(run["hash"].get<std::string>().size(), 32U);
    EXPECT_GT(run["unread_bits"], 0);
  }
  // Another run's weights are still refused.
  std::vector<std::string> results;
  for (const char* size : {"12k", "16k"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir + "/study/Llama/" + size))
      if (entry.path().filename() == "result.json" &&
          entry.path().string().find("seed-1-") != std::string::npos)
        results.push_back(entry.path());
  ASSERT_EQ(results.size(), 2U);
  auto taken = *record::parse_result(*read_file(results[0], 1 << 24)),
       changed = *record::parse_result(*read_file(results[1], 1 << 24));
  changed.weights_hash = taken.weights_hash;
  std::ofstream(results[1]) << record::to_json(changed);
  out = gabbro(study);
  EXPECT_EQ(out.code, 2) << out.text;
  EXPECT_NE(out.text.find("has the same weights as"), std::string::npos) << out.text;
  // A design without a score at any learning rate has none to be trained with.
  out = gabbro("scale " + llama + options + " --lr 1e5 --sizes 12k,16k,20k --out " + dir + "/lost");
  EXPECT_EQ(out.code, 1) << out.text;
  EXPECT_NE(out.text.find("Llama at 12k has no score at any of the 8 learning rates tried"),
            std::string::npos)
      << out.text;
  std::filesystem::remove_all(dir);
}

// Every program in the documentation passes the checker unchanged.
TEST(Cli, ProgramsOfTheDocumentationCheck) {
  int programs = 0;
  for (const char* file : {"README.md", "docs/language.md", "docs/commands.md", "docs/grammar.md"}) {
    std::ifstream in(source_path("/") + file);
    ASSERT_TRUE(in.good()) << file;
    std::string program;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
      if (line == "```gab") {
        inside = true;
        program.clear();
      } else if (inside && line == "```") {
        inside = false;
        ++programs;
        const Output out = gabbro("check " + write_program("documented.gab", program));
        EXPECT_EQ(out.code, 0) << file << "\n" << program << out.text;
      } else if (inside) {
        program += line + "\n";
      }
    }
  }
  EXPECT_GE(programs, 2);
}

struct FakeRun {
  std::string name;
  std::vector<double> documents;  // bits per byte of each
  std::string held_out_hash = "held out";
  std::int64_t params = 300'000;
  record::TrialSpec spec = {};
  double unread_bits = 0;  // bits per byte of unread training text; 0: not scored
};

// Writes the folder of a run without weights, as `gabbro compare` reads it; returns its path.
std::string write_run(const FakeRun& run) {
  const auto& [name, documents, held_out_hash, params, given_spec, unread_bits] = run;
  record::TrialSpec spec = given_spec;
  if (unread_bits > 0) spec.unread_tokens = 1000;
  record::TrialResult r;
  r.rate = spec.rate;
  r.width = 64;
  r.weights_hash = name;
  r.first_loss = 6, r.last_loss = 2, r.valid_loss = 2;
  r.curve = {{.step = 1, .tokens = spec.tokens, .loss = 2, .gradient_norm = 1, .rate = 0.001, .recent = 2}};
  for (const std::string_view anchor : record::kAnchors)
    r.anchors.push_back({std::string(anchor), true, "held"});
  r.status = record::Status::kDone;
  r.design = name;
  r.params = params;
  r.tokens = spec.tokens;
  r.text_hash = "order 1";
  r.held_out_hash = held_out_hash;
  for (const double bits : documents) {
    r.documents.push_back({bits, 100});
    r.bits_per_byte += bits / static_cast<double>(documents.size());
  }
  r.bigram_bits_per_byte = 9, r.bits_low = 0, r.bits_high = 9;
  if (unread_bits > 0) r.unread_tokens = 1000, r.unread_loss = unread_bits * record::nats_per_bit(r);
  r.valid_documents = documents.size();
  r.valid_bytes = 100 * documents.size();
  const std::filesystem::path folder = testing::TempDir() + "compare_" + name;
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "result.json") << record::to_json(r);
  std::ofstream(folder / "spec.json") << record::to_json(spec);
  return folder;
}

TEST(Compare, PairsRunsByDocument) {
  // Documents differ by whole bits, but the two runs differ by only a hundredth on each.
  const std::string first = write_run({.name = "first", .documents = {1, 2, 3, 4}, .unread_bits = 2.5}),
                    worse = write_run(
                        {.name = "worse", .documents = {1.01, 2.011, 3.01, 4.009}, .unread_bits = 2.51}),
                    unclear =
                        write_run({.name = "unclear", .documents = {0.5, 2.5, 3.6, 3.5}, .params = 330'000});
  const Output out = gabbro("compare --json " + first + " " + worse + " " + unclear);
  ASSERT_EQ(out.code, 0) << out.text;
  const auto json = nlohmann::json::parse(out.text);
  ASSERT_EQ(json.size(), 3U);
  EXPECT_FALSE(json[0].contains("difference"));
  EXPECT_NEAR(json[1]["difference"], 0.01, 1e-9);
  EXPECT_GT(json[1]["low"], 0.008);  // t with 3 degrees of freedom and a standard error of 0.0004
  EXPECT_LT(json[1]["high"], 0.012);
  EXPECT_EQ(json[1]["verdict"], "behind");
  EXPECT_EQ(json[1]["caveat"], "");
  EXPECT_EQ(json[2]["verdict"], "no significant difference");
  EXPECT_EQ(json[2]["caveat"], "+10.0 % parameters");
  const Output text = gabbro("compare " + first + " " + worse);
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.text.find("+0.0100 ["), std::string::npos) << text.text;
}

// Other differences between the runs are shown next to the difference.
TEST(Compare, NamesWhatElseDiffers) {
  const std::string first = write_run({.name = "plain", .documents = {1, 2}});
  record::TrialSpec spec;
  const auto caveat = [&] {
    const Output out = gabbro("compare --json " + first + " " +
                              write_run({.name = "changed", .documents = {1, 2}, .spec = spec}));
    return nlohmann::json::parse(out.text)[1]["caveat"].get<std::string>();
  };
  EXPECT_EQ(caveat(), "");
  spec.rate = 0.012;
  EXPECT_EQ(caveat(), "learning rate 0.012 instead of 0.003");
  spec = {};
  spec.schedule = record::RateSchedule::kWsd, spec.decay = 0;
  EXPECT_EQ(caveat(), "schedule wsd instead of cosine; weight decay 0 instead of 0.1");
  spec = {};
  spec.dtype = record::Dtype::kBf16, spec.sequences = 8;
  EXPECT_EQ(caveat(), "dtype bf16 instead of float32; tokens per batch 2048 instead of 4096");
  std::filesystem::remove(first + "/spec.json");
  spec = {};
  EXPECT_NE(caveat().find("spec.json is missing or invalid"), std::string::npos);
}

// A program that contains the held-out documents is ahead on them alone.
TEST(Compare, SaysWhatUnreadTextDoesNotShow) {
  const std::string first = write_run({.name = "plain", .documents = {1, 2, 3, 4}, .unread_bits = 2.5});
  const auto compared = [&](double unread) {
    const std::string ahead =
        write_run({.name = "knows", .documents = {0.9, 1.89, 2.9, 3.91}, .unread_bits = unread});
    return nlohmann::json::parse(gabbro("compare --json " + first + " " + ahead).text)[1];
  };
  EXPECT_EQ(compared(2.4)["verdict"], "ahead");
  EXPECT_EQ(compared(2.4)["caveat"], "");
  EXPECT_NEAR(compared(2.4)["unread_difference"], -0.1, 1e-9);
  for (const double unread : {2.46, 2.6})
    EXPECT_NE(compared(unread)["caveat"].get<std::string>().find("on training text that neither has read"),
              std::string::npos);
  EXPECT_TRUE(compared(0)["caveat"].get<std::string>().starts_with("no training text that both"));
  EXPECT_TRUE(compared(0)["unread_difference"].is_null());
}

TEST(Compare, SaysWhyItCannot) {
  const std::string first = write_run({.name = "one", .documents = {1, 2}}),
                    other =
                        write_run({.name = "other", .documents = {1, 2}, .held_out_hash = "another text"}),
                    shorter = write_run({.name = "shorter", .documents = {1, 2, 3}}),
                    single = write_run({.name = "single", .documents = {1}}),
                    alone = write_run({.name = "alone", .documents = {1.1}});
  const Output apart = gabbro("compare " + first + " " + other);
  EXPECT_EQ(apart.code, 2);
  EXPECT_NE(apart.text.find("of different text or with different vocabularies"), std::string::npos)
      << apart.text;
  const Output fewer = gabbro("compare " + first + " " + shorter);
  EXPECT_EQ(fewer.code, 2);
  EXPECT_NE(fewer.text.find("were scored on different held-out text"), std::string::npos) << fewer.text;
  const Output none = gabbro("compare " + first + " " + testing::TempDir() + "nowhere");
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.text.find("there is no finished run in"), std::string::npos) << none.text;
  const Output document = gabbro("compare " + single + " " + alone);
  EXPECT_EQ(document.code, 0);
  EXPECT_NE(document.text.find("one document"), std::string::npos) << document.text;
  const Output nameless =
      gabbro("compare " + write_run({.name = "nameless", .documents = {1, 2}, .held_out_hash = ""}) + " " +
             write_run({.name = "too", .documents = {1, 2}, .held_out_hash = ""}));
  EXPECT_EQ(nameless.code, 2);
  EXPECT_NE(nameless.text.find("inconsistent result"), std::string::npos) << nameless.text;
  // The score is not the mean of its documents.
  record::TrialResult r = *record::parse_result(*read_file(other + "/result.json"));
  r.bits_per_byte -= 0.5;
  std::ofstream(other + "/result.json") << record::to_json(r);
  const Output changed = gabbro("compare " + other + " " + other);
  EXPECT_EQ(changed.code, 2);
  EXPECT_NE(changed.text.find("its documents have 1.5"), std::string::npos) << changed.text;
  // The spec is that of another run.
  record::TrialSpec twice;
  twice.tokens *= 2;
  std::ofstream(shorter + "/spec.json") << record::to_json(twice);
  const Output mixed = gabbro("compare " + first + " " + shorter);
  EXPECT_EQ(mixed.code, 2);
  EXPECT_NE(mixed.text.find("belong to different runs"), std::string::npos) << mixed.text;
  // The documents have other lengths under the same name.
  r = *record::parse_result(*read_file(first + "/result.json"));
  for (record::DocumentScore& d : r.documents) d.bytes = 70;
  r.valid_bytes = 140;
  std::ofstream(other + "/result.json") << record::to_json(r);
  EXPECT_EQ(gabbro("compare " + first + " " + other).code, 2);
}

}  // namespace
}  // namespace gabbro
