// Tests each edit on a small program, as text before and after, and the errors of rejected edits.
#include "edit/edit.h"

#include <gtest/gtest.h>

#include "edit/build.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/library.h"

namespace gabbro::edit {
namespace {

const Library& library() { return zoo::library(); }

Program parse(const std::string& text) {
  lang::ParseResult parsed = lang::parse(text);
  EXPECT_TRUE(parsed.errors.empty()) << text;
  return std::move(parsed.program);
}

Expr instance(const std::string& text) { return *lang::parse_expression(text); }

Program stack(const std::string& text) { return parse("design M:\n    stack = " + text + "\n"); }

// Returns the stack of the result as text, or its error.
std::string stack_of(const Result<Program>& result) {
  if (!result) return result.error().code + ": " + result.error().message;
  const auto design = design_of(*result);
  std::string out = lang::print((*design)->stack);
  for (const auto& share : (*design)->shares)
    out += " where " + share.name + " = " + lang::print(share.instance);
  return out;
}

// Returns the text of the result, or its error.
std::string text_of(const Result<Program>& result) {
  return result ? lang::print(*result) : result.error().code + ": " + result.error().message;
}

TEST(TreeEdit, PlacesAreThoseOfTheTree) {
  const Program p = parse(
      "design M:\n    share core = Block(mixer=GLA)\n    stack = [3 * Block(mixer=Mamba2), core, RMSNorm]\n");
  std::vector<std::string> written, defaults;
  for (const TreePlace& place : places(p, library()))
    (place.written ? written : defaults).push_back(place.path);
  EXPECT_EQ(written, (std::vector<std::string>{"stack", "stack.0", "stack.0.*", "stack.0.*.mixer", "stack.1",
                                               "stack.2", "core", "core.mixer"}));
  EXPECT_EQ(defaults, (std::vector<std::string>{"stack.0.*.mixer.norm", "stack.0.*.mlp", "stack.0.*.mlp.act",
                                                "stack.0.*.norm", "core.mixer.norm", "core.mlp",
                                                "core.mlp.act", "core.norm"}));
}

TEST(TreeEdit, Replace) {
  const Program p = stack("[2 * Block(mixer=GLA), RMSNorm]");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "stack.0.*.mixer", instance("Retention(heads=2)"))),
            "[2 * Block(mixer=Retention(heads=2)), RMSNorm]");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "stack.0.*.mlp.act", instance("ReLU"))),
            "[2 * Block(mixer=GLA, mlp=SwiGLU(act=ReLU)), RMSNorm]");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "stack.7", instance("ReLU"))),
            "place: unknown place 'stack.7': a list of 2 has no element '7'");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "stack.0.mixer", instance("ReLU"))),
            "place: unknown place 'stack.0.mixer': a repetition has no part 'mixer'");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "stack.1.gate", instance("ReLU"))),
            "place: unknown place 'stack.1.gate': RMSNorm has no slot 'gate'");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "tower.1", instance("ReLU"))),
            "place: unknown place 'tower.1': unknown name 'tower'");
  EXPECT_EQ(stack_of(replace_subtree(p, library(), "stack.0.*.mixer", instance("GLA(heads=3)"))),
            "range: heads = 3 is not in {1, 2, 4, 8, 16}");
}

TEST(TreeEdit, SetTied) {
  const Program p = stack("[2 * Block(mixer=GLA), RMSNorm]");
  const auto is_tied = [](const Result<Program>& r) {
    return text_of(r).find("tied = true") != std::string::npos;
  };
  const auto tied = set_tied(p, library(), true);
  ASSERT_TRUE(tied) << tied.error().message;
  EXPECT_TRUE(is_tied(tied)) << text_of(tied);
  EXPECT_TRUE(is_tied(set_tied(*tied, library(), true)));
  const auto untied = set_tied(*tied, library(), false);
  ASSERT_TRUE(untied) << untied.error().message;
  EXPECT_EQ(text_of(untied), lang::print(p));
}

