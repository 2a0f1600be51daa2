// Runs `gabbro`, or another command, and returns its output, for tests.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "paths.h"

namespace gabbro {

struct Output {
  int code = -1;  // exit code; -1: a signal ended it
  std::string text;
};

inline Output run_command(const std::string& command) {
  Output out;
  std::FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) out.code = WEXITSTATUS(status);
  return out;
}

/// Runs `gabbro ARGUMENTS`. `errors` is the shell's redirection of standard error; by default it is part of
/// the output.
inline Output gabbro(const std::string& arguments, const std::string& errors = "2>&1") {
  return run_command(gabbro_path() + " " + arguments + " " + errors);
}

}  // namespace gabbro
