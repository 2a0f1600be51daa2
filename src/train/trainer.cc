#include "train/trainer.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/build_id.h"
#include "base/clock.h"
#include "train/batches.h"
#include "train/safetensors.h"

namespace gabbro::train {

namespace {

// Returns a description of the run. A checkpoint must have the same one to be resumed.
std::string identity(const data::Split& split, const TrainOptions& o) {
  return fmt::format(
      "design={} tokens={} sequences={} length={} seed={} rate={}/{}/{} decay={} clip={} "
      "schedule={}/{}/{}/{} optimizer={} valid={} "
      "corpus={}/{}",
      o.design, o.tokens, o.sequences, o.length, o.seed, o.update.rate, o.update.input, o.update.output,
      o.update.decay, o.update.clip, static_cast<int>(o.schedule.kind), o.schedule.warmup, o.schedule.decay,
      o.schedule.floor, static_cast<int>(o.update.rule), o.valid_points, split.tokens(), split.documents());
}

// Writes the curve as JSON. Doubles keep all their digits; values that are not finite become null.
std::string write_curve(const std::vector<CurvePoint>& curve) {
  nlohmann::json out = nlohmann::json::array();
  for (const CurvePoint& p : curve) out.push_back({p.step, p.tokens, p.loss, p.gradient_norm, p.rate});
  return out.dump();
}

std::string write_valid(const std::vector<ValidPoint>& points) {
  nlohmann::json out = nlohmann::json::array();
  for (const ValidPoint& p : points) out.push_back({p.tokens, p.bits_per_byte});
  return out.dump();
}

// Reads what save wrote beside the arrays. Errors: "checkpoint" if the file is damaged.
Result<bool> read_progress(std::map<std::string, std::string>& metadata, const std::string& path,
                           TrainResult& result) {
  try {
    const auto number = [](const nlohmann::json& v) { return v.is_null() ? NAN : v.get<double>(); };
    for (const auto& p : nlohmann::json::parse(metadata["curve"]))
      result.curve.push_back({p.at(0), p.at(1), number(p.at(2)), number(p.at(3)), p.at(4)});
    for (const auto& p : nlohmann::json::parse(metadata["valid"]))
      result.valid.push_back({p.at(0), number(p.at(1))});
    result.seconds = std::stod(metadata["seconds"]);
    result.build = metadata["build"];
    result.text_hash = std::stoull(metadata["text"], nullptr, 16);
  } catch (const std::exception& e) {
    return fail("checkpoint", fmt::format("{} is damaged: {}", path, e.what()), "remove it to start again");
  }
  result.tokens = result.curve.empty() ? 0 : result.curve.back().tokens;
  return true;
}

// Checks that a checkpoint is consistent with itself and with the text: the optimizer must have made as many
// updates as there are steps, and the text's hash must match.
Result<bool> check_progress(const std::vector<exec::NamedArray>& arrays, const Batches& batches,
                            const std::string& path, const TrainResult& result) {
  const auto steps = static_cast<std::int64_t>(result.curve.size());
  for (const exec::NamedArray& a : arrays)
    if (a.name == "steps" && (a.data.size() != 1 || std::llround(a.data[0]) != steps))
      return fail("checkpoint",
                  fmt::format("{} records {} steps, but its optimizer made {} updates", path, steps,
                              a.data.empty() ? 0 : std::llround(a.data[0])),
                  "remove it to start again");
  std::uint64_t text = 0;
  for (std::int64_t step = 0; step < steps; ++step) text = add_text(text, batches.batch(step));
  if (text != result.text_hash)
    return fail(
        "checkpoint",
        fmt::format("{} was trained on text with hash {:016x}, but the corpus gives {:016x} for its {} steps",
                    path, result.text_hash, text, steps),
        "the corpus has changed; choose another folder, or remove the checkpoint");
  return true;
}

Result<bool> save(const std::string& path, const exec::Model& model, const TrainResult& result,
                  const std::string& run) {
  std::vector<exec::NamedArray> arrays = model.weights();
  for (exec::NamedArray& a : model.moments()) arrays.push_back(std::move(a));
  return save_arrays(path, arrays,
                     {{"run", run},
                      {"hash", hash_arrays(arrays)},
                      {"curve", write_curve(result.curve)},
                      {"valid", write_valid(result.valid)},
                      {"seconds", fmt::format("{}", result.seconds)},
                      {"build", result.build},
                      {"text", fmt::format("{:016x}", result.text_hash)}});
}

Result<bool> resume(const std::string& path, exec::Model& model, const Batches& batches, TrainResult& result,
                    const std::string& run) {
  auto loaded = load_arrays(path);
  if (!loaded) return fail("checkpoint", loaded.error().message, "remove it to start again");
  ArrayFile& file = *loaded;
  if (file.metadata["run"] != run)
    return fail("checkpoint",
                fmt::format("{} belongs to another run: {}; this one is {}", path, file.metadata["run"], run),
                "choose another folder, or remove the checkpoint");
  if (const std::string hash = hash_arrays(file.arrays); file.metadata["hash"] != hash)
    return fail("checkpoint",
                fmt::format("{} was changed: the hash of its values is {} instead of {}", path, hash,
                            file.metadata["hash"]),
                "remove it to start again");
  if (auto ok = read_progress(file.metadata, path, result); !ok) return ok;
  if (auto ok = check_progress(file.arrays, batches, path, result); !ok) return ok;
  if (!model.restore(file.arrays))
    return fail("checkpoint", path + " holds the weights of another design",
                "choose another folder, or remove the checkpoint");
  return true;
}

// Tracks a running average of the loss, to distinguish divergence from noise. It spans about ten steps.
class DivergenceMonitor {
 public:
  explicit DivergenceMonitor(double limit) : limit_(limit) {}
  bool diverged(double loss) {
    average_ = count_ == 0 ? loss : 0.9 * average_ + 0.1 * loss;
    if (++count_ > kUnjudged) best_ = std::min(best_, average_);
    return count_ > kUnjudged && average_ > best_ + limit_;
  }

