// Reads and writes named arrays in the safetensors format: 8 bytes with the length of a JSON header, the
// header, and the data.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "exec/model.h"

namespace gabbro::train {

/// Writes float32 arrays and `metadata` to `path` by atomic rename. Only one writer at a time is allowed.
/// Errors: "io", "format" (two arrays of one name); an existing file at `path` is then unchanged.
Result<bool> save_arrays(const std::string& path, const std::vector<exec::NamedArray>& arrays,
                         const std::map<std::string, std::string>& metadata);

struct ArrayFile {
  std::vector<exec::NamedArray> arrays;
  std::map<std::string, std::string> metadata;
};

/// Reads an array file. Errors, with the path: "io", "format" (truncated, or not a safetensors file of
/// float32 arrays).
Result<ArrayFile> load_arrays(const std::string& path);
/// Parses the bytes of an array file; `path` is for error messages.
Result<ArrayFile> parse_arrays(const std::string& bytes, const std::string& path);

/// Returns the XXH3 hash of names, shapes and values, which identifies weights.
std::string hash_arrays(const std::vector<exec::NamedArray>& arrays);

}  // namespace gabbro::train
