#include "evolve/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "evolve/ablate.h"
#include "evolve/adaptive.h"
#include "evolve/archive.h"
#include "evolve/depth.h"
#include "evolve/identity.h"
#include "evolve/screen.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "lang/resize.h"
#include "small_campaign.h"
#include "zoo/library.h"

namespace gabbro::evolve {

using record::Operator;
using record::Purpose;
namespace {

edit::UnitCatalogue& catalogue() {
  static edit::UnitCatalogue shared(zoo::library());
  return shared;
}

// Returns a population with two families, one of them ahead.
SmallCampaign families() {
  SmallCampaign c;
  c.run(c.design("baseline", "[4 * Block, RMSNorm]"), 0, 1, 3.0, Purpose::kBaseline);
  for (int i = 0; i < 12; ++i)
    c.run(c.design("adaptive", "[2 * Block(mixer=GLA), RMSNorm]", {}, 0, i % 2 ? "attention" : "recurrence"),
          0, 1, 2.8 + 0.01 * i);
  for (int i = 0; i < 6; ++i) c.run(c.design("tournament", "[2 * Block(mixer=GLA), RMSNorm]"), 0, 1, 2.9);
  return c;
}

TEST(Strategy, ProposalsAreValidAndFollowFromPopulationAndStream) {
  const SmallCampaign c = families();
  for (const std::string_view name : strategy_names()) {
    if (name == "direct") continue;  // it proposes nothing by itself
    const auto strategy = make_strategy(name), again = make_strategy(name);
    std::set<std::string> programs;
    int proposed = 0;
    for (std::uint64_t i = 0; i < 40; ++i) {
      const auto a = strategy->propose(c.population, catalogue(), Random(3).split(i));
      const auto b = again->propose(c.population, catalogue(), Random(3).split(i));
      ASSERT_EQ(a.has_value(), b.has_value());
      if (!a) continue;
      ++proposed;
      EXPECT_EQ(lang::print(a->program), lang::print(b->program)) << name;
      EXPECT_TRUE(lang::check(a->program, zoo::library()).valid()) << lang::print(a->program);
      EXPECT_EQ(a->parent == 0, !a->provenance.op);
      programs.insert(lang::print(a->program));
    }
    EXPECT_GT(proposed, 20) << name;
    EXPECT_GT(programs.size(), static_cast<std::size_t>(proposed * 3 / 4)) << name;
  }
  EXPECT_EQ(make_strategy("best"), nullptr);
  EXPECT_EQ(make_strategy("direct"), nullptr);
}

TEST(Strategy, EachSeesItsOwnDesignsAndTheBaselines) {
  const SmallCampaign c = families();
  for (const ParentCandidate& k : parent_candidates(c.population, "tournament"))
    EXPECT_NE(k.design->created.strategy, "adaptive");
  EXPECT_EQ(parent_candidates(c.population, "tournament").size(), 7U);
  EXPECT_EQ(parent_candidates(c.population, "adaptive").size(), 13U);
}

TEST(Adaptive, OperatorsAreCreditedForBetterOffspring) {
  SmallCampaign c;
  const std::int64_t root = c.design("adaptive", "[Block, RMSNorm]");
  c.run(root, 0, 1, 3.0);
  for (int i = 0; i < 8; ++i) {
    c.run(c.design("adaptive", "[Block, RMSNorm]", Operator::kWrap, root), 0, 1, 2.9);
    c.run(c.design("adaptive", "[Block, RMSNorm]", Operator::kRemove, root), 0, 1, 3.1);
    c.run(c.design("adaptive", "[Block, RMSNorm]", Operator::kShare, root), 0, 1, 2.0, Purpose::kRung,
          record::Status::kFailed);
  }
  const auto credits = credit(c.population, "adaptive").operators;
  EXPECT_EQ(credits.at(Operator::kWrap).better, 8);
  EXPECT_EQ(credits.at(Operator::kRemove).better, 0);
  EXPECT_EQ(credits.at(Operator::kShare).better, 0);
  EXPECT_EQ(credits.at(Operator::kShare).offspring, 8);
}

TEST(Describe, FamiliesAndDistances) {
  const auto species = [](const std::string& stack) {
    const auto report = lang::check("design M:\n    stack = " + stack + "\n", zoo::library());
    EXPECT_TRUE(report.valid());
    return species_of(report.subjects.back().elaboration.graph);
  };
  EXPECT_EQ(species("[2 * Block(mixer=MultiHeadAttention), RMSNorm]"), "attention");
  EXPECT_EQ(species("[2 * Block(mixer=GLA), RMSNorm]").find("attention"), std::string::npos);
  EXPECT_NE(species("[2 * Block(mixer=GLA), RMSNorm]").find("recurrence"), std::string::npos);
  EXPECT_NE(species("[Block(mixer=GLA), Block(mixer=MultiHeadAttention), RMSNorm]").find("attention + "),
            std::string::npos);
  EXPECT_EQ(species("[2 * Block(mixer=Identity), RMSNorm]"), "none");

  const SmallCampaign c = families();
  const Shape &a = c.population.individual(1).shape, &b = c.population.individual(2).shape;
  EXPECT_EQ(distance(a, a), 0);
  EXPECT_GT(distance(a, b), 0);
  EXPECT_LT(distance(a, b), 1);
  EXPECT_EQ(distance(a, b), distance(b, a));
}

TEST(Screen, CausesAreNamed) {
  SmallCampaign c;
  const auto baseline = measure(*zoo::program("llama.gab"), c.population.settings(), zoo::library());
  ASSERT_TRUE(baseline) << baseline.error().message;
  record::DesignCreated created = *baseline;
  created.id = 1;
  created.origin = record::Origin::kBaseline;
  ASSERT_TRUE(c.population.apply(created));
  const auto cause = [&](const std::string& text) {
    const auto parsed = lang::check(text, zoo::library());
    const auto r = screen({.program = parsed.program}, c.population, zoo::library());
    return r ? std::string("none") : r.error().code;
  };
  EXPECT_EQ(cause("design M:\n    stack = [3 * Block(mixer=GLA), RMSNorm]\n"), "none");
  EXPECT_EQ(cause(created.program), "duplicate");
  EXPECT_EQ(cause("design M:\n    stack = [3 * Block(mixer=Identity), RMSNorm]\n"), "no mixing");
  EXPECT_EQ(
      cause(
          "unit Big(x: [t, D]) -> [t, D]:\n    y = exp(x)\n    z = exp(y * 100)\n    return exp(z * 100)\n\n"
          "design M:\n    stack = [Big, Block, RMSNorm]\n"),
      "not finite");
}

// An effect of only the channels from the sixteenth on is visible when the design is run small, since it is
// not run at a smaller width.
TEST(Screen, EffectsOfSomeChannelsAreSeen) {
  SearchSettings settings = small_settings();
  settings.rungs.resize(1);
  settings.rungs[0].params = 60'000;
  const SmallCampaign c(settings);
  const auto mixes = [&](const std::string& where) {
    const auto parsed =
        lang::check("unit Late(x: [t, D]) -> [t, D]:\n    return linear(where(" + where +
                        ", x, shift(x, 1)), D)\n\ndesign M:\n    stack = [2 * Residual(inner=Late), 2 * "
                        "Residual(inner=SwiGLU), RMSNorm]\n",
                    zoo::library());
    const auto r = screen({.program = parsed.program}, c.population, zoo::library());
    return r ? std::string("none") : r.error().code;
  };
  EXPECT_EQ(mixes("iota(D) < 16"), "none");
  EXPECT_EQ(mixes("2 * iota(D) + 1 < 33"), "none");
  EXPECT_EQ(mixes("iota(D) - 20 < 0"), "none");
  EXPECT_EQ(mixes("iota(D) < 100000"), "no mixing");
  EXPECT_EQ(mixes("iota(D) < D / 2"), "none");
}

TEST(Screen, ADesignWithoutASizeAtALaterRungIsRefused) {
  SearchSettings settings = small_settings();
  settings.rungs[1].params = 50;  // fewer than at any width
  const SmallCampaign c(settings);
  const auto parsed = lang::check("design M:\n    stack = [3 * Block(mixer=GLA), RMSNorm]\n", zoo::library());
  const auto r = screen({.program = parsed.program}, c.population, zoo::library());
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, "size");
  EXPECT_EQ(r.error().message.rfind("at high: M cannot have 50 parameters", 0), 0U) << r.error().message;
}

// A design that is cheap at the first rung but expensive at a higher one exceeds the limits.
TEST(Screen, CostsAreLimitedAtEveryRung) {
  SearchSettings settings = small_settings();
  settings.vocab = 512;
  settings.rungs = {{.name = "150k", .params = 150'000, .length = 128},
                    {.name = "300k", .params = 300'000, .length = 128}};
  SmallCampaign c(settings);
  const auto baseline = lang::check("design B:\n    stack = [2 * Block, RMSNorm]\n", zoo::library());
  auto created = measure(baseline.program, settings, zoo::library());
  ASSERT_TRUE(created);
  created->id = 1;
  created->origin = record::Origin::kBaseline;
  ASSERT_TRUE(c.population.apply(*created));
  const auto cause = [&](int turns) {
    const auto parsed = lang::check(
        "unit Dear(x: [t, D], heads: int in {1, 2, 4, 8} = 2) -> [t, D]:\n    axis h = heads, k = D / "
        "heads\n    w = linear(x, [h, k])\n"
        "    for i in (1 if D < 90 else " +
            std::to_string(turns) +
            ") with y = w:\n"
            "        score = dot(y, past(w), over=k) * k ** -0.5\n        y = sum(softmax(score, over=s) * "
            "past(w), over=s)\n"
            "    return linear(y, D)\n\ndesign Big:\n    stack = [2 * Block(mixer=Dear), RMSNorm]\n",
        zoo::library());
    EXPECT_TRUE(parsed.valid()) << (parsed.valid() ? "" : parsed.errors[0].message);
    const auto r = screen({.program = parsed.program}, c.population, zoo::library());
    return r ? std::string() : r.error().message;
  };
  EXPECT_NE(cause(80).find("at 300k"), std::string::npos) << cause(80);
  EXPECT_EQ(cause(1), "");
}

// The search may have absolute limits, such as a state of a fixed size.
TEST(Screen, LimitsMayBeAbsolute) {
  SearchSettings settings = small_settings();
  settings.vocab = 512;
  settings.rungs = {{.name = "150k", .params = 150'000, .length = 128},
                    {.name = "300k", .params = 300'000, .length = 256}};
  const auto cause = [&](const std::string& mixer) {
    SmallCampaign c(settings);
    const auto parsed =
        lang::check("design B:\n    stack = [2 * Block(mixer=" + mixer + "), RMSNorm]\n", zoo::library());
    const auto r = screen({.program = parsed.program}, c.population, zoo::library());
    return r ? std::string() : r.error().message;
  };
  settings.limits.most_state_bytes = 200e3;  // two layers of attention take more than 1 kB a token
  EXPECT_NE(cause("Attention").find("bytes of decoding state at 300k: "), std::string::npos)
      << cause("Attention");
  EXPECT_NE(cause("Attention").find("the preset allows 2e+05"), std::string::npos);
  EXPECT_EQ(cause("Mamba2"), "");
  settings.limits = {};
  settings.limits.most_decode_flops = 1e4;
  EXPECT_NE(cause("Mamba2").find("decoding FLOPs per token at 150k"), std::string::npos);
  settings.limits = {};
  settings.limits.most_train_flops = 1e4;
  EXPECT_NE(cause("Mamba2").find("training FLOPs per token at 150k"), std::string::npos);
}

// Work on parameters alone counts in every limit, as the share of a token: a design that does much of it is
// as slow as one that does as much for its tokens.
TEST(Screen, WorkOnParametersCountsInEveryLimit) {
  SearchSettings settings = small_settings();
  settings.vocab = 512;
  settings.rungs = {{.name = "150k", .params = 150'000, .sequences = 4, .length = 128}};
  const auto screened = [&](int rounds) {
    const SmallCampaign c(settings);
    const auto parsed = lang::check(
        "unit U(x: [t, D]) -> [t, D]:\n    axis i = D, j = D\n    w = param([i, j], init=normal(0.1))\n"
        "    for r in " +
            std::to_string(rounds) +
            " with p = param([D, j], init=normal(0.1)):\n"
            "        p = 0.9 * p + 0.1 * tanh(rename(dot(w, p, over=j), i, j))\n"
            "    return rename(dot(x, p, over=D), j, D) + shift(x, 1)\n\n"
            "design B:\n    stack = [2 * Block(mixer=U), RMSNorm]\n",
        zoo::library());
    return screen({.program = parsed.program}, c.population, zoo::library());
  };
  const auto cheap = screened(1), dear = screened(60);
  ASSERT_TRUE(cheap && dear);
  const auto sized =
      sized_at(lang::parse(dear->program).program, settings.rungs[0], settings, zoo::library());
  ASSERT_TRUE(sized);
  const double width = sized->subject.elaboration.graph.env.width;
  const double work = 2 * 59 * (2 * width * width * width + 4 * width * width);  // of the further rounds
  EXPECT_NEAR(dear->train_flops - cheap->train_flops, 3 * work / (4 * 128), 1e-6 * work);
  EXPECT_NEAR(dear->decode_flops - cheap->decode_flops, work / 128, 1e-6 * work);

  settings.limits.most_train_flops = (cheap->train_flops + dear->train_flops) / 2;
  EXPECT_TRUE(screened(1));
  auto refused = screened(60);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "cost");
  EXPECT_NE(refused.error().message.find("training FLOPs per token at 150k"), std::string::npos);
  EXPECT_NE(refused.error().message.find("of it is work on parameters and constants alone"),
            std::string::npos)
      << refused.error().message;
  settings.limits = {};
  settings.limits.most_decode_flops = (cheap->decode_flops + dear->decode_flops) / 2;
  EXPECT_TRUE(screened(1));
  refused = screened(60);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("decoding FLOPs per token at 150k"), std::string::npos);
}

// Repeats, step by step, what a worker does with the program of a rung.
TEST(Screen, KnowsTheHashesThatWorkersReport) {
  SearchSettings settings = small_settings();
  settings.rungs[1].depth = 2;
  const SmallCampaign c(settings);
  const auto parsed = lang::check("design M:\n    stack = [2 * Block(mixer=GLA), RMSNorm]\n", zoo::library());
  const auto drawn = screen({.program = parsed.program}, c.population, zoo::library());
  const auto measured = measure(parsed.program, settings, zoo::library());
  ASSERT_TRUE(drawn && measured);
  ASSERT_EQ(drawn->sized.size(), settings.rungs.size());
  EXPECT_EQ(drawn->sized, measured->sized);
  for (std::size_t r = 0; r < settings.rungs.size(); ++r) {
    const std::string text = lang::print(deepened(parsed.program, settings.rungs[r].depth));
    const auto design = lang::check(text, zoo::library());
    lang::Library library = zoo::library();
    library.add(design.program);
    const auto size =
        lang::resize(library, *lang::last_design(design.program), settings.rungs[r].params, settings.vocab);
    ASSERT_TRUE(size);
    const auto trained = lang::check(text, zoo::library(), lang::options_at(*size, settings.vocab));
    EXPECT_EQ(drawn->sized[r], to_hex(trained.subjects.back().hash)) << r;
  }
  EXPECT_NE(drawn->sized[0], drawn->sized[1]);
}

TEST(Ablations, EachPartIsAblatedOnceAndAllAreValid) {
  const auto report =
      lang::check("design M:\n    stack = [2 * Block(mixer=GLA(heads=2), norm=LayerNorm), Block, RMSNorm]\n",
                  zoo::library());
  const auto parent = lang::check(
      "design M:\n    stack = [2 * Block(mixer=MultiHeadAttention), Block, RMSNorm]\n", zoo::library());
  const auto list = ablations(report.program, &parent.program, zoo::library());
  ASSERT_GE(list.size(), 3U);
  std::set<std::string> hashes{to_hex(report.subjects.back().hash)};
  bool back = false;
  for (const Ablation& a : list) {
    const auto checked = lang::check(a.program, zoo::library());
    ASSERT_TRUE(checked.valid()) << a.what;
    EXPECT_TRUE(hashes.insert(to_hex(checked.subjects.back().hash)).second) << a.what;
    back = back || a.what.find("back to MultiHeadAttention") != std::string::npos;
  }
  EXPECT_TRUE(back);
}

TEST(Ablations, LargePartsComeFirst) {
  const auto report = lang::check(
      "design M:\n    stack = [LayerNorm, 2 * Block(mixer=GLA(heads=2), norm=LayerNorm), Block, RMSNorm]\n",
      zoo::library());
  const auto operations = [](const lang::CheckReport& r) {
    std::int64_t out = 0;
    for (const ir::Body& body : r.subjects.back().elaboration.graph.bodies)
      out += static_cast<std::int64_t>(body.nodes.size());
    return out;
  };
  std::vector<std::int64_t> sizes;
  for (const Ablation& a : ablations(report.program, nullptr, zoo::library()))
    sizes.push_back(std::abs(operations(report) - operations(lang::check(a.program, zoo::library()))));
  ASSERT_GE(sizes.size(), 3U);
  EXPECT_GT(sizes.front(), sizes.back());
  EXPECT_TRUE(std::is_sorted(sizes.rbegin(), sizes.rend()));
}

TEST(Archive, TheFrontHoldsWhatNothingDominates) {
  SmallCampaign c;  // costs grow with the id
  const double bits[] = {3.0, 3.1, 2.5, 2.7, 2.4};
  for (const double b : bits) c.run(c.design("adaptive", "[Block, RMSNorm]"), 0, 1, b);
  EXPECT_EQ(pareto_front(c.population, 0), (std::vector<std::int64_t>{5, 3, 1}));
}

}  // namespace
}  // namespace gabbro::evolve