 private:
  static constexpr int kUnjudged = 20;  // first steps, of which none counts as the best or as diverged
  double limit_, average_ = 0, best_ = INFINITY;
  int count_ = 0;
};

// Returns true if the run ends at this point of its curve without usable weights; `result` then has the
// reason. The last point of a checkpoint may be such a point.
bool ends_at(const CurvePoint& p, DivergenceMonitor& monitor, const TrainOptions& o, TrainResult& result) {
  if (!std::isfinite(p.loss) || !std::isfinite(p.gradient_norm)) {
    result.end = TrainResult::End::kNotFinite;
    result.cause = fmt::format("loss {} and gradient norm {} at step {}", p.loss, p.gradient_norm, p.step);
  } else if (monitor.diverged(p.loss)) {
    result.end = TrainResult::End::kDiverged;
    result.cause =
        fmt::format("the average loss rose by more than {} above its best, at step {}", o.divergence, p.step);
  } else {
    return false;
  }
  return true;
}

// Describes the first hurdle that is due at the last step of the curve and that the run fails. Returns "" if
// there is none.
std::string failed_hurdle(const std::vector<CurvePoint>& curve, const TrainOptions& o) {
  const std::int64_t per_step = o.sequences * o.length, steps = static_cast<std::int64_t>(curve.size());
  for (const Hurdle& h : o.hurdles) {
    if (std::max<std::int64_t>(1, (h.tokens + per_step - 1) / per_step) != steps) continue;
    const double recent = recent_loss(curve, curve.size());
    if (!(recent <= h.loss))
      return fmt::format(
          "the mean loss of the last tenth of {} steps is {:.4f}, above the hurdle of {:.4f} at {} tokens",
          steps, recent, h.loss, steps * per_step);
  }
  return {};
}

// Truncates the result at the first hurdle that it fails, as if the steps after it had never been run.
// Without such a hurdle, nothing changes.
void cut_at_hurdle(const Batches& batches, const TrainOptions& o, TrainResult& result) {
  std::vector<CurvePoint> curve;
  for (const CurvePoint& p : result.curve) {
    curve.push_back(p);
    result.cause = failed_hurdle(curve, o);
    if (result.cause.empty()) continue;
    result.end = TrainResult::End::kHurdle;
    result.tokens = p.tokens;
    std::erase_if(result.valid, [&](const ValidPoint& v) { return v.tokens > p.tokens; });
    result.text_hash = 0;
    for (std::size_t step = 0; step < curve.size(); ++step)
      result.text_hash = add_text(result.text_hash, batches.batch(static_cast<std::int64_t>(step)));
    result.curve = std::move(curve);
    return;
  }
}

// Returns true if the first `count` of all steps complete a part after which the held-out text is scored.
bool is_valid_point(std::int64_t count, std::int64_t steps, std::int64_t points) {
  return count < steps && count * points / steps > (count - 1) * points / steps;
}

}  // namespace

double recent_loss(const std::vector<CurvePoint>& curve, std::size_t steps) {
  const std::size_t count = (steps + 9) / 10;
  double sum = 0;
  for (std::size_t i = steps - count; i < steps; ++i) sum += curve[i].loss;
  return sum / static_cast<double>(count);
}

Result<TrainResult> train(exec::Model& model, const data::Split& split, std::int64_t end_token,
                          const TrainOptions& o, const TrainProgress& progress) {
  if (o.tokens <= 0 || o.sequences <= 0 || o.length <= 0)
    return fail("budget",
                fmt::format("nothing to train on: {} tokens in batches of {} sequences of {} tokens",
                            o.tokens, o.sequences, o.length),
                "make all three positive");
  if (split.tokens() <= static_cast<std::uint64_t>(o.length))
    return fail(
        "budget",
        fmt::format("the split contains {} tokens, but a sequence needs {}", split.tokens(), o.length + 1),
        "use shorter sequences or more text");
  const Batches batches(split, end_token, o.sequences, o.length, o.seed);
  const std::int64_t per_step = o.sequences * o.length, steps = (o.tokens + per_step - 1) / per_step;
  const std::string run = identity(split, o);
  TrainResult result;
  std::error_code ignored;
  if (!o.checkpoint.empty() && std::filesystem::exists(o.checkpoint, ignored))
    if (auto ok = resume(o.checkpoint, model, batches, result, run); !ok) return tl::unexpected(ok.error());
  if (result.build.find(o.build) == std::string::npos)
    result.build += (result.build.empty() ? "" : std::string(kBuildSeparator)) + o.build;
  cut_at_hurdle(batches, o, result);
  if (result.end == TrainResult::End::kHurdle) return result;
  DivergenceMonitor monitor(o.divergence);
  for (const CurvePoint& p : result.curve)
    if (ends_at(p, monitor, o, result)) return result;

  double began = seconds_now(), saved = began;  // `began` moves with the pauses in which the model is scored
  const double before = result.seconds;
  const auto save_checkpoint = [&]() -> Result<bool> {
    result.seconds = before + seconds_now() - began;
    saved = seconds_now();
    return o.checkpoint.empty() ? Result<bool>(true) : save(o.checkpoint, model, result, run);
  };
  for (std::int64_t step = static_cast<std::int64_t>(result.curve.size()); step < steps; ++step) {
    exec::Update update = o.update;
    update.rate *= o.schedule.at(step, steps);
    const exec::TokenBatch batch = batches.batch(step);
    const exec::StepReport report = model.step(batch, update);
    result.text_hash = add_text(result.text_hash, batch);
    result.tokens += per_step;
    result.curve.push_back({step, result.tokens, report.loss, report.gradient_norm, update.rate});
    if (ends_at(result.curve.back(), monitor, o, result)) break;
    result.cause = failed_hurdle(result.curve, o);
    if (!result.cause.empty()) {
      result.end = TrainResult::End::kHurdle;
      break;
    }
    if (is_valid_point(step + 1, steps, o.valid_points)) {
      const double paused = seconds_now();
      result.valid.push_back({result.tokens, o.valid()});
      began += seconds_now() - paused;
    }
    const double speed = static_cast<double>(result.tokens) / std::max(1e-9, before + seconds_now() - began);
    if (progress && !progress(result.curve.back(), steps, speed)) {
      if (step + 1 < steps) result.end = TrainResult::End::kStopped, result.cause = "stopped from outside";
      break;
    }
    if (seconds_now() - saved > o.checkpoint_seconds)
      if (auto ok = save_checkpoint(); !ok) return tl::unexpected(ok.error());
  }
  if (auto ok = save_checkpoint(); !ok) return tl::unexpected(ok.error());
  return result;
}

}  // namespace gabbro::train
