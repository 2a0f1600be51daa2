#include "data/tag.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"

namespace gabbro::data {
namespace {

TEST(Tag, EndsWhereTextBegins) {
  for (const auto& [text, bytes, attributes] : std::vector<std::tuple<std::string, std::size_t, std::size_t>>{
           {"<p>text", 3, 0},
           {"</p >text", 5, 0},
           {"<br/>", 5, 0},
           {"<a b=c d='e f' g=\"h > i\" j>k", 27, 3},
           {"<a b = 'c'>", 11, 1},
           {"<a b='c' these words are a text>", 8, 1},
           {"<so many words are no attributes>", 0, 0},
           {"<a b c d e>", 11, 0},
           {"<a b c d e f>", 0, 0},
           {"<word b c>", 0, 0},
           {"<w b>c</w>", 5, 0},
           {"<input checked DISABLED data-x>", 31, 0},
           {"<word>", 0, 0},
           {"</word>", 0, 0},
           {"<word></word>", 6, 0},
           {"<word/>", 0, 0},
           {"<word x=1>", 10, 1},
           {"<a b=\\\"c d\\\" e=f>", 17, 2},
           {"</a b>", 0, 0},
           {"<a b='c", 0, 0},
           {"<a b<c>", 0, 0},
           {"<a", 0, 0},
           {"<", 0, 0},
           {"< a>", 0, 0},
           {"<3>", 0, 0},
           {"<a b=", 0, 0},
           {"<a =>", 5, 1}}) {
    std::vector<Attribute> read;
    EXPECT_EQ(read_tag(text, ElementNames(text), 300, &read), bytes) << text;
    EXPECT_EQ(read.size(), attributes) << text;
    EXPECT_EQ(read_tag(text, ElementNames(text), 300, nullptr), bytes) << text;
  }
  EXPECT_EQ(read_tag("<a b='c' d='long'>", ElementNames(""), 12, nullptr), 8U)
      << "cut after the last whole value";
}

TEST(Tag, AnyTextIsReadWithinItsBounds) {
  Random random(7);
  const std::string characters = "<<>>/='\" \n!?ab1";
  for (int k = 0; k < 50'000; ++k) {
    std::string text = "<";
    for (std::int64_t n = random.below(40); n > 0; --n)
      text +=
          characters[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(characters.size())))];
    const auto most = static_cast<std::size_t>(random.below(45));
    std::vector<Attribute> read;
    const std::size_t bytes = read_tag(text, ElementNames(text), most, &read);
    ASSERT_LE(bytes, std::min(text.size(), most)) << text;
    for (const Attribute& a : read) {
      ASSERT_GE(a.name.data(), text.data()) << text;
      ASSERT_LE(a.value.data() + a.value.size(), text.data() + std::min(text.size(), most)) << text;
    }
    ASSERT_TRUE(bytes > 0 || read.empty()) << text;
  }
}

}  // namespace
}  // namespace gabbro::data
