#include "cli/train.h"

#include <fmt/core.h>

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/data.h"
#include "cli/eval.h"
#include "cli/files.h"
#include "cli/record.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "data/corpus.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "ir/canonical.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/job.h"
#include "zoo/library.h"
#include "zoo/sized.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

void print_result(const record::TrialResult& r, const std::string& folder, std::uint64_t document_tokens) {
  if (r.params > 0)
    print("{}: {} with {} parameters (D = {}{}{}), {} tokens at {}tokens/s\n", printable_line(folder),
          r.design, human(static_cast<double>(r.params)), r.width, r.moved.empty() ? "" : ", ", r.moved,
          human(static_cast<double>(r.tokens)), human(r.tokens_per_second));
  if (!r.engine.empty()) print("  {:<20}{}\n", "engine", printable_line(r.engine));
  if (r.bits_per_byte > 0) {
    const std::string interval = std::isfinite(r.bits_low)
                                     ? fmt::format("[{:.4f}, {:.4f}]", r.bits_low, r.bits_high)
                                     : "(no interval from one document)";
    print("  {:<20}{:.4f} {} over {} documents{}\n", "bits per byte", r.bits_per_byte, interval,
          r.valid_documents,
          document_tokens > 0 ? fmt::format(", their first {} tokens", document_tokens) : std::string());
    if (r.changed_share > 0) print("  {}\n", record::changed_text_note(r.changed_share));
    print("  {:<20}{:.4f}\n", "bigram model", r.bigram_bits_per_byte);
    print("  {:<20}{:.4f} nats per token, perplexity {:.4g}\n", "held-out loss", r.valid_loss,
          std::exp(r.valid_loss));
    if (r.unread_tokens > 0)
      print("  {:<20}{:.4f} nats per token, over {} tokens of the training text that the run has not read\n",
            "unread text", r.unread_loss, r.unread_tokens);
  }
  for (const record::ContextGain& g : r.context)
    print("  {:<20}{:+.4f} ± {:.4f} from beyond the last {} tokens, at {} positions\n", "gain of context",
          g.gain, g.error, g.tokens, g.positions);
  for (const record::TaskScore& task : r.tasks) print("{}", task_text(task));
  for (const record::Anchor& a : r.anchors)
    print("  {:<20}{}  {}\n", a.name, a.holds ? "holds" : "FAILS", a.detail);
  print("  {}{}{}\n", r.status, r.cause.empty() ? "" : ": ", r.cause);
  if (r.status == record::Status::kStopped) print("  run the same command to continue\n");
}

// Lists the options that differ between two specs; empty if the specs describe the same run.
std::string difference(const record::TrialSpec& before, const record::TrialSpec& now, std::int64_t vocab) {
  std::string out;
  const auto compare = [&](const char* name, const auto& a, const auto& b) {
    if (a != b) out += fmt::format("{}{} {} instead of {}", out.empty() ? "" : ", ", name, b, a);
  };
  // Checkpoints and weights match arrays to parameters by name, which equal designs may name differently.
  const auto built = [&](const record::TrialSpec& s) {
    const auto sized = zoo::sized_design(s.program, now.params, vocab);
    return sized ? ir::built_hash(sized->elaboration.graph) : std::string();
  };
  if (built(before) != built(now)) out = "another program";
  compare("--data", before.corpus, now.corpus);
  compare("--params", before.params, now.params);
  compare("--tokens", before.tokens, now.tokens);
  compare("--seq", before.length, now.length);
  compare("--batch", before.sequences, now.sequences);
  compare("--lr", before.rate, now.rate);
  compare("--optimizer", before.optimizer, now.optimizer);
  compare("--valid-points", before.valid_points, now.valid_points);
  if (now.valid_points > 0) {  // All points of `valid_curve` have to be scores of one text.
    compare("--valid-documents", before.valid_documents, now.valid_documents);
    compare("--document-tokens", before.document_tokens, now.document_tokens);
  }
  compare("--input-rate", before.input_rate, now.input_rate);
  compare("--output-rate", before.output_rate, now.output_rate);
  compare("--decay", before.decay, now.decay);
  compare("--schedule", before.schedule, now.schedule);
  compare("--seed", before.seed, now.seed);
  compare("--dtype", before.dtype, now.dtype);
  compare("--rows", before.rows, now.rows);
  compare("--engine", before.engine, now.engine);
  return out;
}

// Returns an error if the folder has weights or a checkpoint of a run with other options ("exists").
Result<bool> check_folder(const std::string& folder, const record::TrialSpec& spec, std::int64_t vocab) {
  std::error_code error;
  if (!fs::exists(folder + "/weights.safetensors", error) &&
      !fs::exists(folder + "/checkpoint.safetensors", error))
    return true;
  const auto text = read_file(folder + "/spec.json", kMostText);
  const auto before = text ? record::parse_spec(*text) : tl::unexpected(text.error());
  const std::string what = before ? difference(*before, spec, vocab) : "cannot read its spec.json";
  if (what.empty()) return true;
  return fail("exists", fmt::format("{} holds another run: {}", folder, what),
              "choose another --out, or remove the folder");
}

}  // namespace

