// Exports runs with `gabbro export --format hf`, and loads them with transformers (check_hf.py).
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/files.h"
#include "base/hash.h"
#include "base/random.h"
#include "data/corpus.h"
#include "data/tokenizer.h"
#include "data/tokenizer_json.h"
#include "exec/reference/reference.h"
#include "ir/canonical.h"
#include "paths.h"
#include "record/trial.h"
#include "train/safetensors.h"
#include "zoo/sized.h"

namespace gabbro::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const std::string kSource = source_path();
const std::string kPython = kSource + "/.venv/bin/python";

bool has_transformers() {
  return fs::exists(kPython) &&
         std::system((kPython + " -W ignore -c 'import torch, transformers, tokenizers, "
                                "safetensors' 2>/dev/null")
                         .c_str()) == 0;
}

// Runs a command; returns its exit status and what it printed.
std::pair<int, std::string> run(const std::string& command) {
  const std::string out =
      (fs::temp_directory_path() / ("gabbro-hf-out-" + std::to_string(getpid()))).string();
  const int status = std::system((command + " > " + out + " 2>&1").c_str());
  std::stringstream text;
  text << std::ifstream(out).rdbuf();
  fs::remove(out);
  return {WEXITSTATUS(status), text.str()};
}

std::string read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Returns pages of the documentation as sample text.
std::vector<std::string> sample() {
  std::vector<std::string> out;
  for (const char* name : {"agents.md", "language.md", "verdict.md", "messages.txt"})
    out.push_back(read(kSource + "/docs/" + name));
  return out;
}

// Returns texts whose ids are compared: real text, spaces and line ends, bytes and names of tokens, random
// characters.
std::vector<std::string> texts() {
  std::vector<std::string> out = sample();
  for (const char* text :
       {"", " ", "  a", "a  ", "\n", "\r\n\t a\n\n\nb", "</s>", "a</s>b<s><unk>", "<0x41><0x0A>",
        "\u2581a\u2581\u2581 b", "na\u00efve \u4f60\u597d \U0001f600\U0001f468\u200d\U0001f469",
        "e\u0301 \ufeff\ufffd\u00a0\u2028", "\x01\x7f\x1b[0m", "0123456789 3.14e-10",
        "((((((((((----------==========........"})
    out.emplace_back(text);
  out.emplace_back(std::string("a\0b", 3));
  for (const char c : {' ', 'a', '-', 'e', '\n', 't'}) out.emplace_back(300, c);
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (std::uint64_t n = random.below(40); n > 0; --n) {
      // Few characters, so that many pairs of neighbours are tokens; now and then any character.
      if (random.below(10) > 0) {
        text += "aetns  -=.("[random.below(11)];
        continue;
      }
      const auto c = static_cast<std::uint32_t>(0xA1 + random.below(0xD000));
      if (c < 0x800) {
        text += static_cast<char>(0xC0 | (c >> 6));
      } else {
        text += static_cast<char>(0xE0 | (c >> 12));
        text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      }
      text += static_cast<char>(0x80 | (c & 0x3F));
    }
    out.push_back(text);
  }
  return out;
}

data::Tokenizer tokenizer_of(int vocab) {
  auto made = data::Tokenizer::train(sample(), vocab);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
  return std::move(*made);
}

std::string hash_of_file(const std::string& path) { return data::hash_file(path).value_or(""); }

