// Tests hostile programs: the checker reports the problem within bounded time and memory.
#include "hostile.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <ctime>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::lang {
namespace {

long peak_kilobytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

TEST(Hostile, TextsAreRefusedWithinBounds) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "its bounds of time and memory are those of a program without sanitizers";
#endif
  for (const Hostile& h : hostile_texts()) {
    const double start = processor_seconds();
    const CheckReport report = check(h.text, zoo::library());
    EXPECT_LT(processor_seconds() - start, 20) << h.kind;
    EXPECT_FALSE(report.valid()) << h.kind;
    std::size_t message_bytes = 0;
    for (const Error& e : report.errors) message_bytes += e.message.size() + e.hint.size();
    EXPECT_LT(message_bytes, 100'000U) << h.kind << ": messages are for people";
  }
  EXPECT_LT(peak_kilobytes(), 2'000'000);
}

// Sizes and costs are formulas, so nothing is evaluated, however large they are.
TEST(Hostile, DesignsAreCheckedWithinBounds) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "its bounds of time and memory are those of a program without sanitizers";
#endif
  for (const Hostile& h : hostile_designs()) {
    const double start = processor_seconds();
    const CheckReport report = check(h.text, zoo::library());
    EXPECT_LT(processor_seconds() - start, 20) << h.kind;
    EXPECT_TRUE(report.valid()) << h.kind << ": " << (report.valid() ? "" : report.errors[0].message);
  }
  EXPECT_LT(peak_kilobytes(), 2'000'000);
}

TEST(Hostile, TheErrorNamesTheLimit) {
  const auto errors = check(hostile_texts()[0].text, zoo::library()).errors;
  ASSERT_FALSE(errors.empty());
  EXPECT_EQ(errors[0].code, "limit");
  EXPECT_EQ(errors[0].message, "the design takes more than 4000000 steps to be built");
}

}  // namespace
}  // namespace gabbro::lang
