// Memory of this process and its machine.
#pragma once

#include <cstdint>
#include <string>

namespace gabbro::trial {

/// Resident memory of this process in bytes, now and at its peak. 0 if the system does not report it.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Bytes of memory available to the machine, or to the control group of this process if that is less. 0 if
/// the system does not report it.
std::int64_t available_bytes();

/// Returns the sandbox borders around this process, as reported by the process that started it
/// (GABBRO_BORDERS). Returns "" if none are reported, or if this process finds that "no new privileges" is
/// not set although some are.
std::string borders();

}  // namespace gabbro::trial
