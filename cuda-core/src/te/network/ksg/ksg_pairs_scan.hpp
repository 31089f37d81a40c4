// The walk and the counts of ksg_pairs_cpu, written once over a vector type and compiled per instruction set. A vector holds
// one value of several sources (or permutations), which go through the same target together: list entries and the window in
// P are then scalars, and the sources' values for one tuple lie side by side in memory.
//
// Everything here has internal linkage or a type parameter of its file, so that no instruction of a wider set can be merged
// into a narrower file.
#pragma once

#include <cstdint>

#include "te/ksg/ranked_column.hpp"

namespace xcore::te {

// Rows are ranks in the order of P's first column; `width` sources side by side. Columns and blocks may be read
// kPairsWidestVector rows before and behind their ends, where the first column of P is infinite.
struct PairsScan {
  int64_t n;
  int32_t k, theiler, past_dims, source_dims, cap;
  int64_t past_pitch;             // between the columns of `past`
  const double* past;             // the first column ascending
  const double* future;           // [n]
  const uint32_t* order;          // rank -> tuple
  const double* list_distances;   // [n][cap]: D_Y ascending, padded with infinity
  const uint32_t* list_ranks;     // [n][cap]
  const double* limits;           // [n]: the list holds all with D_Y below
  int64_t block_pitch;            // rows between the columns of `block`
  const double* block;            // [source_dims][n][width]
  const double* psi;              // digamma of 0..n + 1
  // For counts by ranks, else NULL: where values stand in the first column of P and in each source's column, and the sources'
  // ranks in the order of rows, [width][rank_pitch], of which kPairsRankMargin may be read behind the n-th.
  const RankLookup<double>* past_lookup;
  const RankLookup<double>* const* source_lookups;
  const uint16_t* source_ranks;
  int64_t rank_pitch;
  double* sums;                   // width: the bracket of the formula is added for ranks [begin, end)
};

using PairsScanFunction = void (*)(const PairsScan& scan, int64_t begin, int64_t end);
inline constexpr int kPairsWidestVector = 8;
inline constexpr int kPairsRankMargin = 32;
inline constexpr int64_t kPairsMost16 = 65535;
inline constexpr int kPairsCpuMaxK = 64;

void pairs_scan_portable(const PairsScan& scan, int64_t begin, int64_t end);  // 4 sources
#if defined(__x86_64__)
void pairs_scan_avx2(const PairsScan& scan, int64_t begin, int64_t end);    // 4
void pairs_scan_avx512(const PairsScan& scan, int64_t begin, int64_t end);  // 8
#endif

namespace {

// Vec: width, type, Count, load, set, store, sub, min, max, far(a, b) = max(a, |b|) for a >= 0, zero_count,
// add_less(count, a, b): count + 1 where a < b, all_less_equal(a, b), store_count, less_mask(a, b), and
// count_within(ranks, begin, end, low, last): how many of ranks[begin..end) minus low are at most last, as unsigned.
// kSimple: one column of P and of S.
template <class Vec, int kMaxK, bool kSimple>
struct PairsRow {
  using V = typename Vec::type;
  using Count = typename Vec::Count;
  static constexpr int W = Vec::width;
  const PairsScan& s;
  int64_t rank;
  V own;

  PairsRow(const PairsScan& scan, int64_t r) : s(scan), rank(r), own(Vec::load(scan.block + r * W)) {}

