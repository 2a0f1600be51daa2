// Compares training steps with recurrences in the form that training uses with a form that runs step by step,
// with an ATen call for each op. Both forms of the same small design run in turns in one process.
//
// bench_recurrences [MIXER...]: measures blocks of each mixer; with --alone only the mixers, with --bare only
// their scans. Prints milliseconds per step in both forms and their ratio, as medians over rounds. The ratio
// of processor times does not depend on other load on the machine. The first row has no recurrence: it shows
// what both forms spend outside of it. With several threads, the step form runs with one and with all of
// them, and the faster one counts. --pairs compares sums over the past pair by pair with convolutions
// instead.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <map>

#include "base/random.h"
#include "exec/torch/executor.h"
#include "exec/torch/model.h"
#include "exec/torch/profile.h"
#include "ir/fuse.h"
#include "ir/gradient.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

struct Options {
  std::vector<std::string> mixers;
  std::int64_t batch = 4, length = 512, width = 128, vocab = 512;
  int layers = 2, threads = 1, rounds = 3;
  bool alone = false, bare = false, profile = false;
  bool pairs = false;
  ir::RecurrenceOptions recurrences;
};

exec::TokenBatch random_batch(const Options& o, Random random) {
  exec::TokenBatch out{.sequences = o.batch, .length = o.length};
  for (std::int64_t i = 0; i < o.batch * o.length; ++i) {
    out.tokens.push_back(random.below(o.vocab));
    out.targets.push_back(random.below(o.vocab));
  }
  return out;
}

// Processor time and wall-clock time of one step.
struct Time {
  double processor = 0, wall = 0;
};

double median(std::vector<double> list) {
  std::sort(list.begin(), list.end());
  return list[list.size() / 2];
}

// Numbers of threads for the step form. Calls on a few values may be slower with several threads.
std::vector<int> thread_counts(const Options& o) {
  return o.threads > 1 ? std::vector<int>{1, o.threads} : std::vector<int>{1};
}

// Runs one training step in a form of the design. Only this call is timed. The batch depends on `round`.
using Form = std::function<void(int round)>;

Time time_of(const Form& form, int round) {
  const auto wall = std::chrono::steady_clock::now();
  const std::clock_t start = std::clock();
  form(round);
  const auto processor = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return {processor, std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count()};
}

void print_profile(const Form& form) {
  exec::torch::Profile profile(/*with_shapes=*/true);
  form(0);
  const auto rows = profile.stop();
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 25); ++i)
    fmt::print("    {:7.2f} ms {:5} x {} {}\n", 1e3 * rows[i].self_seconds, rows[i].calls, rows[i].name,
               rows[i].shapes);
}

// The times of a form, one per round.
struct Times {
  std::vector<double> processor, wall;
  void add(const Time& t) {
    processor.push_back(t.processor);
    wall.push_back(t.wall);
  }
};

// Times both forms in turns and prints a row of the table. `steps` holds the step form with one thread and,
// if there are several, with all of them. The faster one by wall-clock time counts.
void compare(const Options& o, const std::string& name, const Form& lowered, const std::vector<Form>& steps) {
  Times fast;
  std::vector<Times> slow(steps.size());
  for (int round = -1; round < o.rounds; ++round) {  // The first round warms up.
    std::vector<Time> slow_times;
    for (const Form& form : steps) slow_times.push_back(time_of(form, round));
    const Time fast_time = time_of(lowered, round);
    if (round < 0) continue;
    fast.add(fast_time);
    for (std::size_t i = 0; i < steps.size(); ++i) slow[i].add(slow_times[i]);
  }
  std::size_t best = 0;
  for (std::size_t i = 1; i < slow.size(); ++i)
    if (median(slow[i].wall) < median(slow[best].wall)) best = i;
  std::vector<double> ratios, wall_ratios;
  for (std::size_t r = 0; r < fast.wall.size(); ++r) {
    ratios.push_back(slow[best].processor[r] / fast.processor[r]);
    wall_ratios.push_back(slow[best].wall[r] / fast.wall[r]);
  }
  constexpr double kMs = 1e3;
  fmt::print("| {:<16} | {:>8.1f} | {:>9.1f} | {:>5.1f} | {:>8.1f} | {:>9.1f} | {:>5.1f} |\n", name,
             kMs * median(slow[best].processor), kMs * median(fast.processor), median(ratios),
             kMs * median(slow[best].wall), kMs * median(fast.wall), median(wall_ratios));
  if (o.profile) print_profile(lowered);
  std::fflush(stdout);
}

