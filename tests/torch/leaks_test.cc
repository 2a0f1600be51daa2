// Checks that a position's values do not depend on anything that the position does not see: with programs
// that used to leak, every mixer of the zoo, and units generated for this purpose. fuzz_leaks does the same
// without end.
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "edit/build.h"
#include "edit/edit.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "paths.h"
#include "torch/leak_case.h"
#include "zoo/embedded.h"
#include "zoo/hostile_unit.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

namespace fs = std::filesystem;

// Draws a lowering, a batch and values `tries` times, and expects that the outputs and gradients of watched
// positions do not change with what these positions do not see.
void expect_no_leak(const lang::Elaboration& e, int tries, std::int64_t length, std::uint64_t seed) {
  const c10::InferenceMode no_autograd;
  ASSERT_TRUE(e.ok());
  for (int i = 0; i < tries; ++i) {
    Random random = Random(seed).split(static_cast<std::uint64_t>(i));
    const Lowering lowering =
        i == 0 ? Lowering{.recurrences = ir::RecurrenceOptions{}} : random_lowering(random);
    LeakCase leak_case(e, lowering, length, random);
    EXPECT_EQ(leak_case.forward(), "") << leak_case.describe();
    EXPECT_EQ(leak_case.backward(), "") << leak_case.describe();
    if (::testing::Test::HasFailure()) return;
  }
}

// Each of these programs used to read the next token, or a document before its own, where masked values were
// multiplied by 0 or sums began before the document.
TEST(Leaks, ProgramsThatReadWhatIsMasked) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(source_path("/tests/torch/leaks"))) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const lang::CheckReport report = lang::check(text, zoo::library());
    ASSERT_TRUE(report.valid());
    expect_no_leak(report.subjects.back().elaboration, /*tries=*/3, /*length=*/100, /*seed=*/5);
    ++files;
    if (HasFailure()) return;
  }
  EXPECT_EQ(files, 12);
}

TEST(Leaks, UnitsOfTheZoo) {
  int units = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* unit = std::get_if<lang::Unit>(&item.value);
      if (!unit) continue;
      SCOPED_TRACE(unit->name);
      lang::ElaborateOptions options;
      options.width = 16;
      const lang::Elaboration e = lang::elaborate(zoo::library(), edit::build::name(unit->name), options);
      if (!e.ok()) continue;
      expect_no_leak(e, /*tries=*/2, /*length=*/70, /*seed=*/7);
      ++units;
      if (HasFailure()) return;
    }
  EXPECT_GT(units, 40);
}

// In each of these formulas, values of other positions are stored next to those that count.
TEST(Leaks, WaysToOtherPositions) {
  for (const char* way :
       {"sum(softmax(dot(q, past(kk), over=k), over=s) * past(v), over=s)",
        "sum(exp(dot(q, past(kk), over=k)) * past(v), over=s)",
        "sum(where(0 < dot(q, past(kk), over=k), 1, 2) * past(v), over=s)",
        "dot(dot(q, past(kk), over=k), past(v), over=s)",
        "sum(exp(-0.01 * lag()) * past(v), over=s)",
        "sum(exp(-0.01 * lag(32)) * past(v, 32), over=s)",
        "sum(past(v) / (1 + lag()), over=s)",
        "sum(log(0.5 + lag()) * past(v), over=s)",
        "sum(lookup(param([e], init=normal(1)), lag(), over=e) * past(v), over=s)",
        "max(past(v) * dot(q, past(kk), over=k), over=s)",
        "max(past(v), over=s)",
        "mean(past(v), over=s)",
        "logsumexp(past(v), over=s)",
        "logsumexp(past(v) + dot(q, past(kk), over=k), over=s)",
        "sum(top_k(past(v), 2, over=c) * dot(q, past(kk), over=k), over=s)",
        "sum(softmax(past(v), over=c) * past(x1), over=s)",
        "cumsum(v)",
        "cumsum(cumsum(v))",
        "shift(v, 31)",
        "shift(cumsum(v), 1)",
        "sum(past(sum(softmax(dot(q, past(kk), over=k), over=s) * past(v), over=s)) * past(v), over=s)",
        "sum(past(v, 17) * past(x1, 17), over=s)",
        "sum(softmax(past(v), over=s) * past(x1), over=s)",
        "sum(2e19 * (1 + dot(q, past(kk), over=k) ** 2) * past(1 + 1e19 * hit), over=s)"})
    for (const char* bad :
         {"1 / (1 - hit)", "exp(1000 * hit)", "log(1 - hit)", "1 + 3e38 * hit", "1e-42 * (1 + hit)", "x1"}) {
      SCOPED_TRACE(std::string(way) + ", " + bad);
      const std::string text =
          "unit Way(x: [t, D]) -> [t, D]:\n    axis c = 4, k = 4, e = 6\n    x1 = slice(x, D, 1, c)\n    hit "
          "= (slice(x, D, 0, c) > 0.25) * (position() % 7 == 3)\n"
          "    v = " +
          std::string(bad) + " + 0 * hit\n    q = linear(x, k)\n    kk = linear(x, k)\n    y = " + way +
          " + 0 * x1\n    return linear(y, D)\n";
      lang::ParseResult parsed = lang::parse(text);
      ASSERT_TRUE(parsed.errors.empty()) << text;
      edit::tidy(parsed.program);  // Not every formula needs all of the statements.
      lang::Library library = zoo::library();
      ASSERT_TRUE(library.add(parsed.program).empty());
      lang::ElaborateOptions options;
      options.width = 16;
      const lang::Elaboration e = lang::elaborate(library, edit::build::name("Way"), options);
      for (const Error& error : e.errors) ADD_FAILURE() << format_error("unit", error) << "\n" << text;
      expect_no_leak(e, /*tries=*/3, /*length=*/70, /*seed=*/11);
      Random random(13);
      EXPECT_EQ(LeakCase(e, {}, 70, random).decoded(e, /*moderate=*/std::string(bad) == "x1"), "");
      if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace gabbro::testing
