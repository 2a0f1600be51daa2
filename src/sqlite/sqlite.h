// A thin layer over SQLite: a connection, prepared statements, and values of three types.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gabbro::sqlite {

class Rows;

/// A connection to a database. Statements must be string literals: each is prepared at its first use and
/// cached by its address. Values are bound in order. A number that is not finite is stored as NULL; NULL is
/// read as NaN, "" or 0.
class Connection {
 public:
  enum class Mode : std::uint8_t { kRead, kWrite };

  /// Opens a file; kWrite creates it if it does not exist. A file that kRead cannot share with a writer,
  /// since it cannot be written or the disk is full, is read as it is, with its log from a copy. Errors,
  /// "store": not a regular file; those of SQLite, with the path.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Runs statements without values or rows. Errors, "store".
  Result<bool> script(const std::string& sql);
  /// Runs one statement to its end. Returns true if it changed a row. Errors, "store": for example, the disk
  /// is full.
  template <class... A>
  Result<bool> run(const char* sql, const A&... values);
  /// Returns the rows of a query. If a file that could be opened cannot be read, it is damaged: this function
  /// and `next` throw Damaged with SQLite's message.
  template <class... A>
  Rows rows(const char* sql, const A&... values);
  /// Copies the file as it is now to `path`, which must not exist. Errors, "store".
  Result<bool> copy_to(const std::string& path);
  /// Returns the row id of the last row inserted.
  [[nodiscard]] std::int64_t last_id() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Connection(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  sqlite3_stmt* prepare(const char* sql);  // null on error
  sqlite3_stmt* query(const char* sql);    // throws Damaged on error
  // `code` is a result code of SQLite; 0: that of the last call.
  [[nodiscard]] tl::unexpected<Error> error(int code) const;
  sqlite3* handle_;
  std::string path_;
  std::string temporary_folder_;  // removed in the end; "": none
  std::map<const char*, sqlite3_stmt*> statements_;
};

/// Binds the value of a placeholder; `index` counts from 1.
void bind(sqlite3_stmt* statement, int index, std::int64_t value);
inline void bind(sqlite3_stmt* statement, int index, int value) {
  bind(statement, index, static_cast<std::int64_t>(value));
}
void bind(sqlite3_stmt* statement, int index, double value);
void bind(sqlite3_stmt* statement, int index, const std::string& value);

/// The rows of one statement: `while (rows.next()) ... rows.text(0)`. Columns count from 0. The destructor
/// makes the statement available again.
class Rows {
 public:
  explicit Rows(sqlite3_stmt* statement) : statement_(statement) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows();
  /// Goes to the next row, or first to the first one. Returns false at the end. Throws Damaged.
  bool next();
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  /// Returns the path of the file that is read.
  [[nodiscard]] std::string path() const;

 private:
  sqlite3_stmt* statement_;
};

template <class... A>
Rows Connection::rows(const char* sql, const A&... values) {
  sqlite3_stmt* statement = query(sql);
  int index = 0;
  (bind(statement, ++index, values), ...);
  return Rows(statement);
}

/// Implementation of `Connection::run`. `finish` returns the last result code, or 0, and resets the
/// statement; `changed` returns the number of changed rows.
int finish(sqlite3_stmt* statement);
int changed(sqlite3_stmt* statement);

template <class... A>
Result<bool> Connection::run(const char* sql, const A&... values) {
  sqlite3_stmt* statement = prepare(sql);
  if (statement == nullptr) return error(0);
  int index = 0;
  (bind(statement, ++index, values), ...);
  if (const int code = finish(statement); code != 0) return error(code);
  return changed(statement) > 0;
}

/// Runs `work`, which returns Result<bool>, in one transaction of the only writer and rolls back if it fails.
/// Errors: those of `work`; "store".
Result<bool> in_transaction(Connection& db, const auto& work) {
  if (auto ok = db.script("BEGIN IMMEDIATE"); !ok) return ok;
  Result<bool> done = work();
  if (done) done = db.script("COMMIT");
  if (!done) (void)db.script("ROLLBACK");  // SQLite may have rolled back already.
  return done;
}

}  // namespace gabbro::sqlite
