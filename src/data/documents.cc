#include "data/documents.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "data/bytes.h"
#include "data/parquet.h"

namespace gabbro::data {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongest = 16 << 20;  // maximum bytes of a text document

enum class Format { kText, kLines, kParquet, kUnknown };

Format format_of(fs::path path) {
  const std::string outer = path.extension().string();
  if (outer == ".gz" || outer == ".xz" || outer == ".zst" || outer == ".bz2") path.replace_extension();
  const std::string ending = path.extension().string();
  if (ending == ".jsonl" || ending == ".ndjson") return Format::kLines;
  if (ending == ".parquet") return Format::kParquet;
  if (ending == ".txt" || ending == ".md" || ending == ".text" || ending.empty()) return Format::kText;
  return Format::kUnknown;
}

bool is_utf8(const std::string& text) { return utf8::is_valid(text.begin(), text.end()); }

std::string made_utf8(const std::string& text) {
  std::string out;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(out));
  return out;
}

class FileDocuments : public Documents {
 public:
  FileDocuments(Sources sources, SourceOptions options)
      : sources_(std::move(sources)), options_(std::move(options)) {}

  Result<bool> next(std::string& text) override {
    for (;;) {
      if (!bytes_ && !parquet_) {
        if (at_ == sources_.files.size()) return false;
        if (auto ok = open_file(); !ok) return ok;
      }
      GABBRO_TRY(found, parquet_                    ? next_row(text)
                        : format_ == Format::kLines ? next_line(text)
                                                    : next_text(text));
      if (found) {
        if (!is_utf8(text)) {
          text = made_utf8(text);
          ++mended_;
        }
        return true;
      }
      done_ += bytes_ ? bytes_->consumed() : size_;
      bytes_.reset();
      parquet_.reset();
      buffer_.clear();
      ++at_;
    }
  }

  [[nodiscard]] std::uint64_t mended() const override { return mended_; }
  [[nodiscard]] std::uint64_t consumed() const override {
    if (parquet_) return done_ + static_cast<std::uint64_t>(parquet_->share() * static_cast<double>(size_));
    return done_ + (bytes_ ? bytes_->consumed() : 0);
  }

 private:
  Result<bool> open_file() {
    const std::string& path = sources_.files[at_];
    format_ = format_of(path);
    line_ = 0;
    if (format_ == Format::kParquet) {
      GABBRO_TRY(opened, ParquetFile::open(path, options_.field));
      std::error_code error;
      size_ = fs::file_size(path, error);
      parquet_.emplace(std::move(opened));
    } else {
      GABBRO_TRY(opened, Bytes::open(path));
      bytes_.emplace(std::move(opened));
    }
    return true;
  }

  Result<bool> next_row(std::string& text) {
    for (;;) {
      GABBRO_TRY(found, parquet_->next(text));
      if (!found || !text.empty()) return found;
    }
  }

  // Returns the next line of the file without its end, or nullopt at the end of the file. The line is valid
  // until the next call.
  Result<std::optional<std::string_view>> line() {
    buffer_.erase(0, std::exchange(used_, 0));
    for (std::size_t from = 0;;) {
      const std::size_t end = buffer_.find('\n', from);
      if (end != std::string::npos) {
        used_ = end + 1;
        ++line_;
        return std::string_view(buffer_).substr(0, end > 0 && buffer_[end - 1] == '\r' ? end - 1 : end);
      }
      from = buffer_.size();
      GABBRO_TRY(more, bytes_->more(buffer_));
      if (more) continue;
      if (buffer_.empty()) return std::nullopt;
      used_ = buffer_.size();
      ++line_;
      return std::string_view(buffer_);
    }
  }

  Result<bool> next_text(std::string& text) {
    text.clear();
    for (;;) {
      GABBRO_TRY(next, line());
      if (!next) return !text.empty();
      if (*next == options_.separator) {
        if (!text.empty()) return true;
        continue;
      }
      if (text.empty() && next->empty()) continue;  // A document does not start with an empty line.
      text.append(*next);
      text += '\n';
      if (text.size() >= kLongest) return true;
    }
  }

