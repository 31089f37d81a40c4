// The box-kernel estimator: densities are counts of the tuples within a fixed width of each column.
// T. Schreiber, "Measuring information transfer", Phys. Rev. Lett. 85, 461 (2000); widths and norms as in J. T. Lizier,
// "JIDT: an information-theoretic toolkit", Front. Robot. AI 1, 11 (2014).
//
//   TE = mean_i ln [ c(F,P,S) c(P) / (c(P,S) c(F,P)) ],  c: tuples j, i included, whose columns all lie within their
// widths (<=) of those of i. The width of a column of P or S is `kernel_width` times its standard deviation (n - 1), or
// kernel_width itself without `normalise`; F has the width of the first column of P, or its own when there is no P.
// Columns are taken raw: dividing them would move values that lie on a width exactly. A Theiler window leaves out
// j != i with |time_i - time_j| <= theiler. Biased: widths do not shrink with n.
#pragma once

#include <cstdint>
#include <vector>

#include "te/estimate/estimator.hpp"

namespace xcore::te {

struct KernelProblem {
  int64_t n = 0;
  std::vector<const double*> past, future, source;  // columns
  std::vector<double> past_width, future_width, source_width;
  const int32_t* time = nullptr;
  int32_t theiler = 0;
};
KernelProblem kernel_problem(const Embedding& embedding, const xc_te_options& options);

struct KernelCounts {
  int32_t past, source_past, future_past, all;
};
double kernel_value(const KernelCounts* counts, int64_t n, double* locals);

// The definition.
void kernel_counts_ref(const KernelProblem& problem, const int32_t* permutation, KernelCounts* out);
// Pairs in vectors; tuples sorted by the first column of P are looked at only inside its width.
void kernel_counts_cpu(const KernelProblem& problem, const int32_t* permutation, KernelCounts* out, const Control& control);
// As ksg_counts_cuda.
void kernel_counts_cuda(int device, const KernelProblem& problem, const int32_t* permutations, int64_t count, KernelCounts* out,
                        const Control& control);

}  // namespace xcore::te
