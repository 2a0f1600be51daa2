// Files of named arrays in the safetensors format: 8 bytes with the length of a JSON header, the header, the
// numbers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "exec/model.h"

namespace gabbro::train {

/// Writes float32 arrays and `metadata` to `path` by atomic rename; one writer at a time. Errors: "io"; what
/// was at `path` is still there then.
Result<bool> save_arrays(const std::string& path, const std::vector<exec::NamedArray>& arrays,
                         const std::map<std::string, std::string>& metadata);

struct ArrayFile {
  std::vector<exec::NamedArray> arrays;
  std::map<std::string, std::string> metadata;
};

/// Errors: "io", "format" (cut short, or no safetensors file of float32 arrays), with the path.
Result<ArrayFile> load_arrays(const std::string& path);
/// The same of bytes that were read already; `path` is for errors.
Result<ArrayFile> parse_arrays(const std::string& bytes, const std::string& path);

/// XXH3 of names, shapes and numbers: the identity of weights.
std::string hash_arrays(const std::vector<exec::NamedArray>& arrays);

}  // namespace gabbro::train
