// Tests of power laws fitted to runs at several sizes: known laws are found, and the intervals contain them.
#include "evolve/scale.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace gabbro::evolve {
namespace {

// The law bits = at_one * params^-exponent.
struct Law {
  double at_one = 0, exponent = 0;
};

// Returns a study of designs that follow their laws, with noise of seeds and of documents.
record::ScaleStudy study_of(const std::vector<Law>& laws, int seeds = 1, double seed_noise = 0,
                            double document_noise = 0, std::uint64_t draw = 1) {
  static const std::vector<double> kSizes{150e3, 300e3, 600e3, 1200e3};
  constexpr int kDocuments = 40;
  record::ScaleStudy out;
  Random random(draw);
  std::vector<double> difficulty;  // factor on the scores of a document
  for (int i = 0; i < kDocuments; ++i) difficulty.push_back(1 + document_noise * random.normal());
  for (const double size : kSizes) out.sizes.push_back(fmt::format("{:.0f}k", size / 1e3));
  for (std::size_t d = 0; d < laws.size(); ++d) {
    out.designs.push_back(fmt::format("D{}", d));
    for (std::size_t s = 0; s < kSizes.size(); ++s)
      for (int seed = 1; seed <= seeds; ++seed) {
        record::ScaleRun run{.design = static_cast<std::int64_t>(d), .size = static_cast<std::int64_t>(s)};
        run.seed = static_cast<std::uint64_t>(seed);
        run.status = record::Status::kDone;
        run.params = kSizes[s];
        run.flops = 6 * kSizes[s] * 20 * kSizes[s];
        const double bits =
            laws[d].at_one * std::pow(kSizes[s], -laws[d].exponent) + seed_noise * random.normal();
        double sum = 0;
        for (int i = 0; i < kDocuments; ++i) {
          const double b = bits * difficulty[static_cast<std::size_t>(i)];
          run.documents.push_back({b, 1000});
          sum += b;
        }
        run.bits = sum / kDocuments;
        out.runs.push_back(std::move(run));
      }
  }
  return out;
}

TEST(Scale, RunsOfDifferentHeldOutTextsAreNotFitted) {
  record::ScaleStudy study = study_of({{12, 0.12}, {8, 0.09}});
  for (record::ScaleRun& r : study.runs) r.held_out_hash = "one";
  ASSERT_TRUE(fit_scale(study, 10));
  study.runs.back().held_out_hash = "another";
  const auto fit = fit_scale(study, 10);
  ASSERT_FALSE(fit);
  EXPECT_NE(fit.error().message.find("different held-out texts, one and another"), std::string::npos)
      << fit.error().message;
}

TEST(Scale, FindsLawsWithoutNoise) {
  const auto fit = fit_scale(study_of({{12, 0.12}, {8, 0.09}}), 200);
  ASSERT_TRUE(fit.has_value()) << fit.error().message;
  EXPECT_NEAR(fit->by_params[0].exponent.value, 0.12, 1e-9);
  EXPECT_NEAR(fit->by_params[1].exponent.value, 0.09, 1e-9);
  EXPECT_NEAR(fit->by_params[0].at_one, 12, 1e-6);
  EXPECT_NEAR(fit->by_params[0].beyond.value, 12 * std::pow(12e6, -0.12), 1e-6);
  EXPECT_NEAR(fit->by_flops[0].exponent.value, 0.06, 1e-9) << "FLOPs go with the square of parameters";
}

TEST(Scale, SaysWhereALeadVanishes) {
  // The lines meet where 12 x^-0.12 = 9 x^-0.10, which is x = (12 / 9)^(1 / 0.02).
  const double meet = std::pow(12.0 / 9.0, 1 / 0.02);
  const auto fit = fit_scale(study_of({{9, 0.10}, {12, 0.12}}, 2), 200);
  ASSERT_TRUE(fit.has_value());
  ASSERT_EQ(fit->leads.size(), 1U);
  const LeadAtScale& lead = fit->leads[0];
  ASSERT_LT(lead.by_size[3].lead.value, 0) << "the first design leads at the sizes that were run";
  EXPECT_GT(lead.per_tenfold.low, 0) << "and its lead shrinks";
  ASSERT_TRUE(lead.meets);
  EXPECT_NEAR(lead.meeting.value, meet, 1e-3 * meet);
  const auto apart = fit_scale(study_of({{9, 0.12}, {9, 0.10}}, 2), 200);
  EXPECT_FALSE(apart->leads[0].meets) << "a lead that grows does not vanish";
  EXPECT_LT(apart->leads[0].per_tenfold.high, 0);
}

// With one seed each, or on one document, the variance is not known, so nothing has an interval.
TEST(Scale, WithoutSeedsOrDocumentsThereAreNoIntervals) {
  record::ScaleStudy one_document = study_of({{9, 0.12}, {9, 0.10}}, 2, 0.01);
  for (record::ScaleRun& r : one_document.runs) r.documents.resize(1);
  record::ScaleStudy three = study_of({{9, 0.12}, {9, 0.10}}, 2, 0.01), uneven = three;
  for (record::ScaleRun& r : three.runs) r.documents.resize(3);
  for (record::ScaleRun& r : uneven.runs) r.documents[0].bytes = 1'000'000;
  for (const auto& study : {study_of({{9, 0.12}, {9, 0.10}}, 1, 0, 0.05), one_document, three, uneven}) {
    const auto fit = fit_scale(study, 200);
    ASSERT_TRUE(fit);
    for (const ScaleEstimate& e : {fit->leads[0].by_size[0].lead, fit->leads[0].per_tenfold,
                                   fit->by_params[0].exponent, fit->by_flops[0].beyond}) {
      EXPECT_TRUE(std::isfinite(e.value));
      EXPECT_TRUE(std::isinf(e.low) && std::isinf(e.high));
    }
  }
}

TEST(Scale, RunsOfOneSeedMustReadOneText) {
  record::ScaleStudy study = study_of({{12, 0.12}, {8, 0.09}}, 2);
  for (record::ScaleRun& r : study.runs) r.text_hash = fmt::format("{} {}", r.size, r.seed);
  ASSERT_TRUE(fit_scale(study, 10));
  study.runs.back().text_hash = "exchanged";
  const auto fit = fit_scale(study, 10);
  ASSERT_FALSE(fit);
  EXPECT_NE(fit.error().message.find("trained on different texts"), std::string::npos) << fit.error().message;
}

// Over many studies, the interval of the exponent contains the true one about as often as its level says.
TEST(Scale, IntervalsContainTheTruth) {
  constexpr int kStudies = 60;
  int exponent = 0, lead = 0;
  for (std::uint64_t k = 0; k < kStudies; ++k) {
    const auto fit = fit_scale(study_of({{10, 0.11}, {10.05, 0.11}}, 5, 0.01, 0.1, 100 + k), 300);
    ASSERT_TRUE(fit.has_value());
    const ScaleEstimate& a = fit->by_params[0].exponent;
    exponent += a.low <= 0.11 && 0.11 <= a.high;
    const double truth = (10 - 10.05) * std::pow(600e3, -0.11);
    const ScaleEstimate& b = fit->leads[0].by_size[2].lead;
    lead += b.low <= truth && truth <= b.high;
  }
  // The expected count is 95 % of 60, which is 57. A count below 52 has a probability of 1 %.
  EXPECT_GE(exponent, 52);
  EXPECT_GE(lead, 52);
}

// Designs at three sizes, whose runs deviate by `deviations` at each size, more for the second design by the
// factor `uneven`. The first leads by `lead` at the largest size.
struct Noise {
  std::vector<double> deviations;
  double lead = 0, uneven = 1;
};
record::ScaleStudy noisy_study(int seeds, const Noise& noise, Random& random, int designs = 2) {
  constexpr std::size_t kDocuments = 51;
  record::ScaleStudy out;
  for (const char* size : {"150k", "300k", "600k"}) out.sizes.emplace_back(size);
  for (int d = 0; d < designs; ++d) out.designs.push_back(fmt::format("D{}", d));
  for (std::size_t s = 0; s < out.sizes.size(); ++s)
    for (int seed = 1; seed <= seeds; ++seed)
      for (int d = 0; d < designs; ++d) {
        record::ScaleRun run{.design = d, .size = static_cast<std::int64_t>(s)};
        run.seed = static_cast<std::uint64_t>(seed);
        run.status = record::Status::kDone;
        run.params = 150e3 * std::exp2(s);
        run.flops = run.params * run.params;
        run.bits = 3 * std::pow(run.params, -0.05) +
                   noise.deviations[s] * (d == 1 ? noise.uneven : 1) * random.normal() -
                   (d == 0 && s == 2 ? noise.lead : 0);
        run.documents.assign(kDocuments, {run.bits, 1000});
        out.runs.push_back(std::move(run));
      }
  return out;
}

// Shares of studies in which a significant lead of the first design over another is found at the largest
// size, and in which its lead is found to grow or to shrink.
struct Found {
  double leads = 0, changes = 0;
};
Found found(int studies, int seeds, const Noise& noise, int resamples, int designs = 2) {
  Found out;
  Random random(7);
  for (int k = 0; k < studies; ++k) {
    const auto fit = fit_scale(noisy_study(seeds, noise, random, designs), resamples);
    EXPECT_TRUE(fit) << fit.error().message;
    const LeadAtScale& lead = fit->leads[0];
    out.leads += lead.by_size.back().is_significant();
    out.changes += lead.per_tenfold.low > 0 || lead.per_tenfold.high < 0;
  }
  out.leads /= studies, out.changes /= studies;
  return out;
}

// The largest size may deviate more or less than the others, and one design more than another.
TEST(Scale, EqualDesignsAreRarelySaidToDiffer) {
  constexpr double kUsual = 0.01;
  for (const double ratio : {0.2, 1.0, 3.0, 5.0})
    for (const int seeds : {2, 3, 5}) {
      const std::string which =
          fmt::format("{} times the deviation at the largest size, {} seeds", ratio, seeds);
      const std::vector<double> deviations{kUsual, kUsual, ratio * kUsual};
      EXPECT_LE(found(2000, seeds, {deviations}, 1).leads, 0.06) << which;
      EXPECT_LE(found(1000, seeds, {deviations, 0, 3}, 1, 4).leads, 0.06) << which << ", one design's thrice";
      EXPECT_LE(found(200, seeds, {deviations}, 100).changes, 0.07) << which;
      // With two seeds, pairs have one degree of freedom.
      const double found_leads = found(400, seeds, {deviations, 4 * std::max(ratio, 1.0) * kUsual}, 1).leads;
      EXPECT_GT(found_leads, seeds == 2 ? 0.15 : 0.5) << which;
    }
}

// A program that contains the held-out documents leads on them alone.
TEST(Scale, ALeadMustShowOnUnreadText) {
  Random random(3);
  // Returns the lead at the largest size where the first design's scores on unread text are better by
  // `unread`.
  const auto lead = [&](double held_out, double unread) {
    record::ScaleStudy study = noisy_study(3, {{0.001, 0.001, 0.001}, held_out}, random);
    for (record::ScaleRun& r : study.runs) {
      r.unread_tokens = 32768;
      r.unread_bits = 2 + 0.001 * random.normal() - (r.design == 0 ? unread : 0);
    }
    return fit_scale(study, 1)->leads[0].by_size[2];
  };
  for (const double sign : {1.0, -1.0}) {
    EXPECT_TRUE(lead(sign * 0.1, 0).is_significant());
    EXPECT_TRUE(lead(sign * 0.1, 0).is_unconfirmed());
    EXPECT_TRUE(lead(sign * 0.1, sign * 0.04).is_unconfirmed()) << "less than half of it";
    EXPECT_TRUE(lead(sign * 0.1, sign * -0.1).is_unconfirmed()) << "the other design leads there";
    EXPECT_FALSE(lead(sign * 0.1, sign * 0.1).is_unconfirmed());
    EXPECT_NEAR(lead(sign * 0.1, sign * 0.08).unread.value, sign * -0.08, 0.005);
  }
  EXPECT_FALSE(lead(0, 0.1).is_unconfirmed()) << "there is no lead";
  record::ScaleStudy study = noisy_study(3, {{0.001, 0.001, 0.001}, 0.1}, random);
  EXPECT_TRUE(std::isnan(fit_scale(study, 1)->leads[0].by_size[2].unread.value));
  EXPECT_FALSE(fit_scale(study, 1)->leads[0].by_size[2].is_unconfirmed()) << "there is no such text";
  study.runs.back().unread_tokens = 4096, study.runs.back().unread_bits = 2;
  EXPECT_NE(fit_scale(study, 1).error().message.find("4096 and 0 tokens"), std::string::npos);
  for (record::ScaleRun& r : study.runs) r.unread_tokens = 4096, r.unread_bits = std::nan("");
  EXPECT_FALSE(fit_scale(study, 1)) << "a worker may report anything";
}

TEST(Scale, EqualFunctionsHaveNoLead) {
  Random random(4);
  record::ScaleStudy study = noisy_study(3, {{0.01, 0.01, 0.01}}, random);
  for (record::ScaleRun& r : study.runs) r.hash = r.size == 1 && r.design == 1 ? "other" : "one";
  std::vector<record::ScaleRun> of_first;
  for (record::ScaleRun& r : study.runs) {
    if (r.design == 0) of_first.push_back(r);
    for (const record::ScaleRun& f : of_first)
      if (f.size == r.size && f.seed == r.seed) r.bits = f.bits, r.documents = f.documents;
  }
  const LeadAtScale lead = fit_scale(study, 100)->leads[0];
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_EQ(lead.by_size[s].same_function, s != 1);
    EXPECT_EQ(lead.by_size[s].lead.value, 0);
    EXPECT_FALSE(lead.by_size[s].is_significant());
  }
  EXPECT_LE(lead.per_tenfold.low, 0);
  EXPECT_GE(lead.per_tenfold.high, 0);
  study.runs.push_back(study.runs.back());
  EXPECT_NE(fit_scale(study, 1).error().message.find("have the same size and seed"), std::string::npos);
}

