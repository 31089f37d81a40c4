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
  const double* source_cells;     // [3][width]: low, scale and the last cell of those lookups
  const double* source_columns;   // [width] columns in the order of rows, past_pitch apart
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

// Vec: width, type, Count, load, set, store, sub, mul, min, max, truncate(to, v): to int32_t, far(a, b) = max(a, |b|) for a >= 0, zero_count,
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
    int64_t p[W], sp[W], fp[W];
    const V limit = Vec::set(s.limits[rank]);
    const bool within_list = Vec::all_less_equal(eps, limit), by_ranks = kSimple && s.past_lookup;
    Count near_future = Vec::zero_count();
    if (within_list || by_ranks) {
      for (int32_t m = 0; m < walked; ++m) near_future = Vec::add_less(near_future, Vec::set(distances[m]), eps);
    } else {
      // Some k-th lies beyond the list: go on with what is not in it. What was found bounds the window.
      window(widest_of(eps), [&](int64_t j, double first) __attribute__((always_inline)) {
        const double d = target_distance(first, j);
        if (d >= s.limits[rank]) least.insert(joined(d, j));
      });
      eps = least.kth();
      window(widest_of(eps), [&](int64_t j, double first) __attribute__((always_inline)) {
        near_future = Vec::add_less(near_future, Vec::set(target_distance(first, j)), eps);
      });
    }
    Vec::store_count(fp, near_future);
    if (by_ranks) {
      const uint32_t beyond = within_list ? 0 : Vec::less_mask(limit, eps);
      if (beyond) eps = kth_beyond_list(least, beyond);
      counts_by_ranks(eps, beyond, p, sp, fp);
    } else {
      counts_by_distances(eps, p, sp);
    }
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

  // The k-th distances, where that of the sources in `beyond` lies behind the list: one source at a time goes through its window
  // of P, over what is not in the list.
  V kth_beyond_list(const Least& least, uint32_t beyond) const {
    double best[kMaxK][W];
    for (int m = 0; m < kMaxK; ++m) Vec::store(best[m], least.b[m]);
    const V zero = Vec::set(0), p = Vec::set(s.past[rank]), f = Vec::set(s.future[rank]), limit = Vec::set(s.limits[rank]);
    for (; beyond; beyond &= beyond - 1) {
      const int l = __builtin_ctz(beyond);
      const double* column = s.source_columns + l * s.past_pitch;
      const V own_source = Vec::set(column[rank]);
      const auto offer = [&](int64_t j) {
        const V d = Vec::far(Vec::far(zero, Vec::sub(Vec::load(s.past + j), p)), Vec::sub(Vec::load(s.future + j), f));
        const V joint = Vec::far(d, Vec::sub(Vec::load(column + j), own_source));
        uint32_t near = Vec::less_mask(joint, Vec::set(best[kMaxK - 1][l])) & ~Vec::less_mask(d, limit);
        if (!near) return;
        double lanes[W];
        Vec::store(lanes, joint);
        for (; near; near &= near - 1) {
          const double x = lanes[__builtin_ctz(near)];
          if (!(x < best[kMaxK - 1][l])) continue;
          int m = kMaxK - 1;
          for (; m > 0 && best[m - 1][l] > x; --m) best[m][l] = best[m - 1][l];
          best[m][l] = x;
        }
      };
      for (int64_t j = rank + 1; s.past[j] - s.past[rank] < best[kMaxK - 1][l]; j += W) offer(j);
      for (int64_t j = rank - W; s.past[rank] - s.past[j + W - 1] < best[kMaxK - 1][l]; j -= W) offer(j);
    }
    return Vec::load(best[kMaxK - 1]);
  }
  // How many others of the ranks [begin, end) have |F| < eps.
  int64_t future_within(int64_t begin, int64_t end, double eps) const {
    const V zero = Vec::set(0), f = Vec::set(s.future[rank]), limit = Vec::set(eps);
    int64_t count = -1;
    for (int64_t j = begin; j < end; j += W) {
      const uint32_t lanes = end - j >= W ? (1u << W) - 1 : (1u << (end - j)) - 1;
      count += __builtin_popcount(Vec::less_mask(Vec::far(zero, Vec::sub(Vec::load(s.future + j), f)), limit) & lanes);
    }
    return count;
  }

  // |P| < eps and |S| < eps are ranges of ranks; the tuples of the first whose rank lies in the second are counted many at a time.
  // n_FP is counted here for the sources in `beyond`.
  void counts_by_ranks(V eps, uint32_t beyond, int64_t (&p)[W], int64_t (&sp)[W], int64_t (&fp)[W]) const {
    const V x = Vec::set(s.past[rank]);
    const RankLookup<double>& past = *s.past_lookup;
    const V low = Vec::set(past.low), scale = Vec::set(past.scale), last = Vec::set(past.cells - 1);
    int32_t p_low[W], p_high[W], s_low[W], s_high[W];
    cells(x, eps, low, scale, last, p_low, p_high);
    cells(own, eps, Vec::load(s.source_cells), Vec::load(s.source_cells + W), Vec::load(s.source_cells + 2 * W), s_low, s_high);
    double radii[W], values[W];
    Vec::store(radii, eps);
    Vec::store(values, own);
    for (int l = 0; l < W; ++l) {
      p[l] = sp[l] = 0;
      if (!(radii[l] > 0)) continue;
      const RankLookup<double>& source = *s.source_lookups[l];
      const int64_t begin = first_near(past, p_low[l], s.past[rank], radii[l]), end = first_beyond(past, p_high[l], s.past[rank], radii[l]);
      const int64_t first = first_near(source, s_low[l], values[l], radii[l]), behind = first_beyond(source, s_high[l], values[l], radii[l]);
      p[l] = end - begin - 1;
      sp[l] = Vec::count_within(s.source_ranks + l * s.rank_pitch, begin, end, static_cast<uint16_t>(first),
                                static_cast<uint16_t>(behind - first - 1)) - 1;  // without the tuple itself
      if (beyond >> l & 1) fp[l] = future_within(begin, end, radii[l]);
    }
  }

  // Cells at or a little before those of x - eps and x + eps.
  static void cells(V x, V eps, V low, V scale, V last, int32_t (&near)[W], int32_t (&beyond)[W]) {
    const V zero = Vec::set(0), slack = Vec::mul(Vec::far(eps, x), Vec::set(0x1p-50));  // more than rounding can move an end
    const auto cell = [&](V end, int32_t* to) { Vec::truncate(to, Vec::min(Vec::max(Vec::mul(Vec::sub(end, low), scale), zero), last)); };
    cell(Vec::sub(Vec::sub(x, eps), slack), near);
    cell(Vec::sub(Vec::sub(eps, slack), Vec::sub(zero, x)), beyond);
  }

  // The first rank of a value nearer to x than eps, by the strict comparison of rounded differences; it lies in `cell` or behind.
  __attribute__((always_inline)) int64_t first_near(const RankLookup<double>& l, int32_t cell, double x, double eps) const {
    const V at = Vec::set(x), limit = Vec::set(eps);
    int64_t begin = l.first[cell];
    for (int vectors = 0; vectors < kCrowded; ++vectors) {
      const int outside = W - __builtin_popcount(Vec::less_mask(Vec::sub(at, Vec::load(l.sorted + begin)), limit));
      begin += outside;
      if (outside < W) return begin;
    }
    return bisect([&](double v) { return !(x - v < eps); }, l.sorted, begin);
  }
  // The first rank behind those.
  __attribute__((always_inline)) int64_t first_beyond(const RankLookup<double>& l, int32_t cell, double x, double eps) const {
    const V at = Vec::set(x), limit = Vec::set(eps);
    int64_t end = l.first[cell];
    for (int vectors = 0; vectors < kCrowded; ++vectors) {
      const int inside = __builtin_popcount(Vec::less_mask(Vec::sub(Vec::load(l.sorted + end), at), limit));
      end += inside;
      if (inside < W) return end;
    }
    return bisect([&](double v) { return v - x < eps; }, l.sorted, end);
  }
  static constexpr int kCrowded = 4;  // vectors of values in a cell before bisection is the better way
  // How many of the ascending values come first, as `first` says; at least `low`.
  template <class F>
  int64_t bisect(F&& first, const double* sorted, int64_t low) const {
    int64_t high = s.n;
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
