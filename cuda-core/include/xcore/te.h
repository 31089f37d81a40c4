/* Transfer entropy: how much the past of a source tells about a target's next value beyond the target's own past. */
#ifndef XCORE_TE_H
#define XCORE_TE_H

#include "xcore/core.h"
#include "xcore/te_network.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_TE_ABI 1

enum { XC_TE_KSG1 = 1, XC_TE_GAUSSIAN = 2 };

/* Series are flat: variable v of a block occupies [v * samples, (v + 1) * samples). */
typedef struct xc_te_series {
  const double* values;
  int32_t variables;
  int32_t reserved;
} xc_te_series;

/* Set `size` to sizeof(xc_te_options): fields that a caller does not know keep the defaults in brackets. */
typedef struct xc_te_options {
  uint32_t size;
  int32_t estimator;      /* XC_TE_* */
  int32_t k;              /* nearest neighbours of KSG, >= 1 [4] */
  int32_t target_history; /* >= 1 [1] */
  int32_t target_tau;     /* >= 1 [1] */
  int32_t source_history; /* >= 1 [1] */
  int32_t source_tau;     /* >= 1 [1] */
  int32_t delay;          /* of the source's newest sample before the predicted one, >= 0 [1] */
  int32_t theiler;        /* neighbours with |time difference| <= theiler do not count, >= 0 [0] */
  int32_t normalise;      /* each embedded column to mean 0 and standard deviation 1 [1] */
  double noise;           /* standard deviation of Gaussian noise added to every embedded value, >= 0 [0] */
  int32_t surrogates;     /* permutations of the source for the significance test, >= 0 [0] */
  int32_t reserved;
  uint64_t seed;          /* of noise and surrogates */
  xc_device device;
  /* NULL, or surrogates x tuples row indices: the caller's own permutations instead of seeded ones. */
  const int32_t* permutations;
  int64_t permutation_values; /* how many indices `permutations` holds */
} xc_te_options;

typedef struct xc_te_result {
  uint32_t size;
  int32_t reserved;
  double te;             /* nats; a bias-corrected estimate that may be negative */
  int64_t tuples;        /* embedded samples the estimate is a mean of */
  int64_t first;         /* index of the first predicted sample */
  double surrogate_mean; /* of the surrogates' values; NaN without surrogates */
  double surrogate_std;  /* with n - 1; NaN with fewer than two */
  double p_value;        /* (1 + #(surrogate >= te)) / (1 + surrogates); NaN without surrogates */
  double analytic_p;     /* Gaussian: from 2 tuples te ~ chi-squared; NaN for KSG */
  xc_device device;      /* where it ran */
} xc_te_result;

typedef struct xc_te_table {
  xc_table_header header;
  /* `locals` is NULL or takes `tuples` values; `surrogate_values` is NULL or takes `surrogates` values. `conditions`
   * may have 0 variables; each is embedded with history, tau and delay 1. Not for Gaussian: locals. Long call. */
  xc_status (*estimate)(const xc_te_series* source, const xc_te_series* target, const xc_te_series* conditions,
                        int64_t samples, const xc_te_options* options, double* locals, double* surrogate_values,
                        xc_te_result* result, const xc_control* control, xc_error* error);
  /* How many tuples an embedding gives; fails as `estimate` would when there are too few. */
  xc_status (*tuples)(int64_t samples, const xc_te_options* options, int64_t* tuples, int64_t* first, xc_error* error);
  xc_te_network_function network;        /* long call */
  xc_te_greedy_function network_greedy; /* long call */
} xc_te_table;

#ifdef __cplusplus
}
#endif
#endif
