// The interface of gabbro_parquet.so. It is loaded only when a Parquet file is read, since loading Arrow's
// libraries takes longer than most commands run. It uses C functions, so that it can be built with other
// compiler flags than the program.
#pragma once

#include <cstddef>

extern "C" {

struct GabbroParquet;  // a text column of a file, read from the first row on

/// Opens a column, which gabbro_parquet_close frees. `path` and `column` end with a zero byte. Returns null
/// if `path` is not a Parquet file or has no text in `column`; then `*error` gives the reason, a text that is
/// valid until the next call of any of these functions in the same thread.
GabbroParquet* gabbro_parquet_open(const char* path, const char* column, const char** error);
/// Reads the next row. Returns 1 for a row: `*text` has `*size` bytes (without a zero byte behind them), is
/// valid until the next call for this file, and is null if the row has none. Returns 0 at the end, and -1 for
/// an error, with the reason in `*error` as above.
int gabbro_parquet_next(GabbroParquet* file, const char** text, std::size_t* size, const char** error);
/// Returns the share of the rows read so far, in [0, 1].
double gabbro_parquet_share(const GabbroParquet* file);
void gabbro_parquet_close(GabbroParquet* file);

}  // extern "C"
