// What this process and its machine have of memory.
#pragma once

#include <cstdint>

namespace gabbro::trial {

/// Bytes that this process keeps resident now, and the most it kept so far. 0 where the system does not say.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Bytes that the machine, or the control group of this process, has left. 0 where the system does not say.
std::int64_t available_bytes();

}  // namespace gabbro::trial
