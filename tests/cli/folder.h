// A temporary folder for a test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace gabbro {

class FolderTest : public ::testing::Test {
 protected:
  explicit FolderTest(const char* name) : dir(testing::TempDir() + name) {}
  void SetUp() override {
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
  }
  void TearDown() override { std::filesystem::remove_all(dir); }
  // Writes a file into the folder and returns its path.
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(dir + "/" + name, std::ios::binary) << text;
    return dir + "/" + name;
  }
  const std::string dir;
};

}  // namespace gabbro
