// Runs docs/tutorial.md unchanged.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "paths.h"

namespace gabbro {
namespace {

// The test builds the corpus debian (which needs a mirror of Debian's packages) and takes some minutes.
TEST(Tutorial, RunsAsWrittenSlow) {
  const std::filesystem::path source = source_path(), binary = gabbro_path();
  std::ifstream file(source / "docs/tutorial.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "gabbro_tutorial";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream script(folder / "tutorial.sh");
  script << "set -eux\ncd " << folder << "\nexport PATH=" << binary.parent_path() << ":$PATH\n";
  int blocks = 0;
  for (std::size_t at = 0; (at = text.find("```sh\n", at)) != std::string::npos; ++blocks) {
    at += 6;
    const std::size_t end = text.find("```", at);
    ASSERT_NE(end, std::string::npos);
    script << text.substr(at, end - at);
    at = end + 3;
  }
  script.close();
  EXPECT_GE(blocks, 6);
  EXPECT_EQ(std::system(("sh " + (folder / "tutorial.sh").string()).c_str()), 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "runs/first/report.html"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gabbro
