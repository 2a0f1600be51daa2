// Where the time of a run goes, and what the machine could do at best: for benchmarks.
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
  std::string shapes;  // of the tensors it was given, when asked for
  bool scope = false;  // a marked scope
  std::int64_t calls = 0;
  double seconds = 0;  // with the operators called inside
  double self_seconds = 0;
};

/// Times every ATen operator called between construction and `stop`, on any thread. One at a time. Costs
/// about a microsecond per call.
class Profile {
 public:
  explicit Profile(bool with_shapes);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Ends the recording; rows by falling self time.
  std::vector<ProfileRow> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Threads of whatever runs next.
void use_threads(int threads);

/// Best of some tries on tensors that fit no cache.
struct Peaks {
  double matrix_flops = 0;  // per second, multiply-add is 2: a product of two 2048 x 2048 matrices
  double copy_bytes = 0;    // per second, read and written bytes added: a copy of 256 MiB
};

/// `threads` threads; the product in bfloat16 when `bf16`, else in float32. Half a second.
Peaks measure_peaks(int threads, bool bf16);

}  // namespace gabbro::exec::torch
