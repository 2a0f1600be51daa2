// Draws the events of a plausible campaign at random; each follows from the previous ones.
#pragma once

#include <fmt/format.h>

#include <random>
#include <vector>

#include "record/event.h"
#include "record/job.h"
#include "record/trial.h"
#include "store/store.h"

namespace gabbro {

/// Returns the status of a trial as it is spelled in the tables.
inline std::string_view status_of(const store::TrialRow& t) {
  return t.status ? record::word_of(*t.status) : "running";
}

/// Draws events. `next` returns the next one; the others draw one of a kind.
class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  static record::Event campaign() {
    return record::CampaignBegun{.config = "[ladder]\nrungs = 3\n", .seed = 5, .version = "0.1.0"};
  }

  record::Event next() {
    // In the mean, of 20 events, 4 are designs, 5 refusals, 4 trials and 5 results.
    const int kind = designs_ == 0 ? 0 : below(20);
    if (kind < 4) return design();
    if (kind < 9) return refusal();
    if (kind < 13 || running_.empty()) return trial();
    if (kind < 18) return end();
    if (kind == 18 || promoted_ == designs_)
      return record::Session{.begins = below(2) == 0, .end = record::SessionEnd::kBudget};
    return record::Promoted{.design = ++promoted_, .rung = 1, .reason = "better"};
  }

  static record::TrialResult result(record::Status status, double bits) {
    record::TrialResult r;
    r.status = status;
    r.bits_per_byte = bits, r.bits_low = bits - 0.01, r.bits_high = bits + 0.01;
    r.last_loss = bits * 1.5, r.tokens_per_second = 12'345, r.params = 1'000'000, r.tokens = 500'000;
    return r;
  }

  record::Event design() {
    record::DesignCreated d;
    d.id = ++designs_;
    d.attempt = ++attempts_;
    d.name = fmt::format("D{}", d.id);
    d.program = fmt::format("design D{}:\n    width = 64\n", d.id);
    d.hash = fmt::format("{:016x}", random_());
    d.fingerprint = fmt::format("{:016x}", random_());
    d.strategy = strategy();
    d.provenance.op = record::Operator::kSwapOperator;
    d.parent = below(static_cast<int>(designs_)), d.second_parent = below(static_cast<int>(designs_));
    d.species = "attention";
    d.train_flops = 1e6 * below(100), d.decode_flops = 1e5 * below(100), d.state_bytes = below(1'000'000);
    return d;
  }

  record::Event refusal() {
    return record::Refused{.attempt = ++attempts_,
                           .strategy = strategy(),
                           .provenance = {record::Operator::kWrap},
                           .cause = record::Cause::kCost,
                           .detail = fmt::format("{} FLOPs", below(1000)),
                           .parent = below(static_cast<int>(designs_) + 1)};
  }

  record::Event trial() {
    running_.push_back(++trials_);
    return record::TrialBegun{.id = trials_,
                              .design = 1 + below(static_cast<int>(designs_)),
                              .rung = below(3),
                              .seed = random_(),
                              .purpose = record::Purpose::kRung};
  }

  record::Event end() {
    const auto index = static_cast<std::size_t>(below(static_cast<int>(running_.size())));
    const std::int64_t id = running_[index];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
    const int outcome = below(8);
    if (outcome == 0)
      return record::TrialEnded{
          .id = id,
          .end = record::RunEnd::kCrash,
          .seconds = 1.5,
          .result = record::failure("train", fmt::format("signal {}", below(20)), record::Cause::kWorker)};
    record::TrialResult r = result(record::Status::kDone, 1.5 + below(1000) / 1000.0);
    if (outcome == 1) r.status = record::Status::kHurdle, r.cause = "behind by 0.2";
    if (outcome == 2) r.status = record::Status::kRefused, r.cause = "anchor";
    for (int i = 0; i < curve_points; ++i)
      r.curve.push_back(
          {.step = i, .tokens = i * 4096, .loss = 6.0 / (1 + i), .gradient_norm = 1.25, .rate = 0.003});
    return record::TrialEnded{
        .id = id, .end = record::RunEnd::kResult, .seconds = 0.1 * below(1000), .result = record::to_json(r)};
  }

  int curve_points = 2;

 private:
  std::string strategy() { return below(2) == 0 ? "ours" : "random"; }
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  std::mt19937 random_;
  std::int64_t designs_ = 0, attempts_ = 0, trials_ = 0, promoted_ = 0;
  std::vector<std::int64_t> running_;  // ids of trials without a result
};

}  // namespace gabbro
