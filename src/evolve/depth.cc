#include "evolve/depth.h"

#include <algorithm>
#include <cmath>

#include "edit/build.h"

namespace gabbro::evolve {

namespace {

// Returns true for a repetition `n * X`.
bool repeats(const lang::Expr& e) {
  return e.kind == lang::Expr::Kind::kBinary && e.text == "*" && e.args.size() == 2 &&
         e.args[0].kind == lang::Expr::Kind::kNumber;
}

// Deepens only repetitions of instances, since a product inside a call's arguments is a number. For nested
// repetitions the outer one takes the factor, and the inner ones what rounding leaves of it.
void deepen(lang::Expr& e, double factor) {
  if (repeats(e)) {
    const double before = e.args[0].number;
    e.args[0].number = std::max(1.0, std::round(before * factor));
    deepen(e.args[1], factor * before / e.args[0].number);
  } else if (e.kind == lang::Expr::Kind::kList) {
    for (lang::Expr& item : e.args) deepen(item, factor);
  }
}

// Returns the iterations of the longest repetition in a stack, with nested ones multiplied; 1 without one.
double longest(const lang::Expr& e) {
  if (repeats(e)) return e.args[0].number * longest(e.args[1]);
  double most = 1;
  if (e.kind == lang::Expr::Kind::kList)
    for (const lang::Expr& item : e.args) most = std::max(most, longest(item));
  return most;
}

// Gives every bare `LearnedPosition` of a stack the argument `size = length`.
void fit_positions(lang::Expr& e, std::int64_t length) {
  if (e.kind == lang::Expr::Kind::kName && e.text == "LearnedPosition")
    e = edit::build::with(std::move(e), "size", edit::build::num(static_cast<double>(length)));
  else if (e.kind == lang::Expr::Kind::kList || repeats(e))
    for (lang::Expr& item : e.args) fit_positions(item, length);
}

// Returns true if the program defines a unit LearnedPosition without a size that could be fitted.
bool has_positions_without_size(const lang::Program& program) {
  for (const lang::Item& item : program.items)
    if (const auto* unit = std::get_if<lang::Unit>(&item.value); unit && unit->name == "LearnedPosition")
      return std::none_of(unit->hypers.begin(), unit->hypers.end(),
                          [](const lang::Hyper& h) { return h.name == "size"; });
  return false;
}

}  // namespace

lang::Program with_positions(const lang::Program& program, std::int64_t length) {
  lang::Program out = program;
  if (has_positions_without_size(program)) return out;
  for (lang::Item& item : out.items)
    if (auto* design = std::get_if<lang::Design>(&item.value)) fit_positions(design->stack, length);
  return out;
}

lang::Program as_baseline(const lang::Program& program, std::int64_t blocks, std::int64_t length) {
  return with_positions(with_blocks(program, blocks), length);
}

lang::Program deepened(const lang::Program& program, double factor) {
  lang::Program out = program;
  for (lang::Item& item : out.items)
    if (auto* design = std::get_if<lang::Design>(&item.value)) {
      deepen(design->stack, factor);
      // Instances that a design shares between places stand outside its stack.
      for (auto& share : design->shares) deepen(share.instance, factor);
    }
  return out;
}

int repetitions(const lang::Program& program) {
  const lang::Design* design = lang::last_design(program);
  return design ? static_cast<int>(longest(design->stack)) : 1;
}

lang::Program with_blocks(const lang::Program& program, std::int64_t blocks) {
  return blocks > 0 ? deepened(program, static_cast<double>(blocks) / repetitions(program)) : program;
}

}  // namespace gabbro::evolve
