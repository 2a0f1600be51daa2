// Tests of records that a failing disk, or another program, changed: every reader reports an error that names
// the file.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "base/damaged.h"
#include "base/random.h"
#include "campaign/record_builder.h"
#include "campaign/record_text.h"
#include "campaign/report.h"
#include "fake_executor.h"
#include "sqlite/sqlite.h"

namespace gabbro::campaign {
namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Returns the error of `read`; nothing if it succeeds. Any other kind of failure ends the test.
template <class F>
std::optional<std::string> error_of(F&& read) {
  try {
    const auto got = read();
    if (got) return {};
    EXPECT_FALSE(got.error().message.empty());
    return got.error().message;
  } catch (const Damaged& e) {
    return e.error().message;
  }
}

// Reads everything that commands read of a record, and returns the number of errors.
int read_all(const TemporaryFolder& folder) {
  const std::string path = folder.file("campaign.db");
  int errors = 0;
  const auto read_with = [&](auto&& text) {
    const auto error = error_of([&]() -> Result<std::string> {
      GABBRO_TRY(store, store::Store::read(path));
      return text(store);
    });
    errors += error.has_value();
  };
  read_with([](const store::Store& s) { return status_text(s); });
  read_with([](const store::Store& s) { return status_json(s); });
  read_with([](const store::Store& s) { return top_text(s, 10); });
  read_with([](const store::Store& s) { return top_json(s, 10); });
  read_with([](const store::Store& s) { return tree_text(s, 0); });
  read_with([](const store::Store& s) { return tree_text(s, 5); });
  for (const std::int64_t design : {1, 5, 9})
    read_with([&](const store::Store& s) { return design_text(s, design); });
  read_with([](const store::Store& s) { return report_html(s); });
  const auto error = error_of([&] { return Campaign::open({folder.file("")}, quick_screener); });
  EXPECT_TRUE(!error || error->find("campaign.db") != std::string::npos) << *error;
  return errors + (error ? 1 : 0);
}

class DamagedRecord : public ::testing::Test {
 protected:
  DamagedRecord() {
    { const store::Store store = whole_campaign().store(folder); }
    for (const auto& entry : std::filesystem::directory_iterator(folder.file("")))
      if (entry.path().extension() == ".db") made = entry.path();
    bytes = bytes_of(made);
    EXPECT_GT(bytes.size(), 10'000U);
  }
  // Writes these bytes as the record, and removes what SQLite kept beside an earlier one. Returns the number
  // of errors of all readers.
  int errors_with(const std::string& changed) {
    for (const char* end : {"-wal", "-shm", "-journal"})
      std::filesystem::remove(folder.file("campaign.db") + end);
    write(folder.file("campaign.db"), changed);
    return read_all(folder);
  }
  // Reads `files` copies of the record, each with up to eight changed bytes.
  void flip(std::uint64_t seed, int files) {
    int errors = 0;
    for (int i = 0; i < files; ++i) {
      Random random = Random(seed).split(static_cast<std::uint64_t>(i));
      std::string changed = bytes;
      for (std::int64_t k = 1 + random.below(8); k > 0; --k)
        changed[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(bytes.size())))] ^=
            static_cast<char>(1 + random.below(255));
      SCOPED_TRACE(i);
      errors += errors_with(changed);
    }
    EXPECT_GT(errors, files / 4);
  }
  TemporaryFolder folder;
  std::string made, bytes;
};

TEST_F(DamagedRecord, IsReadWithoutErrorsIfItIsWhole) { EXPECT_EQ(errors_with(bytes), 0); }
TEST_F(DamagedRecord, FlippedBytesCrashNoReader) { flip(1, 60); }
TEST_F(DamagedRecord, FlippedBytesCrashNoReaderSlow) { flip(2, 2000); }

TEST_F(DamagedRecord, IsReportedIfItIsTruncated) {
  for (const double share : {0.0, 0.001, 0.02, 0.1, 0.3, 0.5, 0.9, 0.99}) {
    SCOPED_TRACE(share);
    EXPECT_GT(
        errors_with(bytes.substr(0, static_cast<std::size_t>(share * static_cast<double>(bytes.size())))), 0);
  }
}

TEST_F(DamagedRecord, IsReportedIfItIsAnotherFile) {
  constexpr int kReaders = 11;  // those of read_all
  EXPECT_EQ(errors_with(std::string(5000, 'x')), kReaders);
  const std::string other = folder.file("other.db");
  {
    const auto db = sqlite::Connection::open(other, sqlite::Connection::Mode::kWrite);
    ASSERT_TRUE(db && (*db)->script("CREATE TABLE event (id INTEGER); PRAGMA user_version = 2"));
  }
  EXPECT_EQ(errors_with(bytes_of(other)), kReaders);
}

// SQLite reads these files without error, but no campaign writes such numbers.
TEST_F(DamagedRecord, ImpossibleNumbersAreReported) {
  const char* const changes[] = {
      "UPDATE trial SET design = -3 WHERE id = 2",
      "UPDATE trial SET design = 7777 WHERE id = 2",
      "UPDATE trial SET rung = -1 WHERE id = 2",
      "UPDATE trial SET rung = 99 WHERE id = 2",
      "UPDATE trial SET bits = NULL WHERE id = 2",
      "UPDATE trial SET ended = 7777 WHERE design = 5",
      "UPDATE trial SET ended = 1 WHERE design = 5",
      "UPDATE trial SET id = -2 WHERE id = 2",
      "UPDATE design SET parent = 9 WHERE id = 5",
      "UPDATE design SET second_parent = -1 WHERE id = 5",
      "UPDATE design SET id = 700 WHERE id = 5",
      "UPDATE design SET event = 7777 WHERE id = 5",
      "UPDATE design SET event = 1 WHERE id = 5",
      "DROP TABLE trial",
      "DELETE FROM event WHERE id = 1",
      "UPDATE event SET kind = 'result' WHERE id = 1",
      "UPDATE event SET data = '{}' WHERE kind = 'design'",
      "UPDATE event SET data = 'x' WHERE kind = 'session'",
      "UPDATE event SET data = replace(data, '\"rung\":0', '\"rung\":-5') WHERE kind = 'trial'",
      "UPDATE event SET data = replace(data, '\"design\":2', '\"design\":-2') WHERE kind = 'trial'",
      "UPDATE event SET data = replace(data, '\"id\":2', '\"id\":-2') WHERE kind = 'design'",
      "UPDATE event SET data = replace(data, '\"parent\":1', '\"parent\":50') WHERE kind = 'design'",
      "UPDATE event SET data = replace(data, '\"rung\":1', '\"rung\":1000000') WHERE kind = 'promotion'",
      "UPDATE event SET data = replace(data, 'bits_per_byte\\\":', 'bits_per_byte\\\":null,\\\"was\\\":') "
      "WHERE kind = 'result'",
      "UPDATE event SET data = replace(data, 'documents\\\":', 'documents\\\":x') WHERE kind = 'result'",
      "UPDATE event SET data = replace(data, 'params', 'parms') WHERE id = 1",
  };
  for (const char* change : changes) {
    errors_with(bytes);
    {
      const auto db = sqlite::Connection::open(folder.file("campaign.db"), sqlite::Connection::Mode::kWrite);
      ASSERT_TRUE(db);
      const auto done = (*db)->script(change);
      ASSERT_TRUE(done) << change << ": " << done.error().message;
    }
    EXPECT_GT(read_all(folder), 0) << change;
  }
}

}  // namespace
}  // namespace gabbro::campaign
