// Reads settings in TOML: a table's keys with their types, and the first error with its position. Include it
// only in `.cc` files, since it includes toml++.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#ifndef TOML_EXCEPTIONS
#define TOML_EXCEPTIONS 0
#endif
#include <toml++/toml.h>

#include "base/result.h"

namespace gabbro {

/// Parses an amount such as "5000", "5k", "20M" or "1.5B", rounded to an integer. Returns nullopt for
/// anything else, and for negative amounts.
inline std::optional<std::int64_t> parse_amount(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double factor = unit.empty()                 ? 1
                        : unit == "k" || unit == "K" ? 1e3
                        : unit == "M"                ? 1e6
                        : unit == "B" || unit == "G" ? 1e9
                                                     : 0;
  if (error != std::errc{} || factor == 0 || value < 0) return std::nullopt;
  constexpr double kMax = 9e18;  // below the largest integer of 64 bits; NaN is not below it either
  if (!(value * factor <= kMax)) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(value * factor));
}

/// Parses a document. Errors have the code `code`, the parser's message with its position, and `hint`.
inline Result<toml::table> parse_toml(std::string_view text, const char* code, const std::string& hint) {
  toml::parse_result parsed = toml::parse(text);
  if (parsed) return std::move(parsed).table();
  const auto at = parsed.error().source().begin;
  return fail(code, std::string(parsed.error().description()), hint,
              {static_cast<int>(at.line), static_cast<int>(at.column)});
}

/// Reads a table's keys by `table("key", value)`. A missing key leaves the value unchanged. The first error
/// is stored in `error`. The destructor reports a key that was never read as an error.
class TomlTable {
 public:
  /// `name` precedes keys in messages ("rung 2: "); `code` is the code of errors.
  TomlTable(const toml::table& table, std::string name, const char* code, Error& error)
      : table_(table), name_(std::move(name)), code_(code), error_(error) {}
  ~TomlTable() {
    for (const auto& [key, node] : table_)
      if (!known_.contains(std::string(key.str())))
        fail(&node,
             name_.ends_with(' ') ? fmt::format("{}unknown key '{}'", name_, key.str())
                                  : fmt::format("unknown key '{}{}'", name_, key.str()),
             "known keys: " + keys());
  }
  TomlTable(const TomlTable&) = delete;
  TomlTable& operator=(const TomlTable&) = delete;

  void operator()(const char* key, std::string& value) {
    read(key, "a string", [&](const toml::node& n) {
      const auto v = n.value_exact<std::string>();
      if (v) value = *v;
      return v.has_value();
    });
  }
  void operator()(const char* key, bool& value) {
    read(key, "true or false", [&](const toml::node& n) {
      const auto v = n.value_exact<bool>();
      if (v) value = *v;
      return v.has_value();
    });
  }
  void operator()(const char* key, double& value) {
    read(key, "a number of at least 0", [&](const toml::node& n) {
      const auto v = n.value<double>();
      if (v && *v >= 0 && std::isfinite(*v)) value = *v;
      return v && *v >= 0 && std::isfinite(*v);
    });
  }
  void operator()(const char* key, std::int64_t& value) {
    read(key, "an amount of at least 0, such as 5000 or \"5k\"", [&](const toml::node& n) {
      std::optional<std::int64_t> v = n.value_exact<std::int64_t>();
      if (const auto text = n.value_exact<std::string>()) v = parse_amount(*text);
      if (v && *v >= 0) value = *v;
      return v && *v >= 0;
    });
  }
  /// Values above 1,000,000 are read as 1,000,000.
  void operator()(const char* key, int& value) {
    std::int64_t wide = value;
    (*this)(key, wide);
    value = static_cast<int>(std::min<std::int64_t>(wide, 1'000'000));
  }
  /// Reads a list whose items are all `allowed`; `expected` says so in the error ("KEY must be ...").
  template <class T>
  void list(const char* key, std::vector<T>& values, const char* expected,
            const std::function<bool(const T&)>& allowed) {
    read(key, expected, [&](const toml::node& n) {
      const toml::array* array = n.as_array();
      if (!array) return false;
      values.clear();
      for (const toml::node& item : *array) {
        const auto v = item.value<T>();
        if (!v || !allowed(*v)) return false;
        values.push_back(*v);
      }
      return true;
    });
  }
  /// Returns the node of a key for the caller to read; null if the key is absent.
  const toml::node* node(const char* key) {
    known_.insert(key);
    return table_.get(key);
  }
  /// Stores an error if it is the first. Its position is that of `node`; null: it has none.
  void fail(const toml::node* node, std::string message, std::string hint) {
    if (!error_.code.empty()) return;
    error_ = {code_, std::move(message), std::move(hint), {}};
    if (node)
      error_.at = {static_cast<int>(node->source().begin.line),
                   static_cast<int>(node->source().begin.column)};
  }

 private:
  // `take` reads the value and returns false if it is not what is expected.
  void read(const char* key, const char* expected, const std::function<bool(const toml::node&)>& take) {
    known_.insert(key);
    if (const toml::node* n = table_.get(key); n && !take(*n))
      fail(n, fmt::format("{}{} must be {}", name_, key, expected), "");
  }
  [[nodiscard]] std::string keys() const { return fmt::format("{}", fmt::join(known_, ", ")); }

  const toml::table& table_;
  std::string name_;
  const char* code_;
  Error& error_;
  std::set<std::string> known_;
};

}  // namespace gabbro
