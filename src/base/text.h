// Text from outside.
#pragma once

#include <string>

namespace gabbro {

/// `text` with control characters as dots, so that it moves no cursor and sets no colour; lines and tabs stay.
inline std::string printable(std::string text) {
  for (char& c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '.';
  return text;
}

}  // namespace gabbro
