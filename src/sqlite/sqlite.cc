#include "sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/damaged.h"
#include "base/files.h"
#include "base/lock.h"

namespace gabbro::sqlite {

namespace {

// Another connection may be recovering the file or checkpointing its write-ahead log.
constexpr int kBusyMilliseconds = 10'000;

// The bits of an extended result code that give its kind.
constexpr int kPrimaryCode = 0xff;

constexpr const char* kDamaged =
    "the file is damaged: restore a copy, or save what can be read with `sqlite3 FILE .recover`";

std::string path_of(sqlite3* handle) {
  const char* path = sqlite3_db_filename(handle, "main");
  return path == nullptr ? "database" : path;
}

// Throws the last error of a query.
[[noreturn]] void throw_damaged(sqlite3* handle) {
  const int kind = sqlite3_errcode(handle) & kPrimaryCode;
  const bool damaged = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_ERROR;
  throw Damaged(
      {"store", fmt::format("{}: {}", path_of(handle), sqlite3_errmsg(handle)), damaged ? kDamaged : "", {}});
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// Returns true if SQLite could not create the files that readers share with a writer: the folder or file of
// the database is not writable, or the disk is full.
bool is_without_shared_files(const std::string& path) {
  constexpr std::uintmax_t kSharedBytes = 64 << 10;
  if (access(folder_of(path).c_str(), W_OK) != 0 || access(path.c_str(), W_OK) != 0) return true;
  std::error_code error;
  const std::filesystem::space_info disk = std::filesystem::space(folder_of(path), error);
  return !error && disk.available < kSharedBytes;
}

// Returns true if a write-ahead log with something in it lies beside a database.
bool has_log(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path + "-wal", error);
  return !error && bytes > 0;
}

// Copies a database with its log, as a killed process or a copy has left them, to a new temporary folder.
// Returns the folder; the database is the file "copy" in it. Errors: "store".
Result<std::string> copy_with_log(const std::string& path) {
  std::error_code error;
  std::string folder = std::filesystem::temp_directory_path(error) / "gabbro-record-XXXXXX";
  if (!error && mkdtemp(folder.data()) == nullptr) error = {errno, std::generic_category()};
  for (const char* end : {"", "-wal"})
    if (!error) std::filesystem::copy_file(path + end, folder + "/copy" + end, error);
  if (!error) return folder;
  std::filesystem::remove_all(folder);
  return fail(
      "store",
      fmt::format("{}: its log can only be read in a folder that can be written, and copying both to {} "
                  "failed: {}",
                  path, folder, error.message()),
      "copy the campaign's folder to where you can write");
}

// Returns the name with which SQLite opens a file without locks and shared files.
std::string immutable_uri(const std::string& path) {
  std::string out = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#')
      out += fmt::format("%{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out + "?immutable=1";
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& given, Mode mode) {
  // SQLite follows links too: its other files lie beside the file itself.
  std::error_code error;
  const std::filesystem::path resolved = std::filesystem::canonical(given, error);
  const std::string path = error ? given : resolved.string();
  // SQLite would wait for the writer of a pipe, and read a device without end.
  if (std::filesystem::exists(path, error))
    if (const auto ok = check_regular_file(path); !ok)
      return fail("store", ok.error().message, "give a regular file: an SQLite database is one");
  sqlite3* handle = nullptr;
  const bool shares_nothing = mode == Mode::kRead && is_without_shared_files(path);
  if (shares_nothing && has_log(path) && !std::filesystem::exists(path + "-shm", error)) {
    GABBRO_TRY(folder, copy_with_log(path));
    auto copy = open(folder + "/copy", mode);
    if (copy) {
      (*copy)->path_ = path;
      (*copy)->temporary_folder_ = folder;
    } else {
      std::filesystem::remove_all(folder, error);
    }
    return copy;
  }
  if (shares_nothing && !has_log(path)) {
    const int code = sqlite3_open_v2(immutable_uri(path).c_str(), &handle,
                                     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<Connection> out(new Connection(handle, path));
    if (code != SQLITE_OK) return out->error(code);
    sqlite3_extended_result_codes(handle, 1);
    return out;
  }
  // SQLite would wait for a lock that it can never have.
  if (!keeps_file_locks(folder_of(path)))
    return fail(
        "store", fmt::format("{}: its file system keeps no locks", path),
        "use a local disk; the record of a campaign may lie on one alone (`gabbro evolve --record DIR`)");
  // Where there is no write-ahead log, a reader creates it, and only a connection that may write removes it.
  const bool log_exists = std::filesystem::exists(path + "-wal", error);
  const int flags = mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                    : log_exists         ? SQLITE_OPEN_READONLY
                                         : SQLITE_OPEN_READWRITE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Connection> out(new Connection(handle, path));
  if (code != SQLITE_OK) return out->error(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  if (mode == Mode::kRead)
    if (const auto ok = out->script("PRAGMA query_only = 1"); !ok) return tl::unexpected(ok.error());
  return out;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
  std::error_code error;
  if (!temporary_folder_.empty()) std::filesystem::remove_all(temporary_folder_, error);
}

tl::unexpected<Error> Connection::error(int code) const {
  const int kind = (code == SQLITE_OK ? sqlite3_errcode(handle_) : code) & kPrimaryCode;
  std::string hint;
  if (kind == SQLITE_FULL || kind == SQLITE_IOERR)
    hint =
        "check that the disk is not full and that `ulimit -f` allows a larger file; what was recorded before "
        "is safe, so free some space and continue";
  const int extended = code == SQLITE_OK ? sqlite3_extended_errcode(handle_) : code;
  if (kind == SQLITE_BUSY || extended == SQLITE_IOERR_LOCK || extended == SQLITE_IOERR_RDLOCK ||
      extended == SQLITE_IOERR_UNLOCK || extended == SQLITE_IOERR_CHECKRESERVEDLOCK)
    hint = "another process is writing it";
  if (kind == SQLITE_NOTADB) hint = "the file is not an SQLite database, or is damaged";
  if (kind == SQLITE_CORRUPT) hint = kDamaged;
  if (kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY || kind == SQLITE_PERM)
    hint = "check that the file is readable, and that its folder exists and is writable";
  return fail("store", fmt::format("{}: {}", path_, sqlite3_errmsg(handle_)), hint);
}

Result<bool> Connection::copy_to(const std::string& path) {
  if (std::error_code error; std::filesystem::exists(path, error))
    return fail("store", path + " already exists", "choose another file");
  GABBRO_TRY(copy, open(path, Mode::kWrite));
  sqlite3_backup* const backup = sqlite3_backup_init(copy->handle_, "main", handle_, "main");
  if (backup == nullptr) return copy->error(SQLITE_OK);
  constexpr int kAllPages = -1;
  // Finishing reports no lock that could not be had.
  const int step = sqlite3_backup_step(backup, kAllPages);
  const int end = sqlite3_backup_finish(backup);
  if (step != SQLITE_DONE || end != SQLITE_OK) return copy->error(step != SQLITE_DONE ? step : end);
  return true;
}

Result<bool> Connection::script(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return true;
}

sqlite3_stmt* Connection::prepare(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    return nullptr;
  statements_.emplace(sql, statement);
  return statement;
}

sqlite3_stmt* Connection::query(const char* sql) {
  sqlite3_stmt* statement = prepare(sql);
  if (statement == nullptr) throw_damaged(handle_);
  return statement;
}

std::int64_t Connection::last_id() const { return sqlite3_last_insert_rowid(handle_); }

void bind(sqlite3_stmt* statement, int index, std::int64_t value) {
  sqlite3_bind_int64(statement, index, value);
}
void bind(sqlite3_stmt* statement, int index, double value) {
  if (std::isfinite(value))
    sqlite3_bind_double(statement, index, value);
  else
    sqlite3_bind_null(statement, index);
}
void bind(sqlite3_stmt* statement, int index, const std::string& value) {
  sqlite3_bind_text(statement, index, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
}

int finish(sqlite3_stmt* statement) {
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(statement);
  sqlite3_reset(statement);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

int changed(sqlite3_stmt* statement) { return sqlite3_changes(sqlite3_db_handle(statement)); }

Rows::~Rows() { sqlite3_reset(statement_); }

bool Rows::next() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) throw_damaged(sqlite3_db_handle(statement_));
  return code == SQLITE_ROW;
}

std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Rows::real(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::numeric_limits<double>::quiet_NaN();
  return sqlite3_column_double(statement_, column);
}
std::string Rows::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr
             ? std::string()
             : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::string Rows::path() const { return path_of(sqlite3_db_handle(statement_)); }

}  // namespace gabbro::sqlite
