// The PyTorch backend against the torch backend: the same weights, losses, updates and state.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/random.h"
#include "exec/pytorch/python.h"
#include "pytorch/setup.h"
#include "trial/backend.h"
#include "trial/leak_check.h"
#include "zoo/embedded.h"
#include "zoo/sized.h"

namespace gabbro::testing {
namespace {

constexpr int kVocab = 64;
constexpr std::int64_t kParams = 40'000;  // of each design, about

std::string zoo_text(const std::string& name) {
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (entry.file == name + ".gab") return std::string(entry.text);
  ADD_FAILURE() << "there is no " << name;
  return "";
}

// A batch of a text that can be learned, with several documents in each row.
exec::TokenBatch batch_of(std::uint64_t seed, std::int64_t rows = 4, std::int64_t length = 24) {
  Random random = Random(seed).split("batch");
  exec::TokenBatch out{rows, length, {}, {}, {}};
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t start = 0, token = random.below(kVocab);
    for (std::int64_t t = 0; t < length; ++t) {
      if (random.chance(0.1)) start = t;
      out.tokens.push_back(token);
      token = random.chance(0.8) ? (3 * token + 1) % kVocab : random.below(kVocab);
      out.targets.push_back(token);
      out.starts.push_back(start);
    }
  }
  return out;
}

// A design in both backends, with one Python process for all.
struct Pair {
  std::unique_ptr<exec::Model> torch, pytorch;
  ir::Graph graph;
};

class PyTorchModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!use_python()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  }

  static exec::pytorch::Python& python(int processes = 1) {
    static std::map<int, std::unique_ptr<exec::pytorch::Python>> started;
    if (!started[processes]) {
      auto made = exec::pytorch::Python::start({.program = "", .processes = processes, .device = "cpu"});
      EXPECT_TRUE(made.has_value()) << made.error().message;
      started[processes] = std::move(*made);
    }
    return *started[processes];
  }

  static Pair pair(const std::string& program, const trial::BackendOptions& options = {}, int processes = 1) {
    const auto subject = zoo::sized_design(program, kParams, kVocab);
    EXPECT_TRUE(subject.has_value()) << subject.error().message;
    Pair out;
    out.graph = subject->elaboration.graph;
    const auto make = trial::pytorch_backend(&python(processes), program, *subject, options);
    EXPECT_TRUE(make.has_value()) << make.error().message;
    out.torch = trial::torch_backend(options)(out.graph, 7);
    out.pytorch = (*make)(out.graph, 7);
    return out;
  }

  // Trains a design in both, in float64, and expects losses that differ by less than 1e-3. In float32,
  // AdamW's first updates make some designs (gla) amplify rounding within three steps, in either engine.
  static void expect_equal_training(const std::string& name, std::uint64_t steps) {
    SCOPED_TRACE(name);
    Pair p = pair(zoo_text(name), {.dtype = record::Dtype::kFloat64});
    expect_equal(p.torch->weights(), p.pytorch->weights());
    double first = 0, last = 0;
    for (std::uint64_t step = 0; step < steps; ++step) {
      const exec::Update update{.rate = 2e-3, .input = 0.5, .output = 2};
      const exec::StepReport a = p.torch->step(batch_of(step), update),
                             b = p.pytorch->step(batch_of(step), update);
      ASSERT_LT(std::abs(a.loss - b.loss), 1e-3) << "at step " << step;
      ASSERT_LT(std::abs(a.gradient_norm - b.gradient_norm), 1e-2 * std::max(1.0, a.gradient_norm))
          << "at step " << step;
      if (step == 0) first = a.loss;
      last = a.loss;
    }
    EXPECT_LT(last, first) << "nothing was learned";
  }

  static void expect_equal(const std::vector<exec::NamedArray>& a, const std::vector<exec::NamedArray>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].name, b[i].name);
      EXPECT_EQ(a[i].shape, b[i].shape);
      EXPECT_EQ(a[i].data, b[i].data) << a[i].name;
    }
  }

  static std::vector<exec::NamedArray> state(const exec::Model& model) {
    std::vector<exec::NamedArray> out = model.weights();
    for (exec::NamedArray& a : model.moments()) out.push_back(std::move(a));
    return out;
  }
};

