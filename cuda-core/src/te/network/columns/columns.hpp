// The embedded columns of all variables of a network, so that a pair is a choice of columns and nothing is embedded twice.
//
// For one delay every variable v has, over the same n tuples, its future F_v, its past P_v (target_history columns) and,
// seen as a source, S_v (source_history columns). Each is what `embed` gives for the single pair, bit for bit: a column
// depends on its own series and on the lags alone.
#pragma once

#include <cstdint>
#include <vector>

#include "te/embedding/embedding.hpp"

namespace xcore::te {

struct Columns {
  int32_t variables = 0;  // seen as sources
  int32_t targets = 0;    // seen as targets: all of them, or what a caller put together
  bool same = true;       // target i is variable i, which is no source of itself
  int64_t n = 0;      // tuples
  int64_t first = 0;  // sample index of the first F
  int32_t past_dims = 1, source_dims = 1;
  RawScratch<double> future;  // [variable][n]
  RawScratch<double> past;    // [variable][past_dims][n]
  RawScratch<double> source;  // [variable][source_dims][n]
  std::vector<uint8_t> constant;  // [variable]: the series never changes: it tells nothing and there is nothing to tell

  // A pair whose value is 0 by definition.
  bool nothing(int32_t source, int32_t target) const {
    return constant[source] || (same && (source == target || constant[target]));
  }
  const double* future_of(int32_t v) const { return future.data() + v * n; }
  const double* past_of(int32_t v) const { return past.data() + static_cast<int64_t>(v) * past_dims * n; }
  const double* source_of(int32_t v) const { return source.data() + static_cast<int64_t>(v) * source_dims * n; }
};

// `values`: variables x samples. Throws invalid_argument on NaN or infinity, with the variable and the index, and for an
// embedding that does not fit.
Columns embed_all(const double* values, int32_t variables, int64_t samples, const xc_te_options& options);

}  // namespace xcore::te
