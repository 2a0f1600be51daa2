// Tests resizing by widths, free hyperparameters, and integer hyperparameters that move if neither suffices.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/facts.h"
#include "lang/parser.h"
#include "lang/resize.h"
#include "zoo/library.h"

namespace gabbro::lang {
namespace {

// A program with the library against which it is checked.
class Source {
 public:
  explicit Source(const std::string& text) : parsed_(parse(text)), library_(zoo::library()) {
    EXPECT_TRUE(parsed_.errors.empty()) << text;
    const auto errors = library_.add(parsed_.program);
    EXPECT_TRUE(errors.empty()) << (errors.empty() ? "" : errors.front().message);
  }
  [[nodiscard]] Result<Resized> resized_to(std::int64_t params) const {
    return resize(library_, *last_design(parsed_.program), params);
  }
  [[nodiscard]] Elaboration elaborated(const Resized& size) const {
    return elaborate(library_, *last_design(parsed_.program), options_at(size, 0));
  }

 private:
  ParseResult parsed_;
  Library library_;
};

// `heads` makes the width a multiple of 16, `state` moves in steps of one, `far` moves by powers of four, and
// `window` changes no size.
constexpr const char* kUnit =
    "unit M(x: [t, D], heads: int in {16} = 16, state: int in {4 .. 64} = 16, far: int in {64, 256, 1024} = "
    "256,\n"
    "        window: int in {16 .. 64} = 32) -> [t, D]:\n"
    "    axis h = heads, k = D / heads, n = state, f = far\n"
    "    q = linear(x, [h, k])\n"
    "    w = dot(linear(x, n), past(linear(x, n), window), over=n)\n"
    "    y = sum(softmax(w, over=s) * past(q, window), over=s)\n"
    "    return linear(y, D) + linear(tanh(linear(shift(x, 1), f)), D)\n\n";

std::string design(const std::string& stack) {
  return std::string(kUnit) + "design X:\n    vocab = 512\n    stack = " + stack + "\n";
}

bool fits(std::int64_t got, std::int64_t want) {
  return std::abs(static_cast<double>(got) / static_cast<double>(want) - 1) <= 0.01;
}

TEST(Resize, MovesOnlyIfWidthAndScaleDoNotSuffice) {
  struct Case {
    const char* what_suffices;
    const char* stack;
    std::int64_t params;
    bool scaled = false, moved = false;
  };
  const Case cases[] = {
      {.what_suffices = "a width", .stack = "[2 * Residual(inner=M), RMSNorm]", .params = 195'000},
      {.what_suffices = "a free hyperparameter",
       .stack = "[2 * Block(mixer=M), RMSNorm]",
       .params = 360'000,
       .scaled = true},
      {.what_suffices = "a move",
       .stack = "[2 * Residual(inner=M), RMSNorm]",
       .params = 180'000,
       .moved = true},
      {.what_suffices = "a free hyperparameter with a move",
       .stack = "[2 * Block(mixer=M, mlp=MLP(mult=0.25)), RMSNorm]",
       .params = 50'000,
       .scaled = true,
       .moved = true},
  };
  for (const Case& c : cases) {
    const auto r = Source(design(c.stack)).resized_to(c.params);
    ASSERT_TRUE(r) << c.what_suffices << ": " << r.error().message;
    EXPECT_TRUE(fits(r->params, c.params)) << c.what_suffices;
    EXPECT_EQ(r->free_scale != 1, c.scaled)
        << c.what_suffices << ": D = " << r->width << ", " << text_of(r->moves);
    EXPECT_EQ(!r->moves.empty(), c.moved)
        << c.what_suffices << ": D = " << r->width << ", " << text_of(r->moves);
  }
}

// Searches exhaustively: no value of the state nearer to the written one may fit at any width.
TEST(Resize, TheNearestValueMoves) {
  const Source source(design("[2 * Residual(inner=M), RMSNorm]"));
  int moved = 0;
  for (std::int64_t params = 150'000; params < 400'000; params += 10'000) {
    const auto r = source.resized_to(params);
    if (!r) continue;  // the state ends at 64
    EXPECT_TRUE(fits(r->params, params)) << params;
    const Elaboration elaboration = source.elaborated(*r);
    ASSERT_TRUE(elaboration.ok()) << elaboration.errors.front().message;
    EXPECT_EQ(ir::count_params(elaboration.graph), r->params);
    EXPECT_EQ(elaboration.moves, r->moves);
    const auto repeated = source.resized_to(params);
    EXPECT_EQ(repeated->moves, r->moves);
    EXPECT_EQ(repeated->width, r->width);
    if (r->moves.size() != 1 || r->moves[0].hyper != "state") continue;
    ++moved;
    const Move& move = r->moves[0];
    EXPECT_EQ(move.from, 16);
    EXPECT_GE(move.to, 4);
    EXPECT_LE(move.to, 64);
    const double distance = std::abs(std::log(move.to / move.from));
    for (double to = 4; to <= 64; ++to)
      if (std::abs(std::log(to / 16)) < distance - 1e-9)
        for (std::int64_t width = 16; width <= 256; width += 16) {
          const Elaboration e = source.elaborated(
              {.width = width, .moves = {{.unit = "M", .hyper = "state", .from = 16, .to = to}}});
          EXPECT_FALSE(e.ok() && fits(ir::count_params(e.graph), params))
              << params << ": state = " << to << " fits";
        }
  }
  EXPECT_GE(moved, 5);
}

TEST(Resize, MovesStayInTheRange) {
  const Source source(design("[2 * Residual(inner=M(state=64)), RMSNorm]"));
  for (std::int64_t params = 150'000; params < 400'000; params += 10'000)
    if (const auto r = source.resized_to(params))
      for (const Move& m : r->moves) {
        if (m.hyper == "state") {
          EXPECT_TRUE(m.to >= 4 && m.to <= 64) << text_of(r->moves);
        } else {
          EXPECT_TRUE(m.hyper == "far" && (m.to == 64 || m.to == 1024)) << text_of(r->moves);
        }
      }
}

TEST(Resize, OnlyInstancesOfTheValueMove) {
  const Source source(design("[Residual(inner=M(state=20)), Residual(inner=M), RMSNorm]"));
  const Elaboration e =
      source.elaborated({.width = 64, .moves = {{.unit = "M", .hyper = "state", .from = 16, .to = 17}}});
  ASSERT_TRUE(e.ok());
  std::string hypers;
  for (const InstanceInfo& i : e.instances)
    if (i.unit == "M") hypers += i.hypers + ";";
  EXPECT_EQ(hypers, "heads=16, state=20, far=256, window=32;heads=16, state=17, far=256, window=32;");
}

TEST(Resize, TheDepthStays) {
  const Source depth(
      "unit Deep(x: [t, D], layers: int in {1 .. 64} = 8, inner: Unit = SiLU) -> [t, D]:\n"
      "    axis h = 16, k = D / 16\n"
      "    for i in layers with y = x:\n"
      "        y = y + inner(linear(linear(shift(y, 1), [h, k]), D))\n"
      "    return y\n\n"
      "design X:\n    vocab = 512\n    stack = [Deep, RMSNorm]\n");
  const auto r = depth.resized_to(150'000);
  ASSERT_FALSE(r) << text_of(r->moves);
  EXPECT_EQ(r.error().code, "budget");
  EXPECT_NE(r.error().message.find("D = 64 gives 131136 (-12.6 %), D = 80 gives 184400 (+22.9 %)"),
            std::string::npos)
      << r.error().message;
  EXPECT_NE(r.error().hint.find("declared `free` in the signature"), std::string::npos) << r.error().hint;
}

// Only sizes that the program's own units declare are named: not heads, on which no size depends, nor depth.
TEST(Resize, TheErrorNamesTheVocabularyThatCounts) {
  const auto message = [](const std::string& vocab, std::int64_t given) {
    const ParseResult parsed =
        parse(std::string(kUnit) + "design X:\n" + vocab + "    stack = [2 * Residual(inner=M)]\n");
    Library library = zoo::library();
    EXPECT_TRUE(library.add(parsed.program).empty());
    const auto out = resize(library, *last_design(parsed.program), 100, given);
    return out ? "" : out.error().message;
  };
  EXPECT_NE(message("", 0).find("at a vocabulary of 4096: "), std::string::npos) << message("", 0);
  EXPECT_NE(message("    vocab = 512\n", 0).find("at a vocabulary of 512: "), std::string::npos);
  EXPECT_NE(message("    vocab = 512\n", 300).find("at a vocabulary of 300: "), std::string::npos);
}

TEST(Resize, TheErrorSaysWhatCouldBeFree) {
  const auto hint_of = [](const std::string& signature, const std::string& inner) {
    const Source source("unit Mem(x: [t, D], layers: int in {1 .. 64} = 8, " + signature +
                        ") -> [t, D]:\n"
                        "    axis h = 16, k = D / 16\n"
                        "    for i in layers with y = x:\n"
                        "        y = y + linear(linear(shift(y, 1), " +
                        inner +
                        "), D)\n"
                        "    return y\n\n"
                        "design X:\n    vocab = 512\n    stack = [Mem, Attention, RMSNorm]\n");
    const auto r = source.resized_to(10);
    EXPECT_FALSE(r);
    return r ? "" : r.error().hint;
  };
  const std::string ranged =
      hint_of("rank: int in {8, 16} = 16, gain: int = 2", "[h, k]) + gain * linear(y, rank");
  EXPECT_NE(ranged.find("in the signature of Mem, `rank: free int in {4 .. 64} = 16`; or"), std::string::npos)
      << ranged;
  EXPECT_EQ(ranged.find("layers"), std::string::npos) << ranged;
  EXPECT_EQ(ranged.find("gain"), std::string::npos) << ranged;
  const std::string both =
      hint_of("rank: int = 16, state: int = 2", "[h, k]) + linear(y, rank) + linear(y, state");
  EXPECT_NE(both.find("`rank: free int in {4 .. 64} = 16`; also state of Mem; or"), std::string::npos)
      << both;
  const std::string none = hint_of("gain: int = 2", "[h, k]) + gain * linear(y, D");
  EXPECT_NE(none.find("`rank: free int in {8 .. 128} = 32`"), std::string::npos) << none;
  const std::string free = hint_of("rank: free int in {8 .. 32} = 16", "rank), D) + linear(linear(y, [h, k]");
  EXPECT_NE(free.find("(rank = 16 in {8 .. 32}): widen their ranges"), std::string::npos) << free;
}

// A mixer inside an MLP divides the inner width among its heads, so only some scales are allowed. If these
// lie too far apart, the heads of one or several units are halved too.
TEST(Resize, AMixerInsideOfAnMlpKeepsItsDivisor) {
  const char* stacks[] = {
      "[2 * Block(mlp=MLP(act=Attention)), RMSNorm]",
      "[2 * Block(mixer=Retention, mlp=SwiGLU(act=GLA)), RMSNorm]",
      "[2 * Block(mixer=Mamba2, mlp=MLP(act=MultiHeadAttention)), Block, RMSNorm]",
  };
  int scaled = 0, halved = 0;
  for (const char* stack : stacks) {
    const Source source("design X:\n    vocab = 512\n    stack = " + std::string(stack) + "\n");
    for (const std::int64_t params : {150'000, 300'000, 600'000}) {
      const auto r = source.resized_to(params);
      ASSERT_TRUE(r) << stack << ", " << params << ": " << r.error().message;
      EXPECT_TRUE(fits(r->params, params)) << stack << ", " << params;
      const Elaboration elaboration = source.elaborated(*r);
      ASSERT_TRUE(elaboration.ok()) << elaboration.errors.front().message;
      EXPECT_EQ(ir::count_params(elaboration.graph), r->params) << stack << ", " << params;
      const auto repeated = source.resized_to(params);
      EXPECT_EQ(repeated->free_scale, r->free_scale);
      EXPECT_EQ(repeated->moves, r->moves);
      EXPECT_GE(r->free_scale, 0.25);
      EXPECT_LE(r->free_scale, 4);
      for (const Move& m : r->moves)
        EXPECT_TRUE(m.hyper != "heads" || m.to == 1 || m.to == 2 || m.to == 4) << text_of(r->moves);
      scaled += r->free_scale != 1;
      halved += r->free_scale != 1 && !r->moves.empty() && r->moves[0].hyper == "heads";
    }
  }
  EXPECT_GE(scaled, 5);
  EXPECT_GE(halved, 1);
}

// Sizes found before moves existed; recorded campaigns must keep them.
TEST(Resize, RecordedSizesStay) {
  struct Case {
    const char* file;
    std::int64_t params, width;
    double scale;
  };
  const Case cases[] = {
      {"llama.gab", 150'000, 32, 1.414213562373095},
      {"llama.gab", 300'000, 56, 0.8318382901633683},
      {"llama.gab", 5'000'000, 232, 1},
      {"gpt2.gab", 1'000'000, 96, 0.93708381705515},
      {"rwkv6.gab", 150'000, 20, 1.6280274218573478},
      {"retnet.gab", 300'000, 48, 1.0729348675259753},
      {"mamba2.gab", 5'000'000, 220, 1},
      {"moe.gab", 5'000'000, 144, 1.0499440858006872},
      {"gated_deltanet.gab", 150'000, 32, 1.0787607977571196},
  };
  for (const Case& c : cases) {
    const auto r = resize(zoo::library(), *last_design(*zoo::program(c.file)), c.params, 512);
    ASSERT_TRUE(r) << c.file;
    EXPECT_EQ(r->width, c.width) << c.file << " " << c.params;
    EXPECT_NEAR(r->free_scale, c.scale, 1e-12) << c.file << " " << c.params;
    EXPECT_TRUE(r->moves.empty()) << c.file << " " << c.params;
  }
}

// The work is bounded by operations, not by the number of values and units. Without the bound, these designs
// take longer than a test may.
TEST(Resize, SearchesOfLargeDesignsEnd) {
  std::string many = kUnit;
  std::string stack;
  for (int i = 0; i < 40; ++i) {
    many += fmt::format(
        "unit U{0}(x: [t, D], a: int in {{2 .. 4000}} = {1}, b: int in {{2 .. 4000}} = {1}) -> [t, D]:\n"
        "    axis p = a, q = b, h = 8, k = D / 8\n"
        "    return x + linear(linear(linear(linear(x, p), q), [h, k]), D)\n\n",
        i, 100 + i);
    stack += fmt::format("8 * U{}, ", i);
  }
  const Source wide(many + "design X:\n    vocab = 512\n    stack = [" + stack + "8 * M, RMSNorm]\n");
  const Source deep(design("[1000 * (8 * Residual(inner=M)), RMSNorm]"));
  EXPECT_FALSE(wide.resized_to(150'000));
  EXPECT_FALSE(deep.resized_to(150'000));
}

}  // namespace
}  // namespace gabbro::lang
