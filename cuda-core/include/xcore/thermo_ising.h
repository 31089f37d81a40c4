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
#define XC_ISING_SPINS_MAX 4194304
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
  int64_t rounds;          /* rounds of each population, 0: until the time limit. With rounds > 0 the result depends on
                              the seed alone, unless the time limit, target or cancel cuts it short */
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

enum { XC_ISING_METROPOLIS = 0, XC_ISING_HEAT_BATH = 1 };

enum { XC_ISING_LADDER_FIXED = 0, XC_ISING_LADDER_EQUAL_REJECTION = 1, XC_ISING_LADDER_FEEDBACK = 2 };

typedef struct xc_ising_temper_options {
  const double* betas;       /* [slots], ascending from >= 0 (hottest first), all finite */
  int32_t slots, chains;     /* 2 .. 4096 temperatures; 1 .. 65536 independent runs of the whole ladder */
  int64_t burn_in, rounds;   /* rounds before and while measuring; rounds >= 1 */
  int32_t sweeps_per_round;  /* >= 1; swaps follow each round, of even and odd pairs in turn */
  int32_t rule;              /* XC_ISING_METROPOLIS or XC_ISING_HEAT_BATH */
  int32_t ladder;            /* XC_ISING_LADDER_*: how the betas between the first and the last adapt */
  int32_t adaptations;       /* how often they do: the first after max(burn_in, 8) rounds, each later one after twice as many */
  int32_t cluster_moves;     /* 1: Houdayer moves between chains in slots colder than the mean coupling */
  int32_t reserved;
  uint64_t seed;
} xc_ising_temper_options;

/* The columns of `readings` of ising_temper, one row a temperature slot. */
enum {
  XC_ISING_BETA = 0,
  XC_ISING_MEAN_ENERGY = 1,
  XC_ISING_ENERGY_VARIANCE = 2,
  XC_ISING_SWAP_ACCEPTANCE = 3,        /* with the next slot; NaN in the last */
  XC_ISING_UPWARD_FRACTION = 4,        /* of the replicas here that last visited the hottest slot; NaN: none did */
  XC_ISING_FLIP_ACCEPTANCE = 5,        /* flips a spin and sweep */
  XC_ISING_LOG_PARTITION = 6,          /* by Bennett's ratio from slot to slot; absolute when the first beta is 0, else
                                          relative to the first slot */
  XC_ISING_LOG_PARTITION_ERROR = 7,    /* standard error, from batches in time */
  XC_ISING_LOG_PARTITION_TI = 8,       /* by thermodynamic integration of the mean energy, corrected by its variance */
  XC_ISING_LOG_PARTITION_TI_ERROR = 9,
  XC_ISING_READINGS = 10
};

typedef struct xc_ising_temper_result {
  double best_energy;
  double barrier;        /* sum of the swap rejections: Syed's global communication barrier */
  int64_t round_trips;   /* hottest - coldest - hottest, of all chains while measuring */
  int64_t spin_updates;
  double time_s;
  xc_device device;
} xc_ising_temper_result;

typedef struct xc_ising_population_options {
  const double* betas;       /* [steps], from the first to the last temperature in this order, finite, >= 0 */
  int32_t steps, replicas;   /* 1 .. 2^20, 1 .. 2^22 */
  int32_t sweeps_per_step;   /* >= 0, after each step */
  int32_t first_sweeps;      /* at betas[0], from random spins */
  int32_t rule;
  int32_t resample;          /* 1: population annealing; 0: independent paths (Jarzynski, annealed importance sampling) */
  uint64_t seed;
} xc_ising_population_options;

/* The columns of `readings` of ising_population, one row a step. */
enum {
  XC_ISING_STEP_BETA = 0,
  XC_ISING_STEP_MEAN_ENERGY = 1,     /* of the population after the sweeps (unweighted) */
  XC_ISING_STEP_LOG_PARTITION = 2,   /* absolute when betas[0] is 0, else relative to it */
  XC_ISING_STEP_FAMILIES = 3,        /* families of the first step that are left */
  XC_ISING_STEP_RHO = 4,             /* mean square family size, sum n_i^2 / R: equilibrium where it is far below R */
  XC_ISING_STEP_FAMILY_ENTROPY = 5,  /* -sum (n_i / R) log (n_i / R) */
  XC_ISING_STEP_READINGS = 6
};

typedef struct xc_ising_population_result {
  double best_energy;
  int64_t spin_updates;
  double time_s;
  xc_device device;
} xc_ising_population_result;

#ifdef __cplusplus
}
#endif
#endif
