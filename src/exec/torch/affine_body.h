// The kernels of affine_kernel.h for vectors of kBytes bytes, in the namespace of the file that includes this
// one.
#include <algorithm>
#include <cstring>
#include <utility>

#include "exec/torch/affine_kernel.h"
#include "exec/torch/kernel_functions.h"
#include "exec/torch/lanes.h"

namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE {

namespace {

// e^x. Of floats as exponential(), but that no result is smaller than 2^-126: factors of a state need no
// smaller ones, and one addition to the exponent does instead of an addition and a product.
inline Lanes<double>::Vector factor(Lanes<double>::Vector x) {
  for (int n = 0; n < Lanes<double>::kCount; ++n) x[n] = std::exp(x[n]);
  return x;
}
inline Lanes<float>::Vector factor(Lanes<float>::Vector x) {
  using Vector = Lanes<float>::Vector;
  typedef std::int32_t Whole __attribute__((vector_size(kBytes)));
  constexpr float kMost = 88.37F, kLeast = -87.33F,
                  kRound = 12582912.F;  // 1.5 2^23: added, it leaves no fraction
  const Vector inside = x > kMost ? Vector{} + kMost : x < kLeast ? Vector{} + kLeast : x;
  const Vector shifted = inside * 1.44269504F + kRound, n = shifted - kRound;
  const Vector r = (inside - n * 0.693359375F) + n * 2.12194440e-4F;
  Vector p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  for (const float c : {8.3334519073e-3F, 4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F, 1.F, 1.F})
    p = p * r + c;
  const Vector y = (Vector)((Whole)p + ((Whole)shifted << 23));
  return x > kMost ? x * std::numeric_limits<float>::infinity() : y;
}

// All heads of one sequence have the same sizes, and their scratch memory in common.
template <class T>
class Kernel {
 public:
  explicit Kernel(const AffineTask<T>& first)
      : t_(&first), rows_((first.k + kRows - 1) / kRows * kRows), state_(rows_ * kBlock) {
    T* next = first.scratch;
    const auto take = [&](std::int64_t count) { return std::exchange(next, next + count); };
    zero_ = take(state_);
    now_ = take(state_);
    states_ = take((kSegment + 1) * state_);
    sums_ = take(rows_);
    z_ = take(std::max<std::int64_t>(first.ranks, 1) * kBlock);
    padded_ = take((2 * first.ranks + first.added + first.reads + 2) * kBlock);
    if (first.outer) {
      slope_ = take(state_);
      slope_sums_ = take(state_);
      decays_ = take(kSegment * state_);
    }
    // Rows and columns that only fill up stay zero; all others are written before they are read.
    const T* const end = rows_ > first.k || first.v % kBlock != 0 ? next : first.scratch + state_;
    std::memset(first.scratch, 0, static_cast<std::size_t>(end - first.scratch) * sizeof(T));
  }

  // One segment of positions after the other; each head carries on its state.
  void forward(const AffineTask<T>* heads, std::int64_t count) {
    for (std::int64_t from = 0; from < t_->length; from += kSegment)
      for_each_block(heads, count, from == 0, [&] {
        if (t_->marks) std::copy_n(now_, t_->k * kBlock, mark(from / kSegment));
        for (std::int64_t t = from; t < std::min(from + kSegment, t_->length); ++t) {
          if (begins(t)) std::memset(now_, 0, bytes());
          read(t, now_, false);
          step(now_, now_, t, decays_);
          read(t, now_, true);
        }
      });
  }

  // States, where the forward run has left none.
  void make_marks(const AffineTask<T>* heads, std::int64_t count) {
    for (std::int64_t from = 0; from < t_->length; from += kSegment)
      for_each_block(heads, count, from == 0, [&] {
        std::copy_n(now_, t_->k * kBlock, mark(from / kSegment));
        for (std::int64_t t = from; t < std::min(from + kSegment, t_->length); ++t)
          step(now_, begins(t) ? zero_ : now_, t, decays_);
      });
  }

  // What is carried on is the adjoint of the state.
  void adjoint(const AffineTask<T>* heads, std::int64_t count) {
    const std::int64_t last = (t_->length - 1) / kSegment;
    for (std::int64_t segment = last; segment >= 0; --segment)
      for_each_block(heads, count, segment == last, [&] {
        const std::int64_t from = segment * kSegment, to = std::min(from + kSegment, t_->length);
        std::copy_n(mark(segment), t_->k * kBlock, states_);
        for (std::int64_t t = from; t < to; ++t)
          step(states_ + (t - from + 1) * state_, before(t, from), t, decays_ + (t - from) * outer_state());
        Sum pending(*this, now_, now_, nullptr, nullptr);
        for (std::int64_t t = to - 1; t >= from; --t)
          back(t, before(t, from), states_ + (t - from + 1) * state_, decays_ + (t - from) * outer_state(),
               pending);
        pending.finish();
        if (segment == 0) put_slope_sums();
      });
  }

 private:
  using L = Lanes<T>;
  using Vector = typename L::Vector;
  static constexpr int kLanes = L::kCount, kVectors = 2, kBlock = kLanes * kVectors;
  static_assert(kBlock <= kColumns && kRows % kLanes == 0);
  static Vector load(const T* x) { return L::load(x); }
  static void store(T* x, const Vector& y) { L::store(x, y); }

  void select(const AffineTask<T>& task) {
    t_ = &task;
    const Strip<const T>* in = task.in;
    if (task.decays) decay_ = in++;
    if (task.outer) rate_ = in++, slopes_ = in++;
    if (task.value_decay) value_decay_ = in++;
    p_ = in;
    c_ = p_ + task.ranks;
    k_ = c_ + task.ranks;
    v_ = k_ + task.added;
    row_ = v_ + task.added;
    seed_ = row_ + task.reads;
  }
  // f() for the columns of each head, with what they carry, which is nothing at first.
  template <class F>
  void for_each_block(const AffineTask<T>* heads, std::int64_t count, bool fresh, const F& f) {
    for (std::int64_t head = 0; head < count; ++head) {
      select(heads[head]);
      T* carried = t_->carry;
      const std::int64_t numbers = t_->k * kBlock;
      for (first_ = 0; first_ < t_->v; first_ += kBlock) {
        for (T* const state : {now_, slope_sums_}) {
          if (!state) continue;
          if (fresh)
            std::memset(state, 0, bytes());
          else
            std::copy_n(carried, numbers, state);
          carried += numbers;
        }
        read_slope();
        f();
        for (const T* const state : {slope_sums_, now_}) {
          if (!state) continue;
          carried -= numbers;
          std::copy_n(state, numbers, carried);
        }
        carried += (slope_sums_ ? 2 : 1) * numbers;
      }
    }
  }

  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(state_) * sizeof(T); }
  [[nodiscard]] bool begins(std::int64_t t) const { return t == 0 || (t_->begins && t_->begins[t]); }
  [[nodiscard]] const T* before(std::int64_t t, std::int64_t from) const {
    return begins(t) ? zero_ : states_ + (t - from) * state_;
  }
  // The state before a segment, of the columns at hand.
  [[nodiscard]] T* mark(std::int64_t segment) const {
    const std::int64_t segments = (t_->length + kSegment - 1) / kSegment;
    return t_->marks + (first_ / kBlock * segments + segment) * t_->k * kBlock;
  }
  [[nodiscard]] std::int64_t columns() const { return std::min<std::int64_t>(kBlock, t_->v - first_); }

  // The columns at hand of a row along the values; number `slot` of those that live at once where it has to
  // be filled up.
  const T* block(const Strip<const T>& strip, std::int64_t t, std::int64_t slot) {
    const T* row = strip.row(t) + first_;
    if (columns() == kBlock) return row;
    T* copy = padded_ + slot * kBlock;
    std::copy(row, row + columns(), copy);
    return copy;
  }
  void put_block(const Strip<T>& strip, std::int64_t t, const T* x) const {
    std::copy(x, x + columns(), strip.row(t) + first_);
  }
  // Sums over columns go to rows along the contracted axes, block after block; the first one at once where it
  // fits.
  [[nodiscard]] T* sums(const Strip<T>& strip, std::int64_t t) const {
    return first_ == 0 && t_->k % kLanes == 0 ? strip.row(t) : sums_;
  }
  void put_sums(const Strip<T>& strip, std::int64_t t) const {
    T* row = strip.row(t);
    if (sums(strip, t) == row) return;
    for (std::int64_t k = 0; k < t_->k; ++k) row[k] = first_ == 0 ? sums_[k] : row[k] + sums_[k];
  }

  // ---- a decay of exp(rate slope)

  [[nodiscard]] std::int64_t outer_state() const { return t_->outer ? state_ : 0; }
  void read_slope() {
    if (!t_->outer) return;
    for (std::int64_t k = 0; k < t_->k; ++k) {
      const T* row = slopes_->row(0) + k * t_->v + first_;
      std::copy(row, row + columns(), slope_ + k * kBlock);
    }
  }
  void put_slope_sums() const {
    if (!t_->outer) return;
    for (std::int64_t k = 0; k < t_->k; ++k)
      std::copy_n(slope_sums_ + k * kBlock, columns(), t_->out[1].row(0) + k * t_->v + first_);
  }
  void decay_at(std::int64_t t, T* to) {
    const T* rate = block(*rate_, t, 0);
    Vector x[kVectors];
    for (int j = 0; j < kVectors; ++j) x[j] = load(rate + j * kLanes);
    for (std::int64_t k = 0; k < t_->k; ++k)
      for (int j = 0; j < kVectors; ++j) {
        const std::int64_t at = k * kBlock + j * kLanes;
        store(to + at, factor(x[j] * load(slope_ + at)));
      }
  }
  // The adjoints of rate and slope: of the exponent it is G S decay.
  void back_outer(std::int64_t t, const T* before, const T* decay, T* y) {
    const T* rate = block(*rate_, t, 0);
    Vector of_rate[kVectors] = {}, x[kVectors];
    for (int j = 0; j < kVectors; ++j) x[j] = load(rate + j * kLanes);
    for (std::int64_t k = 0; k < t_->k; ++k)
      for (int j = 0; j < kVectors; ++j) {
        const std::int64_t at = k * kBlock + j * kLanes;
        const Vector e = load(now_ + at) * load(before + at) * load(decay + at);
        of_rate[j] += e * load(slope_ + at);
        store(slope_sums_ + at, load(slope_sums_ + at) + e * x[j]);
      }
    for (int j = 0; j < kVectors; ++j) store(y + j * kLanes, of_rate[j]);
    put_block(t_->out[0], t, y);
  }

  // ---- rows times columns: each passes once over a matrix of k rows

  struct Term {
    const T *x, *y;
  };
  // to = decay from + sum_n x_n y_n
  template <int kTerms, int kDecay, bool kValueDecay>
  void outer_of(T* to, const T* from, const T* a, const T* av, const Term* terms) const {
    Vector y[kTerms > 0 ? kTerms : 1][kVectors], value[kVectors];
    for (int j = 0; j < kVectors; ++j) {
      for (int n = 0; n < kTerms; ++n) y[n][j] = load(terms[n].y + j * kLanes);
      if constexpr (kValueDecay) value[j] = load(av + j * kLanes);
    }
    for (std::int64_t k = 0; k < t_->k; ++k)
      for (int j = 0; j < kVectors; ++j) {
        Vector s = load(from + k * kBlock + j * kLanes);
        if constexpr (kValueDecay) s *= value[j];
        if constexpr (kDecay == 3) s *= load(a + k * kBlock + j * kLanes);
        if constexpr (kDecay == 1 || kDecay == 2) s *= a[kDecay == 2 ? k : 0];
        for (int n = 0; n < kTerms; ++n) s += terms[n].x[k] * y[n][j];
        store(to + k * kBlock + j * kLanes, s);
      }
  }
  template <int kTerms>
  void outer_with(T* to, const T* from, const T* a, const T* av, const Term* terms) const {
    if (!a && !av) return outer_of<kTerms, 0, false>(to, from, a, av, terms);
    if (!a) return outer_of<kTerms, 0, true>(to, from, a, av, terms);
    if (t_->outer) return outer_of<kTerms, 3, false>(to, from, a, av, terms);
    if (!t_->channel) {
      if (av) return outer_of<kTerms, 1, true>(to, from, a, av, terms);
      return outer_of<kTerms, 1, false>(to, from, a, av, terms);
    }
    if (av) return outer_of<kTerms, 2, true>(to, from, a, av, terms);
    outer_of<kTerms, 2, false>(to, from, a, av, terms);
  }
  // Terms are gathered, and added two at a time; the first ones together with the decay.
  class Sum {
   public:
    Sum(const Kernel& kernel, T* to, const T* from, const T* a, const T* av)
        : kernel_(kernel), to_(to), from_(from), a_(a), av_(av) {}
    void add(const T* x, const T* y) {
      terms_[count_++] = {x, y};
      if (count_ == 2) flush();
    }
    // Once more, on the result.
    void restart(const T* a, const T* av) {
      a_ = a;
      av_ = av;
    }
    void finish() {
      if (count_ > 0 || from_ != to_ || a_ || av_) flush();
    }

   private:
    void flush() {
      if (count_ == 0) kernel_.template outer_with<0>(to_, from_, a_, av_, terms_);
      if (count_ == 1) kernel_.template outer_with<1>(to_, from_, a_, av_, terms_);
      if (count_ == 2) kernel_.template outer_with<2>(to_, from_, a_, av_, terms_);
      from_ = to_;
      a_ = av_ = nullptr;
      count_ = 0;
    }
    const Kernel& kernel_;
    T* to_;
    const T* from_;
    const T *a_, *av_;
    Term terms_[2] = {};
    int count_ = 0;
  };

  // y = x . S
  void contract(const T* s, const T* x, T* y) const {
    Vector even[kVectors] = {}, odd[kVectors] = {};
    std::int64_t k = 0;
    for (; k + 1 < t_->k; k += 2)
      for (int j = 0; j < kVectors; ++j) {
        even[j] += x[k] * load(s + k * kBlock + j * kLanes);
        odd[j] += x[k + 1] * load(s + (k + 1) * kBlock + j * kLanes);
      }
    for (int j = 0; j < kVectors; ++j) {
      if (k < t_->k) even[j] += x[k] * load(s + k * kBlock + j * kLanes);
      store(y + j * kLanes, even[j] + odd[j]);
    }
  }

  // sums[k] = S[k] . y
  void apply(const T* s, const T* y, T* sums) const {
    Vector v[kVectors];
    for (int j = 0; j < kVectors; ++j) v[j] = load(y + j * kLanes);
    const auto of_row = [&](std::int64_t k) {
      Vector sum = load(s + k * kBlock) * v[0];
      for (int j = 1; j < kVectors; ++j) sum += load(s + k * kBlock + j * kLanes) * v[j];
      return sum;
    };
    for (std::int64_t k = 0; k < t_->k; k += kLanes) store(sums + k, L::sums(k, of_row));
  }
  // sums[k] = sum_v G[k, v] S[k, v] av[v]
  void match(const T* g, const T* s, const T* av, T* sums) const {
    const auto of_row = [&](std::int64_t k) {
      Vector sum = {};
      for (int j = 0; j < kVectors; ++j) {
        const std::int64_t at = k * kBlock + j * kLanes;
        const Vector x = load(g + at) * load(s + at);
        sum += av ? x * load(av + j * kLanes) : x;
      }
      return sum;
    };
    for (std::int64_t k = 0; k < t_->k; k += kLanes) store(sums + k, L::sums(k, of_row));
  }

  // sum_kv G[k, v] S[k, v] av[v]
  T match_all(const T* g, const T* s, const T* av) const {
    Vector sum[kVectors] = {};
    for (std::int64_t k = 0; k < t_->k; ++k)
      for (int j = 0; j < kVectors; ++j)
        sum[j] += load(g + k * kBlock + j * kLanes) * load(s + k * kBlock + j * kLanes);
    T total = 0;
    for (int j = 0; j < kVectors; ++j) {
      if (av) sum[j] *= load(av + j * kLanes);
      total += L::sum(sum[j]);
    }
    return total;
  }

  // ---- positions

  // `decay`: room for a decay of all numbers of the state.
  void step(T* to, const T* from, std::int64_t t, T* decay) {
    if (t_->outer) decay_at(t, decay);
    Sum sum(*this, to, from,
            t_->outer ? decay
            : decay_  ? decay_->row(t)
                      : nullptr,
            value_decay_ ? block(*value_decay_, t, 0) : nullptr);
    for (std::int64_t r = 0; r < t_->ranks; ++r) contract(from, c_[r].row(t), z_ + r * kBlock);
    for (std::int64_t m = 0; m < t_->added; ++m) sum.add(k_[m].row(t), block(v_[m], t, 1 + m));
    for (std::int64_t r = 0; r < t_->ranks; ++r) sum.add(p_[r].row(t), z_ + r * kBlock);
    sum.finish();
  }

  void read(std::int64_t t, const T* s, bool after) {
    T y[kBlock];
    for (std::int64_t n = 0; n < t_->reads; ++n) {
      if (t_->after[n] != after) continue;
      contract(s, row_[n].row(t), y);
      put_block(t_->out[n], t, y);
    }
  }

  // From the adjoint of the state after position t to that before it. What is still to be added to it at the
  // end waits in `pending`, for what the position before adds.
  void back(std::int64_t t, const T* before, const T* after, const T* decay, Sum& pending) {
    const Strip<T>* out = t_->out;
    T* const g = now_;
    const Strip<T>* const out_a = decay_ ? out++ : nullptr;
    if (t_->outer) out += 2;
    const Strip<T>* const out_av = value_decay_ ? out++ : nullptr;
    const Strip<T>*out_p = out, *out_c = out_p + t_->ranks, *out_k = out_c + t_->ranks,
          *out_v = out_k + t_->added, *out_row = out_v + t_->added;
    const auto seed = [&](std::int64_t n) { return block(seed_[n], t, 1 + t_->added + n); };
    T y[kBlock];

    for (std::int64_t n = 0; n < t_->reads; ++n)
      if (t_->after[n]) pending.add(row_[n].row(t), seed(n));
    pending.finish();
    for (std::int64_t n = 0; n < t_->reads; ++n) {
      apply(t_->after[n] ? after : before, seed(n), sums(out_row[n], t));
      put_sums(out_row[n], t);
    }
    if (t_->outer) back_outer(t, before, decay, y);
    const T* const a = t_->outer ? decay : decay_ ? decay_->row(t) : nullptr;
    const T* const av = value_decay_ ? block(*value_decay_, t, 0) : nullptr;
    for (std::int64_t m = 0; m < t_->added; ++m) {
      apply(g, block(v_[m], t, 1 + m), sums(out_k[m], t));
      put_sums(out_k[m], t);
      contract(g, k_[m].row(t), y);
      put_block(out_v[m], t, y);
    }
    if (out_a && t_->channel) {
      match(g, before, av, sums(*out_a, t));
      put_sums(*out_a, t);
    } else if (out_a) {
      const T total = match_all(g, before, av);
      *out_a->row(t) = first_ == 0 ? total : *out_a->row(t) + total;
    }
    if (out_av) {
      for (int j = 0; j < kVectors; ++j) {
        Vector sum = {};
        for (std::int64_t k = 0; k < t_->k; ++k) {
          const std::int64_t at = k * kBlock + j * kLanes;
          const Vector x = load(g + at) * load(before + at);
          sum += a ? x * a[t_->channel ? k : 0] : x;
        }
        store(y + j * kLanes, sum);
      }
      put_block(*out_av, t, y);
    }
    for (std::int64_t r = 0; r < t_->ranks; ++r) {
      contract(before, c_[r].row(t), y);
      apply(g, y, sums(out_p[r], t));
      put_sums(out_p[r], t);
      contract(g, p_[r].row(t), z_ + r * kBlock);
      apply(before, z_ + r * kBlock, sums(out_c[r], t));
      put_sums(out_c[r], t);
    }
    if (begins(t)) {
      std::memset(g, 0, bytes());
      return;
    }
    pending.restart(a, av);
    for (std::int64_t r = 0; r < t_->ranks; ++r) pending.add(c_[r].row(t), z_ + r * kBlock);
    for (std::int64_t n = 0; n < t_->reads; ++n)
      if (!t_->after[n]) pending.add(row_[n].row(t), seed(n));
  }

  const AffineTask<T>* t_;  // the head at hand
  const std::int64_t rows_, state_;
  std::int64_t first_ = 0;  // of the columns at hand
  T *zero_, *now_, *states_, *sums_, *z_, *padded_;
  T *slope_ = nullptr, *slope_sums_ = nullptr, *decays_ = nullptr;
  const Strip<const T>*rate_ = nullptr, *slopes_ = nullptr;
  const Strip<const T>*decay_ = nullptr, *value_decay_ = nullptr, *p_, *c_, *k_, *v_, *row_, *seed_;
};

template <class T>
void recur(const RecurTask<T>& task) {
  for (std::int64_t i = 0; i < task.length; ++i) {
    const std::int64_t t = task.backwards ? task.length - 1 - i : i, last = task.backwards ? t + 1 : t - 1;
    const T* __restrict a = task.factor.row(t), * __restrict x = task.added.row(t);
    T* __restrict y = task.out.row(t);
    const bool fresh = i == 0 || (task.begins && task.begins[task.backwards ? last : t]);
    if (fresh) {
      std::copy(x, x + task.width, y);
      continue;
    }
    const T* __restrict h = task.out.row(last);
    for (std::int64_t n = 0; n < task.width; ++n) y[n] = a[n] * h[n] + x[n];
  }
}

}  // namespace

void run_recur(const RecurTask<float>& task) { recur(task); }
void run_recur(const RecurTask<double>& task) { recur(task); }
#define GABBRO_RUN(T)                                                                    \
  void run_affine(const AffineTask<T>* heads, std::int64_t count) {                      \
    Kernel<T>(*heads).forward(heads, count);                                             \
  }                                                                                      \
  void run_affine_adjoint(const AffineTask<T>* heads, std::int64_t count, bool marked) { \
    Kernel<T> kernel(*heads);                                                            \
    if (!marked) kernel.make_marks(heads, count);                                        \
    kernel.adjoint(heads, count);                                                        \
  }
GABBRO_RUN(float)
GABBRO_RUN(double)
#undef GABBRO_RUN

}  // namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE
