#include "jobs/python.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "jobs/process.h"

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

// Prints the folders that Python reads, one a line, then an empty line, then the packages that are missing.
constexpr const char* kListFolders = R"(
import importlib.util, os, sys
folders = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)), *sys.path]
for folder in dict.fromkeys(map(os.path.realpath, filter(None, folders))):
    if os.path.exists(folder):
        print(folder)
print()
for name in ('torch', 'gabbro_torch'):
    if importlib.util.find_spec(name) is None:
        print(name)
)";

// Returns the folder of this program.
fs::path own_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string find_interpreter() {
  if (const char* chosen = std::getenv("GABBRO_PYTHON")) return chosen;
  std::error_code error;
  const fs::path own = own_folder().parent_path() / ".venv/bin/python";
  if (fs::exists(own, error)) return own;
  const char* list = std::getenv("PATH");
  for (std::string rest = list ? list : ""; !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const fs::path file = fs::path(rest.substr(0, end)) / "python3";
    if (access(file.c_str(), X_OK) == 0) return file;
    rest.erase(0, end + 1);
  }
  return "python3";
}

// Runs a program to its end and returns what it printed.
Result<std::string> output_of(const std::vector<std::string>& command,
                              const std::vector<std::string>& variables) {
  Launch launch{.command = command, .log = "/dev/null"};
  launch.variables = variables;
  GABBRO_TRY(process, start_process(launch));
  fcntl(process.out, F_SETFL, 0);  // Reads wait for output.
  std::string out;
  char block[1 << 12];
  for (ssize_t got; (got = read(process.out, block, sizeof block)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) out.append(block, static_cast<std::size_t>(got));
  close(process.out);
  const int status = reap(process.id);
  if (status == 0) return out;
  return fail("python", fmt::format("{} {}", command[0], describe_status(status)));
}

}  // namespace

Result<PythonSetup> find_python() {
  const std::string hint = "install PyTorch with ./dev setup, or set GABBRO_PYTHON to a Python that has it";
  PythonSetup out;
  out.program = find_interpreter();
  // The package is next to the folder of this program in a source tree, else it is installed for Python.
  const fs::path package = own_folder().parent_path() / "python";
  std::error_code error;
  if (fs::exists(package / "gabbro_torch", error)) out.variables.push_back("PYTHONPATH=" + package.string());
  out.variables.push_back("GABBRO_PYTHON=" + out.program);
  out.variables.emplace_back("PYTHONDONTWRITEBYTECODE=1");
  auto text = output_of({out.program, "-c", kListFolders}, out.variables);
  if (!text) return fail("python", "cannot run Python: " + text.error().message, hint);
  std::vector<std::string> missing;
  bool in_folders = true;
  for (std::size_t at = 0, end; (end = text->find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text->substr(at, end - at);
    if (line.empty())
      in_folders = false;
    else
      (in_folders ? out.folders : missing).push_back(line);
  }
  if (missing.empty()) return out;
  return fail("python", fmt::format("{} does not have the package {}", out.program, missing[0]), hint);
}

}  // namespace gabbro::jobs
