// Gaussian transfer entropy (te/gaussian/gaussian.hpp) of all pairs: the correlations of all columns are one matrix product,
// and each pair is a closed form, or a small Cholesky factorisation, of some of them.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/philox.hpp"
#include "te/network/pairs.hpp"
#include "xcore/te.h"

namespace xcore::te {

inline constexpr int kGaussianMaxDims = 24;  // target_history + source_history + 1 of a network

// From correlations of the columns in the order P, S, F (packed by rows into r, `dims` wide), nats. Columns that those before
// explain up to 1e-12 of their variance are left out; a column of zeros (constant) has correlation 0 with itself.
XC_HD double gaussian_pair_te(const double* r, int past, int source) {
  const int dims = past + source + 1, f = dims - 1;
  double left[2] = {0, 0};
  for (int with = 0; with < 2; ++with) {
    // Rows of the Cholesky factor, kept columns only.
    double row[kGaussianMaxDims][kGaussianMaxDims];
    int kept[kGaussianMaxDims];
    int count = 0;
    for (int c = 0; c < dims; ++c) {
      if (!with && c >= past && c < f) continue;
      double variance = r[c * dims + c];
      double* mine = row[count];
      for (int m = 0; m < count; ++m) {
        double dot = r[c * dims + kept[m]];
        for (int q = 0; q < m; ++q) dot -= mine[q] * row[m][q];
        mine[m] = dot / row[m][m];
        variance -= mine[m] * mine[m];
      }
      const bool keep = variance > 1e-12;
      if (c == f) left[with] = keep ? variance : 0;
      if (keep) {
        mine[count] = sqrt(variance);
        kept[count++] = c;
      }
    }
  }
  if (left[0] == 0) return 0;
  if (left[1] == 0) return HUGE_VAL;
  return 0.5 * log(left[0] / left[1]);
}

// The same for one column of each, without a loop.
XC_HD double gaussian_pair_te_1(double pp, double ss, double ff, double ps, double pf, double sf) {
  const bool has_past = pp > 1e-12;
  const double source_left = ss - (has_past ? ps * ps / pp : 0), before = ff - (has_past ? pf * pf / pp : 0);
  if (!(before > 1e-12) || !(source_left > 1e-12)) return 0;
  const double shared = sf - (has_past ? ps * pf / pp : 0);
  const double after = before - shared * shared / source_left;
  return after > 1e-12 ? 0.5 * log(before / after) : HUGE_VAL;
}

// On the CPU, surrogates included. `columns` must outlive it.
std::unique_ptr<Pairs> gaussian_pairs_cpu(const Columns& columns, const int32_t* permutations);
// From the series themselves: te[(target - from) * variables + source], as `originals` of a `Pairs`.
void gaussian_pairs_cuda(int device, const double* values, int32_t variables, int64_t samples, const xc_te_options& options,
                         int32_t from, int32_t to, double* te, const Control& control);

}  // namespace xcore::te
