#include "agents/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "agents/prompts.h"
#include "agents/replies.h"
#include "edit/build.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::agents {

namespace {

constexpr int kWidth = 256, kVocab = 4096;  // Placeholder sizes of a new design; the ladder sets both.
constexpr std::size_t kLongestName = 40, kLongestInstance = 160;  // bytes

bool is_design(const lang::Item& item) { return std::holds_alternative<lang::Design>(item.value); }

lang::Design& design_in(lang::Program& program) {
  for (lang::Item& item : program.items)
    if (auto* design = std::get_if<lang::Design>(&item.value)) return *design;
  GABBRO_CHECK(false);
}

lang::Expr number_literal(double value) {
  lang::Expr e;
  e.number = value;
  return e;
}

// Restores the items of `parent` that crossover removed because nothing used them any more. The coder may
// still want to use them.
void restore_items(lang::Program& program, const lang::Program& parent) {
  std::vector<lang::Item> all = with_items(parent.items, program.items);
  std::erase_if(all, is_design);
  for (const lang::Item& item : program.items)
    if (is_design(item)) all.push_back(item);
  program.items = std::move(all);
}

std::string text_at(const lang::Program& program, const lang::Library& library, const std::string& path) {
  const auto instance = edit::subtree(program, library, path);
  return instance ? lang::print(*instance) : "";
}

}  // namespace

lang::CheckReport check_single_design(const std::string& text, const lang::Library& library) {
  lang::CheckReport report = lang::check(text, library);
  if (report.valid())
    if (const auto design = edit::design_of(report.program); !design) report.errors.push_back(design.error());
  return report;
}

Result<std::vector<lang::Program>> parse_parents(const Brief& brief, const lang::Library& library) {
  const std::size_t needed = record::parents_of(brief.mode);
  if (brief.parents.size() < needed)
    return fail("brief",
                fmt::format("{} needs {} parents, got {}", brief.mode, needed, brief.parents.size()));
  std::vector<lang::Program> out;
  for (const Parent& parent : brief.parents) {
    lang::CheckReport report = check_single_design(parent.program, library);
    if (!report.valid())
      return fail("brief", fmt::format("parent {} is not valid: {}", parent.name, report.errors[0].message));
    out.push_back(std::move(report.program));
  }
  return out;
}

Result<Base> prepare(const Proposal& p, record::Mode mode, const std::vector<lang::Program>& parents,
                     const lang::Library& library) {
  Base base;
  base.mode = mode;
  base.tied = p.tied;
  if (mode == record::Mode::kScratch) return base;
  base.place = p.place;
  base.program = parents[0];
  const auto refuse = [](const char* what, const Error& e) {
    return fail("proposal", fmt::format("{}: {}", what, e.message), e.hint);
  };
  const auto current = edit::subtree(base.program, library, p.place);
  if (!current) return refuse("place", current.error());
  base.old_instance = lang::print(*current);
  if (mode == record::Mode::kMutation) return base;
  if (const auto from = edit::subtree(parents[1], library, p.from); !from)
    return refuse("from", from.error());
  auto crossed = edit::crossover(base.program, library, p.place, parents[1], p.from);
  if (!crossed) return refuse("the part at `from` does not fit at `place`", crossed.error());
  base.program = std::move(*crossed);
  base.inserted_instance = text_at(base.program, library, p.place);
  restore_items(base.program, parents[0]);
  return base;
}

const lang::Unit* unit_at(const Base& base, const lang::Library& library) {
  const auto expr = lang::parse_expression(base.old_instance);
  if (!expr || (expr->kind != lang::Expr::Kind::kName && expr->kind != lang::Expr::Kind::kCall))
    return nullptr;
  const lang::Unit* own = edit::find_unit(base.program, expr->text);
  return own ? own : library.unit(expr->text);
}

bool is_item(const std::string& name, const std::vector<lang::Item>& items) {
  return std::any_of(items.begin(), items.end(),
                     [&](const lang::Item& item) { return lang::item_name(item) == name; });
}

std::vector<lang::Item> items_of(const Base& base) {
  std::vector<lang::Item> items = base.program.items;
  std::erase_if(items, is_design);
  return items;
}

std::vector<lang::Item> with_items(std::vector<lang::Item> items, const std::vector<lang::Item>& added) {
  for (const lang::Item& item : added) {
    const auto same = std::find_if(items.begin(), items.end(), [&](const lang::Item& known) {
      return lang::item_name(known) == lang::item_name(item);
    });
    if (same != items.end())
      *same = item;
    else
      items.push_back(item);
  }
  return items;
}

Result<lang::Program> assemble(const Base& base, const std::vector<lang::Item>& added,
                               const std::string& instance, const std::string& title,
                               const edit::Against& against) {
  lang::Program program;
  program.items = with_items(items_of(base), added);
  lang::Item design_item;
  if (base.mode == record::Mode::kScratch) {
    GABBRO_TRY(stack, lang::parse_expression(instance));
    lang::Design design;
    design.width = number_literal(kWidth);
    design.vocab = number_literal(kVocab);
    design.stack = std::move(stack);
    design_item.value = std::move(design);
  } else {
    for (const lang::Item& item : base.program.items)
      if (is_design(item)) design_item = item;
  }
  lang::Design& design = std::get<lang::Design>(design_item.value);
  design.name = design_name(title);
  if (base.tied) {
    design.tied.reset();  // two tables are the default
    if (*base.tied) design.tied = edit::build::boolean(true);
  }
  program.items.push_back(std::move(design_item));
  // The name has to be free; the last item is the design itself.
  std::string& name = design_in(program).name;
  while (std::any_of(program.items.begin(), program.items.end() - 1,
                     [&](const lang::Item& item) { return lang::item_name(item) == name; }) ||
         against.library.unit(name))
    name += "Design";
  if (base.mode != record::Mode::kScratch && !instance.empty()) {
    GABBRO_TRY(expr, lang::parse_expression(instance));
    return edit::replace_subtree(program, against, base.place, expr);
  }
  edit::tidy(program);
  return edit::accept(std::move(program), against);
}

std::string places_text(const lang::Program& program, const lang::Library& library, std::size_t max_lines) {
  std::string out;
  std::size_t count = 0;
  for (const edit::TreePlace& place : edit::places(program, library)) {
    if (++count > max_lines) break;
    out += fmt::format("- {}: {}\n", place.path, shortened(lang::print(place.instance), kLongestInstance));
  }
  return out;
}

std::string design_name(const std::string& title) {
  const auto is_part = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 128 && std::isalnum(u) != 0;
  };
  std::string name;
  for (std::size_t begin = 0; begin < title.size();) {
    std::size_t end = begin;
    while (end < title.size() && is_part(title[end])) ++end;
    std::string word = title.substr(begin, end - begin);
    begin = end + (end == begin ? 1 : 0);
    if (name.empty()) word.erase(0, std::min(word.size(), word.find_first_not_of("0123456789")));
    if (word.empty()) continue;
    word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
    if (!name.empty() && name.size() + word.size() > kLongestName) break;
    name += word.substr(0, kLongestName);
  }
  return is_legal_name(name) ? name : name + "Design";
}

}  // namespace gabbro::agents
