#include "data/parquet.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/files.h"
#include "data/format.h"
#include "data/parquet_plugin.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

struct Plugin {
  decltype(&gabbro_parquet_open) open = nullptr;
  decltype(&gabbro_parquet_next) next = nullptr;
  decltype(&gabbro_parquet_share) share = nullptr;
  decltype(&gabbro_parquet_close) close = nullptr;
};

Result<Plugin> load() {
  const std::string convert = "or convert the file to JSON lines";
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error).parent_path() / "gabbro_parquet.so";
  if (!fs::exists(path, error))
    return fail("parquet", "this gabbro was built without Parquet",
                "install pyarrow (`./dev setup` does so) and build gabbro again, " + convert);
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail("parquet", fmt::format("cannot load {}: {}", path.string(), ::dlerror()),
                "build gabbro again, " + convert);
  Plugin out;
  bool complete = true;
  const auto find_function = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    complete = complete && function;
  };
  find_function(out.open, "gabbro_parquet_open");
  find_function(out.next, "gabbro_parquet_next");
  find_function(out.share, "gabbro_parquet_share");
  find_function(out.close, "gabbro_parquet_close");
  if (!complete)
    return fail("parquet", path.string() + " belongs to another build of gabbro",
                "build gabbro again, " + convert);
  return out;
}

const Result<Plugin>& plugin() {
  static const Result<Plugin> loaded = load();
  return loaded;
}

}  // namespace

Result<bool> load_parquet() {
  if (!plugin()) return tl::unexpected(plugin().error());
  return true;
}

struct ParquetFile::State {
  std::string path;
  GabbroParquet* file = nullptr;
  ~State() {
    if (file) plugin()->close(file);
  }
};

ParquetFile::ParquetFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParquetFile::ParquetFile(ParquetFile&&) noexcept = default;
ParquetFile& ParquetFile::operator=(ParquetFile&&) noexcept = default;
ParquetFile::~ParquetFile() = default;

Result<ParquetFile> ParquetFile::open(const std::string& path, const std::string& column) {
  if (auto ok = load_parquet(); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_regular_file(path); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_is_fetched(path); !ok) return tl::unexpected(ok.error());
  auto state = std::make_unique<State>();
  state->path = path;
  const char* error = nullptr;
  state->file = plugin()->open(path.c_str(), column.c_str(), &error);
  if (state->file) return ParquetFile(std::move(state));
  const std::string why = error;  // A hint may follow on a second line.
  const std::size_t line = why.find('\n');
  return fail("format", fmt::format("{}: {}", path, why.substr(0, line)),
              line == std::string::npos ? "check that the file is complete" : why.substr(line + 1));
}

Result<ParquetFile::Row> ParquetFile::next(std::string& text) {
  const char *bytes = nullptr, *error = nullptr;
  std::size_t size = 0;
  const int status = plugin()->next(state_->file, &bytes, &size, &error);
  if (status < 0)
    return fail("format", fmt::format("cannot read {}: {}", state_->path, error),
                "check that the file is complete");
  if (status == 0) return Row::kNone;
  if (!bytes) return Row::kNull;
  text.assign(bytes, size);
  return Row::kText;
}

double ParquetFile::share() const { return plugin()->share(state_->file); }

}  // namespace gabbro::data
