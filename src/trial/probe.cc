#include "trial/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "exec/reference/screen.h"
#include "ir/narrow.h"
#include "lang/check.h"
#include "trial/engines.h"
#include "trial/first_text.h"
#include "trial/probe_checks.h"
#include "zoo/library.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

bool is_same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

void Check::compare(const std::vector<double>& got, const std::vector<double>& want, const std::string& where,
                    double slack) {
  double size = 1;
  for (const double v : want) size = std::max(size, std::abs(v));
  double difference = largest_difference(got, want) / (tolerance_ > 0 ? size : 1);
  // The difference of two NaNs is NaN, although they count as the same.
  if (tolerance_ == 0 && std::equal(got.begin(), got.end(), want.begin(), want.end(), is_same))
    difference = 0;
  ++comparisons_;
  worst_ = std::max(worst_, difference);
  if (!(difference <= tolerance_ + slack) && failure_.empty())
    failure_ =
        std::isnan(difference)
            ? fmt::format("{}: a value is not a number, or infinite, in one of them", where)
            : fmt::format("{}: differs by {:.3g}, allowed {:.3g}", where, difference, tolerance_ + slack);
}

void Check::require(bool holds, const std::string& failure) {
  ++comparisons_;
  if (!holds && failure_.empty()) failure_ = failure;
}

Anchor Check::anchor() const {
  if (!failure_.empty()) return {name_, false, failure_};
  if (comparisons_ == 0) return {name_, false, "nothing was compared"};
  std::string detail = note_;
  if (detail.empty())
    detail = worst_ == 0 ? fmt::format("identical in {} comparisons", comparisons_)
                         : fmt::format("at most {:.2g} apart in {} comparisons", worst_, comparisons_);
  return {name_, true, detail};
}

std::int64_t other_token(std::int64_t token, std::int64_t vocab, Random& random) {
  return (token + 1 + random.below(vocab - 1)) % vocab;
}

namespace {

bool all_finite(const exec::Tensor& x) {
  return std::all_of(x.data.begin(), x.data.end(), [](double v) { return std::isfinite(v); });
}

exec::Tensor run(const ir::Graph& graph, const std::vector<exec::Tensor>& params,
                 const std::vector<std::int64_t>& tokens) {
  return exec::evaluate(graph, graph.bodies[0].outputs, {.tokens = tokens, .inputs = {}, .params = params},
                        static_cast<std::int64_t>(tokens.size()))[0];
}

constexpr std::int64_t kShortest = 8;  // shortest text, in tokens

// Returns a text length that exceeds most shifts and windows, as far as memory allows: the gradient keeps
// several times as many elements.
std::int64_t text_length(const ir::Graph& graph) {
  constexpr double kMaxElements = 1 << 24;
  for (const std::int64_t length : {32, 24, 16})
    if (exec::elements_kept(graph, length) <= kMaxElements) return length;
  return kShortest;
}

// Returns true if no value on the way to the logits exceeds 1e12, so that sums of squares stay well within
// the range of float32. Constants of the program itself may be larger.
bool stays_small(const ir::Graph& graph, const Draw& draw) {
  constexpr double kMaxValue = 1e12;
  const auto& nodes = graph.bodies[0].nodes;
  const std::vector<bool> live = ir::live_nodes(graph, 0, graph.bodies[0].outputs);
  std::vector<ir::NodeId> wanted;
  for (std::size_t id = 0; id < nodes.size(); ++id)
    if (live[id] && nodes[id].op != ir::Op::kScan) wanted.push_back(static_cast<ir::NodeId>(id));
  for (const exec::Tensor& x :
       exec::evaluate(graph, wanted, {.tokens = draw.tokens, .inputs = {}, .params = draw.params},
                      static_cast<std::int64_t>(draw.tokens.size())))
    for (const double v : x.data)
      if (std::isnan(v) ||
          (std::isfinite(v) && std::abs(v) > kMaxValue && !exec::has_constant_near(graph, v)))
        return false;
  return true;
}

// Draws the text and random parameters. Designs without normalisation may overflow at values that training
// never meets, so smaller parameters are tried before the check fails. Returns false if it fails.
bool draw_values(const ir::Graph& graph, Random random, Draw& out, Check& finite) {
  for (std::int64_t t = text_length(graph); t > 0; --t)
    out.tokens.push_back(random.below(static_cast<std::int64_t>(graph.env.vocab)));
  finite.require(all_finite(run(graph, exec::initial_params(graph, random.split("initial")), out.tokens)),
                 "not all logits are finite with the initial parameters");
  bool found = false;
  for (double scale = 1; !found && scale > 0.01; scale /= 4) {
    Random stream = random.split("params");
    out.scale = scale;
    out.params = exec::random_params(graph, scale, stream);
    found = stays_small(graph, out);
  }
  found = all_finite(run(graph, out.params, out.tokens));
  finite.require(found, "not all logits are finite with random parameters, however small");
  finite.note(fmt::format("with the initial parameters and with random ones{}",
                          out.scale == 1 ? "" : fmt::format(" of scale {}", out.scale)));
  out.random = random.split("changes");
  return finite.holds();
}

// Checks "gradient" and "mixing" from the initial parameters too, since random parameters may open gates that
// training never opens.
void check_from_initialisation(const ir::Graph& graph, std::uint64_t seed, Checks& checks) {
  constexpr std::int64_t kLength = 256;
  const exec::Screening s = exec::screen_mixing_and_gradients(graph, seed, kLength);
  checks.gradient.require(s.lack != exec::Lack::kGradient, s.detail);
  checks.mixing.require(s.lack != exec::Lack::kMixing, s.detail);
}

std::vector<Anchor> anchors_of(const Checks& c, bool has_backend) {
  std::vector<Anchor> out{c.finite.anchor()};
  if (!out[0].holds) return out;
  for (const Check* check : {&c.future, &c.prefix, &c.step, &c.gradient, &c.mixing})
    out.push_back(check->anchor());
  if (has_backend)
    for (const Check* check : {&c.backend, &c.batch, &c.documents}) out.push_back(check->anchor());
  out.push_back(c.determinism.anchor());
  return out;
}

bool all_hold(const std::vector<Anchor>& anchors) {
  return std::all_of(anchors.begin(), anchors.end(), [](const Anchor& a) { return a.holds; });
}

// Checks random texts as long as those of training, with the initial weights. The length is halved until
// memory allows it.
std::vector<Anchor> whole_text(const ir::Graph& graph, const MakeModel& backend,
                               const ProbeOptions& options) {
  constexpr double kMaxElements = 1 << 27;
  std::int64_t length = options.whole_length;
  while (length > kShortest && exec::elements_kept(graph, length) > kMaxElements) length /= 2;
  Random random = Random(options.seed).split("whole text");
  std::vector<std::int64_t> tokens;
  for (std::int64_t t = 0; t <= length; ++t)
    tokens.push_back(random.below(static_cast<std::int64_t>(graph.env.vocab)));
  return first_text(graph, *backend(graph, options.seed), tokens, length,
                    exec::elements_kept(graph, 2 * length) <= kMaxElements);
}

}  // namespace

