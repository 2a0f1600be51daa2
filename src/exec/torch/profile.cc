// The headers of the library assert, without NDEBUG, on a flag that a library built with it never sets.
#ifndef NDEBUG
#define NDEBUG
#endif
#include "exec/torch/profile.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

#include "base/result.h"

namespace gabbro::exec::torch {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Recorder {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
};

Recorder* active = nullptr;  // callbacks are plain functions

// One call in progress; its start adds it to the thread's chain of open calls, its end takes it off.
struct OpenCall : at::ObserverContext {
  OpenCall* outer = nullptr;
  std::string shapes;
  double inside = 0;  // seconds of the calls made by this one
  Clock::time_point start;
};

thread_local OpenCall* innermost = nullptr;

std::string shapes_of(const at::RecordFunction& call) {
  std::string out;
  for (const c10::IValue& input : call.inputs()) {
    if (!input.isTensor() || !input.toTensor().defined()) continue;
    const at::Tensor& x = input.toTensor();
    out += fmt::format("{}[{}]{}", out.empty() ? "" : " ", fmt::join(x.sizes(), ","),
                       x.is_contiguous() ? "" : "*");
  }
  return out;
}

template <bool kShapes>
std::unique_ptr<at::ObserverContext> begin_call(const at::RecordFunction& call) {
  auto open = std::make_unique<OpenCall>();
  if constexpr (kShapes) open->shapes = shapes_of(call);
  open->outer = innermost;
  innermost = open.get();
  open->start = Clock::now();
  return open;
}

void end_call(const at::RecordFunction& call, at::ObserverContext* context) {
  auto* open = static_cast<OpenCall*>(context);
  if (!open || !active) return;  // its start failed, or the recording ended inside of it
  const double seconds = seconds_since(open->start);
  innermost = open->outer;
  // A scope is another view of the time of the operators inside it: it takes nothing from what encloses it.
  const bool scope = call.scope() == at::RecordScope::USER_SCOPE;
  if (open->outer) open->outer->inside += scope ? open->inside : seconds;
  const std::lock_guard lock(active->mutex);
  ProfileRow& row = active->rows[{call.name(), open->shapes}];
  row.name = call.name();
  row.shapes = open->shapes;
  row.scope = scope;
  ++row.calls;
  row.seconds += seconds;
  row.self_seconds += seconds - open->inside;
}

template <class F>
double best_seconds(int tries, F&& f) {
  double best = 1e30;
  for (int i = 0; i < tries; ++i) {
    const auto start = Clock::now();
    f();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

}  // namespace

struct Profile::State {
  Recorder recorder;
  at::CallbackHandle handle = 0;
};

Profile::Profile(bool with_shapes) : state_(std::make_unique<State>()) {
  GABBRO_CHECK(!active);
  active = &state_->recorder;
  at::RecordFunctionCallback callback(with_shapes ? begin_call<true> : begin_call<false>, end_call);
  callback.needsInputs(with_shapes).scopes({at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE});
  state_->handle = at::addGlobalCallback(callback);
}

Profile::~Profile() { stop(); }

std::vector<ProfileRow> Profile::stop() {
  if (active != &state_->recorder) return {};
  at::removeCallback(state_->handle);
  active = nullptr;
  std::vector<ProfileRow> rows;
  for (auto& [key, row] : state_->recorder.rows) rows.push_back(std::move(row));
  std::sort(rows.begin(), rows.end(),
            [](const ProfileRow& a, const ProfileRow& b) { return a.self_seconds > b.self_seconds; });
  return rows;
}

void use_threads(int threads) { at::set_num_threads(threads); }

Peaks measure_peaks(int threads, bool bf16) {
  at::set_num_threads(threads);
  const c10::InferenceMode no_autograd;
  constexpr std::int64_t kSide = 2048, kFloats = std::int64_t{64} << 20;
  constexpr int kTries = 4;  // the first one also touches the memory
  const at::TensorOptions options = at::TensorOptions().dtype(bf16 ? at::kBFloat16 : at::kFloat);
  const at::Tensor a = at::ones({kSide, kSide}, options), b = at::ones_like(a);
  at::Tensor product = at::empty_like(a);
  Peaks peaks;
  peaks.matrix_flops = 2.0 * kSide * kSide * kSide / best_seconds(kTries, [&] { at::mm_out(product, a, b); });
  const at::Tensor from = at::ones({kFloats}, at::kFloat);
  at::Tensor to = at::empty_like(from);
  peaks.copy_bytes = 8.0 * kFloats / best_seconds(kTries, [&] { to.copy_(from); });
  return peaks;
}

}  // namespace gabbro::exec::torch
