// Tests of what a confined process tries. Each attempt stands for a kind of attack. A border of this machine
// must refuse it; the attempt is skipped if the machine has no border that could.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "sandbox/sandbox.h"

namespace gabbro::sandbox {
namespace {

namespace fs = std::filesystem;

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "sanitizers trace their own process, which the sandbox forbids";
#endif
    folder =
        fs::path(::testing::TempDir()) / ("gabbro_sandbox" + std::to_string(getpid()) +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder / "own");
    fs::create_directories(folder / "given");
    std::ofstream(folder / "given" / "text") << "given";
    std::ofstream(folder / "secret") << "secret";
    fs::create_symlink(folder / "secret", folder / "own" / "link");
  }
  void TearDown() override { fs::remove_all(folder); }

  static constexpr int kNotEntered = 99, kNoError = 98;  // exit codes

  // Returns the exit code of a process that enters the sandbox and then calls `act`; kNotEntered if it cannot
  // enter; the negative number of the signal that ended it. Without `borders`, those of this machine are
  // used.
  int confined(const std::function<int()>& act, Rules rules = {},
               const std::optional<Machine>& borders = {}) {
    rules.reads = {folder / "given"};
    rules.writes = {folder / "own"};
    auto sandbox = Sandbox::prepare(rules, borders.value_or(machine()));
    EXPECT_TRUE(sandbox) << sandbox.error().message;
    const pid_t id = fork();
    if (id == 0) {
      setpgid(0, 0);
      if (sandbox->enter(SIGKILL)) _exit(kNotEntered);
      _exit(act());
    }
    int status = 0;
    while (waitpid(id, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Expects that `act` returns -1 with EPERM or EACCES, as a refused system call does.
  void expect_refused(const char* what, const std::function<long()>& act, const Rules& rules = {},
                      const std::optional<Machine>& borders = {}) {
    EXPECT_EQ(confined(
                  [&] {
                    errno = 0;
                    const long got = act();
                    return got < 0 && (errno == EPERM || errno == EACCES) ? 0 : errno == 0 ? kNoError : errno;
                  },
                  rules, borders),
              0)
        << what;
  }
  static Rules with_loopback() {
    Rules rules;
    rules.loopback = true;
    return rules;
  }
  static Rules with_devices(std::uint64_t shared_bytes = 0) {
    Rules rules;
    rules.devices = true;
    rules.shared_bytes = shared_bytes;
    return rules;
  }

  fs::path folder;
};

TEST_F(SandboxTest, AMachineDescribesItsBorders) {
  const Machine& m = machine();
  EXPECT_NE(m.text(), "");
  EXPECT_EQ(m.text().find("filtered") != std::string::npos, m.filter);
  EXPECT_EQ(m.text().find("Landlock") != std::string::npos, m.landlock > 0);
  EXPECT_EQ(m.missing().empty(), m.filter && m.landlock > 0);
  EXPECT_NE(Machine{}.missing().find("no Landlock"), std::string::npos);
  EXPECT_NE(Machine{}.missing().find("no network namespace"), std::string::npos);
  Machine off;
  off.switched_off = true;
  EXPECT_EQ(off.text(), "none");
  EXPECT_NE(off.missing(), "");
}

TEST_F(SandboxTest, NeededOperationsAreAllowed) {
  EXPECT_EQ(confined([&] {
              std::ofstream(folder / "own" / "made") << "text";
              std::string text;
              std::ifstream(folder / "given" / "text") >> text;
              fs::rename(folder / "own" / "made", folder / "own" / "moved");
              fs::create_directory(folder / "own" / "deeper");
              std::ofstream(folder / "own" / "deeper" / "made") << text;
              std::ofstream("/dev/null") << text;
              std::ifstream self("/proc/self/status");
              int sum = 0;
              rlimit core{};
              std::thread([&] { sum = 1; }).join();
              const bool all = text == "given" && self.good() && sum == 1 &&
                               fs::file_size(folder / "own" / "deeper" / "made") == 5 &&
                               fs::remove(folder / "own" / "moved") && getrlimit(RLIMIT_CORE, &core) == 0;
              return all ? 0 : 1;
            }),
            0);
}

TEST_F(SandboxTest, ItHasNoPrivilegesAndGetsNone) {
  EXPECT_EQ(confined([] {
              std::ifstream status("/proc/self/status");
              for (std::string line; std::getline(status, line);)
                if ((line.starts_with("CapPrm") || line.starts_with("CapEff") || line.starts_with("CapInh") ||
                     line.starts_with("CapAmb")) &&
                    line.find_first_not_of("0", line.find_last_of("\t ") + 1) != std::string::npos)
                  return 1;
              return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
            }),
            0);
  expect_refused("a host name", [] { return sethostname("x", 1); });
  expect_refused("a mount", [&] { return mount("none", (folder / "own").c_str(), "tmpfs", 0, ""); });
}

TEST_F(SandboxTest, TheNetworkIsOutOfReach) {
  if (!machine().filter && !machine().network) GTEST_SKIP() << machine().missing();
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET}) {
    if (!machine().filter && family != AF_INET && family != AF_INET6) continue;
    EXPECT_EQ(confined([&] {
                const int s = socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
                if (s < 0) return 0;
                sockaddr_in there{};
                there.sin_family = AF_INET;
                there.sin_port = htons(53);
                there.sin_addr.s_addr = htonl(0x08080808);
                return connect(s, reinterpret_cast<sockaddr*>(&there), sizeof there) < 0 &&
                               errno == ENETUNREACH
                           ? 0
                           : 1;
              }),
              0)
        << family;
  }
}

// Connects to a listener of its own; returns 0 if both ends meet.
int meet_itself() {
  const int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  const auto address = reinterpret_cast<sockaddr*>(&here);
  if (server < 0 || bind(server, address, size) != 0 || listen(server, 1) != 0) return 1;
  if (getsockname(server, address, &size) != 0 || connect(client, address, size) != 0) return 2;
  return accept(server, nullptr, nullptr) >= 0 ? 0 : 3;
}

TEST_F(SandboxTest, ALoopbackIsItsOwn) {
  if (!machine().network) GTEST_SKIP() << machine().missing();
  // A server of this process, which a process with a loopback of its own must not reach.
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in outside{};
  outside.sin_family = AF_INET;
  outside.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof outside;
  const auto address = reinterpret_cast<sockaddr*>(&outside);
  ASSERT_EQ(bind(server, address, size), 0);
  ASSERT_EQ(listen(server, 1), 0);
  ASSERT_EQ(getsockname(server, address, &size), 0);
  const auto reaches = [&] {
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    return connect(s, address, size) == 0 ? 1 : 0;
  };
  ASSERT_EQ(reaches(), 1);
  EXPECT_NE(confined(meet_itself), 0);
  EXPECT_EQ(confined(meet_itself, with_loopback()), 0);
  EXPECT_EQ(confined(reaches, with_loopback()), 0);
  close(server);
  Machine without = machine();
  without.network = false;
  const auto refused = Sandbox::prepare(with_loopback(), without);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("network namespace"), std::string::npos);
}

