#include "data/format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "data/bytes.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostSearched = 16 << 20;  // bytes of a file in which first_line looks for an end
constexpr const char* kWriteLines = "write one {\"text\": \"...\"} per line";

std::string extension_of(const fs::path& path) {
  std::string out = path.extension().string();
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

template <std::size_t N>
bool is_one_of(const std::string& extension, const std::array<const char*, N>& known) {
  return std::find(known.begin(), known.end(), extension) != known.end();
}

Result<nlohmann::json> parse_object(std::string_view line) {
  try {
    nlohmann::json out = nlohmann::json::parse(line);
    if (out.is_object()) return out;
    return fail("format", fmt::format("the line is not a JSON object but of type {}", out.type_name()),
                kWriteLines);
  } catch (const nlohmann::json::exception& e) {
    // The message is "[code] parse error at line 1, column 2: reason"; "column 2: reason" is kept.
    std::string reason = e.what();
    for (const char* before : {"] ", "line 1, "})
      if (const std::size_t at = reason.find(before); at != std::string::npos)
        reason.erase(0, at + std::string_view(before).size());
    // The reason may quote what was read last, perhaps a whole document.
    constexpr std::size_t kLongestReason = 200;
    if (reason.size() > kLongestReason) reason.erase(std::min(reason.size(), reason.find("; last read")));
    const bool has_nan = line.find("NaN") != line.npos || line.find("Infinity") != line.npos;
    const bool surrogate = reason.find("surrogate") != std::string::npos;
    return fail("format", "the line is not a JSON object: " + reason,
                surrogate ? "replace the lone surrogate, which is not a character, with \\ufffd, for example"
                : has_nan ? "write null instead of NaN and Infinity, which are not JSON (in Python, "
                            "json.dumps(..., allow_nan=False) finds them)"
                          : kWriteLines);
  }
}

// Returns the value of a field, of one inside of other objects if its name has dots, or null if there is
// none. Everything inside of null is null.
const nlohmann::json* find_field(const nlohmann::json& object, std::string_view field) {
  if (object.is_null()) return &object;
  if (!object.is_object()) return nullptr;
  if (const auto found = object.find(field); found != object.end()) return &*found;
  for (std::size_t dot = field.find('.'); dot != field.npos; dot = field.find('.', dot + 1))
    if (const auto found = object.find(field.substr(0, dot)); found != object.end())
      if (const nlohmann::json* inner = find_field(*found, field.substr(dot + 1))) return inner;
  return nullptr;
}

// Collects the names of the fields that hold text.
void add_text_fields(const nlohmann::json& object, const std::string& prefix,
                     std::vector<std::string>& names) {
  for (const auto& [key, value] : object.items())
    if (value.is_string())
      names.push_back(prefix + key);
    else if (value.is_object())
      add_text_fields(value, prefix + key + ".", names);
}

// Returns the first line that is not blank, without a byte order mark and without blanks before it; "" if
// there is none. A line that does not end within some kMostSearched bytes of the file is cut.
Result<std::string> first_line(const std::string& path) {
  GABBRO_TRY(bytes, Bytes::open(path));
  std::string text;
  for (;;) {
    const std::size_t mark = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    const std::size_t from = text.find_first_not_of(" \t\r\n", mark);
    const std::size_t end = from == std::string::npos ? from : text.find('\n', from);
    if (end != std::string::npos) return text.substr(from, end - from);
    bool appended = false;
    if (text.size() < kMostSearched) {
      GABBRO_TRY(more, bytes.more(text));
      appended = more;
    }
    if (!appended) return from == std::string::npos ? "" : text.substr(from);
  }
}

}  // namespace

bool names_compression(const fs::path& path) {
  constexpr std::array kCompressed{".gz", ".xz", ".zst", ".bz2"};
  return is_one_of(extension_of(path), kCompressed);
}

Format format_of(fs::path path) {
  constexpr std::array kText{"", ".txt", ".text", ".md", ".markdown", ".rst", ".org", ".adoc", ".tex"};
  constexpr std::array kArchives{".tar", ".tgz", ".txz", ".tbz", ".tbz2", ".tzst", ".zip", ".7z", ".rar"};
  if (names_compression(path)) path.replace_extension();
  const std::string extension = extension_of(path);
  if (is_one_of(extension, kText)) return Format::kText;
  if (is_one_of(extension, kArchives)) return Format::kArchive;
  if (extension == ".jsonl" || extension == ".ndjson") return Format::kLines;
  if (extension == ".json") return Format::kJson;
  return extension == ".parquet" ? Format::kParquet : Format::kUnknown;
}

