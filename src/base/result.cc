#include "base/result.h"

#include <fmt/core.h>

#include "base/text.h"

namespace gabbro {

std::string format_error(const std::string& file, const Error& error) {
  std::string place = printable_line(file);  // A file name may contain line breaks.
  if (error.at.line > 0) place += fmt::format(":{}:{}", error.at.line, error.at.column);
  std::string text = fmt::format("{}: error[{}]: {}", place, error.code, error.message);
  if (!error.hint.empty()) text += "\n  hint: " + error.hint;
  return text;
}

}  // namespace gabbro