// Compares a training step of a design of `mixer`. Returns false if the design is refused.
bool compare_models(const Options& o, const std::string& mixer) {
  const std::string text = fmt::format("design M:\n    stack = [{} * {}, RMSNorm]\n", o.layers,
                                       o.alone ? mixer : fmt::format("Block(mixer={})", mixer));
  const lang::CheckReport report = lang::check(text, zoo::library(), {.width = o.width, .vocab = o.vocab});
  if (!report.valid()) {
    fmt::print(stderr, "bench_recurrences: {}\n", format_error(mixer, report.errors[0]));
    return false;
  }
  const ir::Graph& graph = report.subjects.back().elaboration.graph;
  const auto lowered =
      exec::torch::make_model(graph, 1, {.threads = o.threads, .recurrences = o.recurrences});
  exec::torch::ModelOptions step_options{.threads = o.threads};
  if (o.pairs)
    step_options.convolutions = false;
  else
    step_options.recurrences.reset(), step_options.programs = false;
  const auto step_of = [&o](exec::Model& model) -> Form {
    return [&o, &model](int round) { model.step(random_batch(o, Random(7).split(round + 1)), {}); };
  };
  std::vector<std::unique_ptr<exec::Model>> models;
  std::vector<Form> steps;
  for (const int threads : thread_counts(o)) {
    step_options.threads = threads;
    models.push_back(exec::torch::make_model(graph, 1, step_options));
    steps.push_back(step_of(*models.back()));
  }
  compare(o, mixer, step_of(*lowered), steps);
  return true;
}

// Reduces `unit` to its scans and their gradient with respect to all their inputs. The values that feed the
// scans become inputs of the graph. The scans are lowered by `recurrences`; null: they keep their steps.
// `wanted` receives the nodes of the outputs, then those of the gradients.
ir::Graph bare(const ir::Graph& unit, const ir::RecurrenceOptions* recurrences,
               std::vector<ir::NodeId>& wanted) {
  ir::Graph graph = unit;
  graph.bodies[0] = {};
  ir::Builder builder(graph, 0);
  std::int32_t inputs = 0;
  std::map<ir::NodeId, ir::NodeId> input_of;  // the input that replaces a node of `unit`
  const auto input = [&](const ir::Type& type) {
    return builder.add({.op = ir::Op::kInput, .type = type, .index = inputs++});
  };
  const std::vector<ir::Node>& nodes = unit.bodies[0].nodes;
  for (const ir::Node& node : nodes) {
    if (node.op != ir::Op::kScan) continue;
    ir::Scan& scan = graph.scans[static_cast<std::size_t>(node.index)];
    for (ir::NodeId& id : scan.inits)
      id = builder.fit(builder.constant(0), nodes[static_cast<std::size_t>(id)].type);
    for (auto* list : {&scan.sequences, &scan.invariants})
      for (ir::NodeId& id : *list) {
        const auto [entry, is_new] = input_of.try_emplace(id, -1);
        if (is_new) entry->second = input(nodes[static_cast<std::size_t>(id)].type);
        id = entry->second;
      }
    const int outputs = ir::step_outputs(graph, scan);
    const ir::NodeId bare_scan = builder.add({.op = ir::Op::kScan, .index = node.index});
    for (int i = 0; i < outputs; ++i)
      graph.bodies[0].outputs.push_back(
          builder.add({.op = ir::Op::kScanOut, .in = {bare_scan, -1, -1}, .index = i}));
  }
  graph = ir::fuse(recurrences ? ir::lower_recurrences(graph, *recurrences).graph : graph);
  ir::Builder gradient(graph, 0);
  std::vector<ir::NodeId> wrt, seeds, outputs = graph.bodies[0].outputs;
  for (std::size_t id = 0; id < graph.bodies[0].nodes.size(); ++id)
    if (graph.bodies[0].nodes[id].op == ir::Op::kInput) wrt.push_back(static_cast<ir::NodeId>(id));
  for (const ir::NodeId id : outputs)
    seeds.push_back(gradient.add({.op = ir::Op::kInput, .type = gradient.type(id), .index = inputs++}));
  wanted = outputs;
  for (const ir::NodeId id : ir::differentiate(gradient, outputs, seeds, wrt)) wanted.push_back(id);
  return graph;
}

