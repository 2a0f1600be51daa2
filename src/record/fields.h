// Converts structs to and from JSON objects, with one list of fields for both directions.
//
// A struct provides a function `template <class Io, Is<T> X> void fields(Io& io, X& x)` that calls io(name,
// member) for each of its members. `Writer` and `Reader` are the two directions. Members are strings,
// numbers, booleans, lists of strings, and (through `list`) lists of structs. JSON has no infinities: a
// number that is not finite is written as null and read as NaN.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

/// Constrains the argument of the `fields` of T: T when reading, const T when writing.
template <class X, class T>
concept Is = std::same_as<std::remove_const_t<X>, T>;

/// Writes fields into a JSON object.
class Writer {
 public:
  Writer();
  ~Writer();
  void operator()(const char* name, const std::string& value);
  void operator()(const char* name, const char* value) { (*this)(name, std::string(value)); }
  void operator()(const char* name, double value);
  void operator()(const char* name, std::int64_t value);
  void operator()(const char* name, std::uint64_t value);
  void operator()(const char* name, int value) { (*this)(name, static_cast<std::int64_t>(value)); }
  void operator()(const char* name, bool value);
  void operator()(const char* name, const std::vector<std::string>& value);
  template <Spelled E>
  void operator()(const char* name, E value) {
    (*this)(name, std::string(word_of(value)));
  }
  /// Writes an empty string if the value is absent.
  template <Spelled E>
  void operator()(const char* name, const std::optional<E>& value) {
    (*this)(name, value ? std::string(word_of(*value)) : std::string());
  }
  template <class T>
  void list(const char* name, const std::vector<T>& items) {
    objects(name, items.size(), [&](std::size_t i, Writer& io) { fields(io, items[i]); });
  }
  /// Writes a field that may be missing when it is read, as in older records.
  void optional(const char* name, const auto& value) { (*this)(name, value); }
  template <class T>
  void optional_list(const char* name, const std::vector<T>& items) {
    list(name, items);
  }
  /// Returns the JSON on one line or indented, ending in a newline.
  [[nodiscard]] std::string text(bool indented) const;

 private:
  struct Json;
  void objects(const char* name, std::size_t count, const std::function<void(std::size_t, Writer&)>& write);
  std::unique_ptr<Json> json_;
};

/// Reads fields. The first field that is missing or of another type is kept as the error; values that are
/// read after an error must not be used.
class Reader {
 public:
  /// Parses an object. `what` names the kind of object in errors ("spec", "result" ...) and is their code.
  /// Errors: invalid JSON, not an object, nested too deep.
  static Result<Reader> parse(const std::string& text, const std::string& what);
  Reader(Reader&&) noexcept;
  ~Reader();
  void operator()(const char* name, std::string& value);
  void operator()(const char* name, double& value);
  void operator()(const char* name, std::int64_t& value);
  void operator()(const char* name, std::uint64_t& value);
  void operator()(const char* name, int& value);
  void operator()(const char* name, bool& value);
  void operator()(const char* name, std::vector<std::string>& value);
  template <Spelled E>
  void operator()(const char* name, E& value) {
    std::string word(word_of(value));
    (*this)(name, word);
    if (const auto parsed = parse_word<E>(word))
      value = *parsed;
    else
      set_error(name, unknown_word<E>(word));
  }
  template <Spelled E>
  void operator()(const char* name, std::optional<E>& value) {
    std::string word;
    (*this)(name, word);
    value = parse_word<E>(word);
    if (!value && !word.empty()) set_error(name, unknown_word<E>(word));
  }
  template <class T>
  void list(const char* name, std::vector<T>& items) {
    items.clear();
    objects(name, [&](Reader& io) { fields(io, items.emplace_back()); });
  }
  /// Reads a field that may be missing; it then keeps its value.
  void optional(const char* name, auto& value) {
    if (has(name)) (*this)(name, value);
  }
  template <class T>
  void optional_list(const char* name, std::vector<T>& items) {
    if (has(name)) list(name, items);
  }
  [[nodiscard]] bool has(const char* name) const;
  /// From here on, fields of this object may be missing and keep their values. The fields of objects in its
  /// lists may not.
  void allow_missing() { may_miss_ = true; }
  /// Returns the first error; its code is empty if there is none.
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  struct Json;
  Reader(Json* json, std::string what);
  void objects(const char* name, const std::function<void(Reader&)>& read);
  template <class T>
  void get(const char* name, T& value);
  // Stores an error about a field if it is the first error.
  void set_error(const char* name, const std::string& why);
  std::unique_ptr<Json> json_;
  std::string what_;
  Error error_;
  bool may_miss_ = false;
};

/// Returns a spec or result as JSON with its version and job, indented or on one line.
template <class T>
std::string write_record(const T& value, bool indented = true) {
  Writer io;
  io("version", T::kVersion);
  io("job", T::kJob);
  fields(io, value);
  return io.text(indented);
}

/// Checks the version and job of a record. A record without "job" is one of training, since the first records
/// had none. Errors: another version or job.
Result<bool> check_header(Reader& io, const std::string& what, int version, const std::string& job);

/// Reads a spec. Errors: "spec" for invalid JSON, another version or job, or a field that is missing or of
/// another type, with its name.
template <class T>
Result<T> read_spec(const std::string& text) {
  GABBRO_TRY(io, Reader::parse(text, "spec"));
  if (auto ok = check_header(io, "spec", T::kVersion, T::kJob); !ok) return tl::unexpected(ok.error());
  T out;
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

/// Reads a result, with errors of code "result". A result of status "failed" may lack all fields but status
/// and cause (record/job.h).
template <class T>
Result<T> read_result(const std::string& text) {
  GABBRO_TRY(io, Reader::parse(text, "result"));
  T out;
  io("status", out.status);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (out.status == record::Status::kFailed)
    io.allow_missing();
  else if (auto ok = check_header(io, "result", T::kVersion, T::kJob); !ok)
    return tl::unexpected(ok.error());
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

}  // namespace gabbro::record
