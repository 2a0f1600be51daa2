#include "exec/torch/model.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <malloc.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <span>

#include "base/random.h"
#include "exec/torch/executor.h"
#include "exec/torch/optimizer.h"
#include "exec/torch/pair_kernel.h"
#include "exec/torch/processor.h"
#include "exec/torch/stepper.h"
#include "ir/ahead.h"
#include "ir/convolve.h"
#include "ir/fuse.h"
#include "ir/gradient.h"
#include "ir/quotients.h"
#include "ir/recompute.h"

namespace gabbro::exec::torch {

namespace {

std::vector<std::int64_t> shape_of(const ir::Graph& graph, const ir::Param& param) {
  std::vector<std::int64_t> shape;
  for (const ir::AxisId axis : param.axes) shape.push_back(graph.axes[axis].size);
  return shape;
}

// Deviation of normal parameters: what the program says, else 1 / sqrt(fan-in); 1 / fan-in for the output
// table, so that the first loss is that of equal probabilities (muP).
double deviation(const ir::Graph& graph, const ir::Param& param) {
  constexpr double kVector = 0.02;
  if (param.init.a != 0) return param.init.a;
  if (param.fan_in.empty()) return kVector;
  const auto fan_in = static_cast<double>(ir::elements(graph, param.fan_in));
  return param.role == ir::Role::kOutput ? 1 / fan_in : 1 / std::sqrt(fan_in);
}

at::Tensor initial(const ir::Graph& graph, const ir::Param& param, const Random& random) {
  at::Tensor x = at::empty(shape_of(graph, param), at::kFloat);
  float* data = x.data_ptr<float>();
  const Random stream = random.split(param.name);
  const double std = deviation(graph, param);
  constexpr std::int64_t kGrain = 1 << 14;
  // Each thread goes on where the one before it will end: the same weights for any number of threads.
  at::parallel_for(0, x.numel(), kGrain, [&](std::int64_t from, std::int64_t to) {
    Random part = stream;
    switch (param.init.kind) {
      case ir::Init::Kind::kConstant:
        std::fill(data + from, data + to, static_cast<float>(param.init.a));
        break;
      case ir::Init::Kind::kNormal:
        part.skip(2 * static_cast<std::uint64_t>(from));
        for (std::int64_t i = from; i < to; ++i) data[i] = static_cast<float>(std * part.normal());
        break;
      case ir::Init::Kind::kUniform:
        part.skip(static_cast<std::uint64_t>(from));
        for (std::int64_t i = from; i < to; ++i)
          data[i] = static_cast<float>(part.uniform(param.init.a, param.init.b));
        break;
    }
  });
  return x;
}

NamedArray to_array(std::string name, const at::Tensor& x) {
  const at::Tensor y = x.to(at::kFloat).contiguous();
  return {std::move(name), y.sizes().vec(), {y.data_ptr<float>(), y.data_ptr<float>() + y.numel()}};
}

// The losses [B, T] of `logits` [B, T, V] against `targets` [B, T]; the logits are overwritten by the
// gradient of the losses' sum times `scale`: (softmax - one-hot) scale. Where the target is kNotScored both
// are 0.
at::Tensor loss_and_adjoint(at::Tensor& logits, const at::Tensor& targets, double scale) {
  const std::int64_t vocab = logits.size(-1);
  logits = logits.expand({targets.size(0), targets.size(1), vocab}).contiguous();  // sequences may agree
  const at::Tensor x = logits.view({-1, vocab});
  const at::Tensor index = targets.contiguous(), losses = at::empty(targets.sizes(), x.options());
  for (const std::int64_t target : std::span(index.const_data_ptr<std::int64_t>(), index.numel()))
    TORCH_CHECK_INDEX((target >= 0 && target < vocab) || target == kNotScored, "token ", target,
                      " of a vocabulary of ", vocab);
  const auto run = [&]<class T>(T factor) {
    at::parallel_for(0, x.size(0), 1, [&](std::int64_t from, std::int64_t to) {
      GABBRO_BEST(pair, cross_entropy, losses.data_ptr<T>() + from, x.data_ptr<T>() + from * vocab,
                  index.const_data_ptr<std::int64_t>() + from, to - from, vocab, factor);
    });
  };
  x.scalar_type() == at::kDouble ? run(scale) : run(static_cast<float>(scale));
  return losses;
}

std::int64_t asked_positions(const TokenBatch& batch) {
  const auto skipped = std::count(batch.targets.begin(), batch.targets.end(), kNotScored);
  return batch.sequences * batch.length - skipped;
}

// The graph that runs, before differentiation.
ir::Graph lowered(const ir::Graph& graph, const ModelOptions& options) {
  if (options.as_written) return graph;
  ir::Graph out = ir::with_reciprocals(graph);
  if (options.recurrences) out = ir::lower_recurrences(out, *options.recurrences).graph;
  if (options.convolutions) out = ir::convolve(out);
  return ir::fuse(out);
}

class TorchModel : public Model {
 public:
  TorchModel(const ir::Graph& graph, std::uint64_t seed, const ModelOptions& options)
      : written_(graph),
        forward_graph_(lowered(graph, options)),
        graph_(forward_graph_),
        options_(options),
        dtype_(options.precision == Precision::kFloat64 ? at::kDouble : at::kFloat),
        logits_(graph_.bodies[0].outputs.at(0)) {
    at::set_num_threads(options.threads);
    const c10::InferenceMode no_autograd;
    const Random random(seed);
    for (const ir::Param& param : graph_.params) {
      parameters_.weights.push_back(initial(graph_, param, random).to(dtype_));
      parameters_.first.push_back(at::zeros_like(parameters_.weights.back()));
      parameters_.second.push_back(at::zeros_like(parameters_.weights.back()));
    }
    Settings settings{
        .dtype = dtype_, .half = options.precision == Precision::kBFloat16, .programs = options.programs};
    forward_ = std::make_unique<Executor>(forward_graph_, std::vector<ir::NodeId>{logits_}, settings);
    const auto forward = static_cast<ir::NodeId>(graph_.bodies[0].nodes.size());
    std::vector<ir::NodeId> wanted = build_gradient();
    if (options.recompute) wanted = ir::recompute_activations(graph_, forward, wanted);
    settings.late_input = 0;
    settings.late_reads = logits_;
    backward_ = std::make_unique<Executor>(graph_, wanted, settings);
  }