TEST_F(PyTorchModel, TrainsAsTheCpuEngine) {
  for (const char* name : {"llama", "gla"}) expect_equal_training(name, 6);
}

TEST_F(PyTorchModel, TrainsAttentionAsTheCpuEngineSlow) {
  for (const char* name : {"gpt2", "llama", "alibi", "mla"}) expect_equal_training(name, 200);
}

TEST_F(PyTorchModel, FollowsMuonAsTheCpuEngine) {
  Pair p = pair(zoo_text("llama"));
  for (std::uint64_t step = 0; step < 5; ++step) {
    const exec::Update update{.rule = exec::UpdateRule::kMuon, .rate = 2e-3};
    const exec::StepReport a = p.torch->step(batch_of(step), update),
                           b = p.pytorch->step(batch_of(step), update);
    ASSERT_LT(std::abs(a.loss - b.loss), 1e-3) << "at step " << step;
  }
}

TEST_F(PyTorchModel, ContinuesFromItsStateToTheBit) {
  Pair p = pair(zoo_text("gla"));
  for (std::uint64_t step = 0; step < 3; ++step) p.pytorch->step(batch_of(step), {});
  const std::vector<exec::NamedArray> kept = state(*p.pytorch);
  const exec::StepReport once = p.pytorch->step(batch_of(3), {});
  const std::vector<exec::NamedArray> after = state(*p.pytorch);
  ASSERT_TRUE(p.pytorch->restore(kept));
  expect_equal(state(*p.pytorch), kept);
  const exec::StepReport again = p.pytorch->step(batch_of(3), {});
  EXPECT_EQ(once.loss, again.loss);
  EXPECT_EQ(once.gradient_norm, again.gradient_norm);
  expect_equal(state(*p.pytorch), after);
  // The torch backend reads the same state.
  ASSERT_TRUE(p.torch->restore(after));
  expect_equal(state(*p.torch), after);
  std::vector<exec::NamedArray> wrong = kept;
  wrong[0].shape = {1};
  EXPECT_FALSE(p.pytorch->restore(wrong));
  expect_equal(state(*p.pytorch), after);
}

TEST_F(PyTorchModel, ScoresAsTheCpuEngine) {
  Pair p = pair(zoo_text("llama"));
  exec::TokenBatch batch = batch_of(1);
  batch.targets[5] = exec::kNotScored;
  const exec::Scores a = p.torch->score(batch), b = p.pytorch->score(batch);
  ASSERT_EQ(a.losses.size(), b.losses.size());
  for (std::size_t i = 0; i < a.losses.size(); ++i) EXPECT_NEAR(a.losses[i], b.losses[i], 1e-4) << i;
  EXPECT_EQ(b.losses[5], 0);
  EXPECT_EQ(a.greedy, b.greedy);
  EXPECT_EQ(p.pytorch->losses(batch), b.losses);
  const exec::StepReport x = p.torch->step(batch, {}), y = p.pytorch->step(batch, {});
  EXPECT_NEAR(x.loss, y.loss, 1e-5);  // the mean is over scored positions
}

// The vectors of a last batch have room for sequences that it does not have.
TEST_F(PyTorchModel, ScoresTheSequencesThatABatchHas) {
  Pair p = pair(zoo_text("llama"));
  exec::TokenBatch batch = batch_of(1);
  const std::vector<float> all = p.pytorch->losses(batch);
  batch.sequences = 3;
  const std::vector<float> some = p.pytorch->losses(batch);
  ASSERT_EQ(some.size(), 72U);
  for (std::size_t i = 0; i < some.size(); ++i) EXPECT_NEAR(some[i], all[i], 1e-5) << i;
}

TEST_F(PyTorchModel, SumsTheGradientOfMicroBatches) {
  Pair whole = pair(zoo_text("llama")), parts = pair(zoo_text("llama"), {.rows = 3});
  for (std::uint64_t step = 0; step < 3; ++step) {
    const exec::StepReport a = whole.pytorch->step(batch_of(step), {}),
                           b = parts.pytorch->step(batch_of(step), {});
    EXPECT_NEAR(a.loss, b.loss, 1e-5);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-4);
  }
}

