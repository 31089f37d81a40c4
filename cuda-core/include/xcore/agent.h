/* Domain "agent": active inference on discrete partially observed Markov decision processes.
 *
 * Arrays are double and row-major; "concatenated" means one after another in the order of factors or modalities.
 *   A[m]  (outcomes[m], states of its dependencies...)           P(o_m | s); columns sum to 1
 *   B[f]  (states[f], states of its dependencies..., controls[f])  P(s'_f | s, u_f)
 *   C[m]  (outcomes[m], preference_steps)                        log preferences, normalised by a softmax at use
 *   beliefs, priors: one distribution a factor; observations: one distribution a modality.
 * A model may be read by several threads at once; xc_agent_table.model_set may not run beside them.
 */
#ifndef XCORE_AGENT_H
#define XCORE_AGENT_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_AGENT_ABI 1

typedef struct xc_agent_model xc_agent_model;

typedef struct xc_agent_model_spec {
  int32_t factors;    /* 1..32 */
  int32_t modalities; /* 1..256 */
  const int32_t* states;
  const int32_t* controls;
  const int32_t* outcomes;
  const int32_t* a_dependency_counts; /* [modalities]; each at least 1 */
  const int32_t* a_dependencies;      /* concatenated factor indices */
  const int32_t* b_dependency_counts; /* [factors] */
  const int32_t* b_dependencies;
  uint64_t a_dependencies_size, b_dependencies_size;
  const double* a;
  const double* b;
  const double* c;
  const double* d; /* initial prior, concatenated */
  uint64_t a_size, b_size, c_size, d_size;
  int32_t preference_steps; /* 1: C holds at every step; else C[., t] at step t of a policy, the last one from there on */
} xc_agent_model_spec;

enum { XC_AGENT_A = 0, XC_AGENT_B = 1, XC_AGENT_C = 2, XC_AGENT_D = 3 };

typedef struct xc_agent_free_energy {
  double free_energy; /* complexity - accuracy, nats */
  double complexity;  /* KL of the beliefs from the prior */
  double accuracy;    /* expected log likelihood of the observation */
  int32_t sweeps;     /* of coordinate ascent; 1 for one factor */
  int32_t converged;
} xc_agent_free_energy;

typedef struct xc_agent_table {
  xc_table_header header;
  xc_status (*model_create)(const xc_agent_model_spec* spec, xc_agent_model** out, xc_error* error);
  void (*model_release)(xc_agent_model* model);
  /* Replaces all of A, B, C or D, after the same checks. */
  xc_status (*model_set)(xc_agent_model* model, int32_t which, const double* data, uint64_t size, xc_error* error);
  /* Beliefs about the hidden states from one observation. A modality whose distribution is all zero is unobserved.
   * One factor: exact. Several: mean field by coordinate ascent, at most max_sweeps sweeps, ended when a sweep lowers
   * the free energy by less than `tolerance` nats. */
  xc_status (*infer)(const xc_agent_model* model, const double* observation, const double* prior, int32_t max_sweeps,
                     double tolerance, double* beliefs, xc_agent_free_energy* out, xc_error* error);
  /* next = B(action) beliefs, one action a factor. */
  xc_status (*predict)(const xc_agent_model* model, const double* beliefs, const int32_t* action, double* next,
                       xc_error* error);
  /* For each policy (policies: [count][steps][factors]) the expected utility and the expected information gain about
   * states, in nats, summed over the steps. Expected free energy = -(utility + information_gain). */
  xc_status (*expected_free_energy)(const xc_agent_model* model, xc_device device, const double* beliefs,
                                    const int32_t* policies, int64_t count, int32_t steps, double* utility,
                                    double* information_gain, const xc_control* control, xc_error* error);
  /* probabilities = softmax(ln habit - gamma * expected_free_energy); habit may be NULL (uniform). */
  xc_status (*policy_posterior)(const double* expected_free_energy, const double* habit, int64_t count, double gamma,
                                double* probabilities, xc_error* error);
  /* Marginal probability of each first action, concatenated over factors (controls of the model). */
  xc_status (*action_marginals)(const xc_agent_model* model, const int32_t* policies, int64_t count, int32_t steps,
                                const double* probabilities, double* marginals, xc_error* error);
  /* counts <- retention * counts, then + rate * increments where the model's A (B) is positive. */
  xc_status (*learn_a)(const xc_agent_model* model, const double* observation, const double* beliefs, double rate,
                       double retention, double* counts, uint64_t size, xc_error* error);
  xc_status (*learn_b)(const xc_agent_model* model, const int32_t* action, const double* beliefs,
                       const double* previous, double rate, double retention, double* counts, uint64_t size,
                       xc_error* error);
  /* Draws an index from `probabilities` (need not be normalised): draw number `counter` of (seed, stream). */
  xc_status (*draw)(const double* probabilities, int64_t count, uint64_t seed, uint64_t stream, uint64_t counter,
                    int64_t* out, xc_error* error);
  /* Expectation of Dirichlet counts shaped as A or B: columns normalised. */
  xc_status (*dirichlet_mean)(const xc_agent_model* model, int32_t which, const double* counts, uint64_t size,
                              double* mean, xc_error* error);
} xc_agent_table;

#ifdef __cplusplus
}
#endif
#endif
