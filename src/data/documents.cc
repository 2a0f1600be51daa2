#include "data/documents.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "data/bytes.h"
#include "data/format.h"
#include "data/parquet.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxDocumentBytes = 16 << 20;  // A longer text document is cut.

constexpr std::uint64_t kMuchTextBytes = 1'000'000;  // A source with more bytes is hardly one document.

bool is_utf8(const std::string& text) { return utf8::is_valid(text.begin(), text.end()); }

std::string to_valid_utf8(const std::string& text) {
  std::string out;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::uint64_t count_of(std::string_view text, std::string_view part) {
  std::uint64_t out = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++out;
  return out;
}

// Returns how many bytes of `text` are invalid, where `mended` is `to_valid_utf8(text)`.
std::uint64_t invalid_bytes(const std::string& text, const std::string& mended) {
  const std::uint64_t replacements = count_of(mended, kReplacement) - count_of(text, kReplacement);
  return text.size() + kReplacement.size() * replacements - mended.size();
}

class FileDocuments : public Documents {
 public:
  FileDocuments(Sources sources, SourceOptions options)
      : sources_(std::move(sources)), options_(std::move(options)) {}

  Result<bool> next(std::string& text) override {
    for (;;) {
      if (!bytes_ && !parquet_) {
        if (file_index_ == sources_.files.size()) return finish();
        if (auto ok = open_file(); !ok) return ok;
      }
      const bool continues = std::exchange(cut_, false);
      GABBRO_TRY(found, parquet_                   ? next_parquet_document(text)
                        : format_ == Format::kText ? next_text_document(text)
                                                   : next_json_document(text));
      if (!found) {
        close_file();
        continue;
      }
      if (accept(text, continues)) return true;
    }
  }

  [[nodiscard]] const Findings& findings() const override { return findings_; }
  [[nodiscard]] std::uint64_t consumed() const override {
    if (parquet_)
      return closed_bytes_ + static_cast<std::uint64_t>(parquet_->share() * static_cast<double>(size_));
    return closed_bytes_ + (bytes_ ? bytes_->consumed() : 0);
  }

 private:
  Result<bool> open_file() {
    const std::string& path = sources_.files[file_index_];
    if (sources_.path_of[file_index_] != path_index_) close_path();
    path_index_ = sources_.path_of[file_index_];
    format_ = format_of(path);
    line_number_ = 0;
    has_text_ = false;
    if (format_ == Format::kParquet) {
      GABBRO_TRY(opened, ParquetFile::open(path, options_.field));
      std::error_code error;
      size_ = fs::file_size(path, error);
      parquet_.emplace(std::move(opened));
      return true;
    }
    GABBRO_TRY(opened, Bytes::open(path));
    bytes_.emplace(std::move(opened));
    return begin_text(path);
  }

  // Reads the beginning of a file into the buffer and checks that it is what its name says.
  Result<bool> begin_text(const std::string& path) {
    constexpr std::size_t kBeginning = 512;
    const auto begins_object = [&] { return without_byte_order_mark(buffer_).starts_with('{'); };
    const auto is_whole_line = [&] {
      return !begins_object() || buffer_.size() >= kMaxDocumentBytes || buffer_.find('\n') != buffer_.npos;
    };
    for (bool more = true; more && (buffer_.size() < kBeginning || !is_whole_line());) {
      GABBRO_TRY(found, bytes_->more(buffer_));
      more = found;
    }
    if (auto ok = check_beginning(path, buffer_); !ok) return ok;
    if (format_ != Format::kText || !begins_object()) return true;
    if (!text_of_json(std::string_view(buffer_).substr(0, buffer_.find('\n')), options_.field)) return true;
    return fail(
        "format", fmt::format("{} contains JSON lines, but its name is that of a text file", path),
        "rename it to .jsonl; to train on the raw JSON, set --field to a name that the objects do not have");
  }

  void close_file() {
    closed_bytes_ += bytes_ ? bytes_->consumed() : size_;
    bytes_.reset();
    parquet_.reset();
    buffer_.clear();
    used_ = 0;
    cut_ = false;
    ++file_index_;
  }

  // Ends the files of one path that the user named.
  void close_path() {
    if (path_documents_ == 1 && path_bytes_ > kMuchTextBytes) findings_.undivided.push_back(last_file_);
    path_documents_ = path_bytes_ = 0;
  }

  // Returns false, as the end of all documents, or an error if most of them were not text.
  Result<bool> finish() {
    close_path();
    if (findings_.nul <= findings_.documents) return false;
    return fail(
        "format",
        fmt::format("{} of {} documents contain NUL characters, which are not text; the first is in {}",
                    findings_.nul, findings_.nul + findings_.documents, findings_.nul_file),
        "convert the sources to UTF-8 text");
  }

  // Counts a document and makes it valid UTF-8, or returns false if it is to be left out. `continues`: it is
  // the next part of a document that was cut.
  bool accept(std::string& text, bool continues) {
    if (text.find('\0') != text.npos) {
      if (findings_.nul++ == 0) findings_.nul_file = sources_.files[file_index_];
      return false;
    }
    if (!is_utf8(text)) {
      std::string mended = to_valid_utf8(text);
      findings_.mended_bytes += invalid_bytes(text, mended);
      text = std::move(mended);
      ++findings_.mended;
    }
    if (!options_.separator.empty() && text.find(options_.separator) != text.npos) {
      if (findings_.separators == 0) findings_.separator_file = sources_.files[file_index_];
      findings_.separators += count_of(text, options_.separator);
      ++findings_.separator_documents;
    }
    ++findings_.documents;
    findings_.bytes += text.size();
    if (!continues) ++path_documents_;
    path_bytes_ += text.size();
    last_file_ = sources_.files[file_index_];
    return true;
  }

  Result<bool> next_parquet_document(std::string& text) {
    for (;;) {
      GABBRO_TRY(row, parquet_->next(text));
      if (row == ParquetFile::Row::kNone) return false;
      const bool has_text = row == ParquetFile::Row::kText && !text.empty();
      if (has_text_in_row(has_text, [&] { return sources_.files[file_index_]; })) return true;
    }
  }

  // Counts a row; `place` returns its place. Returns `has_text`.
  template <class Place>
  bool has_text_in_row(bool has_text, const Place& place) {
    ++findings_.rows;
    if (!has_text && findings_.empty_rows++ == 0) findings_.empty_row = place();
    return has_text;
  }

  // Returns the next line of the file without its end, or nullopt at the end of the file. The line is valid
  // until the next call.
  Result<std::optional<std::string_view>> read_line() {
    buffer_.erase(0, std::exchange(used_, 0));
    for (std::size_t from = 0;;) {
      const std::size_t end = buffer_.find('\n', from);
      if (end != std::string::npos) {
        used_ = end + 1;
        ++line_number_;
        return std::string_view(buffer_).substr(0, end > 0 && buffer_[end - 1] == '\r' ? end - 1 : end);
      }
      from = buffer_.size();
      GABBRO_TRY(more, bytes_->more(buffer_));
      if (more) continue;
      if (buffer_.empty()) return std::nullopt;
      used_ = buffer_.size();
      ++line_number_;
      return std::string_view(buffer_);
    }
  }

  Result<bool> next_text_document(std::string& text) {
    text.clear();
    for (;;) {
      GABBRO_TRY(next, read_line());
      if (!next) return !text.empty();
      if (is_separator(*next)) {
        if (!text.empty()) return true;
        continue;
      }
      if (text.empty() && next->empty()) continue;  // A document does not start with an empty line.
      text.append(*next);
      text += '\n';
      if (text.size() >= kMaxDocumentBytes) return cut_ = true;
    }
  }

  // A separator may be followed by white space, which nobody sees.
  [[nodiscard]] bool is_separator(std::string_view line) const {
    return line.starts_with(options_.separator) &&
           line.find_first_not_of(" \t\r\f\v", options_.separator.size()) == line.npos;
  }

  Result<bool> next_json_document(std::string& text) {
    for (;;) {
      GABBRO_TRY(next, read_line());
      if (!next) return false;
      if (next->find_first_not_of(" \t") == std::string_view::npos) continue;
      const auto place = [&] { return fmt::format("{}:{}", sources_.files[file_index_], line_number_); };
      auto found = text_of_json(*next, options_.field, /*required=*/!has_text_);
      if (!found)
        return fail("format", fmt::format("{}: {}", place(), found.error().message), found.error().hint);
      text = std::move(*found).value_or("");
      if (has_text_in_row(!text.empty(), place)) return has_text_ = true;
    }
  }

  Sources sources_;
  SourceOptions options_;
  std::size_t file_index_ = 0;          // index in `sources_.files` of the current file
  std::optional<Bytes> bytes_;          // the current file, if it is not Parquet
  std::optional<ParquetFile> parquet_;  // the current file, if it is Parquet
  std::uint64_t size_ = 0;              // size of a Parquet file
  Format format_ = Format::kText;
  std::string buffer_;
  std::size_t used_ = 0;            // bytes at the start of the buffer that were returned already
  int line_number_ = 0;             // number of the line that was read last, counted from 1
  bool has_text_ = false;           // a line of this file had text in the field
  std::uint64_t closed_bytes_ = 0;  // bytes on disk of the files that were read to their end
  bool cut_ = false;                // the last document was cut for its length, and the next one continues it
  std::size_t path_index_ = 0;      // index of the path that named the current file (Sources::path_of)
  std::uint64_t path_documents_ = 0, path_bytes_ = 0;  // counts of that path
  std::string last_file_;                              // the file of the last document
  Findings findings_;
};

}  // namespace

std::unique_ptr<Documents> open_documents(const Sources& sources, const SourceOptions& options) {
  return std::make_unique<FileDocuments>(sources, options);
}

}  // namespace gabbro::data
