#include "edit/vary.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "edit/build.h"
#include "edit/generate.h"
#include "edit/vary_text.h"
#include "lang/printer.h"

namespace gabbro::edit {

using lang::Hyper;
using lang::Unit;

namespace {

constexpr std::array<std::pair<Operator, std::string_view>, 16> kNames{{
    {Operator::kReplaceSubtree, "replace_subtree"},
    {Operator::kCrossover, "crossover"},
    {Operator::kWrap, "wrap"},
    {Operator::kInsert, "insert"},
    {Operator::kRemove, "remove"},
    {Operator::kDuplicate, "duplicate"},
    {Operator::kShare, "share"},
    {Operator::kSetHyper, "set_hyper"},
    {Operator::kHybrid, "hybrid"},
    {Operator::kNewUnit, "new_unit"},
    {Operator::kReplaceExpression, "replace_expression"},
    {Operator::kReplaceStatement, "replace_statement"},
    {Operator::kInsertStatement, "insert_statement"},
    {Operator::kDeleteStatement, "delete_statement"},
    {Operator::kSwapOperator, "swap_operator"},
    {Operator::kStepConstant, "step_constant"},
}};

const Unit* unit_named(const Program& program, const Library& library, const std::string& name) {
  const Unit* own = find_unit(program, name);
  return own ? own : library.unit(name);
}

bool is_unit(const Expr& e) { return e.kind == Expr::Kind::kName || e.kind == Expr::Kind::kCall; }

// One variation: the program, where it draws from, and what it knows so far.
class Variation {
 public:
  /// `report` gets what the check found.
  Variation(const Program& program, CodeBook& book, Random& random, lang::CheckReport& report)
      : program_(program),
        book_(book),
        library_(book.library()),
        against_(book.library(), &report),
        random_(random) {}

  Result<Program> run(Operator op, const Program* second_parent);

 private:
  Result<Program> replace();
  Result<Program> cross(const Program* second_parent);
  Result<Program> wrap_one();
  Result<Program> insert_one();
  Result<Program> share_some();
  Result<Program> hyper();
  Result<Program> hybrid();
  Result<Program> new_unit();
  Result<Program> text(Operator op);
  Result<Program> text_of_one(Operator op);

  std::optional<Place> pick_place(const std::function<bool(const Place&)>& fits);
  Slot slot_at(const Place& place);
  bool mixes(const Expr& instance);

