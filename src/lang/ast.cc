#include "lang/ast.h"

namespace gabbro::lang {

const Design* last_design(const Program& program) {
  for (auto item = program.items.rbegin(); item != program.items.rend(); ++item)
    if (const auto* design = std::get_if<Design>(&item->value)) return design;
  return nullptr;
}

const std::string& item_name(const Item& item) {
  return std::visit([](const auto& value) -> const std::string& { return value.name; }, item.value);
}

}  // namespace gabbro::lang
