#include "exec/pytorch/python.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

extern char** environ;

namespace gabbro::exec::pytorch {

namespace {

// Limits of a reply, in bytes.
constexpr std::uint64_t kMostHeader = 64 << 20, kMostBody = std::uint64_t{1} << 40;

std::string program_of(const PythonOptions& options) {
  if (!options.program.empty()) return options.program;
  const char* known = std::getenv("GABBRO_PYTHON");
  return known ? known : "python3";
}

}  // namespace

Result<std::unique_ptr<Python>> Python::start(const PythonOptions& options) {
  int ins[2] = {-1, -1}, outs[2] = {-1, -1};
  if (pipe2(ins, O_CLOEXEC) != 0 || pipe2(outs, O_CLOEXEC) != 0)
    return fail("python", fmt::format("cannot create a pipe: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ins[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, outs[1], STDOUT_FILENO);
  std::vector<std::string> words{program_of(options), "-m", "gabbro_torch", std::to_string(options.processes),
                                 options.device};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t id = 0;
  // The process ends with its input, and not by the signals that ask this process to stop: it has the
  // weights.
  const auto on_stop = std::signal(SIGTERM, SIG_IGN), on_interrupt = std::signal(SIGINT, SIG_IGN);
  const int error = posix_spawnp(&id, arguments[0], &actions, nullptr, arguments.data(), environ);
  std::signal(SIGTERM, on_stop);
  std::signal(SIGINT, on_interrupt);
  posix_spawn_file_actions_destroy(&actions);
  close(ins[0]);
  close(outs[1]);
  const char* hint = "set GABBRO_PYTHON to a Python with PyTorch; `./dev setup` installs one into .venv";
  if (error != 0) {
    close(ins[1]);
    close(outs[0]);
    return fail("python", fmt::format("cannot start {}: {}", words[0], std::strerror(error)), hint);
  }
  std::unique_ptr<Python> out(new Python(id, ins[1], outs[0]));
  try {
    out->call(R"({"call": "hello"})");
  } catch (const std::exception& e) {
    // A process that has not ended has all its packages, and reports a device.
    const bool runs = out->id_ != 0;
    return fail(runs ? "device" : "python", e.what(), runs ? "" : hint);
  }
  return out;
}

// The process ends when its input does.
Python::~Python() {
  close(in_);
  close(out_);
  int status = 0;
  while (id_ > 0 && waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
}

void Python::ended() {
  int status = 0;
  while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  id_ = 0;
  throw PythonEnded(WIFSIGNALED(status)
                        ? fmt::format("the Python process of PyTorch ended by signal {} ({})",
                                      WTERMSIG(status), strsignal(WTERMSIG(status)))
                        : fmt::format("the Python process of PyTorch ended with code {}; its log says why",
                                      WEXITSTATUS(status)));
}

void Python::send(const void* data, std::size_t bytes) {
  for (auto at = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t sent = write(in_, at, bytes);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) ended();
    at += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
}

void Python::receive(void* data, std::size_t bytes) {
  for (auto at = static_cast<char*>(data); bytes > 0;) {
    const ssize_t got = read(out_, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) ended();
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

Reply Python::call(const std::string& text, const std::vector<Array>& arrays) {
  if (id_ == 0) throw PythonEnded("the Python process of PyTorch has ended");
  nlohmann::json header = nlohmann::json::parse(text);
  header["arrays"] = nlohmann::json::array();
  std::uint64_t sizes[2] = {0, 0};  // of header and body
  for (const Array& a : arrays) {
    header["arrays"].push_back({{"name", a.name}, {"dtype", a.type}, {"shape", a.shape}});
    sizes[1] += a.bytes;
  }
  const std::string full = header.dump();
  sizes[0] = full.size();
  // A process that has ended must be an error here, and not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  send(sizes, sizeof sizes);
  send(full.data(), full.size());
  for (const Array& a : arrays) send(a.data, a.bytes);
  receive(sizes, sizeof sizes);
  if (sizes[0] > kMostHeader || sizes[1] > kMostBody)
    throw std::runtime_error("the Python process of PyTorch sent an invalid message");
  Reply reply{std::string(sizes[0], '\0'), std::string(sizes[1], '\0')};
  receive(reply.header.data(), reply.header.size());
  receive(reply.body.data(), reply.body.size());
  const nlohmann::json answer = nlohmann::json::parse(reply.header);
  if (const auto error = answer.find("error"); error != answer.end())
    throw std::runtime_error(error->get<std::string>());
  return reply;
}

}  // namespace gabbro::exec::pytorch
