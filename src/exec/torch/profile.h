// For benchmarks: measures where the time of a run goes, and the peak speed of the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gabbro::exec::torch {

/// Calls of one ATen operator (or of one scope that code marks with RECORD_USER_SCOPE). Seconds are of
/// wall-clock.
struct ProfileRow {
  std::string name;
  std::string shapes;  // of its operands, if the profile records shapes
  bool scope = false;  // a marked scope
  std::int64_t calls = 0;
  double seconds = 0;       // includes the operators that it calls
  double self_seconds = 0;  // excludes them
};

/// Times every ATen operator called between construction and `stop`, on any thread. Only one may exist at a
/// time. Costs about a microsecond per call.
class Profile {
 public:
  explicit Profile(bool with_shapes);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Ends the recording. Returns the rows in descending order of self time.
  std::vector<ProfileRow> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Sets the number of threads of all later ATen operators.
void use_threads(int threads);

/// The peak speed of the machine: the best of some tries on tensors that do not fit into a cache.
struct Peaks {
  double matrix_flops = 0;  // FLOPs per second of a product of two 2048 x 2048 matrices; a multiply-add is 2
  double copy_bytes = 0;    // bytes read and written per second by a copy of 256 MiB
};

/// Measures the peaks with `threads` threads; the product is in bfloat16 if `bf16`, otherwise in float32.
/// Takes half a second.
Peaks measure_peaks(int threads, bool bf16);

}  // namespace gabbro::exec::torch
