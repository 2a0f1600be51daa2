// Tests that Parquet files are read if this build has Arrow, and otherwise refused with a reason.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "data/build.h"
#include "data/documents.h"
#include "data/parquet.h"

#ifdef GABBRO_HAS_PARQUET
#include <arrow/io/file.h>
#include <parquet/api/writer.h>
#endif

namespace gabbro::data {
namespace {

namespace fs = std::filesystem;

class Parquet : public ::testing::Test {
 protected:
  void SetUp() override {
    root = fs::path(::testing::TempDir()) / ("gabbro_parquet" + std::to_string(getpid()));
    fs::create_directories(root);
  }
  void TearDown() override { fs::remove_all(root); }
  fs::path root;
};

#ifdef GABBRO_HAS_PARQUET

// Writes a file with a number and a nullable text per row, in groups of `group_rows`.
void write_parquet(const std::string& path, const std::vector<std::string>& texts, std::size_t group_rows) {
  using parquet::schema::GroupNode, parquet::schema::PrimitiveNode;
  const auto schema = std::static_pointer_cast<GroupNode>(
      GroupNode::Make("schema", parquet::Repetition::REQUIRED,
                      {PrimitiveNode::Make("id", parquet::Repetition::REQUIRED, parquet::Type::INT64),
                       PrimitiveNode::Make("body", parquet::Repetition::OPTIONAL, parquet::Type::BYTE_ARRAY,
                                           parquet::ConvertedType::UTF8)}));
  const auto sink = arrow::io::FileOutputStream::Open(path).ValueOrDie();
  const auto properties =
      parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
  const auto writer = parquet::ParquetFileWriter::Open(sink, schema, properties);
  for (std::size_t from = 0; from < texts.size(); from += group_rows) {
    parquet::RowGroupWriter* rows = writer->AppendRowGroup();
    const std::size_t end = std::min(from + group_rows, texts.size());
    auto* ids = static_cast<parquet::Int64Writer*>(rows->NextColumn());
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(end - from); ++i)
      ids->WriteBatch(1, nullptr, nullptr, &i);
    auto* bodies = static_cast<parquet::ByteArrayWriter*>(rows->NextColumn());
    for (std::size_t i = from; i < end; ++i) {
      const std::int16_t level = texts[i] == "null" ? 0 : 1;
      const parquet::ByteArray value(texts[i]);
      bodies->WriteBatch(1, &level, nullptr, &value);
    }
  }
  writer->Close();
  ASSERT_TRUE(sink->Close().ok());
}

TEST_F(Parquet, ARowIsADocument) {
  std::vector<std::string> texts, want;
  for (int i = 0; i < 1000; ++i) texts.push_back("row " + std::to_string(i) + std::string(i % 300, 'x'));
  texts[5] = "null";
  texts[700] = "";
  for (const std::string& t : texts)
    if (t != "null" && !t.empty()) want.push_back(t);
  const std::string path = root / "a.parquet";
  write_parquet(path, texts, 384);
  const auto sources = find_sources({root});
  ASSERT_TRUE(sources.has_value()) << sources.error().message;
  const auto documents = open_documents(*sources, {.field = "body"});
  std::vector<std::string> got;
  std::string text;
  for (;;) {
    const auto more = documents->next(text);
    ASSERT_TRUE(more.has_value()) << more.error().message;
    if (!*more) break;
    got.push_back(text);
    EXPECT_LE(documents->consumed(), sources->bytes);
  }
  EXPECT_EQ(got, want);
  EXPECT_EQ(documents->consumed(), sources->bytes);
  EXPECT_EQ(documents->findings().rows, texts.size());
  EXPECT_EQ(documents->findings().empty_rows, 2U);
  EXPECT_EQ(documents->findings().empty_row, path);
}

// Writes rows with a text inside of a structure, both nullable, and a list of texts.
void write_nested(const std::string& path) {
  using parquet::schema::GroupNode, parquet::schema::PrimitiveNode;
  const auto text = [](const char* name, parquet::Repetition::type repetition) {
    return PrimitiveNode::Make(name, repetition, parquet::Type::BYTE_ARRAY, parquet::ConvertedType::UTF8);
  };
  const auto schema = std::static_pointer_cast<GroupNode>(GroupNode::Make(
      "schema", parquet::Repetition::REQUIRED,
      {GroupNode::Make("page", parquet::Repetition::OPTIONAL, {text("body", parquet::Repetition::OPTIONAL)}),
       text("tags", parquet::Repetition::REPEATED)}));
  const auto sink = arrow::io::FileOutputStream::Open(path).ValueOrDie();
  const auto writer = parquet::ParquetFileWriter::Open(sink, schema);
  parquet::RowGroupWriter* rows = writer->AppendRowGroup();
  auto* bodies = static_cast<parquet::ByteArrayWriter*>(rows->NextColumn());
  // A text, a structure without one, no structure, and a text again.
  const std::vector<std::int16_t> levels{2, 1, 0, 2};
  const std::vector<parquet::ByteArray> values{parquet::ByteArray("one"), parquet::ByteArray("two")};
  bodies->WriteBatch(4, levels.data(), nullptr, values.data());
  auto* tags = static_cast<parquet::ByteArrayWriter*>(rows->NextColumn());
  const std::vector<std::int16_t> tag_levels{1, 1, 0, 0, 1}, repeated{0, 1, 0, 0, 0};
  const std::vector<parquet::ByteArray> words{parquet::ByteArray("a"), parquet::ByteArray("b"),
                                              parquet::ByteArray("c")};
  tags->WriteBatch(5, tag_levels.data(), repeated.data(), words.data());
  writer->Close();
  ASSERT_TRUE(sink->Close().ok());
}

TEST_F(Parquet, TextsMayBeInsideOfStructures) {
  const std::string path = root / "a.parquet";
  write_nested(path);
  const auto sources = find_sources({path});
  ASSERT_TRUE(sources.has_value()) << sources.error().message;
  const auto documents = open_documents(*sources, {.field = "page.body"});
  std::vector<std::string> got;
  std::string text;
  for (auto more = documents->next(text);; more = documents->next(text)) {
    ASSERT_TRUE(more.has_value()) << more.error().message;
    if (!*more) break;
    got.push_back(text);
  }
  EXPECT_EQ(got, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(documents->findings().empty_rows, 2U);
  for (const char* other : {"tags", "body", "page"}) {
    const auto file = ParquetFile::open(path, other);
    ASSERT_FALSE(file.has_value()) << other;
    EXPECT_EQ(file.error().hint, "columns with text: page.body; choose one with --field") << other;
  }
}

TEST_F(Parquet, UnreadableFilesAreReported) {
  const std::string path = root / "a.parquet";
  write_parquet(path, {"one", "two"}, 2);
  const auto other = ParquetFile::open(path, "text");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().message, path + ": no text in column text");
  EXPECT_EQ(other.error().hint, "columns with text: body; choose one with --field");
  EXPECT_FALSE(ParquetFile::open(path, "id").has_value());
  fs::resize_file(path, fs::file_size(path) - 20);
  const auto cut = ParquetFile::open(path, "body");
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, "format");
  EXPECT_NE(cut.error().message.find("a.parquet"), std::string::npos);
}

TEST_F(Parquet, DamagedPagesAreNoticed) {
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) texts.push_back("row " + std::to_string(i * 7919LL % 10007));
  const std::string path = root / "a.parquet";
  write_parquet(path, texts, 5000);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(path) / 2));
    file << std::string(200, '\xff');
  }
  auto opened = ParquetFile::open(path, "body");
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  std::string text;
  Result<ParquetFile::Row> more = ParquetFile::Row::kText;
  while (more && *more != ParquetFile::Row::kNone) more = opened->next(text);
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().code, "format");
}

#else

TEST_F(Parquet, IsRefusedWithAReason) {
  std::ofstream(root / "a.parquet") << "PAR1";
  for (const std::string& path : {(root / "a.parquet").string(), root.string()}) {
    const auto sources = find_sources({path});
    ASSERT_FALSE(sources.has_value());
    EXPECT_EQ(sources.error().code, "parquet");
    EXPECT_NE(sources.error().message.find(
                  "a.parquet is a Parquet file, and this gabbro was built without Parquet"),
              std::string::npos)
        << sources.error().message;
    EXPECT_NE(sources.error().hint.find("JSON lines"), std::string::npos);
  }
}

#endif

}  // namespace
}  // namespace gabbro::data
