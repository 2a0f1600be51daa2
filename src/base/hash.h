// Hashing: 128-bit content hashes for identity, 64-bit mixing for tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gabbro {

/// A 128-bit content hash (XXH3). Equal content gives equal hashes on every machine. It is not cryptographic.
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend constexpr auto operator<=>(const Hash128&, const Hash128&) = default;
};

Hash128 hash128(std::string_view bytes);
/// Returns a 64-bit content hash (XXH3), which is also equal on every machine.
std::uint64_t hash64(std::string_view bytes);

/// Returns 32 lower-case hex digits.
std::string to_hex(Hash128 hash);

/// Mixes `value` into `seed`; order matters. The finalizer is that of SplitMix64.
constexpr std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  std::uint64_t z = seed * 0x9e3779b97f4a7c15ull + value + 0x632be59bd9b4e019ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace gabbro
