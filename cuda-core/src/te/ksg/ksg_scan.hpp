// The scan of TargetIndex, written once over vector types and compiled per instruction set (ksg_portable.cpp, ksg_avx2.cpp,
// ksg_avx512.cpp). Everything here has internal linkage or a type parameter of its file, so that no instruction of a
// wider set can be merged into a narrower file.
#pragma once

#include <cstdint>

#include "te/ksg/ksg.hpp"
#include "te/ksg/ranked_column.hpp"

namespace xcore::te {

// Elements behind every column that vector loads may touch.
inline constexpr int64_t kScanPadding = 64;

// "Target columns" are P, then F. Axis A is target column 0; axis B is the first column of F, without P the second one,
// and if there is none the grid has one bucket. Columns have `stride` elements.
template <class T, class R>
struct KsgScan {
  int64_t n, stride;
  int32_t past_dims, future_dims, source_dims, k, theiler, algorithm;
  const T* target_tile;  // grid order: target columns
  const T* source_tile;  // grid order: source columns, permuted
  const int32_t* tuple;  // grid position -> tuple
  const int32_t* tile_time;
  const int32_t* start;  // strips x (buckets + 1)
  int32_t strips, buckets, strip_size, bucket_size, axis_b;  // axis_b: target column, or -1
  const R* target_rank;  // order of A: target columns from 1 on
  const R* source_rank;  // order of A: source columns, permuted
  const R* source_space;  // order of source column 0: source columns; without P and for several source columns only
  const int32_t* const* rank;  // of each target column: tuple -> rank; then of each source column: row -> rank
  const RankLookup<T>* lookup;  // of each target column, then of each source column
  const int32_t* time;         // tuple -> time
  const int32_t* permutation;  // tuple -> source row, or NULL
  KsgCounts* out;
};

// Grid positions [begin, end), written to out[tuple].
template <class T, class R>
using KsgScanFunction = void (*)(const KsgScan<T, R>& scan, int64_t begin, int64_t end);

// One entry for each combination of value and rank types.
struct KsgScanFunctions {
  KsgScanFunction<double, uint16_t> double16;
  KsgScanFunction<double, uint32_t> double32;
  KsgScanFunction<float, uint16_t> float16;
  KsgScanFunction<float, uint32_t> float32;
};
const KsgScanFunctions& ksg_scan_portable();
#if defined(__x86_64__)
const KsgScanFunctions& ksg_scan_avx2();
const KsgScanFunctions& ksg_scan_avx512();
#endif

namespace {

// Tie at exactly the k-th distance, of algorithm 2.
template <class T>
struct Tie {
  int32_t tuple;
  T past, future, source;
};

constexpr int kInline = 16;  // columns whose ranges live on the stack; more use the heap

// A few values on the stack, many on the heap.
template <class E, int kOnStack>
class Small {
 public:
  explicit Small(int64_t count) : data_(count <= kOnStack ? stack_ : new E[count]) {}
  ~Small() {
    if (data_ != stack_) delete[] data_;
  }
  Small(const Small&) = delete;
  Small& operator=(const Small&) = delete;
  E& operator[](int64_t i) { return data_[i]; }
  const E* data() const { return data_; }

 private:
  E stack_[kOnStack];
  E* data_;
};

template <class N>
inline N larger(N a, N b) { return a > b ? a : b; }
template <class N>
inline N smaller(N a, N b) { return a < b ? a : b; }

// Vec, over values: type, scalar, width, load, set, sub, absdiff, max, min, less, less_equal (bit masks), keep(mask, v): v
// where set, infinity elsewhere; far(times, own, theiler): mask of |time - own| > theiler; swap<D>: lane i ^ D; first.
// Ranks: type, scalar, width, load, set, within(v, low, last): mask of v - low <= last as unsigned; bits(mask),
// head(count): mask of the first lanes.
// kList: the k nearest are kept in kList registers a lane (k <= kList), or 0: in one list, by insertion.
// Plain: one column each in P, F and S.
template <class Vec, class Ranks, int kList, bool Plain>
class Scanner {
  using T = typename Vec::scalar;
  using R = typename Ranks::scalar;
  using V = typename Vec::type;
  static constexpr int W = Vec::width;
  static constexpr int kHeld = kList > 0 ? kList : 1;

