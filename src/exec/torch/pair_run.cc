// Running a region's passes over pairs.
#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <numeric>

#include "exec/torch/pair_program.h"
#include "exec/torch/processor.h"
#include "exec/torch/scratch.h"
#include "exec/torch/values.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::NodeId;

namespace {

// Numbers of an array of pairs: a few of them fit the second-level cache together.
constexpr std::int64_t kPairNumbers = 1 << 14;
constexpr std::int64_t kLeastRows = 16, kMostRows = 64;

// Where the numbers of a value lie: at + sequence * row + position * step + head . strides + one of the
// others.
template <class T>
struct Lies {
  T* at = nullptr;
  std::int64_t row = 0, step = 0;
  std::vector<std::int64_t> heads, others;
  bool together = true;  // the others side by side

  Lies(const at::Tensor& x, const ir::Graph& graph, const ir::Type& type, const AxisList& head_axes,
       bool batch)
      : at(x.data_ptr<T>()), heads(static_cast<std::size_t>(head_axes.size()), 0), others{0} {
    const std::int64_t first = batch ? 1 : 0;
    if (batch && x.size(0) > 1) row = x.stride(0);
    if (type.time()) step = x.stride(first + (type.past() ? 1 : 0));
    for (int d = 0; d < type.axes.size(); ++d) {
      const AxisId axis = type.axes[d];
      if (axis < ir::kFirstAxis) continue;
      const std::int64_t stride = x.stride(first + d);
      if (const int h = head_axes.find(axis); h >= 0) {
        heads[static_cast<std::size_t>(h)] = stride;
        continue;
      }
      std::vector<std::int64_t> longer;
      for (const std::int64_t before : others)
        for (std::int64_t i = 0; i < graph.axes[axis].size; ++i) longer.push_back(before + i * stride);
      others = std::move(longer);
    }
    for (std::size_t i = 0; i < others.size(); ++i)
      together = together && others[i] == static_cast<std::int64_t>(i);
  }

  [[nodiscard]] T* of(std::int64_t sequence, const std::vector<std::int64_t>& head) const {
    T* x = at + sequence * row;
    for (std::size_t i = 0; i < heads.size(); ++i) x += head[i] * heads[i];
    return x;
  }
};

}  // namespace

// One run on tensors of numbers T.
template <class T>
class PairProgram::Run {
 public:
  Run(const PairProgram& program, const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& exits,
      const Sequence& sequence, std::int64_t positions)
      : p_(program),
        length_(sequence.length()),
        padded_(aligned(length_)),
        positions_(positions > 0 ? positions
                                 : std::clamp(kPairNumbers / padded_ / 8 * 8, kLeastRows, kMostRows)),
        position_(sequence.position().to(at::kCPU).contiguous()) {
    positions_ = std::min(positions_, length_);
    for (const Read& r : p_.reads_) {
      const ir::Type& type = type_of(p_.region_->reads[r.index]);
      reads_.emplace_back(reads[r.index], *p_.graph_, type, p_.heads_, type.time());
    }
    for (const Leave& l : p_.exits_)
      exits_.emplace_back(exits[l.index], *p_.graph_, type_of(p_.region_->exits[l.index]), p_.heads_, true);
    place();
  }

  // Parts of a sequence that do not meet.
  [[nodiscard]] std::int64_t parts() const {
    for (const Leave& l : p_.exits_)
      if (p_.heads_.empty() || !type_of(p_.region_->exits[l.index]).has(p_.heads_[0])) return 1;
    return p_.graph_->axes[p_.heads_[0]].size;
  }

  void run(std::int64_t sequence, std::int64_t part) {
    Work w(*this, sequence);
    const bool all = parts() == 1;
    if (!all) w.head[0] = part;
    do {
      head(w);
    } while (next(w.head, all ? 0 : 1));
  }

 private:
  using What = Pass::What;