Result<std::optional<std::string>> text_of_json(std::string_view line, const std::string& field,
                                                bool required) {
  GABBRO_TRY(object, parse_object(line));
  const nlohmann::json* found = find_field(object, field);
  if (found && found->is_string()) return found->get<std::string>();
  if (found ? found->is_null() : !required) return std::nullopt;
  std::vector<std::string> known;
  add_text_fields(object, "", known);
  return fail("format", fmt::format("no text in field '{}'", field),
              known.empty()
                  ? "add a field with text; this object has none"
                  : fmt::format("fields with text: {}; choose one with --field", fmt::join(known, ", ")));
}

Result<bool> holds_json_lines(const std::string& path) {
  GABBRO_TRY(line, first_line(path));
  const auto wrong = [&](const char* what, const std::string& hint) {
    return fail("format", fmt::format("{} holds {}, not JSON lines", path, what), hint);
  };
  if (line.empty()) return true;  // no documents
  if (const auto ok = check_beginning(path, line); !ok) return ok;
  if (line.front() == '[')
    return wrong("one JSON array", "write one object per line, for example with `jq -c '.[]'`");
  if (line.front() != '{')
    return wrong("a first line that is no JSON object", "rename it to .txt if it is text");
  const auto object = parse_object(line);
  // Other errors of the first line are reported when documents are read, with its number.
  if (!object && object.error().message.find("unexpected end of input") != std::string::npos)
    return wrong("one JSON object spread over several lines",
                 "write one object per line, for example with `jq -c .`");
  return true;
}

Result<bool> has_json_field(const std::string& path, const std::string& field) {
  GABBRO_TRY(line, first_line(path));
  return text_of_json(line, field).has_value();
}

Result<bool> check_is_fetched(const std::string& path) {
  struct Pointer {
    std::string_view beginning;
    const char *program, *command;
  };
  constexpr std::array<Pointer, 4> kPointers{{
      {"version https://git-lfs.github.com/spec/", "Git LFS", "git lfs pull"},
      {"version https://hawser.github.com/spec/", "Git LFS", "git lfs pull"},  // its first name
      {"/annex/objects/", "git-annex", "git annex get"},
      {".git/annex/objects/", "git-annex", "git annex get"},  // in file systems without links
  }};
  constexpr std::size_t kLongest = 48;
  std::string beginning(kLongest, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(beginning.data(), kLongest);
  for (const Pointer& p : kPointers)
    if (beginning.starts_with(p.beginning))
      return fail("format",
                  fmt::format("{} is a pointer of {}, in place of the file itself", path, p.program),
                  fmt::format("fetch the file with `{}`", p.command));
  return true;
}

namespace {

// Returns where the zeros of UTF-16 without a mark are, which begins with characters of ASCII: at even or at
// odd bytes; -1 if there are none.
int zeros_of_utf16(std::string_view text) {
  constexpr std::size_t kBytes = 16;
  if (text.size() < kBytes) return -1;
  for (const std::size_t at : {0, 1}) {
    bool fits = true;
    for (std::size_t i = 0; i < kBytes; ++i) fits = fits && (text[i] == '\0') == (i % 2 == at);
    if (fits) return static_cast<int>(at);
  }
  return -1;
}

}  // namespace

Result<bool> check_beginning(const std::string& path, std::string_view beginning) {
  const auto begins = [&](std::string_view mark, std::size_t at = 0) {
    return beginning.size() >= at && beginning.substr(at).starts_with(mark);
  };
  const auto wrong = [&](const char* what, const char* hint) {
    return fail("format", fmt::format("{} is {}", path, what), hint);
  };
  if (begins("\xFF\xFE") || begins("\xFE\xFF"))
    return wrong("text in UTF-16 or UTF-32 instead of UTF-8",
                 "convert it, for example with `iconv -f UTF-16 -t UTF-8`");
  if (const int zeros = zeros_of_utf16(beginning); zeros >= 0)
    return wrong("text in UTF-16 instead of UTF-8",
                 zeros == 1 ? "convert it, for example with `iconv -f UTF-16LE -t UTF-8`"
                            : "convert it, for example with `iconv -f UTF-16BE -t UTF-8`");
  // The header of a tar archive has its magic number at byte 257.
  if (begins("ustar", 257) || begins("PK\x03\x04") || begins("7z\xBC\xAF\x27\x1C") || begins("Rar!"))
    return wrong("an archive", "unpack it, and pass the folder");
  if (begins("%PDF-")) return wrong("a PDF", "convert it to text, for example with `pdftotext`");
  if (begins("PAR1")) return wrong("a Parquet file under another name", "rename it to .parquet");
  return true;
}

}  // namespace gabbro::data
