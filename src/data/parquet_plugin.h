// The interface of gabbro_parquet.so. It is loaded only when a Parquet file is read, since loading Arrow's
// libraries takes longer than most commands run. It uses C functions, so that it can be built with other
// compiler flags than the program.
#pragma once

#include <cstddef>

extern "C" {

struct GabbroParquet;  // a text column of a file, read from the first row on

/// Opens a column. Returns null if `path` is not a Parquet file or has no text in `column`; then `*error`
/// gives the reason and is valid until the next call.
GabbroParquet* gabbro_parquet_open(const char* path, const char* column, const char** error);
/// Reads the next row. Returns 1 for a row, whose text is valid until the next call, or null if the row has
/// none; 0 at the end; -1 for an error, with the reason in `*error`.
int gabbro_parquet_next(GabbroParquet* file, const char** text, std::size_t* size, const char** error);
/// Returns the share of the rows read so far, in [0, 1].
double gabbro_parquet_share(const GabbroParquet* file);
void gabbro_parquet_close(GabbroParquet* file);

}  // extern "C"