TEST_F(PyTorchModel, DoesNotUpdateByWhatIsNotFinite) {
  Pair p = pair(zoo_text("llama"));
  std::vector<exec::NamedArray> weights = p.pytorch->weights();
  std::fill(weights[0].data.begin(), weights[0].data.end(), NAN);
  ASSERT_TRUE(p.pytorch->restore(weights));
  const exec::StepReport report = p.pytorch->step(batch_of(1), {});
  EXPECT_FALSE(report.updated);
  EXPECT_TRUE(std::isnan(report.loss));
  EXPECT_EQ(p.pytorch->moments()[0].data[0], 0) << "the number of updates";
}

// Tied and untied tables: checks for leaks give the input a table of its own.
TEST_F(PyTorchModel, SplitsATiedTable) {
  const std::string program = "design M:\n    tied = 1\n    stack = [Block, RMSNorm]\n";
  Pair p = pair(program);
  const ir::Graph split = trial::untied(p.graph);
  ASSERT_EQ(split.params.size(), p.graph.params.size() + 1);
  const auto subject = zoo::sized_design(program, kParams, kVocab);
  const auto make = trial::pytorch_backend(&python(), program, *subject, {});
  ASSERT_TRUE(make.has_value()) << make.error().message;
  const auto a = trial::torch_backend({})(split, 3), b = (*make)(split, 3);
  expect_equal(a->weights(), b->weights());
  const std::vector<float> x = a->losses(batch_of(2)), y = b->losses(batch_of(2));
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-4) << i;
}

TEST_F(PyTorchModel, TwoProcessesTrainAsOne) {
  Pair one = pair(zoo_text("llama")), two = pair(zoo_text("llama"), {}, 2);
  for (std::uint64_t step = 0; step < 5; ++step) {
    const exec::StepReport a = one.pytorch->step(batch_of(step), {}),
                           b = two.pytorch->step(batch_of(step), {});
    EXPECT_NEAR(a.loss, b.loss, 1e-5);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-4);
  }
}

TEST_F(PyTorchModel, SaysWhatIsMissing) {
  const auto no_program = exec::pytorch::Python::start({.program = "/nowhere/python"});
  ASSERT_FALSE(no_program.has_value());
  EXPECT_EQ(no_program.error().code, "python");
  EXPECT_NE(no_program.error().message.find("cannot start /nowhere/python"), std::string::npos);
  const auto no_device = exec::pytorch::Python::start({.program = "", .device = "cuda:99"});
  ASSERT_FALSE(no_device.has_value());
  EXPECT_EQ(no_device.error().code, "device");
  EXPECT_NE(no_device.error().message.find("cuda:99 is not available: PyTorch"), std::string::npos)
      << no_device.error().message;
  setenv("PYTHONPATH", "/nowhere", 1);
  const auto no_package = exec::pytorch::Python::start({});
  use_python();
  ASSERT_FALSE(no_package.has_value());
  EXPECT_EQ(no_package.error().code, "python");
  EXPECT_NE(no_package.error().hint.find("GABBRO_PYTHON"), std::string::npos);
}

// A layer that stands in several places of a list is wrapped once, or its forward would be removed twice.
TEST_F(PyTorchModel, RecomputesSharedLayersOnce) {
  const std::string script =
      "import torch; from gabbro_torch.model import recomputed; layer = torch.nn.Linear(2, 2)\n"
      "with recomputed([layer, layer]): layer(torch.ones(1, 2)).sum().backward()\n"
      "assert layer.weight.grad is not None and 'forward' not in vars(layer)";
  EXPECT_EQ(std::system((kPython + " -W ignore -c \"" + script + "\"").c_str()), 0);
}

// An error in a call is an exception, and the process answers further calls.
TEST_F(PyTorchModel, SurvivesErrors) {
  EXPECT_THROW(python().call(R"({"call": "dance", "model": 1})"), std::runtime_error);
  Pair p = pair(zoo_text("llama"));
  exec::TokenBatch batch = batch_of(1);
  batch.tokens[0] = kVocab + 5;
  EXPECT_THROW(p.pytorch->losses(batch), std::runtime_error);
  EXPECT_EQ(p.pytorch->losses(batch_of(1)).size(), 96U);
}

}  // namespace
}  // namespace gabbro::testing
