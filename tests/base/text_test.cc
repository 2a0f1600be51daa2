// Tests of the display of text from outside.
#include "base/text.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/random.h"
#include "base/utf8.h"

namespace gabbro {
namespace {

TEST(Text, VisibleTextIsUnchanged) {
  for (const std::string& text :
       {std::string("plain\n\ttext ~"), std::string("\u00e9 \u20ac \u4e2d \U0001f600 \u05d0 \u0627"),
        std::string()})
    EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable_line("a\n\tb"), "a\\u000a\\u0009b");
}

TEST(Text, ControlAndInvisibleCharactersAreEscaped) {
  EXPECT_EQ(printable(std::string("\0a", 2)), "\\u0000a");
  EXPECT_EQ(printable("\x1b[2J\r\x07\x7f"), "\\u001b[2J\\u000d\\u0007\\u007f");
  EXPECT_EQ(printable("\xc2\x9b\xc2\x85"), "\\u009b\\u0085");                        // C1 control characters
  EXPECT_EQ(printable("\u202e\u2066\u200f\u061c"), "\\u202e\\u2066\\u200f\\u061c");  // direction of writing
  EXPECT_EQ(printable("\u200b\u00ad\ufeff\u3164\ufe0f"), "\\u200b\\u00ad\\ufeff\\u3164\\ufe0f");
  EXPECT_EQ(printable("\u2028\u2029"), "\\u2028\\u2029");
  // Surrogate pairs, as in JSON.
  EXPECT_EQ(printable("\U000e0041\U0010ffff"), "\\udb40\\udc41\\udbff\\udfff");
}

TEST(Text, InvalidUtf8IsReplaced) {
  EXPECT_EQ(printable("\x9b"
                      "2J"),
            "\ufffd"
            "2J");
  EXPECT_EQ(printable("\xc3"), "\ufffd");                                // truncated
  EXPECT_EQ(printable("\xc0\xaf"), "\ufffd\ufffd");                      // overlong form
  EXPECT_EQ(printable("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");            // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");  // beyond the last code point
}

TEST(Text, PrintableTextIsNotEscapedAgain) {
  Random random(5);
  for (int k = 0; k < 2000; ++k) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += static_cast<char>(random.below(256));
    const std::string once = printable(text);
    EXPECT_EQ(printable(once), once);
    for (std::size_t at = 0; at < once.size(); at += decode_utf8(once, at)->bytes)
      ASSERT_TRUE(decode_utf8(once, at));
  }
}

TEST(Files, OnlyRegularFilesAreRead) {
  namespace fs = std::filesystem;
  const fs::path dir = fs::path(testing::TempDir()) / ("gabbro_files_" + std::to_string(getpid()));
  fs::create_directories(dir);
  std::ofstream(dir / "text") << "12345";
  fs::create_symlink(dir / "text", dir / "link");
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(dir / "text").value(), "12345");
  EXPECT_EQ(read_file(dir / "link").value(), "12345");
  EXPECT_EQ(read_file(dir / "text", 5).value(), "12345");
  EXPECT_EQ(read_file(dir / "text", 4).error().code, "limit");
  EXPECT_FALSE(read_untrusted_file(dir / "link", 9));
  for (const fs::path& path : {dir / "pipe", fs::path("/dev/zero"), dir, dir / "none"})
    EXPECT_EQ(read_file(path, 9).error().code, "io") << path;
  for (const fs::path& path : {dir / "pipe", fs::path("/dev/zero"), dir, dir / "none"})
    EXPECT_EQ(check_regular_file(path).error().code, "io") << path;
  EXPECT_TRUE(check_regular_file(dir / "text"));
  EXPECT_TRUE(check_regular_file(dir / "link"));
  EXPECT_FALSE(read_file("/proc/self/status")->empty());
  fs::remove_all(dir);
}

}  // namespace
}  // namespace gabbro
