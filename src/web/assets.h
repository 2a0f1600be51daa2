// The files of the pages (web/), compiled in.
#pragma once

#include <span>
#include <string_view>

namespace gabbro::web {

struct Asset {
  std::string_view name;  // "app.js"
  std::string_view text;
};
std::span<const Asset> assets();

}  // namespace gabbro::web
