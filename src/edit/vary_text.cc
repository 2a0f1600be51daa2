#include "edit/vary_text.h"

#include <algorithm>
#include <array>
#include <optional>

#include "edit/build.h"
#include "edit/unit_catalogue.h"
#include "edit/values.h"
#include "lang/elaborate.h"

namespace gabbro::edit {

using lang::Hyper;
using lang::Survey;
using lang::Unit;

namespace {

// The text of one unit of the program, with its survey and its slots.
struct Text {
  const Unit* unit;
  Survey survey;
  std::vector<Slot> slots;
};

// Returns the text of a unit that the program defines; nullopt if it cannot be elaborated alone.
std::optional<Text> read(const Program& program, const Library& base, const std::string& name) {
  Library library = base;
  const Unit* unit = find_unit(program, name);
  if (!unit || !library.add(program).empty()) return {};
  Text text{unit, {}, {}};
  lang::ElaborateOptions options;
  options.survey = &text.survey;
  if (!lang::elaborate(library, build::name(name), options).ok()) return {};
  for (const Hyper& h : unit->hypers)
    if (h.kind == Hyper::Kind::kSlot && h.interface == "Unit") {
      text.slots = measure_slots(base, *unit);
      break;
    }
  return text;
}

// Prevents names that the block assigns from being generated.
void reserve_names(const std::vector<Stmt>& block, Values& values) {
  for (const Stmt& s : block)
    for (std::string& name : assigned(s)) values.reserve(std::move(name));
}

// Writes expressions for one statement of a unit.
struct Writer {
  std::vector<Stmt> before;
  Values values;

  Writer(const Text& text, const Survey::StmtSite& site, Random& random)
      : values(random, site.scope, options(text, site), before) {
    reserve_names(text.unit->body, values);
    for (const Hyper& h : text.unit->hypers) values.reserve(h.name);
    for (const char* taken : {"t", "s", "D", "V", "all"}) values.reserve(taken);
  }

  static Values::Options options(const Text& text, const Survey::StmtSite& site) {
    Values::Options out{.reads_past = true, .in_scan = site.in_scan, .slots = {}, .narrow = {}};
    for (const Slot& slot : text.slots) {
      if (slot.signature != kUnitSignature) continue;
      out.slots.push_back(slot.name);
      if (slot.narrow) out.narrow.push_back(slot.name);
    }
    return out;
  }
};

// Returns the path of an expression or a statement to which the survey points.
template <class Spots>
std::optional<typename Spots::value_type> spot_of(const Unit& unit, const Spots& spots, const void* target) {
  for (const auto& spot : spots)
    if (find(unit, spot) == target) return spot;
  return {};
}

const Survey::StmtSite* site_of(const Survey& survey, const Stmt* stmt) {
  for (const Survey::StmtSite& site : survey.stmts)
    if (site.stmt == stmt) return &site;
  return nullptr;
}

// Groups of names that may replace each other in swap_operator.
const std::vector<std::vector<std::string>>& families() {
  static const std::vector<std::vector<std::string>> kFamilies{
      {"+", "-", "*"},
      {"<", ">", "<=", ">="},
      {"tanh", "sigmoid", "silu", "relu", "gelu", "softplus", "abs", "sin", "cos"},
      {"maximum", "minimum"},
      {"l2_normalize", "rms_normalize", "softmax"},
      {"sum", "mean", "max"},
  };
  return kFamilies;
}

class TextVariation {
 public:
  TextVariation(const Program& program, const Text& text, const Against& against, Random& random)
      : program_(program), text_(text), against_(against), random_(random) {}

  Result<Program> run(Operator op) {
    switch (op) {
      case Operator::kReplaceExpression:
        return replace_one_expression(Replaced::kPart);
      case Operator::kReplaceStatement:
        return replace_one_expression(Replaced::kWholeValue);
      case Operator::kInsertStatement:
        return transform_one_value();
      case Operator::kDeleteStatement:
        return delete_one();
      case Operator::kSwapOperator:
        return swap_one();
      default:
        return step_one();
    }
  }

 private:
  // Selects whole values of statements, or expressions within them.
  enum class Replaced { kPart, kWholeValue };

  Result<Program> replace_one_expression(Replaced replaced) {
    std::vector<const Survey::ExprSite*> sites;
    for (const Survey::ExprSite& site : text_.survey.exprs) {
      const bool is_whole = site.stmt && !site.stmt->values.empty() && &site.stmt->values[0] == site.expr;
      const bool is_returned = is_whole && site.stmt->kind == Stmt::Kind::kReturn;
      if (site.stmt && is_whole == (replaced == Replaced::kWholeValue) && !is_returned)
        sites.push_back(&site);
    }
    if (sites.empty()) return no_room("expression to replace");
    const Survey::ExprSite& site = *random_.pick(sites);
    const Survey::StmtSite* at = site_of(text_.survey, site.stmt);
    const auto spot = spot_of(*text_.unit, expressions(*text_.unit), site.expr);
    if (!at || !spot) return no_room("place for that expression");
    Writer writer(text_, *at, random_);
    const Expr replacement = writer.values.make(site.type, 1 + static_cast<int>(random_.below(6)));
    return replace_expression(program_, against_, *spot, replacement, writer.before);
  }

