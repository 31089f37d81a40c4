// The function table of the domain. Exceptions stop here.
#include <algorithm>

#include "runtime/error.hpp"
#include "thermo/assignment/assignment.hpp"
#include "thermo/belief_table/belief_table.hpp"
#include "thermo/beta_posterior/beta_posterior.hpp"
#include "thermo/boltzmann/boltzmann.hpp"
#include "thermo/context_belief/context_belief.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"
#include "thermo/ising/population_annealing/population_annealing.hpp"
#include "thermo/ising/replica_exchange/replica_exchange.hpp"
#include "thermo/langevin/langevin.hpp"
#include "thermo/text_features/text_features.hpp"
#include "xcore/thermo.h"

struct xc_beliefs {
  xcore::thermo::BeliefTable table;
};

namespace {

using namespace xcore;

xc_status boltzmann(const double* energies, int64_t rows, int32_t models, const double* temperatures, uint64_t seed,
                    uint64_t first_stream, xc_device device, double* probabilities, double* readings, int32_t* choices,
                    const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    thermo::boltzmann(
        {energies, rows, models, temperatures, seed, first_stream, probabilities, readings, choices}, device,
        Control(control));
  });
}

xc_status beta_update(const double* alpha, const double* beta, const double* successes, const double* failures,
                      int64_t count, double prior_alpha, double prior_beta, double forgetting, xc_device device,
                      double* alpha_out, double* beta_out, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    thermo::beta_update(
        {alpha, beta, successes, failures, count, prior_alpha, prior_beta, forgetting, alpha_out, beta_out}, device,
        Control(control));
  });
}

xc_status beta_summary(const double* alpha, const double* beta, int64_t count, double level, xc_device device,
                       double* mean, double* variance, double* lower, double* upper, const xc_control* control,
                       xc_error* error) {
  return guard(error, [&] {
    thermo::beta_summary({alpha, beta, count, level, mean, variance, lower, upper}, device, Control(control));
  });
}

xc_status beta_sample(const double* alpha, const double* beta, int64_t count, uint64_t seed, uint64_t first_stream,
                      xc_device device, double* draws, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    thermo::beta_sample({alpha, beta, count, seed, first_stream, draws}, device, Control(control));
  });
}

xc_status beliefs_create(int32_t kind, const double* prior, int64_t pairs, xc_device device, xc_beliefs** out,
                         xc_error* error) {
  return guard(error, [&] {
    if (!prior || !out) throw invalid_argument("prior", "an array is missing");
    thermo::BeliefPrior p{kind, {}};
    std::copy_n(prior, p.parameters(), p.values);
    *out = new xc_beliefs{{p, pairs, device}};
  });
}

void beliefs_release(xc_beliefs* beliefs) { delete beliefs; }

xc_device beliefs_device(const xc_beliefs* beliefs) { return beliefs->table.device(); }

xc_status beliefs_update(xc_beliefs* beliefs, const float* statistics, double forgetting, const xc_control* control,
                         xc_error* error) {
  return guard(error, [&] { beliefs->table.update(statistics, forgetting, Control(control)); });
}

xc_status beliefs_read(const xc_beliefs* beliefs, double* parameters, xc_error* error) {
  return guard(error, [&] { beliefs->table.read(parameters); });
}

xc_status beliefs_write(xc_beliefs* beliefs, const double* parameters, xc_error* error) {
  return guard(error, [&] { beliefs->table.write(parameters); });
}

xc_status beliefs_summary(const xc_beliefs* beliefs, double level, double* mean, double* variance, double* lower,
                          double* upper, const xc_control* control, xc_error* error) {
  return guard(error, [&] { beliefs->table.summary(level, {mean, variance, lower, upper}, Control(control)); });
}

xc_status beliefs_sample(const xc_beliefs* beliefs, uint64_t seed, uint64_t first_stream, double* draws,
                         const xc_control* control, xc_error* error) {
  return guard(error, [&] { beliefs->table.sample(seed, first_stream, draws, Control(control)); });
}

xc_status langevin_cooling(const xc_thermo_langevin* run, xc_device device, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    if (!run) throw invalid_argument("run", "run must not be NULL");
    thermo::langevin_cooling(*run, device, Control(control));
  });
}

xc_status solve_assignment(const xc_thermo_assignment* problem, const xc_thermo_assignment_options* options,
                           int32_t* assignment, xc_thermo_assignment_result* result, const xc_control* control,
                           xc_error* error) {
  return guard(error, [&] { thermo::solve_assignment(*problem, *options, assignment, result, Control(control)); });
}

