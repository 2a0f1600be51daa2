#include "trial/gradient_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/facts.h"
#include "trial/backend.h"
#include "trial/resources.h"

namespace gabbro::trial {

namespace {

// Limits of the difference, in relation to the norm of a parameter's gradient.
constexpr double kLimit = 0.01, kBf16Limit = 0.3, kBf16Factor = 8;
// A difference below this share of the norm of the whole gradient says nothing about a parameter.
constexpr double kOfWhole = 1e-3, kBf16OfWhole = 0.03;

using Gradient = std::map<std::string, std::vector<float>, std::less<>>;

// Returns the gradient of the mean loss of `batch`. It is the first moment of an update that forgets earlier
// gradients and changes no weight.
Gradient gradient_of(exec::Model& model, const exec::TokenBatch& batch) {
  constexpr std::string_view kFirstMoment = "m/";
  std::vector<exec::NamedArray> before = model.weights();
  for (exec::NamedArray& moment : model.moments()) before.push_back(std::move(moment));
  const exec::StepReport report = model.step(batch, {.rate = 0, .beta1 = 0, .decay = 0, .clip = 0});
  Gradient out;
  for (exec::NamedArray& a : model.moments()) {
    if (!a.name.starts_with(kFirstMoment)) continue;
    if (!report.updated) std::fill(a.data.begin(), a.data.end(), std::numeric_limits<float>::quiet_NaN());
    out.emplace(a.name.substr(kFirstMoment.size()), std::move(a.data));
  }
  GABBRO_CHECK(model.restore(before));
  return out;
}

double norm(const std::vector<float>& values) {
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * v;
  return std::sqrt(squares);
}

double norm(const Gradient& gradient) {
  double squares = 0;
  for (const auto& [name, values] : gradient) squares += std::pow(norm(values), 2);
  return std::sqrt(squares);
}

// Returns the norm of the difference, infinite if it is not a number or the sizes differ.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::isnan(squares) ? std::numeric_limits<double>::infinity() : std::sqrt(squares);
}

exec::TokenBatch with_one_row_scored(exec::TokenBatch batch, std::int64_t row) {
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(batch.targets.size()); ++i)
    if (i / batch.length != row) batch.targets[static_cast<std::size_t>(i)] = exec::kNotScored;
  return batch;
}

}  // namespace

exec::TokenBatch row_of(const exec::TokenBatch& batch, std::int64_t row) {
  const std::int64_t from = row * batch.length, to = from + batch.length;
  const auto part = [&](const std::vector<std::int64_t>& x) {
    return x.empty() ? x : std::vector<std::int64_t>(x.begin() + from, x.begin() + to);
  };
  return {1, batch.length, part(batch.tokens), part(batch.targets), part(batch.starts)};
}

namespace {

// Returns why memory does not suffice for the comparison; "" if it does. A step of one row in float64 takes
// twice what it takes in float32, if the model knows that. Copies of weights and moments, and two gradients,
// take 32 bytes for each parameter, and a model in float64 another 24.
std::string why_no_memory(const ir::Graph& graph, const exec::Model& model, std::int64_t length,
                          const record::TrialSpec& spec) {
  constexpr std::int64_t kCopies = 32, kModel = 24;
  const std::int64_t params = ir::count_params(graph);
  const std::int64_t needed = kCopies * params + std::max(kModel * params, 2 * model.step_bytes(1, length));
  const std::int64_t left = bytes_left(spec.memory, model.peak_bytes());
  constexpr double kMib = 1 << 20;
  return needed <= left ? ""
                        : fmt::format("not asked: it would take {:.0f} MiB, but {:.0f} MiB are left",
                                      static_cast<double>(needed) / kMib, static_cast<double>(left) / kMib);
}

}  // namespace

record::Anchor gradient_agrees(const ir::Graph& graph, exec::Model& model, const exec::TokenBatch& batch,
                               std::int64_t row, const record::TrialSpec& spec, bool recomputes) {
  if (const std::string why = why_no_memory(graph, model, batch.length, spec); !why.empty())
    return {"gradient", true, why};
  const Gradient got = gradient_of(model, with_one_row_scored(batch, row));
  const exec::TokenBatch alone = row_of(batch, row);
  std::vector<exec::NamedArray> weights = model.weights();
  const auto exact_model = torch_backend(
      {.threads = spec.threads, .dtype = record::Dtype::kFloat64, .recompute = recomputes})(graph, spec.seed);
  GABBRO_CHECK(exact_model->restore(weights));
  const Gradient exact = gradient_of(*exact_model, alone);
  Gradient of_rounded;
  const bool bf16 = spec.dtype == record::Dtype::kBf16;
  if (bf16) {
    for (exec::NamedArray& a : weights)
      for (float& v : a.data) v = static_cast<float>(to_bf16(v));
    GABBRO_CHECK(exact_model->restore(weights));
    of_rounded = gradient_of(*exact_model, alone);
  }

  const double whole = norm(exact), unimportant = (bf16 ? kBf16OfWhole : kOfWhole) * whole;
  // Returns how far a gradient of norm `size` may be off. No effect of rounding allows more than the norm of
  // the whole gradient.
  const auto allowed = [&](double moved, double size) {
    return bf16 ? std::min(whole, std::max(kBf16Limit * size, kBf16Factor * moved)) : kLimit * size;
  };
  record::Anchor out{"gradient", got.size() == exact.size(), "there are no parameters"};
  double worst = -1;  // difference in relation to its limit
  double squares = 0, moved_squares = 0;
  for (const auto& [name, values] : exact) {
    const auto found = got.find(name);
    const double size = norm(values), moved = bf16 ? distance(of_rounded.at(name), values) : 0,
                 difference = found == got.end() ? std::numeric_limits<double>::infinity()
                                                 : distance(found->second, values);
    squares += difference * difference, moved_squares += moved * moved;
    const double limit = allowed(moved, size) + unimportant, relative = difference / limit;
    if (relative > worst) {
      worst = relative;
      out.detail =
          fmt::format("that of {} differs most from float64: by {:.2g}, allowed {:.2g}, at a norm of {:.2g}",
                      name, difference, limit, size);
    }
    out.holds = out.holds && difference <= limit;
  }
  const double limit = allowed(std::sqrt(moved_squares), whole);
  out.holds = out.holds && std::isfinite(squares) && std::sqrt(squares) <= limit;
  out.detail += fmt::format("; the whole differs by {:.2g}, allowed {:.2g}, at a norm of {:.2g}",
                            std::sqrt(squares), limit, whole);
  return out;
}

}  // namespace gabbro::trial