  // Inserts a statement that computes f(q), and reads it instead of q in one place.
  Result<Program> transform_one_value() {
    std::vector<const Survey::ExprSite*> sites;
    for (const Survey::ExprSite& site : text_.survey.exprs)
      if (site.stmt && site.expr->kind == Expr::Kind::kName && !site.type.past) sites.push_back(&site);
    if (sites.empty()) return no_room("value to work on");
    const Survey::ExprSite& site = *random_.pick(sites);
    const Survey::StmtSite* at = site_of(text_.survey, site.stmt);
    const auto spot = spot_of(*text_.unit, expressions(*text_.unit), site.expr);
    if (!at || !spot) return no_room("place for that value");
    Writer writer(text_, *at, random_);
    Expr other = writer.values.make(site.type, 1 + static_cast<int>(random_.below(3)));
    const bool product = random_.chance(0.5);
    Expr mixed = product ? build::binary("*", *site.expr, build::call("sigmoid", {std::move(other)}))
                         : build::binary("+", *site.expr, std::move(other));
    const Expr named = writer.values.hoist(site.expr->text, std::move(mixed), site.type);
    return replace_expression(program_, against_, *spot, named, writer.before);
  }

  Result<Program> delete_one() {
    struct Choice {
      Spot spot;
      std::vector<Expr> stand_in;
    };
    std::vector<Choice> known;
    for (const Spot& spot : statements(*text_.unit)) {
      const Stmt* stmt = find(*text_.unit, spot);
      const Survey::StmtSite* at = site_of(text_.survey, stmt);
      if (!at || (stmt->kind != Stmt::Kind::kAssign && stmt->kind != Stmt::Kind::kScan)) continue;
      Choice choice{spot, {}};
      for (const std::string& name : assigned(*stmt)) {
        const std::vector<std::string> others = replacements_of(name, *at);
        if (!others.empty()) choice.stand_in.push_back(build::name(random_.pick(others)));
      }
      if (choice.stand_in.size() == assigned(*stmt).size()) known.push_back(std::move(choice));
    }
    if (known.empty()) return no_room("statement that another value can stand in for");
    const Choice& choice = random_.pick(known);
    return delete_statement(program_, against_, choice.spot, choice.stand_in);
  }

  // Returns the names of values in scope that have the type of `name`. If no later statement has `name` in
  // scope, nothing reads it, and its own name stands for the replacement.
  std::vector<std::string> replacements_of(const std::string& name, const Survey::StmtSite& at) {
    const lang::NamedType* type = type_of(name);
    if (!type) return {name};
    std::vector<std::string> out;
    for (const Survey::Name& n : at.scope)
      if (n.kind == Survey::Name::Kind::kValue && n.type == *type && n.name != name) out.push_back(n.name);
    return out;
  }

  // Returns the type of a name, taken from a later statement that has it in scope.
  const lang::NamedType* type_of(const std::string& name) {
    for (const Survey::StmtSite& site : text_.survey.stmts)
      for (const Survey::Name& n : site.scope)
        if (n.name == name && n.kind == Survey::Name::Kind::kValue) return &n.type;
    return nullptr;
  }

  Result<Program> swap_one() {
    std::vector<std::pair<ExprSpot, const std::vector<std::string>*>> known;
    for (const ExprSpot& spot : expressions(*text_.unit)) {
      const Expr& e = *find(*text_.unit, spot);
      if (e.kind != Expr::Kind::kBinary && e.kind != Expr::Kind::kCall) continue;
      // Other functions of the group lack keyword arguments such as `eps`.
      if (std::any_of(e.keywords.begin(), e.keywords.end(),
                      [](const std::string& key) { return !key.empty() && key != "over"; }))
        continue;
      for (const auto& family : families())
        if (std::find(family.begin(), family.end(), e.text) != family.end())
          known.emplace_back(spot, &family);
    }
    if (known.empty()) return no_room("operator to swap");
    const auto& [spot, family] = random_.pick(known);
    std::vector<std::string> others = *family;
    std::erase(others, find(*text_.unit, spot)->text);
    return swap_operator(program_, against_, spot, random_.pick(others));
  }

  Result<Program> step_one() {
    std::vector<ExprSpot> known;
    for (const ExprSpot& spot : expressions(*text_.unit))
      if (find(*text_.unit, spot)->kind == Expr::Kind::kNumber) known.push_back(spot);
    if (known.empty()) return no_room("number in its text");
    static const std::array<double, 4> kFactors{0.5, 0.8, 1.25, 2};
    return step_constant(program_, against_, random_.pick(known), random_.pick(kFactors));
  }

  const Program& program_;
  const Text& text_;
  const Against& against_;
  Random& random_;
};

}  // namespace

Result<Program> vary_text(Operator op, const Program& program, const Against& against,
                          const std::string& unit, Random& random) {
  const auto text = read(program, against.library, unit);
  if (!text) return no_room("unit that can be read alone");
  return TextVariation(program, *text, against, random).run(op);
}

}  // namespace gabbro::edit