xc_status assignment_conflict(const xc_thermo_assignment* problem, uint8_t* conflict, const xc_control* control,
                              xc_error* error) {
  return guard(error, [&] { thermo::assignment_conflict(*problem, conflict, Control(control)); });
}

xc_status ising_solve(const xc_ising_model* model, const xc_ising_solve_options* options, xc_device device, int8_t* spins,
                      xc_ising_solve_result* result, const xc_control* control, xc_error* error) {
  return guard(error, [&] { *result = thermo::ising::solve(*model, *options, device, spins, Control(control)); });
}

xc_status ising_temper(const xc_ising_model* model, const xc_ising_temper_options* options, xc_device device,
                       double* readings, double* energies, double* magnetizations, int64_t* round_trips, int8_t* spins,
                       int8_t* best, xc_ising_temper_result* result, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    *result = thermo::ising::temper(*model, *options, device,
                                    {readings, energies, magnetizations, round_trips, spins, best}, Control(control));
  });
}

xc_status ising_population(const xc_ising_model* model, const xc_ising_population_options* options, xc_device device,
                           double* readings, double* energies, double* works, int8_t* spins, int8_t* best,
                           xc_ising_population_result* result, const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    *result = thermo::ising::anneal_population(*model, *options, device, {readings, energies, works, spins, best},
                                               Control(control));
  });
}

xc_status text_features(const uint16_t* units, int64_t length, int32_t last, double* features, xc_error* error) {
  return guard(error, [&] {
    if (length < 0 || (length > 0 && !units)) throw invalid_argument("units", "a text is missing");
    thermo::text_features(reinterpret_cast<const char16_t*>(units), length, last, features);
  });
}

xc_status context_regressors(const double* features, int32_t n, const double* frequencies, const double* phases,
                             int32_t cosines, double* regressors, xc_error* error) {
  return guard(error, [&] {
    for (const int32_t count : {n, cosines})
      if (count < 1 || count > 2048) throw invalid_argument("features", "%d numbers; 1 to 2048 are possible", count);
    thermo::context_regressors(features, n, frequencies, phases, cosines, regressors);
  });
}

// Runs body(context) for a context that is one.
template <class F>
xc_status with_context(const xc_thermo_context* context, xc_error* error, F&& body) {
  return guard(error, [&] {
    if (!context) throw invalid_argument("context", "context must not be NULL");
    thermo::check_context(*context);
    body(*context);
  });
}

xc_status context_predict(const xc_thermo_context* context, const double* regressors, double* shifts, double* variances,
                          xc_error* error) {
  return with_context(context, error, [&](const auto& c) { thermo::context_predict(c, regressors, shifts, variances); });
}

xc_status context_observe(const xc_thermo_context* context, int32_t model, const double* regressors, double difference,
                          double* surprise, xc_error* error) {
  return with_context(context, error,
                      [&](const auto& c) { *surprise = thermo::context_observe(c, model, regressors, difference); });
}

xc_status context_draw(const xc_thermo_context* context, double deviation, const double* normals, double* weights,
                       xc_error* error) {
  return with_context(context, error, [&](const auto& c) {
    if (!(deviation >= 0)) throw invalid_argument("deviation", "deviation is %g; it must be 0 or more", deviation);
    thermo::context_draw(c, deviation, normals, weights);
  });
}

xc_status context_variance(const xc_thermo_context* context, const double* directions, double* variance, xc_error* error) {
  return with_context(context, error, [&](const auto& c) { *variance = thermo::context_variance_along(c, directions); });
}

xc_status context_settle(const xc_thermo_context* context, xc_error* error) {
  return with_context(context, error, [](const auto& c) { thermo::context_settle(c); });
}

const xc_thermo_table table = {{"thermo", XC_THERMO_ABI, sizeof(xc_thermo_table)},
                               boltzmann,
                               beta_update,
                               beta_summary,
                               beta_sample,
                               beliefs_create,
                               beliefs_release,
                               beliefs_device,
                               beliefs_update,
                               beliefs_read,
                               beliefs_write,
                               beliefs_summary,
                               beliefs_sample,
                               langevin_cooling,
                               solve_assignment,
                               assignment_conflict,
                               ising_solve,
                               ising_temper,
                               ising_population,
                               text_features,
                               context_regressors,
                               context_predict,
                               context_observe,
                               context_draw,
                               context_variance,
                               context_settle};

}  // namespace

extern "C" const void* xc_thermo_table_v1(void) { return &table; }
