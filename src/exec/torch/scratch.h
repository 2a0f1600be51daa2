// Scratch memory of one thread for kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace gabbro::exec::torch {

/// An uninitialised array of `numbers` elements that begins at a cache line.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t numbers)
      : memory_(new T[static_cast<std::size_t>(numbers) + kLine / sizeof(T)]), at_(memory_.get()) {
    std::size_t space = static_cast<std::size_t>(numbers) * sizeof(T) + kLine;
    std::align(kLine, static_cast<std::size_t>(numbers) * sizeof(T), at_, space);
  }
  [[nodiscard]] T* data() const { return static_cast<T*>(at_); }

 private:
  static constexpr std::size_t kLine = 64;
  std::unique_ptr<T[]> memory_;
  void* at_;
};

}  // namespace gabbro::exec::torch
