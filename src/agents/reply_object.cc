// Finds the JSON object of a reply, and reads its values as they are meant.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "agents/replies.h"
#include "base/text.h"

namespace gabbro::agents {

using nlohmann::json;

namespace {

constexpr int kMaxCandidates =
    40;                      // texts in braces that are tried; prose before the object may contain some
constexpr int kDeepest = 3;  // levels of objects within an object, or of JSON within text

// Returns the text up to the brace that closes the first one; empty if that brace is missing. Braces in
// strings do not count.
std::string_view balanced_object(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

// Parses JSON that may come from anywhere. The result is discarded if it is not valid or nested too deep.
json parsed(std::string_view text) {
  return nesting_depth(text) > kMaxNesting ? json(json::value_t::discarded)
                                           : json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string type_of(const json& schema) {
  const auto type = schema.is_object() ? schema.find("type") : schema.end();
  return schema.is_object() && type != schema.end() && type->is_string() ? type->get<std::string>() : "";
}

json part_of(const json& schema, const char* key) {
  return schema.is_object() ? schema.value(key, json()) : json();
}

// Returns the number of fields of the schema that the object has. A field whose value is an object where the
// schema has none is a description of the field.
int count_fields(const json& object, const json& fields) {
  int count = 0;
  for (const auto& [name, field] : fields.items())
    if (const auto found = object.find(name); found != object.end())
      count += found->is_object() && type_of(field) != "object" && type_of(field) != "array" ? 0 : 1;
  return count;
}

struct Best {
  json object;
  int fields = -1;
};

// Compares the object, and those within it, with the best so far. Of equally good ones the later is kept, but
// an outer one before those within it.
void consider(const json& value, const json& fields, int depth, Best& best) {
  if (value.is_string() && depth < kDeepest) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.find('{') != std::string::npos)
      if (const json inner = parsed(text); inner.is_object()) consider(inner, fields, depth + 1, best);
    return;
  }
  if (!value.is_structured()) return;
  int own = -1;
  if (value.is_object() && (own = count_fields(value, fields)) >= best.fields) best = {value, own};
  if (depth >= kDeepest || own == static_cast<int>(fields.size())) return;
  Best inner;
  for (const json& part : value) consider(part, fields, depth + 1, inner);
  if (inner.fields > std::max(0, best.fields)) best = std::move(inner);
}

// Returns the first number in a text, such as 0.4 in "about 40 %" and 4 in "4 of 5". Null if there is none.
json number_in(std::string_view text) {
  const std::size_t digit = text.find_first_of("0123456789");
  if (digit == std::string_view::npos) return {};
  std::string rest(text.substr(digit));
  for (std::size_t i = 1; i + 1 < rest.size(); ++i)  // a decimal comma
    if (rest[i] == ',' && std::isdigit(static_cast<unsigned char>(rest[i - 1])) != 0 &&
        std::isdigit(static_cast<unsigned char>(rest[i + 1])) != 0)
      rest[i] = '.';
  double value = 0;
  const char* const last = rest.data() + rest.size();
  const char* end = std::from_chars(rest.data(), last, value).ptr;
  while (end != last && *end == ' ') ++end;
  const std::string_view unit(end, static_cast<std::size_t>(last - end));
  if (unit.starts_with('%') || unit.starts_with("percent") || unit.starts_with("per cent")) value /= 100;
  if (digit > 0 && text[digit - 1] == '.') return number_in("0" + std::string(text.substr(digit - 1)));
  if (digit > 0 && text[digit - 1] == '-') value = -value;
  return value;
}

// Returns a value as text: the elements of a list and the fields of an object on lines of their own.
std::string as_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (!value.is_structured()) return value.dump();
  std::string out;
  for (const json& part : value)
    if (const std::string text = as_text(part); !text.empty()) out += (out.empty() ? "" : "\n") + text;
  return out;
}

json as_meant(json value, const json& schema);

// Returns a list; a text may hold one, and another value is its only element. Elements that say nothing are
// left out.
json list_as_meant(json value, const json& schema) {
  if (value.is_string())
    if (json inner = parsed(value.get_ref<const std::string&>()); inner.is_array() || inner.is_object())
      value = std::move(inner);
  if (value.is_string() && value.get_ref<const std::string&>().empty()) return json::array();
  if (!value.is_array()) value = json::array({std::move(value)});
  const json element = part_of(schema, "items");
  json out = json::array();
  for (json& part : value) {
    // A name is all that is asked for of a thing that is described.
    if (type_of(element) == "string" && part.is_object() && part.contains("name")) part = json(part["name"]);
    if (!part.is_null()) out.push_back(as_meant(std::move(part), element));
  }
  return out;
}

json object_as_meant(json value, const json& schema) {
  if (value.is_string())
    if (json inner = parsed(value.get_ref<const std::string&>()); inner.is_object()) value = std::move(inner);
  if (!value.is_object()) return value;
  const json fields = part_of(schema, "properties");
  for (const auto& [name, field] : fields.items()) {
    const auto found = value.find(name);
    if (found == value.end()) continue;
    json meant = as_meant(*found, field);
    if (meant.is_null() && type_of(field) == "array")
      *found = json::array();
    else if (meant.is_null())
      value.erase(found);
    else
      *found = std::move(meant);
  }
  return value;
}

// Returns a value with the type of the schema where its meaning is clear; else as it is.
json as_meant(json value, const json& schema) {
  if (value.is_null()) return value;
  const std::string type = type_of(schema);
  if (type == "array") return list_as_meant(std::move(value), schema);
  if (type == "object") return object_as_meant(std::move(value), schema);
  if (type == "string" && value.is_boolean() && schema.contains("enum")) return value.dump();
  if (type == "string") return value.is_array() ? json(as_text(value)) : value;
  if (type != "number" && type != "integer") return value;
  if (value.is_array() && value.size() == 1) value = json(value[0]);
  if (!value.is_string()) return value;
  json number = number_in(value.get_ref<const std::string&>());
  return number.is_null() ? value : number;
}

}  // namespace

Result<std::string> find_object(std::string_view reply, std::string_view schema_text) {
  const std::string answer = mended_json(answer_of(reply));
  const json schema = parsed(schema_text), fields = part_of(schema, "properties");
  Best best;
  if (const json whole = parsed(answer); whole.is_string()) consider(whole, fields, 0, best);
  std::string first;  // in braces
  std::size_t open = answer.find('{');
  for (int i = 0; i < kMaxCandidates && open != std::string::npos; ++i) {
    const std::string_view object = balanced_object(std::string_view(answer).substr(open));
    if (const json value = parsed(object); value.is_object()) consider(value, fields, 0, best);
    if (first.empty()) first = object;
    open = answer.find('{', open + std::max<std::size_t>(object.size(), 1));
  }
  if (best.fields >= 0) return object_as_meant(std::move(best.object), schema).dump();
  // No object is valid JSON. The reader of the object reports what is wrong with the first.
  if (!first.empty()) return first;
  if (answer.find('{') == std::string::npos)
    return fail("json", "the reply has no JSON object", "reply with one object: { ... }");
  return fail("json", "the JSON object of the reply is not closed",
              "shorten the reply so that it is complete");
}

}  // namespace gabbro::agents
