// fuzz_leaks COUNT SEED [all]: COUNT designs in the torch backend with extreme values wherever a position does not look.
//
// Each case is a unit or a design (written to leak, random, or of the zoo), a way to lower it, and a batch of rows with documents. Everything that
// the watched positions do not see changes: what follows in their document, the documents around it, the other rows; some of it to infinity, NaN,
// numbers that overflow, denormal ones. Outputs of the watched positions must keep their bits, and so must the gradients at positions that the
// changed adjoints do not reach. A finding prints seed, case and program and ends with status 1; with `all` it goes on to the next.
//
// slice: 150
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "edit/build.h"
#include "edit/edit.h"
#include "edit/generate.h"
#include "exec/reference/reference.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "torch/hostile.h"
#include "torch/perturbed.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;
using testing::Layout;
using testing::Watched;

constexpr std::int64_t kLength = 160, kWidth = 16, kVocab = 32, kHot = 4;  // the last kHot tokens have extreme embeddings

struct Subject {
  std::string kind, text;
  lang::Elaboration elaboration;
};

std::optional<Subject> unit_of(const lang::Program& program, const std::string& name, std::string kind) {
  lang::Library library = zoo::library();
  if (!library.add(program).empty()) return std::nullopt;
  lang::ElaborateOptions options;
  options.width = kWidth;
  Subject out{std::move(kind), lang::print(program), lang::elaborate(library, edit::build::name(name), options)};
  if (out.text.empty()) out.text = name;
  if (!out.elaboration.ok()) return std::nullopt;
  return out;
}

std::map<std::string, int> refusals;

std::optional<Subject> hostile(Random& random) {
  const std::string text = testing::HostileUnit(random).write();
  lang::ParseResult parsed = lang::parse(text);
  if (!parsed.errors.empty()) {
    ++refusals[parsed.errors[0].message];
    return std::nullopt;
  }
  edit::tidy(parsed.program);
  auto out = unit_of(parsed.program, "Hostile", "hostile");
  if (!out) {
    lang::Library library = zoo::library();
    (void)library.add(parsed.program);
    lang::ElaborateOptions options;
    options.width = kWidth;
    const auto e = lang::elaborate(library, edit::build::name("Hostile"), options);
    if (!e.errors.empty()) ++refusals[e.errors[0].message];
  }
  return out;
}

std::vector<std::string> zoo_units() {
  std::vector<std::string> out;
  for (const zoo::Entry& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items)
      if (const auto* unit = std::get_if<lang::Unit>(&item.value)) out.push_back(unit->name);
  return out;
}

std::optional<Subject> design_of(const lang::Program& program) {
  lang::Library library = zoo::library();
  if (!library.add(program).empty()) return std::nullopt;
  const auto design = edit::design_of(program);
  if (!design) return std::nullopt;
  lang::ElaborateOptions options;
  options.width = kWidth;
  options.vocab = kVocab;
  Subject out{"design", lang::print(program), lang::elaborate(library, **design, options)};
  if (!out.elaboration.ok() || out.elaboration.graph.bodies[0].nodes.size() > 600) return std::nullopt;
  return out;
}

std::optional<Subject> draw(Random& random, edit::CodeBook& book) {
  const double kind = random.uniform();
  if (kind < 0.6) return hostile(random);
  if (kind < 0.8) {
    lang::Program program;
    lang::Item item;
    item.value = edit::random_unit(random, edit::UnitKind::kMixer, "Made", 8);
    program.items.push_back(std::move(item));
    return unit_of(program, "Made", "random unit");
  }
  if (kind < 0.92) {
    static const std::vector<std::string> kUnits = zoo_units();
    return unit_of({}, random.pick(kUnits), "zoo unit");
  }
  return design_of(edit::random_program(random, book, {.unit_size = 6, .most_layers = 2}));
}

