// Decides how a file is read: by its name and, where names are ambiguous, by its beginning.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gabbro::data {

enum class Format {
  kText,     // .txt, .md and similar, or no extension
  kLines,    // .jsonl, .ndjson
  kJson,     // .json: JSON lines, or one value, which is refused
  kParquet,  // .parquet
  kArchive,  // .tar, .zip and similar: several files in one
  kUnknown,
};

/// Returns the format that a file's name indicates. Extensions of compression (.gz, .xz, .zst, .bz2) are
/// ignored, and so is letter case.
Format format_of(std::filesystem::path path);

/// Returns true if a file's name ends in an extension of compression.
bool names_compression(const std::filesystem::path& path);

/// Returns the text in `field` of a line of JSON lines; "a.b" is field b of the object in field a, unless
/// there is a field "a.b". Returns nullopt if the field is null, or is missing and not `required`.
/// Errors: "format" (not an object, with the parser's reason; something else than text in that field).
Result<std::optional<std::string>> text_of_json(std::string_view line, const std::string& field,
                                                bool required = true);

/// Checks that a .json file holds JSON lines; an empty file does. Errors: "format" (one array or one object
/// over several lines, or no JSON), those of bytes.h.
Result<bool> holds_json_lines(const std::string& path);

/// Returns true if a .json file holds JSON lines whose first object has text or null in `field`. Errors:
/// those of bytes.h.
Result<bool> has_json_field(const std::string& path, const std::string& field);

/// Checks that a file is the file itself. Errors: "format" (a pointer that Git LFS or git-annex leaves in its
/// place).
Result<bool> check_is_fetched(const std::string& path);

/// Checks the beginning of a decompressed file, which is to be read as text or JSON lines. Errors: "format"
/// (UTF-16, or an archive, a PDF or a Parquet file under another name).
Result<bool> check_beginning(const std::string& path, std::string_view beginning);

}  // namespace gabbro::data
