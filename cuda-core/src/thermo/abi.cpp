// The function table of the domain. Exceptions stop here.
#include "runtime/error.hpp"
#include "thermo/beta_posterior/beta_posterior.hpp"
#include "thermo/boltzmann/boltzmann.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"
#include "thermo/ising/population_annealing/population_annealing.hpp"
#include "thermo/ising/replica_exchange/replica_exchange.hpp"
#include "xcore/thermo.h"

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

const xc_thermo_table table = {
    {"thermo", XC_THERMO_ABI, sizeof(xc_thermo_table)}, boltzmann, beta_update, beta_summary, beta_sample,
    ising_solve, ising_temper, ising_population};

}  // namespace

extern "C" const void* xc_thermo_table_v1(void) { return &table; }