  struct Work {
    Work(const Run& run, std::int64_t row)
        : sequence(row),
          memory(run.scratch_),
          head(static_cast<std::size_t>(run.p_.heads_.size()), 0),
          packed(run.reads_.size(), nullptr),
          from(static_cast<std::size_t>(run.length_)),
          to(from),
          since(from),
          until(from) {
      const std::int64_t* in_document = run.position_.template const_data_ptr<std::int64_t>() +
                                        (run.position_.size(0) > 1 ? row * run.length_ : 0);
      for (std::int64_t t = 0; t < run.length_; ++t) {
        const std::int64_t first = std::max(t - in_document[t], t - run.p_.window_ + 1);
        from[static_cast<std::size_t>(t)] = static_cast<std::int32_t>(first);
        to[static_cast<std::size_t>(t)] = static_cast<std::int32_t>(t + 1);
      }
      for (std::int64_t s = 0, t = 0; s < run.length_; ++s) {  // both rise
        while (t < run.length_ && from[static_cast<std::size_t>(t)] <= s) ++t;
        since[static_cast<std::size_t>(s)] = static_cast<std::int32_t>(s);
        until[static_cast<std::size_t>(s)] = static_cast<std::int32_t>(t);
      }
    }
    std::int64_t sequence;
    Scratch<T> memory;
    std::vector<std::int64_t> head;
    std::vector<const T*> packed;            // by read: what its array holds
    std::vector<std::int32_t> from, to;      // by position: what it sees
    std::vector<std::int32_t> since, until;  // by position: by which it is seen
    std::int64_t begin = 0, count = 0;       // the block's positions
    PairRows rows;
  };

  [[nodiscard]] const ir::Type& type_of(NodeId id) const {
    return (*p_.nodes_)[static_cast<std::size_t>(id)].type;
  }
  [[nodiscard]] const Array& array(int index) const { return p_.arrays_[static_cast<std::size_t>(index)]; }

  // Whether it is for all positions at once.
  [[nodiscard]] bool is_whole(const Pass& pass) const {
    return pass.what == What::kPointwise && array(pass.out).whole;
  }

  [[nodiscard]] std::int64_t numbers(const Array& a) const {
    const std::int64_t rows = a.whole ? length_ : positions_;
    switch (a.shape) {
      case Shape::kNumber:
        return kPairAlign;
      case Shape::kRow:
        return aligned(rows);
      case Shape::kPast:
        return padded_;
      case Shape::kPairs:
        return positions_ * padded_;
      case Shape::kRows:
        return rows * aligned(a.width);
      case Shape::kPasts:
        return padded_ * aligned(a.width);
      case Shape::kTurned:
        return a.width * padded_;
    }
    return 0;
  }

  // Arrays side by side; those of pairs take the places of others that are read no more.
  void place() {
    at_.assign(p_.arrays_.size(), 0);
    for (std::size_t i = 0; i < p_.arrays_.size(); ++i)
      if (p_.arrays_[i].shape != Shape::kPairs) {
        at_[i] = scratch_;
        scratch_ += numbers(p_.arrays_[i]);
      }
    std::vector<std::pair<std::size_t, std::int64_t>> taken;  // last read, place
    for (std::size_t i = 0; i < p_.arrays_.size(); ++i) {     // in the order in which they are made
      const Array& a = p_.arrays_[i];
      if (a.shape != Shape::kPairs) continue;
      const auto old =
          std::find_if(taken.begin(), taken.end(), [&](const auto& t) { return t.first < a.made; });
      if (old == taken.end()) {
        at_[i] = scratch_;
        scratch_ += numbers(a);
        taken.emplace_back(a.read, at_[i]);
      } else {
        at_[i] = old->second;
        old->first = a.read;
      }
    }
  }

  bool next(std::vector<std::int64_t>& head, std::size_t first) const {
    for (std::size_t i = head.size(); i-- > first;) {
      if (++head[i] < p_.graph_->axes[p_.heads_[static_cast<int>(i)]].size) return true;
      head[i] = 0;
    }
    return false;
  }

  // Whether all of the axes are at their first.
  static bool counts(const Work& w, std::uint32_t first) {
    for (std::size_t i = 0; i < w.head.size(); ++i)
      if ((first >> i & 1U) != 0 && w.head[i] > 0) return false;
    return true;
  }

