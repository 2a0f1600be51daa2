// Tests of what counts as better than the parent.
#include "evolve/outcome.h"

#include <gtest/gtest.h>

#include "evolve/adaptive.h"
#include "small_campaign.h"

namespace gabbro::evolve {
namespace {

constexpr const char* kStack = "[2 * Block(mixer=GQA, mlp=SwiGLU), RMSNorm]";

// A parent with its child, and their runs at the first rung on one seed.
class ParentAndChild : public SmallCampaign {
 public:
  ParentAndChild() {
    parent = design("adaptive", kStack);
    child = design("adaptive", kStack, record::Operator::kNewUnit, parent);
  }

  // Adds a run whose smoothed loss is `early` up to three eighths of its tokens and `late` from there on, and
  // which ended after `share` of them.
  void add(std::int64_t of, double early, double late, double share, record::Status status, double bits = 3,
           std::uint64_t seed = 1) {
    record::TrialResult r;
    r.status = status;
    r.cause = status == record::Status::kDone ? "" : "stopped in a test";
    if (status == record::Status::kFailed) r.error = record::Cause::kStore;
    r.bits_per_byte = bits;
    r.documents = {{bits, 1000}, {bits, 1000}};
    r.train_flops_per_token = 1000;
    const auto tokens = static_cast<double>(population.settings().rungs[0].tokens);
    for (int i = 1; i <= 100 * share; ++i)
      r.curve.push_back({.step = i,
                         .tokens = static_cast<std::int64_t>(tokens * i / 100),
                         .loss = 4,
                         .gradient_norm = 1,
                         .rate = 1,
                         .recent = i <= 37 ? early : late});
    end(begin(of, 0, seed), r);
  }

  [[nodiscard]] std::optional<Outcome> outcome() const {
    return outcome_of(population, population.individual(child));
  }

  std::int64_t parent = 0, child = 0;
};

TEST(Outcome, ScoresDecideWhereBothHaveThem) {
  ParentAndChild c;
  c.add(c.parent, 4, 3.5, 1, record::Status::kDone, 3.0);
  EXPECT_FALSE(c.outcome()) << "the child has no run yet";
  c.add(c.child, 5, 4.5, 1, record::Status::kDone, 2.9);
  ASSERT_TRUE(c.outcome());
  EXPECT_TRUE(c.outcome()->better) << "its losses in training do not count";
  ASSERT_EQ(c.outcome()->bits.size(), 1U);
  EXPECT_NEAR(c.outcome()->bits[0], -0.1, 1e-12);
  EXPECT_EQ(c.outcome()->against, c.parent);
}

TEST(Outcome, AStoppedRunIsComparedAtTheLastHurdleThatBothReached) {
  ParentAndChild c;  // The parent was stopped at a quarter, with a higher loss than the child's at a half.
  c.add(c.parent, 4.088, 9, 0.26, record::Status::kHurdle);
  c.add(c.child, 3.968, 3.9, 0.51, record::Status::kHurdle);
  ASSERT_TRUE(c.outcome());
  EXPECT_TRUE(c.outcome()->better);
  EXPECT_NEAR(c.outcome()->loss, -0.12, 1e-9);
  EXPECT_EQ(c.outcome()->share, 0.25);

  ParentAndChild d;  // The parent finished. The child was ahead of it at a quarter, and behind at a half.
  d.add(d.parent, 4, 3.5, 1, record::Status::kDone);
  d.add(d.child, 3.9, 3.6, 0.51, record::Status::kHurdle);
  ASSERT_TRUE(d.outcome());
  EXPECT_FALSE(d.outcome()->better);
  EXPECT_EQ(d.outcome()->share, 0.5);
}

TEST(Outcome, WithoutACommonStepThereIsNone) {
  ParentAndChild c;  // The child failed before the first hurdle, for no fault of its own.
  c.add(c.parent, 4, 3.5, 1, record::Status::kDone);
  c.add(c.child, 4, 4, 0.1, record::Status::kFailed);
  EXPECT_FALSE(c.outcome());

  ParentAndChild d;  // They read different texts.
  d.add(d.parent, 4, 3.5, 1, record::Status::kDone, 3, /*seed=*/1);
  d.add(d.child, 4, 3.5, 0.26, record::Status::kHurdle, 3, /*seed=*/2);
  EXPECT_FALSE(d.outcome());
}

TEST(Outcome, ADesignLostForItsNumbersIsWorse) {
  for (const bool child_diverges : {true, false}) {
    ParentAndChild c;
    record::TrialResult r;
    r.status = record::Status::kFailed;
    r.cause = "diverged";
    c.end(c.begin(child_diverges ? c.child : c.parent, 0, 1), r);
    EXPECT_FALSE(c.outcome());
    c.add(child_diverges ? c.parent : c.child, 4, 3.5, 1, record::Status::kDone);
    ASSERT_TRUE(c.outcome());
    EXPECT_TRUE(c.outcome()->lost);
    EXPECT_EQ(c.outcome()->better, !child_diverges);
  }
}

TEST(Outcome, OperatorsAreCreditedByIt) {
  ParentAndChild c;
  c.add(c.parent, 4.088, 9, 0.26, record::Status::kHurdle);
  c.add(c.child, 3.968, 3.9, 0.51, record::Status::kHurdle);
  const Credit found = credit(c.population, "adaptive").operators.at(record::Operator::kNewUnit);
  EXPECT_EQ(found.offspring, 1);
  EXPECT_EQ(found.better, 1);
}

}  // namespace
}  // namespace gabbro::evolve
