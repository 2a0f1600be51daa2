// Tests long and large programs: what stays linear, and where elaboration stops.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::lang {
namespace {

const std::string kHead = "unit A(x: [t, D]) -> [t, D]:\n";

// Returns a unit with the statements y0 = silu(x), y1 = silu(y0), ..., without a return.
std::string chain(int statements) {
  std::string text = kHead;
  for (int i = 0; i < statements; ++i)
    text += fmt::format("    y{} = silu({})\n", i, i == 0 ? "x" : fmt::format("y{}", i - 1));
  return text;
}

std::vector<Error> errors_of(const std::string& text, std::size_t max_nodes = 200'000) {
  ElaborateOptions options;
  options.max_nodes = max_nodes;
  return check(text, zoo::library(), options).errors;
}

TEST(Limits, NamesOfLongBodiesAreFound) {
  EXPECT_TRUE(errors_of(chain(200) + "    return y199\n").empty());
  const auto twice = errors_of(chain(200) + "    y150 = silu(y199)\n    return y150\n");
  ASSERT_FALSE(twice.empty());
  EXPECT_EQ(twice[0].message, "y150 already has a value, from line 152");
  const auto unread = errors_of(chain(200) + "    return y198\n");
  ASSERT_EQ(unread.size(), 1U);
  EXPECT_EQ(unread[0].message, "y199 is never read");
  const auto unknown = errors_of(chain(200) + "    return nowhere + y199\n");
  ASSERT_EQ(unknown.size(), 1U);
  EXPECT_EQ(unknown[0].message, "unknown name nowhere");
}

// Names of an iteration end with it, even if the body is long: the name may be used again, and it does not
// outlive the loop.
TEST(Limits, NamesOfIterationsEndInLongBodies) {
  const std::string loop =
      chain(40) +
      "    for i in 3 with z = y39:\n        u = silu(z)\n        skip[i] = u\n        z = u + x\n";
  EXPECT_TRUE(errors_of(loop + "    u = z * skip[0] + skip[1] * skip[2]\n    return u\n").empty());
  const auto outlived = errors_of(loop + "    return z + u * skip[0] * skip[1] * skip[2]\n");
  ASSERT_EQ(outlived.size(), 1U);
  EXPECT_EQ(outlived[0].message, "unknown name u");
}

// Units that are within the limit one by one are limited together.
TEST(Limits, UnitsAreLimitedTogether) {
  std::string text;
  for (int u = 0; u < 10; ++u) {
    std::string unit = chain(40) + "    return y39\n\n";
    text += unit.replace(kHead.find('A'), 1, fmt::format("A{}", u));
  }
  const auto errors = errors_of(text, 100);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, "limit");
  EXPECT_GT(errors[0].at.line, 4 * 42);
  EXPECT_TRUE(errors_of(text, 1000).empty());
}

}  // namespace
}  // namespace gabbro::lang
