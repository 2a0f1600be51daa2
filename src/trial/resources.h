// Memory of this process and its machine.
#pragma once

#include <cstdint>
#include <string>

namespace gabbro::trial {

/// Return the resident memory of this process in bytes, now and at its peak; 0 if the system does not report
/// it.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Returns the bytes of memory that the machine has available, or that the control group of this process has
/// left if that is less; 0 if the system does not report them.
std::int64_t available_bytes();

/// Returns the bytes that a check may still take: of the limit of its run (0: there is none), or of the
/// machine. `elsewhere`: those that the run holds outside of this process.
std::int64_t bytes_left(std::int64_t limit, std::int64_t elsewhere);

/// Returns the sandbox borders around this process, as reported by the process that started it
/// (GABBRO_BORDERS, as sandbox::Machine::text). Returns "" if nothing is reported, or if borders are reported
/// but this process finds that "no new privileges" is not set.
std::string sandbox_borders();

}  // namespace gabbro::trial
