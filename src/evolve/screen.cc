#include "evolve/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evolve/identity.h"
#include "exec/reference/predicted_cost.h"
#include "exec/reference/screen.h"
#include "ir/canonical.h"
#include "ir/facts.h"
#include "ir/narrow.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::evolve {

namespace {

// Vocabulary size of small runs.
constexpr std::int64_t kVocab = 31;
// Bound on the operations of all comparisons of a draw with known designs: some ten seconds. The comparison
// that exceeds it still finishes.
constexpr double kMostOperationsOfDraw = 8 * kMostOperations;

Error duplicate_error(const char* cause, const KnownDesign& known, const std::string& how) {
  return {cause, fmt::format("{}, #{}, {}", known.name, known.id, how), "", {}};
}

ir::TokenCosts costs_of(const Sized& sized) {
  const ir::Graph& graph = sized.subject.elaboration.graph;
  return ir::token_costs(ir::derive_facts(graph), graph.env, sized.sequences, sized.length);
}

void set_costs(const Sized& sized, record::DesignCreated& out) {
  const ir::TokenCosts costs = costs_of(sized);
  out.train_flops = costs.train_flops;
  out.decode_flops = costs.decode_flops;
  out.state_bytes = costs.state_bytes;
}

// Refuses a design that has dead parameters at a rung, or mixes no tokens there, since it can never win
// there. Both may differ between widths.
Result<bool> check_mixing(const Sized& sized, const Rung& rung) {
  const ir::Graph& graph = sized.subject.elaboration.graph;
  if (!ir::dead_params(graph).empty())
    return fail("no gradient",
                fmt::format("at {}, D = {:g}: no gradient reaches {}", rung.name, graph.env.width,
                            graph.params[ir::dead_params(graph).front()].name));
  const std::vector<ir::Reach> reach = ir::infer_reach(graph);
  const ir::Reach r = reach[graph.bodies[0].outputs[0]];
  if (!r.empty() && r.first < 0) return true;
  return fail("no mixing",
              fmt::format("at {}, D = {:g}: no output reads an earlier token", rung.name, graph.env.width));
}

// Checks the costs of a design at a rung. The maximum of baselines is known at the first rung only; it is
// scaled by the growth of parameters and of lengths.
Result<bool> check_limits(const ir::TokenCosts& costs, std::size_t rung, const Population& population) {
  ir::TokenCosts most;
  for (const Individual& i : population.individuals())
    if (is_baseline(i)) {
      most.train_flops = std::max(most.train_flops, i.created.train_flops);
      most.decode_flops = std::max(most.decode_flops, i.created.decode_flops);
      most.state_bytes = std::max(most.state_bytes, i.created.state_bytes);
    }
  const SearchSettings& settings = population.settings();
  const Rung &first = settings.rungs.front(), &own = settings.rungs[rung];
  const double growth = std::max(1.0, static_cast<double>(own.params) / static_cast<double>(first.params)) *
                        std::max(1.0, static_cast<double>(own.length) / static_cast<double>(first.length));
  const auto check = [&](const char* what, double value, double share, double at_first, double factor,
                         double bound) -> Result<bool> {
    // A share of more than 1 % is named, since a formula per token does not show it.
    const std::string of_which =
        share <= 0.01 * value
            ? ""
            : fmt::format(" ({:.3g} of it is work on parameters and constants alone, shared by all tokens)",
                          share);
    if (bound > 0 && value > bound)
      return fail("cost", fmt::format("{} at {}: {:.4g}{}, but the preset allows {:.4g}", what, own.name,
                                      value, of_which, bound));
    const double baseline = at_first * growth;
    if (factor <= 0 || baseline <= 0 || value <= factor * baseline) return true;
    return fail(
        "cost",
        fmt::format(
            "{} at {}: {:.3g}{}, {:.1f} times the highest value of a baseline; the limit is {:g} times", what,
            own.name, value, of_which, value / baseline, factor));
  };
  const DesignLimits& limits = settings.limits;
  if (const auto ok = check("training FLOPs per token", costs.train_flops, costs.train_share,
                            most.train_flops, limits.train_flops, limits.most_train_flops);
      !ok)
    return ok;
  if (const auto ok = check("decoding FLOPs per token", costs.decode_flops, costs.decode_share,
                            most.decode_flops, limits.decode_flops, limits.most_decode_flops);
      !ok)
    return ok;
  return check("bytes of decoding state", costs.state_bytes, 0, most.state_bytes, limits.state_bytes,
               limits.most_state_bytes);
}

// Returns the design with its name, text, structural hash and species.
record::DesignCreated describe(const lang::Subject& subject, const lang::Program& program) {
  record::DesignCreated out;
  out.name = subject.name;
  out.program = lang::print(program);
  out.hash = to_hex(subject.hash);
  out.species = species_of(subject.elaboration.graph);
  return out;
}

Result<lang::Subject> check_design(const lang::Program& program, const lang::Library& library) {
  lang::CheckReport report = lang::check(program, library);
  if (!report.valid()) return tl::unexpected(report.errors.front());
  if (report.subjects.empty() || !report.subjects.back().is_design)
    return fail("design", "the program contains no design", "add `design Name:` with a stack");
  return std::move(report.subjects.back());
}

// Checks what types cannot express: runs the design small, with the structure of a rung's width, forward and
// backward.
Result<bool> check_trainable(const Sized& sized) {
  const exec::Screening s =
      exec::screen(ir::narrowest(sized.subject.elaboration.graph, kVocab), 1, sized.length);
  if (s.passes()) return true;
  return fail(s.lack == exec::Lack::kFinite   ? "not finite"
              : s.lack == exec::Lack::kSize   ? "cost"
              : s.lack == exec::Lack::kMixing ? "no mixing"
                                              : "no gradient",
              s.detail);
}

// Returns the design as it is trained at each rung.
Result<std::vector<Sized>> size_at_rungs(const lang::Program& program, const SearchSettings& settings,
                                         const lang::Library& library) {
  std::vector<Sized> out;
  for (const Rung& rung : settings.rungs) {
    GABBRO_TRY(sized, sized_at(program, rung, settings, library));
    out.push_back(std::move(sized));
  }
  return out;
}

// Sets the hashes at the sizes of `rungs`, the first ones of the ladder. Workers report the same hashes.
void set_hashes(std::span<const Sized> rungs, record::DesignCreated& out) {
  for (const Sized& sized : rungs)
    out.sized.push_back(to_hex(ir::structural_hash(sized.subject.elaboration.graph)));
}

// Sets the identity, which joins the identities at all rungs.
void set_identity(std::span<const Sized> rungs, record::DesignCreated& out) {
  out.trained.clear();
  for (const Sized& sized : rungs) out.trained += trained_identity(sized);
  out.trained = to_hex(hash128(out.trained));
}

// Compares the training with that of `known` at every rung, one rung after the other, since most designs
// differ at the first.
TrainingComparison compare(std::span<const Sized> rungs, const KnownDesign& known,
                           const SearchSettings& settings, const lang::Library& library) {
  TrainingComparison out{true, true, ""};
  for (std::size_t r = 0; r < rungs.size() && out.same; ++r) {
    const auto other = sized_at(*known.program, settings.rungs[r], settings, library);
    const double before = out.operations;
    if (!other) return {false, true, "it has no size at " + settings.rungs[r].name, before};
    out = compare_trainings(rungs[r], *other);
    out.operations += before;
  }
  return out;
}

// Returns the error that names the known design equal to the design of `rungs`, if there is one. Sets
// `created.undecided` if some design could not be compared.
std::optional<Error> find_duplicate(std::span<const Sized> rungs, record::DesignCreated& created,
                                    const Population& population, const lang::Library& library) {
  if (const KnownDesign* known = population.design_with_identity(created.trained))
    return duplicate_error("duplicate", *known, "has the same structure at every rung");
  if (created.fingerprint.empty()) return {};
  double operations = 0;
  for (const KnownDesign& known : population.designs_with_fingerprint(created.fingerprint)) {
    if (operations > kMostOperationsOfDraw) {  // the remaining ones count as different
      created.undecided = known.id;
      break;
    }
    const TrainingComparison c = compare(rungs, known, population.settings(), library);
    operations += c.operations;
    if (c.same)
      return duplicate_error("same function", known, "has the same losses and gradients at every rung");
    if (!c.decided) created.undecided = known.id;
  }
  return {};
}

}  // namespace

