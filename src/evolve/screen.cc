#include "evolve/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evolve/depth.h"
#include "exec/reference/fingerprint.h"
#include "exec/reference/screen.h"
#include "lang/check.h"
#include "lang/printer.h"
#include "lang/resize.h"

namespace gabbro::evolve {

namespace {

// Small enough to be evaluated at once; every zoo unit works at it.
constexpr std::int64_t kFingerprintWidth = 16, kFingerprintVocab = 16;

// `library` with the items of `program`, which outlives it.
lang::Library with(const lang::Library& library, const lang::Program& program) {
  lang::Library out = library;
  out.add(program);
  return out;
}

// Values to six digits: equal functions agree in them but where rounding falls on a border, which misses a duplicate and never makes one.
std::string fingerprint_of(const lang::Design& design, const lang::Library& names) {
  const lang::Elaboration e =
      lang::elaborate(names, design, {.width = kFingerprintWidth, .vocab = kFingerprintVocab});
  if (!e.ok()) return "";  // it does not exist at this width
  const exec::Fingerprint f = exec::fingerprint(e.graph, e.outputs);
  for (const double v : f.values)
    if (!std::isfinite(v)) return "";  // trainable() says more
  return fmt::format("{:.5e} {:.5e} {:.5e} {:.5e} {}", f.values[0], f.values[1], f.values[2], f.values[3],
                     f.params);
}

// The width at which `design` has the parameters of `rung`.
Result<lang::Resized> sized(const lang::Design& design, const Rung& rung, const Settings& settings,
                            const lang::Library& names) {
  auto resized = lang::resize(names, design, rung.params, settings.vocab);
  if (!resized)
    return fail("size", fmt::format("at {}: {}", rung.name, resized.error().message), resized.error().hint);
  return resized;
}

// Costs at the first rung.
Result<bool> fit(const lang::Design& design, const Settings& settings, const lang::Library& names,
                 record::DesignBorn& out) {
  const Rung& rung = settings.rungs.front();
  GABBRO_TRY(resized, sized(design, rung, settings, names));
  lang::Subject subject;
  subject.is_design = true;
  subject.elaboration = lang::elaborate(
      names, design, {.width = resized.width, .vocab = settings.vocab, .free_scale = resized.free_scale});
  lang::complete(subject);
  if (!subject.elaboration.ok()) return tl::unexpected(subject.elaboration.errors.front());
  ir::SymEnv env = subject.elaboration.graph.env;
  env.context = static_cast<double>(rung.length);
  out.train_flops = subject.facts.train_flops.eval(env);
  out.decode_flops = subject.facts.decode_flops.eval(env);
  out.state_bytes = subject.facts.state_bytes.eval(env);
  return true;
}

// A design that has no width at a rung above can never win there: its runs below would be spent for nothing. Units are the same at every depth.
Result<bool> can_climb(const lang::Program& program, const Settings& settings, const lang::Library& names) {
  for (std::size_t r = 1; r < settings.rungs.size(); ++r) {
    const Rung& rung = settings.rungs[r];
    const lang::Program deeper = deepened(program, rung.depth);
    if (const auto ok = sized(*lang::last_design(deeper), rung, settings, names); !ok)
      return tl::unexpected(ok.error());
  }
  return true;
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

// What types cannot say of it: run small, forward and backward.
Result<bool> trainable(const lang::Program& program, const lang::Library& library) {
  const lang::CheckReport small = lang::check_small(program, library);
  if (!small.valid()) return tl::unexpected(small.errors.front());
  const exec::Screening s = exec::screen(small.subjects.back().elaboration.graph);
  if (s.passes()) return true;
  const std::string cause = s.cause == "finite" ? "not finite" : s.cause == "size" ? "cost" : "no " + s.cause;
  return fail(cause, s.detail);
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
  record::DesignBorn out = identify(subject, offspring.program);
  if (population.knows_hash(out.hash)) return fail("duplicate", "a design of hash " + out.hash + " is known");
  if (!subject.facts.mixes_tokens) return fail("no mixing", "no output reads an earlier token");
  const lang::Library names = with(library, offspring.program);
  const lang::Design& design = *lang::last_design(offspring.program);
  out.fingerprint = fingerprint_of(design, names);
  if (!out.fingerprint.empty() && population.knows_function(out.fingerprint))
    return fail("same function", "a design of fingerprint " + out.fingerprint + " is known");
  if (const auto ok = trainable(offspring.program, library); !ok) return tl::unexpected(ok.error());
  if (const auto ok = fit(design, population.settings(), names, out); !ok) return tl::unexpected(ok.error());
  if (const auto ok = within_limits(out, population); !ok) return tl::unexpected(ok.error());
  if (const auto ok = can_climb(offspring.program, population.settings(), names); !ok)
    return tl::unexpected(ok.error());
  out.op = offspring.op;
  out.parent = offspring.parent;
  out.mate = offspring.mate;
  return out;
}

Result<record::DesignBorn> measure(const lang::Program& program, const Settings& settings,
                                   const lang::Library& library) {
  GABBRO_TRY(subject, checked(program, library));
  record::DesignBorn out = identify(subject, program);
  const lang::Library names = with(library, program);
  const lang::Design& design = *lang::last_design(program);
  out.fingerprint = fingerprint_of(design, names);
  if (const auto ok = fit(design, settings, names, out); !ok) return tl::unexpected(ok.error());
  return out;
}

}  // namespace gabbro::evolve
