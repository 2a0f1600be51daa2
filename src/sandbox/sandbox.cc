#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "sandbox/filter.h"

namespace gabbro::sandbox {

namespace fs = std::filesystem;

namespace {

// ---- Landlock ----

// These numbers are the same on all processors. They are defined here because the headers of the oldest
// supported system lack them.
constexpr int kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr unsigned kGetVersion = 1;      // LANDLOCK_CREATE_RULESET_VERSION
constexpr unsigned kPathBeneath = 1;     // LANDLOCK_RULE_PATH_BENEATH
constexpr std::uint64_t kAllTcp = 3;     // to bind and to connect
constexpr std::uint64_t kAllScopes = 3;  // abstract sockets, and signals

// The rights that a ruleset handles: what no rule allows is refused.
struct RulesetAttributes {
  std::uint64_t files = 0, network = 0, scopes = 0;
};
struct __attribute__((packed)) PathRule {
  std::uint64_t allowed;
  std::int32_t path;  // descriptor of a folder, with all below it, or of a file
};

constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadFolder = 1 << 3,
                        kRemoveFolder = 1 << 4, kRemoveFile = 1 << 5, kMakeFolder = 1 << 7,
                        kMakeFile = 1 << 8, kRefer = 1 << 13, kTruncate = 1 << 14, kDevice = 1 << 15;
// Rights that a rule for a file may have; the others are those of folders.
constexpr std::uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDevice;
constexpr std::uint64_t kReading = kReadFile | kReadFolder;
constexpr std::uint64_t kWriting =
    kReading | kWriteFile | kRemoveFolder | kRemoveFile | kMakeFolder | kMakeFile | kRefer | kTruncate;

int landlock_version() {
  const long version = syscall(kCreateRuleset, nullptr, 0, kGetVersion);
  return version < 0 ? 0 : static_cast<int>(version);
}

// Returns all rights on files that a version of Landlock knows.
std::uint64_t handled_files(int version) {
  std::uint64_t all = (1 << 13) - 1;  // those of version 1
  if (version >= 2) all |= kRefer;
  if (version >= 3) all |= kTruncate;
  if (version >= 5) all |= kDevice;
  return all;
}

// Returns the descriptor of a new ruleset, or a negative number. With `loopback`, TCP is not restricted.
int create_ruleset(int version, bool loopback = false) {
  RulesetAttributes a;
  a.files = handled_files(version);
  if (version >= 4 && !loopback) a.network = kAllTcp;
  if (version >= 6) a.scopes = kAllScopes;
  // Older versions know only the first fields.
  const std::size_t size = version >= 6   ? sizeof a
                           : version >= 4 ? offsetof(RulesetAttributes, scopes)
                                          : offsetof(RulesetAttributes, network);
  return static_cast<int>(syscall(kCreateRuleset, &a, size, 0));
}

// Adds a rule. Returns true if the path exists and was allowed.
bool allow(int ruleset, int version, const char* path, std::uint64_t rights) {
  PathRule rule{};
  rule.path = open(path, O_PATH | O_CLOEXEC);
  if (rule.path < 0) return false;
  struct stat status {};
  rule.allowed = rights & handled_files(version);
  if (fstat(rule.path, &status) == 0 && !S_ISDIR(status.st_mode)) rule.allowed &= kOfFiles;
  const bool added = rule.allowed != 0 && syscall(kAddRule, ruleset, kPathBeneath, &rule, 0) == 0;
  close(rule.path);
  return added;
}

// Paths of the system that every program may read: libraries, files that the loader and the C library look
// up, and files that describe the machine.
constexpr const char* kSystem[] = {"/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin"};
constexpr const char* kDescriptions[] = {"/proc",          "/sys/devices/system", "/sys/fs/cgroup",
                                         "/sys/kernel/mm", "/etc/ld.so.cache",    "/etc/ld.so.preload",
                                         "/etc/localtime", "/etc/alternatives",   "/dev/zero",
                                         "/dev/random",    "/dev/urandom"};
constexpr const char* kDevices[] = {"/dev/nvidia0",    "/dev/nvidia1",     "/dev/nvidia2",
                                    "/dev/nvidia3",    "/dev/nvidia4",     "/dev/nvidia5",
                                    "/dev/nvidia6",    "/dev/nvidia7",     "/dev/nvidiactl",
                                    "/dev/nvidia-uvm", "/dev/nvidia-caps", "/dev/nvidia-uvm-tools"};
constexpr const char* kSharedMemory = "/dev/shm";

// Allows to read a file or folder, and the targets of links directly in the folder.
void allow_reading(int ruleset, int version, const std::string& path) {
  allow(ruleset, version, path.c_str(), kReading);
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    if (std::error_code ignored; entry->is_symlink(ignored))
      allow(ruleset, version, entry->path().c_str(), kReading);
}

// ---- Steps between fork and exec ----

// Writes a file of the kernel in one call.
bool write_all(const char* path, const char* text, std::size_t size) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = write(file, text, size) == static_cast<ssize_t>(size);
  close(file);
  return written;
}

// Enters new namespaces of the network and of System V IPC, in a user namespace with these id maps if
// `with_user`, and of mounts if `with_mounts`.
bool enter_namespaces(bool with_user, const std::string& users, const std::string& groups, bool with_mounts) {
  if (unshare((with_user ? CLONE_NEWUSER : 0) | (with_mounts ? CLONE_NEWNS : 0) | CLONE_NEWNET |
              CLONE_NEWIPC) != 0)
    return false;
  if (!with_user) return true;
  return write_all("/proc/self/uid_map", users.data(), users.size()) &&
         write_all("/proc/self/setgroups", "deny", 4) &&
         write_all("/proc/self/gid_map", groups.data(), groups.size());
}

// Hides the machine's /dev/shm behind an empty one, in a new mount namespace that others do not see.
bool mount_shared_memory(const std::string& options) {
  return mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
         mount("tmpfs", kSharedMemory, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) == 0;
}

// Returns the mount options of a /dev/shm of this size. The number of files is limited too, since their names
// and entries do not count as size.
std::string shared_memory_options(std::uint64_t bytes) {
  return fmt::format("mode=700,nr_inodes=4096,size={}", bytes > 0 ? std::to_string(bytes) : "50%");
}

// Switches the loopback of a new network namespace on.
bool raise_loopback() {
  const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return false;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", sizeof "lo");
  request.ifr_flags = IFF_UP;
  const bool up = ioctl(control, SIOCSIFFLAGS, &request) == 0;
  close(control);
  return up;
}

bool drop_capabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  constexpr int kCapabilities = 64;  // more than the kernel has
  for (int c = 0; c < kCapabilities; ++c)
    if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1) prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  return syscall(SYS_capset, &header, none) == 0;
}

