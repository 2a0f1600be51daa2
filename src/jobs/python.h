// The Python interpreter that runs designs as PyTorch modules.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::jobs {

/// The interpreter, and what its processes need.
struct PythonSetup {
  std::string program;                 // path of the interpreter
  std::vector<std::string> folders;    // of the interpreter, its packages and python/gabbro_torch
  std::vector<std::string> variables;  // for the processes that use it, as "NAME=value"
};

/// Finds the interpreter (GABBRO_PYTHON, or that of .venv next to the folder of this program, or python3 of
/// PATH) and runs it to list its folders. Packages are not loaded. Errors: "python" (no such program; PyTorch
/// or gabbro_torch is not installed for it).
Result<PythonSetup> find_python();

}  // namespace gabbro::jobs