  T* data(const Work& w, int index) const { return w.memory.data() + at_[static_cast<std::size_t>(index)]; }
  // The same from the block's first position on, where it has positions t.
  T* rows(const Work& w, int index) const {
    const Array& a = array(index);
    const std::int64_t begin = a.whole ? w.begin : 0;
    return data(w, index) + (a.shape == Shape::kRow    ? begin
                             : a.shape == Shape::kRows ? begin * aligned(a.width)
                                                       : 0);
  }

  void head(Work& w) {
    for (std::size_t r = 0; r < reads_.size(); ++r) pack(w, r);
    for (const Pass& pass : p_.passes_)
      if (is_whole(pass))
        pointwise(w, pass);
      else if (array(pass.out).whole)
        std::fill_n(data(w, pass.out), numbers(array(pass.out)), T(0));
    for (w.begin = 0; w.begin < length_; w.begin += positions_) {
      w.count = std::min(positions_, length_ - w.begin);
      const std::int32_t *from = w.from.data() + w.begin, *to = w.to.data() + w.begin;
      w.rows = {w.count, padded_, *from / kPairAlign * kPairAlign, aligned(w.begin + w.count), from, to};
      for (const Pass& pass : p_.passes_)
        if (!is_whole(pass)) run(w, pass);
      for (std::size_t e = 0; e < exits_.size(); ++e)
        if (!array(p_.exits_[e].array).whole) leave(w, e, w.begin, w.count);
    }
    for (std::size_t e = 0; e < exits_.size(); ++e)
      if (array(p_.exits_[e].array).whole) leave(w, e, 0, length_);
  }

  void pack(Work& w, std::size_t r) const {
    const Lies<T>& from = reads_[r];
    const T* const x = from.of(w.sequence, w.head);
    if (w.packed[r] == x) return;
    w.packed[r] = x;
    const int index = p_.reads_[r].array;
    const Array& a = array(index);
    T* const y = data(w, index);
    const auto width = static_cast<std::int64_t>(from.others.size());
    if (a.shape == Shape::kTurned) {
      for (std::int64_t j = 0; j < width; ++j) {
        for (std::int64_t t = 0; t < length_; ++t)
          y[j * padded_ + t] = x[t * from.step + from.others[static_cast<std::size_t>(j)]];
        std::fill(y + j * padded_ + length_, y + (j + 1) * padded_, T(0));
      }
      return;
    }
    if (a.shape == Shape::kNumber) {
      *y = *x;
      return;
    }
    if (a.shape == Shape::kRow || a.shape == Shape::kPast) {
      for (std::int64_t t = 0; t < length_; ++t) y[t] = x[t * from.step];
      std::fill(y + length_, y + numbers(a), T(0));
      return;
    }
    const std::int64_t line = aligned(width);
    for (std::int64_t t = 0; t < length_; ++t) {
      T* const to = y + t * line;
      if (from.together)
        std::copy_n(x + t * from.step, width, to);
      else
        for (std::int64_t j = 0; j < width; ++j)
          to[j] = x[t * from.step + from.others[static_cast<std::size_t>(j)]];
      std::fill(to + width, to + line, T(0));
    }
  }

  void leave(const Work& w, std::size_t e, std::int64_t begin, std::int64_t count) const {
    const Leave& l = p_.exits_[e];
    if (!counts(w, l.first)) return;
    const Lies<T>& to = exits_[e];
    const Array& a = array(l.array);
    const T* x = data(w, l.array);
    T* const y = to.of(w.sequence, w.head);
    const bool matrix = a.shape == Shape::kRows || a.shape == Shape::kPasts;
    const auto width = static_cast<std::int64_t>(to.others.size());
    const std::int64_t line = matrix ? aligned(width) : 1;
    if (a.shape == Shape::kNumber) count = 1;
    for (std::int64_t t = 0; t < count; ++t, x += line) {
      T* const at = y + (begin + t) * to.step;
      if (!to.together)
        for (std::int64_t j = 0; j < width; ++j) {
          T& out = at[to.others[static_cast<std::size_t>(j)]];
          out = l.adds ? out + x[j] : x[j];
        }
      else if (l.adds)
        for (std::int64_t j = 0; j < width; ++j) at[j] += x[j];
      else
        std::copy_n(x, width, at);
    }
  }

