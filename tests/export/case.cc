#include "export/case.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "exec/reference/reference.h"
#include "export/export.h"
#include "ir/facts.h"
#include "ir/gradient.h"
#include "lang/check.h"
#include "lang/elaborate.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {

using exec::Feed;
using exec::Tensor;
using Json = nlohmann::ordered_json;

namespace {

constexpr int kVocab = 11;
constexpr int kLongText = 40;  // positions of the text that compare.py decodes to measure the cache

// A file of arrays of doubles, with their shapes and offsets in bytes in an index.
class Arrays {
 public:
  explicit Arrays(const std::string& path) : file_(path, std::ios::binary) {}
  void add(Json& index, const std::vector<std::int64_t>& shape, std::span<const double> data) {
    index = {{"shape", shape}, {"offset", offset_}};
    file_.write(reinterpret_cast<const char*>(data.data()),
                static_cast<std::streamsize>(data.size() * sizeof(double)));
    offset_ += data.size() * sizeof(double);
  }

 private:
  std::ofstream file_;
  std::size_t offset_ = 0;
};

std::vector<Tensor> random_params(const ir::Graph& graph, Random& random) {
  std::vector<Tensor> params = exec::initial_params(graph, random);
  for (Tensor& p : params)
    for (double& v : p.data) v += 0.1 * random.normal();
  return params;
}

// Returns the logits, and the gradients of the sum of logits times an input by all parameters.
std::vector<ir::NodeId> with_gradients(ir::Graph& graph, ir::NodeId logits) {
  ir::Builder builder(graph, 0);
  const std::vector<ir::NodeId> outputs{logits};
  const std::vector<ir::NodeId> seeds{
      builder.add({.op = ir::Op::kInput, .type = graph.node(0, logits).type, .index = 0})};
  std::vector<ir::NodeId> params(graph.params.size());
  for (std::size_t id = 0; id < graph.bodies[0].nodes.size(); ++id)
    if (const ir::Node& node = graph.bodies[0].nodes[id]; node.op == ir::Op::kParam)
      params[static_cast<std::size_t>(node.index)] = static_cast<ir::NodeId>(id);
  std::vector<ir::NodeId> wanted = outputs;
  for (const ir::NodeId id : ir::differentiate(builder, outputs, seeds, params)) wanted.push_back(id);
  return wanted;
}

// Returns the distribution of a new parameter: [constant], [low, high] or {"std"}.
Json initial_json(const ir::Graph& graph, const ir::Param& param) {
  if (param.init.kind == ir::Init::Kind::kConstant) return Json::array({param.init.a});
  if (param.init.kind == ir::Init::Kind::kUniform) return Json::array({param.init.a, param.init.b});
  const double fan_in = static_cast<double>(ir::elements(graph, param.fan_in));
  return {{"std", param.init.a != 0 ? param.init.a : param.fan_in.empty() ? 0.02 : 1 / std::sqrt(fan_in)}};
}

}  // namespace

std::string write_case(const lang::Program& program, const std::string& folder, std::uint64_t seed,
                       const std::vector<int>& widths, const Rows& all_rows, bool module_only) {
  lang::Library library = zoo::library();
  library.add(program);
  const lang::Design* design = lang::last_design(program);
  lang::Elaboration e;
  for (const int width : widths) {
    lang::ElaborateOptions options;
    options.width = width;
    options.vocab = kVocab;
    e = lang::elaborate(library, *design, options);
    if (e.ok()) break;
  }
  if (!e.ok()) return "skip: " + e.errors[0].message;
  std::vector<const lang::Program*> programs{&program};
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) programs.push_back(zoo::program(entry.file));
  const auto module = pytorch::write_module(library, *design, e, programs);
  if (!module) return module.error().message;
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/model.py") << module->source;
  if (module_only) return "";

  Random random(seed);
  const std::vector<Tensor> params = random_params(e.graph, random);
  ir::Graph graph = e.graph;
  const std::vector<ir::NodeId> wanted = with_gradients(graph, e.outputs[0]);
  std::vector<std::vector<double>> gradients;
  for (const Tensor& p : params) gradients.emplace_back(p.data.size(), 0.0);
  std::vector<double> logits, seeds;
  Json tokens, documents;
  for (const std::vector<int>& row : all_rows) {
    std::vector<std::int64_t> row_tokens, row_documents;
    std::int64_t number = 0;
    for (const int length : row) {
      Feed feed;
      feed.params = params;
      Tensor c = exec::zeros(graph, graph.node(0, e.outputs[0]).type.axes, length);
      for (double& v : c.data) v = random.normal();
      seeds.insert(seeds.end(), c.data.begin(), c.data.end());
      feed.inputs.push_back(std::move(c));
      for (int t = 0; t < length; ++t) feed.tokens.push_back(static_cast<std::int64_t>(random.below(kVocab)));
      row_tokens.insert(row_tokens.end(), feed.tokens.begin(), feed.tokens.end());
      row_documents.insert(row_documents.end(), static_cast<std::size_t>(length), number++);
      const std::vector<Tensor> values = exec::evaluate(graph, wanted, feed, length);
      logits.insert(logits.end(), values[0].data.begin(), values[0].data.end());
      for (std::size_t p = 0; p < params.size(); ++p)
        for (std::size_t i = 0; i < gradients[p].size(); ++i) gradients[p][i] += values[p + 1].data[i];
    }
    tokens.push_back(row_tokens);
    documents.push_back(row_documents);
  }

  Json json = {
      {"class", module->name}, {"width", e.graph.env.width}, {"tokens", tokens}, {"documents", documents}};
  constexpr double kBytesPerElement = 4;  // in the facts, states are float32
  ir::SymEnv env = e.graph.env;
  env.context = kLongText;
  const ir::Facts facts = ir::derive_facts(e.graph);
  json["state"] = {{"time", static_cast<int>(env.context)},
                   {"elements", facts.state_bytes.eval(env) / kBytesPerElement}};
  Arrays arrays(folder + "/arrays.bin");
  const auto rows = static_cast<std::int64_t>(all_rows.size());
  const auto length = static_cast<std::int64_t>(seeds.size()) / rows / kVocab;
  arrays.add(json["logits"], {rows, length, kVocab}, logits);
  arrays.add(json["seeds"], {rows, length, kVocab}, seeds);
  for (std::size_t p = 0; p < params.size(); ++p) {
    const pytorch::Weight& w = module->weights[p];
    arrays.add(json["weights"][w.key], w.shape,
               pytorch::to_module(w, std::span<const double>(params[p].data)));
    json["initial"][w.key] = initial_json(e.graph, e.graph.params[p]);
    arrays.add(json["gradients"][w.key], w.shape,
               pytorch::to_module(w, std::span<const double>(gradients[p])));
  }
  std::ofstream(folder + "/case.json") << json.dump();
  return "";
}

}  // namespace gabbro::testing
