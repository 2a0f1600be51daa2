// Sets the source of a design from one word, as tests write it: an origin ("baseline"), or the strategy that
// drew it ("adaptive").
#pragma once

#include <string>

#include "record/event.h"

namespace gabbro::record {

inline void set_source(DesignCreated& created, const std::string& source) {
  created.origin = parse_word<Origin>(source).value_or(Origin::kSearch);
  created.strategy = created.origin == Origin::kSearch ? source : "";
}

}  // namespace gabbro::record
