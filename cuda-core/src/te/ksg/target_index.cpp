#include "te/ksg/target_index.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "runtime/cpu_features.hpp"
#include "runtime/thread_pool.hpp"
#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

const KsgScanFunctions& scan_functions() {
#if defined(__x86_64__)
  if (cpu_features().level >= CpuLevel::avx512) return ksg_scan_avx512();
  if (cpu_features().level >= CpuLevel::avx2) return ksg_scan_avx2();
#endif
  return ksg_scan_portable();
}

template <class T, class R>
KsgScanFunction<T, R> scan_function(const KsgScanFunctions& f) {
  if constexpr (std::is_same_v<T, double> && std::is_same_v<R, uint16_t>) return f.double16;
  else if constexpr (std::is_same_v<T, double>) return f.double32;
  else if constexpr (std::is_same_v<R, uint16_t>) return f.float16;
  else return f.float32;
}

template <class T>
Scratch<T> converted(const double* column, int64_t n) {
  return Scratch<T>(column, column + n);
}

// The column whose ranges will be narrowest in ranks: the widest one.
int32_t widest_column(const double* columns, int32_t dims, int64_t n) {
  int32_t widest = 0;
  double best = -1;
  for (int32_t c = 0; dims > 1 && c < dims; ++c) {
    const double* x = columns + c * n;
    const double mean = std::accumulate(x, x + n, 0.0) / static_cast<double>(n);
    const double spread = std::accumulate(x, x + n, 0.0, [mean](double sum, double v) { return sum + std::fabs(v - mean); });
    if (spread > best) best = spread, widest = c;
  }
  return widest;
}

constexpr int64_t kMost16 = 65535;
// Tuples of one chunk of work: a few 10 microseconds at least, less than any 50 ms.
constexpr int64_t kGrain = 128;

int64_t padded(int64_t n) { return (n + kScanPadding + 15) / 16 * 16; }

}  // namespace

template <class T>
SourceIndex<T>::SourceIndex(const double* columns, int32_t dims, int64_t n)
    : n_(n), dims_(dims), values_(columns, columns + dims * n), ranked_(dims), cells_(dims) {
  for (int32_t c = 0; c < dims; ++c) {
    rank_column(values(c), n, ranked_[c]);
    lookups_.push_back(make_lookup(ranked_[c], cells_[c]));
  }
}

