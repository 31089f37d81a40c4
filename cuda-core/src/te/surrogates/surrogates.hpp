// Surrogate values: what the estimator says when the source is drawn anew so that it can tell nothing.
//
//   permutation  the source's embedded vectors, as whole rows, dealt out anew among the tuples: keeps the target's
//                dynamics and the distribution of the source vectors. Conservative for no autocorrelation only.
//   shift        all rows moved round a circle by a random number: keeps the source's own dynamics as well.
//   block        rows in blocks of some length, the blocks shuffled: keeps dynamics up to that length.
//   iaaft        a new source series with the same values and (nearly) the same power spectrum, embedded again:
//                T. Schreiber, A. Schmitz, Phys. Rev. Lett. 77, 635 (1996). Each variable by itself.
//
// Surrogate `index` of a seed is a pure function of (seed, index, data).
#pragma once

#include <cstdint>
#include <vector>

#include "te/estimate/estimator.hpp"

namespace xcore::te {

// The row order of surrogate `index`; method is not IAAFT.
void surrogate_rows(const xc_te_options& options, uint64_t index, int64_t n, int32_t* out);

// One IAAFT surrogate of a series, out: n values, a permutation of the series.
void iaaft(const double* series, int64_t n, uint64_t seed, uint64_t stream, double* out);

// Fills `out` with up to options.surrogates values. With stop_after h > 0 it ends with the one at which h values have
// reached `te` (J. Besag, P. Clifford, Biometrika 78, 301 (1991)). Results do not depend on the number of threads.
// `series` are the raw ones, `lags` those of the embedding.
void surrogate_values(const Estimator& estimator, const Series& series, const Lags& lags, int64_t tuples,
                      const xc_te_options& options, double te, std::vector<double>& out, const Control& control);

// p of a sequence that ended by stop_after: h / (number drawn), exact under the null; otherwise as `significance`.
double sequential_p(double te, const std::vector<double>& values, const xc_te_options& options);

}  // namespace xcore::te