  const Program& program_;
  CodeBook& book_;
  const Library& library_;
  const Against against_;
  Random& random_;
};

std::optional<Place> Variation::pick_place(const std::function<bool(const Place&)>& fits) {
  std::vector<Place> known = places(program_, library_);
  std::erase_if(known, [&](const Place& p) { return !fits(p); });
  if (known.empty()) return {};
  return random_.pick(known);
}

// What fits at a place; the units of the book are measured once, those of the program each time.
Slot Variation::slot_at(const Place& place) {
  if (!place.owner) return {};
  const auto of = [&](const std::vector<Slot>& slots) {
    for (const Slot& s : slots)
      if (s.name == place.slot) return s;
    return Slot{place.slot, "?", true};
  };
  if (!find_unit(program_, place.owner->name)) {
    const Entry* entry = book_.find(place.owner->name);
    return of(entry ? entry->slots : std::vector<Slot>{});
  }
  return of(measure_slots(library_, *place.owner));
}

bool Variation::mixes(const Expr& instance) {
  const Entry* entry = is_unit(instance) ? book_.find(instance.text) : nullptr;
  return entry && entry->mixes;
}

Result<Program> Variation::replace() {
  const auto place = pick_place([](const Place& p) { return is_unit(p.instance); });
  if (!place) return no_room("unit");
  const Slot slot = slot_at(*place);
  // Units that the search has brought forth are few among those of the library: one draw in four is theirs.
  if (!book_.lent().empty() && slot.shape == "1" && !slot.narrow && random_.chance(0.25)) {
    const Loan& loan = random_.pick(book_.lent());
    if (loan.mixes == mixes(place->instance))
      return crossover(program_, against_, place->path, *loan.donor, loan.path);
  }
  if (book_.fitting(slot).empty()) return no_room("unit of that interface");
  // Mostly like for like: a mixer for a mixer.
  Expr instance = random_instance(random_, book_, slot, 1);
  for (int i = 0; i < 8 && mixes(instance) != mixes(place->instance) && random_.chance(0.9); ++i)
    instance = random_instance(random_, book_, slot, 1);
  return replace_subtree(program_, against_, place->path, instance);
}

Result<Program> Variation::cross(const Program* second_parent) {
  Program made;
  if (!second_parent) {
    made = random_program(random_, book_);
    second_parent = &made;
  }
  const auto to = pick_place([](const Place& p) { return p.path != "stack"; });
  std::vector<Place> theirs = places(*second_parent, library_);
  // Slots meet slots of the same name; elements of stacks meet such elements.
  std::erase_if(theirs, [&](const Place& p) { return p.path == "stack" || !to || p.slot != to->slot; });
  if (theirs.empty()) return no_room("place that the second_parent has as well");
  return crossover(program_, against_, to->path, *second_parent, random_.pick(theirs).path);
}

Result<Program> Variation::wrap_one() {
  const auto place = pick_place([](const Place& p) { return is_unit(p.instance); });
  if (!place) return no_room("unit");
  std::vector<std::pair<const Entry*, const Slot*>> outer;
  for (const Entry* entry : book_.fitting(slot_at(*place)))
    for (const Slot& slot : entry->slots)
      if (slot.shape == "1" && (!slot.narrow || !mixes(place->instance))) outer.emplace_back(entry, &slot);
  if (outer.empty()) return no_room("unit with a slot that fits");
  const auto& [entry, slot] = random_.pick(outer);
  return wrap(program_, against_, place->path, build::name(entry->unit->name), slot->name);
}

Result<Program> Variation::insert_one() {
  const auto place =
      pick_place([](const Place& p) { return p.owner == nullptr && p.path.find('.') != std::string::npos; });
  if (!place) return no_room("list");
  // Mostly blocks: what stands in stacks.
  static const std::array<const char*, 4> kBlocks{"Block", "Residual", "SandwichBlock", "ParallelBlock"};
  Expr instance = random_instance(random_, book_, {}, 1);
  if (random_.chance(0.7) && book_.find("Block")) {
    const char* block = random_.pick(kBlocks);
    Expr inner = random_instance(random_, book_, {}, 1);
    if (const Entry* entry = book_.find(block); entry && !entry->slots.empty())
      instance = build::with(build::name(block), entry->slots[0].name, std::move(inner));
  }
  return insert(program_, against_, place->path, instance);
}

Result<Program> Variation::share_some() {
  const auto first =
      pick_place([](const Place& p) { return is_unit(p.instance) && p.path.find('.') != std::string::npos; });
  if (!first) return no_room("unit");
  if (random_.chance(0.5)) return share(program_, against_, first->path, first->path);
  const auto second = pick_place([&](const Place& p) {
    return is_unit(p.instance) && p.slot == first->slot && p.path != first->path &&
           p.path.find('.') != std::string::npos;
  });
  if (!second) return no_room("second place like " + first->path);
  return share(program_, against_, first->path, second->path);
}

Result<Program> Variation::hyper() {
  struct Choice {
    std::string path;
    const Hyper* hyper;
  };
  std::vector<Choice> known;
  for (const Place& p : places(program_, library_)) {
    const Unit* unit = is_unit(p.instance) ? unit_named(program_, library_, p.instance.text) : nullptr;
    if (!unit) continue;
    for (const Hyper& h : unit->hypers)
      if (h.kind != Hyper::Kind::kSlot) known.push_back({p.path, &h});
  }
  if (known.empty()) return no_room("hyperparameter");
  const Choice& choice = random_.pick(known);
  const auto value = random_value(*choice.hyper, random_);
  if (!value) return no_room("range to draw from");
  return set_hyper(program_, against_, choice.path, choice.hyper->name, *value);
}

// Every k-th block becomes another one.
Result<Program> Variation::hybrid() {
  const auto place = pick_place([](const Place& p) {
    return p.instance.kind == Expr::Kind::kBinary && p.instance.args[0].kind == Expr::Kind::kNumber &&
           p.instance.args[0].number >= 2 && is_unit(p.instance.args[1]);
  });
  if (!place) return no_room("repeated block");
  const int turns = static_cast<int>(place->instance.args[0].number);
  const Expr& block = place->instance.args[1];
  Expr other = block;
  Slot slot;
  if (const Unit* unit = unit_named(program_, library_, block.text))
    for (const Hyper& h : unit->hypers)
      if (h.kind == Hyper::Kind::kSlot && (h.name == "mixer" || h.name == "inner")) slot.name = h.name;
  if (slot.name.empty()) return no_room("block with a mixer");
  Expr mixer = random_instance(random_, book_, {}, 0);
  for (int i = 0; i < 20 && !mixes(mixer); ++i) mixer = random_instance(random_, book_, {}, 0);
  const auto given = std::find(other.keywords.begin(), other.keywords.end(), slot.name);
  if (given != other.keywords.end())
    other.args[static_cast<std::size_t>(given - other.keywords.begin())] = std::move(mixer);
  else
    other = build::with(std::move(other), slot.name, std::move(mixer));
  const int every = 2 + static_cast<int>(random_.below(std::max(1, turns - 1)));
  const int groups = std::max(1, turns / every);
  Expr run = every > 2 ? build::binary("*", build::num(every - 1), block) : block;
  Expr group = build::list({std::move(run), std::move(other)});
  Expr whole = groups > 1 ? build::binary("*", build::num(groups), std::move(group)) : std::move(group);
  return replace_subtree(program_, against_, place->path, whole);
}

std::string fresh_unit(const Program& program, const Library& library, std::string_view stem) {
  for (int i = 1;; ++i) {
    std::string name = std::string(stem) + std::to_string(i);
    if (!find_unit(program, name) && !library.unit(name)) return name;
  }
}

Result<Program> Variation::new_unit() {
  const auto place = pick_place([&](const Place& p) {
    return is_unit(p.instance) && (p.slot == "mixer" || p.slot == "mlp" || p.slot == "inner");
  });
  if (!place) return no_room("slot for a new unit");
  const bool channel = place->slot == "mlp";
  const std::string name = fresh_unit(program_, library_, channel ? "Channel" : "Mixer");
  Program donor;
  const int size = 3 + static_cast<int>(random_.below(16));
  donor.items.push_back(
      {random_unit(random_, channel ? UnitKind::kChannel : UnitKind::kMixer, name, size), {}, {}});
  lang::Design design;
  design.name = "Donor";
  design.stack = build::name(name);
  donor.items.push_back({std::move(design), {}, {}});
  return crossover(program_, against_, place->path, donor, "stack");
}

Result<Program> Variation::text(Operator op) {
  // Not every unit has a text that the operator can work on: look at a few.
  Result<Program> out = no_room("unit");
  for (int tries = 0; tries < 4; ++tries) {
    out = text_of_one(op);
    if (out || out.error().code != "edit") return out;
  }
  return out;
}

Result<Program> Variation::text_of_one(Operator op) {
  const auto place = pick_place([&](const Place& p) {
    return is_unit(p.instance) && unit_named(program_, library_, p.instance.text) &&
           p.instance.text != "Identity";
  });
  if (!place) return no_room("unit");
  Program own = program_;
  std::string name = place->instance.text;
  if (!find_unit(program_, name)) {
    GABBRO_TRY(adopted, adopt_unchecked(program_, library_, place->path, name));
    own = std::move(adopted);
  }
  return vary_text(op, own, against_, name, random_);
}

Result<Program> Variation::run(Operator op, const Program* second_parent) {
  switch (op) {
    case Operator::kReplaceSubtree:
      return replace();
    case Operator::kCrossover:
      return cross(second_parent);
    case Operator::kWrap:
      return wrap_one();
    case Operator::kInsert:
      return insert_one();
    case Operator::kRemove: {
      const auto place = pick_place([](const Place& p) { return p.path != "stack"; });
      return place ? remove(program_, against_, place->path) : no_room("place to remove");
    }
    case Operator::kDuplicate: {
      const auto place = pick_place([](const Place& p) { return p.path != "stack" && p.owner == nullptr; });
      return place ? duplicate(program_, against_, place->path) : no_room("element to duplicate");
    }
    case Operator::kShare:
      return share_some();
    case Operator::kSetHyper:
      return hyper();
    case Operator::kHybrid:
      return hybrid();
    case Operator::kNewUnit:
      return new_unit();
    default:
      return text(op);
  }
}

}  // namespace

std::span<const Operator> all_operators() {
  static const auto kAll = [] {
    std::array<Operator, kNames.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = kNames[i].first;
    return all;
  }();
  return kAll;
}

std::string_view name_of(Operator op) {
  for (const auto& [known, name] : kNames)
    if (known == op) return name;
  return "";
}

Result<Variant> vary_checked(Operator op, const Program& program, const Program* second_parent,
                             CodeBook& book, Random& random) {
  lang::CheckReport report;
  GABBRO_TRY(out, Variation(program, book, random, report).run(op, second_parent));
  if (lang::print(out) == lang::print(program)) return fail("edit", "the edit changed nothing");
  return Variant{std::move(out), std::move(report.subjects.back())};
}

Result<Program> vary(Operator op, const Program& program, const Program* second_parent, CodeBook& book,
                     Random& random) {
  GABBRO_TRY(out, vary_checked(op, program, second_parent, book, random));
  return std::move(out.program);
}

}  // namespace gabbro::edit