// Writes the folder of a run that ended with its initial weights, its corpus beside it unless there is one,
// and expected.json: logits of the reference with these weights, and the ids of texts.
void write_run(const std::string& folder, const std::string& program, const data::Tokenizer& tokenizer) {
  const std::string corpus = folder + "/corpus", run = folder + "/run";
  fs::create_directories(corpus);
  fs::create_directories(run);
  if (!fs::exists(corpus + "/tokenizer.model"))
    std::ofstream(corpus + "/tokenizer.model", std::ios::binary) << tokenizer.bytes();
  const auto sized = zoo::sized_design(program, 0, tokenizer.vocab());
  ASSERT_TRUE(sized.has_value()) << sized.error().message;
  const ir::Graph& graph = sized->elaboration.graph;
  const Random random(7);
  const std::vector<exec::Tensor> params = exec::initial_params(graph, random);
  std::vector<exec::NamedArray> arrays;
  exec::Feed feed;
  for (std::size_t i = 0; i < params.size(); ++i) {
    exec::NamedArray array{graph.params[i].name, {}, {}};
    for (const ir::AxisId axis : graph.params[i].axes) array.shape.push_back(graph.axes[axis].size);
    exec::Tensor rounded = params[i];
    for (double& v : rounded.data) {
      array.data.push_back(static_cast<float>(v));
      v = array.data.back();
    }
    arrays.push_back(std::move(array));
    feed.params.push_back(std::move(rounded));
  }
  const std::string hash = train::hash_arrays(arrays);
  ASSERT_TRUE(train::save_arrays(run + "/weights.safetensors", arrays,
                                 {{"hash", hash},
                                  {"design", to_hex(sized->hash)},
                                  {"graph", ir::built_hash(graph)},
                                  {"vocabulary", hash_of_file(corpus + "/tokenizer.model")}}));
  record::TrialSpec spec;
  spec.program = program;
  spec.corpus = corpus;
  spec.folder = run;
  spec.length = 64;
  std::ofstream(run + "/spec.json") << record::to_json(spec);
  record::TrialResult result;
  result.status = record::Status::kDone;
  result.bits_per_byte = 2.125;
  result.bits_low = 2.0625;
  result.bits_high = 2.1875;
  result.weights_hash = hash;
  result.anchors = {{.name = "probe", .holds = true, .detail = "differs by 1e-7 | 2"}};
  std::ofstream(run + "/result.json") << record::to_json(result);

  std::vector<int> ids{tokenizer.end()};
  tokenizer.encode("Every event is persisted before it is applied.", ids);
  feed.tokens.assign(ids.begin(), ids.end());
  const auto length = static_cast<std::int64_t>(ids.size());
  const exec::Tensor logits =
      exec::evaluate(graph, std::vector<ir::NodeId>{sized->elaboration.outputs[0]}, feed, length)[0];
  Json json = {{"ids", ids}, {"logits", logits.data}, {"texts", Json::array()}};
  for (const std::string& text : texts()) {
    std::vector<int> of_text;
    tokenizer.encode(text, of_text);
    json["texts"].push_back({{"text", text}, {"ids", of_text}});
  }
  std::ofstream(folder + "/expected.json") << json.dump();
}

// A temporary folder, which is removed if the test passes.
struct Folder {
  explicit Folder(const std::string& name)
      : path((fs::temp_directory_path() / ("gabbro-hf-" + name + "-" + std::to_string(getpid()))).string()) {
    fs::create_directories(path);
  }
  ~Folder() {
    if (!::testing::Test::HasFailure()) fs::remove_all(path);
  }
  std::string path;
};

constexpr const char* kPrograms[] = {
    "design Plain:\n    width = 32\n    stack = [2 * Block(mixer=Attention(heads=2, groups=2)), RMSNorm]\n",
    "design Windows:\n    width = 32\n    tied = true\n    stack = [Block(mixer=Attention(heads=2, "
    "window=3)), "
    "Block(mixer=GLA(heads=2)), RMSNorm]\n",
    "design Shared:\n    width = 32\n    share core = Block(mixer=Attention(heads=2))\n    stack = [core, "
    "Block(mixer=GLA(heads=2)), core, RMSNorm]\n"};

TEST(HuggingFace, LoadsWhatIsExportedSlow) {
  if (!has_transformers())
    GTEST_SKIP() << kPython << " cannot import transformers; run ./dev setup --pytorch";
  const Folder folder("load");
  const data::Tokenizer tokenizer = tokenizer_of(600);
  std::string folders;
  for (std::size_t i = 0; i < std::size(kPrograms); ++i) {
    const std::string here = folder.path + "/" + std::to_string(i);
    write_run(here, kPrograms[i], tokenizer);
    const auto [status, text] =
        run(gabbro_path() + " export " + here + "/run --format hf --out " + here + "/hf");
    ASSERT_EQ(status, 0) << text;
    folders += " " + here;
    const std::string card = read(here + "/hf/README.md");
    for (const char* part : {"2.1250 bits per byte", "| probe | yes | differs by 1e-7 \\| 2 |", "design ",
                             "library_name: transformers"})
      EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
  }
  const auto [status, text] = run(kPython + " -W ignore " + kSource + "/tests/export/check_hf.py" + folders);
  EXPECT_EQ(status, 0) << text;
}

