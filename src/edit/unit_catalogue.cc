#include "edit/unit_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "edit/build.h"
#include "edit/edit.h"
#include "ir/facts.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::edit {

using lang::Expr;
using lang::Hyper;
using lang::Unit;

namespace {

// A unit that fits only where the width is that of the whole unit (256 here) and earlier positions can be
// read.
constexpr std::string_view kWideProbe = R"(unit WideProbe(x: [t, D]) -> [t, D]:
    axis k = 8 if D == 256 else 0.5
    return linear(linear(shift(x, 1), k), D)
)";

const lang::Program& probes() {
  static const lang::Program kProbes = lang::parse(kWideProbe).program;
  return kProbes;
}

constexpr std::int64_t kWidth = 256;  // width at which units are checked; WideProbe relies on it
constexpr int kSettings = 8;          // maximum number of settings of a unit
// Two small odd widths stand for all widths.
constexpr std::int64_t kNarrowWidth = 3, kOtherNarrowWidth = 7;
// A unit with more nodes, such as 32 layers in one, is too large for a building block.
constexpr std::size_t kMostNodes = 2'000;

// The library with `unit` as the program under check, and the probe among the known units.
struct UnitChecker {
  lang::Program program;
  lang::Library library;
  const Unit* unit = nullptr;
  bool ok = false;  // the unit could be added to the library

  UnitChecker(const lang::Library& base, const Unit& subject) : library(base) {
    library.add(probes());
    program.items.push_back({subject, {}, {}});
    ok = library.add(program).empty();
    unit = &std::get<Unit>(program.items[0].value);
  }

  // Returns the facts of `instance` if it elaborates, is proved and has no dead parameters; nullopt
  // otherwise.
  [[nodiscard]] std::optional<ir::Facts> check(const Expr& instance, std::int64_t width) const {
    lang::ElaborateOptions options;
    options.width = width;
    lang::Subject subject{unit->name, false, lang::elaborate(library, instance, options), {}, {}};
    if (!subject.elaboration.ok()) return {};
    if (subject.elaboration.graph.bodies[0].nodes.size() > kMostNodes) return {};
    lang::complete(subject);
    if (!subject.elaboration.ok()) return {};
    return subject.facts;
  }
};

Expr instance_of(const Unit& unit, const std::vector<std::pair<std::string, Expr>>& setting) {
  Expr e = build::name(unit.name);
  for (const auto& [name, value] : setting) e = build::with(std::move(e), name, value);
  return e;
}

// Returns the number that a bound of a range writes; NaN if it is another expression.
double bound(const Expr& e) {
  if (e.kind == Expr::Kind::kUnary) return -bound(e.args[0]);
  if (e.kind == Expr::Kind::kNumber || e.kind == Expr::Kind::kBool) return e.number;
  return e.kind == Expr::Kind::kName && e.text == "all" ? INFINITY : NAN;
}

}  // namespace

std::string signature_of(const std::vector<lang::Port>& inputs, const std::vector<lang::Port>& outputs) {
  std::string shape = std::to_string(inputs.size());
  for (std::size_t i = 1; i < outputs.size(); ++i) shape += " " + outputs[i].name;
  return shape;
}

std::optional<Expr> random_value(const Hyper& hyper, Random& random) {
  if (hyper.kind == Hyper::Kind::kSlot) return {};
  if (hyper.kind == Hyper::Kind::kBool) {
    return build::boolean(random.chance(0.5));
  }
  if (hyper.range.empty()) return {};
  const lang::RangeEntry& entry = random.pick(hyper.range);
  const double low = bound(entry.low), high = bound(entry.high);
  if (low == high) return entry.low;
  if (std::isnan(low) || std::isnan(high) || std::isinf(high)) return {};
  // Long positive ranges are sizes and rates, so values are drawn uniformly in the logarithm.
  const bool logarithmic = low > 0 && high / low > 4;
  if (hyper.kind == Hyper::Kind::kInt) {
    if (!logarithmic)
      return build::num(low + static_cast<double>(random.below(std::llround(high - low) + 1)));
    const double v = std::exp2(std::round(random.uniform(std::log2(low), std::log2(high))));
    return build::num(std::clamp(v, low, high));
  }
  const double v =
      logarithmic ? std::exp(random.uniform(std::log(low), std::log(high))) : random.uniform(low, high);
  // Two digits keep the text readable.
  const double scale = std::pow(10, 1 - std::floor(std::log10(std::max(std::abs(v), 1e-12))));
  return build::num(std::clamp(std::round(v * scale) / scale, low, high));
}

