#include "record/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/text.h"

namespace gabbro::record {

using nlohmann::ordered_json;

namespace {

// Returns a noun with its article: "a result", "an event".
std::string with_article(const std::string& noun) {
  return (std::string("aeiou").find(noun.front()) == std::string::npos ? "a " : "an ") + noun;
}

// Says in words what a value of JSON is.
const char* kind_of(const nlohmann::json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "true or false";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a text";
  return value.is_array() ? "a list" : "an object";
}

// Says in words what a field of type T has to be.
template <class T>
constexpr const char* wanted() {
  if (std::is_same_v<T, std::string>) return "a text";
  if (std::is_same_v<T, bool>) return "true or false";
  if (std::is_arithmetic_v<T>) return "a number";
  return std::is_same_v<T, std::vector<std::string>> ? "a list of texts" : "a list";
}

}  // namespace

struct Writer::Json {
  ordered_json value = ordered_json::object();
};

Writer::Writer() : json_(std::make_unique<Json>()) {}
Writer::~Writer() = default;

void Writer::operator()(const char* name, const std::string& value) { json_->value[name] = value; }
void Writer::operator()(const char* name, std::int64_t value) { json_->value[name] = value; }
void Writer::operator()(const char* name, std::uint64_t value) { json_->value[name] = value; }
void Writer::operator()(const char* name, bool value) { json_->value[name] = value; }
void Writer::operator()(const char* name, const std::vector<std::string>& value) {
  json_->value[name] = value;
}
void Writer::operator()(const char* name, double value) {
  json_->value[name] = std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

void Writer::objects(const char* name, std::size_t count,
                     const std::function<void(std::size_t, Writer&)>& write) {
  ordered_json& list = json_->value[name] = ordered_json::array();
  for (std::size_t i = 0; i < count; ++i) {
    Writer item;
    write(i, item);
    list.push_back(std::move(item.json_->value));
  }
}

std::string Writer::text(bool indented) const {
  return json_->value.dump(indented ? 2 : -1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

struct Reader::Json {
  nlohmann::json value;  // not ordered_json, whose lookups take time proportional to the number of names
};

Reader::Reader(Json* json, std::string what) : json_(json), what_(std::move(what)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::parse(const std::string& text, const std::string& what) {
  if (nesting_depth(text) > kMaxNesting)
    return fail(
        what, fmt::format("{} must not be nested more than {} levels deep", with_article(what), kMaxNesting));
  auto json = std::make_unique<Json>();
  try {
    json->value = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& e) {
    return fail(what, fmt::format("{} is not valid JSON: error at byte {}", with_article(what), e.byte));
  } catch (const nlohmann::json::exception&) {
    return fail(what, fmt::format("{} has a number that is too large", with_article(what)));
  }
  if (!json->value.is_object())
    return fail(what, fmt::format("{} must be a JSON object", with_article(what)));
  return Reader(json.release(), what);
}

bool Reader::has(const char* name) const { return json_->value.contains(name); }

template <class T>
void Reader::get(const char* name, T& value) {
  if (!error_.code.empty() || (may_miss_ && !has(name))) return;
  const auto found = json_->value.find(name);
  if (found == json_->value.end()) return set_error(name, fmt::format("missing; {} is wanted", wanted<T>()));
  try {
    found->get_to(value);
  } catch (const nlohmann::json::exception&) {
    // Only the type can be wrong, or that of an element.
    set_error(name, fmt::format("{} instead of {}{}", kind_of(*found), wanted<T>(),
                                found->is_null() && may_miss_ ? "; leave it out" : ""));
  }
}

void Reader::set_error(const char* name, const std::string& why) {
  if (error_.code.empty())
    error_ = {what_, fmt::format("not {}, field {}: {}", with_article(what_), name, why), "", {}};
}

void Reader::operator()(const char* name, std::string& value) { get(name, value); }
void Reader::operator()(const char* name, std::int64_t& value) { get(name, value); }
void Reader::operator()(const char* name, std::uint64_t& value) { get(name, value); }
void Reader::operator()(const char* name, int& value) { get(name, value); }
void Reader::operator()(const char* name, bool& value) { get(name, value); }
void Reader::operator()(const char* name, std::vector<std::string>& value) { get(name, value); }
void Reader::operator()(const char* name, double& value) {
  if (has(name) && json_->value[name].is_null())
    value = NAN;
  else
    get(name, value);
}

void Reader::objects(const char* name, const std::function<void(Reader&)>& read) {
  nlohmann::json list = nlohmann::json::array();
  get(name, list);
  if (!error_.code.empty()) return;
  if (!list.is_array()) {
    set_error(name, "not a list");
    return;
  }
  for (nlohmann::json& value : list) {
    Reader item(new Json{std::move(value)}, what_);
    read(item);
    error_ = item.error_;
    if (!error_.code.empty()) return;
  }
}

Result<bool> check_header(Reader& io, const std::string& what, int version, const std::string& job) {
  int found = 0;
  std::string kind = "train";
  io("version", found);
  if (io.has("job")) io("job", kind);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (found != version)
    return fail(
        what, fmt::format("unknown version {} of a {}; this program reads version {}", found, what, version));
  if (kind != job) return fail(what, fmt::format("{} of job {} instead of {}", what, kind, job));
  return true;
}

}  // namespace gabbro::record
