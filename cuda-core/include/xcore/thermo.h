/* Domain "thermo": Boltzmann distributions over small sets of choices, and Beta posteriors of their success.
 *
 * Arrays are row-major and belong to the caller. Outputs must not overlap inputs; they are complete when XC_OK is
 * returned and unspecified otherwise. Random numbers are Philox draws: row or pair i uses stream first_stream + i, so
 * results depend neither on the number of threads nor on how a batch was cut. Every function may be called from any
 * thread at any time.
 */
#ifndef XCORE_THERMO_H
#define XCORE_THERMO_H

#include "xcore/core.h"
#include "xcore/thermo_assignment.h"
#include "xcore/thermo_beliefs.h"
#include "xcore/thermo_context.h"
#include "xcore/thermo_ising.h"
#include "xcore/thermo_langevin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_THERMO_ABI 1

/* The columns of `readings` of boltzmann. Energies and temperature share one unit (k_B = 1); entropy is in nats. */
enum {
  XC_THERMO_LOG_PARTITION = 0, /* log Z = log sum_i exp(-E_i / T) */
  XC_THERMO_FREE_ENERGY = 1,   /* F = -T log Z = U - T S */
  XC_THERMO_MEAN_ENERGY = 2,   /* U = sum_i p_i E_i */
  XC_THERMO_ENTROPY = 3,       /* S = -sum_i p_i log p_i */
  XC_THERMO_READINGS = 4
};

/* Energies beyond this are refused, so that differences and means stay finite. */
#define XC_THERMO_ENERGY_MAX 1e300

/* Bounds of the parameters of a Beta distribution that beta_summary and beta_sample accept. */
#define XC_THERMO_BETA_MIN 1e-9
#define XC_THERMO_BETA_MAX 1e9

