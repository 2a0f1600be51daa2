#include "lang/ast.h"

namespace gabbro::lang {

const std::string& item_name(const Item& item) {
  return std::visit([](const auto& value) -> const std::string& { return value.name; }, item.value);
}

}  // namespace gabbro::lang
