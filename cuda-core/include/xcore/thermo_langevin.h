/* Cooling by the Fokker-Planck equation's stochastic form. Part of the domain "thermo". */
#ifndef XCORE_THERMO_LANGEVIN_H
#define XCORE_THERMO_LANGEVIN_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* dx = -U'(x) dt + sqrt(2 T) dW for every walker, reflected at the ends of the range; U is linear between its points.
 * After each step ln T falls by speed / sqrt(C), at most max_change, where C is the ensemble's heat capacity; T stays at
 * or above `end`. */
typedef struct xc_thermo_langevin {
  const double* potential; /* [points], finite, on an even grid over [low, high] */
  int32_t points;          /* 2 .. 2^20 */
  int32_t steps;           /* temperatures, 1 .. 1,000,000 */
  int32_t substeps;        /* integration steps at each temperature, 1 .. 10,000 */
  int32_t reserved;
  double low, high;
  double start, end;        /* temperatures: start >= end > 0 */
  double dt;                /* of an integration step; 0: the largest that is safe for the steepest slope */
  double speed, max_change; /* above 0 */
  int64_t walkers;          /* 2 .. 2^24 */
  uint64_t seed;
  double* temperatures;  /* [steps] */
  double* mean_energy;   /* [steps] of the ensemble, at the end of each step */
  double* heat_capacity; /* [steps], likewise */
  double* positions;     /* [walkers] at the end, or NULL */
} xc_thermo_langevin;

#ifdef __cplusplus
}
#endif
#endif