  void pointwise(const Work& w, const Pass& pass) const {
    const Array& out = array(pass.out);
    Instruction i{.code = pass.code, .value = pass.value};
    std::array<T*, 4> bases{};
    const bool pairs = out.shape == Shape::kPairs, matrix = pairs || out.shape == Shape::kRows;
    const auto place = [&](Instruction::Place& at, int index, std::int32_t base) {
      const Array& a = array(index);
      at.base = base;
      const std::int64_t row = a.shape == Shape::kPairs  ? padded_
                               : a.shape == Shape::kRows ? aligned(a.width)
                               : a.shape == Shape::kRow  ? 1
                                                         : 0,
                         past = a.shape == Shape::kPairs || a.shape == Shape::kPast || a.shape == Shape::kRows
                                    ? 1
                                    : 0;
      at.stride[0] = matrix || out.shape == Shape::kRow ? row : past;
      at.stride[1] = matrix ? past : 0;
      bases[static_cast<std::size_t>(base)] = rows(w, index) + (pairs && past == 1 ? w.rows.begin : 0);
    };
    place(i.out, pass.out, 0);
    for (std::size_t k = 0; k < 3; ++k)
      if (pass.in[k] >= 0)
        place(i.in[k], pass.in[k], static_cast<std::int32_t>(k) + 1);
      else
        i.in[k] = i.out, i.in[k].stride = {};
    i.loops = matrix ? 2 : out.shape == Shape::kNumber ? 0 : 1;
    i.size[0] = out.shape == Shape::kPast ? padded_ : w.count;
    i.size[1] = pairs ? w.rows.end - w.rows.begin : out.width;
    GABBRO_BEST(step, run_step, &i, 1, bases.data());
  }

  void run(const Work& w, const Pass& pass) const {
    const PairRows& r = w.rows;
    T* const out = rows(w, pass.out);
    const auto in = [&](std::size_t i) { return pass.in[i] < 0 ? nullptr : rows(w, pass.in[i]); };
    const auto line = [&](int index) { return aligned(array(index).width); };
    switch (pass.what) {
      case What::kPointwise:
        return pointwise(w, pass);
      case What::kLag:
        for (std::int64_t t = 0; t < r.count; ++t)
          for (std::int64_t s = r.begin; s < r.end; ++s)
            out[t * padded_ + s] = static_cast<T>(w.begin + t - s);
        return;
      case What::kSoftmax:
        return GABBRO_BEST(pair, softmax, r, out, in(0));
      case What::kSoftmaxGrad:
        return GABBRO_BEST(pair, softmax_grad, r, out, in(0), in(1));
      case What::kSum: {
        const std::int64_t other = pass.in[1] >= 0 && array(pass.in[1]).shape == Shape::kPairs ? padded_ : 0;
        return GABBRO_BEST(pair, row_sums, r, out, in(0), in(1), other);
      }
      case What::kMaximum:
        return GABBRO_BEST(pair, row_maxima, r, out, in(0));
      case What::kRowProduct: {
        const std::int64_t width = array(pass.in[0]).width, a = line(pass.in[0]), b = line(pass.in[1]);
        for (std::int64_t t = 0; t < r.count; ++t) {
          out[t] = 0;
          for (std::int64_t j = 0; j < width; ++j) out[t] += in(0)[t * a + j] * in(1)[t * b + j];
        }
        return;
      }
      case What::kTotal:
        *out += std::accumulate(in(0), in(0) + r.count, T(0));
        return;
      case What::kScores: {
        const Array& a = array(pass.in[0]);
        for (std::int64_t t = 0; t < r.count; t += kPairAlign)
          multiply({.c = out + t * padded_ + r.begin,
                    .c_row = padded_,
                    .a = in(0) + t * aligned(a.width),
                    .a_row = aligned(a.width),
                    .a_inner = 1,
                    .b = in(1) + r.begin,
                    .b_inner = padded_,
                    .rows = std::min(kPairAlign, r.count - t),
                    .columns = seen(r, t) - r.begin,
                    .inner = a.width});
        return;
      }
      case What::kCombine:
        for (std::int64_t t = 0; t < r.count; t += kPairAlign)
          multiply({.c = out + t * line(pass.out),
                    .c_row = line(pass.out),
                    .a = in(0) + t * padded_ + r.begin,
                    .a_row = padded_,
                    .a_inner = 1,
                    .b = in(1) + r.begin * line(pass.in[1]),
                    .b_inner = line(pass.in[1]),
                    .rows = std::min(kPairAlign, r.count - t),
                    .columns = array(pass.out).width,
                    .inner = seen(r, t) - r.begin,
                    .from = r.from + t,
                    .to = r.to + t,
                    .first = r.begin});
        return;
      case What::kSpread:
        return spread(w, pass);
    }
  }

