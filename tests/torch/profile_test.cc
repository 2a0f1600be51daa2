#include "exec/torch/profile.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace gabbro::exec::torch {
namespace {

// Returns null if no row has the name.
const ProfileRow* find(const std::vector<ProfileRow>& rows, std::string_view name) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const ProfileRow& r) { return r.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

TEST(Profile, CountsOperatorsWithTheirShapes) {
  const at::Tensor a = at::ones({3, 4}), b = at::ones({4, 5});
  Profile profile(/*with_shapes=*/true);
  at::mm(a, b);
  at::mm(a, b);
  at::mm(b.t(), a.t());
  const auto rows = profile.stop();
  at::mm(a, b);  // no longer recorded
  std::int64_t calls = 0;
  for (const ProfileRow& row : rows)
    if (row.name == "aten::mm") calls += row.calls;
  EXPECT_EQ(calls, 3);
  const auto plain =
      std::find_if(rows.begin(), rows.end(), [](const ProfileRow& r) { return r.shapes == "[3,4] [4,5]"; });
  ASSERT_NE(plain, rows.end());
  EXPECT_EQ(plain->name, "aten::mm");
  EXPECT_EQ(plain->calls, 2);
  EXPECT_TRUE(
      std::any_of(rows.begin(), rows.end(), [](const ProfileRow& r) { return r.shapes == "[5,4]* [4,3]*"; }));
}

TEST(Profile, TimeOfAnOuterOperatorIncludesThatOfTheInner) {
  const at::Tensor a = at::ones({2, 16, 16});
  Profile profile(/*with_shapes=*/false);
  at::einsum("bij,bjk->bik", {a, a});
  const auto rows = profile.stop();
  const ProfileRow *outer = find(rows, "aten::einsum"), *inner = find(rows, "aten::bmm");
  ASSERT_TRUE(outer && inner);
  EXPECT_GE(outer->seconds, outer->self_seconds + inner->seconds);
  EXPECT_GT(outer->self_seconds, 0);
}

}  // namespace
}  // namespace gabbro::exec::torch