// Returns random values for all inputs of `graph`. They are small, so that no state grows without bound or
// vanishes.
exec::torch::Batch random_inputs(const Options& o, const ir::Graph& graph) {
  exec::torch::Batch out;
  for (const ir::Node& node : graph.bodies[0].nodes) {
    if (node.op != ir::Op::kInput) continue;
    std::vector<std::int64_t> sizes;
    if (node.type.time()) sizes = {o.batch, o.length};
    for (const ir::AxisId axis : node.type.axes)
      if (axis != ir::kTime) sizes.push_back(graph.axes[axis].size);
    if (out.inputs.size() <= static_cast<std::size_t>(node.index))
      out.inputs.resize(static_cast<std::size_t>(node.index) + 1);
    out.inputs[static_cast<std::size_t>(node.index)] = at::rand(sizes) * 0.2 + 0.01;
  }
  return out;
}

// Compares the scans of `mixer` alone. Returns false if the mixer is refused; one without a scan has no row.
bool compare_bare(const Options& o, const std::string& mixer) {
  const lang::Elaboration e =
      lang::elaborate(zoo::library(), *lang::parse_expression(mixer), {.width = o.width, .vocab = o.vocab});
  if (!e.ok()) {
    fmt::print(stderr, "bench_recurrences: {}\n", format_error(mixer, e.errors[0]));
    return false;
  }
  if (e.graph.scans.empty()) return true;
  std::vector<ir::NodeId> fast_wanted, slow_wanted;
  const ir::Graph fast = bare(e.graph, &o.recurrences, fast_wanted),
                  slow = bare(e.graph, nullptr, slow_wanted);
  exec::torch::Executor lowered(fast, fast_wanted, {}), steps(slow, slow_wanted, {.programs = false});
  const exec::torch::Batch batch = random_inputs(o, slow);
  const auto run = [&](exec::torch::Executor& executor, int threads) -> Form {
    return [&, threads](int) {
      exec::torch::use_threads(threads);
      executor.run({}, batch);
    };
  };
  std::vector<Form> slow_forms;
  for (const int threads : thread_counts(o)) slow_forms.push_back(run(steps, threads));
  compare(o, mixer, run(lowered, o.threads), slow_forms);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.mixers = {"Identity", "LinearAttention", "Retention",    "Mamba2", "GLA",       "HGRN2", "RWKV6", "GSA",
              "DeltaNet", "GatedDeltaNet",   "DeltaProduct", "Comba",  "KDA",       "RWKV7", "MLSTM", "Mamba",
              "RGLRU",    "RWKV4",           "SLSTM",        "Titans", "TTTLinear", "TTTMLP"};
  CLI::App app("Training steps with lowered recurrences and step by step.");
  app.add_option("mixers", o.mixers, "units; default: those of the zoo whose recurrence has another form");
  app.add_option("--batch", o.batch, "sequences")->capture_default_str();
  app.add_option("--seq", o.length, "tokens in a sequence")->capture_default_str();
  app.add_option("--width", o.width, "D")->capture_default_str();
  app.add_option("--layers", o.layers, "blocks")->capture_default_str();
  app.add_option("--threads", o.threads, "threads")->capture_default_str();
  app.add_flag("--alone", o.alone, "the mixers alone: no MLP, no residuals, a vocabulary of 16 tokens");
  app.add_flag("--bare", o.bare,
               "recurrences alone: forward and gradient of the scans of one mixer, nothing around");
  app.add_flag("--profile", o.profile, "where the time of the lowered form goes");
  app.add_option("--diagonal", o.recurrences.diagonal,
                 "largest number of elements of a state that becomes a diagonal recurrence")
      ->capture_default_str();
  app.add_flag("--pairs", o.pairs, "compare pairs of positions with convolutions");
  app.add_option("--rounds", o.rounds, "measured steps of each form")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (o.alone) o.vocab = 16;
  if (o.bare) o.layers = 1;
  exec::torch::keep_memory();
  fmt::print("{} {}, width {}, {} sequences of {}, {} threads; milliseconds of a training step\n\n", o.layers,
             o.bare    ? "recurrences"
             : o.alone ? "mixers"
                       : "blocks",
             o.width, o.batch, o.length, o.threads);
  fmt::print("|                  | processor: {0} | {1} | times | wall: {0} | {1} | times |\n",
             o.pairs ? "by pairs" : "steps", o.pairs ? "convolved" : "fused");
  fmt::print("|---|---|---|---|---|---|---|\n");
  bool ok = true;
  for (const std::string& mixer : o.mixers)
    ok = (o.bare ? compare_bare(o, mixer) : compare_models(o, mixer)) && ok;
  return ok ? 0 : 1;
}