TEST(TreeEdit, WrapInsertRemoveDuplicate) {
  const Program p = stack("[2 * Block(mixer=GLA), RMSNorm]");
  EXPECT_EQ(stack_of(wrap(p, library(), "stack.0.*.mixer", instance("Residual"), "inner")),
            "[2 * Block(mixer=Residual(inner=GLA)), RMSNorm]");
  EXPECT_EQ(stack_of(insert(p, library(), "stack.0", instance("Block"))),
            "[2 * Block(mixer=GLA), Block, RMSNorm]");
  EXPECT_EQ(stack_of(insert(p, library(), "stack.0.*", instance("Block"))),
            "[2 * [Block(mixer=GLA), Block], RMSNorm]");
  EXPECT_EQ(stack_of(remove(p, library(), "stack.1")), "[2 * Block(mixer=GLA)]");
  EXPECT_EQ(stack_of(remove(p, library(), "stack.0")), "[RMSNorm]");
  EXPECT_EQ(stack_of(remove(p, library(), "stack.0.*")), "[2 * GLA, RMSNorm]");
  EXPECT_EQ(stack_of(remove(p, library(), "stack.0.*.mixer")), "[2 * Block(mixer=Identity), RMSNorm]");
  EXPECT_EQ(stack_of(remove(stack("3 * GLA"), library(), "stack")), "2 * GLA");
  EXPECT_EQ(stack_of(remove(stack("2 * GLA"), library(), "stack")), "GLA");
  EXPECT_EQ(stack_of(remove(stack("[GLA]"), library(), "stack.0")),
            "edit: the only element of a list cannot be removed");
  EXPECT_EQ(stack_of(duplicate(p, library(), "stack.0")), "[3 * Block(mixer=GLA), RMSNorm]");
  EXPECT_EQ(stack_of(duplicate(p, library(), "stack.1")), "[2 * Block(mixer=GLA), 2 * RMSNorm]");
}

TEST(TreeEdit, Share) {
  const Program p = stack("[2 * Block(mixer=GLA), Block, RMSNorm]");
  EXPECT_EQ(stack_of(share(p, library(), "stack.0.*", "stack.0.*")),
            "[2 * core, Block, RMSNorm] where core = Block(mixer=GLA)");
  EXPECT_EQ(stack_of(share(p, library(), "stack.0.*.mlp", "stack.1.mlp")),
            "[2 * Block(mixer=GLA, mlp=core), Block(mlp=core), RMSNorm] where core = SwiGLU");
  EXPECT_EQ(stack_of(share(p, library(), "stack.0", "stack.0.*")),
            "edit: stack.0 and stack.0.* overlap: one contains the other");
  const Program shared = *share(p, library(), "stack.0.*", "stack.0.*");
  EXPECT_EQ(stack_of(share(shared, library(), "core.mixer", "stack.1.mixer")),
            "[2 * core, Block(mixer=core2), RMSNorm] where core2 = GLA where core = Block(mixer=core2)");
  EXPECT_EQ(stack_of(share(p, library(), "stack.0.*.norm", "stack.0.*.mixer.norm")),
            "share: in Block > GLA: a shared instance is used along D=256 and along v=64");
}

TEST(TreeEdit, SharingHalvesTheParameters) {
  const auto params = [](const Program& p) {
    return ir::count_params(lang::check(lang::print(p), library()).subjects.at(0).elaboration.graph);
  };
  const Program p = stack("2 * Block(mixer=Mamba2(width=4))");
  const std::int64_t tables = 2 * 256 * 4096;  // of embedding and output, which are not in the stack
  EXPECT_EQ(params(*share(p, library(), "stack.*", "stack.*")) - tables, (params(p) - tables) / 2);
}