  std::int64_t step_bytes(std::int64_t sequences, std::int64_t length) const override {
    const bool parts =
        options_.rows > 0 && options_.rows < sequences;  // a gradient is kept beside the next one
    return (parts ? 4 : 3) * weight_bytes() +
           backward_->peak_bytes(parts ? options_.rows : sequences, length, options_.threads);
  }

  std::int64_t score_bytes(std::int64_t sequences, std::int64_t length) const override {
    return 3 * weight_bytes() + forward_->peak_bytes(sequences, length, options_.threads);  // with moments
  }

  StepReport step(const TokenBatch& batch, const Update& update) override {
    at::set_num_threads(options_.threads);
    const c10::InferenceMode no_autograd;
    const std::int64_t rows = options_.rows > 0 ? options_.rows : batch.sequences;
    const double asked = static_cast<double>(std::max<std::int64_t>(asked_positions(batch), 1));
    std::vector<at::Tensor> gradient;
    double loss = 0;
    for (std::int64_t from = 0; from < batch.sequences; from += rows) {
      const std::int64_t count = std::min(rows, batch.sequences - from);
      Batch part = part_of(batch, from, count);
      const at::Tensor targets = table(batch.targets, batch, from, count);
      part.inputs.resize(1);
      part.late = [&](at::Tensor logits) {
        const at::Tensor losses = loss_and_adjoint(logits, targets, 1 / asked);
        loss += losses.sum(at::kDouble).item<double>();
        return logits;
      };
      std::vector<at::Tensor> now = backward_->run(parameters_.weights, part);
      if (gradient.empty())
        gradient = std::move(now);
      else
        for (std::size_t i = 0; i < now.size(); ++i) gradient[i] = gradient[i] + now[i];
    }
    StepReport report{loss / asked, 0, false};
    double square = 0;
    for (const at::Tensor& g : gradient) square += std::pow(at::linalg_vector_norm(g).item<double>(), 2);
    report.gradient_norm = std::sqrt(square);
    if (!std::isfinite(report.loss) || !std::isfinite(report.gradient_norm)) return report;
    const double factor =
        update.clip > 0 && report.gradient_norm > update.clip ? update.clip / report.gradient_norm : 1;
    apply(graph_, parameters_, gradient, factor, update);
    report.updated = true;
    return report;
  }

