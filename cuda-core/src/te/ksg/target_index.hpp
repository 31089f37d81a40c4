// Everything of a KSG problem that belongs to the target alone, prepared once and then scanned with any number of
// sources, lags and surrogates:
//
//   const TargetIndex<double> target({n, future, past, future_dims, past_dims, time});
//   const SourceIndex<double> source(columns, dims, n);          // shared by all targets
//   target.scan(source, nullptr, {k, theiler, algorithm}, counts, control);
//
// How it counts without looking at all pairs:
//   1. Tuples stand on a grid of ranks: strips of equal numbers along one column of P ("axis A"), inside a strip in the
//      order of a column of F ("axis B"), with a table of where each cell begins. The k nearest neighbours lie in a
//      small rectangle of cells, read as a few contiguous runs by vector instructions. The rectangle is guessed from
//      the neighbour before; the k-th distance found bounds eps, so the exact rectangle is known and what it has
//      beyond the guess is read too. The result never depends on the guess.
//   2. A count within a radius is a count of ranks in a range (see ranked_column.hpp): bisection in the sorted columns
//      gives the ranges, then the tuples of the A range whose ranks of the other columns lie in theirs are counted
//      32 at a time (16-bit ranks up to 65,535 tuples).
//
// A permuted or otherwise drawn source keeps its sorted columns: surrogates cost no sorting.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/control.hpp"
#include "te/ksg/ksg.hpp"
#include "te/ksg/ranked_column.hpp"

namespace xcore::te {

// The columns of S, each with its order. T is double or float; values are converted once.
template <class T>
class SourceIndex {
 public:
  SourceIndex(const double* columns, int32_t dims, int64_t n);
  SourceIndex(SourceIndex&&) = default;  // lookups point into memory that moves along
  SourceIndex(const SourceIndex&) = delete;

  int64_t n() const { return n_; }
  int32_t dims() const { return dims_; }
  const T* values(int32_t c) const { return values_.data() + c * n_; }
  const RankedColumn<T>& column(int32_t c) const { return ranked_[c]; }
  const RankLookup<T>& lookup(int32_t c) const { return lookups_[c]; }

 private:
  int64_t n_;
  int32_t dims_;
  Scratch<T> values_;  // column-major
  std::vector<RankedColumn<T>> ranked_;
  std::vector<Scratch<int32_t>> cells_;
  std::vector<RankLookup<T>> lookups_;  // into ranked_ and cells_
};

struct KsgScanFunctions;

struct KsgParameters {
  int32_t k = 4;
  int32_t theiler = 0;
  int32_t algorithm = 1;
  const KsgScanFunctions* functions = nullptr;  // of one instruction set; NULL: the widest this processor has
};

template <class T>
class TargetIndex {
 public:
  // future, past, time as in KsgProblem; its source fields, k, theiler and algorithm are not looked at.
  explicit TargetIndex(const KsgProblem& problem);
  TargetIndex(TargetIndex&&) = default;  // lookups point into memory that moves along
  TargetIndex(const TargetIndex&) = delete;

  // Counts of every tuple, in tuple order. From any thread, also concurrently; uses the thread pool (serially when
  // called from inside one of its jobs). Deterministic: each count depends on the data alone.
  void scan(const SourceIndex<T>& source, const int32_t* permutation, const KsgParameters& parameters, KsgCounts* out,
            const Control& control) const;

  int64_t n() const { return n_; }
  int32_t past_dims() const { return past_dims_; }
  int32_t future_dims() const { return future_dims_; }

 private:
  template <class R>
  void scan_with(const SourceIndex<T>& source, const int32_t* permutation, const KsgParameters& parameters, KsgCounts* out,
                 const Control& control) const;
  void lay_out(int32_t strips, int32_t buckets);

  int64_t n_;
  int32_t past_dims_, future_dims_;
  std::vector<RankedColumn<T>> ranked_;  // P (axis A first), then F; without P: F alone, axis A first
  std::vector<Scratch<int32_t>> cells_;
  std::vector<RankLookup<T>> lookups_;   // into ranked_ and cells_
  Scratch<T> tile_;                  // the same columns in grid order, padded
  Scratch<int32_t> tile_tuple_;      // grid position -> tuple, padded
  Scratch<int32_t> tile_time_;       // grid position -> time, padded
  Scratch<int32_t> time_;            // tuple -> time
  Scratch<uint16_t> rank16_;         // ranks of the columns beyond axis A, in order of A, padded; n <= 65,535
  Scratch<uint32_t> rank32_;         // the same for more tuples
  Scratch<int32_t> start_;           // strips x (buckets + 1): where each cell begins
  int32_t strips_ = 1, buckets_ = 1, strip_size_ = 1, bucket_size_ = 1;
};

extern template class SourceIndex<double>;
extern template class SourceIndex<float>;
extern template class TargetIndex<double>;
extern template class TargetIndex<float>;

// A whole problem on the CPU: index, source and precision in one object.
class KsgCpu {
 public:
  explicit KsgCpu(const KsgProblem& problem);
  void counts(const int32_t* permutation, KsgCounts* out, const Control& control) const;

 private:
  KsgParameters parameters_;
  std::vector<TargetIndex<double>> target64_;  // one of the two pairs is filled
  std::vector<SourceIndex<double>> source64_;
  std::vector<TargetIndex<float>> target32_;
  std::vector<SourceIndex<float>> source32_;
};

}  // namespace xcore::te
