// The lists of ksg_pairs_cpu, written once over a vector type like the scan that reads them (ksg_pairs_scan.hpp): for each
// tuple the nearest ones of its target by D_Y, ascending.
#pragma once

#include <cstdint>

namespace xcore::te {

// Rows are ranks in the order of P's first column. `past` and `future` may be read kPairsWidestVector values before and behind
// their ends; the first column of `past` is infinite there.
struct PairsLists {
  int64_t n;
  int32_t theiler, past_dims, cap;
  int64_t past_pitch;       // between the columns of `past`
  const double* past;
  const double* future;
  const uint32_t* order;    // rank -> tuple
  double* distances;        // [n][cap], padded with infinity
  uint32_t* ranks;          // [n][cap]
  double* limits;           // [n]: the list holds every tuple with D_Y below
  double* found_distances;  // scratch of cap + 2 * kPairsWidestVector
  uint32_t* found_ranks;    // likewise
};

using PairsListsFunction = void (*)(const PairsLists& lists, int64_t begin, int64_t end);
void pairs_lists_portable(const PairsLists& lists, int64_t begin, int64_t end);
#if defined(__x86_64__)
void pairs_lists_avx2(const PairsLists& lists, int64_t begin, int64_t end);
void pairs_lists_avx512(const PairsLists& lists, int64_t begin, int64_t end);
#endif

namespace {

// Vec, beside what the scan needs: less_mask(a, b), append(to, ranks, mask, values, first rank).
template <class Vec>
struct ListRow {
  using V = typename Vec::type;
  static constexpr int W = Vec::width;
  const PairsLists& s;
  int64_t rank;

  // Scratch gets the tuples with D_Y < radius; stops soon after more than `cap` were found. Returns their number.
  int32_t collect(double radius) const {
    const V r = Vec::set(radius), p = Vec::set(s.past[rank]), f = Vec::set(s.future[rank]), zero = Vec::set(0);
    int32_t count = 0;
    const auto offer = [&](int64_t j, uint32_t allowed) __attribute__((always_inline)) {
      V d = Vec::far(Vec::far(zero, Vec::sub(Vec::load(s.past + j), p)), Vec::sub(Vec::load(s.future + j), f));
      for (int32_t h = 1; h < s.past_dims; ++h) {
        const double* column = s.past + h * s.past_pitch;
        d = Vec::far(d, Vec::sub(Vec::load(column + j), Vec::set(column[rank])));
      }
      const uint32_t mask = Vec::less_mask(d, r) & allowed;
      if (s.theiler == 0) {
        Vec::append(s.found_distances + count, s.found_ranks + count, mask, d, static_cast<uint32_t>(j));
        count += __builtin_popcount(mask);
      } else {
        double lanes[W];
        Vec::store(lanes, d);
        for (uint32_t m = mask; m; m &= m - 1) {
          const int lane = __builtin_ctz(m);
          const int64_t apart = static_cast<int64_t>(s.order[j + lane]) - static_cast<int64_t>(s.order[rank]);
          s.found_distances[count] = lanes[lane];
          s.found_ranks[count] = static_cast<uint32_t>(j + lane);
          count += (apart < 0 ? -apart : apart) > s.theiler;
        }
      }
    };
    constexpr uint32_t kAll = (1u << W) - 1;
    const double mine = s.past[rank];
    for (int64_t j = rank + 1; j < s.n && count <= s.cap && s.past[j] - mine < radius; j += W)
      offer(j, j + W <= s.n ? kAll : kAll >> (j + W - s.n));
    for (int64_t j = rank - 1; j >= 0 && count <= s.cap && mine - s.past[j] < radius; j -= W)
      offer(j - W + 1, j - W + 1 >= 0 ? kAll : kAll << (W - 1 - j) & kAll);
    return count;
  }

  // D_Y squared is about uniform over a list, so that buckets of it are about single places; insertion sort does the rest.
  void write(int32_t count) const {
    constexpr int32_t kBuckets = 256;
    double* distances = s.distances + rank * s.cap;
    uint32_t* ranks = s.ranks + rank * s.cap;
    double most = 0;
    for (int32_t m = 0; m < count; ++m) most = s.found_distances[m] > most ? s.found_distances[m] : most;
    const double scale = most > 0 ? (kBuckets - 1) / most / most : 0;
    const auto bucket = [&](double d) {
      const double b = d * d * scale;
      return b < kBuckets - 1 ? static_cast<int32_t>(b) : kBuckets - 1;  // also for what overflows or is no number
    };
    uint16_t starts[kBuckets + 1] = {};
    for (int32_t m = 0; m < count; ++m) ++starts[bucket(s.found_distances[m]) + 1];
    for (int32_t b = 0; b < kBuckets; ++b) starts[b + 1] = static_cast<uint16_t>(starts[b + 1] + starts[b]);
    for (int32_t m = 0; m < count; ++m) {
      const int32_t at = starts[bucket(s.found_distances[m])]++;
      distances[at] = s.found_distances[m], ranks[at] = s.found_ranks[m];
    }
    for (int32_t m = 1; m < count; ++m) {
      const double d = distances[m];
      if (!(d < distances[m - 1])) continue;
      const uint32_t r = ranks[m];
      int32_t at = m;
      for (; at > 0 && d < distances[at - 1]; --at) distances[at] = distances[at - 1], ranks[at] = ranks[at - 1];
      distances[at] = d, ranks[at] = r;
    }
    for (int32_t m = count; m < s.cap; ++m) distances[m] = __builtin_inf(), ranks[m] = static_cast<uint32_t>(rank);
  }
};

template <class Vec>
void fill_lists(const PairsLists& s, int64_t begin, int64_t end) {
  const double inf = __builtin_inf();
  const int64_t available = s.n - 1 - 2 * static_cast<int64_t>(s.theiler);
  const double aim = s.cap * 0.875;
  const int64_t least = available / 2 < s.cap * 3 / 4 ? (available > 0 ? available / 2 : 0) : s.cap * 3 / 4;
  double radius = 0;
  for (int64_t rank = begin; rank < end; ++rank) {
    const ListRow<Vec> row{s, rank};
    if (s.n - 1 <= s.cap) {
      row.write(row.collect(inf));
      s.limits[rank] = inf;
      continue;
    }
    // The radius of the row before is the guess; then bracket and interpolate, since counts grow with its square.
    if (!(radius > 0)) {
      const int64_t right = rank + s.cap / 2 < s.n ? rank + s.cap / 2 : s.n - 1, left = rank > s.cap / 2 ? rank - s.cap / 2 : 0;
      radius = s.past[right] - s.past[left];
      if (!(radius > 0)) radius = 1e-3;
    }
    double low = 0, high = inf;
    int32_t count = 0;
    bool fits = false;
    for (int attempt = 0; attempt < 32; ++attempt) {
      count = row.collect(radius);
      fits = count >= least && count <= s.cap;
      if (fits) break;
      (count > s.cap ? high : low) = radius;
      double next = radius * __builtin_sqrt(aim / (count > 1 ? count : 1));
      if (high == inf) {
        next = next < radius * 1.05 ? radius * 1.05 : next > radius * 3 ? radius * 3 : next;
      } else {
        const double margin = (high - low) * 0.1;
        next = next < low + margin ? low + margin : next > high - margin ? high - margin : next;
      }
      if (!(next > low && next < high)) break;  // nothing in between: exact ties
      radius = next;
    }
    s.limits[rank] = fits ? radius : low;
    if (!fits) count = row.collect(low), radius = 0;
    row.write(count);
  }
}

}  // namespace
}  // namespace xcore::te