std::vector<Anchor> probe(const ir::Graph& graph, const MakeModel& backend, const ProbeOptions& options) {
  const double began = seconds_now();
  Checks checks;
  std::vector<Anchor> out;
  const auto goes_on = [&] {
    return seconds_now() - began < options.seconds && (!options.goes_on || options.goes_on());
  };
  for (std::uint64_t round = 0; round == 0 || goes_on(); ++round) {
    Draw numbers{.params = {}, .tokens = {}, .random = Random(0)};
    if (draw_values(graph, Random(options.seed).split(round), numbers, checks.finite)) {
      const std::set<std::string> silent = probe_reference(graph, numbers, checks);
      if (backend) probe_backend(graph, backend, numbers, silent, options, checks);
    }
    if (round == 0 && checks.finite.holds()) check_from_initialisation(graph, options.seed, checks);
    out = anchors_of(checks, static_cast<bool>(backend));
    if (!all_hold(out)) break;
  }
  return out;
}

ir::Graph small_graph(const ir::Graph& graph) {
  constexpr std::int64_t kVocab = 31, kWidth = 16;
  return ir::narrowest(graph, kVocab, kWidth);
}

Result<std::vector<Anchor>> probe_small(const ir::Graph& small, const MakeModel& backend,
                                        const ProbeOptions& options) {
  constexpr double kMaxElements = 1 << 25;
  const double elements = exec::elements_kept(small, kShortest);
  if (elements <= kMaxElements) return probe(small, backend, options);
  return fail("size",
              fmt::format("a run of {} tokens at D = {:g} keeps {:.3g} elements, but the probe allows {:.3g}",
                          kShortest, small.env.width, elements, kMaxElements),
              "make its parameters or its widest values smaller");
}

Result<record::ProbeReport> probe_program(const std::string& program, const MakeModel& backend,
                                          const ProbeOptions& options) {
  const double began = seconds_now();
  const lang::CheckReport written = lang::check(program, zoo::library());
  if (!written.valid()) return tl::unexpected(written.errors[0]);
  const lang::Subject& subject = written.subjects.back();
  if (!subject.is_design) return fail("design", "the program contains no design to probe");
  const ir::Graph graph = small_graph(subject.elaboration.graph);
  record::ProbeReport out;
  out.design = subject.name;
  out.hash = to_hex(subject.hash);
  out.width = std::llround(graph.env.width);
  out.params = ir::count_params(graph);
  GABBRO_TRY(checks, probe_small(graph, backend, options));
  out.checks = std::move(checks);
  if (backend && options.whole_length > 0 && all_hold(out.checks)) {
    for (Anchor& check : whole_text(graph, backend, options)) out.checks.push_back(std::move(check));
    const exec::Screening s = exec::screen(graph, options.seed, options.whole_length);
    out.checks.push_back({"screen", s.passes(),
                          s.passes() ? "a campaign would train it, as far as a small run can tell"
                                     : "a campaign refuses it: " + s.detail});
  }
  out.holds = all_hold(out.checks);
  out.seconds = seconds_now() - began;
  return out;
}

}  // namespace gabbro::trial
