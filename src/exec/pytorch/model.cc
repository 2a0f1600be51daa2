#include "exec/pytorch/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>

#include "exec/rates.h"

namespace gabbro::exec::pytorch {

namespace {

using gabbro::pytorch::Module;
using gabbro::pytorch::Weight;
using nlohmann::json;

std::vector<std::int64_t> shape_of(const ir::Graph& graph, const ir::Param& param) {
  std::vector<std::int64_t> shape;
  for (const ir::AxisId axis : param.axes) shape.push_back(graph.axes[axis].size);
  return shape;
}

Array array_of(const NamedArray& a) {
  return {a.name, "float32", a.shape, a.data.data(), a.data.size() * sizeof(float)};
}

// Maps each parameter of the graph to the module's. If the graph unties the embedding (parameters NAME for
// the input and NAME.head for the output), the module's table is the output's, and Python adds one for the
// input.
json parameter_mapping(const ir::Graph& graph, const Module& module, bool& untied) {
  std::map<std::string, const Weight*> known;
  for (const Weight& w : module.weights) known[w.name] = &w;
  std::set<std::string> untied_tables;
  const std::string kOutput = ".head";
  for (const ir::Param& param : graph.params)
    if (!known.contains(param.name) && param.name.ends_with(kOutput))
      untied_tables.insert(param.name.substr(0, param.name.size() - kOutput.size()));
  untied = !untied_tables.empty();
  json out = json::array();
  for (const ir::Param& param : graph.params) {
    std::string name = param.name;
    const bool is_output = !known.contains(name) && name.ends_with(kOutput);
    if (is_output) name.resize(name.size() - kOutput.size());
    const auto found = known.find(name);
    if (found == known.end() || found->second->from != shape_of(graph, param))
      throw std::runtime_error("the module does not fit the design: parameter " + param.name);
    const Weight& w = *found->second;
    out.push_back({{"name", param.name},
                   {"key", untied_tables.contains(param.name) ? "embedding.input" : w.key},
                   {"shape", w.from},
                   {"order", w.order}});
  }
  return out;
}

class RemoteModel : public Model {
 public:
  RemoteModel(Python& python, const ir::Graph& graph, const Module& module, ModelOptions options)
      : python_(python), graph_(graph), options_(std::move(options)), number_(python.next_model()) {
    bool untied = false;
    json header = {{"call", "open"},        {"model", number_},           {"source", module.source},
                   {"class", module.name},  {"dtype", options_.dtype},    {"threads", options_.threads},
                   {"rows", options_.rows}, {"compile", options_.compile}};
    header["weights"] = parameter_mapping(graph, module, untied);
    header["untied"] = untied;
    python_.call(header.dump());
  }
  ~RemoteModel() override {
    try {
      ask("close");
    } catch (const std::exception&) {  // The process has ended, and the model with it.
    }
  }
  RemoteModel(const RemoteModel&) = delete;
  RemoteModel& operator=(const RemoteModel&) = delete;

  StepReport step(const TokenBatch& batch, const Update& update) override {
    json rates = json::array(), decays = json::array(), muon = json::array();
    for (const ir::Param& param : graph_.params) {
      rates.push_back(rate_of(graph_, param, update));
      decays.push_back(decay_of(param, update));
      json matrix;  // null where AdamW updates the parameter
      if (const auto view = muon_view(graph_, param, update))
        matrix = {{"order", view->order},
                  {"rows", view->rows},
                  {"columns", view->columns},
                  {"size", muon_size(*view, update)},
                  {"momentum", kMuonMomentum}};
      muon.push_back(std::move(matrix));
    }
    const json header = {{"rates", rates},        {"muon", muon},          {"decays", decays},
                         {"beta1", update.beta1}, {"beta2", update.beta2}, {"epsilon", update.epsilon},
                         {"clip", update.clip}};
    const Reply reply = ask("step", arrays_of(batch), {{"update", header}});
    double report[4];  // loss, gradient norm, 1 if the weights were updated, peak bytes
    if (reply.body.size() != sizeof report) throw std::runtime_error("PyTorch sent no report of a step");
    std::memcpy(report, reply.body.data(), sizeof report);
    peak_ = static_cast<std::int64_t>(report[3]);
    return {report[0], report[1], report[2] != 0};
  }

