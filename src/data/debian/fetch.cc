#include "data/debian/fetch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/files.h"
extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace gabbro::data::debian {

namespace fs = std::filesystem;

namespace {

struct Outcome {
  int code = 0;        // exit code; 128 if a signal ended it
  std::string output;  // standard output and standard error
};

// Runs a program in `folder`, in the C locale, in which `is_unknown_package` knows its messages. Errors:
// "io", "fetch" (no such program), "stopped".
Result<Outcome> run(std::vector<std::string> command, const std::string& folder,
                    const std::function<bool()>& keep_going) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail("io", fmt::format("cannot create a pipe: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  std::vector<char*> argv, environment{const_cast<char*>("LC_ALL=C")};
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  for (char** e = environ; *e; ++e)
    if (!std::string_view(*e).starts_with("LC_ALL=")) environment.push_back(*e);
  environment.push_back(nullptr);
  pid_t child = 0;
  const int status = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (status != 0) {
    ::close(ends[0]);
    return fail("fetch", fmt::format("cannot run {}: {}", command[0], std::strerror(status)));
  }
  Outcome out;
  bool stopped = false;
  std::array<char, 4096> buffer;
  for (pollfd waiting{ends[0], POLLIN, 0};;) {
    if (!stopped && !keep_going()) {
      stopped = true;
      ::kill(child, SIGTERM);
    }
    constexpr int kPollMilliseconds = 200;
    if (::poll(&waiting, 1, kPollMilliseconds) <= 0) continue;
    const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    out.output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int wait_status = 0;
  while (::waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (stopped) return fail("stopped", "the build was stopped; its files were removed");
  out.code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128;
  return out;
}

// Returns the last NAME_VERSION_ARCH.deb in the order of names. Versions are not compared as dpkg does, since
// a cache rarely holds two.
std::optional<std::string> find_deb(const std::string& folder, const std::string& name) {
  std::optional<std::string> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename();
    if (file.starts_with(name + "_") && file.ends_with(".deb") && (!out || *out < entry.path().string()))
      out = entry.path().string();
  }
  return out;
}

// Returns true if apt-get reports that the package is not in the machine's lists.
bool is_unknown_package(const std::string& output) {
  for (const char* message :
       {"Unable to locate package", "Can't find a source", "Can't select candidate version",
        "no installation candidate", "No packages found"})
    if (output.find(message) != std::string::npos) return true;
  return false;
}

// Returns the first error in the output of apt-get, or else its last line.
std::string reason_in(const std::string& output) {
  std::string last = "no error message";
  for (std::size_t from = 0; from < output.size();) {
    const std::size_t end = std::min(output.find('\n', from), output.size());
    const std::string line = output.substr(from, end - from);
    if (line.starts_with("E: ")) return line.substr(3);
    if (!line.empty()) last = line;
    from = end + 1;
  }
  return last;
}

// Downloads a package into `folder` and moves it to `cache`. Errors: as fetch_package.
Result<std::optional<std::string>> download(const std::string& name, const std::string& folder,
                                            const std::string& cache,
                                            const std::function<bool()>& keep_going) {
  auto ran =
      run({"apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1", "download", name},
          folder, keep_going);
  const std::string elsewhere = "build from your own files instead: gabbro data build --out FOLDER FILE...";
  if (!ran) {
    if (ran.error().code == "fetch")
      ran.error().hint = "the debian corpus needs Debian packages; " + elsewhere;
    return tl::unexpected(ran.error());
  }
  const auto found = find_deb(folder, name);
  if (ran->code == 0 && found) {
    const std::string cached = cache + "/" + fs::path(*found).filename().string();
    std::error_code error;
    fs::rename(*found, cached, error);
    if (error) return fail("io", fmt::format("cannot rename {} to {}: {}", *found, cached, error.message()));
    return cached;
  }
  if (is_unknown_package(ran->output)) return std::nullopt;
  return fail("fetch", fmt::format("apt-get download {} failed: {}", name, reason_in(ran->output)),
              "check the network, and update the package lists (apt-get update); otherwise " + elsewhere);
}

}  // namespace

Result<std::optional<std::string>> fetch_package(const std::string& name, const std::string& cache,
                                                 const std::function<bool()>& keep_going) {
  std::error_code error;
  fs::create_directories(cache, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", cache, error.message()));
  if (auto found = find_deb(cache, name)) return found;
  std::string folder = cache + "/fetching-XXXXXX";
  if (!::mkdtemp(folder.data()))
    return fail("io", fmt::format("cannot create {}: {}", folder, std::strerror(errno)));
  auto out = download(name, folder, cache, keep_going);
  fs::remove_all(folder, error);
  return out;
}

std::string default_cache() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string own = variable("GABBRO_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); xdg.starts_with('/')) return xdg + "/gabbro";
  return home_folder() + "/.cache/gabbro";
}

}  // namespace gabbro::data::debian
