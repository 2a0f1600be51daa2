// A vector of at most N trivially copyable elements, stored in place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "base/result.h"

namespace gabbro {

/// A list with fixed capacity. Copies are memberwise and never allocate. Adding more than N elements is an
/// internal error; callers that build a list from user input check `full()` first.
template <class T, int N>
class InlineVec {
 public:
  constexpr InlineVec() = default;
  constexpr InlineVec(std::initializer_list<T> items) {
    for (const T& item : items) push_back(item);
  }

  constexpr void push_back(T item) {
    GABBRO_CHECK(size_ < N);
    items_[size_++] = item;
  }
  constexpr void insert(int index, T item) {
    GABBRO_CHECK(size_ < N && index <= size_);
    for (int i = size_; i > index; --i) items_[i] = items_[i - 1];
    items_[index] = item;
    ++size_;
  }
  constexpr void erase(int index) {
    for (int i = index; i + 1 < size_; ++i) items_[i] = items_[i + 1];
    --size_;
  }

  constexpr int size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr bool full() const { return size_ == N; }
  static constexpr int capacity() { return N; }
  constexpr T& operator[](int i) { return items_[i]; }
  constexpr const T& operator[](int i) const { return items_[i]; }
  constexpr T* begin() { return items_; }
  constexpr T* end() { return items_ + size_; }
  constexpr const T* begin() const { return items_; }
  constexpr const T* end() const { return items_ + size_; }

  /// Returns the first index of `item`, or -1.
  constexpr int find(const T& item) const {
    for (int i = 0; i < size_; ++i)
      if (items_[i] == item) return i;
    return -1;
  }
  constexpr bool contains(const T& item) const { return find(item) >= 0; }

  friend constexpr bool operator==(const InlineVec& a, const InlineVec& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  T items_[N] = {};
  std::int32_t size_ = 0;
};

}  // namespace gabbro