 public:
  explicit Scanner(const KsgScan<T, R>& scan) : s(scan), best_(kList > 0 ? 1 : scan.k), range_(target_dims() + source_dims()) {}

  void run(int64_t begin, int64_t end) {
    // Half sides of the rectangle in ranks: a moving mean of what the neighbours needed.
    float a_side = s.strip_size, b_side = s.bucket_size;
    for (int64_t at = begin; at < end; ++at) {
      own_ = at;
      tuple_ = s.tuple[at];
      const int32_t a = s.rank[0][tuple_], b = s.axis_b >= 0 ? s.rank[s.axis_b][tuple_] : 0;
      nearest(a, b, a_side, b_side);
      // The rectangle is ranges 0 and axis_b by now.
      const float a_needed = larger(a - range_[0].low, range_[0].low + range_[0].count - a);
      a_side += (a_needed - a_side) * 0.125f;
      if (s.axis_b >= 0) {
        const Range& r = range_[s.axis_b];
        b_side += (larger(b - r.low, r.low + r.count - b) - b_side) * 0.125f;
      }
      s.out[tuple_] = s.algorithm == 1 ? counts_within(eps_) : counts_within_blocks();
    }
  }

 private:
  struct Range {
    int32_t low, count;  // ranks [low, low + count)
  };
  struct Rectangle {  // strips [a0, a1) and buckets [b0, b1)
    int32_t a0, a1, b0, b1;
    bool holds(const Rectangle& o) const { return a0 <= o.a0 && o.a1 <= a1 && b0 <= o.b0 && o.b1 <= b1; }
  };

  int32_t past_dims() const { return Plain ? 1 : s.past_dims; }
  int32_t future_dims() const { return Plain ? 1 : s.future_dims; }
  int32_t source_dims() const { return Plain ? 1 : s.source_dims; }
  int32_t target_dims() const { return past_dims() + future_dims(); }

  // ---- the k nearest ----

  V distance_to(const T* columns, int32_t dims, int64_t j) const {
    V d = Vec::absdiff(Vec::load(columns + j), Vec::set(columns[own_]));
    for (int32_t c = 1; c < dims; ++c)
      d = Vec::max(d, Vec::absdiff(Vec::load(columns + c * s.stride + j), Vec::set(columns[c * s.stride + own_])));
    return d;
  }
  uint32_t allowed(int64_t j, int64_t end) const {
    uint32_t lanes = W == 1 ? 1u : end - j >= W ? (W == 32 ? ~0u : (1u << W) - 1) : (1u << (end - j)) - 1;
    const uint64_t self = static_cast<uint64_t>(own_ - j);
    if (self < W) lanes &= ~(1u << self);
    if (s.theiler > 0) lanes &= Vec::far(s.tile_time + j, s.time[tuple_], s.theiler);
    return lanes;
  }
  V joint(int64_t j) const {
    return Vec::max(distance_to(s.target_tile, target_dims(), j), distance_to(s.source_tile, source_dims(), j));
  }

  // `held` is a copy of held_ that can stay in registers over many runs.
  __attribute__((always_inline)) void read(V (&held)[kHeld], int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += W) {
      V d = Vec::keep(allowed(j, end), joint(j));
      if constexpr (kList > 0) {
        for (int m = 0; m < kHeld; ++m) {
          const V low = Vec::min(held[m], d);
          d = Vec::max(held[m], d);
          held[m] = low;
        }
      } else {
        uint32_t near = Vec::less(d, Vec::set(eps_));
        if (!near) continue;
        T lanes[W];
        Vec::store(lanes, d);
        for (; near; near &= near - 1) insert(lanes[__builtin_ctz(near)]);
      }
    }
  }
  void insert(T d) {
    if (!(d < eps_)) return;
    int32_t at = s.k - 1;
    for (; at > 0 && best_[at - 1] > d; --at) best_[at] = best_[at - 1];
    best_[at] = d;
    eps_ = best_[s.k - 1];
  }
  // What `now` has beyond `before`, which lies inside it: before the old buckets, behind them, or all of a new strip.
  void read_beyond(const Rectangle& before, const Rectangle& now) {
    V held[kHeld];
    for (int m = 0; m < kHeld; ++m) held[m] = held_[m];
    for (int32_t strip = now.a0; strip < now.a1; ++strip) {
      const int32_t* row = s.start + static_cast<int64_t>(strip) * (s.buckets + 1);
      const bool fresh = strip < before.a0 || strip >= before.a1;
      read(held, row[now.b0], row[fresh ? now.b1 : before.b0]);
      if (!fresh) read(held, row[before.b1], row[now.b1]);
    }
    for (int m = 0; m < kHeld; ++m) held_[m] = held[m];
  }

