#include "train/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "base/hash.h"

namespace gabbro::train {

constexpr std::size_t kPrefix = sizeof(std::uint64_t);  // the length of the header

Result<bool> save_arrays(const std::string& path, const std::vector<exec::NamedArray>& arrays,
                         const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const exec::NamedArray& a : arrays) {
    const std::uint64_t size = a.data.size() * sizeof(float);
    if (header.contains(a.name)) return fail("format", fmt::format("two arrays are named {}", a.name));
    header[a.name] = {{"dtype", "F32"}, {"shape", a.shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = header.dump();
  while (text.size() % 8 != 0) text += ' ';  // so that the data are aligned
  const std::string temporary = path + ".tmp";
  const auto failed = [&] {
    const int why = errno;
    std::remove(temporary.c_str());
    return fail("io", fmt::format("cannot write {}: {}", path, std::strerror(why)));
  };
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (!file) return failed();
  const std::uint64_t length = text.size();
  bool ok = std::fwrite(&length, sizeof length, 1, file) == 1 &&
            std::fwrite(text.data(), 1, text.size(), file) == text.size();
  for (const exec::NamedArray& a : arrays)
    ok = ok &&
         (a.data.empty() || std::fwrite(a.data.data(), sizeof(float), a.data.size(), file) == a.data.size());
  ok = ok && std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  ok = std::fclose(file) == 0 && ok;
  if (!ok || std::rename(temporary.c_str(), path.c_str()) != 0) return failed();
  return true;
}

Result<ArrayFile> load_arrays(const std::string& path) {
  GABBRO_TRY(bytes, read_file(path));
  return parse_arrays(bytes, path);
}

Result<ArrayFile> parse_arrays(const std::string& bytes, const std::string& path) {
  const auto wrong = [&](const std::string& why) {
    return fail("format", fmt::format("{} is not a valid safetensors file of float32 arrays: {}", path, why));
  };
  std::uint64_t length = 0;
  if (bytes.size() < kPrefix) return wrong("shorter than 8 bytes");
  std::memcpy(&length, bytes.data(), kPrefix);
  if (length > bytes.size() - kPrefix) return wrong("truncated in its header");
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(kPrefix, length), nullptr, false);
  if (!header.is_object()) return wrong("its header is not a JSON object");
  const std::size_t base = kPrefix + length;  // where the data begin
  const std::uint64_t room = bytes.size() - base;
  std::uint64_t read = 0;  // size of all arrays in bytes
  std::vector<std::pair<std::uint64_t, exec::NamedArray>> found;
  ArrayFile out;
  try {
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        out.metadata = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      const std::uint64_t from = entry.at("data_offsets").at(0), to = entry.at("data_offsets").at(1);
      exec::NamedArray a{name, entry.at("shape").get<std::vector<std::int64_t>>(), {}};
      std::uint64_t count = 1;
      for (const std::int64_t n : a.shape) {
        const auto size = static_cast<std::uint64_t>(n);
        if (n < 0 || (size > 0 && count > room / size))
          return wrong(fmt::format("{} has a shape that {} bytes cannot hold", name, room));
        count *= size;
      }
      if (entry.at("dtype") != "F32")
        return wrong(
            fmt::format("{} has dtype {} instead of F32", name, entry.at("dtype").get<std::string>()));
      if (to < from || to - from != count * sizeof(float))
        return wrong(fmt::format("{} has {} bytes for {} elements", name, to - from, count));
      if (to > room) return wrong(fmt::format("truncated in {}", name));
      read += to - from;
      if (read > room) return wrong(fmt::format("its arrays need more than the {} bytes that it has", room));
      a.data.resize(count);
      if (count > 0) std::memcpy(a.data.data(), bytes.data() + base + from, to - from);
      found.emplace_back(from, std::move(a));
    }
  } catch (const nlohmann::json::exception& e) {
    return wrong(e.what());
  }
  // Restores the order in which the arrays were written. Their hash depends on it, and the JSON header does
  // not keep it.
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [from, a] : found) out.arrays.push_back(std::move(a));
  return out;
}

std::string hash_arrays(const std::vector<exec::NamedArray>& arrays) {
  std::string text;
  for (const exec::NamedArray& a : arrays) {
    text += a.name;
    for (const std::int64_t n : a.shape) text += fmt::format(" {}", n);
    text += to_hex(hash128({reinterpret_cast<const char*>(a.data.data()), a.data.size() * sizeof(float)}));
  }
  return to_hex(hash128(text));
}

}  // namespace gabbro::train
