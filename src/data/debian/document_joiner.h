// Joins short texts to documents.
#pragma once

#include <string>
#include <utility>

#include "data/debian/packages.h"

namespace gabbro::data::debian {

/// Sizes of documents that are joined from entries of dictionaries, and from fortunes.
inline constexpr std::size_t kEntriesBytes = 8192, kFortunesBytes = 4096;

/// Joins texts with empty lines between them. A document ends when it has at least `min_bytes`, or at
/// `finish`. `emit` must outlive this object.
class DocumentJoiner {
 public:
  DocumentJoiner(const Emit& emit, std::size_t min_bytes) : emit_(emit), min_bytes_(min_bytes) {}
  void add(std::string_view text) {
    if (text.empty()) return;
    if (!document_.empty()) document_ += '\n';
    document_ += text;
    if (document_.back() != '\n') document_ += '\n';
    if (document_.size() >= min_bytes_) finish();
  }
  void finish() {
    if (!document_.empty()) emit_(std::exchange(document_, {}));
  }

 private:
  const Emit& emit_;
  std::size_t min_bytes_;
  std::string document_;
};

}  // namespace gabbro::data::debian