  std::vector<float> losses(const TokenBatch& batch) override {
    return scores(ask("losses", arrays_of(batch)), batch, /*greedy=*/false).losses;
  }
  Scores score(const TokenBatch& batch) override {
    return scores(ask("score", arrays_of(batch)), batch, /*greedy=*/true);
  }
  std::vector<float> decoded_losses(const TokenBatch& batch) override {
    return options_.decode ? options_.decode(weights(), batch) : std::vector<float>();
  }
  std::vector<NamedArray> weights() const override { return read("weights"); }
  std::vector<NamedArray> moments() const override { return read("moments"); }
  std::string description() const override {
    return json::parse(ask("describe").header).at("text").get<std::string>();
  }
  std::int64_t peak_bytes() const override { return peak_; }

  bool restore(const std::vector<NamedArray>& arrays) override {
    std::map<std::string, const NamedArray*> by_name;
    for (const NamedArray& a : arrays) by_name[a.name] = &a;
    std::vector<Array> found;
    for (const ir::Param& param : graph_.params)
      for (const char* prefix : {"", "m/", "v/"}) {
        const auto at = by_name.find(prefix + param.name);
        if (at == by_name.end() && *prefix != '\0') continue;  // moments may be missing
        if (at == by_name.end() || at->second->shape != shape_of(graph_, param)) return false;
        found.push_back(array_of(*at->second));
      }
    if (const auto at = by_name.find("steps"); at != by_name.end()) found.push_back(array_of(*at->second));
    ask("restore", found);
    return true;
  }

 private:
  Reply ask(const char* call, const std::vector<Array>& arrays = {}, json header = json::object()) const {
    header["call"] = call;
    header["model"] = number_;
    return python_.call(header.dump(), arrays);
  }

  // The vectors of a batch may be longer than its sequences need.
  static std::vector<Array> arrays_of(const TokenBatch& batch) {
    std::vector<Array> out;
    const auto bytes = static_cast<std::size_t>(batch.sequences * batch.length) * sizeof(std::int64_t);
    for (const auto& [name, values] :
         {std::pair{"tokens", &batch.tokens}, {"targets", &batch.targets}, {"starts", &batch.starts}})
      if (!values->empty())
        out.push_back({name, "int64", {batch.sequences, batch.length}, values->data(), bytes});
    return out;
  }

  static Scores scores(const Reply& reply, const TokenBatch& batch, bool greedy) {
    const auto count = static_cast<std::size_t>(batch.sequences * batch.length);
    if (reply.body.size() != count * (sizeof(float) + (greedy ? 1 : 0)))
      throw std::runtime_error(
          fmt::format("PyTorch sent {} bytes for the losses of {} tokens", reply.body.size(), count));
    Scores out;
    out.losses.resize(count);
    std::memcpy(out.losses.data(), reply.body.data(), count * sizeof(float));
    if (greedy)
      for (const char hit : reply.body.substr(count * sizeof(float))) out.greedy.push_back(hit != 0);
    return out;
  }

  [[nodiscard]] std::vector<NamedArray> read(const char* call) const {
    const Reply reply = ask(call);
    std::vector<NamedArray> out;
    std::size_t offset = 0;
    const json header = json::parse(reply.header);
    for (const json& entry : header.at("arrays")) {
      NamedArray a{entry.at("name"), entry.at("shape").get<std::vector<std::int64_t>>(), {}};
      const auto count = static_cast<std::size_t>(
          std::accumulate(a.shape.begin(), a.shape.end(), std::int64_t{1}, std::multiplies<>()));
      if (count > (reply.body.size() - offset) / sizeof(float))
        throw std::runtime_error("PyTorch sent too few bytes for " + a.name);
      a.data.resize(count);
      if (count > 0) std::memcpy(a.data.data(), reply.body.data() + offset, count * sizeof(float));
      offset += count * sizeof(float);
      out.push_back(std::move(a));
    }
    return out;
  }

  Python& python_;
  ir::Graph graph_;
  ModelOptions options_;
  int number_;
  std::int64_t peak_ = 0;
};

}  // namespace

std::unique_ptr<Model> make_model(Python& python, const ir::Graph& graph, const Module& module,
                                  const std::vector<NamedArray>& weights, const ModelOptions& options) {
  auto model = std::make_unique<RemoteModel>(python, graph, module, options);
  if (!model->restore(weights)) throw std::runtime_error("the initial weights do not fit the design");
  return model;
}

}  // namespace gabbro::exec::pytorch