template <class T>
TargetIndex<T>::TargetIndex(const KsgProblem& p) : n_(p.n), past_dims_(p.past_dims), future_dims_(p.future_dims) {
  // Columns in the order of `ranked_`.
  std::vector<const double*> columns;
  const auto append = [&](const double* from, int32_t dims, int32_t first) {
    for (int32_t c = 0; c < dims; ++c) columns.push_back(from + static_cast<int64_t>(c == 0 ? first : c == first ? 0 : c) * n_);
  };
  append(p.past, past_dims_, past_dims_ > 0 ? widest_column(p.past, past_dims_, n_) : 0);
  append(p.future, future_dims_, past_dims_ > 0 ? 0 : widest_column(p.future, future_dims_, n_));
  const int32_t dims = static_cast<int32_t>(columns.size());
  ranked_.resize(dims);
  cells_.resize(dims);
  std::vector<Scratch<T>> values(dims);
  for (int32_t c = 0; c < dims; ++c) {
    values[c] = converted<T>(columns[c], n_);
    rank_column(values[c].data(), n_, ranked_[c]);
    lookups_.push_back(make_lookup(ranked_[c], cells_[c]));
  }
  time_.resize(n_);
  if (p.time) std::copy_n(p.time, n_, time_.begin());
  else std::iota(time_.begin(), time_.end(), 0);

  // An axis range holds about n (k/n)^(1/d) ranks of d normal columns. Cells of a third of that or less read little in
  // vain and stay long enough for vectors.
  const int32_t axis_b = past_dims_ > 0 ? past_dims_ : future_dims_ > 1 ? 1 : -1;
  const double n = static_cast<double>(n_), side = n * std::pow(std::min(1.0, 4.0 / n), 1.0 / (dims + 1));
  const int32_t strip = std::clamp(static_cast<int32_t>(side / 3), 8, static_cast<int32_t>(std::max<int64_t>(8, n_)));
  lay_out(static_cast<int32_t>((n_ + strip - 1) / strip), axis_b < 0 ? 1 : static_cast<int32_t>(std::max(1.0, n / std::max(8.0, side / 8))));

  // Grid order: counting sort by strip of the order along axis B, stable, so that a strip ascends along B.
  const Scratch<int32_t>& along_a = ranked_[0].rank;
  const Scratch<int32_t>& b_order = ranked_[axis_b >= 0 ? axis_b : 0].order;
  const int64_t stride = padded(n_);
  tile_tuple_.assign(stride, 0);
  std::vector<int32_t> next(strips_);
  for (int32_t s = 0; s < strips_; ++s) next[s] = s * strip_size_;
  start_.resize(static_cast<size_t>(strips_) * (buckets_ + 1));
  std::vector<int32_t> filled(strips_, 0);  // buckets whose beginning is known
  for (int64_t r = 0; r < n_; ++r) {
    const int32_t tuple = b_order[r], s = along_a[tuple] / strip_size_;
    const int32_t bucket = axis_b < 0 ? 0 : static_cast<int32_t>(r / bucket_size_);
    int32_t* row = start_.data() + static_cast<int64_t>(s) * (buckets_ + 1);
    while (filled[s] <= bucket) row[filled[s]++] = next[s];
    tile_tuple_[next[s]++] = tuple;
  }
  for (int32_t s = 0; s < strips_; ++s) {
    int32_t* row = start_.data() + static_cast<int64_t>(s) * (buckets_ + 1);
    while (filled[s] <= buckets_) row[filled[s]++] = next[s];
  }
  tile_time_.assign(stride, 0);
  for (int64_t q = 0; q < n_; ++q) tile_time_[q] = time_[tile_tuple_[q]];
  tile_.assign(static_cast<size_t>(dims) * stride, T(0));
  for (int32_t c = 0; c < dims; ++c)
    for (int64_t q = 0; q < n_; ++q) tile_[c * stride + q] = values[c][tile_tuple_[q]];
  const auto fill_ranks = [&](auto& ranks) {
    ranks.assign(static_cast<size_t>(std::max(0, dims - 1)) * stride, 0);
    for (int32_t c = 1; c < dims; ++c)
      for (int64_t r = 0; r < n_; ++r)
        ranks[(c - 1) * stride + r] = static_cast<typename std::decay_t<decltype(ranks)>::value_type>(ranked_[c].rank[ranked_[0].order[r]]);
  };
  if (n_ <= kMost16) fill_ranks(rank16_);
  else fill_ranks(rank32_);
}

template <class T>
void TargetIndex<T>::lay_out(int32_t strips, int32_t buckets) {
  strips = std::max(1, strips);
  strip_size_ = static_cast<int32_t>((n_ + strips - 1) / strips);
  strips_ = static_cast<int32_t>((n_ + strip_size_ - 1) / strip_size_);
  // The table stays near the size of a column.
  buckets = std::clamp(buckets, 1, static_cast<int32_t>(std::max<int64_t>(1, 2 * n_ / strips_)));
  bucket_size_ = static_cast<int32_t>((n_ + buckets - 1) / buckets);
  buckets_ = static_cast<int32_t>((n_ + bucket_size_ - 1) / bucket_size_);
}

