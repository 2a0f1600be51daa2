#include "eval/context.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace gabbro::eval {

namespace {

constexpr std::array<std::int64_t, 2> kContexts{8, 32};  // tokens of the short contexts
constexpr std::int64_t kFirst = 128;  // first position compared, if the window is long enough

using Tokens = std::vector<std::int64_t>;

struct Window {
  std::size_t document = 0;
  Tokens tokens;  // tokens[t] predicts tokens[t + 1]
};

// Collects pieces of text into rows of one shape. Each piece is a document of its own. The rows run as soon
// as they are full.
class RowPacker {
 public:
  RowPacker(exec::Model& model, std::int64_t sequences, std::int64_t length)
      : model_(model), sequences_(sequences), length_(length) {
    clear();
  }

  /// Adds a piece of `count` positions, with tokens[0 .. count]. The losses of the last `counted` positions
  /// are added to `sum`.
  void add(const std::int64_t* tokens, std::int64_t count, std::int64_t counted, double& sum) {
    if (next_ + count > (row() + 1) * length_) next_ = (row() + 1) * length_;  // Start a new row.
    if (next_ == sequences_ * length_) flush();
    const std::int64_t start = next_ - row() * length_;
    for (std::int64_t t = 0; t < count; ++t, ++next_) {
      const auto position = static_cast<std::size_t>(next_);
      batch_.tokens[position] = tokens[t];
      batch_.targets[position] = tokens[t + 1];
      batch_.starts[position] = start;
      if (t >= count - counted) wanted_.push_back({position, &sum});
    }
  }

  void flush() {
    if (wanted_.empty()) return;
    const std::vector<float> losses = model_.losses(batch_);
    for (const Wanted& w : wanted_) *w.sum += losses[w.position];
    clear();
  }

 private:
  struct Wanted {
    std::size_t position;  // in the batch
    double* sum;           // to which its loss is added
  };
  [[nodiscard]] std::int64_t row() const { return next_ / length_; }
  void clear() {
    next_ = 0;
    wanted_.clear();
    const auto size = static_cast<std::size_t>(sequences_ * length_);
    batch_ = {sequences_, length_, Tokens(size, 0), Tokens(size, 0), Tokens(size, 0)};
    // Positions that are not filled are documents of one position each.
    for (std::size_t i = 0; i < size; ++i) batch_.starts[i] = static_cast<std::int64_t>(i) % length_;
  }

  exec::Model& model_;
  std::int64_t sequences_, length_;
  std::int64_t next_ = 0;  // the first position of the batch that is not filled
  exec::TokenBatch batch_;
  std::vector<Wanted> wanted_;
};

// Returns at most `most` whole windows of the documents, spread evenly.
std::vector<Window> whole_windows(const data::Split& split, std::int64_t end_token, std::int64_t length,
                                  std::size_t documents, std::int64_t most) {
  std::vector<std::pair<std::size_t, std::int64_t>> all;  // (document, window)
  for (std::size_t d = 0; d < documents; ++d) {
    const data::Document document = split.document(d);
    const auto targets = static_cast<std::int64_t>(document.end - document.begin);
    for (std::int64_t w = 0; (w + 1) * length <= targets; ++w) all.emplace_back(d, w);
  }
  const auto count =
      std::min<std::size_t>(all.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, most)));
  std::vector<Window> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [d, w] = all[i * all.size() / count];
    Window& window = out.emplace_back(Window{d, Tokens(static_cast<std::size_t>(length) + 1, end_token)});
    // The positions of windows include the end token that precedes a document.
    const std::uint64_t begin = split.document(d).begin + static_cast<std::uint64_t>(w * length);
    if (w == 0)
      split.read(begin, {window.tokens.data() + 1, window.tokens.size() - 1});
    else
      split.read(begin - 1, window.tokens);
  }
  return out;
}

// Returns the loss that short contexts add, in bits per byte: a ratio over documents, with its linearised
// standard error. `lost` has the added nats of each window, in which `positions` positions are compared.
ContextGain summary(std::int64_t context, const std::vector<Window>& windows, const std::vector<double>& lost,
                    std::int64_t positions, double bits_per_nat) {
  std::vector<std::pair<double, double>> documents;  // (nats, positions)
  std::size_t before = windows.size();
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (i == 0 || windows[i].document != before) documents.emplace_back(0, 0);
    before = windows[i].document;
    documents.back().first += lost[i];
    documents.back().second += static_cast<double>(positions);
  }
  const double all = static_cast<double>(positions) * static_cast<double>(windows.size());
  double sum = 0, square = 0;
  for (const auto& [nats, count] : documents) sum += nats;
  const double mean = sum / all, n = static_cast<double>(documents.size());
  for (const auto& [nats, count] : documents) square += (nats - mean * count) * (nats - mean * count);
  const double error =
      n > 1 ? std::sqrt(square * n / (n - 1)) / all : std::numeric_limits<double>::infinity();
  return {context, mean * bits_per_nat, error * bits_per_nat, static_cast<std::int64_t>(all)};
}

}  // namespace

std::vector<ContextGain> context_gains(exec::Model& model, const data::Split& split, std::int64_t end_token,
                                       std::int64_t sequences, std::int64_t length, std::uint64_t documents,
                                       std::int64_t most) {
  const std::size_t count = split.documents_up_to(documents);
  const std::vector<Window> windows = whole_windows(split, end_token, length, count, most);
  const std::int64_t least = std::min(kFirst, length / 2);
  std::vector<ContextGain> out;
  if (windows.empty()) return out;
  double tokens = 0, bytes = 0;
  for (std::size_t d = 0; d < count; ++d) {
    const data::Document document = split.document(d);
    tokens += static_cast<double>(document.end - document.begin);
    bytes += static_cast<double>(document.bytes);
  }
  if (bytes == 0) return out;
  RowPacker rows(model, sequences, length);
  for (const std::int64_t context : kContexts) {
    const std::int64_t counted = context / 4, positions = (length - least) / counted * counted;
    if (context > least || positions == 0) continue;
    std::vector<double> whole(windows.size()), part(windows.size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const std::int64_t* text = windows[i].tokens.data();
      rows.add(text, length, positions, whole[i]);
      for (std::int64_t end = length; end > length - positions; end -= counted)
        rows.add(text + end - context, context, counted, part[i]);
    }
    rows.flush();
    for (std::size_t i = 0; i < windows.size(); ++i) part[i] -= whole[i];
    out.push_back(summary(context, windows, part, positions, tokens / bytes / std::log(2.0)));
  }
  return out;
}

}  // namespace gabbro::eval
