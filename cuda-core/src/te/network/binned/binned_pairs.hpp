// Transfer entropy of binned series, of all pairs: I(S;F|P) of plug-in frequencies,
//   TE = 1/n [ sum c(f,p,s) ln c(f,p,s) + sum c(p) ln c(p) - sum c(f,p) ln c(f,p) - sum c(p,s) ln c(p,s) ], nats,
// where P and S are the joint states of their histories. 2 n TE ~ chi-squared with (B^l - 1)(B - 1) B^k degrees of freedom when
// the source does not matter.
#pragma once

#include <cstdint>
#include <vector>

#include "te/network/pairs.hpp"
#include "xcore/te.h"

namespace xcore::te {

// Bin 0..bins-1 of every sample. Equal width: floor((v - min) / ((max - min) / bins)), at most bins - 1; a constant series is all
// 0. Equal frequency: the first i with v <= cut_i, cut_i = sorted[floor((i + 1) n / bins) - 1], so equal values share a bin.
void bin_series(const double* x, int64_t samples, int32_t bins, bool equal_frequency, uint8_t* out);

inline constexpr int32_t kMaxBins = 64;
inline constexpr int64_t kMaxBinnedStates = 1 << 24;  // of (F, P, S)

// The states of every variable over the tuples of one embedding.
struct BinnedColumns {
  int32_t variables = 0;
  int64_t n = 0;
  uint32_t bins = 0, past_states = 0, source_states = 0;
  std::vector<uint32_t> target;  // [variable][n]: f * past_states + p
  std::vector<uint32_t> source;  // [variable][n]
  std::vector<uint8_t> constant;
};
struct BinnedShape {
  int64_t n, first;
  uint32_t past_states, source_states;
};
// Throws invalid_argument for bins out of range or too many joint states.
BinnedShape binned_shape(int64_t samples, const xc_te_options& options, int32_t bins);
BinnedColumns binned_columns(const double* values, int32_t variables, int64_t samples, const xc_te_options& options, int32_t bins,
                             bool equal_frequency);

// On the CPU, surrogates included. `columns` must outlive it.
std::unique_ptr<Pairs> binned_pairs_cpu(const BinnedColumns& columns, const int32_t* permutations);
// te[(target - from) * variables + source], as `originals` of a `Pairs`.
// From the series themselves, which are binned on the device. Throws XC_UNSUPPORTED when a pair's table does not fit a
// multiprocessor.
void binned_pairs_cuda(int device, const double* values, int32_t variables, int64_t samples, const xc_te_options& options, int32_t bins,
                       bool equal_frequency, int32_t from, int32_t to, double* te, const Control& control);

}  // namespace xcore::te
