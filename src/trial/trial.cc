#include "trial/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "data/heads.h"
#include "data/text_bytes.h"
#include "data/tokenizer.h"
#include "eval/bigram.h"
#include "eval/bits.h"
#include "eval/context.h"
#include "ir/canonical.h"
#include "train/batches.h"
#include "train/safetensors.h"
#include "train/trainer.h"
#include "trial/anchors.h"
#include "trial/first_text.h"
#include "trial/probe.h"
#include "trial/rescoring.h"
#include "trial/resources.h"
#include "trial/score.h"
#include "zoo/sized.h"

namespace gabbro::trial {

using record::TrialResult;
using record::TrialSpec;

namespace {

std::uint64_t initialisation_seed(const TrialSpec& spec) { return spec.start == 0 ? spec.seed : spec.start; }

train::TrainOptions train_options(const TrialSpec& spec) {
  train::TrainOptions o;
  o.tokens = spec.tokens;
  o.sequences = spec.sequences;
  o.length = spec.length;
  o.seed = spec.seed;
  if (spec.optimizer == record::Optimizer::kMuon) o.update.rule = exec::UpdateRule::kMuon;
  o.update.rate = spec.rate;
  o.update.input = spec.input_rate;
  o.update.output = spec.output_rate;
  o.update.decay = spec.decay;
  o.valid_points = spec.valid_points;
  o.checkpoint_seconds = spec.checkpoint_seconds;
  for (const record::Hurdle& h : spec.hurdles) o.hurdles.push_back({h.tokens, h.loss});
  if (spec.schedule == record::RateSchedule::kWsd) o.schedule.kind = train::Schedule::Kind::kStable;
  // A checkpoint holds float32 values, so a float64 run could not continue exactly from it.
  if (!spec.folder.empty() && spec.dtype != record::Dtype::kFloat64)
    o.checkpoint = spec.folder + "/checkpoint.safetensors";
  return o;
}

// Scores windows of the training text that the run has not read. These are the last windows of the run's
// order, which runs of the same seed share.
void score_unread(const TrialSpec& spec, exec::Model& model, const data::Split& text, std::int64_t end_token,
                  TrialResult& result) {
  const std::int64_t rows = spec.rows > 0 ? spec.rows : spec.sequences,
                     windows_read = result.tokens / spec.length;
  const train::Batches batches(text, end_token, rows, spec.length, spec.seed);
  double nats = 0;
  std::int64_t tokens = 0;
  for (std::int64_t index = batches.windows() / rows - 1;
       index * rows >= windows_read && tokens < spec.unread_tokens; --index)
    for (const float loss : model.losses(batches.batch(index))) nats += loss, ++tokens;
  if (tokens == 0) return;
  result.unread_loss = nats / static_cast<double>(tokens);
  result.unread_tokens = tokens;
}

// Sets the fields of the result that are known before training.
void set_design(const lang::Subject& s, const TrialSpec& spec, TrialResult& r) {
  const ir::SymEnv& env = s.elaboration.graph.env;
  const ir::TokenCosts costs = ir::token_costs(s.facts, env, spec.sequences, spec.length);
  r.optimizer = spec.optimizer;
  r.rate = spec.rate;
  r.input_rate = spec.input_rate;
  r.output_rate = spec.output_rate;
  r.design = s.name;
  r.hash = to_hex(s.hash);
  r.width = static_cast<std::int64_t>(env.width);
  r.params = ir::count_params(s.elaboration.graph);
  r.moved = lang::text_of(s.elaboration.moves);
  r.train_flops_per_token = costs.train_flops;
  r.decode_flops_per_token = costs.decode_flops;
  r.state_bytes = costs.state_bytes;
}

// Reduces the curve to some hundred points, always including the first and the last. The steps of these
// points depend on the budget and not on where the run ends, so that runs can be compared point by point.
std::vector<record::Point> thinned(const std::vector<train::CurvePoint>& curve, const TrialSpec& spec) {
  constexpr std::int64_t kMaxPoints = 300;
  const std::int64_t per_step = spec.sequences * spec.length;
  const std::int64_t steps = (spec.tokens + per_step - 1) / per_step,
                     every = (steps + kMaxPoints - 1) / kMaxPoints;
  std::vector<record::Point> out;
  for (std::size_t i = 0; i < curve.size(); ++i)
    if (static_cast<std::int64_t>(i) % every == 0 || i + 1 == curve.size())
      out.push_back({curve[i].step, curve[i].tokens, curve[i].loss, curve[i].gradient_norm, curve[i].rate,
                     train::recent_loss(curve, i + 1)});
  return out;
}

std::vector<record::DocumentScore> scores_of(const eval::BitsPerByte& bits) {
  std::vector<record::DocumentScore> out;
  for (const eval::DocumentBits& d : bits.each)
    out.push_back({d.bits / static_cast<double>(d.bytes), d.bytes});
  return out;
}

// Returns the number of windows on which the gain of context is measured, out of the windows of the training.
// Measuring takes five passes over each, and training takes three, so one window in 167 costs about 1 % of
// the training.
std::int64_t context_windows(const TrialSpec& spec) {
  constexpr std::int64_t kMinWindows = 32, kOneIn = 167;
  return std::max(kMinWindows, spec.tokens / spec.length / kOneIn);
}

// Writes every step of the curve, as one JSON object per line.
bool write_curve(const std::string& path, const std::vector<train::CurvePoint>& curve) {
  std::string text;
  for (const train::CurvePoint& p : curve)
    text += fmt::format(
        "{{\"step\": {}, \"tokens\": {}, \"loss\": {:.6g}, \"gradient_norm\": {:.6g}, \"rate\": {:.6g}}}\n",
        p.step, p.tokens, p.loss, p.gradient_norm, p.rate);
  return replace_file(path, text).has_value();
}

// Probes `graph` (the graph that is trained) at a small size, and summarises the checks in one anchor.
Result<record::Anchor> probe_anchor(const ir::Graph& graph, const MakeModel& backend, const TrialSpec& spec) {
  const double began = seconds_now();
  const ir::Graph small = small_graph(graph);
  GABBRO_TRY(checks, probe_small(small, backend, {.rounding = rounding_of(spec.dtype)}));
  record::Anchor out{"probe", true,
                     fmt::format("{} checks hold at D = {:g}, in {:.1f} s", checks.size(), small.env.width,
                                 seconds_now() - began)};
  std::string failed;
  for (const record::Anchor& a : checks)
    if (!a.holds) failed += fmt::format("{}{}: {}", failed.empty() ? "" : "; ", a.name, a.detail);
  if (!failed.empty()) out = {"probe", false, failed};
  return out;
}

// Bytes of memory that the worker uses now, and the maximum that it may use.
struct Memory {
  std::int64_t used = 0, limit = 0;
};
Memory memory_of(const TrialSpec& spec) {
  const std::int64_t used = resident_bytes();
  return {used, spec.memory > 0 ? spec.memory : used + available_bytes()};
}
// Extra bytes of the first step: code and buffers of the tensor library. Nine designs at 1M parameters took
// 63 to 92 MiB.
constexpr std::int64_t kFirstStepBytes = 64 << 20;
double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// Checks that the weights and the optimizer's two moments fit into memory, before they are allocated.
Result<bool> check_weights_fit(const TrialSpec& spec, std::int64_t params) {
  const std::int64_t bytes = 3 * params * (spec.dtype == record::Dtype::kFloat64 ? 8 : 4);
  const auto [used, limit] = memory_of(spec);
  if (used + bytes <= limit) return true;
  return fail("memory",
              fmt::format("{} parameters with two optimizer moments each need {:.0f} MiB, but {:.0f} MiB of "
                          "{:.0f} MiB are left",
                          params, mib(bytes), mib(limit - used), mib(limit)),
              "use a smaller model (--params) or more memory");
}

// Predicts the memory of a step. If it is too much, replaces the model by one that recomputes activations. If
// that is still too much, returns an error with the numbers.
Result<bool> fit_step(const TrialSpec& spec, const ir::Graph& graph, TrialResult& result,
                      std::unique_ptr<exec::Model>& model) {
  std::int64_t step = model->step_bytes(spec.sequences, spec.length);
  if (step == 0) return true;  // The backend does not know.
  step += kFirstStepBytes;
  const auto [used, limit] = memory_of(spec);
  result.memory_expected = used + step;
  if (result.memory_expected <= limit) return true;
  auto smaller =
      torch_backend({.threads = spec.threads, .rows = spec.rows, .dtype = spec.dtype, .recompute = true})(
          graph, initialisation_seed(spec));
  const std::int64_t recomputed = smaller->step_bytes(spec.sequences, spec.length) + kFirstStepBytes;
  if (used + recomputed > limit)
    return fail(
        "memory",
        fmt::format("a step of {} sequences of {} tokens needs {:.0f} MiB, or {:.0f} MiB with activations "
                    "recomputed, but {:.0f} MiB of {:.0f} MiB are left",
                    spec.sequences, spec.length, mib(step), mib(recomputed), mib(limit - used), mib(limit)),
        "use fewer sequences at a time (--rows), shorter ones (--seq), a smaller model (--params) or more "
        "memory");
  model = std::move(smaller);
  result.memory_expected = used + recomputed;
  result.recomputed = true;
  return true;
}

// Sets status and cause by the anchors.
void set_status(TrialResult& result) {
  const bool all = std::all_of(result.anchors.begin(), result.anchors.end(),
                               [](const record::Anchor& a) { return a.holds; });
  result.status = all ? record::Status::kDone : record::Status::kRefused;
  for (const record::Anchor& a : result.anchors)
    if (!a.holds && result.cause.empty()) result.cause = a.name + ": " + a.detail;
}

// Returns the windows with which the first documents begin, as they are scored. What is left of a window
// after a short document is filled with the beginning of the next ones.
exec::TokenBatch first_windows(const data::Split& held_out, std::int64_t end_token, std::int64_t sequences,
                               std::int64_t length) {
  exec::TokenBatch out{.sequences = sequences, .length = length};
  for (std::int64_t row = 0; row < sequences; ++row) {
    std::vector<std::int64_t> tokens(1, end_token);
    for (std::size_t d = static_cast<std::size_t>(row); static_cast<std::int64_t>(tokens.size()) <= length;
         ++d)
      held_out.append(held_out.document(d % held_out.documents()), tokens);
    out.tokens.insert(out.tokens.end(), tokens.begin(), tokens.begin() + length);
    out.targets.insert(out.targets.end(), tokens.begin() + 1, tokens.begin() + length + 1);
  }
  return out;
}

Result<TrialResult> run_checked(const TrialSpec& spec, const OnProgress& on_progress,
                                const MakeModel& given_backend, exec::pytorch::Python* python) {
  TrialResult result;
  result.sandbox = sandbox_borders();
  // Errors in the benchmarks are reported before any long work.
  GABBRO_TRY(tasks, read_tasks(spec.tasks, 0));
  GABBRO_TRY(corpus, data::Corpus::open(spec.corpus));
  if (!spec.corpus_hash.empty() && data::hash_of(corpus.manifest()) != spec.corpus_hash)
    return fail("corpus",
                spec.corpus + " is not the corpus that this run was started with: it was replaced or rebuilt",
                "restore the corpus, or start a new run with this one");
  GABBRO_TRY(text, corpus.split("train"));
  GABBRO_TRY(held_out, corpus.split("valid"));
  GABBRO_TRY(tokenizer, data::Tokenizer::load(spec.corpus + "/tokenizer.model"));
  if (const auto ok = data::check_bytes(held_out, tokenizer, spec.valid_documents); !ok)
    return tl::unexpected(ok.error());
  if (spec.document_tokens > 0)
    held_out.restrict_to(data::heads(held_out, tokenizer, spec.valid_documents, spec.document_tokens));
  GABBRO_TRY(subject, zoo::sized_design(spec.program, spec.params, tokenizer.vocab()));
  set_design(subject, spec, result);
  const ir::Graph& graph = subject.elaboration.graph;
  if (!spec.folder.empty()) std::filesystem::create_directories(spec.folder);
  const bool in_python = !given_backend && spec.engine == record::Engine::kPyTorch;
  const BackendOptions backend_options{
      .threads = spec.threads, .rows = spec.rows, .dtype = spec.dtype, .compile = spec.compile};
  MakeModel backend = given_backend ? given_backend : torch_backend(backend_options);
  // The probe uses the torch backend also for the engine pytorch: its graph has another size than the module.
  GABBRO_TRY(probe, probe_anchor(graph, backend, spec));
  result.anchors.push_back(probe);
  if (!probe.holds) {
    set_status(result);
    return result;
  }

  if (in_python) {
    GABBRO_TRY(made, pytorch_backend(python, spec.program, subject, backend_options));
    backend = std::move(made);
  }
  if (auto fits = check_weights_fit(spec, result.params); !fits) return tl::unexpected(fits.error());
  std::unique_ptr<exec::Model> model = backend(graph, initialisation_seed(spec));
  if (auto fits = fit_step(spec, graph, result, model); !fits) return tl::unexpected(fits.error());
  // Otherwise the trainer reports that the text is too short.
  if (text.tokens() > static_cast<std::uint64_t>(spec.length)) {
    const train::Batches first(text, tokenizer.end(), spec.sequences, spec.length, spec.seed);
    // A text twice as long is run if it needs no more memory than a training step (or that is not known).
    const bool twice =
        model->step_bytes(1, 2 * spec.length) <= model->step_bytes(spec.sequences, spec.length);
    for (record::Anchor& a : first_text(graph, *model, first.batch(0).tokens, spec.length, twice))
      result.anchors.push_back(std::move(a));
    result.anchors.push_back(unseen_values(graph, backend, spec, first.batch(0), first.batch(1)));
    if (!std::all_of(result.anchors.begin(), result.anchors.end(),
                     [](const record::Anchor& a) { return a.holds; })) {
      set_status(result);
      return result;
    }
  }
  train::TrainOptions options = train_options(spec);
  // A run continues a checkpoint only if this text is the same.
  options.design = result.hash + "/" + ir::built_hash(graph);
  const std::int64_t rows = spec.rows > 0 ? spec.rows : spec.sequences;
  options.valid = [&] {
    return eval::bits_per_byte(*model, held_out, tokenizer.end(), rows, spec.length, spec.valid_documents)
        .value;
  };
  if (spec.engine != record::Engine::kCpu) options.design += fmt::format(" engine={}", spec.engine);
  if (spec.valid_points > 0)
    options.design += fmt::format(" scored={}/{} of {}", spec.valid_documents, spec.document_tokens,
                                  data::hash_of(corpus.manifest()));
  options.build = build_id();
  if (spec.start != 0) options.design += fmt::format(" start={}", spec.start);
  const auto trained = train::train(
      *model, text, tokenizer.end(), options,
      [&](const train::CurvePoint& p, std::int64_t steps, double speed) {
        return !on_progress ||
               on_progress({.stage = "training",
                            .step = p.step + 1,
                            .steps = steps,
                            .tokens = p.tokens,
                            .loss = p.loss,
                            .tokens_per_second = speed,
                            .share = static_cast<double>(p.step + 1) / static_cast<double>(steps)});
      });
  if (!trained) return tl::unexpected(trained.error());
  result.memory_seen = peak_resident_bytes() + model->peak_bytes();
  result.engine = model->description();
  result.build = trained->build;
  result.curve = thinned(trained->curve, spec);
  for (const train::ValidPoint& p : trained->valid)
    result.valid_curve.push_back({p.tokens, std::isfinite(p.bits_per_byte) ? p.bits_per_byte : 0});
  result.tokens = trained->tokens;
  result.train_seconds = trained->seconds;
  result.tokens_per_second = static_cast<double>(trained->tokens) / std::max(trained->seconds, 1e-9);
  result.text_hash = fmt::format("{:016x}", trained->text_hash);
  result.first_loss = trained->curve.front().loss;
  result.last_loss = trained->curve.back().loss;
  if (trained->end == train::TrainResult::End::kStopped) {
    result.status = record::Status::kStopped;
    return result;
  }
  if (trained->end != train::TrainResult::End::kDone) {
    if (trained->end == train::TrainResult::End::kHurdle) result.status = record::Status::kHurdle;
    result.cause = trained->cause;
    return result;
  }

  const std::vector<exec::NamedArray> weights = model->weights();
  result.weights_hash = train::hash_arrays(weights);
  if (!spec.folder.empty()) {
    if (auto ok = train::save_arrays(spec.folder + "/weights.safetensors", weights,
                                     {{"hash", result.weights_hash},
                                      {"design", result.hash},
                                      {"graph", ir::built_hash(graph)},
                                      {"vocabulary", corpus.manifest().tokenizer_hash},
                                      {"corpus", data::hash_of(corpus.manifest())}});
        !ok)
      return tl::unexpected(ok.error());
    if (!write_curve(spec.folder + "/curve.jsonl", trained->curve))
      return fail("io", "cannot write the curve in " + spec.folder);
  }
  // Nobody can know before the training which windows are rescored.
  WindowSample rescored(windows_to_rescore(graph, subject.elaboration.outputs, spec,
                                           result.train_flops_per_token * static_cast<double>(result.tokens)),
                        Random(spec.seed).split("rescored").split(result.weights_hash));
  bool stopped = false;
  const eval::BitsPerByte bits = eval::bits_per_byte(
      *model, held_out, tokenizer.end(), rows, spec.length, spec.valid_documents,
      [&](double share) {
        stopped = on_progress && !on_progress({.stage = "scoring",
                                               .tokens = result.tokens,
                                               .loss = result.last_loss,
                                               .tokens_per_second = result.tokens_per_second,
                                               .share = share});
        return !stopped;
      },
      [&](const eval::ScoredWindow& window) { rescored.add(window); });
  if (stopped) {
    result.status = record::Status::kStopped;
    return result;
  }
  set_bits(result, bits, held_out);
  if (spec.valid_points > 0) result.valid_curve.push_back({result.tokens, result.bits_per_byte});
  result.documents = scores_of(bits);
  for (const eval::ContextGain& g : eval::context_gains(*model, held_out, tokenizer.end(), rows, spec.length,
                                                        spec.valid_documents, context_windows(spec)))
    result.context.push_back({g.tokens, g.gain, g.error, g.positions});

  GABBRO_TRY(scores, score_tasks(*model, tokenizer, tasks, spec.length, {}, on_progress));
  result.tasks = std::move(scores);

  eval::Bigram bigram(tokenizer.vocab());
  const train::Batches batches(text, tokenizer.end(), options.sequences, options.length, options.seed);
  std::uint64_t text_hash = 0;  // of the same batches, read from the corpus again
  for (std::size_t step = 0; step < trained->curve.size(); ++step) {
    const exec::TokenBatch batch = batches.batch(static_cast<std::int64_t>(step));
    text_hash = train::add_text(text_hash, batch);
    bigram.add(batch);
  }
  score_unread(spec, *model, text, tokenizer.end(), result);
  result.bigram_bits_per_byte =
      eval::bigram_bits_per_byte(bigram, held_out, tokenizer.end(), spec.valid_documents);

  exec::TokenBatch scored_rows = first_windows(held_out, tokenizer.end(), options.sequences, options.length);
  const auto rescoring = [&] {
    Judge judge(graph, subject.elaboration.outputs, spec, spec.length,
                bytes_left(spec.memory, model->peak_bytes()));
    judge.restore(weights);
    return rescored.compare(judge, spec.length);
  };
  const Evidence evidence{.spec = spec,
                          .result = result,
                          .graph = graph,
                          .outputs = subject.elaboration.outputs,
                          .model = *model,
                          .vocab = tokenizer.vocab(),
                          .sample = batches.batch(0),
                          .other = batches.batch(1),
                          .scored = std::move(scored_rows),
                          .text_hash = fmt::format("{:016x}", text_hash),
                          .rescoring = rescoring()};
  for (record::Anchor& a : anchors(evidence)) result.anchors.push_back(std::move(a));
  set_status(result);
  return result;
}

}  // namespace

TrialResult run(const TrialSpec& spec, const OnProgress& progress, const MakeModel& backend,
                exec::pytorch::Python* python) {
  TrialResult failed;
  try {
    auto result = run_checked(spec, progress, backend, python);
    if (result) return std::move(*result);
    const bool in_program = result.error().at.line > 0 && !spec.folder.empty();
    failed.cause = format_error(in_program ? spec.folder + "/design.gab" : "trial", result.error());
    failed.error = record::cause_of(result.error());
  } catch (const exec::pytorch::PythonEnded& e) {
    failed.cause = e.what();
    failed.error = record::Cause::kWorker;
  } catch (const std::exception& e) {  // ATen throws if memory is short.
    const std::string what = e.what();
    failed.cause = what.substr(0, what.find('\n'));
    failed.error = record::Cause::kException;
  }
  return failed;
}

}  // namespace gabbro::trial
