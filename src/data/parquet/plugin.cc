// Reads a text column page by page with the low-level interface of Arrow's Parquet library, so that one page
// is in memory at a time.
#include <parquet/api/reader.h>

#include <array>
#include <exception>
#include <memory>
#include <string>

#include "data/parquet_plugin.h"

namespace {

constexpr std::int64_t kBatchRows = 128;

thread_local std::string g_error;

// A column of lists has a repetition level.
bool is_text(const parquet::ColumnDescriptor& column) {
  return column.physical_type() == parquet::Type::BYTE_ARRAY && column.max_repetition_level() == 0;
}

// Lists the columns of text for an error message.
std::string text_columns(const parquet::SchemaDescriptor& schema) {
  std::string out;
  for (int i = 0; i < schema.num_columns(); ++i)
    if (is_text(*schema.Column(i)))
      out += (out.empty() ? "" : ", ") + schema.Column(i)->path()->ToDotString();
  return out.empty() ? "add a column with text; this file has none"
                     : "columns with text: " + out + "; choose one with --field";
}

}  // namespace

struct GabbroParquet {
  std::unique_ptr<parquet::ParquetFileReader> file;
  int column = 0, group = 0;  // index of the column, and of the next row group
  std::int16_t whole = 0;  // definition level of a cell with a value; a required column has 0, and no levels
  std::shared_ptr<parquet::ByteArrayReader> reader;
  std::array<parquet::ByteArray, kBatchRows> values;
  std::array<std::int16_t, kBatchRows> levels;  // definition levels; null cells have a level but no value
  std::int64_t batch_rows = 0, at = 0;  // number of rows in the current batch, and the index of the next one
  std::int64_t value = 0;               // index of the value of the next row that has one
  std::int64_t rows = 0;                // number of rows read so far

  // Reads the next batch of values. Returns false at the end.
  bool fill() {
    for (;;) {
      if (!reader) {
        if (group == file->metadata()->num_row_groups()) return false;
        reader = std::static_pointer_cast<parquet::ByteArrayReader>(file->RowGroup(group++)->Column(column));
      }
      if (!reader->HasNext()) {
        reader.reset();
        continue;
      }
      at = value = 0;
      std::int64_t with_value = 0;
      batch_rows = reader->ReadBatch(kBatchRows, levels.data(), nullptr, values.data(), &with_value);
      rows += batch_rows;
      if (batch_rows > 0) return true;
    }
  }
};

GabbroParquet* gabbro_parquet_open(const char* path, const char* column, const char** error) {
  try {
    auto out = std::make_unique<GabbroParquet>();
    parquet::ReaderProperties properties;
    properties.enable_buffered_stream();
    out->file = parquet::ParquetFileReader::OpenFile(path, /*memory_map=*/false, properties);
    const parquet::SchemaDescriptor& schema = *out->file->metadata()->schema();
    out->column = schema.ColumnIndex(column);
    if (out->column >= 0 && is_text(*schema.Column(out->column))) {
      out->whole = schema.Column(out->column)->max_definition_level();
      return out.release();
    }
    g_error = std::string("no text in column ") + column + "\n" + text_columns(schema);
  } catch (const std::exception& e) {
    g_error = e.what();
  }
  *error = g_error.c_str();
  return nullptr;
}

int gabbro_parquet_next(GabbroParquet* file, const char** text, std::size_t* size, const char** error) {
  try {
    if (file->at == file->batch_rows && !file->fill()) return 0;
    const std::int16_t level = file->levels[static_cast<std::size_t>(file->at++)];
    *text = nullptr;
    *size = 0;
    if (file->whole > 0 && level < file->whole) return 1;
    const parquet::ByteArray& value = file->values[static_cast<std::size_t>(file->value++)];
    *text = value.len == 0 ? "" : reinterpret_cast<const char*>(value.ptr);
    *size = value.len;
    return 1;
  } catch (const std::exception& e) {
    g_error = e.what();
  }
  *error = g_error.c_str();
  return -1;
}

double gabbro_parquet_share(const GabbroParquet* file) {
  const std::int64_t all = file->file->metadata()->num_rows();
  return all == 0 ? 1 : static_cast<double>(file->rows) / static_cast<double>(all);
}

void gabbro_parquet_close(GabbroParquet* file) { delete file; }
