// Time-delay embedding: from series to the tuples (F, P, S) that a transfer entropy is an information I(S;F|P) of.
//
// A lag counts samples back from the predicted one. With histories k and l, taus and delay u:
//   F_t = y[t];  P_t = y[t - 1 - h tau], h < k, and the conditions' past;  S_t = x[t - u - h tau'], h < l;
// each for every variable of a block. t runs over all samples whose lags exist, inside one segment and valid. A mutual
// information takes all lags 0.
//
// Then, in this order: each column is normalised by itself (mean 0, standard deviation 1 with n - 1; a constant column
// is only centred), and seeded Gaussian noise is added to each value.
#pragma once

#include <cstdint>
#include <vector>

#include "te/scratch.hpp"
#include "xcore/te.h"

namespace xcore::te {

// Columns of one block, column-major: column c is data()[c * n .. (c + 1) * n).
struct Block {
  int32_t dims = 0;
  Scratch<double> values;
};

struct Embedding {
  int64_t n = 0;      // tuples
  int64_t first = 0;  // sample index of the first F
  Block future, past, source;
  std::vector<int32_t> time;     // of each tuple, series apart by more than the Theiler window; empty: the index
  bool source_constant = false;  // no source variable ever changes: it can tell nothing
  bool target_constant = false;  // no target variable ever changes: there is nothing to tell
  const int32_t* times() const { return time.empty() ? nullptr : time.data(); }
};

// The lags of every block, newest first. `future`: samples kept free at the beginning at least.
struct Lags {
  int32_t future = 0;
  std::vector<int64_t> past, source;
  std::vector<std::vector<int64_t>> conditions;  // of each condition variable
  int64_t longest() const;
};
Lags given_lags(const xc_te_options& options, int32_t condition_variables);

struct Series {
  xc_te_series source, target, conditions;
  int64_t samples;
};

struct Shape {
  int64_t tuples;
  int64_t first;
};
// Checks the lags and the number of samples (of one whole series). Throws invalid_argument with the smallest number
// that would do.
Shape embedding_shape(int64_t samples, const xc_te_options& options);

void check_embedding(const xc_te_options& options);  // lags, k, windows, noise
void check_options(const xc_te_options& options);    // these and all others
// Throws invalid_argument on NaN or infinity, with the variable and the index; samples marked as missing may hold
// anything.
void check_series(const Series& series, const xc_te_options& options);

// What is done to the columns: estimators that bin or measure widths take them raw.
enum class Scaling { normalised, raw };
Embedding embed(const Series& series, const Lags& lags, const xc_te_options& options, Scaling scaling);

// As given by the histories, taus and delay of the options; checks the series, too.
Embedding embed(const xc_te_series& source, const xc_te_series& target, const xc_te_series& conditions, int64_t samples,
                const xc_te_options& options);

// The source block of other source series, normalised and noised like that of `embed`.
Block embed_source(const Series& series, const Lags& lags, const xc_te_options& options, Scaling scaling);

}  // namespace xcore::te
