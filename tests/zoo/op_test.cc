// Tests every row of the op table: its samples elaborate, decode as they train, and have the right gradients.
#include <gtest/gtest.h>

#include <sstream>

#include "lang/check.h"
#include "lang/parser.h"
#include "zoo/library.h"
#include "zoo/properties.h"

namespace gabbro::testing {
namespace {

// Returns a unit for a sample. Values that the sample does not mention are omitted, and its result is reduced
// to [t, D].
std::string wrap(const std::string& sample) {
  const auto mentions = [&](char name) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const auto is_word = [&](std::size_t at) {
        return at < sample.size() &&
               (std::isalnum(static_cast<unsigned char>(sample[at])) || sample[at] == '_');
      };
      if (sample[i] == name && !is_word(i + 1) && (i == 0 || !is_word(i - 1))) return true;
    }
    return false;
  };
  std::string text =
      "unit Sample(x: [t, D], y: [t, D]) -> [t, D]:\n    axis h = 2, k = 3, j = 3, w = h * k * j\n";
  if (mentions('z')) text += "    z = linear(x, [h, k])\n";
  if (mentions('p')) text += "    p = param([D], init=0.5)\n";
  text += "    value = " + sample + "\n";
  text += "    total = sum(value * value)\n";
  text += "    return x + y + total * param([D], init=1) + 0 * w * h * k * j\n";
  return text;
}

TEST(OpTable, SamplesOfEveryOp) {
  int samples = 0;
  for (const ir::OpInfo& op : ir::all_ops()) {
    SCOPED_TRACE(std::string(op.name));
    if (op.samples.empty()) {
      // Tokens, inputs and arguments are leaves of every graph. The other ops appear in gradients and in
      // scans (zoo tests).
      const bool covered = op.kind == ir::Kind::kAdjoint || op.kind == ir::Kind::kLowered ||
                           op.op == ir::Op::kTokens || op.op == ir::Op::kInput || op.op == ir::Op::kArg ||
                           op.op == ir::Op::kScan || op.op == ir::Op::kScanOut;
      EXPECT_TRUE(covered) << "no sample";
      continue;
    }
    std::stringstream list{std::string(op.samples)};
    for (std::string sample; std::getline(list, sample, ';'); ++samples) {
      SCOPED_TRACE(sample);
      const lang::ParseResult parsed = lang::parse(wrap(sample));
      ASSERT_TRUE(parsed.errors.empty()) << format_error("sample", parsed.errors[0]) << "\n" << wrap(sample);
      lang::Library library = zoo::library();
      ASSERT_TRUE(library.add(parsed.program).empty());
      lang::ElaborateOptions options;
      options.width = 6;
      lang::Elaboration e = lang::elaborate(library, *lang::parse_expression("Sample"), options);
      ASSERT_TRUE(e.ok()) << format_error("sample", e.errors[0]) << "\n" << wrap(sample);
      ASSERT_TRUE(ir::verify(e.graph).has_value());
      expect_step_equals_parallel(e, 6);
      expect_causal(e, 6);
      if (op.op != ir::Op::kDetach) expect_gradient(e, 5);  // detach is not meant to be the derivative
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(samples, 50);
}

}  // namespace
}  // namespace gabbro::testing
