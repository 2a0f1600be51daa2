// Parquet files, where this gabbro was built with Arrow.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace gabbro::data {

/// Loads gabbro_parquet.so from the folder of the program, once. Errors: "parquet" (built without it, or it
/// does not load).
Result<bool> load_parquet();

/// The texts of one column, streamed. Memory: a page of the column.
class ParquetFile {
 public:
  /// Errors: "parquet", "format" (no Parquet file, or no such column: with the columns there are).
  static Result<ParquetFile> open(const std::string& path, const std::string& column);
  ParquetFile(ParquetFile&&) noexcept;
  ParquetFile& operator=(ParquetFile&&) noexcept;
  ~ParquetFile();

  /// False at the end. Errors: "format" (damaged).
  Result<bool> next(std::string& text);
  /// Share of the rows read, in [0, 1].
  [[nodiscard]] double share() const;

 private:
  struct State;
  explicit ParquetFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gabbro::data
