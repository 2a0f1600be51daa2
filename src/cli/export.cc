#include "cli/export.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/files.h"
#include "base/hash.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/hugging_face.h"
#include "cli/record.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "data/corpus.h"
#include "data/tokenizer.h"
#include "export/export.h"
#include "export/sized.h"
#include "ir/canonical.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/trial.h"
#include "train/safetensors.h"
#include "zoo/sized.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

// A program at a size, with trained weights or without.
struct Source {
  std::string name, program;
  std::int64_t params = 0;
  int vocab = 0;
  std::vector<exec::NamedArray> weights;
  std::optional<record::TrialSpec> spec;  // of the run that trained them
  std::optional<record::TrialResult> result;
  std::string vocabulary;  // hash of the tokenizer that it was trained with
  std::string campaign;    // text of `gabbro show RUN#ID`; empty: not a design of a campaign
};

Result<Source> source_from_file(const ExportCommand& c) {
  GABBRO_TRY(text, read_program(c.source));
  const auto params = c.params.empty() ? std::optional<std::int64_t>(0) : parse_amount(c.params);
  if (!params)
    return fail("usage", "--params: invalid number '" + c.params + "'", "write it like 350k, 5M or 1.5M");
  const lang::ParseResult parsed = lang::parse(text);
  const lang::Design* design = parsed.errors.empty() ? lang::last_design(parsed.program) : nullptr;
  if (parsed.errors.empty() && !design)
    return fail("design", c.source + " contains no design", "add `design Name:` with a stack");
  Source out;
  out.name = design ? design->name : "";
  out.program = text;
  out.params = *params;
  out.vocab = c.vocab;
  return out;
}

// Reads spec.json and weights.safetensors of a run. The vocabulary size is that of the embedding.
Result<Source> source_from_run(const std::string& folder) {
  const std::string file = folder + "/weights.safetensors";
  auto spec = record::read_run_spec(folder);
  if (!spec) {
    Error error = spec.error();
    if (!error.hint.empty()) error.hint += ", a program, or a design of a campaign as RUN#ID";
    return tl::unexpected(error);
  }
  GABBRO_TRY(read, train::load_arrays(file));
  const std::string hash = train::hash_arrays(read.arrays);
  if (const auto recorded = read.metadata.find("hash");
      recorded == read.metadata.end() || recorded->second != hash)
    return fail("weights", fmt::format("{} was changed: the hash of its values is {}", file, hash),
                "restore the file, or train the run again");
  const lang::ParseResult parsed = lang::parse(spec->program);
  const lang::Design* design = lang::last_design(parsed.program);
  Source out;
  out.name = design ? design->name : "";
  out.program = spec->program;
  out.params = spec->params;
  out.weights = std::move(read.arrays);
  out.vocabulary = read.metadata["vocabulary"];
  if (const auto result = read_file(folder + "/result.json", kMostText)) {
    GABBRO_TRY(ended, record::parse_result(*result));
    if (!ended.weights_hash.empty() && ended.weights_hash != hash)
      return fail("weights",
                  fmt::format("the weights in {} have hash {}, but its result.json records {}", folder, hash,
                              ended.weights_hash),
                  "train the run again with a new --out; one of the two files belongs to another run");
    out.result = std::move(ended);
  }
  out.spec = std::move(*spec);
  for (const exec::NamedArray& array : out.weights)
    if (array.name == "embedding" && array.shape.size() == 2) out.vocab = static_cast<int>(array.shape[1]);
  GABBRO_TRY(sized, zoo::sized_design(out.program, out.params, out.vocab));
  if (read.metadata["graph"] != ir::built_hash(sized.elaboration.graph))
    return fail("weights", file + " holds weights of another program, or of another version of gabbro",
                "train the run again with a new --out");
  return out;
}

// Returns the weights in the order and with the names of the module. Errors: "weights".
Result<std::vector<exec::NamedArray>> module_arrays(const pytorch::Module& module,
                                                    const std::vector<exec::NamedArray>& weights) {
  std::vector<exec::NamedArray> out;
  for (const pytorch::Weight& w : module.weights) {
    const auto found =
        std::find_if(weights.begin(), weights.end(), [&](const auto& array) { return array.name == w.name; });
    if (found == weights.end() || found->shape != w.from)
      return fail("weights",
                  fmt::format("the weights of the run do not fit the design: {} is {}", w.name,
                              found == weights.end() ? "missing" : "of another shape"),
                  "export with the version of gabbro that trained it, or train it again");
    out.push_back({.name = w.key,
                   .shape = w.shape,
                   .data = pytorch::to_module(w, std::span<const float>(found->data))});
  }
  return out;
}

std::string config_text(const Source& source, const pytorch::Module& module, const lang::Subject& subject) {
  nlohmann::ordered_json weights = nlohmann::ordered_json::array();
  for (const pytorch::Weight& w : module.weights)
    weights.push_back({{"name", w.name}, {"key", w.key}, {"order", w.order}, {"shape", w.shape}});
  const ir::Graph& graph = subject.elaboration.graph;
  const nlohmann::ordered_json config = {{"class", module.name},
                                         {"width", static_cast<std::int64_t>(graph.env.width)},
                                         {"vocab", static_cast<std::int64_t>(graph.env.vocab)},
                                         {"params", ir::count_params(graph)},
                                         {"moves", lang::text_of(subject.elaboration.moves)},
                                         {"design", to_hex(subject.hash)},
                                         {"program", source.program},
                                         {"weights", weights}};
  return config.dump(2) + "\n";
}

