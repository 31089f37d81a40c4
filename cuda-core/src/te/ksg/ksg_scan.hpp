// The window scan of KsgCpu, written once over a vector type and compiled per instruction set (ksg_cpu.cpp,
// ksg_avx2.cpp, ksg_avx512.cpp). Everything here has internal linkage or a type parameter of its file, so that no
// instruction of a wider set can be merged into a narrower file.
#pragma once

#include <cstdint>

#include "te/ksg/ksg.hpp"

namespace xcore::te {

// Columns in order of rank; column 0 of P is sorted ascending.
struct KsgScan {
  int64_t n;
  const double* past;    // past_dims columns
  const double* future;  // future_dims columns
  const double* source;  // source_dims columns
  const int32_t* order;  // rank -> tuple
  const int32_t* rank_of;
  int32_t past_dims, future_dims, source_dims, k, theiler;
  double* best;  // k values of scratch
};

// Counts of the tuples at ranks [begin, end), written to out[order[rank]].
using KsgScanFunction = void (*)(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out);
void ksg_scan_portable(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out);
#if defined(__x86_64__)
void ksg_scan_avx2(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out);
void ksg_scan_avx512(const KsgScan& scan, int64_t begin, int64_t end, KsgCounts* out);
#endif

namespace {

inline double abs_of(double x) { return __builtin_fabs(x); }
inline double larger(double a, double b) { return a > b ? a : b; }

// Vec: width, type, load(p), set(x), absdiff(a, b), max(a, b), less(a, b) -> bit mask, store(p, a).
// Simple: one column each, known at compile time.
template <class Vec, bool Simple>
struct Scanner {
  using V = typename Vec::type;
  static constexpr int W = Vec::width;
  const KsgScan& s;
  int64_t rank;
  double kth;
  int32_t tuple;

  int32_t past_dims() const { return Simple ? 1 : s.past_dims; }
  int32_t future_dims() const { return Simple ? 1 : s.future_dims; }
  int32_t source_dims() const { return Simple ? 1 : s.source_dims; }

  V block(const double* columns, int32_t dims, int64_t j) const {
    V d = Vec::absdiff(Vec::load(columns + j), Vec::set(columns[rank]));
    for (int32_t c = 1; c < dims; ++c)
      d = Vec::max(d, Vec::absdiff(Vec::load(columns + c * s.n + j), Vec::set(columns[c * s.n + rank])));
    return d;
  }
  double one(const double* columns, int32_t dims, int64_t j) const {
    double d = 0;
    for (int32_t c = 0; c < dims; ++c) d = larger(d, abs_of(columns[c * s.n + j] - columns[c * s.n + rank]));
    return d;
  }

  void offer(double d, int64_t j) {
    if (!(d < kth)) return;
    const int32_t apart = s.order[j] - tuple;
    if ((apart < 0 ? -apart : apart) <= s.theiler) return;
    int32_t at = s.k - 1;
    for (; at > 0 && s.best[at - 1] > d; --at) s.best[at] = s.best[at - 1];
    s.best[at] = d;
    kth = s.best[s.k - 1];
  }
  void visit_one(int64_t j) {
    offer(larger(one(s.past, past_dims(), j),
                 larger(one(s.source, source_dims(), j), one(s.future, future_dims(), j))), j);
  }
  void visit_block(int64_t j) {
    const V d = Vec::max(block(s.past, past_dims(), j),
                         Vec::max(block(s.source, source_dims(), j), block(s.future, future_dims(), j)));
    uint32_t mask = Vec::less(d, Vec::set(kth));
    if (!mask) return;
    double lanes[W];
    Vec::store(lanes, d);
    for (; mask; mask &= mask - 1) {
      const int lane = __builtin_ctz(mask);
      offer(lanes[lane], j + lane);
    }
  }
  double gap(int64_t j) const { return abs_of(s.past[j] - s.past[rank]); }