Result<record::DesignCreated> screen(const Offspring& offspring, const Population& population,
                                     const lang::Library& library) {
  std::optional<lang::Subject> own;
  if (!offspring.subject) {
    GABBRO_TRY(subject, check_design(offspring.program, library));
    own = std::move(subject);
  }
  const lang::Subject& subject = own ? *own : *offspring.subject;
  const SearchSettings& settings = population.settings();
  record::DesignCreated out = describe(subject, offspring.program);
  GABBRO_TRY(rungs, size_at_rungs(offspring.program, settings, library));
  for (std::size_t r = 0; r < rungs.size(); ++r)
    if (const auto ok = check_mixing(rungs[r], settings.rungs[r]); !ok) return tl::unexpected(ok.error());
  set_costs(rungs.front(), out);
  for (std::size_t r = 0; r < rungs.size(); ++r)
    if (const auto ok = check_limits(costs_of(rungs[r]), r, population); !ok)
      return tl::unexpected(ok.error());
  set_identity(rungs, out);
  if (population.design_with_identity(out.trained) == nullptr)
    for (std::size_t r = 0; r < rungs.size(); ++r)
      if (r == 0 || rungs[r].subject.elaboration.graph.width_bound)
        if (const auto ok = check_trainable(rungs[r]); !ok) return tl::unexpected(ok.error());
  out.fingerprint = trace_of(rungs.front());
  set_hashes(rungs, out);
  if (const auto same = find_duplicate(rungs, out, population, library)) return tl::unexpected(*same);
  out.provenance = offspring.provenance;
  out.parent = offspring.parent;
  out.second_parent = offspring.second_parent;
  return out;
}

