/* Tables of posteriors that stay where they are updated: on the host or on a GPU. Part of the domain "thermo". */
#ifndef XCORE_THERMO_BELIEFS_H
#define XCORE_THERMO_BELIEFS_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xc_beliefs xc_beliefs;

/* What is believed of one pair, and the columns of its parameters and of the statistics that update it. */
enum {
  /* Beta-Bernoulli. Parameters alpha, beta. Statistics: successes, failures. */
  XC_BELIEFS_BETA = 1,
  /* Normal of unknown mean and variance: normal-inverse-gamma. Parameters mean, kappa, alpha, beta. Statistics: count,
   * mean of the observations, sum of their squared deviations from that mean. */
  XC_BELIEFS_NORMAL = 2
};
#define XC_BELIEFS_COLUMNS_MAX 4

#ifdef __cplusplus
}
#endif
#endif