int run_train(const TrainCommand& c) {
  record::TrialSpec spec = c.spec;
  const record::JobEngine engine{.engine = spec.engine, .device = spec.device, .gpus = spec.gpus};
  if (const auto ok = record::check_engine(engine); !ok) return failed("train", ok.error());
  if (const auto ok = check_gpu(spec.device); !ok) return failed("train", ok.error());
  const auto text = read_program(c.file);
  if (!text) return failed("train", text.error());
  spec.program = *text;
  const lang::CheckReport report = lang::check(*text, zoo::library());
  for (const Error& e : report.errors) print("{}\n", format_error(c.file, e));
  if (!report.valid()) return kInvalid;
  if (!report.subjects.back().is_design)
    return failed("train", {"design", c.file + " contains no design", "add `design Name:` with a stack", {}});
  if (c.blocks > 0)
    spec.program = lang::print(evolve::as_baseline(lang::parse(*text).program, c.blocks, spec.length));
  const auto tokens = parse_amount(c.tokens);
  const auto params = c.params.empty() ? std::optional<std::int64_t>(0) : parse_amount(c.params);
  if (!tokens || !params)
    return failed("train", {"usage",
                            !tokens ? "--tokens: invalid number '" + c.tokens + "'"
                                    : "--params: invalid number '" + c.params + "'",
                            "write it like 350k, 5M or 1.5M",
                            {}});
  spec.tokens = *tokens;
  spec.params = *params;
  spec.memory = static_cast<std::int64_t>(c.limits.memory_bytes);
  spec.unread_tokens = evolve::kUnreadTokens;
  std::error_code error;
  const auto corpus = data::Corpus::open(spec.corpus);
  if (!corpus) return failed("train", corpus.error());
  warn_of_corpus(corpus->manifest(), spec.tokens);
  spec.corpus = fs::absolute(spec.corpus, error);
  if (const auto ok = make_absolute(spec.tasks); !ok) return failed("train", ok.error());
  spec.corpus_hash = data::hash_of(corpus->manifest());
  const auto sized = zoo::sized_design(spec.program, spec.params, corpus->manifest().vocab);
  if (!sized) return failed("train", sized.error());
  const std::string folder = c.out.empty() ? "runs/" + report.subjects.back().name : c.out;
  spec.folder = fs::absolute(folder, error);
  if (const auto ok = check_output(folder, FolderKind::kRun, "--out"); !ok)
    return failed("train", ok.error());
  fs::create_directories(spec.folder, error);
  if (error)
    return failed("train", {"io", fmt::format("cannot create {}: {}", folder, error.message()), "", {}});
  const auto lock = Lock::take(spec.folder);
  if (!lock && is(lock.error(), record::Cause::kLocked))
    return failed("train", {"exists",
                            "another `gabbro train` is running in " + folder,
                            "wait for it, or choose another --out",
                            {}});
  if (!lock) return failed("train", lock.error());
  if (const auto ok = check_folder(spec.folder, spec, corpus->manifest().vocab); !ok)
    return failed("train", ok.error());
  const std::string spec_file = spec.folder + "/spec.json", result_file = spec.folder + "/result.json";
  // A result of a run with other options does not belong to this run.
  if (read_file(spec_file, kMostText).value_or("") != record::to_json(spec)) fs::remove(result_file, error);
  for (const auto& [path, content] :
       {std::pair{spec_file, record::to_json(spec)}, {spec.folder + "/design.gab", spec.program}})
    if (const auto ok = replace_file(path, content); !ok) return failed("train", ok.error());

  Needs needs{.reads = {spec.corpus}, .engine = engine};
  add_tasks(needs, spec.tasks);
  const auto end = [&] {
    ProgressLine line;
    return run_worker(spec_file, result_file, c.limits, needs, [&](const record::Progress& p) {
      line.show(progress_text(p));
      return true;
    });
  }();
  if (!end) return failed("train", end.error());
  if (end->kind != jobs::JobEnd::Kind::kResult)
    return failed("train", {"worker",
                            end->cause,
                            fs::exists(spec.folder + "/checkpoint.safetensors", error)
                                ? "run the same command to resume from the last checkpoint"
                                : "there is no checkpoint yet; run the same command to start again",
                            {}});
  const auto result = record::parse_result(end->result);
  if (!result) return failed("train", result.error());
  if (const std::string why = record::misfit(spec, to_hex(sized->hash), *result); !why.empty())
    return failed("train", record::inconsistent(why));
  if (c.json)
    print("{}", end->result);
  else
    print_result(*result, folder, spec.document_tokens);
  return result->status == record::Status::kDone ? kValid : kInvalid;
}

}  // namespace gabbro::cli
