#include "library/pdf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>

extern char** environ;

namespace gabbro::library {

namespace {

constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 20;
constexpr std::chrono::seconds kMaxTime{120};

// Reads the output of the child process until it ends. `complete` is false if that took too long or the
// output is too long.
std::string read_all(int file, bool& complete) {
  std::string out;
  std::array<char, 65536> buffer{};
  const auto deadline = std::chrono::steady_clock::now() + kMaxTime;
  complete = false;
  while (out.size() <= kMaxOutputBytes) {
    const auto remaining =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd event{file, POLLIN, 0};
    if (remaining.count() <= 0 || poll(&event, 1, static_cast<int>(remaining.count())) <= 0) return out;
    const ssize_t n = read(file, buffer.data(), buffer.size());
    if (n < 0) return out;
    if (n == 0) {
      complete = true;
      return out;
    }
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return out;
}

}  // namespace

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    if (colon > 0) {
      const std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
      if (access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate))
        return candidate;
    }
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return {};
}

Result<std::string> pdf_text(const std::string& path) {
  const std::string program = find_program("pdftotext");
  if (program.empty())
    return fail("pdf", fmt::format("{}: cannot read PDF: pdftotext is not on the PATH", path),
                "install poppler-utils, or convert the file to .txt");
  int pipe_ends[2];  // for reading, for writing
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail("pdf", fmt::format("{}: cannot create a pipe", path));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // The path is absolute, so that no file name can be taken for an option.
  const std::string file = std::filesystem::absolute(path).string();
  std::array<const char*, 7> arguments{"pdftotext", "-q", "-enc", "UTF-8", file.c_str(), "-", nullptr};
  pid_t child = 0;
  const int code = posix_spawn(&child, program.c_str(), &actions, nullptr,
                               const_cast<char* const*>(arguments.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  bool complete = false;
  std::string text = code == 0 ? read_all(pipe_ends[0], complete) : "";
  close(pipe_ends[0]);
  if (code != 0) return fail("pdf", fmt::format("{}: cannot start {}", path, program));
  if (!complete) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!complete) return fail("pdf", fmt::format("{}: pdftotext took too long or wrote too much", path));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail("pdf", fmt::format("{}: pdftotext cannot read it", path),
                "check that it is a PDF and not encrypted");
  return text;
}

}  // namespace gabbro::library