  // The k smallest of all lanes: the smaller half of two ascending lists, one reversed, is a bitonic sequence.
  template <int D>
  __attribute__((always_inline)) static void fold(V (&list)[kHeld]) {
    if constexpr (D >= 1 && kList == 4) {
      V c[4];
      for (int m = 0; m < 4; ++m) c[m] = Vec::min(list[m], Vec::template swap<D>(list[3 - m]));
      const V l0 = Vec::min(c[0], c[2]), l1 = Vec::min(c[1], c[3]), h0 = Vec::max(c[0], c[2]), h1 = Vec::max(c[1], c[3]);
      list[0] = Vec::min(l0, l1), list[1] = Vec::max(l0, l1), list[2] = Vec::min(h0, h1), list[3] = Vec::max(h0, h1);
      fold<D / 2>(list);
    }
  }
  void settle() {
    if constexpr (kList > 0) {
      V list[kHeld];
      for (int m = 0; m < kHeld; ++m) list[m] = held_[m];
      fold<W / 2>(list);
      V kth = list[0];
      for (int m = 1; m < kHeld; ++m) kth = s.k == m + 1 ? list[m] : kth;
      eps_ = Vec::first(kth);
    }
  }

  Rectangle rectangle(int32_t a_low, int32_t a_end, int32_t b_low, int32_t b_end) const {
    return {a_low / s.strip_size, (a_end - 1) / s.strip_size + 1, s.axis_b < 0 ? 0 : b_low / s.bucket_size,
            s.axis_b < 0 ? 1 : (b_end - 1) / s.bucket_size + 1};
  }

  // Sets eps_, and the ranges of both axes to those of the exact rectangle.
  void nearest(int32_t a, int32_t b, float a_side, float b_side) {
    const T infinity = static_cast<T>(__builtin_inf());
    eps_ = infinity;
    if constexpr (kList > 0) for (int m = 0; m < kHeld; ++m) held_[m] = Vec::set(infinity);
    else for (int32_t m = 0; m < s.k; ++m) best_[m] = infinity;
    const int32_t n = static_cast<int32_t>(s.n);
    int32_t a_half = static_cast<int32_t>(a_side) + 1, b_half = static_cast<int32_t>(b_side) + 1;
    Rectangle seen{0, 0, 0, 0};
    for (;;) {
      const Rectangle guess = rectangle(larger(0, a - a_half), smaller(n, a + a_half), larger(0, b - b_half), smaller(n, b + b_half));
      read_beyond(seen, guess);
      seen = guess;
      settle();
      if (eps_ < infinity || (a_half >= n && b_half >= n)) break;
      a_half = a_half > n / 2 ? n : 2 * a_half;
      b_half = b_half > n / 2 ? n : 2 * b_half;
    }
    // Whatever is nearer than eps lies in the ranges of eps. Algorithm 2 asks for what is as near, too.
    for (;;) {
      set_range(0, eps_);
      if (s.axis_b >= 0) set_range(s.axis_b, eps_);
      const Range& ra = range_[0];
      const Range& rb = range_[s.axis_b >= 0 ? s.axis_b : 0];
      // eps 0 in algorithm 1: nothing is nearer.
      if (ra.count == 0 || rb.count == 0) break;
      Rectangle exact = rectangle(ra.low, ra.low + ra.count, rb.low, rb.low + rb.count);
      if (seen.holds(exact)) {
        seen_ = seen;
        return;
      }
      exact = {smaller(exact.a0, seen.a0), larger(exact.a1, seen.a1), smaller(exact.b0, seen.b0), larger(exact.b1, seen.b1)};
      const T before = eps_;
      read_beyond(seen, exact);
      seen = exact;
      settle();
      if (eps_ == before) {
        seen_ = seen;
        return;
      }
    }
    seen_ = seen;
  }

