// Tests of enums with spellings: every value has one, and it is read back.
#include "record/spelling.h"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

#include "record/cause.h"
#include "record/event.h"

namespace gabbro::record {
namespace {

template <class E>
class Spellings : public testing::Test {};
using All = testing::Types<Status, Origin, Purpose, RunEnd, SessionEnd, Operator, Mode, TaskOutcome, Dtype,
                           RateSchedule, CapabilityOutcome, Steering, Cause>;
TYPED_TEST_SUITE(Spellings, All);

TYPED_TEST(Spellings, AreDistinctAndReadBack) {
  const auto all = words<TypeParam>();
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(parse_word<TypeParam>(all[i]), static_cast<TypeParam>(i));
    EXPECT_FALSE(parse_word<TypeParam>(all[i] + "x"));
  }
  // Only a cause may be "".
  EXPECT_EQ(parse_word<TypeParam>("").has_value(), (std::is_same_v<TypeParam, Cause>));
}

// The parts of a provenance are optional, but a word that is there must be known.
TEST(Provenance, HasKnownWordsOrNone) {
  const auto read = [](const std::string& op, const std::string& mode) {
    return parse_event("refusal", R"({"attempt": 1, "origin": "search", "strategy": "agents", "op": ")" + op +
                                      R"(", "mode": ")" + mode +
                                      R"(", "description": "", "cause": "cost", "detail": "", "parent": 0})");
  };
  const auto none = read("", ""), op = read("wrap", ""), mode = read("", "scratch");
  ASSERT_TRUE(none && op && mode);
  EXPECT_FALSE(std::get<Refused>(*none).provenance.op);
  EXPECT_FALSE(std::get<Refused>(*none).provenance.mode);
  EXPECT_EQ(std::get<Refused>(*op).provenance.op, Operator::kWrap);
  EXPECT_EQ(std::get<Refused>(*mode).provenance.mode, Mode::kScratch);
  const auto agents = read("agents: scratch", ""), misspelt = read("", "scrtch");
  ASSERT_FALSE(agents || misspelt);
  EXPECT_NE(agents.error().message.find("agents: scratch"), std::string::npos) << agents.error().message;
  EXPECT_NE(misspelt.error().message.find("scrtch"), std::string::npos) << misspelt.error().message;
}

}  // namespace
}  // namespace gabbro::record
