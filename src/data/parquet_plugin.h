// What gabbro_parquet.so offers. It is loaded when a Parquet file is met, since Arrow's libraries take longer
// to load than most commands run. C functions, so that it may be built with other flags than the program.
#pragma once

#include <cstddef>

extern "C" {

struct GabbroParquet;  // a text column of a file, read from its first row on

/// Null, with a reason in `*error` (valid until the next call), when `path` is no Parquet file or has no text
/// in `column`.
GabbroParquet* gabbro_parquet_open(const char* path, const char* column, const char** error);
/// 1: a text, valid until the next call; null cells are passed over. 0: there are no more. -1: `*error` says
/// why.
int gabbro_parquet_next(GabbroParquet* file, const char** text, std::size_t* size, const char** error);
/// The share of rows that was read.
double gabbro_parquet_share(const GabbroParquet* file);
void gabbro_parquet_close(GabbroParquet* file);

}  // extern "C"