// Installs a filter of `count` instructions.
bool install(void* code, std::size_t count, unsigned flags) {
  sock_fprog program{static_cast<unsigned short>(count), static_cast<sock_filter*>(code)};
  // Without SPEC_ALLOW, older kernels slow the whole process down. Kernels that do not know the flag get the
  // filter without it.
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0)
    return true;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

// Lowers a limit to `maximum`; a lower one stays.
void lower_limit(int resource, std::uint64_t maximum) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  limit.rlim_max = std::min<rlim_t>(limit.rlim_max, maximum);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_cur, maximum);
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// Returns the map of a user namespace in which an id stays as it is.
std::string map_of(unsigned id) { return fmt::format("{0} {0} 1", id); }

// Returns true if `step` succeeds in a separate process.
template <class Step>
bool works(const Step& step) {
  const pid_t id = fork();
  if (id == 0) _exit(step() ? 0 : 1);
  int status = 0;
  while (id > 0 && waitpid(id, &status, 0) < 0 && errno == EINTR) {
  }
  return id > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Tries all borders.
Machine try_borders() {
  Machine m;
  if (const char* off = std::getenv("GABBRO_SANDBOX"); off && std::string_view(off) == "off") {
    m.switched_off = true;
    return m;
  }
  std::vector<sock_filter> filter = outer_filter(Sockets::kNone).code;
  m.filter = has_filter() && works([&] {
               return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install(filter.data(), filter.size(), 0);
             });
  if (const int version = landlock_version(); version > 0) {
    const int ruleset = create_ruleset(version);
    if (ruleset >= 0 && works([&] {
          return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(kRestrictSelf, ruleset, 0) == 0;
        }))
      m.landlock = version;
    if (ruleset >= 0) close(ruleset);
  }
  const std::string users = map_of(geteuid()), groups = map_of(getegid());
  m.network = works([&] { return enter_namespaces(/*with_user=*/false, "", "", /*with_mounts=*/false); });
  if (!m.network)
    m.network = m.needs_user =
        works([&] { return enter_namespaces(/*with_user=*/true, users, groups, /*with_mounts=*/false); });
  const std::string shared = shared_memory_options(1 << 20);
  m.mounts = m.network && works([&] {
               return enter_namespaces(m.needs_user, users, groups, /*with_mounts=*/true) &&
                      mount_shared_memory(shared);
             });
  return m;
}

}  // namespace