  // max(d, |S_rank - S_j|)
  V joined(double d, int64_t j) const {
    V x = Vec::far(Vec::set(d), Vec::sub(Vec::load(s.block + j * W), own));
    if (!kSimple) {
      for (int32_t h = 1; h < s.source_dims; ++h) {
        const double* column = s.block + h * s.block_pitch * W;
        x = Vec::far(x, Vec::sub(Vec::load(column + j * W), Vec::load(column + rank * W)));
      }
    }
    return x;
  }
  // |P_rank - P_j| over all columns, given that of the first
  double past_distance(double first, int64_t j) const {
    if (kSimple) return first;
    for (int32_t h = 1; h < s.past_dims; ++h) {
      const double d = __builtin_fabs(s.past[h * s.past_pitch + j] - s.past[h * s.past_pitch + rank]);
      if (d > first) first = d;
    }
    return first;
  }
  double target_distance(double first, int64_t j) const {
    const double d = __builtin_fabs(s.future[j] - s.future[rank]), p = past_distance(first, j);
    return d > p ? d : p;
  }
  bool excluded(int64_t j) const {
    const int64_t apart = static_cast<int64_t>(s.order[j]) - static_cast<int64_t>(s.order[rank]);
    return (apart < 0 ? -apart : apart) <= s.theiler;
  }
  // f(j, |P - P| of the first column) for all j != rank with that distance below `widest`, but not those in the Theiler window;
  // for a few more, whose distance is not, too. Four at a time: the end cannot be foretold, so it is looked at seldom.
  template <class F>
  __attribute__((always_inline)) void window(double widest, F&& f) const {
    const double p = s.past[rank];
    const double* past = s.past;
    if (s.theiler == 0) {
      for (int64_t j = rank + 1; past[j] - p < widest; j += 4) {
#pragma GCC unroll 4
        for (int u = 0; u < 4; ++u) f(j + u, past[j + u] - p);
      }
      for (int64_t j = rank - 1; p - past[j] < widest; j -= 4) {
#pragma GCC unroll 4
        for (int u = 0; u < 4; ++u) f(j - u, p - past[j - u]);
      }
    } else {
      for (int64_t j = rank + 1; past[j] - p < widest; ++j)
        if (!excluded(j)) f(j, past[j] - p);
      for (int64_t j = rank - 1; p - past[j] < widest; --j)
        if (!excluded(j)) f(j, p - past[j]);
    }
  }
  static double widest_of(V v) {
    double lanes[W];
    Vec::store(lanes, v);
    double most = lanes[0];
    for (int l = 1; l < W; ++l) most = lanes[l] > most ? lanes[l] : most;
    return most;
  }

  // The least kMaxK of all offered, ascending; with k < kMaxK the first places hold -1, which no distance displaces.
  struct Least {
    V b[kMaxK];
    explicit Least(int32_t k) {
      for (int m = 0; m < kMaxK; ++m) b[m] = Vec::set(m < kMaxK - k ? -1.0 : __builtin_inf());
    }
    void insert(V d) {
#pragma GCC unroll 8
      for (int m = kMaxK - 1; m > 0; --m) b[m] = Vec::min(b[m], Vec::max(b[m - 1], d));
      b[0] = Vec::min(b[0], d);
    }
    V kth() const { return b[kMaxK - 1]; }
  };

  void add() const {
    const double* distances = s.list_distances + rank * s.cap;
    const uint32_t* ranks = s.list_ranks + rank * s.cap;
    Least least(s.k);
    int32_t walked = 0;
    do {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) least.insert(joined(distances[walked + u], ranks[walked + u]));
      walked += 4;
    } while (walked < s.cap && !Vec::all_less_equal(least.kth(), Vec::set(distances[walked - 1])));
    V eps = least.kth();
    Count near_future = Vec::zero_count();
    if (Vec::all_less_equal(eps, Vec::set(s.limits[rank]))) {
      for (int32_t m = 0; m < walked; ++m) near_future = Vec::add_less(near_future, Vec::set(distances[m]), eps);
    } else {
      // Some k-th lies beyond the list: go on with what is not in it. What was found bounds the window.
      const double limit = s.limits[rank];
      window(widest_of(eps), [&](int64_t j, double first) __attribute__((always_inline)) {
        const double d = target_distance(first, j);
        if (d >= limit) least.insert(joined(d, j));
      });
      eps = least.kth();
      window(widest_of(eps), [&](int64_t j, double first) __attribute__((always_inline)) {
        near_future = Vec::add_less(near_future, Vec::set(target_distance(first, j)), eps);
      });
    }
    int64_t p[W], sp[W], fp[W];
    Vec::store_count(fp, near_future);
    if (kSimple && s.past_lookup) counts_by_ranks(eps, p, sp);
    else counts_by_distances(eps, p, sp);
    for (int l = 0; l < W; ++l) s.sums[l] += s.psi[p[l] + 1] - s.psi[sp[l] + 1] - s.psi[fp[l] + 1];
  }