std::vector<at::Tensor> draw_params(const ir::Graph& graph, Random& random, at::ScalarType dtype) {
  std::vector<at::Tensor> out;
  std::vector<exec::Tensor> params = exec::initial_params(graph, random);
  const bool extreme = random.chance(0.15);
  for (std::size_t p = 0; p < params.size(); ++p) {
    for (double& v : params[p].data) {
      v += 0.3 * random.normal();
      if (extreme && random.chance(0.05)) v = random.chance(0.5) ? 1e20 : -1e3;
    }
    const std::vector<std::int64_t> sizes(params[p].dims.begin(), params[p].dims.end());
    out.push_back(at::from_blob(params[p].data.data(), sizes, at::kDouble).to(dtype, false, true));
  }
  for (const ir::Node& node : graph.bodies[0].nodes) {
    if (node.op != ir::Op::kLookup || graph.node(0, node.in[1]).op != ir::Op::kTokens) continue;
    const ir::Node& table = graph.node(0, node.in[0]);
    if (table.op != ir::Op::kParam) continue;
    at::Tensor& x = out[static_cast<std::size_t>(table.index)];
    if (x.dim() != 2 || x.size(1) != kVocab) continue;
    for (std::int64_t token = kVocab - kHot; token < kVocab; ++token)
      x.select(1, token).fill_(testing::extreme_number(random));
  }
  return out;
}

class Case {
 public:
  Case(const Subject& subject, const testing::Lowering& how, Random& random)
      : random_(random),
        how_(how),
        runs_(subject.elaboration.graph, subject.elaboration.outputs, how),
        layout_(testing::random_layout(random, 1 + random.below(3), kLength)),
        params_(draw_params(subject.elaboration.graph, random, how.dtype)) {
    batch_.tokens = tokens(kVocab - kHot);
    if (layout_.packed)
      batch_.starts = at::tensor(layout_.starts, at::kLong).view({layout_.rows, layout_.length});
    const double seen = random.chance(0.1) ? 0.02 : 0;  // extreme values that the watched positions see
    for (int i = 0; i < runs_.inputs(); ++i)
      batch_.inputs.push_back(with_changes(at::zeros(runs_.input_shape(i, layout_.rows, kLength), how.dtype), seen,
                                           [](std::int64_t, std::int64_t) { return true; }));
  }

  /// "" or what differs.
  std::string forward() {
    const std::vector<at::Tensor> base = runs_.forward(params_, batch_);
    for (const double extremes : {0.0, random_.chance(0.5) ? 1.0 : 0.05}) {
      const std::string found = compare_forward(base, extremes, [&](std::int64_t row, std::int64_t t) { return unseen(row, t); });
      if (!found.empty()) return fmt::format("forward, {}: {}", parts(base, extremes), found);
    }
    return "";
  }

  std::string backward() {
    for (const auto& shape : runs_.seed_shapes(layout_.rows, kLength))
      batch_.inputs.push_back(with_changes(at::zeros(shape, how_.dtype), 0, [](std::int64_t, std::int64_t) { return true; }));
    const std::vector<at::Tensor> base = runs_.both(params_, batch_);
    const double extremes = random_.chance(0.3) ? 0 : random_.chance(0.5) ? 1.0 : 0.05;
    std::vector<at::Tensor> other = runs_.both(params_, changed_adjoints(extremes));
    const std::size_t outputs = runs_.seed_shapes(1, 1).size();
    for (std::size_t i = 0; i < base.size(); ++i) {
      const std::string found = testing::first_difference(base[i], other[i], layout_, [&](const Watched& w) {
        return i < outputs ? std::pair{w.start, w.end} : std::pair{w.place, w.end};
      });
      if (!found.empty()) return fmt::format("{} when earlier adjoints change: {}", i < outputs ? "outputs" : "gradient", found);
    }
    return "";
  }

  [[nodiscard]] std::string describe() const {
    std::string out = fmt::format("{}; rows", to_string(how_));
    for (const Watched& w : layout_.watched) out += fmt::format(" [{}, {}, {})", w.start, w.place, w.end);
    return out + (layout_.packed ? ", packed" : "");
  }

 private:
  using Where = std::function<bool(std::int64_t, std::int64_t)>;
  bool unseen(std::int64_t row, std::int64_t t) const { return testing::changes(layout_, row, t, true); }

  at::Tensor with_changes(const at::Tensor& x, double extremes, const Where& where) {
    return testing::with_changes(x, layout_, random_, extremes, where);
  }
  at::Tensor tokens(std::int64_t below) { return at::randint(0, below, {layout_.rows, layout_.length}, at::kLong); }

  exec::torch::Batch changed(double extremes, const Where& where) {
    exec::torch::Batch out = batch_;
    for (at::Tensor& x : out.inputs) x = with_changes(x, extremes, where);
    out.tokens = batch_.tokens.clone();
    for (std::int64_t row = 0; row < layout_.rows; ++row)
      for (std::int64_t t = 0; t < layout_.length; ++t)
        if (where(row, t)) out.tokens[row][t] = random_.below(extremes > 0 ? kVocab : kVocab - kHot);
    return out;
  }

