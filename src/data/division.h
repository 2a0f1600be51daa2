// Decides which documents are trained on and which are held out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "data/held_out.h"

namespace gabbro::data {

enum class Side { kTrain, kHeldOut, kNeither };

/// Held-out text is never trained on, and each held-out text counts once: a second copy would count as an
/// independent document that agrees. First `add` is called for each document that may be held out, then
/// `finish`, then `side_of` for each document of the sources; documents that are held out by name are given
/// to `hold`.
class Division {
 public:
  /// `share`: the share of documents that is held out, chosen by their text; equal texts fall on one side.
  /// Without it, documents are held out by name.
  explicit Division(std::optional<double> share);

  void add(const std::string& text);
  void finish() { known_.finish(); }
  /// Returns where a document of the sources belongs, and counts it.
  Side side_of(const std::string& text);
  /// Returns true if a document of the sources belongs to the training text, without counting it.
  [[nodiscard]] bool trains(const std::string& text) const;
  /// Says whether a document that is held out by name is kept, and counts it.
  bool hold(const std::string& text);

  struct Counts {
    std::uint64_t same = 0;                 // documents that are held out by name, too, and not trained on
    std::uint64_t inside = 0;               // those that contain held-out text or stand in it
    std::uint64_t repeated = 0;             // held-out documents that are left out since they occurred before
    std::uint64_t nearly_repeated = 0;      // or nearly so
    std::uint64_t trained_again = 0;        // training documents that occurred before
    HeldOutText::Trained held_out_trained;  // held-out text in training documents
  };
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] bool is_by_name() const { return by_name_; }

 private:
  bool hold(std::uint64_t identity);
  [[nodiscard]] bool trains(const HeldOutText::Found& found) const;
  [[nodiscard]] bool is_held_out(std::uint64_t identity) const { return by_name_ || identity < bound_; }

  bool by_name_;
  std::uint64_t bound_;  // on the identity of held-out documents
  HeldOutText known_;
  std::unordered_set<std::uint64_t> near_, held_;  // identities of held-out documents
  std::vector<std::uint64_t> trained_;             // identities of training documents
  Counts counts_;
};

}  // namespace gabbro::data