template <class T>
template <class R>
void TargetIndex<T>::scan_with(const SourceIndex<T>& source, const int32_t* permutation, const KsgParameters& q,
                               KsgCounts* out, const Control& control) const {
  const int64_t stride = padded(n_);
  const int32_t targets = past_dims_ + future_dims_, dims = source.dims();
  Scratch<T> source_tile(static_cast<size_t>(dims) * stride);
  Scratch<R> source_rank(static_cast<size_t>(dims) * stride);
  const int32_t* a_order = ranked_[0].order.data();
  for (int32_t c = 0; c < dims; ++c) {
    const T* values = source.values(c);
    const int32_t* rank = source.column(c).rank.data();
    T* tile = source_tile.data() + c * stride;
    R* ranks = source_rank.data() + c * stride;
    if (permutation) {
      for (int64_t i = 0; i < n_; ++i) tile[i] = values[permutation[tile_tuple_[i]]];
      for (int64_t i = 0; i < n_; ++i) ranks[i] = static_cast<R>(rank[permutation[a_order[i]]]);
    } else {
      for (int64_t i = 0; i < n_; ++i) tile[i] = values[tile_tuple_[i]];
      for (int64_t i = 0; i < n_; ++i) ranks[i] = static_cast<R>(rank[a_order[i]]);
    }
  }
  Scratch<R> space;
  if (past_dims_ == 0 && dims > 1) {
    space.resize(static_cast<size_t>(dims) * stride);
    for (int32_t c = 0; c < dims; ++c)
      for (int64_t r = 0; r < n_; ++r)
        space[c * stride + r] = static_cast<R>(source.column(c).rank[source.column(0).order[r]]);
  }
  std::vector<const int32_t*> rank;
  std::vector<RankLookup<T>> lookups = lookups_;
  for (const auto& column : ranked_) rank.push_back(column.rank.data());
  for (int32_t c = 0; c < dims; ++c) rank.push_back(source.column(c).rank.data()), lookups.push_back(source.lookup(c));
  const R* target_rank;
  if constexpr (std::is_same_v<R, uint16_t>) target_rank = rank16_.data();
  else target_rank = rank32_.data();
  const KsgScan<T, R> scan{n_, stride, past_dims_, future_dims_, dims, q.k, q.theiler, q.algorithm,
                           tile_.data(), source_tile.data(), tile_tuple_.data(), tile_time_.data(), start_.data(),
                           strips_, buckets_, strip_size_, bucket_size_,
                           past_dims_ > 0 ? past_dims_ : targets > 1 ? 1 : -1,
                           target_rank, source_rank.data(), space.data(), rank.data(), lookups.data(), time_.data(),
                           permutation, out};
  const auto function = scan_function<T, R>(q.functions ? *q.functions : scan_functions());
  thread_pool().parallel_for(n_, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at += kGrain) {
      control.throw_if_cancelled();
      function(scan, at, std::min(at + kGrain, end));
    }
  });
}

template <class T>
void TargetIndex<T>::scan(const SourceIndex<T>& source, const int32_t* permutation, const KsgParameters& parameters,
                          KsgCounts* out, const Control& control) const {
  if (n_ <= kMost16) scan_with<uint16_t>(source, permutation, parameters, out, control);
  else scan_with<uint32_t>(source, permutation, parameters, out, control);
}

template class SourceIndex<double>;
template class SourceIndex<float>;
template class TargetIndex<double>;
template class TargetIndex<float>;

KsgCpu::KsgCpu(const KsgProblem& p) : parameters_{p.k, p.theiler, p.algorithm, nullptr} {
  if (p.single) {
    target32_.emplace_back(p);
    source32_.emplace_back(p.source, p.source_dims, p.n);
  } else {
    target64_.emplace_back(p);
    source64_.emplace_back(p.source, p.source_dims, p.n);
  }
}

void KsgCpu::counts(const int32_t* permutation, KsgCounts* out, const Control& control) const {
  if (target32_.empty()) target64_[0].scan(source64_[0], permutation, parameters_, out, control);
  else target32_[0].scan(source32_[0], permutation, parameters_, out, control);
}

}  // namespace xcore::te
