#include "base/keyed_hash.h"

#include <nettle/hmac.h>

#include <array>

namespace gabbro {

std::uint64_t keyed_hash64(std::string_view key, std::string_view message) {
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); };
  hmac_sha256_ctx context{};
  hmac_sha256_set_key(&context, key.size(), bytes(key));
  hmac_sha256_update(&context, message.size(), bytes(message));
  std::array<std::uint8_t, sizeof(std::uint64_t)> digest{};
  hmac_sha256_digest(&context, digest.size(), digest.data());  // the first bytes of the hash
  std::uint64_t out = 0;
  for (const std::uint8_t byte : digest) out = out << 8 | byte;
  return out;
}

}  // namespace gabbro