TEST(HuggingFace, RefusesAnotherVocabulary) {
  const Folder folder("vocabulary");
  write_run(folder.path, kPrograms[0], tokenizer_of(500));
  std::ofstream(folder.path + "/corpus/tokenizer.model", std::ios::binary) << tokenizer_of(501).bytes();
  const auto [status, text] =
      run(gabbro_path() + " export " + folder.path + "/run --format hf --out " + folder.path + "/hf");
  EXPECT_EQ(status, 2);
  EXPECT_NE(text.find("a vocabulary other than that of"), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(folder.path + "/hf"));
}

// The items of three kinds of benchmarks, as lm-evaluation-harness and `gabbro eval` score them.
TEST(HuggingFace, HarnessAgreesWithEvalSlow) {
  const std::string worker = worker_path();
  if (!fs::exists(worker)) GTEST_SKIP() << worker << " was not built: gabbro eval needs the torch backend";
  if (std::system((kPython + " -W ignore -c 'import lm_eval' 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << kPython << " cannot import lm_eval; run ./dev setup --pytorch";
  const Folder folder("harness");
  const std::string gabbro = gabbro_path(), here = folder.path;
  const auto built =
      run(gabbro + " data build --out " + here + "/corpus --vocab 600 --valid 0.3 " + kSource + "/docs/*.md");
  ASSERT_EQ(built.first, 0) << built.second;
  const auto tokenizer = data::Tokenizer::load(here + "/corpus/tokenizer.model");
  ASSERT_TRUE(tokenizer.has_value());
  write_run(here, kPrograms[1], *tokenizer);
  const auto exported = run(gabbro + " export " + here + "/run --format hf --out " + here + "/hf");
  ASSERT_EQ(exported.first, 0) << exported.second;
  const auto write = [&](const char* name, const std::vector<Json>& items) {
    std::ofstream file(here + "/" + name + ".jsonl");
    for (const Json& item : items) file << item.dump() << "\n";
    return " " + here + "/" + name + ".jsonl";
  };
  const std::string files =
      write("pairs", {{{"good", "Events are persisted before they are applied."},
                       {"bad", "Events is persisted before they are applied."}},
                      {{"good", "A state follows."}, {"bad", "A state follow."}},
                      {{"good", "na\u00efve \u4f60\u597d"}, {"bad", "naive \u4f60"}}}) +
      write("words", {{{"context", "The worker reads a"}, {"continuation", "spec"}},
                      {{"context", "Nothing of another\ndocument enters a"}, {"continuation", "result"}}}) +
      write("choices", {{{"query", "Question: What does a judge do?\n"},
                         {"choices", {"It screens programs", "It trains them", "It sleeps, eats and talks"}},
                         {"gold", 0}},
                        {{"query", "A campaign that is killed"},
                         {"choices", {"continues where it stopped", "is lost"}},
                         {"gold", 1}}});
  const auto [status, text] =
      run("HF_DATASETS_CACHE=" + here + "/cache " + kPython + " -W ignore " + kSource +
          "/tests/export/check_lm_eval.py " + gabbro + " " + here + "/run " + here + "/hf 100" + files);
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("choices: 2 items"), std::string::npos) << text;
}

// Vocabularies are those that `tokenizers` splits in the same way, or they are refused.
TEST(HuggingFace, RefusesVocabulariesThatItCannotWrite) {
  const std::string bytes = tokenizer_of(500).bytes();
  // The specifications of trainer and normaliser are fields 2 and 3 of the model; later ones overwrite.
  for (const auto& [added, message] : std::vector<std::pair<std::string, std::string>>{
           {std::string("\x12\x02\x18\x01", 4), "it is not a BPE vocabulary"},
           {std::string("\x1a\x02\x20\x01", 4), "it changes text before it is split"},
           {std::string("\x0a\x05\x0a\x01\x7e\x18\x04", 7), "user-defined"}}) {
    const auto changed = data::Tokenizer::from_bytes(bytes + added);
    ASSERT_TRUE(changed.has_value()) << message;
    const auto json = data::tokenizer_json(*changed);
    ASSERT_FALSE(json.has_value()) << message;
    EXPECT_NE(json.error().message.find(message), std::string::npos) << json.error().message;
    EXPECT_NE(json.error().hint.find("--format torch"), std::string::npos);
  }
}

}  // namespace
}  // namespace gabbro::testing
