#include "evolve/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evolve/identity.h"
#include "exec/reference/screen.h"
#include "exec/reference/work.h"
#include "ir/canonical.h"
#include "ir/facts.h"
#include "ir/narrow.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::evolve {

namespace {

// Tokens of the vocabulary of small runs.
constexpr std::int64_t kVocab = 31;

Error named(const char* cause, const KnownDesign& known, const std::string& how) {
  return {cause, fmt::format("{}, #{}, {}", known.name, known.id, how), "", {}};
}

void set_costs(const Sized& sized, record::DesignBorn& out) {
  const ir::Graph& graph = sized.subject.elaboration.graph;
  const ir::Facts facts = ir::derive_facts(graph);
  ir::SymEnv env = graph.env;
  env.context = static_cast<double>(sized.length);
  out.train_flops = facts.train_flops.eval(env);
  out.decode_flops = facts.decode_flops.eval(env);
  out.state_bytes = facts.state_bytes.eval(env);
}

// Facts that may be others at another width: a design that has no width at a rung, or mixes no tokens there, can never win there.
Result<bool> mixes_at(const Sized& sized, const Rung& rung) {
  const ir::Graph& graph = sized.subject.elaboration.graph;
  if (!ir::dead_params(graph).empty())
    return fail("no gradient", fmt::format("at {}, D = {:g}: none reaches {}", rung.name, graph.env.width,
                                           graph.params[ir::dead_params(graph).front()].name));
  const std::vector<ir::Reach> reach = ir::infer_reach(graph);
  const ir::Reach r = reach[graph.bodies[0].outputs[0]];
  if (!r.empty() && r.first < 0) return true;
  return fail("no mixing",
              fmt::format("at {}, D = {:g}: no output reads an earlier token", rung.name, graph.env.width));
}

Result<bool> within_limits(const record::DesignBorn& born, const Population& population) {
  double train = 0, decode = 0, state = 0;
  for (const Individual& i : population.individuals())
    if (is_baseline(i)) {
      train = std::max(train, i.born.train_flops);
      decode = std::max(decode, i.born.decode_flops);
      state = std::max(state, i.born.state_bytes);
    }
  const Limits& limits = population.settings().limits;
  const auto check = [](const char* what, double value, double most, double factor) -> Result<bool> {
    if (factor <= 0 || most <= 0 || value <= factor * most) return true;
    return fail("cost", fmt::format("{}: {:.3g}, {:.1f} times the most of a baseline; the limit is {:g}",
                                    what, value, value / most, factor));
  };
  if (const auto ok = check("training FLOPs a token", born.train_flops, train, limits.train_flops); !ok)
    return tl::unexpected(ok.error());
  if (const auto ok = check("decoding FLOPs a token", born.decode_flops, decode, limits.decode_flops); !ok)
    return tl::unexpected(ok.error());
  return check("bytes of decoding state", born.state_bytes, state, limits.state_bytes);
}

record::DesignBorn identify(const lang::Subject& subject, const lang::Program& program) {
  record::DesignBorn out;
  out.name = subject.name;
  out.program = lang::print(program);
  out.hash = to_hex(subject.hash);
  out.species = species_of(subject.elaboration.graph);
  return out;
}

Result<lang::Subject> checked(const lang::Program& program, const lang::Library& library) {
  lang::CheckReport report = lang::check(program, library);
  if (!report.valid()) return tl::unexpected(report.errors.front());
  if (report.subjects.empty() || !report.subjects.back().is_design)
    return fail("design", "the program holds no design", "add `design Name:` with a stack");
  return std::move(report.subjects.back());
}

// What types cannot say of it: run small with the structure of a rung's width, forward and backward.
Result<bool> trainable(const Sized& sized) {
  const exec::Screening s =
      exec::screen(ir::narrowest(sized.subject.elaboration.graph, kVocab), 1, sized.length);
  if (s.passes()) return true;
  const std::string cause = s.cause == "finite" ? "not finite" : s.cause == "size" ? "cost" : "no " + s.cause;
  return fail(cause, s.detail);
}

// The design of every rung.
Result<std::vector<Sized>> at_rungs(const lang::Program& program, const Settings& settings,
                                    const lang::Library& library) {
  std::vector<Sized> out;
  for (const Rung& rung : settings.rungs) {
    GABBRO_TRY(sized, sized_at(program, rung, settings, library));
    out.push_back(std::move(sized));
  }
  return out;
}

// Hashes at the sizes of `rungs`, the first ones of the ladder: what their workers report.
void set_hashes(std::span<const Sized> rungs, record::DesignBorn& out) {
  for (const Sized& sized : rungs)
    out.sized.push_back(to_hex(ir::structural_hash(sized.subject.elaboration.graph)));
}

// Identities at the sizes of the first rung and all others.
void identify(std::span<const Sized> rungs, record::DesignBorn& out) {
  out.trained.clear();
  for (const Sized& sized : rungs) out.trained += trained_identity(sized);
  out.trained = to_hex(hash128(out.trained));
}

// Whether it trains as `known` does at every rung. Rung by rung: most differ at the first.
Comparison compare(std::span<const Sized> rungs, const KnownDesign& known, const Settings& settings,
                   const lang::Library& library) {
  Comparison out{true, true, ""};
  for (std::size_t r = 0; r < rungs.size() && out.same; ++r) {
    const auto other = sized_at(*known.program, settings.rungs[r], settings, library);
    if (!other) return {false, true, "it has no size at " + settings.rungs[r].name};
    out = compare_trainings(rungs[r], *other);
  }
  return out;
}

// The known design that the design of `rungs` is, and by what.
std::optional<Error> known_as(std::span<const Sized> rungs, record::DesignBorn& born,
                              const Population& population, const lang::Library& library) {
  if (const KnownDesign* known = population.known_trained(born.trained))
    return named("duplicate", *known, "has the same structure at every rung");
  if (born.fingerprint.empty()) return {};
  for (const KnownDesign& known : population.known_traces(born.fingerprint)) {
    const Comparison c = compare(rungs, known, population.settings(), library);
    if (c.same) return named("same function", known, "has the same losses and gradients at every rung");
    if (!c.decided) born.undecided = known.id;
  }
  return {};
}

}  // namespace

