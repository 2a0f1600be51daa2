#include "data/fields.h"

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
  constexpr std::size_t kHardly = 20;  // one in so many letters
  if (letters.size() > begin_) end(letters);
  LabelCounts counts;
  for (const Field& f : fields_) counts.add(f.hash);
  std::string out;
  std::size_t from = 0;
  for (const Field& f : fields_)
    if (counts.is_label(f.hash)) {
      out.append(letters, from, f.begin - from);
      from = f.end;
    }
  out.append(letters, from);
  return kHardly * (letters.size() - out.size()) < letters.size() ? "" : out;
}

}  // namespace gabbro::data
