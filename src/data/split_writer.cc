#include "data/split_writer.h"

#include <fmt/format.h>

namespace gabbro::data {

SplitWriter::SplitWriter(std::string folder, std::string name, bool wide, std::uint64_t shard_tokens)
    : folder_(std::move(folder)), wide_(wide), shard_tokens_(shard_tokens) {
  info_.name = std::move(name);
}

Result<bool> SplitWriter::add(const std::vector<int>& tokens, std::uint64_t bytes, bool changed) {
  if (info_.documents == 0) {
    GABBRO_TRY(file, OutputFile::create(folder_ + "/" + info_.name + ".documents"));
    borders_ = std::move(file);
  }
  if (info_.shards.empty() || info_.shards.back().tokens >= shard_tokens_)
    if (auto ok = next_shard(); !ok) return ok;
  auto ok = wide_ ? write<std::uint32_t>(tokens) : write<std::uint16_t>(tokens);
  if (!ok) return ok;
  info_.shards.back().tokens += tokens.size();
  info_.tokens += tokens.size();
  info_.bytes += bytes;
  ++info_.documents;
  info_.changed_documents += changed;
  const std::uint64_t border[2] = {info_.tokens, bytes};
  return borders_.write(border, sizeof border);
}

template <class Token>
Result<bool> SplitWriter::write(const std::vector<int>& tokens) {
  const std::vector<Token> stored(tokens.begin(), tokens.end());
  return shard_.write(stored.data(), stored.size() * sizeof(Token));
}

Result<SplitInfo> SplitWriter::close() {
  if (info_.documents == 0) return info_;
  if (auto ok = close_shard(); !ok) return tl::unexpected(ok.error());
  if (auto ok = borders_.close(); !ok) return tl::unexpected(ok.error());
  GABBRO_TRY(hash, hash_file(folder_ + "/" + info_.name + ".documents"));
  info_.documents_hash = hash;
  return info_;
}

Result<bool> SplitWriter::close_shard() {
  if (auto ok = shard_.close(); !ok) return ok;
  GABBRO_TRY(hash, hash_file(folder_ + "/" + info_.shards.back().file));
  info_.shards.back().hash = hash;
  return true;
}

Result<bool> SplitWriter::next_shard() {
  if (!info_.shards.empty())
    if (auto ok = close_shard(); !ok) return ok;
  info_.shards.push_back(
      {.file = fmt::format("{}-{:05}.tokens", info_.name, info_.shards.size()), .tokens = 0, .hash = ""});
  GABBRO_TRY(file, OutputFile::create(folder_ + "/" + info_.shards.back().file));
  shard_ = std::move(file);
  return true;
}

}  // namespace gabbro::data