  // ---- ranges of ranks ----

  T value_of(int32_t column) const {
    return column < target_dims() ? s.target_tile[column * s.stride + own_] : s.source_tile[(column - target_dims()) * s.stride + own_];
  }
  void set_range(int32_t column, T eps) {
    if (s.algorithm == 1) range_[column] = range<true>(s.lookup[column], value_of(column), eps);
    else range_[column] = range<false>(s.lookup[column], value_of(column), eps);
  }
  template <bool Strict>
  static bool inside_of(T distance, T eps) { return Strict ? distance < eps : distance <= eps; }
  template <bool Strict>
  static uint32_t inside_lanes(V distance, V eps) { return Strict ? Vec::less(distance, eps) : Vec::less_equal(distance, eps); }

  // The ranks whose values lie within eps of x: [first not too far below, first too far above).
  template <bool Strict>
  Range range(const RankLookup<T>& l, T x, T eps) const {
    const int32_t low_cell = l.cell(x - eps), high_cell = l.cell(x + eps);
    if (l.crowded(low_cell) || l.crowded(high_cell)) return bisect<Strict>(l.sorted, x, eps);
    const int32_t n = static_cast<int32_t>(s.n);
    // Places in a cell that come before the end looked for, a vector at a time.
    int32_t begin = l.first[low_cell], end = l.first[high_cell];
    const V at = Vec::set(x), limit = Vec::set(eps);
    for (;;) {
      const uint32_t lanes = lanes_of(n - begin);
      const int32_t outside = __builtin_popcount(lanes & ~inside_lanes<Strict>(Vec::sub(at, load_ranks(l.sorted, begin, n)), limit));
      begin += outside;
      if (outside < W) break;
    }
    for (;;) {
      const uint32_t lanes = lanes_of(n - end);
      const int32_t in = __builtin_popcount(lanes & inside_lanes<Strict>(Vec::sub(load_ranks(l.sorted, end, n), at), limit));
      end += in;
      if (in < W) break;
    }
    // x -+ eps was rounded, so the cell may begin a place too late.
    while (begin > 0 && inside_of<Strict>(x - l.sorted[begin - 1], eps)) --begin;
    while (end > 0 && !inside_of<Strict>(l.sorted[end - 1] - x, eps)) --end;
    return {begin, end > begin ? end - begin : 0};
  }
  static uint32_t lanes_of(int32_t left) {
    constexpr uint32_t kFull = W >= 32 ? ~0u : (1u << W) - 1;
    return left >= W ? kFull : left > 0 ? (1u << left) - 1 : 0u;
  }
  // The last values are read where they are; lanes past the end are masked by the caller.
  static V load_ranks(const T* sorted, int32_t at, int32_t n) {
    if (at + W <= n) return Vec::load(sorted + at);
    T tail[W];
    for (int q = 0; q < W; ++q) tail[q] = at + q < n ? sorted[at + q] : 0;
    return Vec::load(tail);
  }

  // Two bisections side by side, always of the same number of steps: no branch can be mispredicted.
  template <bool Strict>
  Range bisect(const T* sorted, T x, T eps) const {
    const T* low = sorted;
    const T* high = sorted;
    int64_t left = s.n;
    while (left > 1) {
      const int64_t half = left / 2;
      low += inside_of<Strict>(x - low[half - 1], eps) ? 0 : half;
      high += inside_of<Strict>(high[half - 1] - x, eps) ? half : 0;
      left -= half;
    }
    const int64_t begin = (low - sorted) + (inside_of<Strict>(x - *low, eps) ? 0 : 1);
    const int64_t end = (high - sorted) + (inside_of<Strict>(*high - x, eps) ? 1 : 0);
    return {static_cast<int32_t>(begin), static_cast<int32_t>(end > begin ? end - begin : 0)};
  }

  // ---- counts ----

