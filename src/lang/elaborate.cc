// Entry points of elaboration: whole designs and single units.
#include "lang/elaborate.h"

#include <fmt/core.h>

#include <cmath>

#include "lang/elaborator.h"

namespace gabbro::lang {

using ir::Op;

Elaborator::Elaborator(const Library& library, const ElaborateOptions& options, Elaboration& out)
    : library_(library), options_(options), out_(out) {
  BodyContext model;
  model.builder = std::make_unique<ir::Builder>(out.graph, 0);
  contexts_.push_back(std::move(model));
  auto root = std::make_unique<Frame>();
  root->path = "stack";
  frames_.push_back(std::move(root));
}

namespace {

// Returns the size given by an option if it is set, or else the one written in the design, or else
// `fallback`.
std::int64_t choose(std::int64_t option, std::optional<std::int64_t> written, std::int64_t fallback) {
  return option > 0 ? option : written.value_or(fallback);
}

constexpr std::int64_t kDefaultWidth = 256;
constexpr std::int64_t kDefaultVocab = 4096;

}  // namespace

void Elaborator::run(const Design& design) {
  std::optional<std::int64_t> width, vocab;
  if (design.width) width = eval_int(*design.width, "width");
  if (design.vocab) vocab = eval_int(*design.vocab, "vocab");
  const bool tied = design.tied && eval_static(*design.tied, "tied").value_or(Static{}).value != 0;
  const auto d = static_cast<double>(choose(options_.width, width, kDefaultWidth));
  const auto v = static_cast<double>(choose(options_.vocab, vocab, kDefaultVocab));
  graph().env.width = d;
  graph().env.vocab = v;
  out_.width =
      new_axis("D", {d, ir::Sym::atom(ir::Atom::kWidth)}, design.width ? design.width->at : Position{});
  out_.vocab =
      new_axis("V", {v, ir::Sym::atom(ir::Atom::kVocab)}, design.vocab ? design.vocab->at : Position{});
  if (!out_.ok()) return;
  frame().width = out_.width;

  for (const Design::Shared& share : design.shares) {
    // Parameters of shares are named after them, and must not get the names of others: equal names are one
    // parameter.
    if (share.name == "stack" || share.name == "embedding" || share.name == "head")
      error(share.at, "reserved",
            fmt::format("{} cannot be the name of a shared instance: the model has parameters of this name",
                        share.name),
            "choose another name");
    const InstancePtr instance = eval_instance(share.instance, nullptr);
    Value value;
    if (instance) {
      auto shared = std::make_shared<Instance>(*instance);
      shared->shared_path = share.name;
      value.kind = Value::Kind::kInstance;
      value.instance = std::move(shared);
    }
    bind(share.name, value, share.at);
  }
  const InstancePtr stack = eval_instance(design.stack, nullptr);
  if (!stack || !out_.ok()) return;
  builder().set_line(design.stack.at.line);  // nodes that belong to no statement belong to the stack

  // Blocks add values of size 1 to the stream. The embedding of a token must be of that size too, or the
  // blocks drown it out at first. A tied table is initialised and trained as an output (standard deviation 1
  // / D), so what is read from it is multiplied by D. Vaswani et al. 2017 (arXiv 1706.03762, section 3.4)
  // multiply by sqrt(D), where tables are initialised at 1 / sqrt(D).
  const auto table = [&](const char* name, ir::Role role, AxisList fan_in, double deviation) {
    graph().params.push_back(
        {name, {out_.width, out_.vocab}, fan_in, role, {ir::Init::Kind::kNormal, deviation, 0}});
    return builder().param(static_cast<int>(graph().params.size()) - 1);
  };
  const NodeId tokens = builder().add({.op = Op::kTokens});
  const NodeId embedding = tied ? table("embedding", ir::Role::kOutput, {out_.width}, 0)
                                : table("embedding", ir::Role::kInput, {}, 1);
  NodeId x = builder().add({.op = Op::kLookup, .in = {embedding, tokens, -1}, .axes = {out_.vocab}});
  if (tied) x = builder().times(x, builder().constant(d, symbol(ir::Sym::atom(ir::Atom::kWidth))));
  const std::vector<Value> results = call(stack, {make(x)}, out_.width, "stack", design.stack.at);
  if (!out_.ok()) return;
  report_unread(0);
  if (results.size() != 1) {
    error(design.stack.at, "interface",
          fmt::format("the stack has {} results, but the model needs one", results.size()),
          "one next token is predicted from one value: read the further results in a unit around it, or name "
          "them _");
    return;
  }
  const NodeId y = tensor(results[0], design.stack.at);
  const NodeId head = tied ? embedding : table("head", ir::Role::kOutput, {out_.width}, 0);
  out_.outputs = {builder().dot(y, head, {out_.width})};
  graph().bodies[0].outputs = out_.outputs;
}

void Elaborator::run(const Expr& instance_expr) {
  fill_holes_ = true;
  const auto d = static_cast<double>(choose(options_.width, {}, kDefaultWidth));
  graph().env.width = d;
  out_.width = new_axis("D", {d, ir::Sym::atom(ir::Atom::kWidth)}, instance_expr.at);
  frame().width = out_.width;
  const InstancePtr instance = eval_instance(instance_expr, nullptr);
  if (!instance) return;
  std::vector<Value> inputs;
  const std::size_t count = instance->kind == Instance::Kind::kUnit ? instance->unit->inputs.size() : 1;
  for (std::size_t i = 0; i < count; ++i)
    inputs.push_back(make(builder().add({.op = Op::kInput,
                                         .type = ir::Type{{ir::kTime, out_.width}, 0},
                                         .index = static_cast<std::int32_t>(i)})));
  // Errors of a unit of the checked program point to its own text, because no call of it is written anywhere.
  const Position at = instance->kind == Instance::Kind::kUnit && !instance->unit->inputs.empty()
                          ? instance->unit->inputs[0].at
                          : instance_expr.at;
  const std::vector<Value> results = call(instance, inputs, out_.width, "unit", at);
  if (!out_.ok()) return;
  for (const Value& v : results) out_.outputs.push_back(tensor(v, at));
  graph().bodies[0].outputs = out_.outputs;
}

std::string text_of(const std::vector<Move>& moves) {
  std::string out;
  for (const Move& m : moves)
    out += fmt::format("{}{}.{} {:g} to {:g}", out.empty() ? "" : ", ", m.unit, m.hyper, m.from, m.to);
  return out;
}

Elaboration elaborate(const Library& library, const Design& design, const ElaborateOptions& options) {
  Elaboration out;
  out.moves = options.moves;
  Elaborator(library, options, out).run(design);
  return out;
}

Elaboration elaborate(const Library& library, const Expr& instance, const ElaborateOptions& options) {
  Elaboration out;
  Elaborator(library, options, out).run(instance);
  return out;
}

}  // namespace gabbro::lang
