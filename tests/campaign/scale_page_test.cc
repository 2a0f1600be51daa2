// Tests of the text on a study of scale.
#include "campaign/scale_page.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gabbro::campaign {
namespace {

// Returns a study in which A is ahead of B by 0.1 bits per byte.
record::ScaleStudy small_study() {
  record::ScaleStudy study;
  study.designs = {"A", "B"};
  study.sizes = {"150k", "300k", "600k"};
  const auto add = [&](std::vector<record::ScaleRun>& to, std::int64_t design, std::int64_t size,
                       std::uint64_t seed, double rate, double bits) {
    record::ScaleRun& r = to.emplace_back();
    r.design = design, r.size = size, r.seed = seed, r.rate = rate, r.bits = bits;
    r.status = record::Status::kDone;
    r.params = 150e3 * std::exp2(size), r.flops = r.params * r.params;
    r.documents.assign(8, {bits, 1000});
  };
  for (const std::int64_t design : {0, 1}) {
    for (const double rate : {0.5, 1.0, 2.0})
      add(study.searches, design, 0, 1000, rate, 2 + 0.1 * std::abs(std::log2(rate)));
    for (std::int64_t size = 0; size < 3; ++size)
      for (std::uint64_t seed = 1; seed <= 3; ++seed)
        add(study.runs, design, size, seed, 1,
            2 + 0.1 * static_cast<double>(design) - 0.1 * static_cast<double>(size) +
                1e-3 * static_cast<double>(seed * seed * static_cast<std::uint64_t>(design + 1)));
  }
  return study;
}

std::string text_of(const record::ScaleStudy& study) {
  return scale_text(study, *evolve::fit_scale(study, 20));
}

TEST(ScalePage, ClaimsNothingIfALearningRateLiesAtAnEdge) {
  record::ScaleStudy study = small_study();
  EXPECT_NE(text_of(study).find("A is ahead of B at 600k"), std::string::npos) << text_of(study);
  study.searches.back().bits = 1;
  EXPECT_EQ(text_of(study).find("is ahead of"), std::string::npos);
  EXPECT_NE(text_of(study).find("the best learning rate of B lies at the edge of its search"),
            std::string::npos)
      << text_of(study);
}

TEST(ScalePage, NamesWhatElseMayMakeADifference) {
  record::ScaleStudy study = small_study();
  for (record::ScaleRun& run : study.runs) run.build = "a";
  EXPECT_EQ(text_of(study).find("different builds"), std::string::npos);
  study.runs.back().build = "b";
  EXPECT_NE(text_of(study).find("computed by 2 different builds"), std::string::npos) << text_of(study);
  EXPECT_EQ(text_of(study).find("does not reproduce"), std::string::npos);
  study.changed_share = 0.25;
  EXPECT_NE(text_of(study).find("does not reproduce 25 % of the held-out documents"), std::string::npos);
}

}  // namespace
}  // namespace gabbro::campaign
