// Tests of design identity, on pairs of programs in tests/evolve/identity. The first line of each gives the
// reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "evolve/identity.h"
#include "evolve/screen.h"
#include "lang/parser.h"
#include "paths.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::evolve {
namespace {

// Returns settings with the sizes and lengths of presets/laptop.toml.
SearchSettings ladder() {
  SearchSettings s;
  s.vocab = 512;
  s.rungs = {{.name = "150k", .params = 150'000, .length = 128},
             {.name = "300k", .params = 300'000, .length = 128, .depth = 1.5},
             {.name = "600k", .params = 600'000, .length = 256, .depth = 2}};
  return s;
}

// Returns the same with the first rung alone.
SearchSettings first_rung() {
  SearchSettings s = ladder();
  s.rungs.resize(1);
  return s;
}

// Returns settings with one rung of 2M parameters.
SearchSettings wide_rung() {
  SearchSettings s = first_rung();
  s.rungs[0] = {.name = "2M", .params = 2'000'000, .length = 128};
  return s;
}

lang::Program parsed(const std::string& text) {
  lang::ParseResult r = lang::parse(text);
  EXPECT_TRUE(r.errors.empty()) << text << (r.errors.empty() ? "" : r.errors[0].message);
  return std::move(r.program);
}

// Returns a population with one design, "X", #1.
Population knowing(const std::string& text, const SearchSettings& settings) {
  Population population(settings);
  auto created = measure(parsed(text), population.settings(), zoo::library());
  EXPECT_TRUE(created) << text << (created ? "" : created.error().message);
  if (!created) return population;
  created->id = 1;
  EXPECT_TRUE(population.apply(*created));
  return population;
}

struct Pair {
  std::string name, why, a, b;
  bool equal = false, wide = false;  // wide: has no size below 2M parameters
};

std::vector<Pair> pairs() {
  std::vector<Pair> out;
  for (const auto& file : std::filesystem::directory_iterator(source_path("/tests/evolve/identity"))) {
    std::ifstream in(file.path());
    Pair p{file.path().stem().string(), "", "", ""};
    std::getline(in, p.why);
    std::stringstream rest;
    rest << in.rdbuf();
    const std::string text = rest.str();
    const std::size_t cut = text.find("\n---\n");
    if (cut == std::string::npos) continue;
    p.a = text.substr(0, cut + 1), p.b = text.substr(cut + 5);
    p.equal = p.why.starts_with("# equal: ");
    p.wide = p.why.starts_with("# different at 2M: ");
    EXPECT_TRUE(p.equal || p.wide || p.why.starts_with("# different: ")) << p.name;
    out.push_back(std::move(p));
  }
  std::sort(out.begin(), out.end(), [](const Pair& a, const Pair& b) { return a.name < b.name; });
  return out;
}

// Expects that a population that knows the first program of a pair refuses the second one if they are equal,
// and accepts it otherwise.
void expect(const Pair& p, const SearchSettings& settings) {
  const Population population = knowing(p.a, p.wide ? wide_rung() : settings);
  const auto r = screen({.program = parsed(p.b)}, population, zoo::library());
  const bool same = !r && (r.error().code == "duplicate" || r.error().code == "same function");
  EXPECT_EQ(same, p.equal) << p.name << " " << p.why
                           << (r ? "" : ": " + r.error().code + ": " + r.error().message);
  if (!same) {
    // A pair that is refused for another reason tells nothing about identity.
    EXPECT_TRUE(r) << p.name << ": " << r.error().code << ": " << r.error().message;
    if (r) {
      EXPECT_EQ(r->undecided, 0) << p.name << ": within the bound of work";
    }
  } else {
    EXPECT_NE(r.error().message.find(", #1, "), std::string::npos) << r.error().message;
  }
}

// Exact arithmetic says that two designs are equal, and float32 that only one of them can be trained: the
// factors of the sum overflow.
TEST(Identity, AnUntrainableDesignDoesNotHideATrainableOne) {
  const auto text = [](const std::string& sum) {
    return "unit Sum(x: [t, D]) -> [t, D]:\n    u = linear(x, D)\n" + sum +
           "\ndesign M:\n    stack = [2 * Block(mixer=Sum), RMSNorm]\n";
  };
  const std::string factors = text("    return cumsum(u * exp(0.8 * position())) * exp(-0.8 * position())\n"),
                    decay = text("    scan S: [D] = 0:\n        S = exp(-0.8) * S + u\n    return S\n");
  // Returns the verdict on `program` once the design of factors has had these runs.
  const auto after = [&](const std::vector<record::TrialResult>& runs, const std::string& program) {
    Population population = knowing(factors, first_rung());
    std::int64_t id = 0;
    for (const record::TrialResult& r : runs) {
      EXPECT_TRUE(population.apply(record::TrialBegun{.id = ++id, .design = 1}));
      EXPECT_TRUE(population.apply(record::TrialEnded{.id = id, .result = record::to_json(r)}));
    }
    const auto r = screen({.program = parsed(program)}, population, zoo::library());
    return r ? "" : r.error().code;
  };
  const std::string same = "same function";
  record::TrialResult lost, crashed, late, refused, changed, done;
  crashed.error = record::Cause::kWorker;
  late.status = record::Status::kHurdle;
  refused.status = changed.status = record::Status::kRefused;
  refused.anchors = {{"backend = reference", false, ""}};
  changed.anchors = {{"text", false, ""}};
  done.status = record::Status::kDone, done.bits_per_byte = 2;
  EXPECT_EQ(after({}, decay), same);
  EXPECT_EQ(after({lost}, decay), "");
  EXPECT_EQ(after({lost, lost, refused}, decay), "");
  EXPECT_EQ(after({lost}, factors), "duplicate");
  for (const record::TrialResult& other : {crashed, late, changed, done}) {
    EXPECT_EQ(after({other}, decay), same) << other.anchors.size();
    EXPECT_EQ(after({lost, other}, decay), same);
    EXPECT_EQ(after({other, lost}, decay), same);
  }
}

// Checking at every rung that two designs are identical takes minutes.
TEST(Identity, IsDecidedForPairsOfPrograms) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "takes minutes under sanitizers";
#endif
  const std::vector<Pair> all = pairs();
  ASSERT_GE(all.size(), 102U);
  for (const Pair& p : all) expect(p, p.equal ? first_rung() : ladder());
}
TEST(Identity, IsDecidedForPairsOfProgramsAtEveryRungSlow) {
  for (const Pair& p : pairs()) expect(p, ladder());
}

// Parameters are reversed and renamed. The values drawn for them, near the initialisation and far from it,
// depend only on their function.
TEST(Identity, EveryDesignOfTheZooIsItselfUnderOtherNamesSlow) {
  SearchSettings settings = ladder();
  settings.rungs = {{.name = "600k", .params = 600'000, .length = 64}};
  int compared = 0, undecided = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    const lang::Program* program = zoo::program(entry.file);
    if (program == nullptr || lang::last_design(*program) == nullptr) continue;
    const auto own = sized_at(*program, settings.rungs[0], settings, zoo::library());
    if (!own) continue;
    Sized other = *own;
    ir::Graph& graph = other.subject.elaboration.graph;
    std::reverse(graph.params.begin(), graph.params.end());
    for (ir::Param& param : graph.params) param.name = "other." + param.name;
    for (ir::Body& body : graph.bodies)
      for (ir::Node& node : body.nodes)
        if (node.op == ir::Op::kParam)
          node.index = static_cast<std::int32_t>(graph.params.size()) - 1 - node.index;
    const TrainingComparison c = compare_trainings(*own, other);
    EXPECT_TRUE(c.same || !c.decided) << entry.file << ": " << c.why;
    ++compared;
    undecided += c.decided ? 0 : 1;
  }
  EXPECT_GE(compared, 25);
  EXPECT_LE(undecided, 2) << "of " << compared;
}

// Designs that differ only beyond the tokens of a trace share the trace. However many of them are known, the
// comparisons of one draw stay within the bound of work.
TEST(Identity, ManyNearDuplicatesTakeNoMoreThanTheBoundSlow) {
  const SearchSettings settings = first_rung();
  const auto windowed = [](int window) {
    return "design Windowed:\n    stack = [2 * Block(mixer=Attention(heads=2, groups=2, window=" +
           std::to_string(window) + ")), RMSNorm]\n";
  };
  Population population(settings);
  auto created = measure(parsed(windowed(30)), settings, zoo::library());
  ASSERT_TRUE(created) << created.error().message;
  ASSERT_FALSE(created->fingerprint.empty());
  constexpr int kReplicates = 300;
  for (int k = 0; k < kReplicates; ++k) {
    created->id = k + 1;
    created->program = windowed(32 + k);
    created->trained = "identity " + std::to_string(k);
    ASSERT_TRUE(population.apply(*created));
  }
  const auto r = screen({.program = parsed(windowed(31))}, population, zoo::library());
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_GT(r->undecided, 1) << "some were compared";
  EXPECT_LT(r->undecided, kReplicates) << "not all";
}

}  // namespace
}  // namespace gabbro::evolve
