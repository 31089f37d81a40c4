/* Domain "thermo": the generalised assignment problem. Included by thermo.h.
 *
 * Every job goes to exactly one agent. x_ij = 1 when agent i does job j:
 *
 *   min (or max)  sum_ij cost_ij x_ij
 *   subject to    sum_i x_ij = 1                                       for every job j
 *                 sum_j load_rij x_ij <= capacity_ri                   for every resource r and agent i
 *                 sum_ij amount_kij x_ij <= limit_k                    for every budget k
 *                 x_ij = 0 where the pair is not allowed
 */
#ifndef XCORE_THERMO_ASSIGNMENT_H
#define XCORE_THERMO_ASSIGNMENT_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { XC_THERMO_MINIMISE = 0, XC_THERMO_MAXIMISE = 1 };

/* agents and jobs at most 2^20 each, agents x jobs at most 2^27, resources 1..64, budgets 0..64. */
typedef struct xc_thermo_assignment {
  int32_t sense; /* XC_THERMO_MINIMISE or XC_THERMO_MAXIMISE */
  int32_t agents, jobs, resources, budgets;
  const double* costs;      /* [agents x jobs], within +-1e12; an infinity forbids the pair */
  const double* loads;      /* [resources x agents x jobs], 0 .. 1e12 */
  const double* capacities; /* [resources x agents], >= 0, +infinity for no limit */
  const double* amounts;    /* [budgets x agents x jobs], 0 .. 1e12 */
  const double* limits;     /* [budgets], >= 0, +infinity for no limit */
  const uint8_t* allowed;   /* [agents x jobs], 0 forbids the pair; NULL allows all */
  const int32_t* start;     /* [jobs], the agents of a first solution, -1 for jobs without one; NULL for none */
} xc_thermo_assignment;

typedef struct xc_thermo_assignment_options {
  double time_limit_ms; /* > 0, +infinity for none */
  int64_t rounds;       /* rounds of search after the relaxation, >= 0; -1 for no limit. With a limit of rounds and none
                           of time the result is a function of problem and seed alone. */
  uint64_t seed;
  int32_t threads; /* at most this many; 0 for all of the core's */
  double gap;      /* >= 0: stop when |objective - bound| <= gap |bound| */
} xc_thermo_assignment_options;

enum {
  XC_THERMO_OPTIMAL = 0,    /* proven: the objective is within 1e-9 (relative) of the optimum, or within `gap` */
  XC_THERMO_FEASIBLE = 1,   /* a solution, not proven optimal */
  XC_THERMO_INFEASIBLE = 2, /* proven: there is no solution */
  XC_THERMO_UNKNOWN = 3     /* no solution found, none excluded */
};

typedef struct xc_thermo_assignment_result {
  int32_t status;   /* XC_THERMO_OPTIMAL .. XC_THERMO_UNKNOWN */
  int32_t reserved;
  double objective; /* of the assignment; +-infinity (the bad end) when it is not feasible */
  double bound;     /* no solution is better; +-infinity (the bad end) when infeasibility is proven */
  double root_bound; /* of the linear relaxation */
  double time_ms, time_to_best_ms;
  int64_t rounds, nodes; /* rounds of search, nodes of the tree search */
} xc_thermo_assignment_result;

#ifdef __cplusplus
}
#endif
#endif
