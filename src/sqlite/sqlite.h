// SQLite: one connection, statements prepared once, values of three types.
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

/// Statements are literals: they are prepared at their first use and kept by their address. Values are bound
/// in order; a number that is not finite is NULL, and NULL reads as NaN, "" or 0.
class Connection {
 public:
  enum class Mode : std::uint8_t { kRead, kWrite };

  /// Errors, "store": not a plain file, and SQLite's, with the path.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Runs statements without values or rows. Errors, "store".
  Result<bool> script(const std::string& sql);
  /// Runs one statement to its end; true when it changed a row. Errors, "store": the disk is full ...
  template <class... A>
  Result<bool> run(const char* sql, const A&... values);
  /// Its rows. What cannot be read of a file that could be opened is a broken file: throws Damaged with
  /// SQLite's message, as `next` does.
  template <class... A>
  Rows rows(const char* sql, const A&... values);
  [[nodiscard]] std::int64_t last_id() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Connection(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  sqlite3_stmt* prepare(const char* sql);  // null: an error
  sqlite3_stmt* query(const char* sql);
  [[nodiscard]] tl::unexpected<Error> error(int code) const;
  sqlite3* handle_;
  std::string path_;
  std::map<const char*, sqlite3_stmt*> statements_;
};

void bind(sqlite3_stmt* statement, int at, std::int64_t value);
inline void bind(sqlite3_stmt* s, int at, int value) { bind(s, at, static_cast<std::int64_t>(value)); }
void bind(sqlite3_stmt* statement, int at, double value);
void bind(sqlite3_stmt* statement, int at, const std::string& value);

/// `while (rows.next()) ... rows.text(0)`: the rows of one statement, which is free again when this goes.
class Rows {
 public:
  explicit Rows(sqlite3_stmt* statement) : statement_(statement) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows();
  bool next();
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

template <class... A>
Rows Connection::rows(const char* sql, const A&... values) {
  sqlite3_stmt* statement = query(sql);
  int at = 0;
  (bind(statement, ++at, values), ...);
  return Rows(statement);
}

/// Of `Connection::run`: the last result code, the statement reset.
int finish(sqlite3_stmt* statement);
int changed(sqlite3_stmt* statement);

template <class... A>
Result<bool> Connection::run(const char* sql, const A&... values) {
  sqlite3_stmt* statement = prepare(sql);
  if (statement == nullptr) return error(0);
  int at = 0;
  (bind(statement, ++at, values), ...);
  if (const int code = finish(statement); code != 0) return error(code);
  return changed(statement) > 0;
}

/// `work` (a Result<bool> of nothing) in one transaction of the only writer, rolled back where it fails.
/// Errors: those of `work`; "store".
Result<bool> in_transaction(Connection& db, const auto& work) {
  if (auto ok = db.script("BEGIN IMMEDIATE"); !ok) return ok;
  Result<bool> done = work();
  if (done) done = db.script("COMMIT");
  if (!done) (void)db.script("ROLLBACK");  // SQLite may have done it
  return done;
}

}  // namespace gabbro::sqlite