  KsgCounts count() {
    tuple = s.order[rank];
    kth = __builtin_inf();
    for (int32_t i = 0; i < s.k; ++i) s.best[i] = kth;
    // Outwards on both sides until the sorted column alone is too far.
    int64_t low = rank, high = rank;  // [low, high) was visited
    bool left = low > 0, right = true;
    while (left || right) {
      if (right) {
        if (high + W <= s.n) {
          visit_block(high);
          high += W;
        } else {
          while (high < s.n) visit_one(high++);
        }
        right = high < s.n && gap(high) < kth;
      }
      if (left) {
        if (low >= W) {
          low -= W;
          visit_block(low);
        } else {
          while (low > 0) visit_one(--low);
        }
      }
      left = low > 0 && gap(low - 1) < kth;
    }
    return within(low, high);
  }

  // The window |P column 0| < eps lies in [low, high); its ends by bisection, since the gap is monotone on each side.
  KsgCounts within(int64_t low, int64_t high) {
    KsgCounts c{0, 0, 0};
    const double eps = kth;
    if (!(eps > 0)) return c;  // nothing is nearer than a distance of 0
    int64_t a = low, b = rank;
    while (a < b) {
      const int64_t m = a + (b - a) / 2;
      if (gap(m) < eps) b = m; else a = m + 1;
    }
    const int64_t begin = a;
    a = rank + 1, b = high;
    while (a < b) {
      const int64_t m = a + (b - a) / 2;
      if (gap(m) < eps) a = m + 1; else b = m;
    }
    const int64_t end = a;
    const V limit = Vec::set(eps);
    int64_t j = begin;
    if (past_dims() == 1) {
      c.past = static_cast<int32_t>(end - begin);
      for (; j + W <= end; j += W) {
        c.source_past += __builtin_popcount(Vec::less(block(s.source, source_dims(), j), limit));
        c.future_past += __builtin_popcount(Vec::less(block(s.future, future_dims(), j), limit));
      }
      for (; j < end; ++j) {
        c.source_past += one(s.source, source_dims(), j) < eps;
        c.future_past += one(s.future, future_dims(), j) < eps;
      }
    } else {
      for (; j + W <= end; j += W) {
        const uint32_t near = Vec::less(block(s.past, past_dims(), j), limit);
        if (!near) continue;
        c.past += __builtin_popcount(near);
        c.source_past += __builtin_popcount(near & Vec::less(block(s.source, source_dims(), j), limit));
        c.future_past += __builtin_popcount(near & Vec::less(block(s.future, future_dims(), j), limit));
      }
      for (; j < end; ++j) {
        if (!(one(s.past, past_dims(), j) < eps)) continue;
        ++c.past;
        c.source_past += one(s.source, source_dims(), j) < eps;
        c.future_past += one(s.future, future_dims(), j) < eps;
      }
    }
    discount(c, eps);
    return c;
  }

  // Takes the tuple itself and its Theiler window out of the counts again.
  void discount(KsgCounts& c, double eps) const {
    const int64_t first = larger_of(0, static_cast<int64_t>(tuple) - s.theiler);
    const int64_t last = static_cast<int64_t>(tuple) + s.theiler;
    for (int64_t t = first; t <= last && t < s.n; ++t) {
      const int64_t j = s.rank_of[t];
      if (!(one(s.past, past_dims(), j) < eps)) continue;
      --c.past;
      c.source_past -= one(s.source, source_dims(), j) < eps;
      c.future_past -= one(s.future, future_dims(), j) < eps;
    }
  }
  static int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }
};

template <class Vec, bool Simple>
void scan_ranks(const KsgScan& s, int64_t begin, int64_t end, KsgCounts* out) {
  for (int64_t rank = begin; rank < end; ++rank) {
    Scanner<Vec, Simple> scanner{s, rank, 0, 0};
    out[s.order[rank]] = scanner.count();
  }
}

template <class Vec>
void scan_any(const KsgScan& s, int64_t begin, int64_t end, KsgCounts* out) {
  if (s.past_dims == 1 && s.future_dims == 1 && s.source_dims == 1) scan_ranks<Vec, true>(s, begin, end, out);
  else scan_ranks<Vec, false>(s, begin, end, out);
}

}  // namespace
}  // namespace xcore::te