typedef struct xc_thermo_table {
  xc_table_header header;

  /* Each row of energies [rows x models] becomes a Boltzmann distribution at its own temperature, and one draw of it.
   * Energies are within +-XC_THERMO_ENERGY_MAX or +infinity (forbidden: probability 0); at least one of a row is
   * finite. Temperatures are >= 0, +infinity included. T = 0 is the limit: uniform over the exact ties of the lowest
   * energy, and log Z is +-infinity unless that energy is 0. T = infinity is uniform over the finite energies; F is
   * then -infinity unless there is only one. models is 1 .. 2^20.
   *   probabilities [rows x models], readings [rows x XC_THERMO_READINGS], choices [rows] (column drawn) */
  xc_status (*boltzmann)(const double* energies, int64_t rows, int32_t models, const double* temperatures, uint64_t seed,
                         uint64_t first_stream, xc_device device, double* probabilities, double* readings,
                         int32_t* choices, const xc_control* control, xc_error* error);

  /* Conjugate update with forgetting: alpha_out = prior_alpha + forgetting (alpha - prior_alpha) + successes, and
   * likewise beta with failures. All inputs are finite and >= 0, alpha >= prior_alpha and beta >= prior_beta,
   * forgetting is in (0, 1]. With priors of 0 alpha and beta are plain discounted counts. */
  xc_status (*beta_update)(const double* alpha, const double* beta, const double* successes, const double* failures,
                           int64_t count, double prior_alpha, double prior_beta, double forgetting, xc_device device,
                           double* alpha_out, double* beta_out, const xc_control* control, xc_error* error);

  /* Mean, variance and the equal-tailed credible interval of probability `level` in (0, 1) of Beta(alpha, beta).
   * A bound below the least double is 0. */
  xc_status (*beta_summary)(const double* alpha, const double* beta, int64_t count, double level, xc_device device,
                            double* mean, double* variance, double* lower, double* upper, const xc_control* control,
                            xc_error* error);

  /* One draw of each Beta(alpha, beta). The draws do not share random numbers with boltzmann's of the same stream. */
  xc_status (*beta_sample)(const double* alpha, const double* beta, int64_t count, uint64_t seed, uint64_t first_stream,
                           xc_device device, double* draws, const xc_control* control, xc_error* error);
  /* A table of `pairs` posteriors (1 .. 2^31) that all start at `prior`, kept on the device that `device` resolves to:
   * see thermo_beliefs.h for the kinds and their columns. Arrays are columns: [columns x pairs]. */
  xc_status (*beliefs_create)(int32_t kind, const double* prior, int64_t pairs, xc_device device, xc_beliefs** out,
                              xc_error* error);
  void (*beliefs_release)(xc_beliefs* beliefs);
  xc_device (*beliefs_device)(const xc_beliefs* beliefs);
  /* Conjugate update of every pair, after forgetting (0, 1] towards the prior. All or nothing when a statistic is refused. */
  xc_status (*beliefs_update)(xc_beliefs* beliefs, const float* statistics, double forgetting, const xc_control* control,
                              xc_error* error);
  xc_status (*beliefs_read)(const xc_beliefs* beliefs, double* parameters, xc_error* error);
  xc_status (*beliefs_write)(xc_beliefs* beliefs, const double* parameters, xc_error* error);
  /* Mean, variance and equal-tailed credible interval, of the success probability or of the normal's mean: [pairs]. */
  xc_status (*beliefs_summary)(const xc_beliefs* beliefs, double level, double* mean, double* variance, double* lower,
                               double* upper, const xc_control* control, xc_error* error);
  /* One draw a pair from the posterior of the same; pair i uses stream first_stream + i. */
  xc_status (*beliefs_sample)(const xc_beliefs* beliefs, uint64_t seed, uint64_t first_stream, double* draws,
                              const xc_control* control, xc_error* error);
  /* An ensemble of walkers cooled at constant thermodynamic speed in a tabulated potential, by the Langevin equation: see
   * thermo_langevin.h. Long call. */
  xc_status (*langevin_cooling)(const xc_thermo_langevin* run, xc_device device, const xc_control* control,
                                xc_error* error);

  /* A solution of a generalised assignment problem and a proven bound; see thermo_assignment.h. assignment [jobs]: the
   * agent of each job, the least violating one known when none is feasible, -1 for a job without any possible agent.
   * Long: obeys the time limit and polls `control` at least every 50 ms. */
  xc_status (*solve_assignment)(const xc_thermo_assignment* problem, const xc_thermo_assignment_options* options,
                                int32_t* assignment, xc_thermo_assignment_result* result, const xc_control* control,
                                xc_error* error);

  /* conflict [resources x agents + budgets]: 1 for the limits of an irreducible set that no assignment, not even a
   * fractional one, keeps together; all 0 when there is no such set. Every job needs an allowed agent. */
  xc_status (*assignment_conflict)(const xc_thermo_assignment* problem, uint8_t* conflict, const xc_control* control,
                                   xc_error* error);

  /* Ising models: see thermo_ising.h. The least energy found within the limits of the options; spins [n]. */
  xc_status (*ising_solve)(const xc_ising_model* model, const xc_ising_solve_options* options, xc_device device,
                           int8_t* spins, xc_ising_solve_result* result, const xc_control* control, xc_error* error);

  /* Replica exchange. readings [slots x XC_ISING_READINGS]; the rest may be NULL: energies [chains x slots x rounds],
   * magnetizations [chains x rounds] (|sum s| / n of the coldest slot), round_trips [chains], spins [chains x slots x n]
   * at the end, best [n] of least energy. */
  xc_status (*ising_temper)(const xc_ising_model* model, const xc_ising_temper_options* options, xc_device device,
                            double* readings, double* energies, double* magnetizations, int64_t* round_trips,
                            int8_t* spins, int8_t* best, xc_ising_temper_result* result, const xc_control* control,
                            xc_error* error);

  /* A population along a path of temperatures. readings [steps x XC_ISING_STEP_READINGS]; the rest may be NULL:
   * energies and works [replicas], spins [replicas x n], best [n]. */
  xc_status (*ising_population)(const xc_ising_model* model, const xc_ising_population_options* options, xc_device device,
                                double* readings, double* energies, double* works, int8_t* spins, int8_t* best,
                                xc_ising_population_result* result, const xc_control* control, xc_error* error);

  /* Learning from requests: see thermo_context.h. features [XC_THERMO_TEXT_FEATURES] of a text of `length` UTF-16 units, of which
   * the first XC_THERMO_TEXT_UNITS at most are read; `last` is the unit before the blanks at its end, -1 of a blank text. */
  xc_status (*text_features)(const uint16_t* units, int64_t length, int32_t last, double* features, xc_error* error);
  /* A constant, the features / sqrt(n), and random Fourier features sqrt(2 / D) cos(f x + b) of them (A. Rahimi, B. Recht, 2007):
   * frequencies [n x cosines], phases [cosines], regressors [1 + n + cosines]. n and cosines are 1 .. 2048. */
  xc_status (*context_regressors)(const double* features, int32_t n, const double* frequencies, const double* phases,
                                  int32_t cosines, double* regressors, xc_error* error);
  /* By how much each model's outcome is expected to differ for these regressors [size], and the variance of that in units of the noise:
   * shifts, variances [models]. */
  xc_status (*context_predict)(const xc_thermo_context* context, const double* regressors, double* shifts, double* variances,
                               xc_error* error);
  /* Learns that a model's outcome differed by this much; the model must be seen. surprise: the squared error of the forecast over
   * its variance, both in units of the noise, whose mean is the noise's variance. O(size^2). */
  xc_status (*context_observe)(const xc_thermo_context* context, int32_t model, const double* regressors, double difference,
                               double* surprise, xc_error* error);
  /* All weights [models x size] at once: their means with a deviation of 0, else with normals [(models + 1) x size] (not read
   * with 0) a draw of their joint posterior for noise of that standard deviation. */
  xc_status (*context_draw)(const xc_thermo_context* context, double deviation, const double* normals, double* weights,
                            xc_error* error);
  /* Variance of the sum over models of directions [models x size] times weights, in units of the noise. */
  xc_status (*context_variance)(const xc_thermo_context* context, const double* directions, double* variance, xc_error* error);
  /* Writes the mean of the common weights, after a root or a pull was written by the caller. */
  xc_status (*context_settle)(const xc_thermo_context* context, xc_error* error);
} xc_thermo_table;

#ifdef __cplusplus
}
#endif
#endif