  // Algorithm 1: one radius for all blocks.
  KsgCounts counts_within(T eps) {
    if (!(eps > 0)) return {s.past_dims > 0 || Plain ? 0 : static_cast<int32_t>(s.n - 1), 0, 0};
    for (int32_t c = 1; c < target_dims() + source_dims(); ++c)
      if (c != s.axis_b) set_range(c, eps);
    return counts_in_ranges();
  }

  // Algorithm 2: the radius of each block is its largest distance among the k nearest.
  KsgCounts counts_within_blocks() {
    T past = 0, future = 0, source = 0;
    int32_t nearer = 0, ties = 0;
    int32_t capacity = 0;
    Tie<T>* tied = nullptr;
    const V eps = Vec::set(eps_);
    for (int32_t strip = seen_.a0; strip < seen_.a1; ++strip) {
      const int32_t* row = s.start + static_cast<int64_t>(strip) * (s.buckets + 1);
      const int64_t end = row[seen_.b1];
      for (int64_t j = row[seen_.b0]; j < end; j += W) {
        const V d = joint(j);
        uint32_t near = Vec::less_equal(d, eps) & allowed(j, end);
        for (; near; near &= near - 1) {
          const int64_t at = j + __builtin_ctz(near);
          const T p = s.past_dims > 0 || Plain ? one(s.target_tile, 0, past_dims(), at) : 0;
          const T f = one(s.target_tile, past_dims(), target_dims(), at), q = one(s.source_tile, 0, source_dims(), at);
          if (larger(p, larger(f, q)) < eps_) {
            ++nearer;
            past = larger(past, p), future = larger(future, f), source = larger(source, q);
          } else {
            if (ties == capacity) {
              capacity = capacity ? 2 * capacity : 4;
              Tie<T>* more = new Tie<T>[capacity];
              for (int32_t t = 0; t < ties; ++t) more[t] = tied[t];
              delete[] tied;
              tied = more;
            }
            tied[ties++] = {s.tuple[at], p, f, q};
          }
        }
      }
    }
    for (int32_t taken = nearer; taken < s.k && ties > 0; ++taken) {
      int32_t earliest = 0;
      for (int32_t t = 1; t < ties; ++t) earliest = tied[t].tuple < tied[earliest].tuple ? t : earliest;
      past = larger(past, tied[earliest].past), future = larger(future, tied[earliest].future);
      source = larger(source, tied[earliest].source);
      tied[earliest] = tied[--ties];
    }
    delete[] tied;
    for (int32_t c = 0; c < past_dims(); ++c) set_range(c, past);
    for (int32_t c = past_dims(); c < target_dims(); ++c) set_range(c, future);
    for (int32_t c = 0; c < source_dims(); ++c) set_range(target_dims() + c, source);
    return counts_in_ranges();
  }
  T one(const T* columns, int32_t from, int32_t to, int64_t j) const {
    T d = 0;
    for (int32_t c = from; c < to; ++c) {
      const T x = columns[c * s.stride + j] - columns[c * s.stride + own_];
      d = larger(d, x < 0 ? -x : x);
    }
    return d;
  }

  typename Ranks::mask inside(const R* columns, int32_t from, int32_t to, int32_t first_column, int64_t j) const {
    typename Ranks::mask m = Ranks::all();
    for (int32_t c = from; c < to; ++c) {
      const Range& r = range_[first_column + c];
      m &= Ranks::within(Ranks::load(columns + c * s.stride + j), Ranks::set(static_cast<R>(r.low)),
                         Ranks::set(static_cast<R>(r.count - 1)));
    }
    return m;
  }

