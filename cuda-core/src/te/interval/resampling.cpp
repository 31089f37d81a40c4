#include "te/interval/resampling.hpp"

#include <algorithm>

#include "runtime/thread_pool.hpp"
#include "te/surrogates/permutation.hpp"
#include "te/surrogates/surrogates.hpp"

namespace xcore::te {
namespace {

constexpr int64_t kBlocks = 32;
constexpr uint64_t kHalfStream = uint64_t{1} << 43;
constexpr uint64_t kMovedStream = uint64_t{1} << 44;

int64_t blocks_of(int64_t n) { return std::min(kBlocks, n / 2); }

// The tuples whose block of time is kept.
Embedding selected(const Embedding& e, const std::vector<uint8_t>& kept) {
  std::vector<int32_t> rows;
  for (int64_t i = 0; i < e.n; ++i)
    if (kept[i * static_cast<int64_t>(kept.size()) / e.n]) rows.push_back(static_cast<int32_t>(i));
  Embedding out;
  out.n = static_cast<int64_t>(rows.size()), out.first = e.first;
  const auto take = [&](const Block& from, Block& to) {
    to.dims = from.dims;
    to.values.reserve(static_cast<size_t>(from.dims) * rows.size());
    for (int32_t c = 0; c < from.dims; ++c)
      for (const int32_t r : rows) to.values.push_back(from.values[c * e.n + r]);
  };
  take(e.future, out.future);
  take(e.past, out.past);
  take(e.source, out.source);
  for (const int32_t r : rows) out.time.push_back(e.time.empty() ? r : e.time[r]);
  return out;
}

}  // namespace

Halves::Halves(const Embedding& e, uint64_t seed, size_t many, const std::function<std::vector<double>(const Embedding&)>& values_of)
    : many_(many), values_(2 * kPairs * many) {
  const int64_t blocks = blocks_of(e.n);
  thread_pool().parallel_for(2 * kPairs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h) {
      std::vector<int32_t> order(blocks);
      permutation(seed, kHalfStream + static_cast<uint64_t>(h / 2), blocks, order.data());
      std::vector<uint8_t> kept(blocks);
      for (int64_t b = 0; b < blocks; ++b) kept[order[b]] = (b < blocks / 2) == (h % 2 == 0);
      const std::vector<double> part = values_of(selected(e, kept));
      std::copy(part.begin(), part.end(), values_.begin() + h * static_cast<int64_t>(many));
    }
  });
}

double Halves::variance(const std::vector<double>& weights) const {
  double sum = 0;
  for (int pair = 0; pair < kPairs; ++pair) {
    double difference = 0;
    for (size_t i = 0; i < many_; ++i) difference += weights[i] * (values_[2 * pair * many_ + i] - values_[(2 * pair + 1) * many_ + i]);
    sum += difference * difference / 4;
  }
  return sum / kPairs;
}

double Halves::mean(size_t i) const {
  double sum = 0;
  for (int h = 0; h < 2 * kPairs; ++h) sum += values_[h * many_ + i];
  return sum / (2 * kPairs);
}

int64_t Halves::tuples(int64_t n) { return n / 2 - n / std::max<int64_t>(1, blocks_of(n)); }

std::vector<int32_t> moved_rows(const xc_te_options& o, int64_t n, int index) {
  xc_te_options moved = o;
  moved.surrogate_method = XC_TE_SHIFT;
  // Shorter ways round would leave some of the link in place.
  moved.theiler = static_cast<int32_t>(std::max<int64_t>(o.theiler, n / 20));
  std::vector<int32_t> rows(n);
  surrogate_rows(moved, kMovedStream + static_cast<uint64_t>(index), n, rows.data());
  return rows;
}

}  // namespace xcore::te
