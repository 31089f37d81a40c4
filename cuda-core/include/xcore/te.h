/* Transfer entropy: how much the past of a source tells about a target's next value beyond the target's own past. */
#ifndef XCORE_TE_H
#define XCORE_TE_H

#include "xcore/core.h"
#include "xcore/te_network.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_TE_ABI 1

enum { XC_TE_KSG1 = 1, XC_TE_GAUSSIAN = 2, XC_TE_KSG2 = 3, XC_TE_KERNEL = 4, XC_TE_BINNED = 5 };
/* TRANSFER: from the source's past to the target's next sample. MUTUAL: I(source; target | conditions) of the samples
 * at one time; histories, taus and delay are not looked at. */
enum { XC_TE_TRANSFER = 0, XC_TE_MUTUAL = 1 };
enum { XC_TE_EQUAL_WIDTH = 0, XC_TE_EQUAL_FREQUENCY = 1 };
enum { XC_TE_PERMUTATION = 0, XC_TE_SHIFT = 1, XC_TE_BLOCK = 2, XC_TE_IAAFT = 3 };
enum {
  XC_TE_GIVEN = 0,
  XC_TE_RAGWITZ = 1,
  XC_TE_RAGWITZ_TARGET = 2,
  XC_TE_MAX_AIS = 3,
  XC_TE_MAX_AIS_TARGET = 4,
  XC_TE_MAX_AIS_TE = 5,
  XC_TE_GREEDY = 6
};
#define XC_TE_MAX_LAGS 64

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
  /* since 0.2 */
  int32_t measure;          /* XC_TE_TRANSFER [0] or XC_TE_MUTUAL */
  int32_t single_precision; /* distances in fp32 after centring in fp64; KSG only [0] */
  double kernel_width;      /* radius of the box kernel, in standard deviations if `normalise`, > 0 [0.5] */
  int32_t bins;             /* of the binned estimator, a variable, 2..1024 [8] */
  int32_t binning;          /* XC_TE_EQUAL_* [0] */
  int32_t bias_correction;  /* Gaussian: less dof / 2n; binned: less Panzeri-Treves' estimate [0] */
  int32_t surrogate_method; /* [XC_TE_PERMUTATION] */
  int32_t block;            /* tuples of a block of XC_TE_BLOCK; 0: the square root of n, rounded [0] */
  int32_t stop_after;       /* stop once so many surrogates reached the estimate; 0: never [0] */
  int32_t embedding;        /* how history and tau are found [XC_TE_GIVEN] */
  int32_t max_history;      /* largest history tried, 1..64 [5] */
  int32_t max_tau;          /* largest tau tried [1] */
  int32_t max_delay;        /* when above `delay`: the delay of the largest value in delay..max_delay is taken [0] */
  int32_t auto_k;           /* k is chosen [0] */
  int32_t condition_count;  /* entries of the three arrays below; 0: 1 for each condition */
  const int32_t* condition_history;
  const int32_t* condition_tau;
  const int32_t* condition_delay;
  const int64_t* segments; /* lengths of the series that are pooled one after the other; NULL: one */
  int64_t segment_count;
  const uint8_t* valid; /* of each sample: 0 where it is missing in any series; NULL: all there */
  double interval;      /* confidence level of the interval, 0 < level < 1; 0: none [0] */
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
  /* since 0.2; written as far as `size` reaches on entry (0: not at all) */
  double interval_low, interval_high; /* NaN without */
  double standard_error;              /* of `te`, NaN without interval */
  double bias;                        /* estimated and taken out of the interval (not of te), NaN without */
  int32_t surrogates_done;            /* fewer than asked for when stopped early */
  int32_t k;                          /* as used */
  int32_t target_history, target_tau, source_history, source_tau, delay; /* as used; 0 when lags say it */
  int32_t target_lag_count, source_lag_count;
  int32_t target_lags[XC_TE_MAX_LAGS], source_lags[XC_TE_MAX_LAGS]; /* before the predicted sample */
} xc_te_result;

typedef struct xc_te_stream xc_te_stream;

typedef struct xc_te_table {
  xc_table_header header;
  /* `locals` is NULL or takes as many values as there are samples (an automatic embedding decides how many are
   * written: result.tuples); `surrogate_values` is NULL or takes `surrogates` values. `conditions` may have 0
   * variables. Long call. */
  xc_status (*estimate)(const xc_te_series* source, const xc_te_series* target, const xc_te_series* conditions,
                        int64_t samples, const xc_te_options* options, double* locals, double* surrogate_values,
                        xc_te_result* result, const xc_control* control, xc_error* error);
  /* How many tuples an embedding gives; fails as `estimate` would when there are too few. */
  xc_status (*tuples)(int64_t samples, const xc_te_options* options, int64_t* tuples, int64_t* first, xc_error* error);
  xc_te_network_function network;        /* long call */
  xc_te_greedy_function network_greedy; /* long call */
  /* A window over live series: see te/stream/stream.hpp. Options as above; embedding, surrogates, conditions, masks
   * and segments are not looked at. scale_every: new samples after which columns are normalised anew, >= 1. */
  xc_status (*stream_open)(int32_t source_variables, int32_t target_variables, int64_t window, int64_t scale_every,
                           const xc_te_options* options, xc_te_stream** out, xc_error* error);
  /* `samples` new samples, flat as xc_te_series. */
  xc_status (*stream_push)(xc_te_stream* stream, const double* source, const double* target, int64_t samples,
                           xc_error* error);
  /* XC_OK with result->tuples == 0 while the window is not full. */
  xc_status (*stream_value)(xc_te_stream* stream, xc_te_result* result, xc_error* error);
  void (*stream_release)(xc_te_stream* stream);
} xc_te_table;

#ifdef __cplusplus
}
#endif
#endif