  Result<bool> next_line(std::string& text) {
    for (;;) {
      GABBRO_TRY(next, line());
      if (!next) return false;
      if (next->find_first_not_of(" \t") == std::string_view::npos) continue;
      const auto wrong = [&](const std::string& what, const std::string& hint) {
        return fail("format", fmt::format("{}:{}: {}", sources_.files[at_], line_, what), hint);
      };
      const nlohmann::json object = nlohmann::json::parse(*next, nullptr, false);
      if (!object.is_object())
        return wrong("the line is not a JSON object", "write one {\"text\": \"...\"} per line");
      const auto field = object.find(options_.field);
      if (field == object.end() || !field->is_string()) {
        std::string known;
        for (const auto& [key, value] : object.items())
          if (value.is_string()) known += (known.empty() ? "" : ", ") + key;
        return wrong(fmt::format("no text in field '{}'", options_.field),
                     known.empty() ? "add a field with text; this object has none"
                                   : "fields with text: " + known + "; choose one with --field");
      }
      text = field->get<std::string>();
      if (!text.empty()) return true;
    }
  }

  Sources sources_;
  SourceOptions options_;
  std::size_t at_ = 0;
  std::optional<Bytes> bytes_;          // the current file, if it is not Parquet
  std::optional<ParquetFile> parquet_;  // the current file, if it is Parquet
  std::uint64_t size_ = 0;              // size of a Parquet file
  Format format_ = Format::kText;
  std::string buffer_;
  std::size_t used_ = 0;  // bytes at the start of the buffer that were returned already
  int line_ = 0;
  std::uint64_t done_ = 0, mended_ = 0;
};

// Checks that a file can be read. A build may lack support for Parquet, and skipping the file silently would
// be worse than an error.
Result<bool> readable(const fs::path& path) {
  if (format_of(path) != Format::kParquet) return true;
  auto ok = load_parquet();
  if (!ok) ok.error().message = path.string() + " is a Parquet file, and " + ok.error().message;
  return ok;
}

}  // namespace

Result<Sources> find_sources(const std::vector<std::string>& paths) {
  Sources out;
  std::error_code error;
  const auto add = [&](const fs::path& path) {
    out.files.push_back(path.string());
    out.bytes += fs::file_size(path, error);
  };
  for (const std::string& path : paths) {
    if (!fs::exists(path, error))
      return fail("io", fmt::format("{} not found", path), "name files or folders");
    if (!fs::is_directory(path, error)) {
      if (auto ok = readable(path); !ok) return tl::unexpected(ok.error());
      add(path);
      continue;
    }
    std::vector<fs::path> found;
    for (auto entry = fs::recursive_directory_iterator(path, error); entry != fs::end(entry);
         entry.increment(error)) {
      if (entry->path().filename().string().starts_with('.'))
        entry.disable_recursion_pending();  // .git and similar folders
      else if (entry->is_regular_file(error))
        found.push_back(entry->path());
    }
    std::sort(found.begin(), found.end());
    const std::size_t before = out.files.size();
    for (const fs::path& file : found) {
      const Format format = format_of(file);
      if (auto ok = readable(file); !ok) return tl::unexpected(ok.error());
      if ((format == Format::kText && !file.extension().empty()) || format == Format::kLines ||
          format == Format::kParquet)
        add(file);
      else
        out.skipped.push_back(file.string());
    }
    if (out.files.size() == before)
      return fail("io", fmt::format("{} contains no file of a known format", path),
                  "use .txt, .md or .jsonl, also compressed (.gz, .xz, .zst, .bz2), or .parquet");
  }
  return out;
}

std::unique_ptr<Documents> open_documents(const Sources& sources, const SourceOptions& options) {
  return std::make_unique<FileDocuments>(sources, options);
}

}  // namespace gabbro::data
