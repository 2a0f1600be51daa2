// A model that forwards training, scoring, weights and moments to another one, except for the lies that a
// test sets up.
#pragma once

#include <functional>
#include <memory>

#include "exec/model.h"
#include "trial/backend.h"

namespace gabbro::testing {

/// Each function changes the arguments of a call before the model sees them, or its result afterwards. Empty
/// functions change nothing.
struct Lies {
  std::function<void(exec::TokenBatch&)> before_step;
  std::function<void(exec::StepReport&)> after_step;
  std::function<void(exec::TokenBatch&)> before_losses;
  std::function<void(const exec::TokenBatch&, std::vector<float>&)> after_losses, after_decoding;
  std::function<void(std::vector<exec::NamedArray>&)> weights, moments;
};

class LyingModel : public exec::Model {
 public:
  LyingModel(std::unique_ptr<exec::Model> inner, Lies lies)
      : inner_(std::move(inner)), lies_(std::move(lies)) {}

  exec::StepReport step(const exec::TokenBatch& batch, const exec::Update& update) override {
    exec::TokenBatch seen = batch;
    if (lies_.before_step) lies_.before_step(seen);
    exec::StepReport report = inner_->step(seen, update);
    if (lies_.after_step) lies_.after_step(report);
    return report;
  }
  std::vector<float> losses(const exec::TokenBatch& batch) override {
    exec::TokenBatch seen = batch;
    if (lies_.before_losses) lies_.before_losses(seen);
    std::vector<float> out = inner_->losses(seen);
    if (lies_.after_losses) lies_.after_losses(batch, out);
    return out;
  }
  std::vector<float> decoded_losses(const exec::TokenBatch& batch) override {
    std::vector<float> out = inner_->decoded_losses(batch);
    if (lies_.after_decoding) lies_.after_decoding(batch, out);
    return out;
  }
  exec::Scores score(const exec::TokenBatch& batch) override { return inner_->score(batch); }
  std::vector<exec::NamedArray> weights() const override {
    std::vector<exec::NamedArray> out = inner_->weights();
    if (lies_.weights) lies_.weights(out);
    return out;
  }
  std::vector<exec::NamedArray> moments() const override {
    std::vector<exec::NamedArray> out = inner_->moments();
    if (lies_.moments) lies_.moments(out);
    return out;
  }
  bool restore(const std::vector<exec::NamedArray>& arrays) override { return inner_->restore(arrays); }

 private:
  std::unique_ptr<exec::Model> inner_;
  Lies lies_;
};

/// Returns the torch backend with these lies in every model.
inline trial::MakeModel lying(Lies lies) {
  return [lies](const ir::Graph& graph, std::uint64_t seed) {
    return std::make_unique<LyingModel>(trial::torch_backend()(graph, seed), lies);
  };
}

}  // namespace gabbro::testing
