#include "edit/generate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "edit/build.h"
#include "edit/values.h"

namespace gabbro::edit {

using lang::Expr;
using lang::Hyper;
using lang::NamedType;
using lang::Program;
using lang::Stmt;
using lang::Survey;
using lang::Unit;
using namespace build;

namespace {

const std::vector<std::string> kFeatures{"D"};

NamedType over_time(std::vector<std::string> axes) {
  NamedType type;
  type.time = true;
  type.axes = std::move(axes);
  return type;
}

// Returns an integer hyperparameter that is one of `values`.
Hyper choices(std::string name, const std::vector<double>& values, double fallback) {
  Hyper h;
  h.kind = Hyper::Kind::kInt;
  h.name = std::move(name);
  for (const double v : values) h.range.push_back({num(v), num(v)});
  h.value = num(fallback);
  return h;
}

Hyper between(std::string name, double low, double high, double fallback) {
  Hyper h = choices(std::move(name), {}, fallback);
  h.range.push_back({num(low), num(high)});
  return h;
}

Hyper slot(std::string name, std::string_view fallback) {
  Hyper h;
  h.kind = Hyper::Kind::kSlot;
  h.name = std::move(name);
  h.interface = "Unit";
  h.value = build::name(fallback);
  return h;
}

Unit empty_unit(std::string name) {
  Unit unit;
  unit.name = std::move(name);
  unit.inputs.push_back({"x", {"t", "D"}, {}});
  unit.outputs.push_back({"", {"t", "D"}, {}});
  return unit;
}

// An axis that a unit may declare.
struct AxisChoice {
  std::string name;
  Expr size;
  double value;  // its size at width 256 and the default hyperparameters
};

// Returns the free hyperparameter by which resizing scales a unit that has no other. Without it, few widths
// meet a budget.
Hyper multiple() {
  Hyper h;
  h.kind = Hyper::Kind::kReal;
  h.free = true;
  h.name = "mult";
  h.range.push_back({num(0.25), num(4)});
  h.value = num(1);
  return h;
}

// Returns the axes that a unit may use: heads (h), keys (k) and values (v) that share the width, and a small
// state (n), in this order.
std::vector<AxisChoice> draw_axes(Random& random) {
  const double heads = static_cast<double>(std::int64_t{1} << random.below(4));
  std::vector<AxisChoice> axes;
  axes.push_back({"h", name("heads"), heads});
  const bool half = random.chance(0.3);
  Expr per_head = half ? binary("/", name("D"), binary("*", num(2), name("heads")))
                       : binary("/", name("D"), name("heads"));
  axes.push_back({"k", std::move(per_head), 256 / heads / (half ? 2 : 1)});
  axes.push_back({"v", binary("//", binary("*", name("D"), name("mult")), name("heads")), 256 / heads});
  const double n = static_cast<double>(std::int64_t{4} << random.below(4));
  axes.push_back({"n", name("state"), n});
  return axes;
}

std::vector<Survey::Name> scope_of(const std::vector<AxisChoice>& axes, bool windowed) {
  std::vector<Survey::Name> scope;
  scope.push_back({.name = "x", .kind = Survey::Name::Kind::kValue, .type = over_time(kFeatures)});
  for (const AxisChoice& a : axes)
    scope.push_back({.name = a.name, .kind = Survey::Name::Kind::kAxis, .type = {}, .value = a.value});
  if (windowed)
    scope.push_back({.name = "window", .kind = Survey::Name::Kind::kNumber, .type = {}, .value = INFINITY});
  return scope;
}

// Returns true if the body or the size of an axis that it uses mentions `name`.
bool uses(const std::vector<Stmt>& body, const std::vector<AxisChoice>& used, std::string_view name) {
  return mentions(body, name) ||
         std::any_of(used.begin(), used.end(), [&](const AxisChoice& a) { return mentions(a.size, name); });
}

// Declares the axes and hyperparameters that the body mentions, and no others, because unread names are
// errors.
void declare(Unit& unit, const std::vector<AxisChoice>& axes, bool windowed) {
  std::vector<AxisChoice> used;
  for (const AxisChoice& a : axes)
    if (mentions(unit.body, a.name)) used.push_back(a);
  if (uses(unit.body, used, "heads"))
    unit.hypers.push_back(choices("heads", {1, 2, 4, 8}, axes.front().value));
  if (uses(unit.body, used, "state")) unit.hypers.push_back(between("state", 4, 64, axes.back().value));
  if (uses(unit.body, used, "mult")) unit.hypers.push_back(multiple());
  if (windowed && mentions(unit.body, "window")) {
    Hyper h = choices("window", {16, 64, 256}, 0);
    h.range.push_back({name("all"), name("all")});
    h.value = name("all");
    unit.hypers.push_back(std::move(h));
  }
  if (mentions(unit.body, "norm")) unit.hypers.push_back(slot("norm", "RMSNorm"));
  if (mentions(unit.body, "act")) unit.hypers.push_back(slot("act", "SiLU"));
  if (used.empty()) return;
  Stmt axis;
  axis.kind = Stmt::Kind::kAxis;
  for (const AxisChoice& a : used) {
    axis.names.push_back(a.name);
    axis.values.push_back(a.size);
  }
  unit.body.insert(unit.body.begin(), std::move(axis));
}

Unit random_layer(Random& random, bool mixes, std::string unit_name, int size) {
  Unit unit = empty_unit(std::move(unit_name));
  const std::vector<AxisChoice> axes = draw_axes(random);
  const bool windowed = mixes && random.chance(0.3);
  const Values::Options options{
      .reads_past = mixes, .in_scan = false, .slots = {"norm", "act"}, .narrow = {"norm", "act"}};
  Values values(random, scope_of(axes, windowed), options, unit.body);
  for (const char* taken : {"t", "s", "D", "V", "all", "heads", "state", "mult", "window", "norm", "act"})
    values.reserve(taken);

  static const std::array<std::vector<std::string>, 6> kShapes{
      {{"h", "v"}, {"h", "v"}, {"h", "k"}, {"D"}, {"n"}, {"h", "n"}}};
  const NamedType shape = over_time(random.pick(kShapes));
  Expr y = mixes ? values.mix(shape, size) : values.make(shape, size);
  if (random.chance(0.4)) {  // most known mixers are gated
    const Expr out = shape.axes.size() == 1 ? name(shape.axes[0]) : names(shape.axes);
    Expr g = call(random.chance(0.5) ? "silu" : "sigmoid", {call("linear", {name("x"), out})});
    if (random.chance(0.6)) y = call_over("norm", {std::move(y)}, shape.axes.back());
    y = binary("*", std::move(y), std::move(g));
  }
  unit.body.push_back(return_value(call("linear", {std::move(y), name("D")})));
  declare(unit, axes, windowed);
  return unit;
}

// Returns one branch of a block: a unit with its norms and its weight.
Expr branch(Random& random, const char* child, Expr from) {
  Expr x = random.chance(0.85) ? call("norm", {std::move(from)}) : std::move(from);
  Expr y = call(child, {std::move(x)});
  if (random.chance(0.2)) y = call("norm", {std::move(y)});
  if (random.chance(0.2)) y = binary("*", std::move(y), with(call("param", {names({"D"})}), "init", num(1)));
  return y;
}

Unit random_block(Random& random, std::string unit_name) {
  Unit unit = empty_unit(std::move(unit_name));
  unit.hypers.push_back(slot("mixer", "Attention"));
  unit.hypers.push_back(slot("mlp", "SwiGLU"));
  Expr first = name("x");
  if (random.chance(0.2)) {  // a short convolution over neighbouring positions
    unit.body.push_back(
        assign("near", call("conv", {name("x"), num(static_cast<double>(2 + random.below(3)))})));
    first = binary("+", name("x"), name("near"));
  }
  const std::int64_t wiring = random.below(5);
  if (wiring == 0) {  // parallel branches
    Expr mixer = branch(random, "mixer", name("x"));
    Expr sum = binary("+", first, std::move(mixer));
    unit.body.push_back(return_value(binary("+", std::move(sum), branch(random, "mlp", name("x")))));
  } else if (wiring == 1) {  // channel unit first
    unit.body.push_back(assign("y", binary("+", first, branch(random, "mlp", name("x")))));
    unit.body.push_back(return_value(binary("+", name("y"), branch(random, "mixer", name("y")))));
  } else {
    unit.body.push_back(assign("y", binary("+", first, branch(random, "mixer", name("x")))));
    Expr out = binary("+", name("y"), branch(random, "mlp", name("y")));
    if (wiring == 2) {  // adds a second, weighted residual path
      Expr weight = with(call("param", {names({"D"})}), "init", num(0.1));
      out = binary("+", std::move(out), binary("*", name("x"), std::move(weight)));
    }
    unit.body.push_back(return_value(std::move(out)));
  }
  if (mentions(unit.body, "norm"))
    unit.hypers.push_back(slot("norm", random.chance(0.8) ? "RMSNorm" : "LayerNorm"));
  return unit;
}

}  // namespace

Unit random_unit(Random& random, UnitKind kind, std::string name, int size) {
  if (kind == UnitKind::kBlock) return random_block(random, std::move(name));
  return random_layer(random, kind == UnitKind::kMixer, std::move(name), size);
}

Expr random_instance(Random& random, UnitCatalogue& catalogue, const Slot& slot, int depth) {
  const auto& fitting = catalogue.fitting(slot);
  GABBRO_CHECK(!fitting.empty());
  const CatalogueEntry& entry = *random.pick(fitting);
  Expr out = name(entry.unit->name);
  for (const auto& [key, value] : random.pick(entry.settings)) out = with(std::move(out), key, value);
  for (const Slot& child : entry.slots)
    if (depth > 0 && random.chance(0.3) && !catalogue.fitting(child).empty())
      out = with(std::move(out), child.name, random_instance(random, catalogue, child, depth - 1));
  return out;
}

namespace {

// Draws units for the roles of a design; the number of new units is bounded.
class DesignMaker {
 public:
  DesignMaker(Random& random, UnitCatalogue& catalogue, const GenerateOptions& options)
      : random_(random), catalogue_(catalogue), options_(options) {}

