// Measures tokens per second of training steps on the torch backend: forward, backward, clipping, AdamW.
// `./dev bench train` alternates it with the same model in PyTorch (bench/peer). Alone it prints its own
// speed, and with --profile a breakdown of the time.
//
// The output is one JSON object per line: first the model, then the answer to each order. An order is `steps
// N` (time N training steps) or `peaks` (measure the machine's peak speeds). By default, `peaks` and one
// `steps` are carried out. With --serve, orders are read from standard input, one per line, so that a driver
// can alternate.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/random.h"
#include "exec/torch/model.h"
#include "exec/torch/profile.h"
#include "lang/check.h"
#include "lang/resize.h"
#include "paths.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string design = "llama", dtype = "float32";
  std::int64_t params = 1'000'000, vocab = 4096;
  std::int64_t batch = 16, length = 256;
  int threads = 2, warmup = 2, steps = 5, rows = 25;
  bool documents = false, serve = false, profile = false, shapes = false;
};

// A design resized to the parameter budget of the options.
struct Sized {
  lang::Subject subject;
  double free_scale = 1;  // factor that resizing put on hyperparameters marked `free`
};

// `name` is a path if it has a dot or a slash, and otherwise names a file of zoo/. Errors: "io".
Result<std::string> read_design(const std::string& name) {
  const bool is_path = name.find('.') != std::string::npos || name.find('/') != std::string::npos;
  const std::string path = is_path ? name : source_path("/zoo/") + name + ".gab";
  std::ifstream file(path);
  if (!file) return fail("io", "cannot read " + path, "give the name of a file of zoo/ or a path");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<Sized> sized(const Options& o) {
  GABBRO_TRY(text, read_design(o.design));
  lang::ElaborateOptions options{.vocab = o.vocab};
  lang::CheckReport report = lang::check(text, zoo::library(), options);
  if (!report.valid()) return tl::unexpected(report.errors[0]);
  const auto* design = std::get_if<lang::Design>(&report.program.items.back().value);
  if (!design) return fail("design", o.design + " does not end with a design");
  lang::Library library = zoo::library();
  library.add(report.program);
  GABBRO_TRY(fit, lang::resize(library, *design, o.params, o.vocab));
  report = lang::check(std::move(report.program), zoo::library(), lang::options_at(fit, o.vocab));
  if (!report.valid()) return tl::unexpected(report.errors[0]);
  return Sized{std::move(report.subjects.back()), fit.free_scale};
}

// Draws tokens uniformly. With documents, one starts at every position with a probability of 1 / 100, as in
// short texts.
exec::TokenBatch random_batch(const Options& o, std::int64_t vocab, Random random) {
  exec::TokenBatch out{.sequences = o.batch, .length = o.length};
  for (std::int64_t row = 0; row < o.batch; ++row) {
    std::int64_t start = 0;
    for (std::int64_t t = 0; t < o.length; ++t) {
      out.tokens.push_back(random.below(vocab));
      out.targets.push_back(random.below(vocab));
      if (o.documents && random.chance(0.01)) start = t;
      if (o.documents) out.starts.push_back(start);
    }
  }
  return out;
}

class Bench {
 public:
  Bench(const Options& o, const Sized& sized)
      : options_(o),
        graph_(sized.subject.elaboration.graph),
        vocab_(static_cast<std::int64_t>(graph_.env.vocab)) {
    model_ = exec::torch::make_model(
        graph_, 1, {.threads = o.threads, .precision = *exec::torch::precision_of(o.dtype)});
    say({{"kind", "model"},
         {"design", sized.subject.name},
         {"params", ir::count_params(graph_)},
         {"width", static_cast<std::int64_t>(graph_.env.width)},
         {"free_scale", sized.free_scale},
         {"train_flops_per_token",
          ir::token_costs(sized.subject.facts, graph_.env, o.batch, o.length).train_flops},
         {"batch", o.batch},
         {"length", o.length},
         {"documents", o.documents},
         {"dtype", o.dtype},
         {"threads", o.threads}});
  }

  void steps(std::int64_t count) {
    std::vector<exec::TokenBatch> batches;
    for (std::int64_t i = 0; i < count; ++i)
      batches.push_back(random_batch(options_, vocab_, Random(7).split(drawn_++)));
    std::vector<double> seconds;
    double loss = 0;
    for (const exec::TokenBatch& batch : batches) {
      const auto start = Clock::now();
      loss = model_->step(batch, {}).loss;
      seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
    say({{"kind", "steps"},
         {"tokens_per_step", options_.batch * options_.length},
         {"seconds", seconds},
         {"loss", loss}});
  }

  void warm_up() {
    for (int i = 0; i < options_.warmup; ++i)
      model_->step(random_batch(options_, vocab_, Random(3).split(i)), {});
  }

  void peaks() const {
    const exec::torch::Peaks p = exec::torch::measure_peaks(options_.threads, options_.dtype == "bf16");
    say({{"kind", "peaks"}, {"matrix_flops", p.matrix_flops}, {"copy_bytes", p.copy_bytes}});
  }

  void profile() {
    exec::torch::Profile profile(options_.shapes);
    const auto start = Clock::now();
    steps(options_.steps);
    const double total = std::chrono::duration<double>(Clock::now() - start).count();
    const auto rows = profile.stop();
    print_rows(rows, total, /*scopes=*/false);
    print_rows(rows, total, /*scopes=*/true);
  }

  static void say(const json& line) { std::cout << line.dump() << std::endl; }

 private:
  // Prints a table of the ATen operators or, if `scopes` is true, of the code marked as scopes. `total` is in
  // seconds.
  void print_rows(const std::vector<exec::torch::ProfileRow>& rows, double total, bool scopes) const {
    const double steps = options_.steps;
    double sum = 0;
    int printed = 0;
    for (const auto& row : rows) {
      if (row.scope != scopes) continue;
      sum += scopes ? row.seconds : row.self_seconds;
      if (printed++ == 0)
        fmt::print("\n{:>9} {:>6} {:>9} {:>7}  {}\n", scopes ? "ms/step" : "self ms", "share", "with inner",
                   "calls", scopes ? "scope" : "ATen operator, per step");
      if (printed <= options_.rows)
        fmt::print("{:9.2f} {:5.1f}% {:10.2f} {:7.1f}  {} {}\n",
                   (scopes ? row.seconds : row.self_seconds) * 1e3 / steps,
                   (scopes ? row.seconds : row.self_seconds) * 100 / total, row.seconds * 1e3 / steps,
                   static_cast<double>(row.calls) / steps, row.name, row.shapes);
    }
    if (printed > 0)
      fmt::print("{:9.2f} {:5.1f}%  {} rows; a step takes {:.2f} ms\n", sum * 1e3 / steps, sum * 100 / total,
                 printed, total * 1e3 / steps);
  }

  Options options_;
  const ir::Graph& graph_;
  std::int64_t vocab_;
  std::uint64_t drawn_ = 0;  // batches drawn so far
  std::unique_ptr<exec::Model> model_;
};

// Carries out orders until standard input ends. Returns the exit status.
int serve(Bench& bench) {
  std::string word;
  while (std::cin >> word) {
    std::int64_t count = 0;
    if (word == "peaks") {
      bench.peaks();
    } else if (word == "steps" && std::cin >> count && count > 0) {
      bench.steps(count);
    } else {
      fmt::print(stderr, "bench_train: unknown order '{}'; expected `steps N` with N > 0, or `peaks`\n",
                 word);
      return 2;
    }
  }
  return 0;
}

int run(const Options& o) {
  const auto model = sized(o);
  if (!model) {
    fmt::print(stderr, "bench_train: {}\n", format_error(o.design, model.error()));
    return 2;
  }
  Bench bench(o, *model);
  bench.warm_up();
  if (o.serve) return serve(bench);
  if (o.profile || o.shapes) {
    bench.profile();
    return 0;
  }
  bench.peaks();
  bench.steps(o.steps);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  gabbro::exec::torch::keep_memory();  // as in the worker
  Options o;
  CLI::App app("Tokens per second of training steps on the torch backend.");
  app.add_option("--design", o.design, "name of a file of zoo/, or a path")->capture_default_str();
  app.add_option("--params", o.params, "size (350k, 1M)")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"k", 1000}, {"M", 1000000}}))
      ->capture_default_str();
  app.add_option("--vocab", o.vocab, "V")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--batch", o.batch, "sequences")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--seq", o.length, "tokens in a sequence")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", o.threads, "threads")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--warmup", o.warmup, "steps before the first that counts")->capture_default_str();
  app.add_option("--steps", o.steps, "steps that count")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--rows", o.rows, "rows of a profile")->capture_default_str();
  app.add_option("--dtype", o.dtype, "float32, bf16, float64")
      ->check(CLI::IsMember({"float32", "bf16", "float64"}))
      ->capture_default_str();
  app.add_flag("--documents", o.documents, "sequences hold several documents");
  app.add_flag("--serve", o.serve, "take orders from standard input");
  app.add_flag("--profile", o.profile, "print where the time goes, by ATen operator");
  app.add_flag("--shapes", o.shapes, "the same, by operator and shapes (* not contiguous)");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(o);
  } catch (const std::exception& e) {  // ATen throws if memory is short.
    fmt::print(stderr, "bench_train: {}\n", e.what());
    return 1;
  }
}