  // Up to where any of kPairAlign positions from `t` on sees.
  static std::int64_t seen(const PairRows& r, std::int64_t t) {
    return r.to[std::min(t + kPairAlign, r.count) - 1];
  }

  void spread(const Work& w, const Pass& pass) const {
    const PairRows& r = w.rows;
    T* const out = data(w, pass.out);
    const T* const pairs = data(w, pass.in[0]);
    if (array(pass.out).shape != Shape::kPasts)
      return GABBRO_BEST(pair, column_sums, r, out, pairs,
                         pass.in[1] >= 0 ? rows(w, pass.in[1]) : static_cast<const T*>(nullptr));
    const std::int64_t line = aligned(array(pass.out).width), end = w.begin + r.count;
    const auto add = [&](std::int64_t s, std::int64_t until, std::int64_t t) {
      multiply({.c = out + s * line,
                .c_row = line,
                .a = pairs + t * padded_ + s,
                .a_row = 1,
                .a_inner = padded_,
                .b = rows(w, pass.in[1]) + t * line,
                .b_inner = line,
                .rows = until - s,
                .columns = array(pass.out).width,
                .inner = r.count - t,
                .adds = true,
                .from = w.since.data() + s,
                .to = w.until.data() + s,
                .first = w.begin + t});
    };
    if (r.begin < w.begin) add(r.begin, w.begin, 0);
    // Positions of the block itself are seen only from themselves on.
    for (std::int64_t s = std::max(r.begin, w.begin); s < end; s += kPairAlign)
      add(s, std::min(s + kPairAlign, end), s - w.begin);
  }

  static void multiply(const PairProduct<T>& product) { GABBRO_BEST(pair, multiply, product); }

  const PairProgram& p_;
  std::int64_t length_, padded_, positions_;
  at::Tensor position_;
  std::vector<Lies<T>> reads_, exits_;
  std::vector<std::int64_t> at_;  // by array: where in scratch memory
  std::int64_t scratch_ = 0;
};

std::vector<at::Tensor> PairProgram::run(std::vector<at::Tensor> reads, const Sequence& sequence,
                                         std::int64_t positions, const at::TensorOptions& options) const {
  RECORD_USER_SCOPE("gabbro::pairs");
  const std::int64_t batch = sequence.batch(), length = sequence.length();
  const auto type = [&](NodeId id) -> const ir::Type& {
    return (*nodes_)[static_cast<std::size_t>(id)].type;
  };
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const ir::Type& t = type(region_->reads[i]);
    if (t.past()) GABBRO_CHECK(reads[i].size(1) == 1);
    std::vector<std::int64_t> sizes = sizes_of(*graph_, t, t.time() ? reads[i].size(0) : 0, length);
    if (t.past()) sizes[1] = 1;
    reads[i] = reads[i].expand(sizes);
  }
  std::vector<at::Tensor> exits;
  for (const NodeId id : region_->exits)
    exits.push_back(at::empty(sizes_of(*graph_, type(id), batch, length), options));
  for (const Leave& l : exits_)
    if (l.adds) exits[l.index].zero_();
  const auto rows = [&]<class T>(T) {
    Run<T> run(*this, reads, exits, sequence, positions);
    const std::int64_t parts = run.parts();
    at::parallel_for(0, batch * parts, 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) run.run(i / parts, i % parts);
    });
  };
  options.dtype() == at::kDouble ? rows(double{}) : rows(float{});
  for (std::size_t e = 0; e < exits.size(); ++e)
    if (!type(region_->exits[e]).time()) exits[e] = exits[e].sum(0);
  return exits;
}

}  // namespace gabbro::exec::torch
