// A one-way hash under a key, for numbers from which the key must not be recoverable.
#pragma once

#include <cstdint>
#include <string_view>

namespace gabbro {

/// Returns the first 64 bits of HMAC-SHA-256 (RFC 2104), as a big-endian number. Whoever does not know `key`
/// can neither predict the hash of a message nor compute the key from hashes, if the key has 128 random bits.
std::uint64_t keyed_hash64(std::string_view key, std::string_view message);

}  // namespace gabbro
