// Training steps with recurrences in chunks of positions and step by step: the same small design, in turns in one run.
//
// bench_chunk [MIXER...]: blocks of each mixer, or with --alone nothing but mixers; milliseconds of a step in both forms and their
// ratio, medians over rounds. The ratio of processor times does not depend on what else the machine does. The first row has
// no recurrence: what both forms spend outside of it.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/random.h"
#include "exec/torch/model.h"
#include "exec/torch/profile.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

struct Options {
  std::vector<std::string> mixers;
  std::int64_t batch = 4, length = 512, width = 128, vocab = 512;
  int layers = 2, threads = 1, rounds = 3;
  bool alone = false, profile = false;
  ir::ChunkOptions sizes;
};

exec::TokenBatch random_batch(const Options& o, Random random) {
  exec::TokenBatch out{o.batch, o.length, {}, {}, {}};
  for (std::int64_t i = 0; i < o.batch * o.length; ++i) {
    out.tokens.push_back(random.below(o.vocab));
    out.targets.push_back(random.below(o.vocab));
  }
  return out;
}

// Of one step: of the processor, of the clock on the wall.
struct Time {
  double processor = 0, wall = 0;
};

Time time_step(exec::Model& model, const exec::TokenBatch& batch) {
  const auto wall = std::chrono::steady_clock::now();
  const std::clock_t start = std::clock();
  model.step(batch, {});
  const auto processor = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return {processor, std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count()};
}

double median(std::vector<double> list) {
  std::sort(list.begin(), list.end());
  return list[list.size() / 2];
}

void print_profile(exec::Model& model, const exec::TokenBatch& batch) {
  exec::torch::Profile profile(/*with_shapes=*/true);
  model.step(batch, {});
  const auto rows = profile.stop();
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 25); ++i)
    fmt::print("    {:7.2f} ms {:5} x {} {}\n", 1e3 * rows[i].self_seconds, rows[i].calls, rows[i].name,
               rows[i].shapes);
}

bool compare(const Options& o, const std::string& mixer) {
  const std::string text =
      fmt::format("design M:\n    stack = [{} * {}, RMSNorm]\n", o.layers,
                  o.alone ? mixer : fmt::format("Block(mixer={})", mixer));
  const lang::CheckReport report = lang::check(text, zoo::library(), {.width = o.width, .vocab = o.vocab});
  if (!report.valid()) {
    fmt::print(stderr, "bench_chunk: {}\n", format_error(mixer, report.errors[0]));
    return false;
  }
  const ir::Graph& graph = report.subjects.back().elaboration.graph;
  const auto chunks = exec::torch::make_model(graph, 1, {.threads = o.threads, .chunks = o.sizes});
  const auto steps = exec::torch::make_model(graph, 1, {.threads = o.threads, .chunks = std::nullopt});
  std::vector<double> fast, slow, fast_wall, slow_wall, ratios;
  for (int round = -1; round < o.rounds; ++round) {  // the first warms up
    const exec::TokenBatch batch = random_batch(o, Random(7).split(round + 1));
    const Time a = time_step(*chunks, batch), b = time_step(*steps, batch);
    if (round < 0) continue;
    fast.push_back(a.processor);
    slow.push_back(b.processor);
    fast_wall.push_back(a.wall);
    slow_wall.push_back(b.wall);
    ratios.push_back(b.processor / a.processor);
  }
  constexpr double kMs = 1e3;
  fmt::print("| {:<16} | {:>8.1f} | {:>9.1f} | {:>5.1f} | {:>8.1f} | {:>9.1f} | {:>5.1f} |\n", mixer,
             kMs * median(slow), kMs * median(fast), median(ratios), kMs * median(slow_wall),
             kMs * median(fast_wall), median(slow_wall) / median(fast_wall));
  if (o.profile) print_profile(*chunks, random_batch(o, Random(7)));
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.mixers = {"Identity",      "LinearAttention", "Retention", "Mamba2", "GLA",   "HGRN2", "RWKV6", "GSA",
              "DeltaNet",      "GatedDeltaNet",   "DeltaProduct", "Comba", "KDA", "RWKV7", "MLSTM", "Mamba",
              "RGLRU",         "RWKV4",           "SLSTM",     "Titans", "TTTLinear", "TTTMLP"};
  CLI::App app("Training steps with recurrences in chunks and step by step.");
  app.add_option("mixers", o.mixers, "units; default: those of the zoo whose recurrence has another form");
  app.add_option("--batch", o.batch, "sequences")->capture_default_str();
  app.add_option("--seq", o.length, "tokens in a sequence")->capture_default_str();
  app.add_option("--width", o.width, "D")->capture_default_str();
  app.add_option("--layers", o.layers, "blocks")->capture_default_str();
  app.add_option("--threads", o.threads, "threads")->capture_default_str();
  app.add_option("--scalar", o.sizes.scalar, "positions of a chunk, decay per head")->capture_default_str();
  app.add_option("--rank", o.sizes.rank, "the same with terms of rank one")->capture_default_str();
  app.add_option("--channel", o.sizes.channel, "the same with a decay per channel")->capture_default_str();
  app.add_flag("--alone", o.alone, "the mixers alone: no MLP, no residuals, 16 words");
  app.add_flag("--profile", o.profile, "where the time of the chunkwise form goes");
  app.add_flag("!--chunks", o.sizes.fused, "chunks of positions instead of fused kernels");
  app.add_option("--rounds", o.rounds, "steps of each that count")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (o.alone) o.vocab = 16;
  exec::torch::keep_memory();
  fmt::print("{} {}, width {}, {} sequences of {}, {} threads; milliseconds of a training step\n\n", o.layers,
             o.alone ? "mixers" : "blocks", o.width, o.batch, o.length, o.threads);
  fmt::print("|                  | processor: steps | chunks | times | wall: steps | chunks | times |\n");
  fmt::print("|---|---|---|---|---|---|---|\n");
  bool ok = true;
  for (const std::string& mixer : o.mixers) ok = compare(o, mixer) && ok;
  return ok ? 0 : 1;
}