  std::vector<float> losses(const TokenBatch& batch) override { return forward(batch, false).losses; }
  Scores score(const TokenBatch& batch) override { return forward(batch, true); }

  std::vector<float> decoded_losses(const TokenBatch& batch) override {
    if (!ir::looks_ahead(written_, written_.bodies[0].outputs).empty()) return {};
    at::set_num_threads(options_.threads);
    const c10::InferenceMode no_autograd;
    Stepper stepper(written_, written_.bodies[0].outputs, parameters_.weights, {.dtype = dtype_});
    const at::Tensor tokens = table(batch.tokens, batch, 0, batch.sequences),
                     targets = table(batch.targets, batch, 0, batch.sequences);
    std::vector<at::Tensor> losses;
    for (std::int64_t t = 0; t < batch.length; ++t) {
      at::Tensor logits = stepper.step(tokens.select(1, t))[0].unsqueeze(1).clone();
      losses.push_back(loss_and_adjoint(logits, targets.narrow(1, t, 1), 0));
    }
    const at::Tensor all = at::cat(losses, 1).to(at::kFloat).contiguous();
    return {all.data_ptr<float>(), all.data_ptr<float>() + all.numel()};
  }

  std::vector<NamedArray> weights() const override {
    std::vector<NamedArray> out;
    for (std::size_t i = 0; i < parameters_.weights.size(); ++i)
      out.push_back(to_array(graph_.params[i].name, parameters_.weights[i]));
    return out;
  }

  std::vector<NamedArray> moments() const override {
    std::vector<NamedArray> out{{"steps", {1}, {static_cast<float>(parameters_.steps)}}};
    for (std::size_t i = 0; i < parameters_.weights.size(); ++i) {
      out.push_back(to_array("m/" + graph_.params[i].name, parameters_.first[i]));
      out.push_back(to_array("v/" + graph_.params[i].name, parameters_.second[i]));
    }
    return out;
  }

  bool restore(const std::vector<NamedArray>& arrays) override {
    std::map<std::string, const NamedArray*> by_name;
    for (const NamedArray& a : arrays) by_name[a.name] = &a;
    std::vector<std::pair<at::Tensor*, const NamedArray*>> found;
    for (std::size_t i = 0; i < parameters_.weights.size(); ++i) {
      const std::string& name = graph_.params[i].name;
      for (auto& [prefix, target] : {std::pair{"", &parameters_.weights[i]},
                                     {"m/", &parameters_.first[i]},
                                     {"v/", &parameters_.second[i]}}) {
        const auto at = by_name.find(prefix + name);
        if (at == by_name.end() && *prefix != '\0') continue;  // weights alone
        if (at == by_name.end() || at->second->shape != target->sizes().vec()) return false;
        found.emplace_back(target, at->second);
      }
    }
    const c10::InferenceMode no_autograd;
    for (const auto& [target, array] : found)
      *target = at::from_blob(const_cast<float*>(array->data.data()), array->shape, at::kFloat)
                    .to(dtype_, false, true);
    if (const auto at = by_name.find("steps"); at != by_name.end())
      parameters_.steps = std::llround(at->second->data.at(0));
    return true;
  }

 private:
  [[nodiscard]] std::int64_t weight_bytes() const {
    std::int64_t out = 0;
    for (const at::Tensor& w : parameters_.weights) out += w.numel() * w.element_size();
    return out;
  }
  Scores forward(const TokenBatch& batch, bool greedy) {
    at::set_num_threads(options_.threads);
    const c10::InferenceMode no_autograd;
    Scores out;
    const std::int64_t rows = options_.rows > 0 ? options_.rows : batch.sequences;
    for (std::int64_t from = 0; from < batch.sequences; from += rows) {
      const std::int64_t count = std::min(rows, batch.sequences - from);
      at::Tensor logits = forward_->run(parameters_.weights, part_of(batch, from, count))[0];
      const at::Tensor targets = table(batch.targets, batch, from, count);
      if (greedy) {
        const at::Tensor hits = logits.argmax(-1).eq(targets).contiguous();
        out.greedy.insert(out.greedy.end(), hits.data_ptr<bool>(), hits.data_ptr<bool>() + hits.numel());
      }
      const at::Tensor losses = loss_and_adjoint(logits, targets, 0).to(at::kFloat).contiguous();
      out.losses.insert(out.losses.end(), losses.data_ptr<float>(),
                        losses.data_ptr<float>() + losses.numel());
    }
    return out;
  }