  Program make() {
    lang::Design design;
    design.name = "Random";
    if (random_.chance(0.3)) design.tied = boolean(true);
    std::vector<Expr> stack;
    const std::int64_t groups = 1 + random_.below(3);
    const int layers = static_cast<int>(1 + random_.below(options_.most_layers));
    for (std::int64_t g = 0; g < groups; ++g) {
      const double repeat =
          std::max<double>(1, std::floor(static_cast<double>(layers) / static_cast<double>(groups)));
      Expr part = block();
      if (random_.chance(0.15)) {  // a hybrid group
        Expr inner = num(1 + static_cast<double>(random_.below(3)));
        Expr second = block();
        part = list({inner.number > 1 ? binary("*", std::move(inner), std::move(part)) : std::move(part),
                     std::move(second)});
      } else if (random_.chance(0.1)) {
        const std::string shared = "core_" + std::to_string(g + 1);
        design.shares.push_back({shared, std::move(part), {}});
        part = name(shared);
      }
      stack.push_back(repeat > 1 ? binary("*", num(repeat), std::move(part)) : std::move(part));
    }
    stack.push_back(name(random_.chance(0.85) ? "RMSNorm" : "LayerNorm"));
    design.stack = list(std::move(stack));
    program_.items.push_back({std::move(design), {}, {}});
    return std::move(program_);
  }

