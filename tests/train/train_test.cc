// Tests of learning rate schedules, data order and files of arrays.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "data/build.h"
#include "train/batches.h"
#include "train/safetensors.h"
#include "train/schedule.h"

namespace gabbro::train {
namespace {

namespace fs = std::filesystem;

TEST(Schedule, RisesThenFallsToItsFloor) {
  const Schedule cosine{};
  EXPECT_NEAR(cosine.at(0, 1000), 1.0 / 20, 1e-12);
  EXPECT_EQ(cosine.at(19, 1000), 1);
  EXPECT_NEAR(cosine.at(999, 1000), 0.1, 1e-12);
  EXPECT_NEAR(cosine.at(19 + 490, 1000), 0.55, 1e-9);  // halfway down the cosine
  for (int step = 20; step < 999; ++step) EXPECT_GT(cosine.at(step, 1000), cosine.at(step + 1, 1000));
  const Schedule stable{.kind = Schedule::Kind::kStable};
  EXPECT_EQ(stable.at(500, 1000), 1);
  EXPECT_EQ(stable.at(799, 1000), 1);
  EXPECT_NEAR(stable.at(899, 1000), 0.55, 1e-12);
  EXPECT_NEAR(stable.at(999, 1000), 0.1, 1e-12);
  EXPECT_EQ(cosine.at(0, 1), 1);
}

TEST(Batches, DocumentsStartAtTheEndTokenBefore) {
  exec::TokenBatch batch{1, 6, std::vector<std::int64_t>(6), std::vector<std::int64_t>(6),
                         std::vector<std::int64_t>(6)};
  fill_row(batch, 0, {5, 6, 2, 7, 8, 2, 9}, 2);
  EXPECT_EQ(batch.tokens, (std::vector<std::int64_t>{5, 6, 2, 7, 8, 2}));
  EXPECT_EQ(batch.targets, (std::vector<std::int64_t>{6, 2, 7, 8, 2, 9}));
  EXPECT_EQ(batch.starts, (std::vector<std::int64_t>{0, 0, 2, 2, 2, 5}));
}

std::string folder_for(const std::string& name) {
  const fs::path path = fs::path(::testing::TempDir()) / ("gabbro_" + name + std::to_string(getpid()));
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

TEST(Batches, EveryWindowOncePerPassAndTheSameForOneSeed) {
  const std::string folder = folder_for("batches");
  std::ofstream text(folder + "/a.txt");
  for (int i = 0; i < 400; ++i)
    text << "document " << i << " of stones and rivers and bridges\n<|endoftext|>\n";
  text.close();
  data::BuildOptions options;
  options.out = folder + "/corpus";
  options.sources = {folder + "/a.txt"};
  options.vocab = 310;
  options.valid_share = 0.1;
  ASSERT_TRUE(data::build_corpus(options, {}).has_value());
  const auto split = data::Corpus::open(options.out)->split("train");
  ASSERT_TRUE(split.has_value());
  constexpr std::int64_t kEnd = 2, kSequences = 1, kLength = 16;
  const Batches batches(*split, kEnd, kSequences, kLength, 7), again(*split, kEnd, kSequences, kLength, 7),
      other(*split, kEnd, kSequences, kLength, 8);
  std::multiset<std::vector<std::int64_t>> seen, all;
  std::vector<std::int64_t> window(kLength);
  int different = 0;
  for (std::int64_t i = 0; i < batches.windows(); ++i) {
    seen.insert(batches.batch(i).tokens);
    EXPECT_EQ(batches.batch(i).tokens, again.batch(i).tokens);
    different += batches.batch(i).tokens != other.batch(i).tokens;
    split->read(static_cast<std::uint64_t>(i * kLength), window);
    all.insert(window);
  }
  EXPECT_EQ(seen, all);
  EXPECT_GT(different, batches.windows() / 2);
  EXPECT_NE(batches.batch(0).tokens, batches.batch(batches.windows()).tokens)
      << "the second pass has an order of its own";
  fs::remove_all(folder);
}

TEST(Safetensors, AreReadAsTheyWereWritten) {
  const std::string folder = folder_for("arrays"), path = folder + "/a.safetensors";
  const std::vector<exec::NamedArray> arrays{
      {"w", {2, 3}, {1, 2, 3, 4, 5, 6.5F}}, {"scalar", {}, {-0.0F}}, {"empty", {0}, {}}};
  ASSERT_TRUE(save_arrays(path, arrays, {{"format", "test"}}).has_value());
  const auto file = load_arrays(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->metadata.at("format"), "test");
  ASSERT_EQ(file->arrays.size(), 3U);
  for (const exec::NamedArray& a : file->arrays)
    for (const exec::NamedArray& b : arrays)
      if (a.name == b.name) {
        EXPECT_EQ(a.shape, b.shape);
        EXPECT_EQ(a.data, b.data);
      }
  std::vector<exec::NamedArray> changed = arrays;
  changed[0].data[3] += 1;
  EXPECT_NE(hash_arrays(arrays), hash_arrays(changed));
  for (const std::uintmax_t size : {std::uintmax_t{4}, std::uintmax_t{20}, fs::file_size(path) - 1}) {
    fs::resize_file(path, size);
    EXPECT_EQ(load_arrays(path).error().code, "format") << size;
  }
  EXPECT_EQ(load_arrays(folder + "/none").error().code, "io");
  EXPECT_EQ(save_arrays(folder + "/no/such/place", arrays, {}).error().code, "io");
  fs::remove_all(folder);
}

// Arrays keep the order of the file, whatever their names: their hash depends on it.
TEST(Safetensors, KeepTheirOrder) {
  const std::string folder = folder_for("order"), path = folder + "/a.safetensors";
  const std::vector<exec::NamedArray> arrays{{"z", {2}, {1, 2}}, {"a", {1}, {3}}, {"m", {}, {4}}};
  ASSERT_TRUE(save_arrays(path, arrays, {}).has_value());
  const auto file = load_arrays(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(hash_arrays(file->arrays), hash_arrays(arrays));
  fs::remove_all(folder);
}

// One of two arrays of a name would be lost.
TEST(Safetensors, NamesAreUsedOnce) {
  const std::string folder = folder_for("twice"), path = folder + "/a.safetensors";
  const auto saved = save_arrays(path, {{"a", {1}, {1}}, {"a", {1}, {2}}}, {});
  ASSERT_FALSE(saved.has_value());
  EXPECT_NE(saved.error().message.find("two arrays are named a"), std::string::npos);
  EXPECT_FALSE(fs::exists(path));
  fs::remove_all(folder);
}

TEST(Safetensors, ImpossibleRangesAreRefused) {
  const auto parsed = [](const std::string& arrays) {
    const std::string header = "{" + arrays + "}";
    std::string bytes(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, 8);
    return parse_arrays(bytes + header + std::string(16, '\1'), "it");
  };
  const auto array = [](const std::string& name, const std::string& shape, const std::string& offsets) {
    return '"' + name + R"(": {"dtype": "F32", "shape": [)" + shape + R"(], "data_offsets": [)" + offsets +
           "]}";
  };
  ASSERT_TRUE(parsed(array("a", "4", "0, 16")).has_value());
  ASSERT_TRUE(parsed(array("a", "2", "8, 16") + "," + array("b", "2, 1", "0, 8")).has_value());
  for (const std::string& wrong :
       {array("a", "2", "18446744073709551600, 18446744073709551608"), array("a", "2", "12, 20"),
        array("a", "2", "-16, -8"), array("a", "2", "16, 8"), array("a", "-1", "0, 16"),
        array("a", "4611686018427387904, 4", "0, 0"), array("a", "4294967296, 4294967296", "0, 0"),
        array("a", "-2, -2", "0, 16"), array("a", "4", "0, 16") + "," + array("b", "4", "0, 16")}) {
    const auto file = parsed(wrong);
    ASSERT_FALSE(file.has_value()) << wrong;
    EXPECT_EQ(file.error().code, "format") << wrong;
  }
}

}  // namespace
}  // namespace gabbro::train