Result<record::DesignBorn> screen(const Offspring& offspring, const Population& population,
                                  const lang::Library& library) {
  std::optional<lang::Subject> own;
  if (!offspring.subject) {
    GABBRO_TRY(subject, checked(offspring.program, library));
    own = std::move(subject);
  }
  const lang::Subject& subject = own ? *own : *offspring.subject;
  const Settings& settings = population.settings();
  record::DesignBorn out = identify(subject, offspring.program);
  GABBRO_TRY(rungs, at_rungs(offspring.program, settings, library));
  for (std::size_t r = 0; r < rungs.size(); ++r)
    if (const auto ok = mixes_at(rungs[r], settings.rungs[r]); !ok) return tl::unexpected(ok.error());
  set_costs(rungs.front(), out);
  if (const auto ok = within_limits(out, population); !ok) return tl::unexpected(ok.error());
  identify(rungs, out);
  if (population.known_trained(out.trained) == nullptr)
    for (std::size_t r = 0; r < rungs.size(); ++r)
      if (r == 0 || rungs[r].subject.elaboration.graph.width_bound)
        if (const auto ok = trainable(rungs[r]); !ok) return tl::unexpected(ok.error());
  out.fingerprint = trace_of(rungs.front());
  set_hashes(rungs, out);
  if (const auto same = known_as(rungs, out, population, library)) return tl::unexpected(*same);
  out.op = offspring.op;
  out.parent = offspring.parent;
  out.mate = offspring.mate;
  return out;
}

Result<record::DesignBorn> measure(const lang::Program& program, const Settings& settings,
                                   const lang::Library& library) {
  GABBRO_TRY(subject, checked(program, library));
  record::DesignBorn out = identify(subject, program);
  std::vector<Sized> rungs;
  for (const Rung& rung : settings.rungs) {
    auto sized = sized_at(program, rung, settings, library);
    if (!sized && rungs.empty()) return tl::unexpected(sized.error());
    if (!sized) break;
    rungs.push_back(std::move(*sized));
  }
  set_costs(rungs.front(), out);
  set_hashes(rungs, out);
  if (rungs.size() == settings.rungs.size()) identify(rungs, out);
  out.fingerprint = trace_of(rungs.front());
  return out;
}

std::string equal_known(const record::DesignBorn& born, const Population& population,
                        const lang::Library& library) {
  const lang::ParseResult parsed = lang::parse(born.program);
  const auto rungs = at_rungs(parsed.program, population.settings(), library);
  if (!rungs) return "";
  record::DesignBorn copy = born;
  const auto same = known_as(*rungs, copy, population, library);
  return same ? same->message.substr(0, same->message.find(',')) : "";
}

}  // namespace gabbro::evolve