 private:
  void counts_by_distances(V eps, int64_t (&p)[W], int64_t (&sp)[W]) const {
    Count near_past = Vec::zero_count(), near_both = Vec::zero_count();
    window(widest_of(eps), [&](int64_t j, double first) __attribute__((always_inline)) {
      const double d = past_distance(first, j);
      near_past = Vec::add_less(near_past, Vec::set(d), eps);
      near_both = Vec::add_less(near_both, joined(d, j), eps);
    });
    Vec::store_count(p, near_past);
    Vec::store_count(sp, near_both);
  }

  // |P| < eps and |S| < eps are ranges of ranks; the tuples of the first whose rank lies in the second are counted many at a time.
  void counts_by_ranks(V eps, int64_t (&p)[W], int64_t (&sp)[W]) const {
    double radii[W], values[W];
    Vec::store(radii, eps);
    Vec::store(values, own);
    for (int l = 0; l < W; ++l) {
      p[l] = sp[l] = 0;
      if (!(radii[l] > 0)) continue;
      int64_t low, high, s_low, s_high;
      range(*s.past_lookup, s.past[rank], radii[l], low, high);
      range(*s.source_lookups[l], values[l], radii[l], s_low, s_high);
      p[l] = high - low - 1;
      sp[l] = Vec::count_within(s.source_ranks + l * s.rank_pitch, low, high, static_cast<uint16_t>(s_low),
                                static_cast<uint16_t>(s_high - s_low - 1)) - 1;  // without the tuple itself
    }
  }

  // Ranks [begin, end) of the values nearer to x than eps, by the strict comparison of rounded differences.
  __attribute__((always_inline)) void range(const RankLookup<double>& l, double x, double eps, int64_t& begin, int64_t& end) const {
    const double* sorted = l.sorted;
    const int32_t low_cell = l.cell(x - eps), high_cell = l.cell(x + eps);
    begin = l.first[low_cell], end = l.first[high_cell];
    if (l.crowded(low_cell) || l.crowded(high_cell)) {
      begin = bisect([&](double v) { return !(x - v < eps); }, sorted);
      end = bisect([&](double v) { return v - x < eps; }, sorted);
      return;
    }
    // Places in a cell that come before the end looked for, a vector at a time.
    const V at = Vec::set(x), limit = Vec::set(eps);
    int passed;
    do begin += passed = W - __builtin_popcount(Vec::less_mask(Vec::sub(at, Vec::load(sorted + begin)), limit));
    while (passed == W);
    do end += passed = __builtin_popcount(Vec::less_mask(Vec::sub(Vec::load(sorted + end), at), limit));
    while (passed == W);
    // x -+ eps was rounded, so the cell may begin a place too late.
    while (begin > 0 && x - sorted[begin - 1] < eps) --begin;
    while (end > 0 && !(sorted[end - 1] - x < eps)) --end;
  }
  // How many of the ascending values come first, as `first` says.
  template <class F>
  int64_t bisect(F&& first, const double* sorted) const {
    int64_t low = 0, high = s.n;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (first(sorted[middle])) low = middle + 1; else high = middle;
    }
    return low;
  }
};

template <class Vec, int kMaxK>
void scan_rows(const PairsScan& s, int64_t begin, int64_t end) {
  if (s.past_dims == 1 && s.source_dims == 1) {
    for (int64_t r = begin; r < end; ++r) PairsRow<Vec, kMaxK, true>(s, r).add();
  } else {
    for (int64_t r = begin; r < end; ++r) PairsRow<Vec, kMaxK, false>(s, r).add();
  }
}

template <class Vec>
void scan_pairs(const PairsScan& s, int64_t begin, int64_t end) {
  if (s.k <= 4) scan_rows<Vec, 4>(s, begin, end);
  else if (s.k <= 8) scan_rows<Vec, 8>(s, begin, end);
  else if (s.k <= 16) scan_rows<Vec, 16>(s, begin, end);
  else scan_rows<Vec, kPairsCpuMaxK>(s, begin, end);
}

}  // namespace
}  // namespace xcore::te
