#include "trial/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "data/corpus.h"
#include "ir/canonical.h"
#include "train/safetensors.h"
#include "trial/backend.h"
#include "zoo/sized.h"

namespace gabbro::trial {

namespace fs = std::filesystem;

namespace {

std::string value_of(const std::map<std::string, std::string>& map, const char* key) {
  const auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Describes the first difference between the weights and the parameters of the graph, or returns "".
std::string misfit(const ir::Graph& graph, const std::vector<exec::NamedArray>& weights) {
  std::map<std::string, const exec::NamedArray*> by_name;
  for (const exec::NamedArray& a : weights) by_name[a.name] = &a;
  for (const ir::Param& param : graph.params) {
    std::vector<std::int64_t> shape;
    for (const ir::AxisId axis : param.axes) shape.push_back(graph.axes[axis].size);
    const auto found = by_name.find(param.name);
    if (found == by_name.end()) return fmt::format("{} is missing", param.name);
    if (found->second->shape != shape)
      return fmt::format("{} is {} instead of {}", param.name, shape_text(found->second->shape),
                         shape_text(shape));
  }
  if (weights.size() != graph.params.size())
    return fmt::format("{} arrays instead of {}", weights.size(), graph.params.size());
  return "";
}

// Sorts the weights in the order of the graph's parameters, since their hash depends on the order.
std::vector<exec::NamedArray> in_order(const ir::Graph& graph, std::vector<exec::NamedArray> weights) {
  std::vector<exec::NamedArray> out;
  for (const ir::Param& param : graph.params)
    out.push_back(std::move(*std::find_if(weights.begin(), weights.end(),
                                          [&](const exec::NamedArray& a) { return a.name == param.name; })));
  return out;
}

// Returns the reason why weights of this hash do not count according to result.json, or "" if they do.
// Errors: "run" if result.json belongs to other weights.
Result<std::string> caution_of(const std::string& folder, const std::string& hash) {
  const std::string file = folder + "/result.json";
  const auto text = read_file(file, kMostText);
  if (!text) return "there is no result.json to say whether the run's checks hold";
  const auto result = record::parse_result(*text);
  if (!result) return fail("run", fmt::format("{}: {}", file, result.error().message));
  if (!result->weights_hash.empty() && result->weights_hash != hash)
    return fail("run",
                fmt::format("the weights in {} have hash {}, but its result.json records {}", folder, hash,
                            result->weights_hash),
                "train the run again with a new --out; one of the two files belongs to another run");
  if (result->status == record::Status::kDone) return "";
  return fmt::format("the run is {}{}{}", result->status, result->cause.empty() ? "" : ": ", result->cause);
}

}  // namespace

Result<RunFolder> read_run(const std::string& folder, const std::string& corpus) {
  const std::string weights_file = folder + "/weights.safetensors";
  GABBRO_TRY(spec, record::read_run_spec(folder));
  if (!corpus.empty()) spec.corpus = corpus;
  if (std::error_code error; !fs::exists(weights_file, error)) {
    const auto result = read_file(folder + "/result.json");
    const auto ended = result ? record::parse_result(*result) : tl::unexpected(result.error());
    if (ended && ended->status == record::Status::kDone)
      return fail("run",
                  fmt::format("{} has no weights: a campaign only keeps those of its higher rungs", folder),
                  "write its program with `gabbro export RUN#ID`, and train it again with `gabbro train`");
    return fail("run", fmt::format("{} has no weights: the run was not trained to the end", folder),
                "run the same `gabbro train` command to resume from its checkpoint");
  }

  GABBRO_TRY(opened, data::Corpus::open(spec.corpus));
  GABBRO_TRY(tokenizer, data::Tokenizer::load(spec.corpus + "/tokenizer.model"));
  GABBRO_TRY(read, train::load_arrays(weights_file));
  const std::string vocabulary = value_of(read.metadata, "vocabulary");
  if (!vocabulary.empty() && vocabulary != opened.manifest().tokenizer_hash)
    return fail("run",
                fmt::format("{} was trained with a vocabulary other than that of {}: {} instead of {}",
                            folder, spec.corpus, vocabulary, opened.manifest().tokenizer_hash),
                "name the corpus that it was trained on, or one built with its tokenizer.model");
  GABBRO_TRY(subject, zoo::sized_design(spec.program, spec.params, tokenizer.vocab()));
  if (const std::string hash = to_hex(subject.hash); value_of(read.metadata, "design") != hash)
    return fail("run", fmt::format("{} holds weights of another design: {} instead of {}", weights_file,
                                   value_of(read.metadata, "design"), hash));
  // Arrays are matched to parameters by name. Equal designs may give them different names.
  if (value_of(read.metadata, "graph") != ir::built_hash(subject.elaboration.graph))
    return fail("run",
                fmt::format("{} holds weights of the same design in a different form, or built by another "
                            "version of gabbro: its parameters may have other names or another order",
                            weights_file),
                "train the run again with a new --out");
  if (const std::string wrong = misfit(subject.elaboration.graph, read.arrays); !wrong.empty())
    return fail("run", fmt::format("{} does not fit the design: {}", weights_file, wrong));
  std::vector<exec::NamedArray> weights = in_order(subject.elaboration.graph, std::move(read.arrays));
  std::string hash = train::hash_arrays(weights);
  if (hash != value_of(read.metadata, "hash"))
    return fail("run", fmt::format("{} was changed: the hash of its values is {} instead of {}", weights_file,
                                   hash, value_of(read.metadata, "hash")));
  GABBRO_TRY(caution, caution_of(folder, hash));
  const std::string trained_on = value_of(read.metadata, "corpus");
  if (caution.empty() && trained_on != data::hash_of(opened.manifest()))
    caution = fmt::format(
        "{} is not the corpus that the run was trained on, whose text may contain these documents",
        spec.corpus);
  return RunFolder{.spec = std::move(spec),
                   .subject = std::move(subject),
                   .tokenizer = std::move(tokenizer),
                   .weights = std::move(weights),
                   .weights_hash = std::move(hash),
                   .caution = std::move(caution)};
}

Result<std::unique_ptr<exec::Model>> model_of(const RunFolder& run, int threads,
                                              exec::pytorch::Python* python) {
  const BackendOptions options{.threads = threads, .dtype = run.spec.dtype};
  MakeModel make = torch_backend(options);
  if (python) {
    GABBRO_TRY(made, pytorch_backend(python, run.spec.program, run.subject, options));
    make = std::move(made);
  }
  std::unique_ptr<exec::Model> model = make(run.subject.elaboration.graph, 0);
  if (!model->restore(run.weights)) return fail("run", "the weights do not fit the design");
  return model;
}

}  // namespace gabbro::trial
