// Decides which documents are trained on and which are held out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "data/held_out.h"

namespace gabbro::data {

/// The side of the corpus on which a document falls; kNeither if it is left out.
enum class Side { kTrain, kHeldOut, kNeither };

/// Held-out text is never trained on, and each held-out text counts once: a second copy would count as an
/// independent document that agrees. First `add_candidate` is called for each document that may be held out,
/// then `finish`, where documents are held out by name then `observe` for each document of the sources and
/// `settle`, then `side_of` for each document of the sources, then `hold_out_once` for each document
/// that is held out by name.
class Division {
 public:
  /// `share` of the documents, in [0, 1), are held out, chosen by their text; equal texts fall on one side.
  /// Without it, documents are held out by name.
  explicit Division(std::optional<double> share);

  /// Adds a document that may be held out: one of the named ones, or one of the sources.
  void add_candidate(const std::string& text);
  /// Ends the candidates. If chance held out none of several, the nearest to the share is held out.
  void finish();
  void observe(const std::string& text) { held_out_.observe(comparable_text(text)); }
  void settle() { held_out_.settle(); }
  /// Returns the share of the held-out text in documents that are mostly boilerplate and left out.
  [[nodiscard]] double boilerplate_share() const { return held_out_.boilerplate_share(); }
  /// Returns where a document of the sources belongs, and counts it.
  Side side_of(const std::string& text);
  /// Returns true if a document of the sources belongs to the training text, without counting it.
  [[nodiscard]] bool trains(const std::string& text) const;
  /// Returns true if a document that is held out by name is kept, and counts it. Copies of earlier ones are
  /// not.
  bool hold_out_once(const std::string& text);

  struct Counts {
    std::uint64_t same = 0;             // documents of the sources that are held out by name, too
    std::uint64_t inside = 0;           // documents of the sources that overlap in part (Overlap::kInside)
    std::uint64_t repeated = 0;         // held-out documents left out since they occurred before
    std::uint64_t nearly_repeated = 0;  // held-out documents left out since most of them occurred before
    std::uint64_t boilerplate = 0;      // held-out documents left out since many documents share their text
    std::uint64_t trained_again = 0;    // training documents that occurred before
    HeldOutText::Trained held_out_trained;  // held-out text in training documents
  };
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] bool is_by_name() const { return by_name_; }

 private:
  bool hold_out_once(std::uint64_t identity);
  [[nodiscard]] bool trains(const HeldOutText::Found& found) const;
  [[nodiscard]] HeldOutText::Found find(const std::string& text, std::uint64_t identity) const;
  [[nodiscard]] bool is_held_out(std::uint64_t identity) const {
    return by_name_ || identity < identity_bound_;
  }

  bool by_name_;
  std::uint64_t identity_bound_;  // Documents with an identity below it are held out.
  HeldOutText held_out_;
  bool has_candidate_ = false;             // A document is held out.
  bool has_others_ = false;                // Documents that are not held out differ.
  std::optional<ComparableText> nearest_;  // the one with the smallest identity, while none is held out
  // Identities of held-out documents: those that nearly repeat earlier ones, and those that are kept.
  std::unordered_set<std::uint64_t> near_copies_, kept_;
  std::vector<std::uint64_t> trained_;  // identities of training documents
  Counts counts_;
};

}  // namespace gabbro::data
