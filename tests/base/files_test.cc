// Tests of files in a folder that other programs can write to.
#include "base/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gabbro {
namespace {

namespace fs = std::filesystem;

// An untrusted program puts folders and links at the names that a process with this id, or one of the next,
// might use next to the file.
TEST(ReplaceFile, IsNotStoppedByOtherFilesInItsFolder) {
  const fs::path dir = fs::path(testing::TempDir()) / "replace_file";
  fs::remove_all(dir);
  fs::create_directories(dir);
  std::ofstream(dir / "precious") << "precious";
  const std::string path = (dir / "spec.json").string();
  for (int id = 0; id < 100; ++id)
    fs::create_directories(path + ".tmp" + std::to_string(getpid() + id) + "/full");
  fs::create_symlink(dir / "precious", path + ".tmp");
  for (const char* text : {"first", "second"}) {
    const auto ok = replace_file(path, text);
    ASSERT_TRUE(ok) << ok.error().message;
    EXPECT_EQ(read_file(path).value_or(""), text);
  }
  EXPECT_EQ(read_file((dir / "precious").string()).value_or(""), "precious");
  std::size_t regular_files = 0;
  for (const auto& entry : fs::directory_iterator(dir))
    regular_files += entry.is_regular_file() && !entry.is_symlink();
  EXPECT_EQ(regular_files, 2U) << "the file and the precious one";
  fs::remove_all(dir);
}

}  // namespace
}  // namespace gabbro
