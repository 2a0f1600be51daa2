#include "data/fields.h"

#include <algorithm>
#include <unordered_map>

#include "base/hash.h"

namespace gabbro::data {

void Fields::end(const std::string& letters) {
  constexpr std::size_t kLongestLabel = 40;
  const std::size_t size = letters.size() - begin_;
  if (size <= kLongestLabel)
    fields_.push_back({hash64(std::string_view(letters).substr(begin_)), begin_, letters.size()});
  begin_ = letters.size();
}

std::string Fields::without_labels(const std::string& letters) {
  constexpr std::size_t kFewest = 8, kHardly = 20;  // fewest of a label; one in so many letters
  if (letters.size() > begin_) end(letters);
  std::unordered_map<std::uint64_t, std::size_t> counts;
  std::size_t most = 0;
  for (const Field& f : fields_) most = std::max(most, ++counts[f.hash]);
  if (most < kFewest) return "";
  std::string out;
  std::size_t from = 0;
  for (const Field& f : fields_)
    if (const std::size_t count = counts[f.hash]; count >= kFewest && 2 * count >= most) {
      out.append(letters, from, f.begin - from);
      from = f.end;
    }
  out.append(letters, from);
  return kHardly * (letters.size() - out.size()) < letters.size() ? "" : out;
}

}  // namespace gabbro::data
