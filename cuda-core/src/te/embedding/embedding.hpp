// Time-delay embedding: from series to the tuples (F, P, S) that a transfer entropy is an information I(S;F|P) of.
//
//   F_t = y[t+1];  P_t = y[t], y[t-tau], ..., y[t-(history-1) tau] and the conditions' z[t];
//   S_t = x[t+1-delay], x[t+1-delay-tau], ..., each for every variable of a block;
//   t runs from s = max over all lags to samples - 2, so there are samples - s - 1 tuples.
//
// Then, in this order: each column is normalised by itself (mean 0, standard deviation 1 with n - 1; a constant column
// is only centred), and seeded Gaussian noise is added to each value.
#pragma once

#include <cstdint>
#include <vector>

#include "xcore/te.h"

namespace xcore::te {

// Columns of one block, column-major: column c is data()[c * n .. (c + 1) * n).
struct Block {
  int32_t dims = 0;
  std::vector<double> values;
};

struct Embedding {
  int64_t n = 0;      // tuples
  int64_t first = 0;  // sample index of the first F
  Block future, past, source;
  bool source_constant = false;  // no source variable ever changes: it can tell nothing
  bool target_constant = false;  // no target variable ever changes: there is nothing to tell
};

struct Shape {
  int64_t tuples;
  int64_t first;
};
// Checks the lags and the number of samples. Throws invalid_argument with the smallest number that would do.
Shape embedding_shape(int64_t samples, const xc_te_options& options);

// Throws invalid_argument on NaN or infinity, with the variable and the index.
Embedding embed(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions,
                int64_t samples, const xc_te_options& options);

}  // namespace xcore::te
