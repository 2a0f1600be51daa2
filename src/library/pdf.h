// Extracts the text of a PDF with Poppler's program pdftotext.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::library {

/// Returns the path of a program on the PATH, or "" if it is not there.
std::string find_program(const std::string& name);

/// Returns the output of pdftotext: UTF-8, with a form feed after each page. Blocks until the program ends.
/// Errors, "pdf": the program is not on the PATH, cannot be started, rejects the file, writes more than 64
/// MiB, or takes more than two minutes.
Result<std::string> pdf_text(const std::string& path);

}  // namespace gabbro::library
