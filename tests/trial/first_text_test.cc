// Tests of the checks on whole texts before a design is trained: losses that are not finite late in a text,
// and contexts that have no effect.
#include "trial/first_text.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "lang/check.h"
#include "trial/backend.h"
#include "zoo/library.h"

namespace gabbro::trial {
namespace {

struct Case {
  const char* description;
  std::string body;    // statements of the mixer
  std::string fails;   // the check that must fail; "" if both must hold
  const char* detail;  // part of the details of the checks
};

// Checks a design whose mixer has the statements `body`.
lang::CheckReport built(const std::string& body) {
  const std::string text =
      "unit U(x: [t, D]) -> [t, D]:\n" + body + "\ndesign M:\n    stack = [2 * Block(mixer=U), RMSNorm]\n";
  lang::CheckReport r = lang::check(text, zoo::library(), {.width = 32, .vocab = 64});
  for (const Error& e : r.errors) ADD_FAILURE() << e.message << text;
  return r;
}

std::vector<std::int64_t> random_tokens(std::int64_t count) {
  Random random(4);
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(random.below(64));
  return out;
}

TEST(FirstText, SaysWhatIsWrongWithWholeTexts) {
  const Case cases[] = {
      {"a loss that is no number at one position",
       "    return linear(shift(x, 1), D) + where(position() == 100, 1 / (position() - 100), 0)\n",
       "whole text", "position 100 of 128"},
      {"no numbers from a position on",
       "    return linear(shift(x, 1), D) + where(position() < 60, 0, log(60 - position()))\n", "whole text",
       "position 60 of 128"},
      {"the last position alone",
       "    return linear(shift(x, 1), D) + where(position() < 127, 0, log(-position()))\n", "whole text",
       "position 127 of 128"},
      {"beyond the length of training",
       "    return linear(shift(x, 1), D) + where(position() < 200, 0, log(-position()))\n", "whole text",
       "position 200 of 256"},
      {"mixing in the beginning alone", "    return linear(x + where(position() < 20, shift(x, 1), 0), D)\n",
       "context", "at position 120"},
      {"mixing in the end alone", "    return linear(x + where(90 < position(), shift(x, 1), 0), D)\n",
       "context", "0 at position 64"},
      {"next to no mixing", "    return linear(x + 0.00001 * shift(x, 1), D)\n", "context", "at least 0.001"},
      {"an output that starts at zero", "    return param([D], init=0) * linear(shift(x, 1), D)\n", "",
       "after 8 updates"},
      {"two gates, one behind the other",
       "    return param([D], init=0) * (x + param([D], init=0) * linear(shift(x, 1), D))\n", "",
       "after 8 updates"},
      {"a gate whose gradient is 0 for ever",
       "    g = param([D], init=0)\n    return g * g * linear(shift(x, 1), D)\n", "context",
       "after 8 updates"},
      {"two gates that keep each other closed",
       "    return param([D], init=0) * param([D], init=0) * linear(shift(x, 1), D)\n", "context",
       "after 8 updates"},
      {"a running mean, whose every token counts less and less",
       "    return linear(mean(past(x), over=s), D)\n", "", "at position 120"},
      {"blocks that begin in the middle",
       "    return linear(where(position() % 64 == 0, x, shift(x, 1)), D)\n", "", "at position 64"},
      {"none, as is proved", "    return linear(x, D)\n", "", "as was proved"},
  };
  for (const Case& c : cases) {
    const lang::CheckReport report = built(c.body);
    ASSERT_TRUE(report.valid());
    const ir::Graph& graph = report.subjects.back().elaboration.graph;
    const auto model = torch_backend()(graph, 1);
    const std::vector<exec::NamedArray> before = model->weights(), moments = model->moments();
    std::string fails, details;
    for (const record::Anchor& a :
         first_text(graph, *model, random_tokens(300), /*length=*/128, /*twice=*/true)) {
      if (!a.holds) fails += a.name;
      details += a.detail + "\n";
    }
    EXPECT_EQ(fails, c.fails) << c.description << ": " << details;
    EXPECT_NE(details.find(c.detail), std::string::npos) << c.description << ": " << details;
    const std::vector<exec::NamedArray> after = model->weights();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].data, before[i].data) << c.description;
    const std::vector<exec::NamedArray> later = model->moments();
    for (std::size_t i = 0; i < later.size(); ++i) EXPECT_EQ(later[i].data, moments[i].data) << c.description;
  }
}

}  // namespace
}  // namespace gabbro::trial
