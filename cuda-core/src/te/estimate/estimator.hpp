// What every estimator of I(S;F|P) offers once P and F are prepared: a value, local values, and values of other sources
// in the place of S. Surrogates, automatic embedding and intervals are written against this alone.
#pragma once

#include <memory>

#include "runtime/control.hpp"
#include "te/embedding/embedding.hpp"

namespace xcore::te {

class Estimator {
 public:
  virtual ~Estimator() = default;
  // The value in nats. `locals`, when not NULL, takes one value a tuple whose mean is the value.
  virtual double value(double* locals, const Control& control) const = 0;
  // Values with the source rows drawn anew: tuple i has the source of tuple rows[i]; count x n indices.
  virtual void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const = 0;
  // Value with other source columns (as many as the embedding has, n rows each).
  virtual double with_source(const double* columns, const Control& control) const = 0;
  // P(a value as large without influence), NaN when there is no analytic law.
  virtual double analytic_p(double value) const;
  virtual xc_device device() const;
};

// How the columns of the embedding must come.
Scaling scaling_of(const xc_te_options& options);

// The embedding must outlive the estimator. `device` is resolved: CPU or an existing GPU. Throws XC_UNSUPPORTED for what
// an estimator cannot do there.
std::unique_ptr<Estimator> make_estimator(const Embedding& embedding, const xc_te_options& options, xc_device device);
// Whether a GPU would be faster for `estimates` values.
bool pays_on_cuda(const Embedding& embedding, const xc_te_options& options, double estimates);

std::unique_ptr<Estimator> make_ksg(const Embedding& embedding, const xc_te_options& options);
std::unique_ptr<Estimator> make_ksg_cuda(const Embedding& embedding, const xc_te_options& options, int device);
std::unique_ptr<Estimator> make_gaussian(const Embedding& embedding, const xc_te_options& options);
std::unique_ptr<Estimator> make_kernel(const Embedding& embedding, const xc_te_options& options);
std::unique_ptr<Estimator> make_kernel_cuda(const Embedding& embedding, const xc_te_options& options, int device);
std::unique_ptr<Estimator> make_binned(const Embedding& embedding, const xc_te_options& options);

}  // namespace xcore::te
