// The beginnings of held-out documents, for the dashboard.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "web/server.h"

namespace gabbro::cli {

/// Reads documents of corpora, which stay open. May be called from several threads.
class HeldOutTexts {
 public:
  HeldOutTexts();
  ~HeldOutTexts();
  /// Returns the first 160 tokens of a document. Errors: "corpus" (no such corpus or document, another corpus
  /// than the campaign's, damaged).
  Result<std::string> operator()(const web::HeldOutDocument& document);

 private:
  struct Open;
  Result<Open*> open(const web::HeldOutDocument& document);

  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Open>> open_;  // by folder
};

}  // namespace gabbro::cli
