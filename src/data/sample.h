// Reads the text from which a vocabulary is trained.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/progress.h"

namespace gabbro::data {

/// Returns a sample of about `options.sample_bytes` bytes of text, spread over all documents of the sources
/// that `takes` accepts. The choice depends only on the text. Errors: "stopped", those of documents.h.
Result<std::vector<std::string>> sample_text(const Sources& sources, const BuildOptions& options,
                                             Ticker& ticker,
                                             const std::function<bool(const std::string&)>& takes);

}  // namespace gabbro::data
