// Appended events are still there after the writer was killed or its disk was full.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "store/draw.h"
#include "store/store.h"

namespace gabbro::store {
namespace {

namespace fs = std::filesystem;
using namespace record;

class SurviveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(::testing::TempDir()) / ("gabbro_survive" + std::to_string(getpid()));
    fs::create_directories(folder);
    path = folder / "campaign.db";
  }
  void TearDown() override { fs::remove_all(folder); }

  // Appends events, as another process, and writes the number of recorded events to `out` after each append.
  // With `file_bytes`, its disk is full at that size; 0: never. Exit codes from 10 on say what went wrong.
  [[noreturn]] void write_events(unsigned seed, int out, rlim_t file_bytes) const {
    signal(SIGXFSZ, SIG_IGN);
    auto store = Store::open(path);
    if (!store) _exit(10);
    std::int64_t count = store->event_count();
    Draw draw(seed);
    if (file_bytes > 0) {
      const rlimit limit{file_bytes, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    for (int i = 0; i < 100'000; ++i) {
      const auto ok = store->append(i == 0 ? Draw::campaign() : draw.next());
      if (!ok) {
        if (ok.error().code != "store" || ok.error().hint.find("disk is not full") == std::string::npos)
          _exit(11);
        if (store->event_count() != count) _exit(12);
        // There is space again, and the same process continues.
        const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &limit);
        if (!store->append(Session{.begins = false, .end = SessionEnd::kError})) _exit(13);
        ++count;
        if (write(out, &count, sizeof count) != sizeof count) _exit(14);
        _exit(0);
      }
      ++count;
      if (write(out, &count, sizeof count) != sizeof count) _exit(14);
    }
    _exit(15);
  }

  fs::path folder;
  std::string path;
};

std::string tables(const Store& s) {
  std::string out;
  for (const DesignRow& d : s.designs()) out += fmt::format("{} {} {}\n", to_json(d.created), d.rung, d.bits);
  for (const TrialRow& t : s.trials())
    out += fmt::format("{} {} {}\n", to_json(t.begun), status_of(t), t.bits);
  for (const RungRow& r : s.rungs())
    out += fmt::format("{} {} {} {}\n", r.rung, r.designs, r.running, r.done);
  return out;
}

TEST_F(SurviveTest, KilledAtRandomInstantsLosesNothing) {
  std::mt19937 random(3);
  for (int round = 0; round < 12; ++round) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) write_events(static_cast<unsigned>(round) + 1, ends[1], 0);
    close(ends[1]);
    // The process is killed during an append, after this many.
    const auto appends = static_cast<std::int64_t>(random() % 150);
    std::int64_t acknowledged = 0;
    while (acknowledged < appends)
      ASSERT_EQ(read(ends[0], &acknowledged, sizeof acknowledged), static_cast<ssize_t>(sizeof acknowledged));
    usleep(static_cast<useconds_t>(random() % 3000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    while (read(ends[0], &acknowledged, sizeof acknowledged) > 0) {
    }
    close(ends[0]);

    auto store = Store::open(path);
    if (!store && acknowledged == 0) continue;  // killed before the file existed
    ASSERT_TRUE(store.has_value()) << store.error().message;
    // One more event may be on disk than the process reported before it died.
    EXPECT_GE(store->event_count(), acknowledged);
    EXPECT_LE(store->event_count(), acknowledged + 1);
    const std::string before = tables(*store);
    Draw draw(static_cast<unsigned>(round) + 1);
    for (const auto& [time, event] : store->events(2, 1'000'000))
      ASSERT_EQ(to_json(event), to_json(draw.next()));
    ASSERT_TRUE(store->rebuild().has_value());
    EXPECT_EQ(tables(*store), before);
    // The record accepts further events.
    const Event next = store->event_count() > 0 ? draw.next() : Draw::campaign();
    EXPECT_TRUE(store->append(next).has_value());
  }
}

TEST_F(SurviveTest, AFullDiskRefusesAndLosesNothing) {
  for (const rlim_t bytes : {300'000UL, 500'001UL, 1'000'000UL}) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    const std::string counts = folder / "counts";
    const int out = open(counts.c_str(), O_RDWR | O_CREAT, 0600);
    const pid_t child = fork();
    if (child == 0) write_events(1, out, bytes);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 0);
    std::int64_t count = 0;
    lseek(out, -static_cast<off_t>(sizeof count), SEEK_END);
    ASSERT_EQ(read(out, &count, sizeof count), static_cast<ssize_t>(sizeof count));
    close(out);

    auto store = Store::open(path);
    ASSERT_TRUE(store.has_value());
    EXPECT_GT(count, 10);
    EXPECT_EQ(store->event_count(), count);
    const auto events = store->events(2, 1'000'000);
    Draw draw(1);
    for (std::size_t i = 0; i + 1 < events.size(); ++i)
      ASSERT_EQ(to_json(events[i].second), to_json(draw.next()));
    EXPECT_EQ(std::get<Session>(events.back().second).end, SessionEnd::kError);
    const std::string before = tables(*store);
    ASSERT_TRUE(store->rebuild().has_value());
    EXPECT_EQ(tables(*store), before);
  }
}

}  // namespace
}  // namespace gabbro::store