  // Adjoints everywhere but in [place, end), values everywhere but in the document.
  exec::torch::Batch changed_adjoints(double extremes) {
    exec::torch::Batch out = changed(extremes, [&](std::int64_t row, std::int64_t t) { return testing::changes(layout_, row, t, false); });
    for (std::size_t i = static_cast<std::size_t>(runs_.inputs()); i < out.inputs.size(); ++i)
      out.inputs[i] = with_changes(batch_.inputs[i], extremes, [&](std::int64_t row, std::int64_t t) {
        const Watched& w = layout_.watched[static_cast<std::size_t>(row)];
        return t < w.place || t >= w.end;
      });
    return out;
  }

  std::string compare_forward(const std::vector<at::Tensor>& base, double extremes, const Where& where) {
    const std::vector<at::Tensor> other = runs_.forward(params_, changed(extremes, where));
    for (std::size_t i = 0; i < base.size(); ++i) {
      const std::string found = testing::first_difference(base[i], other[i], layout_, [](const Watched& w) { return std::pair{w.start, w.place}; });
      if (!found.empty()) return found;
    }
    return "";
  }

  // Which of the parts that a watched position does not see matter.
  std::string parts(const std::vector<at::Tensor>& base, double extremes) {
    std::string out;
    const auto watched = [&](std::int64_t row) -> const Watched& { return layout_.watched[static_cast<std::size_t>(row)]; };
    const std::pair<const char*, Where> kParts[] = {
        {"future", [&](std::int64_t row, std::int64_t t) { return t >= watched(row).place && t < watched(row).end; }},
        {"document before", [&](std::int64_t row, std::int64_t t) { return t < watched(row).start; }},
        {"document after", [&](std::int64_t row, std::int64_t t) { return t >= watched(row).end; }}};
    for (const auto& [name, where] : kParts)
      for (int tries = 0; tries < 3; ++tries)
        if (!compare_forward(base, extremes, where).empty()) {
          out += (out.empty() ? "" : ", ") + std::string(name);
          break;
        }
    return out.empty() ? "together" : out;
  }

  Random& random_;
  testing::Lowering how_;
  testing::Runs runs_;
  Layout layout_;
  std::vector<at::Tensor> params_;
  exec::torch::Batch batch_;
};

int run(std::uint64_t count, std::uint64_t seed, bool all) {
  at::set_num_threads(1);
  const c10::InferenceMode no_autograd;
  edit::CodeBook book(zoo::library());
  std::map<std::string, int> kinds, found_kinds;
  int refused = 0, findings = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0, done = 0; done < count; ++i) {
    Random random = Random(seed).split(i);
    const std::optional<Subject> subject = draw(random, book);
    if (!subject) {
      ++refused;
      continue;
    }
    ++done;
    ++kinds[subject->kind];
    at::manual_seed(mix(seed, i));
    const testing::Lowering how = testing::random_lowering(random);
    std::string what, description;
    try {
      Case one(*subject, how, random);
      description = one.describe();
      what = one.forward();
      if (what.empty()) what = one.backward();
    } catch (const c10::Error& error) {
      what = "throws " + std::string(error.what_without_backtrace());
    }
    if (what.empty()) continue;
    fmt::print("fuzz_leaks: seed {} case {} ({}): {}\n  {}\n{}\n", seed, i, subject->kind, what, description, subject->text);
    std::fflush(stdout);
    if (!all) return 1;
    ++findings;
    ++found_kinds[subject->kind];
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("fuzz_leaks: seed {}: {} designs (", seed, count);
  for (const auto& [kind, n] : kinds) fmt::print(" {} {}", n, kind);
  fmt::print(" ), {} draws that do not check; {} findings; {:.1f} designs/s\n", refused, findings, static_cast<double>(count) / seconds);
  if (std::getenv("GABBRO_FUZZ_REFUSALS"))
    for (const auto& [message, n] : refusals) fmt::print("{} {}\n", n, message);
  return findings > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc < 3 ? 0 : std::strtoull(argv[1], nullptr, 10);
  if (count == 0) {
    fmt::print(stderr, "usage: fuzz_leaks COUNT SEED [all]\n");
    return 2;
  }
  return run(count, std::strtoull(argv[2], nullptr, 10), argc > 3);
}
