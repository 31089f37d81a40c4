// Transfer entropy over the newest samples of live series, updated with each.
//
// The value is that of `estimate` over the window's samples. What an arriving and a leaving sample change is changed,
// the rest is kept:
//   KSG       every tuple of the window keeps its k-th distance and its counts. A tuple that comes or goes adds to or
//             takes from the counts of those within whose distance it lies (one vector pass over the window); only the
//             about 2k tuples for which it is among the nearest are counted again.
//   Gaussian  sums of products, about a point near the mean; summed anew once a window against rounding.
//   binned    symbols and cells, as long as the cuts stay.
//
// Columns are normalised with the mean and deviation of the window's own columns. These move with every sample, and all
// distances with them, so scale_every says after how many new samples they are taken anew: with 1 the value is to the
// last bit that of `estimate` with `normalise` and every value costs a whole estimate; with more, samples in between
// cost a pass each and the value is to the last bit that of the window scaled by `scale`. Without `normalise` there is
// nothing to take anew.
#pragma once

#include <cstdint>
#include <memory>

#include "xcore/te.h"

namespace xcore::te {

class Stream {
 public:
  virtual ~Stream() = default;
  // New samples, flat as xc_te_series. All are checked to be finite before any is taken.
  virtual void push(const double* source, const double* target, int64_t samples) = 0;
  // tuples 0 while the window is not full.
  virtual xc_te_result value() = 0;
};

// window: samples, embedding included. Throws invalid_argument for options out of range and windows too short.
std::unique_ptr<Stream> open_stream(int32_t source_variables, int32_t target_variables, int64_t window, int64_t scale_every,
                                    const xc_te_options& options);

}  // namespace xcore::te