std::string Machine::text() const {
  if (switched_off) return "none";
  std::string out = "no new privileges, no capabilities";
  if (filter) out += ", system calls filtered";
  if (landlock > 0) out += fmt::format(", files by Landlock {}", landlock);
  if (network) out += ", no network";
  return out;
}

std::string Machine::missing() const {
  if (switched_off) return "GABBRO_SANDBOX=off: workers run without a sandbox";
  std::string out;
  const auto add = [&](bool has, const char* what) {
    if (!has) out += (out.empty() ? "" : "; ") + std::string(what);
  };
  add(filter, "no system-call filter: a worker can signal other processes of this user and open sockets");
  add(landlock > 0, "no Landlock: a worker can read and write whatever this user can");
  // A filter refuses sockets without a namespace, too.
  add(network || filter, "no network namespace: a worker can use the network of this machine");
  return out;
}

const Machine& machine() {
  static const Machine found = try_borders();
  return found;
}

Result<Sandbox> Sandbox::prepare(const Rules& rules, const Machine& borders) {
  Sandbox out;
  out.borders_ = borders;
  out.file_bytes_ = rules.file_bytes;
  out.address_bytes_ = rules.address_bytes;
  if (borders.switched_off) return out;
  out.loopback_ = rules.loopback;
  if (rules.loopback && (!borders.network || (rules.devices && !borders.mounts)))
    return fail("sandbox",
                fmt::format("several processes of a run need a {} namespace, which this machine lacks",
                            borders.network ? "mount" : "network"),
                "use one process (gpus = 1), or switch the sandbox off with GABBRO_SANDBOX=off");
  if (rules.devices && borders.mounts) out.shared_ = shared_memory_options(rules.shared_bytes);
  out.users_ = map_of(geteuid());
  out.groups_ = map_of(getegid());
  if (borders.filter) {
    FilterProgram filter = outer_filter(rules.loopback  ? Sockets::kLoopback
                                        : rules.devices ? Sockets::kPairs
                                                        : Sockets::kNone);
    for (const sock_filter& i : filter.code) out.filter_.push_back({i.code, i.jt, i.jf, i.k});
    out.own_id_ = std::move(filter.own_id);
    out.own_group_ = std::move(filter.own_group);
  }
  if (borders.landlock <= 0) return out;
  const int r = out.ruleset_ = create_ruleset(borders.landlock, rules.loopback);
  if (r < 0)
    return fail("sandbox", fmt::format("cannot create a Landlock ruleset: {}", std::strerror(errno)));
  fcntl(r, F_SETFD, FD_CLOEXEC);
  for (const char* path : kSystem) allow(r, borders.landlock, path, kReading | kExecute);
  for (const char* path : kDescriptions) allow(r, borders.landlock, path, kReading);
  for (const char* path : {"/dev/null", "/dev/full"})
    allow(r, borders.landlock, path, kReadFile | kWriteFile | kTruncate);
  if (rules.devices)
    for (const char* path : kDevices) allow(r, borders.landlock, path, kWriting | kDevice);
  // gloo (torch.distributed) lists these devices, and fails if it cannot.
  if (rules.loopback) allow_reading(r, borders.landlock, "/sys/bus/pci/devices");
  for (const std::string& path : rules.programs)
    allow(r, borders.landlock, path.c_str(), kReading | kExecute);
  for (const std::string& path : rules.reads) allow_reading(r, borders.landlock, path);
  for (const std::string& path : rules.writes)
    if (!allow(r, borders.landlock, path.c_str(), kWriting))
      return fail("sandbox", fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  return out;
}

Sandbox::Sandbox(Sandbox&& other) noexcept
    : borders_(other.borders_),
      loopback_(other.loopback_),
      file_bytes_(other.file_bytes_),
      address_bytes_(other.address_bytes_),
      ruleset_(std::exchange(other.ruleset_, -1)),
      filter_(std::move(other.filter_)),
      own_id_(std::move(other.own_id_)),
      own_group_(std::move(other.own_group_)),
      users_(std::move(other.users_)),
      groups_(std::move(other.groups_)),
      shared_(std::move(other.shared_)) {}

Sandbox::~Sandbox() {
  if (ruleset_ >= 0) close(ruleset_);
}

const char* Sandbox::enter(int parent_death_signal) {
  static_assert(sizeof(Instruction) == sizeof(sock_filter));
  constexpr std::uint64_t kOpenFiles = 4096;
  lower_limit(RLIMIT_CORE, 0);
  lower_limit(RLIMIT_NOFILE, kOpenFiles);
  if (file_bytes_ > 0) lower_limit(RLIMIT_FSIZE, file_bytes_);
#if !defined(__SANITIZE_ADDRESS__)  // AddressSanitizer reserves terabytes.
  if (address_bytes_ > 0) lower_limit(RLIMIT_AS, address_bytes_);
#endif
  // If memory is short, the kernel should kill this process before the one that started it.
  write_all("/proc/self/oom_score_adj", "500", 3);
  if (borders_.switched_off) return nullptr;
  const bool shares = !shared_.empty();
  if (borders_.network && !enter_namespaces(borders_.needs_user, users_, groups_, shares))
    return "namespaces";
  if (shares && !mount_shared_memory(shared_)) return "shared memory";
  // Rules hold for files, not for their paths, so this one cannot be made before the mount.
  if (shares && ruleset_ >= 0 && !allow(ruleset_, borders_.landlock, kSharedMemory, kWriting))
    return "shared memory";
  if (loopback_ && !raise_loopback()) return "loopback";
  if (!drop_capabilities()) return "capabilities";
  // The kernel resets this signal when a process changes its credentials, for example by entering a user
  // namespace.
  if (parent_death_signal != 0) prctl(PR_SET_PDEATHSIG, parent_death_signal, 0, 0, 0);
  // In a user namespace, the kernel counts these processes separately from the user's others. Threads count
  // too.
  constexpr std::uint64_t kTasks = 4096;
  if (borders_.network && borders_.needs_user) lower_limit(RLIMIT_NPROC, kTasks);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no new privileges";
  if (ruleset_ >= 0 && syscall(kRestrictSelf, ruleset_, 0) != 0) return "Landlock";
  if (filter_.empty()) return nullptr;
  const auto id = static_cast<std::uint32_t>(getpid());
  for (const std::size_t i : own_id_) filter_[i].value = id;
  for (const std::size_t i : own_group_) filter_[i].value = 0U - id;
  return install(filter_.data(), filter_.size(), 0) ? nullptr : "system calls";
}

bool seal() {
  if (!has_filter() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return false;
  std::vector<sock_filter> filter = sealing_filter().code;
  return install(filter.data(), filter.size(), SECCOMP_FILTER_FLAG_TSYNC);
}

bool passes(std::string_view variable) {
  constexpr std::string_view kNames[] = {"PATH",
                                         "LANG",
                                         "LANGUAGE",
                                         "TZ",
                                         "LD_LIBRARY_PATH",
                                         "LD_PRELOAD",
                                         "GLIBC_TUNABLES",
                                         "GABBRO_KERNELS",
                                         "CUDA_VISIBLE_DEVICES",
                                         "ASAN_OPTIONS",
                                         "UBSAN_OPTIONS",
                                         "LSAN_OPTIONS"};
  // A process may set the processors of its first thread alone, so OpenMP cannot bind its threads.
  constexpr std::string_view kThreadBinding[] = {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"};
  constexpr std::string_view kPrefixes[] = {"LC_",       "OMP_",    "GOMP_",   "KMP_",  "MKL_",
                                            "OPENBLAS_", "DNNL_",   "ONEDNN_", "ATEN_", "TORCH_",
                                            "PYTORCH_",  "MALLOC_", "NVIDIA_"};
  const auto is_in = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), variable) != std::end(names);
  };
  return is_in(kNames) || (!is_in(kThreadBinding) && std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                                                                 [&](std::string_view prefix) {
                                                                   return variable.starts_with(prefix);
                                                                 }));
}

}  // namespace gabbro::sandbox
