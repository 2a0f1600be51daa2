// Vectors of kBytes bytes. In the namespace of the file that includes this one, which says what kBytes is.
#include <cstdint>
#include <type_traits>
#include <utility>

namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE {

namespace {

template <class T>
struct Lanes {
  static constexpr int kCount = kBytes / static_cast<int>(sizeof(T));
  typedef T Vector __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef Integer Integers __attribute__((vector_size(kBytes)));
  static Vector load(const T* x) { return *reinterpret_cast<const Vector*>(x); }
  static void store(T* x, const Vector& y) { *reinterpret_cast<Vector*>(x) = y; }
  // `x` in the lanes [from, to), 0 in all others, whatever they hold.
  static Vector inside(const Vector& x, std::int64_t from, std::int64_t to) {
    const auto first = static_cast<Integer>(from), end = static_cast<Integer>(to);
    return (Vector)((Integers)x & ((kIndex >= first) & (kIndex < end)));
  }

  // The sums over lanes of kCount vectors, lane by lane: of f(row), f(row + 1), ...
  template <class F>
  static Vector sums(std::int64_t row, const F& f) {
    return tree<kCount>(row, f);
  }

  static T sum(const Vector& x) {
    T halves[kCount];
    store(halves, x);
    for (int half = kCount / 2; half > 0; half /= 2)
      for (int n = 0; n < half; ++n) halves[n] += halves[n + half];
    return halves[0];
  }

 private:
  template <std::size_t... i>
  static constexpr Integers counted(std::index_sequence<i...>) {
    return Integers{static_cast<Integer>(i)...};
  }
  static constexpr Integers kIndex = counted(std::make_index_sequence<kCount>());

  // Lanes of groups of 2 s: the sums of pairs s apart, those of a before those of b.
  template <int s, std::size_t... i>
  static Vector combine(const Vector& a, const Vector& b, std::index_sequence<i...>) {
    constexpr int g = 2 * s, w = kCount;
    return __builtin_shufflevector(
               a, b, (static_cast<int>(i) % g < s ? static_cast<int>(i) : w + static_cast<int>(i) - s)...) +
           __builtin_shufflevector(
               a, b, (static_cast<int>(i) % g < s ? static_cast<int>(i) + s : w + static_cast<int>(i))...);
  }
  template <int n, class F>
  static Vector tree(std::int64_t row, const F& f) {
    if constexpr (n == 1)
      return f(row);
    else
      return combine<n / 2>(tree<n / 2>(row, f), tree<n / 2>(row + n / 2, f),
                            std::make_index_sequence<kCount>());
  }
};

}  // namespace

}  // namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE
