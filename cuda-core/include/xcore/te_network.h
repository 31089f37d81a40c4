/* Networks of series: transfer entropies of all ordered pairs, and multivariate inference. Part of the domain "te". */
#ifndef XCORE_TE_NETWORK_H
#define XCORE_TE_NETWORK_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { XC_TE_NETWORK_KSG1 = 1, XC_TE_NETWORK_GAUSSIAN = 2, XC_TE_NETWORK_BINNED = 3 };
enum { XC_TE_F64 = 0, XC_TE_F32 = 1, XC_TE_PRECISION_AUTO = 2 };
enum { XC_TE_NULL_PAIR = 0, XC_TE_NULL_POOLED = 1 };

/* Set `size` to sizeof(xc_te_network_options): fields that a caller does not know keep the defaults in brackets. */
typedef struct xc_te_network_options {
  uint32_t size;
  int32_t estimator;       /* XC_TE_NETWORK_* [KSG1] */
  int32_t k;               /* nearest neighbours of KSG, 1 to 64, on CUDA to 32 [4] */
  int32_t target_history;  /* >= 1 [1] */
  int32_t target_tau;      /* >= 1 [1] */
  int32_t source_history;  /* >= 1 [1] */
  int32_t source_tau;      /* >= 1 [1] */
  int32_t min_delay;       /* the delays tried, >= 0; the best is kept [1] */
  int32_t max_delay;       /* >= min_delay [1] */
  int32_t theiler;         /* KSG: neighbours with |time difference| <= theiler do not count, >= 0 [0] */
  int32_t normalise;       /* KSG: each embedded column to mean 0 and standard deviation 1 [1] */
  int32_t bins;            /* binned: 2 to 64 [8] */
  int32_t equal_frequency; /* binned: bins of equal frequency instead of equal width [0] */
  int32_t precision;       /* XC_TE_*; fp32 exists for KSG on CUDA and counts what fp64 counts; AUTO takes it unless values are equal [AUTO] */
  int32_t surrogates;      /* permutations a pair, >= 0 [0] */
  int32_t stop_after;      /* a pair's test ends when so many surrogates reached its value; 0: never [0] */
  int32_t null_model;      /* XC_TE_NULL_*: surrogates of the pair, or of all pairs of the target together [PAIR] */
  int32_t analytic;        /* Gaussian and binned: p-values from chi-squared, without surrogates [0] */
  int32_t from, to;        /* targets [from, to); 0, 0: all [0] */
  double noise;            /* KSG, Gaussian: as xc_te_options.noise [0] */
  uint64_t seed;           /* of noise and permutations [0] */
  xc_device device;
  const uint8_t* wanted;   /* NULL, or variables x variables (source, target): 0 leaves a pair untested */
} xc_te_network_options;

typedef struct xc_te_network_result {
  uint32_t size;
  int32_t reserved;
  int64_t tuples;     /* of the smallest delay */
  int64_t surrogates; /* values drawn in all */
  xc_device device;   /* where it ran */
  int32_t single;     /* whether in fp32 */
  int32_t reserved2;
} xc_te_network_result;

/* `te`, `p_values` (or NULL without a test) and `lags` (or NULL) are variables x variables, row = source, column = target.
 * Columns outside [from, to) are left as they are. The diagonal is te 0, p 1, lag min_delay. Values are rows of `samples`. */
typedef xc_status (*xc_te_network_function)(const double* values, int32_t variables, int64_t samples,
                                            const xc_te_network_options* options, double* te, double* p_values, int32_t* lags,
                                            xc_te_network_result* result, const xc_control* control, xc_error* error);

/* Greedy multivariate inference of one network; see te/network/greedy/greedy.hpp. */
typedef struct xc_te_greedy_options {
  uint32_t size;
  int32_t estimator;   /* XC_TE_NETWORK_KSG1 or _GAUSSIAN [GAUSSIAN] */
  int32_t k;           /* [4] */
  int32_t max_lag;     /* of sources, >= 1 [5] */
  int32_t min_lag;     /* of sources, >= 1 [1] */
  int32_t max_history; /* lags of the target's own past that may be chosen, >= 1 [5] */
  int32_t theiler;     /* [0] */
  int32_t surrogates;  /* permutations a test; 0: chi-squared, Gaussian alone [0] */
  int32_t from, to;    /* targets; 0, 0: all */
  int32_t max_sources; /* chosen lags a target at most, >= 1 [20] */
  double alpha;        /* of every test, in (0, 1) [0.05] */
  uint64_t seed;
  xc_device device;
} xc_te_greedy_options;

/* One chosen lag of a source for a target. */
typedef struct xc_te_greedy_link {
  int32_t source, target, lag;
  int32_t reserved;
  double te;      /* conditional information of this source's chosen lags together, nats */
  double p_value; /* the larger of two: by the maximum statistic that chose this lag, and by the last test that kept it */
} xc_te_greedy_link;

/* Calls `emit` from the calling thread for every chosen lag, targets ascending. `omnibus_p` takes `variables` values (1 where
 * nothing was chosen, NaN outside [from, to)), `omnibus_te` likewise. */
typedef xc_status (*xc_te_greedy_function)(const double* values, int32_t variables, int64_t samples,
                                           const xc_te_greedy_options* options,
                                           void (*emit)(void* user, const xc_te_greedy_link* link), void* user,
                                           double* omnibus_te, double* omnibus_p, const xc_control* control, xc_error* error);

#ifdef __cplusplus
}
#endif
#endif