TEST(TreeEdit, SetHyper) {
  const Program p = stack("[2 * Block(mixer=GLA(heads=2)), RMSNorm]");
  EXPECT_EQ(stack_of(set_hyper(p, library(), "stack.0.*.mixer", "heads", instance("8"))),
            "[2 * Block(mixer=GLA(heads=8)), RMSNorm]");
  EXPECT_EQ(stack_of(set_hyper(p, library(), "stack.0.*.mixer", "rank", instance("8"))),
            "[2 * Block(mixer=GLA(heads=2, rank=8)), RMSNorm]");
  EXPECT_EQ(stack_of(set_hyper(p, library(), "stack.0.*.mixer", "rank", instance("1000"))),
            "range: rank = 1000 is not in {4 .. 64}");
  EXPECT_EQ(stack_of(set_hyper(p, library(), "stack", "rank", instance("8"))), "edit: stack is not a unit");
}

constexpr const char* kMine = R"(unit Mine(x: [t, D], heads: int in {2, 4} = 2) -> [t, D]:
    axis h = heads, k = D / heads
    q = linear(x, [h, k])
    u = tanh(q)
    return linear(u, D)

design M:
    stack = [2 * Block(mixer=Mine), RMSNorm]
)";

TEST(TreeEdit, CrossoverBringsTheUnitsItNeeds) {
  const Program p = stack("[2 * Block(mixer=GLA), RMSNorm]");
  const auto child = crossover(p, library(), "stack.0.*.mixer", parse(kMine), "stack.0.*.mixer");
  EXPECT_EQ(stack_of(child), "[2 * Block(mixer=Mine), RMSNorm]");
  ASSERT_NE(find_unit(*child, "Mine"), nullptr);
  // Equal units are unified.
  const auto again = crossover(*child, library(), "stack.1", parse(kMine), "stack.0.*.mixer");
  EXPECT_EQ(stack_of(again), "[2 * Block(mixer=Mine), Mine]");
  EXPECT_EQ(again->items.size(), 2U);
  // A different unit of the same name is renamed.
  std::string other = kMine;
  other.replace(other.find("tanh"), 4, "silu");
  const auto both = crossover(*child, library(), "stack.1", parse(other), "stack.0.*.mixer");
  EXPECT_EQ(stack_of(both), "[2 * Block(mixer=Mine), Mine2]");
}

TEST(TreeEdit, UnusedUnitsAreRemoved) {
  const auto child = replace_subtree(parse(kMine), library(), "stack.0.*.mixer", instance("GLA"));
  EXPECT_EQ(text_of(child), "design M:\n    stack = [2 * Block(mixer=GLA), RMSNorm]\n");
}

TEST(TreeEdit, AdoptedUnitsComputeTheSameFunction) {
  const Program p = stack("[2 * Block(mixer=GLA(heads=2)), RMSNorm]");
  const auto own = adopt(p, library(), "stack.0.*.mixer");
  EXPECT_EQ(stack_of(own), "[2 * Block(mixer=GLA2(heads=2)), RMSNorm]");
  const auto hash = [](const Program& program) {
    return lang::check(lang::print(program), library()).subjects.at(0).hash;
  };
  EXPECT_EQ(hash(p), hash(*own));
}

// ---- Text ----

// Returns the place of a statement in the body of the unit Mine.
Spot at(std::vector<int> path) { return {"Mine", std::move(path)}; }

// Returns the body of the unit Mine of the result as text, or the error of the result.
std::string body_of(const Result<Program>& result) {
  if (!result) return result.error().code + ": " + result.error().message;
  std::string out;
  for (const Stmt& s : find_unit(*result, "Mine")->body) out += lang::print(s);
  return out;
}

