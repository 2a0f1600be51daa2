// Signs that models write in place of ASCII.
#include "lang/ascii_hint.h"

#include <gtest/gtest.h>

namespace gabbro::lang {
namespace {

TEST(AsciiSigns, OnlySignsWithOneReadingAreReplaced) {
  struct Row {
    const char *written, *read;
  };
  const Row rows[] = {
      {"y = x × 2 − z ÷ 3\n", "y = x * 2 - z / 3\n"},
      {"unit A(x: [t, D]) → [t, D]:\n\treturn x\n", "unit A(x: [t, D]) -> [t, D]:\n    return x\n"},
      {"\t\ty =\tx\n", "        y =\tx\n"},
      {"a ≤ b\u00a0≥ c\u200b\n", "a <= b >= c\n"},
      {"y = x * 2  # 2 × x − 1\nz = y × y\n", "y = x * 2  # 2 × x − 1\nz = y * y\n"},
      {"y = x²  ≠ √x α ∑ \"q\"\n", "y = x²  ≠ √x α ∑ \"q\"\n"},
      {"y = \xff × \xc3\n", "y = \xff * \xc3\n"},
      {"", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(with_ascii_signs(row.written), row.read) << row.written;
}

TEST(AsciiSigns, HintsNameThem) {
  EXPECT_EQ(ascii_hint(U'×'), "write *");
  EXPECT_EQ(ascii_hint(U'→'), "write ->");
  EXPECT_EQ(ascii_hint(U'\u00a0'), "write an ordinary space");
  EXPECT_EQ(ascii_hint(U'\u200b'), "delete this invisible character");
  EXPECT_EQ(ascii_hint(U'²'), "write ** 2");
}

}  // namespace
}  // namespace gabbro::lang
