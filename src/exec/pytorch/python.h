// A Python process that computes with PyTorch (python/gabbro_torch), and the messages to it. A message is the
// numbers of bytes of its header and its body (two uint64), the header, and the body.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::exec::pytorch {

/// An array in a message: its name, its type ("int64", "float32", "float64", "bool"), its shape, its bytes.
struct Array {
  std::string name, type;
  std::vector<std::int64_t> shape;
  const void* data = nullptr;
  std::size_t bytes = 0;
};

/// A reply: its header (JSON) and the bytes of its arrays, one after the other, as the header lists them.
struct Reply {
  std::string header, body;
};

struct PythonOptions {
  std::string program;  // the interpreter; empty: GABBRO_PYTHON, or python3 of PATH
  int processes = 1;    // processes of Python that train together
  std::string device = "cpu";
};

/// The process has ended without being asked, which says nothing about what it computed.
struct PythonEnded : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The process. It ends with its object, or when this process ends. Not thread-safe.
class Python {
 public:
  /// Starts `python -m gabbro_torch` and waits until it is ready. Errors: "python" (no such program, a
  /// package is missing, no process), "device" (there is no such device).
  static Result<std::unique_ptr<Python>> start(const PythonOptions& options);
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;
  ~Python();

  /// Sends a call and waits for its reply. `header` is a JSON object without "arrays". Throws
  /// std::runtime_error with what the process reports, or PythonEnded.
  Reply call(const std::string& header, const std::vector<Array>& arrays = {});
  /// Returns a new number for a model.
  int next_model() { return ++models_; }

 private:
  Python(pid_t id, int in, int out) : id_(id), in_(in), out_(out) {}
  void send(const void* data, std::size_t bytes);
  void receive(void* data, std::size_t bytes);
  [[noreturn]] void ended();

  pid_t id_;
  int in_, out_, models_ = 0;
};

}  // namespace gabbro::exec::pytorch