// Scores of the runs that went well say nothing of a design that fails on other seeds.
TEST(Scale, NothingIsClaimedWhereARunFailed) {
  Random random(5);
  record::ScaleStudy study = noisy_study(4, {{0.001, 0.001, 0.001}, 0.1}, random);
  for (record::ScaleRun& r : study.runs)
    if (r.design == 0) {
      r.bits -= 0.1;
      for (auto& d : r.documents) d.bits_per_byte -= 0.1;
    }
  const auto lead = [&]() -> LeadAtScale {
    const auto fit = fit_scale(study, 50);
    EXPECT_TRUE(fit) << fit.error().message;
    return fit ? fit->leads[0] : LeadAtScale{};
  };
  ASSERT_TRUE(lead().by_size.back().is_significant());
  ASSERT_FALSE(lead().failed());
  const auto last = static_cast<std::int64_t>(study.sizes.size()) - 1;
  for (const std::int64_t size : {last, std::int64_t{0}})
    for (const int design : {0, 1})
      for (const record::Status status : {record::Status::kRefused, record::Status::kFailed}) {
        const record::ScaleStudy whole = study;
        const auto run = std::find_if(study.runs.begin(), study.runs.end(), [&](const record::ScaleRun& r) {
          return r.design == design && r.size == size;
        });
        run->status = status, run->cause = "better than bigrams";
        const LeadAtScale found = lead();
        EXPECT_EQ(found.failed(), design);
        EXPECT_EQ(found.by_size.back().is_significant(), size != last);
        EXPECT_FALSE(found.by_size[static_cast<std::size_t>(size)].is_significant());
        study = whole;
      }
}