// A server at a path of the file system is in every network namespace, and Landlock does not guard it.
TEST_F(SandboxTest, ServersOfThisMachineAreOutOfReach) {
  if (!machine().filter) GTEST_SKIP() << machine().missing();
  sockaddr_un there{};
  there.sun_family = AF_UNIX;
  const std::string path = folder / "s";
  ASSERT_LT(path.size(), sizeof there.sun_path);
  std::memcpy(there.sun_path, path.c_str(), path.size());
  const auto address = reinterpret_cast<const sockaddr*>(&there);
  const int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  ASSERT_EQ(bind(server, address, sizeof there), 0);
  Rules team = with_devices();
  team.loopback = true;
  std::vector<Rules> all = {{}, with_devices()};
  if (machine().mounts) all.push_back(team);
  for (const Rules& rules : all) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET})
      expect_refused(
          "a local socket", [&] { return socket(AF_UNIX, type, 0); }, rules);
    // The ends of a pair of this type can send to any address.
    for (const int type : {SOCK_DGRAM, SOCK_RAW})
      expect_refused(
          "a pair",
          [&] {
            int pair[2];
            if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) return -1;
            (void)sendto(pair[0], "x", 1, 0, address, sizeof there);
            return 0;
          },
          rules);
    expect_refused(
        "UDP", [] { return socket(AF_INET, SOCK_DGRAM, 0); }, rules);
    expect_refused(
        "raw packets", [] { return socket(AF_PACKET, SOCK_RAW, 0); }, rules);
    expect_refused(
        "events of devices", [] { return socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT); }, rules);
    const auto talk = [] {
      int pair[2];
      char text = 0;
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return 1;
      return write(pair[0], "x", 1) == 1 && read(pair[1], &text, 1) == 1 && text == 'x' ? 0 : 2;
    };
    EXPECT_EQ(confined(talk, rules), rules.devices ? 0 : 1);
  }
  char text = 0;
  EXPECT_LT(recv(server, &text, 1, 0), 0) << "something arrived";
  close(server);
}

