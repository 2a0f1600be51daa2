#include "data/division.h"

#include <algorithm>

namespace gabbro::data {

Division::Division(std::optional<double> share)
    : by_name_(!share), bound_(static_cast<std::uint64_t>(share.value_or(0) * 0x1p63) * 2) {}

void Division::add(const std::string& text) {
  const Plain plain = plain_of(text);
  if (is_held_out(plain.identity) && !known_.add(plain)) near_.insert(plain.identity);
}

Side Division::side_of(const std::string& text) {
  const Plain plain = plain_of(text);
  if (!by_name_ && is_held_out(plain.identity)) return hold(plain.identity) ? Side::kHeldOut : Side::kNeither;
  const HeldOutText::Found found = known_.find(plain);
  counts_.same += found.overlap == Overlap::kSame;
  counts_.inside += found.overlap == Overlap::kInside;
  if (!trains(found)) return Side::kNeither;
  known_.train(found);
  trained_.push_back(plain.identity);
  return Side::kTrain;
}

bool Division::trains(const std::string& text) const {
  const Plain plain = plain_of(text);
  return (by_name_ || !is_held_out(plain.identity)) && trains(known_.find(plain));
}

bool Division::trains(const HeldOutText::Found& found) const {
  return found.overlap == Overlap::kNone || (!by_name_ && found.overlap == Overlap::kInside);
}

bool Division::hold(const std::string& text) { return hold(plain_of(text).identity); }

bool Division::hold(std::uint64_t identity) {
  const bool near = near_.contains(identity);
  const bool fresh = !near && held_.insert(identity).second;
  counts_.nearly_repeated += near;
  counts_.repeated += !near && !fresh;
  return fresh;
}

Division::Counts Division::counts() const {
  Counts out = counts_;
  std::vector<std::uint64_t> identities = trained_;
  std::sort(identities.begin(), identities.end());
  out.trained_again =
      static_cast<std::uint64_t>(identities.end() - std::unique(identities.begin(), identities.end()));
  out.held_out_trained = known_.trained();
  return out;
}

}  // namespace gabbro::data