 private:
  // Returns a newly generated unit, a unit generated earlier, or nullopt: one of the catalogue is to be used.
  std::optional<Expr> new_unit(UnitKind kind, const char* stem) {
    if (!random_.chance(options_.new_unit)) return {};
    auto& made = made_[static_cast<std::size_t>(kind)];
    if (!made.empty() && (random_.chance(0.5) || count_ >= options_.most_new_units))
      return name(random_.pick(made));
    if (count_ >= options_.most_new_units) return {};
    ++count_;
    made.push_back(stem + std::to_string(made.size() + 1));
    const int size = 2 + static_cast<int>(random_.below(std::max(1, 2 * options_.unit_size - 2)));
    program_.items.push_back({random_unit(random_, kind, made.back(), size), {}, {}});
    return name(made.back());
  }

  Expr mixer() {
    if (auto unit = new_unit(UnitKind::kMixer, "Mixer")) return *unit;
    return from_catalogue(UnitKind::kMixer);
  }

  Expr channel() {
    if (auto unit = new_unit(UnitKind::kChannel, "Channel")) return *unit;
    return from_catalogue(UnitKind::kChannel);
  }

  // Returns a mixer or a channel unit of the catalogue. The last resort are the most common ones.
  Expr from_catalogue(UnitKind kind) {
    constexpr int kTries = 50;
    const bool mixes = kind == UnitKind::kMixer;
    for (int tries = 0; tries < kTries; ++tries) {
      Expr e = random_instance(random_, catalogue_, Slot{}, 1);
      if (catalogue_.find(e.text)->mixes == mixes) return e;
    }
    return name(mixes ? "Attention" : "SwiGLU");
  }

  Expr block() {
    Expr out =
        new_unit(UnitKind::kBlock, "Wiring").value_or(name(random_.chance(0.7) ? "Block" : "SandwichBlock"));
    out = with(std::move(out), "mixer", mixer());
    if (random_.chance(0.7)) out = with(std::move(out), "mlp", channel());
    return out;
  }

  Random& random_;
  UnitCatalogue& catalogue_;
  const GenerateOptions& options_;
  Program program_;
  std::array<std::vector<std::string>, 3> made_;  // names of new units, by UnitKind
  int count_ = 0;                                 // number of new units
};

}  // namespace

Program random_program(Random& random, UnitCatalogue& catalogue, const GenerateOptions& options) {
  return DesignMaker(random, catalogue, options).make();
}

}  // namespace gabbro::edit
