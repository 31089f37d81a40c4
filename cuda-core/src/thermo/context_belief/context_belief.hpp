// What a request's regressors say of each model's outcome: the numerics of a hierarchical Bayesian linear regression
// (D. V. Lindley, A. F. M. Smith, "Bayes estimates for the linear model", J. Royal Statistical Society B 34, 1972).
//
// outcome = x (w + v_m) + noise, the common weights w and each model's own v_m being normal about 0. Given w the models are
// independent: with C_m the covariance of model m's weights then and P that of w, both in units of the noise variance, they are normal with
// mean `mean_m + OWN C_m w`, OWN being the prior precision of v_m. Covariances are kept as square roots, C = L L', so that they stay
// covariances however many outcomes come.
#pragma once

#include <cstdint>

#include "xcore/thermo_context.h"

namespace xcore::thermo {

// @throws Error naming the field that is out of range.
void check_context(const xc_thermo_context& context);

// See xc_thermo_table for what the arguments are.
void context_predict(const xc_thermo_context& context, const double* regressors, double* shifts, double* variances);
double context_observe(const xc_thermo_context& context, int32_t model, const double* regressors, double difference);
void context_draw(const xc_thermo_context& context, double deviation, const double* normals, double* weights);
void context_settle(const xc_thermo_context& context);
double context_variance_along(const xc_thermo_context& context, const double* directions);

// Out = 1, features / sqrt(n), and sqrt(2 / D) cos(frequencies' features + phases).
void context_regressors(const double* features, int32_t n, const double* frequencies, const double* phases, int32_t cosines,
                        double* out);

// The inner loops, compiled once per instruction set. Sums go by eight lanes, so that all give the same bits. Rows are `stride` apart, a multiple
// of 8; vectors have `stride` elements, of which those beyond `size` are 0.
struct RootKernels {
  // f = L' x
  void (*across)(const double* root, const double* x, int32_t size, int32_t stride, double* f);
  // out = L f
  void (*times)(const double* root, const double* f, int32_t size, int32_t stride, double* out);
  // L -= factor g f'
  void (*lower)(double* root, const double* g, const double* f, double factor, int32_t size, int32_t stride);
  // sum of x y
  double (*dot)(const double* x, const double* y, int32_t stride);
};
extern const RootKernels kRootKernelsPortable, kRootKernelsAvx2, kRootKernelsAvx512;

}  // namespace xcore::thermo
