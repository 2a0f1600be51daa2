#include "data/sample.h"

#include <algorithm>
#include <optional>

#include "base/hash.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kPieceBytes = 4096;  // A piece ends at the first line end after so many.

// Keeps pieces of text with a small hash, and halves the bound on the hash whenever there are too many.
class Sample {
 public:
  explicit Sample(std::uint64_t limit) : limit_(limit) {}

  // Asks `is_taken` only about a piece that would be kept.
  template <class IsTaken>
  void add(std::string_view piece, const IsTaken& is_taken) {
    const std::uint64_t hash = hash64(piece);
    if (hash > bound_ || !is_taken()) return;
    kept_.push_back({hash, std::string(piece)});
    bytes_ += piece.size();
    while (bytes_ > limit_ && kept_.size() > 1) halve();
  }

  std::vector<std::string> take() {
    std::vector<std::string> out;
    for (Piece& p : kept_) out.push_back(std::move(p.text));
    return out;
  }

 private:
  struct Piece {
    std::uint64_t hash;
    std::string text;
  };

  void halve() {
    bound_ /= 2;
    std::erase_if(kept_, [&](const Piece& p) { return p.hash > bound_; });
    bytes_ = 0;
    for (const Piece& p : kept_) bytes_ += p.text.size();
  }

  std::uint64_t limit_, bytes_ = 0;          // maximum bytes, and bytes of the pieces kept
  std::uint64_t bound_ = ~std::uint64_t{0};  // maximum hash of a piece that is kept
  std::vector<Piece> kept_;
};

}  // namespace

Result<std::vector<std::string>> sample_text(const Sources& sources, const BuildOptions& options,
                                             Ticker& ticker,
                                             const std::function<bool(const std::string&)>& takes) {
  Sample sample(options.sample_bytes);
  BuildProgress state{.stage = "reading a sample"};
  const auto documents = open_documents(sources, options.source);
  std::string text;
  for (;;) {
    GABBRO_TRY(more, documents->next(text));
    if (!more) return sample.take();
    std::optional<bool> taken;  // `takes` reads the whole document, so it is called at most once.
    const auto is_taken = [&] { return taken ? *taken : *(taken = takes(text)); };
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t line = text.find('\n', std::min(from + kPieceBytes, text.size() - 1));
      const std::size_t end = line == std::string::npos ? text.size() : line + 1;
      sample.add(std::string_view(text).substr(from, end - from), is_taken);
      from = end;
    }
    ++state.documents;
    state.bytes += text.size();
    state.share = share_of(*documents, sources);
    if (!ticker.tick(state)) return stopped();
  }
}

}  // namespace gabbro::data
