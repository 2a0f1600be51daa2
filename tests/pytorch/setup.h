// The Python of the tests: that of .venv, with the package of this source tree.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "paths.h"

namespace gabbro::testing {

inline const std::string kSource = source_path();
inline const std::string kPython = kSource + "/.venv/bin/python";

/// Sets the variables that exec::pytorch::Python reads. Returns false if there is no PyTorch.
inline bool use_python() {
  setenv("GABBRO_PYTHON", kPython.c_str(), 1);
  setenv("PYTHONPATH", (kSource + "/python").c_str(), 1);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  static const bool there = std::filesystem::exists(kPython) &&
                            std::system((kPython + " -W ignore -c 'import torch' 2>/dev/null").c_str()) == 0;
  return there;
}

}  // namespace gabbro::testing