TEST_F(SandboxTest, SharedMemoryBelongsToOneRunAndIsBounded) {
  if (machine().landlock == 0) GTEST_SKIP() << machine().missing();
  const fs::path name = "gabbro_sandbox" + std::to_string(getpid()), theirs = "/dev/shm" / name;
  const auto make = [&] { return open(theirs.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600); };
  const auto fill = [&] {
    const int file = make();
    const std::string part(1 << 16, 'x');
    for (int i = 0; i < 1000; ++i)
      if (write(file, part.data(), part.size()) < 0) return errno == ENOSPC && i > 0 && i <= 64 ? 0 : 1;
    return 2;
  };
  Machine without = machine();
  without.mounts = false;
  expect_refused("the machine's", make, with_devices(), without);
  expect_refused("without a GPU", make);
  Rules team = with_devices();
  team.loopback = true;
  EXPECT_FALSE(Sandbox::prepare(team, without).has_value());
  if (!machine().mounts) return;
  // The file of another process keeps its content. The run is repeated, since none must leave files to the
  // next.
  std::ofstream(theirs) << "secret";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(confined(fill, with_devices(4 << 20)), 0);
  std::string text;
  std::ifstream(theirs) >> text;
  EXPECT_EQ(text, "secret");
  fs::remove(theirs);
  EXPECT_EQ(confined(
                [&] {
                  for (int i = 0; i < 100'000; ++i) {
                    const int file =
                        open((theirs.string() + std::to_string(i)).c_str(), O_CREAT | O_RDWR, 0600);
                    if (file < 0) return errno == ENOSPC ? 0 : 1;
                    close(file);
                  }
                  return 2;
                },
                with_devices()),
            0)
      << "files without end";
}

TEST_F(SandboxTest, FilesOutsideItsFolderStayAsTheyAre) {
  if (machine().landlock == 0) GTEST_SKIP() << machine().missing();
  const std::string secret = folder / "secret", given = folder / "given" / "text";
  expect_refused("reading", [&] { return open(secret.c_str(), O_RDONLY); });
  expect_refused("reading through a link", [&] { return open((folder / "own" / "link").c_str(), O_RDONLY); });
  expect_refused("writing what it may read", [&] { return open(given.c_str(), O_WRONLY); });
  expect_refused("making", [&] { return open((folder / "new").c_str(), O_CREAT | O_WRONLY, 0600); });
  expect_refused("removing", [&] { return unlink(given.c_str()); });
  expect_refused("moving away", [&] { return rename(given.c_str(), (folder / "own" / "stolen").c_str()); });
  expect_refused("listing", [&] { return open(folder.c_str(), O_RDONLY | O_DIRECTORY); });
  expect_refused("a folder of the system", [] { return open("/tmp", O_RDONLY | O_DIRECTORY); });
  expect_refused("passwords", [] { return open("/etc/shadow", O_RDONLY); });
  if (machine().landlock >= 3) expect_refused("truncating", [&] { return truncate(given.c_str(), 0); });
  // The environment of the starting process, which may contain keys.
  const std::string parent = "/proc/" + std::to_string(getpid()) + "/environ";
  expect_refused("variables of another", [&] { return open(parent.c_str(), O_RDONLY); });
  EXPECT_EQ(fs::file_size(given), 5U);
}

