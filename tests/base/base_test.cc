// Tests of the smallest headers: in-place lists, random streams, hashes, errors.
#include <gtest/gtest.h>

#include <set>

#include "base/build_id.h"
#include "base/hash.h"
#include "base/inline_vec.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "base/result.h"

namespace gabbro {
namespace {

TEST(InlineVec, InsertsErasesFinds) {
  InlineVec<int, 4> v{1, 3};
  v.insert(1, 2);
  v.push_back(4);
  EXPECT_TRUE(v.full());
  EXPECT_EQ(v, (InlineVec<int, 4>{1, 2, 3, 4}));
  v.erase(0);
  EXPECT_EQ(v, (InlineVec<int, 4>{2, 3, 4}));
  EXPECT_EQ(v.find(4), 2);
  EXPECT_EQ(v.find(1), -1);
  EXPECT_FALSE(v == (InlineVec<int, 4>{2, 3}));
}

TEST(InlineVecDeathTest, RefusesToGrowBeyondItsCapacity) {
  InlineVec<int, 2> v{1, 2};
  EXPECT_DEATH(v.push_back(3), "internal check failed");
  EXPECT_DEATH(v.insert(0, 3), "internal check failed");
}

TEST(Random, SameSeedSameNumbersOnEveryPlatform) {
  Random r(1);
  Random again(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(r.next(), again.next());
  EXPECT_NE(Random(1).next(), Random(2).next());
}

TEST(Random, SplitDoesNotAdvanceAndStreamsDiffer) {
  Random r(7);
  const std::uint64_t first = r.split("a").next();
  EXPECT_EQ(r.split("a").next(), first);
  EXPECT_NE(r.split("b").next(), first);
  EXPECT_NE(r.split(std::uint64_t{1}).next(), r.split(std::uint64_t{2}).next());
  EXPECT_EQ(r.next(), Random(7).next());
}

TEST(Random, SkippingIsTheSameAsDrawing) {
  Random drawn(7), skipped(7);
  for (int i = 0; i < 5; ++i) drawn.normal();
  for (int i = 0; i < 3; ++i) drawn.uniform();
  skipped.skip(2 * 5 + 3);
  EXPECT_EQ(drawn.next(), skipped.next());
}

TEST(Random, DrawsAreInRangeAndSpread) {
  Random r(3);
  std::set<std::int64_t> seen;
  double sum = 0, square = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const std::int64_t n = r.below(6);
    ASSERT_GE(n, 0);
    ASSERT_LT(n, 6);
    seen.insert(n);
    const double u = r.uniform(2, 3);
    ASSERT_GE(u, 2);
    ASSERT_LT(u, 3);
    const double z = r.normal();
    sum += z;
    square += z * z;
  }
  EXPECT_EQ(seen.size(), 6U);
  EXPECT_NEAR(sum / kDraws, 0, 0.03);      // four standard errors
  EXPECT_NEAR(square / kDraws, 1, 0.045);  // four and a half standard errors
}

TEST(Hash, DependsOnContentAndOrder) {
  EXPECT_EQ(hash128("abc"), hash128("abc"));
  EXPECT_NE(hash128("abc"), hash128("abd"));
  EXPECT_EQ(to_hex(hash128("")).size(), 32U);
  EXPECT_NE(mix(1, 2), mix(2, 1));
}

Result<int> half(int n) {
  if (n % 2 != 0) return fail("odd", "3 is odd", "try 4", {2, 5});
  return n / 2;
}
Result<int> quarter(int n) {
  GABBRO_TRY(h, half(n));
  return half(h);
}

// The test cases 1, 2 and 6 of RFC 4231.
TEST(KeyedHash, IsHmacSha256) {
  EXPECT_EQ(keyed_hash64(std::string(20, '\x0b'), "Hi There"), 0xb0344c61d8db3853U);
  EXPECT_EQ(keyed_hash64("Jefe", "what do ya want for nothing?"), 0x5bdcc146bf60754eU);
  EXPECT_EQ(keyed_hash64(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            0x60e431591ee0b67fU);
}

TEST(Result, ErrorsPassThroughAndReadWell) {
  EXPECT_EQ(*quarter(8), 2);
  const auto bad = quarter(6);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(format_error("a.gab", bad.error()), "a.gab:2:5: error[odd]: 3 is odd\n  hint: try 4");
  EXPECT_EQ(format_error("a.gab", {"io", "gone", "", {}}), "a.gab: error[io]: gone");
}

TEST(BuildId, IsAHashAndTheInstructions) {
  const std::string id = build_id();
  ASSERT_GT(id.size(), 17U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), 16U) << id;
  EXPECT_EQ(id[16], ' ');
  EXPECT_EQ(build_id(), id);
}

}  // namespace
}  // namespace gabbro