Result<bool> create_folder(const std::string& out) {
  std::error_code error;
  if (fs::exists(out, error)) return fail("io", out + " already exists", "choose another --out");
  fs::create_directories(out, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", out, error.message()));
  return true;
}

// A module, and the design that it was written from.
struct DesignModule {
  lang::Subject subject;
  pytorch::Module module;
};

Result<DesignModule> design_module(const Source& source) {
  GABBRO_TRY(subject, zoo::sized_design(source.program, source.params, source.vocab));
  GABBRO_TRY(module, pytorch::module_of(source.program, subject));
  return DesignModule{std::move(subject), std::move(module)};
}

// Writes the files of a module into the folder `out`, which exists; returns their names.
Result<std::vector<std::string>> write_torch(const Source& source, const std::string& out) {
  GABBRO_TRY(design, design_module(source));
  const auto& [subject, module] = design;
  if (const auto ok = replace_file(out + "/model.py", module.source); !ok) return tl::unexpected(ok.error());
  if (const auto ok = replace_file(out + "/config.json", config_text(source, module, subject)); !ok)
    return tl::unexpected(ok.error());
  std::vector<std::string> files{"model.py", "config.json"};
  if (source.weights.empty()) return files;
  GABBRO_TRY(arrays, module_arrays(module, source.weights));
  const auto ok = train::save_arrays(out + "/weights.safetensors", arrays,
                                     {{"format", "pt"}, {"design", to_hex(subject.hash)}});
  if (!ok) return tl::unexpected(ok.error());
  files.emplace_back("weights.safetensors");
  return files;
}

// Opens the tokenizer of the corpus on which a run was trained.
Result<data::Tokenizer> tokenizer_of(const Source& source) {
  const std::string& corpus = source.spec->corpus;
  GABBRO_TRY(tokenizer, data::Tokenizer::load(corpus + "/tokenizer.model"));
  GABBRO_TRY(hash, data::hash_file(corpus + "/tokenizer.model"));
  if (hash != source.vocabulary)
    return fail("tokenizer",
                fmt::format("the run was trained with a vocabulary other than that of {}: {} instead of {}",
                            corpus, source.vocabulary, hash),
                "restore the corpus that it was trained on");
  return tokenizer;
}

// Writes the folder that transformers loads; returns the names of its files.
Result<std::vector<std::string>> write_hf(const Source& source, const std::string& out) {
  GABBRO_TRY(design, design_module(source));
  HfFolder folder{.name = source.name,
                  .program = source.program,
                  .subject = &design.subject,
                  .module = &design.module,
                  .campaign = source.campaign};
  if (!source.spec) return write_hf_folder(folder, out);
  GABBRO_TRY(tokenizer, tokenizer_of(source));
  GABBRO_TRY(arrays, module_arrays(design.module, source.weights));
  folder.weights = std::move(arrays);
  folder.tokenizer = &tokenizer;
  folder.spec = &*source.spec;
  if (source.result) folder.result = &*source.result;
  return write_hf_folder(folder, out);
}

int export_module(const ExportCommand& c) {
  std::error_code error;
  std::string out = c.out;
  Result<Source> source = fail("usage", "");
  if (names_design(c.source)) {
    // The design is first exported as a run, which is then read.
    const auto program = read_design(c.source);
    if (!program) return failed("export", program.error());
    const lang::Program parsed = lang::parse(*program).program;
    const lang::Design* design = lang::last_design(parsed);
    if (out.empty())
      out = fmt::format("{}-{}", design ? design->name : "design", c.source.substr(c.source.rfind('#') + 1));
    if (const int code = run_export_gab({.run = c.source, .out = out}); code != kValid) return code;
    if (fs::exists(out + "/spec.json", error))
      source = source_from_run(out);
    else
      source = source_from_file({.source = out + "/design.gab", .params = c.params, .vocab = c.vocab});
    if (source) source->campaign = show_design(c.source).value_or("");
    // These describe the weights by the names of checkpoints, not of modules.
    fs::remove(out + "/spec.json", error);
    fs::remove(out + "/weights.safetensors", error);
  } else {
    source = fs::is_directory(c.source, error) ? source_from_run(c.source) : source_from_file(c);
    if (source && out.empty()) out = source->name + "-" + c.format;
    if (source)
      if (const auto ok = create_folder(out); !ok) return failed("export", ok.error());
  }
  if (!source) return failed("export", source.error());
  const auto files = c.format == "hf" ? write_hf(*source, out) : write_torch(*source, out);
  if (!files) {
    fs::remove(out, error);  // removes the folder only if it is empty
    return failed("export", files.error());
  }
  print("{}: {}{}\n", out, fmt::format("{}", fmt::join(*files, ", ")),
        source->weights.empty() ? "; without weights: the module starts from new ones" : "");
  return kValid;
}

}  // namespace

int run_export(const ExportCommand& c) {
  if (c.format != "gab") return export_module(c);
  if (!names_design(c.source))
    return failed("export", {"usage",
                             fmt::format("'{}' does not name a design of a campaign", c.source),
                             "write RUN#ID, such as runs/evolve#17; `--format torch` and `--format hf` also "
                             "take programs and runs",
                             {}});
  return run_export_gab({.run = c.source, .out = c.out});
}

}  // namespace gabbro::cli