TEST_F(SandboxTest, OtherProcessesAreLeftAlone) {
  if (!machine().filter) GTEST_SKIP() << machine().missing();
  const pid_t parent = getpid();
  expect_refused("a signal", [&] { return kill(parent, 0); });
  expect_refused("a signal to all", [] { return kill(-1, 0); });
  expect_refused("a signal to a thread", [&] { return syscall(SYS_tgkill, parent, parent, 0); });
  expect_refused("a signal with a value", [&] { return sigqueue(parent, SIGCONT, {}); });
  expect_refused("a descriptor of it", [&] { return syscall(434 /* pidfd_open */, parent, 0); });
  expect_refused("tracing", [&] { return ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); });
  expect_refused("its memory", [&] {
    iovec none{};
    return syscall(SYS_process_vm_readv, parent, &none, 1, &none, 1, 0);
  });
  expect_refused("its limits", [&] { return prlimit(parent, RLIMIT_CPU, nullptr, nullptr); });
  cpu_set_t cores;
  ASSERT_EQ(sched_getaffinity(0, sizeof cores, &cores), 0);
  expect_refused("its processors", [&] { return sched_setaffinity(parent, sizeof cores, &cores); });
  EXPECT_EQ(confined([&] {
              return sched_setaffinity(0, sizeof cores, &cores) == 0 &&
                             sched_setaffinity(getpid(), sizeof cores, &cores) == 0
                         ? 0
                         : 1;
            }),
            0)
      << "its own";
  expect_refused("its scheduler", [&] {
    const sched_param none{};
    return sched_setscheduler(parent, SCHED_IDLE, &none);
  });
  expect_refused("its priority", [&] { return setpriority(PRIO_PROCESS, parent, 19); });
  expect_refused("its disk", [&] { return syscall(SYS_ioprio_set, 1, parent, 3 << 13); });
  expect_refused("its pages",
                 [&] { return syscall(SYS_move_pages, parent, 0, nullptr, nullptr, nullptr, 0); });
  expect_refused("its locks", [&] {
    void* head = nullptr;
    std::size_t size = 0;
    return syscall(SYS_get_robust_list, parent, &head, &size);
  });
  expect_refused("its core", [&] { return prctl(62 /* PR_SCHED_CORE */, 2, parent, 0, 0); });
  expect_refused("its terminal", [&] { return ioctl(0, TIOCSPGRP, &parent); });
  expect_refused("a child for it", [] { return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0); });
  expect_refused("signals by way of a descriptor", [&] { return fcntl(0, F_SETOWN, parent); });
  expect_refused("another session", [] { return setsid(); });
  expect_refused("a group of its own", [] {
    const pid_t child = fork();
    if (child == 0) _exit(setpgid(0, 0) < 0 ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    errno = EPERM;
    return WEXITSTATUS(status) == 0 ? -1 : 0;
  });
  expect_refused("outliving its parent", [] { return prctl(PR_SET_PDEATHSIG, 0); });
  expect_refused("hiding", [] { return prctl(PR_SET_DUMPABLE, 0); });
  EXPECT_EQ(confined([] { return raise(SIGTERM); }), -SIGTERM) << "it may end itself";
}

