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

inline std::string_view status_of(const store::TrialRow& t) {
  return t.status ? record::word_of(*t.status) : "running";
}

class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  static record::Event campaign() { return record::CampaignBegun{"[ladder]\nrungs = 3\n", 5, "0.1.0"}; }

  record::Event next() {
    const int what = designs_ == 0 ? 0 : below(20);
    if (what < 4) return design();
    if (what < 9) return refusal();
    if (what < 13 || running_.empty()) return trial();
    if (what < 18) return end();
    if (what == 18 || promoted_ == designs_)
      return record::Session{below(2) == 0, record::SessionEnd::kBudget};
    return record::Promoted{++promoted_, 1, "better"};
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
    return record::Refused{++attempts_,
                           strategy(),
                           {record::Operator::kWrap},
                           record::Cause::kCost,
                           fmt::format("{} FLOPs", below(1000)),
                           below(static_cast<int>(designs_) + 1)};
  }

  record::Event trial() {
    running_.push_back(++trials_);
    return record::TrialBegun{trials_, 1 + below(static_cast<int>(designs_)), below(3), random_(),
                              record::Purpose::kRung};
  }

  record::Event end() {
    const auto which = static_cast<std::size_t>(below(static_cast<int>(running_.size())));
    const std::int64_t id = running_[which];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(which));
    const int how = below(8);
    if (how == 0)
      return record::TrialEnded{
          id, record::RunEnd::kCrash, 1.5,
          record::failure("train", fmt::format("signal {}", below(20)), record::Cause::kWorker)};
    record::TrialResult r = result(record::Status::kDone, 1.5 + below(1000) / 1000.0);
    if (how == 1) r.status = record::Status::kHurdle, r.cause = "behind by 0.2";
    if (how == 2) r.status = record::Status::kRefused, r.cause = "anchor";
    for (int i = 0; i < curve_points; ++i) r.curve.push_back({i, i * 4096, 6.0 / (1 + i), 1.25, 0.003});
    return record::TrialEnded{id, record::RunEnd::kResult, 0.1 * below(1000), record::to_json(r)};
  }

  int curve_points = 2;

 private:
  std::string strategy() { return below(2) == 0 ? "ours" : "random"; }
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  std::mt19937 random_;
  std::int64_t designs_ = 0, attempts_ = 0, trials_ = 0, promoted_ = 0;
  std::vector<std::int64_t> running_;
};

}  // namespace gabbro
