// What this process and its machine have of memory.
#pragma once

#include <cstdint>
#include <string>

namespace gabbro::trial {

/// Bytes that this process keeps resident now, and the most it kept so far. 0 where the system does not say.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Bytes that the machine, or the control group of this process, has left. 0 where the system does not say.
std::int64_t available_bytes();

/// What stands around this process, as whoever started it says (GABBRO_BORDERS); empty where it does not, or
/// where this process finds that the first of it does not stand.
std::string borders();

}  // namespace gabbro::trial