Result<record::DesignCreated> measure(const lang::Program& program, const SearchSettings& settings,
                                      const lang::Library& library) {
  GABBRO_TRY(subject, check_design(program, library));
  record::DesignCreated out = describe(subject, program);
  std::vector<Sized> rungs;
  for (const Rung& rung : settings.rungs) {
    auto sized = sized_at(program, rung, settings, library);
    if (!sized && rungs.empty()) return tl::unexpected(sized.error());
    if (!sized) break;
    rungs.push_back(std::move(*sized));
  }
  set_costs(rungs.front(), out);
  set_hashes(rungs, out);
  if (rungs.size() == settings.rungs.size()) set_identity(rungs, out);
  out.fingerprint = trace_of(rungs.front());
  return out;
}

Result<double> train_flops_at(const lang::Program& program, const Rung& rung, const SearchSettings& settings,
                              const lang::Library& library) {
  GABBRO_TRY(sized, sized_at(program, rung, settings, library));
  return costs_of(sized).train_flops;
}

std::string find_equal(const record::DesignCreated& created, const Population& population,
                       const lang::Library& library) {
  const lang::ParseResult parsed = lang::parse(created.program);
  const auto rungs = size_at_rungs(parsed.program, population.settings(), library);
  if (!rungs) return "";
  record::DesignCreated copy = created;
  const auto same = find_duplicate(*rungs, copy, population, library);
  return same ? same->message.substr(0, same->message.find(',')) : "";
}

}  // namespace gabbro::evolve