TEST(TextEdit, Statements) {
  const Program p = parse(kMine);
  const Stmt other = build::assign("u", instance("silu(q) + q"));
  EXPECT_EQ(body_of(replace_statement(p, library(), at({2}), {other})),
            "axis h = heads, k = D / heads\nq = linear(x, [h, k])\nu = silu(q) + q\nreturn linear(u, D)\n");
  EXPECT_EQ(body_of(delete_statement(p, library(), at({2}), {build::name("q")})),
            "axis h = heads, k = D / heads\nq = linear(x, [h, k])\nreturn linear(q, D)\n");
  EXPECT_EQ(body_of(delete_statement(p, library(), at({1}), {build::name("x")})),
            "u = tanh(x)\nreturn linear(u, D)\n")
      << "axes and hyperparameters that nothing uses any more go as well";
  EXPECT_EQ(body_of(delete_statement(p, library(), at({3}), {})),
            "edit: the return statement of a unit cannot be removed");
  EXPECT_EQ(body_of(replace_statement(p, library(), at({2}), {build::assign("u", instance("silu(r)"))})),
            "name: unknown name r");
  EXPECT_EQ(body_of(replace_statement(p, library(), at({9}), {other})), "place: unknown place 'Mine.9'");
}

TEST(TextEdit, CallsLoseRemovedHyperparametersToo) {
  Program p = parse(kMine);
  p = *set_hyper(p, library(), "stack.0.*.mixer", "heads", instance("4"));
  const auto child = delete_statement(p, library(), at({1}), {build::name("x")});
  EXPECT_EQ(stack_of(child), "[2 * Block(mixer=Mine), RMSNorm]");
}

TEST(TextEdit, Expressions) {
  const Program p = parse(kMine);
  const ExprSpot tanh{at({2}), {0}};
  EXPECT_EQ(body_of(swap_operator(p, library(), tanh, "sigmoid")),
            "axis h = heads, k = D / heads\nq = linear(x, [h, k])\nu = sigmoid(q)\nreturn linear(u, D)\n");
  EXPECT_EQ(body_of(swap_operator(p, library(), tanh, "tanh")), "edit: it is already tanh");
  EXPECT_EQ(body_of(replace_expression(p, library(), {at({2}), {0, 0}}, instance("z * q"),
                                       {build::assign("z", instance("linear(x, k)"))})),
            "axis h = heads, k = D / heads\nq = linear(x, [h, k])\nz = linear(x, k)\nu = tanh(z * q)\n"
            "return linear(u, D)\n");
  EXPECT_EQ(body_of(replace_expression(p, library(), {at({2}), {0, 5}}, instance("q"))),
            "place: there is no expression 0.5 in Mine.2");
  EXPECT_EQ(body_of(step_constant(p, library(), tanh, 2)), "edit: there is no number at this place");
}

TEST(TextEdit, Constants) {
  const Program p = parse(R"(unit Mine(x: [t, D]) -> [t, D]:
    return shift(linear(x, D), 4) * 0.25

design M:
    stack = Mine
)");
  const ExprSpot distance{at({0}), {0, 0, 1}}, factor{at({0}), {0, 1}};
  EXPECT_EQ(body_of(step_constant(p, library(), distance, 2)), "return shift(linear(x, D), 8) * 0.25\n");
  EXPECT_EQ(body_of(step_constant(p, library(), distance, 1.1)), "return shift(linear(x, D), 5) * 0.25\n");
  EXPECT_EQ(body_of(step_constant(p, library(), factor, 0.8)), "return shift(linear(x, D), 4) * 0.2\n");
}

TEST(TextEdit, ScansAreTidied) {
  const Program p = parse(R"(unit Mine(x: [t, D]) -> [t, D]:
    a = sigmoid(linear(x, D))
    scan S: [D] = 0:
        S = a * S + x
        y = S
    return y + x

design M:
    stack = Mine
)");
  EXPECT_EQ(body_of(replace_expression(p, library(), {at({2}), {0}}, instance("x * x"))), "return x * x\n");
  EXPECT_EQ(body_of(delete_statement(p, library(), at({1, 0}), {build::name("S")})),
            "unused: state S never changes");
  EXPECT_EQ(body_of(delete_statement(p, library(), at({1}),
                                     {build::name("x"), build::name("x"), build::name("x")})),
            "return x + x\n");
}

}  // namespace
}  // namespace gabbro::edit