  KsgCounts counts_in_ranges() {
    KsgCounts c{0, 0, 0};
    const int64_t begin = range_[0].low, end = begin + range_[0].count;
    const bool conditional = Plain || s.past_dims > 0;
    if (Plain) {
      const auto f_low = Ranks::set(static_cast<R>(range_[1].low)), f_last = Ranks::set(static_cast<R>(range_[1].count - 1));
      const auto s_low = Ranks::set(static_cast<R>(range_[2].low)), s_last = Ranks::set(static_cast<R>(range_[2].count - 1));
      int64_t j = begin;
      for (; j + Ranks::width <= end; j += Ranks::width) {
        c.future_past += Ranks::bits(Ranks::within(Ranks::load(s.target_rank + j), f_low, f_last));
        c.source_past += Ranks::bits(Ranks::within(Ranks::load(s.source_rank + j), s_low, s_last));
      }
      if (j < end) {
        const auto head = Ranks::head(end - j);
        c.future_past += Ranks::bits(head & Ranks::within(Ranks::load(s.target_rank + j), f_low, f_last));
        c.source_past += Ranks::bits(head & Ranks::within(Ranks::load(s.source_rank + j), s_low, s_last));
      }
      c.past = range_[0].count;
    } else if (conditional) {
      for (int64_t j = begin; j < end; j += Ranks::width) {
        auto past = end - j >= Ranks::width ? Ranks::all() : Ranks::head(end - j);
        past &= inside(s.target_rank - s.stride, 1, past_dims(), 0, j);
        c.past += Ranks::bits(past);
        c.future_past += Ranks::bits(past & inside(s.target_rank - s.stride, past_dims(), target_dims(), 0, j));
        c.source_past += Ranks::bits(past & inside(s.source_rank, 0, source_dims(), target_dims(), j));
      }
    } else {
      for (int64_t j = begin; j < end; j += Ranks::width) {
        const auto head = end - j >= Ranks::width ? Ranks::all() : Ranks::head(end - j);
        c.future_past += Ranks::bits(head & inside(s.target_rank - s.stride, 1, target_dims(), 0, j));
      }
      const Range& first = range_[target_dims()];
      c.source_past = first.count;
      if (source_dims() > 1) {
        c.source_past = 0;
        const int64_t last = static_cast<int64_t>(first.low) + first.count;
        for (int64_t j = first.low; j < last; j += Ranks::width) {
          const auto head = last - j >= Ranks::width ? Ranks::all() : Ranks::head(last - j);
          c.source_past += Ranks::bits(head & inside(s.source_space, 1, source_dims(), target_dims(), j));
        }
      }
    }
    discount(c);
    if (!conditional) c.past = static_cast<int32_t>(s.n - (s.algorithm == 1 ? 1 : 0));
    return c;
  }

  // Takes the tuple itself and its Theiler window out of the counts again.
  void discount(KsgCounts& c) const {
    if (s.theiler == 0) {
      --c.past, --c.source_past, --c.future_past;
      return;
    }
    const int32_t now = s.time[tuple_];
    for (int64_t t = tuple_; t >= 0 && now - s.time[t] <= s.theiler; --t) take_out(c, t);
    for (int64_t t = tuple_ + 1; t < s.n && s.time[t] - now <= s.theiler; ++t) take_out(c, t);
  }
  bool lies_in(int32_t from, int32_t to, int64_t row) const {
    bool in = true;
    for (int32_t c = from; c < to; ++c)
      in = in && static_cast<uint32_t>(s.rank[c][row] - range_[c].low) < static_cast<uint32_t>(range_[c].count);
    return in;
  }
  void take_out(KsgCounts& c, int64_t t) const {
    if (!lies_in(0, past_dims(), t)) return;
    --c.past;
    c.future_past -= lies_in(past_dims(), target_dims(), t);
    c.source_past -= lies_in(target_dims(), target_dims() + source_dims(), s.permutation ? s.permutation[t] : t);
  }

  const KsgScan<T, R>& s;
  int64_t own_ = 0;  // grid position
  int32_t tuple_ = 0;
  T eps_ = 0;
  V held_[kHeld];
  Small<T, kInline> best_;
  mutable Small<Range, kInline> range_;
  Rectangle seen_{0, 0, 0, 0};
};

template <class Vec, class Ranks>
void scan_positions(const KsgScan<typename Vec::scalar, typename Ranks::scalar>& s, int64_t begin, int64_t end) {
  const bool plain = s.past_dims == 1 && s.future_dims == 1 && s.source_dims == 1;
  if (plain && s.k <= 4) Scanner<Vec, Ranks, 4, true>(s).run(begin, end);
  else if (plain) Scanner<Vec, Ranks, 0, true>(s).run(begin, end);
  else if (s.k <= 4) Scanner<Vec, Ranks, 4, false>(s).run(begin, end);
  else Scanner<Vec, Ranks, 0, false>(s).run(begin, end);
}

}  // namespace
}  // namespace xcore::te
