#include "base/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <string_view>

#include "base/hash.h"

namespace gabbro {

namespace {

namespace fs = std::filesystem;

// Notes are padded to multiples of four bytes.
std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

// Returns the build id in a segment of notes; "" if there is none.
std::string_view build_id_in(std::string_view notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes.data(), sizeof note);
    const std::size_t name = sizeof note, content = name + padded(note.n_namesz);
    if (content + note.n_descsz > notes.size()) break;
    if (note.n_type == NT_GNU_BUILD_ID && notes.substr(name, note.n_namesz) == std::string_view("GNU\0", 4))
      return notes.substr(content, note.n_descsz);
    notes.remove_prefix(std::min(notes.size(), content + padded(note.n_descsz)));
  }
  return {};
}

// Returns the build id of a loaded object, or its name and size if it has none.
std::string identity_of(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* start = reinterpret_cast<const char*>(object.dlpi_addr + segment.p_vaddr);
    if (const std::string_view id = build_id_in({start, segment.p_memsz}); !id.empty())
      return std::string(id);
  }
  // The program itself has no name here. A file that was removed meanwhile counts as empty.
  const fs::path path = object.dlpi_name[0] != '\0' ? object.dlpi_name : "/proc/self/exe";
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return fmt::format("{} {}", path.filename().string(), error ? 0 : size);
}

// Returns the widest vector instructions of the processor, or "baseline"; and its vendor, since libraries
// choose kernels by it.
std::string processor() {
  std::string out = "baseline";
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) out = "avx2";
  if (__builtin_cpu_supports("avx512f")) out = "avx512f";
  if (__builtin_cpu_supports("avx512bf16")) out = "avx512bf16";
  if (__builtin_cpu_is("intel")) out += " intel";
  if (__builtin_cpu_is("amd")) out += " amd";
#endif
  return out;
}

}  // namespace

const std::string& build_id() {
  static const std::string id = [] {
    std::set<std::string> objects;  // sorted, since the order of loading may differ
    dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* list) {
          // The kernel's own library (vDSO) belongs to the machine.
          if (std::strstr(object->dlpi_name, "vdso") == nullptr)
            static_cast<std::set<std::string>*>(list)->insert(identity_of(*object));
          return 0;
        },
        &objects);
    std::string all;
    for (const std::string& object : objects) all += object + '\0';
    return fmt::format("{:016x} {}", hash64(all), processor());
  }();
  return id;
}

}  // namespace gabbro