TEST_F(SandboxTest, TheKernelsSideDoorsAreClosed) {
  if (!machine().filter) GTEST_SKIP() << machine().missing();
  expect_refused("namespaces", [] { return unshare(CLONE_NEWUSER); });
  expect_refused("io_uring", [] { return syscall(425 /* io_uring_setup */, 1, nullptr); });
  expect_refused("bpf", [] { return syscall(SYS_bpf, 0, nullptr, 0); });
  expect_refused("keys", [] { return syscall(SYS_keyctl, 0, 0, 0, 0, 0); });
  expect_refused("memory without a limit", [] { return memfd_create("x", 0); });
  expect_refused("shared memory", [] { return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600); });
  expect_refused("modes", [&] { return chmod((folder / "own").c_str(), 0); });
  expect_refused("links", [&] { return symlink("/etc/shadow", (folder / "own" / "l").c_str()); });
  expect_refused("pipes with a name", [&] { return mkfifo((folder / "own" / "p").c_str(), 0600); });
  expect_refused("text for the terminal", [] { return ioctl(0, TIOCSTI, "x"); });
}

TEST_F(SandboxTest, LimitsHold) {
  Rules small_files, small_memory;
  small_files.file_bytes = 1 << 20;
  small_memory.address_bytes = 1 << 30;
  EXPECT_EQ(confined(
                [&] {
                  const int file = open((folder / "own" / "large").c_str(), O_CREAT | O_WRONLY, 0600);
                  const std::string part(1 << 16, 'x');
                  for (int i = 0; i < 1000; ++i)
                    if (write(file, part.data(), part.size()) < 0) return 1;
                  return 0;
                },
                small_files),
            -SIGXFSZ);
  EXPECT_LE(fs::file_size(folder / "own" / "large"), 1U << 20);
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_EQ(confined(
                [] {
                  return mmap(nullptr, std::size_t{2} << 30, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                             ? 0
                             : 1;
                },
                small_memory),
            0);
#endif
}

TEST_F(SandboxTest, ASealedProcessStartsNothing) {
  if (!machine().filter) GTEST_SKIP() << machine().missing();
  EXPECT_EQ(confined([] {
              if (!seal()) return 1;
              if (fork() >= 0 || errno != EPERM) return 2;
              char* const arguments[] = {nullptr};
              if (execve("/bin/true", arguments, arguments) == 0 || errno != EPERM) return 3;
              int sum = 0;
              std::thread([&] { sum = 1; }).join();
              return sum == 1 ? 0 : 4;
            }),
            0);
}

// Each border works alone, and the worker also runs without any, as on machines that support fewer.
TEST_F(SandboxTest, EveryBorderWorksAlone) {
  const Machine& all = machine();
  for (int parts = 0; parts < 8; ++parts) {
    Machine some;
    if ((parts & 1) != 0) some.filter = all.filter;
    if ((parts & 2) != 0) some.landlock = all.landlock;
    if ((parts & 4) != 0)
      some.network = all.network, some.needs_user = all.needs_user, some.mounts = all.mounts;
    for (const Rules& rules : {Rules{}, with_devices()})
      EXPECT_EQ(confined([&] { return open((folder / "own" / "x").c_str(), O_CREAT | O_WRONLY, 0600) < 0; },
                         rules, some),
                0)
          << some.text();
  }
}

TEST(LibraryFolders, AreThoseOfTheLoader) {
  const auto folders = library_folders(fs::read_symlink("/proc/self/exe"));
  EXPECT_FALSE(folders.empty());
  for (const std::string& f : folders) EXPECT_TRUE(fs::is_directory(f)) << f;
  EXPECT_TRUE(library_folders("/nowhere").empty());
  EXPECT_TRUE(library_folders("/etc/passwd").empty());
}

TEST(Variables, OnlyKnownOnesPass) {
  for (const char* yes :
       {"PATH", "OMP_NUM_THREADS", "LC_ALL", "LD_LIBRARY_PATH", "MKL_NUM_THREADS", "GABBRO_KERNELS"})
    EXPECT_TRUE(passes(yes)) << yes;
  for (const char* no : {"OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HOME", "SSH_AUTH_SOCK",
                         "GABBRO_TEST_KEY", "LCX", "", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    EXPECT_FALSE(passes(no)) << no;
}

}  // namespace
}  // namespace gabbro::sandbox