TEST(Scale, NamesWhatIsMissing) {
  auto study = study_of({{12, 0.12}, {8, 0.09}});
  std::erase_if(study.runs, [](const record::ScaleRun& r) { return r.design == 1 && r.size > 1; });
  EXPECT_NE(fit_scale(study).error().message.find("design 2 has finished runs at 2 sizes"),
            std::string::npos);
  study = study_of({{12, 0.12}});
  study.runs[1].status = record::Status::kRefused;
  study.runs[2].status = record::Status::kFailed;
  EXPECT_FALSE(fit_scale(study).has_value()) << "runs without a score are no points";
  study = study_of({{12, 0.12}});
  study.runs[1].documents.pop_back();
  EXPECT_NE(fit_scale(study).error().message.find("40 and 39 documents"), std::string::npos);
  EXPECT_FALSE(fit_scale({}).has_value());
  // A worker may report anything; invalid numbers must not enter a fit.
  for (const double wrong : {std::nan(""), HUGE_VAL, -1.0, 0.0})
    for (double record::ScaleRun::*const field :
         {&record::ScaleRun::bits, &record::ScaleRun::params, &record::ScaleRun::flops}) {
      study = study_of({{12, 0.12}});
      study.runs[2].*field = wrong;
      EXPECT_FALSE(fit_scale(study).has_value()) << wrong;
    }
  study = study_of({{12, 0.12}});
  study.runs[2].documents[3].bits_per_byte = std::nan("");
  EXPECT_FALSE(fit_scale(study).has_value());
}

TEST(Scale, IsAFunctionOfItsRuns) {
  const auto study = study_of({{12, 0.12}, {8, 0.09}}, 3, 0.02, 0.1);
  const auto a = fit_scale(study, 100), b = fit_scale(study, 100);
  EXPECT_EQ(a->leads[0].per_tenfold.low, b->leads[0].per_tenfold.low);
  EXPECT_EQ(a->seeds, 3);
}

TEST(Scale, StudiesAreReadAsTheyWereWritten) {
  const auto study = study_of({{12, 0.12}, {8, 0.09}}, 2, 0.02, 0.1);
  const auto again = record::parse_scale(record::to_json(study));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(record::to_json(*again), record::to_json(study));
  EXPECT_EQ(again->runs[3].documents.size(), 40U);
}

}  // namespace
}  // namespace gabbro::evolve
