// Tests of files in a folder that other programs can write to.
#include "base/files.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <cstdlib>

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

// Without a usable HOME, it is the folder that the system knows, never the root folder or a relative one.
TEST(HomeFolder, IsAbsolute) {
  const char* const given = std::getenv("HOME");
  const std::string before = given == nullptr ? "" : given;
  setenv("HOME", "/some/where", 1);
  EXPECT_EQ(home_folder(), "/some/where");
  unsetenv("HOME");
  const std::string known = home_folder();
  EXPECT_TRUE(known == "." || known.starts_with("/")) << known;
  for (const char* value : {"", "relative"}) {
    setenv("HOME", value, 1);
    EXPECT_EQ(home_folder(), known);
  }
  if (given != nullptr) setenv("HOME", before.c_str(), 1);
}

}  // namespace
}  // namespace gabbro
