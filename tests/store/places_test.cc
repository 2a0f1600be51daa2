// Tests of records in places that lack something: locks, the right to write, or room.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/lock.h"
#include "store/draw.h"
#include "store/store.h"

namespace gabbro::store {
namespace {

namespace fs = std::filesystem;

class Places : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(::testing::TempDir()) / ("gabbro_places" + std::to_string(getpid()));
    fs::create_directories(folder);
    path = folder / "campaign.db";
  }
  void TearDown() override {
    umount((folder / "disk").c_str());
    fs::remove_all(folder);
  }

  // Makes the record of a process that was killed: events lie in the log alone.
  void leave_log() const {
    in_child([&] {
      auto store = Store::open(path);
      if (!store || !store->append(Draw::campaign())) return std::string("no record");
      _exit(0);  // Nothing is closed.
    });
    ASSERT_GT(fs::file_size(path + "-wal"), 0U);
  }
  // Calls `work` in a child and returns what it returns.
  static std::string in_child(const std::function<std::string()>& work) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
      const std::string text = work();
      [[maybe_unused]] const ssize_t written = write(ends[1], text.data(), text.size());
      _exit(0);
    }
    close(ends[1]);
    std::string out;
    std::array<char, 4096> block{};
    for (ssize_t got; (got = read(ends[0], block.data(), block.size())) > 0;)
      out.append(block.data(), static_cast<std::size_t>(got));
    close(ends[0]);
    waitpid(child, nullptr, 0);
    return out;
  }
  static std::string message_of(const Error& error) {
    return error.code + ": " + error.message + "; " + error.hint;
  }

  fs::path folder;
  std::string path;
};

// Makes a system call fail with ENOLCK, as on a network file system without locks; for fcntl, its commands
// that lock.
bool refuse_locks(unsigned call) {
  constexpr unsigned kNumber = offsetof(seccomp_data, nr), kCommand = offsetof(seccomp_data, args[1]);
  std::array<sock_filter, 6> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kCommand),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call == SYS_fcntl ? F_SETLK : LOCK_EX | LOCK_NB, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOLCK),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog program{code.size(), code.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(Places, WithoutLocksOfFoldersSayThat) {
  const std::string says = in_child([&] {
    if (!refuse_locks(SYS_flock)) return std::string("skip");
    const auto lock = Lock::take(folder);
    return lock ? std::string("taken") : message_of(lock.error());
  });
  if (says == "skip") GTEST_SKIP() << "this machine has no seccomp";
  EXPECT_NE(says.find("io: " + folder.string() + ": its file system keeps no locks (No locks available)"),
            std::string::npos)
      << says;
  EXPECT_EQ(says.find("another"), std::string::npos) << says;
}

TEST_F(Places, WithoutLocksOfFilesSayThat) {
  { ASSERT_TRUE(Store::open(path)); }
  EXPECT_TRUE(keeps_file_locks(folder));
  const std::string says = in_child([&] {
    if (!refuse_locks(SYS_fcntl)) return std::string("skip");
    const auto store = Store::open(path);
    return store ? std::string("opened") : message_of(store.error());
  });
  if (says == "skip") GTEST_SKIP() << "this machine has no seccomp";
  EXPECT_NE(says.find("campaign.db: its file system keeps no locks; use a local disk"), std::string::npos)
      << says;
  EXPECT_EQ(says.find("another process"), std::string::npos) << says;
}

// Whoever may not write reads all the same, also what a killed process has left in the log.
TEST_F(Places, WithoutTheRightToWriteAreRead) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  leave_log();
  const auto as_other = [&] {
    return in_child([&] {
      constexpr uid_t kNobody = 65534;
      if (setuid(kNobody) != 0) return std::string("skip");
      const auto store = Store::read(path);
      return store ? std::to_string(store->event_count()) : message_of(store.error());
    });
  };
  fs::permissions(folder, fs::perms(0755));
  EXPECT_EQ(as_other(), "1") << "with the shared file";
  fs::remove(path + "-shm");
  EXPECT_EQ(as_other(), "1") << "without it";
  EXPECT_FALSE(fs::exists(path + "-shm"));
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with("gabbro-record-")) << entry.path();
  { ASSERT_TRUE(Store::open(path)); }
  EXPECT_EQ(as_other(), "1") << "without a log";
}

TEST_F(Places, WithoutRoomAreRead) {
  const fs::path disk = folder / "disk";
  fs::create_directories(disk);
  if (mount("none", disk.c_str(), "tmpfs", 0, "size=1M") != 0) GTEST_SKIP() << "mounting is not allowed";
  {
    const std::string full = disk / "campaign.db";
    {
      auto store = Store::open(full);
      ASSERT_TRUE(store);
      ASSERT_TRUE(store->append(Draw::campaign()));
    }
    std::ofstream(disk / "filling") << std::string(2 << 20, 'x');
    const auto store = Store::read(full);
    EXPECT_TRUE(store) << (store ? "" : message_of(store.error()));
    EXPECT_EQ(store ? store->event_count() : 0, 1);
  }
}

}  // namespace
}  // namespace gabbro::store
