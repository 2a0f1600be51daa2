// Joins short texts to documents.
#pragma once

#include <string>
#include <utility>

#include "data/debian/packages.h"

namespace gabbro::data::debian {

/// Joins texts with empty lines between them. A document ends when it has at least `size` bytes, or at
/// `finish`.
class DocumentJoiner {
 public:
  DocumentJoiner(const Emit& emit, std::size_t size) : emit_(emit), size_(size) {}
  void add(std::string_view text) {
    if (text.empty()) return;
    if (!document_.empty()) document_ += '\n';
    document_ += text;
    if (document_.back() != '\n') document_ += '\n';
    if (document_.size() >= size_) finish();
  }
  void finish() {
    if (!document_.empty()) emit_(std::exchange(document_, {}));
  }

 private:
  const Emit& emit_;
  std::size_t size_;
  std::string document_;
};

}  // namespace gabbro::data::debian