namespace {

std::vector<Slot> slots_of(const UnitChecker& checker, const Unit& unit) {
  std::vector<Slot> slots;
  for (const Hyper& hyper : unit.hypers) {
    if (hyper.kind != Hyper::Kind::kSlot) continue;
    Slot slot{.name = hyper.name};
    if (hyper.interface != "Unit") {
      const lang::Interface* interface = checker.library.interface(hyper.interface, true);
      if (interface) slot.signature = signature_of(interface->inputs, interface->outputs);
    }
    // Slots of other interfaces are assumed to be called at full width, as in all known units; the check of
    // the whole design decides.
    if (slot.signature == kUnitSignature) {
      const Expr probed = build::with(build::name(unit.name), hyper.name, build::name("WideProbe"));
      slot.narrow = !checker.check(probed, kWidth);
    }
    slots.push_back(std::move(slot));
  }
  return slots;
}

}  // namespace

std::vector<Slot> measure_slots(const lang::Library& library, const Unit& unit) {
  const UnitChecker checker(library, unit);
  return checker.ok ? slots_of(checker, unit) : std::vector<Slot>{};
}

std::optional<CatalogueEntry> measure_unit(const lang::Library& library, const Unit& unit) {
  const UnitChecker checker(library, unit);
  if (!checker.ok) return {};
  const Expr plain = build::name(unit.name);
  const auto facts = checker.check(plain, kWidth);
  if (!facts) return {};
  CatalogueEntry entry;
  entry.unit = &unit;
  entry.signature = signature_of(unit.inputs, unit.outputs);
  entry.mixes = facts->mixes_tokens;
  entry.narrow =
      !entry.mixes && checker.check(plain, kNarrowWidth) && checker.check(plain, kOtherNarrowWidth);

  entry.slots = slots_of(checker, unit);
  Random random = Random(0).split(unit.name);
  entry.settings.emplace_back();
  std::vector<std::string> seen{""};
  for (int tries = 0; tries < 3 * kSettings && static_cast<int>(entry.settings.size()) < kSettings; ++tries) {
    std::vector<std::pair<std::string, Expr>> setting;
    for (const Hyper& hyper : unit.hypers)
      if (random.chance(0.6))
        if (auto value = random_value(hyper, random)) setting.emplace_back(hyper.name, std::move(*value));
    const Expr instance = instance_of(unit, setting);
    std::string text = lang::print(instance);
    if (setting.empty() || std::find(seen.begin(), seen.end(), text) != seen.end()) continue;
    seen.push_back(std::move(text));
    if (!checker.check(instance, kWidth) || (entry.narrow && !checker.check(instance, kNarrowWidth)))
      continue;
    entry.settings.push_back(std::move(setting));
  }
  return entry;
}

UnitCatalogue::UnitCatalogue(const lang::Library& library) : library_(library) {}

std::unique_ptr<CatalogueEntry> UnitCatalogue::measure(const Unit& unit) const {
  auto entry = measure_unit(library_, unit);
  return entry ? std::make_unique<CatalogueEntry>(std::move(*entry)) : nullptr;
}

const CatalogueEntry* UnitCatalogue::find(std::string_view name) {
  const auto known = entries_.find(name);
  if (known != entries_.end()) return known->second.get();
  const Unit* unit = library_.unit(name);
  return entries_.emplace(std::string(name), unit ? measure(*unit) : nullptr).first->second.get();
}

const std::vector<const CatalogueEntry*>& UnitCatalogue::fitting(const Slot& slot) {
  const auto [at, is_new] = fitting_.try_emplace({slot.signature, slot.narrow});
  if (is_new)
    for (const std::string& name : library_.unit_names())
      if (const CatalogueEntry* e = find(name);
          e && e->signature == slot.signature && (e->narrow || !slot.narrow))
        at->second.push_back(e);
  return at->second;
}

void UnitCatalogue::add_units_of(const std::shared_ptr<const lang::Program>& donor) {
  const std::vector<TreePlace> all = places(*donor, library_);
  for (const lang::Item& item : donor->items) {
    const Unit* unit = std::get_if<Unit>(&item.value);
    if (!unit || signature_of(unit->inputs, unit->outputs) != kUnitSignature) continue;
    const auto at = std::find_if(all.begin(), all.end(), [&](const TreePlace& p) {
      return p.instance.text == unit->name &&
             (p.instance.kind == Expr::Kind::kName || p.instance.kind == Expr::Kind::kCall);
    });
    if (at == all.end()) continue;
    lang::Program alone = *donor;
    for (lang::Item& i : alone.items)
      if (auto* design = std::get_if<lang::Design>(&i.value)) design->stack = at->instance;
    tidy(alone);
    const lang::CheckReport report = lang::check(std::move(alone), library_);
    if (report.valid() && report.subjects.size() == 1)
      found_units_.push_back({.donor = donor,
                              .unit = unit->name,
                              .path = at->path,
                              .mixes = report.subjects[0].facts.mixes_tokens});
  }
}

}  // namespace gabbro::edit
