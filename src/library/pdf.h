// The text of a PDF, by the program pdftotext of Poppler.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::library {

/// Where the program is found on the PATH; "" where it is not.
std::string find_program(const std::string& name);

/// UTF-8, pages ended by form feeds; as pdftotext gives it. Blocks until it ends. Errors, "pdf": it is not on
/// the PATH, it cannot be started, says what is wrong with the file, gives more than 64 MiB, or takes more
/// than two minutes.
Result<std::string> pdf_text(const std::string& path);

}  // namespace gabbro::library
