#include "lang/survey.h"

#include <algorithm>

#include "lang/elaborator.h"

namespace gabbro::lang {

// The name that every program gives to the width of its residual stream.
constexpr const char* kWidthName = "D";

// Returns nullopt for a value that is not a tensor, or has an axis without a name in scope.
std::optional<NamedType> Elaborator::name_type(const Value& value) {
  if (value.kind != Value::Kind::kTensor || value.node < 0) return {};
  const ir::Type type = graph().node(value.body, value.node).type;
  NamedType named;
  // Outside of its scan, a value of a step (of any body but 0, the model's) has a time axis.
  const bool is_of_step = value.body != 0;
  named.time = !in_scan() && (type.time() || is_of_step);
  named.past = type.past();
  named.window = type.window;
  for (const AxisId axis : type.axes) {
    if (axis < ir::kFirstAxis) continue;  // t and s, as above
    if (axis == frame().width) {
      named.axes.emplace_back(kWidthName);
      continue;
    }
    const auto known = std::find_if(frame().names.begin(), frame().names.end(), [&](const Binding& b) {
      return b.value.kind == Value::Kind::kAxis && b.value.axes[0] == axis;
    });
    if (known == frame().names.end()) return {};
    named.axes.emplace_back(known->name);
  }
  std::sort(named.axes.begin(), named.axes.end());
  return named;
}

void Elaborator::survey(const Stmt& stmt) {
  surveyed_stmt_ = &stmt;
  auto& sites = options_.survey->stmts;
  const auto same = [&](const Survey::StmtSite& site) { return site.stmt == &stmt; };
  if (std::any_of(sites.begin(), sites.end(), same)) return;
  Survey::StmtSite site{&stmt, in_scan(), {}};
  for (const Binding& b : frame().names) {
    if (!b.family_key.empty() || b.name == "_") continue;
    Survey::Name name;
    name.name = b.name;
    name.carried = b.may_rebind;
    switch (b.value.kind) {
      case Value::Kind::kTensor: {
        const auto type = name_type(b.value);
        if (!type) continue;
        name.type = *type;
        break;
      }
      case Value::Kind::kAxis:
        name.kind = Survey::Name::Kind::kAxis;
        name.value = static_cast<double>(graph().axes[b.value.axes[0]].size);
        break;
      case Value::Kind::kStatic:
        name.kind = Survey::Name::Kind::kNumber;
        name.value = b.value.number.value;
        break;
      case Value::Kind::kInstance:
        name.kind = Survey::Name::Kind::kInstance;
        break;
      default:
        continue;
    }
    site.scope.push_back(std::move(name));
  }
  sites.push_back(std::move(site));
}

void Elaborator::survey(const Expr& expr, const Value& value) {
  auto& sites = options_.survey->exprs;
  const auto same = [&](const Survey::ExprSite& site) { return site.expr == &expr; };
  if (std::any_of(sites.rbegin(), sites.rend(), same)) return;  // repetitions are recent
  if (auto type = name_type(value)) sites.push_back({&expr, surveyed_stmt_, std::move(*type)});
}

}  // namespace gabbro::lang