  // Adds the backward part: the adjoint of the logits is input 0.
  std::vector<ir::NodeId> build_gradient() {
    ir::Builder builder(graph_, 0);
    const ir::NodeId seed = builder.add({.op = ir::Op::kInput, .type = builder.type(logits_), .index = 0});
    std::vector<ir::NodeId> wrt(graph_.params.size(), -1);
    const auto& nodes = graph_.bodies[0].nodes;
    for (std::size_t id = 0; id < nodes.size(); ++id)
      if (nodes[id].op == ir::Op::kParam)
        wrt[static_cast<std::size_t>(nodes[id].index)] = static_cast<ir::NodeId>(id);
    for (const ir::NodeId id : wrt) GABBRO_CHECK(id >= 0);
    const std::vector<ir::NodeId> outputs{logits_}, seeds{seed};
    std::vector<ir::NodeId> wanted = ir::differentiate(builder, outputs, seeds, wrt);
    return wanted;
  }

  at::Tensor table(const std::vector<std::int64_t>& values, const TokenBatch& batch, std::int64_t from,
                   std::int64_t count) const {
    return at::from_blob(const_cast<std::int64_t*>(values.data()) + from * batch.length,
                         {count, batch.length}, at::kLong)
        .clone();
  }

  Batch part_of(const TokenBatch& batch, std::int64_t from, std::int64_t count) const {
    Batch out;
    out.tokens = table(batch.tokens, batch, from, count);
    if (!batch.starts.empty()) out.starts = table(batch.starts, batch, from, count);
    return out;
  }

  ir::Graph written_;        // as it was given, for decoding
  ir::Graph forward_graph_;  // without the backward part: executors keep references into their graph
  ir::Graph graph_;          // with the backward part
  ModelOptions options_;
  at::ScalarType dtype_;
  ir::NodeId logits_;
  Parameters parameters_;
  std::unique_ptr<Executor> forward_, backward_;
};

}  // namespace

std::optional<Precision> precision_of(std::string_view name) {
  if (name == "float32") return Precision::kFloat32;
  if (name == "bf16") return Precision::kBFloat16;
  if (name == "float64") return Precision::kFloat64;
  return std::nullopt;
}

#if defined(__GLIBC__) && (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 3))
#define GABBRO_LINE_ALLOCATOR  // before, allocators had another interface
namespace {

// Memory at cache lines from malloc. The library asks for it by posix_memalign, whose blocks of glibc
// before 2.38 do not fit where one of the same size was freed: the heap grew to one and a half of what was in
// use. Where malloc's block begins is kept before the line, so that the pointer alone frees it: kernels of
// oneDNN ask for memory by pointers alone.
class LineAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    constexpr std::size_t kLine = 64;
    const c10::Device cpu(c10::kCPU);
    if (bytes == 0) return {nullptr, cpu};
    std::size_t space = bytes + kLine;
    void* const block = std::malloc(space + sizeof(void*));
    TORCH_CHECK(block, "not enough memory: ", bytes, " bytes");
    void* at = static_cast<void**>(block) + 1;
    std::align(kLine, bytes, at, space);
    static_cast<void**>(at)[-1] = block;
    return {at, at, &release, cpu};
  }
  [[nodiscard]] c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static void release(void* at) {
    if (at) std::free(static_cast<void**>(at)[-1]);
  }
};

}  // namespace
#endif

std::vector<NamedArray> initial_weights(const ir::Graph& graph, std::uint64_t seed) {
  const c10::InferenceMode no_autograd;
  const Random random(seed);
  std::vector<NamedArray> out;
  for (const ir::Param& param : graph.params)
    out.push_back(to_array(param.name, initial(graph, param, random)));
  return out;
}

void keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
#ifdef GABBRO_LINE_ALLOCATOR
  static LineAllocator allocator;
  c10::SetAllocator(c10::kCPU, &allocator, /*priority=*/1);
#endif
}

std::unique_ptr<Model> make_model(const ir::Graph& graph, std::uint64_t seed, const ModelOptions& options) {
  return std::make_unique<TorchModel>(graph, seed, options);
}

}  // namespace gabbro::exec::torch
