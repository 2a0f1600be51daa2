#include "data/division.h"

#include <algorithm>

namespace gabbro::data {

Division::Division(std::optional<double> share)
    : by_name_(!share), identity_bound_(static_cast<std::uint64_t>(share.value_or(0) * 0x1p63) * 2) {}

void Division::add_candidate(const std::string& text) {
  ComparableText comparable = comparable_text(text);
  if (is_held_out(comparable.identity)) {
    has_candidate_ = true;
    if (!held_out_.add(comparable)) near_copies_.insert(comparable.identity);
    return;
  }
  has_others_ = has_others_ || (nearest_ && nearest_->identity != comparable.identity);
  if (!has_candidate_ && (!nearest_ || comparable.identity < nearest_->identity))
    nearest_ = std::move(comparable);
}

void Division::finish() {
  if (!has_candidate_ && has_others_) {
    identity_bound_ = nearest_->identity + 1;
    held_out_.add(*nearest_);
  }
  nearest_.reset();
  held_out_.finish();
}

Side Division::side_of(const std::string& text) {
  const std::uint64_t identity = identity_of(text);
  if (!by_name_ && is_held_out(identity)) return hold_out_once(identity) ? Side::kHeldOut : Side::kNeither;
  const HeldOutText::Found found = find(text, identity);
  counts_.same += found.overlap == Overlap::kSame;
  counts_.inside += found.overlap == Overlap::kInside;
  if (!trains(found)) return Side::kNeither;
  held_out_.train(found);
  trained_.push_back(identity);
  return Side::kTrain;
}

bool Division::trains(const std::string& text) const {
  const std::uint64_t identity = identity_of(text);
  return (by_name_ || !is_held_out(identity)) && trains(find(text, identity));
}

HeldOutText::Found Division::find(const std::string& text, std::uint64_t identity) const {
  const HeldOutText::Found* const decided = held_out_.decided(identity);
  return decided != nullptr ? *decided : held_out_.find(comparable_text(text));
}

bool Division::trains(const HeldOutText::Found& found) const {
  return found.overlap == Overlap::kNone || (!by_name_ && found.overlap == Overlap::kInside);
}

bool Division::hold_out_once(const std::string& text) { return hold_out_once(identity_of(text)); }

bool Division::hold_out_once(std::uint64_t identity) {
  if (held_out_.is_boilerplate(identity)) {
    ++counts_.boilerplate;
    return false;
  }
  const bool is_near_copy = near_copies_.contains(identity);
  const bool is_new = !is_near_copy && kept_.insert(identity).second;
  counts_.nearly_repeated += is_near_copy;
  counts_.repeated += !is_near_copy && !is_new;
  return is_new;
}

Division::Counts Division::counts() const {
  Counts out = counts_;
  std::vector<std::uint64_t> identities = trained_;
  std::sort(identities.begin(), identities.end());
  out.trained_again =
      static_cast<std::uint64_t>(identities.end() - std::unique(identities.begin(), identities.end()));
  out.held_out_trained = held_out_.trained();
  return out;
}

}  // namespace gabbro::data
