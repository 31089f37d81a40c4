#include "te/ksg/ranked_column.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xcore::te {
namespace {

struct Keyed {
  uint32_t key;
  int32_t row;
};

// One stable pass by the digit at `shift`.
void pass(const Scratch<Keyed>& from, Scratch<Keyed>& to, uint32_t* place, int shift, uint32_t mask) {
  uint32_t total = 0;
  for (uint32_t d = 0; d <= mask; ++d) {
    const uint32_t count = place[d];
    place[d] = total;
    total += count;
  }
  for (const Keyed& e : from) to[place[e.key >> shift & mask]++] = e;
}

// Wide digits pay when there are more values than digits.
template <int Bits, int Passes>
void radix_sort(Scratch<Keyed>& keys) {
  constexpr uint32_t kMask = (1u << Bits) - 1;
  Scratch<uint32_t> places(static_cast<size_t>(Passes) << Bits, 0);
  for (const Keyed& e : keys)
    for (int p = 0; p < Passes; ++p) ++places[(static_cast<size_t>(p) << Bits) + (e.key >> p * Bits & kMask)];
  Scratch<Keyed> other(keys.size());
  for (int p = 0; p < Passes; ++p) {
    pass(keys, other, places.data() + (static_cast<size_t>(p) << Bits), p * Bits, kMask);
    keys.swap(other);
  }
}

}  // namespace

template <class T>
void rank_column(const T* values, int64_t n, RankedColumn<T>& out) {
  out.sorted.resize(n);
  out.order.resize(n);
  out.rank.resize(n);
  if (n == 0) return;
  const auto before = [values](int32_t a, int32_t b) { return values[a] < values[b] || (values[a] == values[b] && a < b); };
  T low = values[0], high = values[0];
  for (int64_t i = 1; i < n; ++i) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
  }
  // The fraction is rounded monotonously, so it can only merge neighbours, never swap them.
  const double scale = 4294967295.0 / (static_cast<double>(high) - static_cast<double>(low));
  if (!(scale > 0) || !std::isfinite(scale)) {  // all equal, or a range that overflows
    std::iota(out.order.begin(), out.order.end(), 0);
    if (low < high) std::sort(out.order.begin(), out.order.end(), before);
  } else {
    Scratch<Keyed> keys(n);
    for (int64_t i = 0; i < n; ++i) {
      const double at = (static_cast<double>(values[i]) - static_cast<double>(low)) * scale;
      keys[i] = {static_cast<uint32_t>(static_cast<int64_t>(std::min(at, 4294967295.0))), static_cast<int32_t>(i)};
    }
    if (n < 3000) radix_sort<8, 4>(keys);
    else radix_sort<11, 3>(keys);
    for (int64_t r = 0; r < n; ++r) out.order[r] = keys[r].row;
    for (int64_t begin = 0; begin + 1 < n;) {
      int64_t end = begin + 1;
      while (end < n && keys[end].key == keys[begin].key) ++end;
      if (end - begin > 1) std::sort(out.order.begin() + begin, out.order.begin() + end, before);
      begin = end;
    }
  }
  for (int64_t r = 0; r < n; ++r) {
    out.rank[out.order[r]] = static_cast<int32_t>(r);
    out.sorted[r] = values[out.order[r]];
  }
}

template <class T>
RankLookup<T> make_lookup(const RankedColumn<T>& column, Scratch<int32_t>& first) {
  const int64_t n = static_cast<int64_t>(column.sorted.size());
  RankLookup<T> out;
  out.sorted = column.sorted.data();
  out.cells = static_cast<int32_t>(std::clamp<int64_t>(2 * n, 1, int64_t{1} << 30));
  out.low = column.sorted.front();
  const double scale = out.cells / (static_cast<double>(column.sorted.back()) - out.low);
  out.scale = scale > 0 && std::isfinite(scale) ? scale : 0;
  first.assign(static_cast<size_t>(out.cells) + 1, 0);
  for (int64_t r = 0; r < n; ++r) ++first[out.cell(column.sorted[r]) + 1];
  for (int32_t c = 0; c < out.cells; ++c) first[c + 1] += first[c];
  out.first = first.data();
  return out;
}

template void rank_column<double>(const double*, int64_t, RankedColumn<double>&);
template void rank_column<float>(const float*, int64_t, RankedColumn<float>&);
template RankLookup<double> make_lookup<double>(const RankedColumn<double>&, Scratch<int32_t>&);
template RankLookup<float> make_lookup<float>(const RankedColumn<float>&, Scratch<int32_t>&);

}  // namespace xcore::te
