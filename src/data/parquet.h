// Reads Parquet files, if this gabbro was built with Arrow. Arrow is linked only to a plug-in that is loaded
// on first use, so that other commands start without it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace gabbro::data {

/// Loads gabbro_parquet.so from the program's folder, once. Errors: "parquet" (not part of this build, or it
/// cannot be loaded).
Result<bool> load_parquet();

/// Streams the texts of one column. A page of the column is in memory at a time.
class ParquetFile {
 public:
  /// Errors: "parquet", "format" (not a Parquet file, or no such column; with the existing columns).
  static Result<ParquetFile> open(const std::string& path, const std::string& column);
  ParquetFile(ParquetFile&&) noexcept;
  ParquetFile& operator=(ParquetFile&&) noexcept;
  ~ParquetFile();

  enum class Row { kNone, kNull, kText };
  /// Moves the text of the next row to `text` and returns kText; kNull if it is null, kNone at the end.
  /// Errors: "format" (damaged).
  Result<Row> next(std::string& text);
  /// Returns the share of the rows read so far, in [0, 1].
  [[nodiscard]] double share() const;

 private:
  struct State;
  explicit ParquetFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gabbro::data
