// Finds the shared libraries of a program by running the loader that the program names.
#include <elf.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sandbox/sandbox.h"

namespace gabbro::sandbox {

namespace {

// Returns the loader of a 64-bit ELF program, or "" if it has none.
std::string loader_of(const std::string& program) {
  constexpr std::size_t kMaxPath = 4096;
  std::ifstream file(program, std::ios::binary);
  Elf64_Ehdr header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header) ||
      !std::equal(header.e_ident, header.e_ident + SELFMAG, ELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64)
    return "";
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part{};
    file.seekg(static_cast<std::streamoff>(header.e_phoff) + i * header.e_phentsize);
    if (!file.read(reinterpret_cast<char*>(&part), sizeof part)) return "";
    if (part.p_type != PT_INTERP || part.p_filesz > kMaxPath) continue;
    std::string out(part.p_filesz, '\0');
    file.seekg(static_cast<std::streamoff>(part.p_offset));
    if (!file.read(out.data(), static_cast<std::streamsize>(out.size()))) return "";
    return out.c_str();
  }
  return "";
}

// Returns what the loader prints about the libraries of `program`, or "".
std::string list_libraries(const std::string& loader, const std::string& program) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  const pid_t id = fork();
  if (id == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl(loader.c_str(), loader.c_str(), "--list", program.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string out;
  char block[1 << 12];
  for (ssize_t got; (got = read(ends[0], block, sizeof block)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) out.append(block, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  while (id > 0 && waitpid(id, &status, 0) < 0 && errno == EINTR) {
  }
  return out;
}

}  // namespace

std::vector<std::string> library_folders(const std::string& program) {
  const std::string loader = loader_of(program);
  if (loader.empty()) return {};
  std::vector<std::string> out;
  std::istringstream lines(list_libraries(loader, program));
  // A line is "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)".
  for (std::string line; std::getline(lines, line);) {
    const std::size_t from = line.find("=> /"), to = line.rfind(" (0x");
    if (from == std::string::npos || to == std::string::npos || to < from) continue;
    const std::filesystem::path file = line.substr(from + 3, to - from - 3);
    // Adds both the named folder and the one that a link leads to.
    std::error_code error;
    for (const std::filesystem::path& p : {file, std::filesystem::canonical(file, error)})
      if (std::string folder = p.parent_path();
          folder.size() > 1 && std::find(out.begin(), out.end(), folder) == out.end())
        out.push_back(std::move(folder));
  }
  return out;
}

}  // namespace gabbro::sandbox
