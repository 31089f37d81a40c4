/* Ising models, MaxCut and QUBO in their one common form, and the samplers and solvers that work on it.
 *
 *   E(s) = -sum_{edges (i, j)} w_ij s_i s_j - sum_i h_i s_i,   s_i = +-1        (the sign of textbooks: w > 0 aligns)
 *
 * A cut of a graph with weights c is (sum c - sum c_ij s_i s_j) / 2: MaxCut is the ground state for w = -c.
 * Part of thermo.h; the conventions stated there hold.
 */
#ifndef XCORE_THERMO_ISING_H
#define XCORE_THERMO_ISING_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Most spins and edges of one model. */
#define XC_ISING_SPINS_MAX 16777216
#define XC_ISING_EDGES_MAX 268435456

/* Edges are pairs from 0; a pair may come more than once (its weights add up), an edge of a spin with itself is
 * refused. Weights and fields are finite and their absolute sum is at most XC_THERMO_ENERGY_MAX. */
typedef struct xc_ising_model {
  const int32_t* edges;   /* [edge_count x 2] */
  const double* weights;  /* [edge_count] */
  const double* fields;   /* [n], or NULL for none */
  int64_t edge_count;
  int32_t n;
  int32_t reserved;
} xc_ising_model;

typedef struct xc_ising_solve_options {
  uint64_t seed;
  double time_limit_s;     /* > 0; infinity is fine when rounds or target bound the search */
  double target;           /* stop at an energy <= target; -infinity: never */
  int64_t rounds;          /* rounds of each population, 0: until the time limit. With rounds > 0 the result depends on the
                              seed alone, unless the time limit, target or cancel cuts it short */
  int32_t threads;         /* most threads to use, 0: all of the pool */
  int32_t populations;     /* populations searched side by side, 0: one a thread (rounds = 0) or two */
  const int8_t* start;     /* [n] of +-1: one individual of the first population, or NULL */
} xc_ising_solve_options;

typedef struct xc_ising_solve_result {
  double energy;
  double time_s;           /* of the whole call */
  double best_time_s;      /* when `energy` was reached */
  int64_t rounds;          /* rounds done, over all populations */
  int64_t spin_updates;    /* of the annealing kernel */
  int32_t proven;          /* 1: no state has less (the reduction solved the model, or no bond is unsatisfied) */
  int32_t target_reached;
  int32_t kernel_spins;    /* spins left after the exact reduction */
  xc_device device;        /* where it ran */
} xc_ising_solve_result;

/* The columns of `readings` of ising_temper, one row a temperature slot. */
enum {
  XC_ISING_BETA = 0,
  XC_ISING_MEAN_ENERGY = 1,
  XC_ISING_ENERGY_VARIANCE = 2,
  XC_ISING_MEAN_ABS_MAGNETIZATION = 3, /* of |sum s| / n */
  XC_ISING_SWAP_ACCEPTANCE = 4,        /* with the next slot; NaN in the last */
  XC_ISING_UPWARD_FRACTION = 5,        /* of the replicas here that last visited the hottest slot; NaN: none did */
  XC_ISING_LOG_PARTITION = 6,          /* log Z by the stepping stone from the first slot, whose log Z must be known */
  XC_ISING_LOG_PARTITION_ERROR = 7,    /* its standard error, from batch means */
  XC_ISING_LOG_PARTITION_TI = 8,       /* the same by thermodynamic integration of <E> (Simpson-like, variance corrected) */
  XC_ISING_FLIP_ACCEPTANCE = 9,
  XC_ISING_READINGS = 10
};

enum { XC_ISING_METROPOLIS = 0, XC_ISING_HEAT_BATH = 1 };

#ifdef __cplusplus
}
#endif
#endif
