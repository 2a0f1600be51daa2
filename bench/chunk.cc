// Training steps with recurrences in chunks of positions and step by step: the same small design, in turns in one run.
//
// bench_chunk [MIXER...]: blocks of each mixer; tokens per second of processor time of both forms and their ratio, medians over rounds.
// Processor time, not the clock on the wall: the ratio then does not depend on what else the machine does. The first row has no
// recurrence: what both forms spend outside of it. --pairs compares sums over the past pair by pair with convolutions instead.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>

#include "base/random.h"
#include "exec/torch/model.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

struct Options {
  std::vector<std::string> mixers;
  std::int64_t batch = 4, length = 512, width = 128, vocab = 512;
  int layers = 2, threads = 1, rounds = 3;
  bool pairs = false;
  ir::ChunkOptions sizes;
  ir::ConvolveOptions convolutions;
};

exec::TokenBatch random_batch(const Options& o, Random random) {
  exec::TokenBatch out{o.batch, o.length, {}, {}, {}};
  for (std::int64_t i = 0; i < o.batch * o.length; ++i) {
    out.tokens.push_back(random.below(o.vocab));
    out.targets.push_back(random.below(o.vocab));
  }
  return out;
}

double seconds(exec::Model& model, const exec::TokenBatch& batch) {
  const std::clock_t start = std::clock();
  model.step(batch, {});
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

double median(std::vector<double> list) {
  std::sort(list.begin(), list.end());
  return list[list.size() / 2];
}

bool compare(const Options& o, const std::string& mixer) {
  const std::string text =
      fmt::format("design M:\n    stack = [{} * Block(mixer={}), RMSNorm]\n", o.layers, mixer);
  const lang::CheckReport report = lang::check(text, zoo::library(), {.width = o.width, .vocab = o.vocab});
  if (!report.valid()) {
    fmt::print(stderr, "bench_chunk: {}\n", format_error(mixer, report.errors[0]));
    return false;
  }
  const ir::Graph& graph = report.subjects.back().elaboration.graph;
  const auto chunks = exec::torch::make_model(
      graph, 1, {.threads = o.threads, .chunks = o.sizes, .convolutions = o.convolutions});
  exec::torch::ModelOptions other{.threads = o.threads};
  if (o.pairs)
    other.convolutions.reset();
  else
    other.chunks.reset();
  const auto steps = exec::torch::make_model(graph, 1, other);
  std::vector<double> fast, slow, ratios;
  for (int round = -1; round < o.rounds; ++round) {  // the first warms up
    const exec::TokenBatch batch = random_batch(o, Random(7).split(round + 1));
    const double a = seconds(*chunks, batch), b = seconds(*steps, batch);
    if (round < 0) continue;
    fast.push_back(a);
    slow.push_back(b);
    ratios.push_back(b / a);
  }
  const auto tokens = static_cast<double>(o.batch * o.length);
  fmt::print("| {:<16} | {:>8.0f} | {:>8.0f} | {:>5.1f} |\n", mixer, tokens / median(slow),
             tokens / median(fast), median(ratios));
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.mixers = {"Identity", "LinearAttention", "Retention",     "Mamba2",       "GLA",   "HGRN2", "RWKV6",
              "GSA",      "DeltaNet",        "GatedDeltaNet", "DeltaProduct", "Comba", "KDA",   "RWKV7",
              "MLSTM",    "Mamba",           "RGLRU",         "RWKV4"};
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
  app.add_flag("--pairs", o.pairs, "compare pairs of positions with convolutions");
  app.add_option("--direct", o.convolutions.direct, "positions of a convolution that are multiplied out")
      ->check(CLI::Range(2, 1024))
      ->capture_default_str();
  app.add_option("--rounds", o.rounds, "steps of each that count")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  fmt::print("{} blocks, width {}, {} sequences of {}, {} threads; tokens a second of processor time\n\n",
             o.layers, o.width, o.batch, o.length, o.threads);
  fmt::print("| mixer            | {} | {} | times |\n|---|---|---|---|\n", o.pairs ? "by pairs" : "by steps",
             o.pairs ? "convolved" : "in chunks");
  bool ok = true;
  for (const std::string& mixer : o.mixers) ok = compare(o, mixer) && ok;
  return ok ? 0 : 1;
}
